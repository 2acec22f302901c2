"""Pictures drawn by formulas, so that every lesson has something to look at on a machine without a network.

    swirling_sky      a painted night of whirls and stars: the house style picture S
    stripes, checks   the simplest pictures that have a style
    striped_patches   what two channels have to do with each other, seen
    edge, dots, rings what units of the first layers may be looking for, besides stripes and checks
    textures          all of these at many angles, sizes and colours, by name

All are (1, n_H, n_W, 3), RGB, float32 in [0, 1].

How the sky is painted.  One function, the phase phi(x, y), is the whole wind: brush strokes run along its level lines, and
cos(phi) says which of them carry light paint and which carry dark.  Its level lines are rings around a light, where phi is a
cone; spirals into a whirl, where phi also counts the angle; and long waves everywhere else.  The strokes then go on as a
painter would lay them, broad before fine, from a brush dipped in two paints at once.
"""

from functools import partial

import numpy as np

from scratchnet.errors import ShapeError

AREA  = 384 * 512                               # lengths are pixels of a sky of 384 x 512; any other size is this one, scaled
BANDS = 46                                      # from one light ribbon of wind to the next
FINE  = 2                                       # painted at twice the size, then averaged: smooth edges, bristles finer than a pixel
KNOTS = 9                                       # points that carry the curve of a stroke

# What the wind goes around: its radius, how often its spiral winds, from ring to ring, shining or not (R, turns, rings, glow).
WHIRL     = np.array([74,  2, 26, 0])
WHIRLPOOL = np.array([36,  1, 22, 0])
MOON      = np.array([54,  0, 15, 1])
STAR      = np.array([23,  0,  9, 1])
OTHER_WAY = np.array([+1, -1, +1, +1])

# Layers of paint: length and width of a stroke, how many times they cover the canvas, how far their paint strays from its place.
LAYERS = ((44, 9.0, 2.5, .10),
          (34, 5.5, 2.0, .16),
          (24, 3.5, 0.8, .22))

# Paints, from dark to light.
BLUE = np.array([[.03, .05, .16], [.05, .10, .34], [.08, .20, .52], [.14, .36, .66], [.35, .60, .78], [.72, .84, .84], [.95, .94, .82]])
TEAL = np.array([[.02, .07, .16], [.04, .15, .30], [.05, .28, .44], [.12, .44, .56], [.36, .66, .68], [.70, .86, .76], [.97, .93, .74]])
FIRE = np.array([[.24, .16, .34], [.56, .28, .20], [.86, .47, .10], [.97, .66, .13], [.99, .82, .28], [1.0, .93, .56], [1.0, .98, .85]])

# For textures: a colour and what lies beside it, dark or opposite, so that both light and colour have edges.
PAIRS = {
    "white and black":   ((.96, .95, .92), (.06, .06, .08)), "red and green":      ((.86, .16, .14), (.13, .55, .26)),
    "orange and blue":   ((.96, .53, .10), (.12, .22, .60)), "yellow and violet":  ((.98, .86, .20), (.38, .16, .56)),
    "green and black":   ((.24, .70, .30), (.06, .06, .08)), "turquoise and red":  ((.14, .72, .70), (.70, .10, .12)),
    "blue and white":    ((.13, .30, .76), (.96, .95, .92)), "violet and green":   ((.52, .26, .72), (.60, .80, .30)),
    "pink and grey":     ((.95, .50, .66), (.35, .36, .40)), "brown and sand":     ((.36, .20, .10), (.88, .78, .58)),
}


def swirling_sky(n_H=384, n_W=512, seed=0):
    """A night sky of whirls, stars and haloes in thick paint, to be the style picture S.

    The same seed gives the same sky, and another size the same kind of strokes, scaled by the root of the area.
    Returns (1, n_H, n_W, 3), RGB, float32 in [0, 1].   Raises ShapeError for a picture without pixels.
    """
    _refuse_empty(n_H, n_W)
    rng = np.random.default_rng(seed)
    scale = np.sqrt(n_H * n_W / AREA)
    lights = _place_lights(rng, n_H / scale, n_W / scale)

    canvas = np.tile(BLUE[1].astype(np.float32), (FINE * n_H, FINE * n_W, 1))
    relief = np.zeros(canvas.shape[:2], np.float32)
    for layer in LAYERS:
        _paint(canvas, relief, layer, lights, FINE * scale, rng)

    canvas *= _lamp(relief)[:, :, None]
    sky = canvas.reshape(n_H, FINE, n_W, FINE, 3).mean(axis=(1, 3))
    return np.clip(sky, 0, 1)[None]


def _place_lights(rng, height, width):
    """Whirls, a moon and stars, each where the most room is left -> x, y, R, turns, rings, glow; every one (K,)"""
    kinds = [WHIRL, WHIRL * OTHER_WAY, MOON, WHIRLPOOL * OTHER_WAY, WHIRLPOOL]
    kinds += [STAR * [size, 1, 1, 1] for size in rng.uniform(.7, 1.4, 9)]
    places = np.empty((len(kinds), 2))
    for k, (R, *_) in enumerate(kinds):
        free = rng.uniform(.07, .93, (40, 1, 2)) * [width, height]
        room = np.hypot(*np.moveaxis(free - places[:k], 2, 0)) - [R + other[0] for other in kinds[:k]]
        places[k] = free[np.argmax(room.min(axis=1)) if k else 0, 0]
    return np.vstack([places.T, np.transpose(kinds)]).astype(np.float32)


def _phase(lights, x, y):
    """phi at the points x, y -> (n,)"""
    X, Y, R, turns, rings, _ = lights[:, :, None]
    dx, dy = x - X, y - Y
    r = np.sqrt(dx * dx + dy * dy) / R
    around = 2 * np.pi * R / rings * np.exp(-r) + turns * np.arctan2(dy, dx)

    # The drift: waves across the whole sky, but constant close to a light, or its rings could not close.
    calm = np.exp(-(r / 1.8) ** 4)
    x, y = x - (calm * dx).sum(axis=0), y - (calm * dy).sum(axis=0)
    return around.sum(axis=0) + 2 * np.pi / BANDS * (y + x / 4 + 16 * np.sin(x / 62 + y / 140))


def _wind(lights, p, h=.125):
    """The unit vector along the level line of phi through each point p -> (2, n)"""
    phi = _phase(lights, *p)
    rise = np.array([_phase(lights, p[0] + h, p[1]) - phi, _phase(lights, p[0], p[1] + h) - phi])
    phi_x, phi_y = rise - 2 * np.pi * np.rint(rise / (2 * np.pi))                   # an angle jumps by 2 pi somewhere
    return np.array([-phi_y, phi_x]) / (np.hypot(phi_x, phi_y) + 1e-9)


def _walk(lights, p, length):
    """Follow the wind from the points p for half a length each way -> (2, n, KNOTS)"""
    middle = KNOTS // 2
    path = np.empty((*p.shape, KNOTS), np.float32)
    path[:, :, middle] = p
    for way in (-1, 1):
        step = way * length / (KNOTS - 1)
        for knot in range(middle, middle + way * middle, way):
            here = path[:, :, knot]
            half = here + step / 2 * _wind(lights, here)                            # the midpoint's wind: circles stay circles
            path[:, :, knot + way] = here + step * _wind(lights, half)
    return path


def _colour(lights, p, stray, rng):
    """A paint for each stroke at p -> (n, 3): blue or teal by region, light or dark by the wind, fire near a light."""
    x, y = p
    X, Y, R, _, _, glow = lights[:, :, None]
    r = np.hypot(x - X, y - Y) / R
    halo, core = (glow * np.exp(-r ** 3)).max(axis=0), (glow * np.exp(-(r / .36) ** 4)).max(axis=0)
    ribbon = (.5 + .5 * np.cos(_phase(lights, x, y))) ** 1.4
    stray = stray * rng.normal(size=len(x))

    # By the toss of a coin, not by mixing: blue and orange side by side glow, stirred together they are mud.
    teal = rng.uniform(-1, 1, len(x)) < np.sin(x / 95 + 2 * np.sin(y / 75))
    fire = rng.uniform(size=len(x)) < halo + .012
    night = np.where(teal[:, None], _shade(TEAL, .05 + .62 * ribbon + stray), _shade(BLUE, .05 + .62 * ribbon + stray))
    return np.where(fire[:, None], _shade(FIRE, .35 + .5 * ribbon + .6 * core + stray), night)


def _shade(paint, t):
    """The colour at t of the way from the dark end, 0, to the light end, 1 -> (n, 3)"""
    t = np.clip(t, 0, 1) * (len(paint) - 1)
    return np.stack([np.interp(t, np.arange(len(paint)), channel) for channel in paint.T], axis=1).astype(np.float32)


def _paint(canvas, relief, layer, lights, scale, rng):
    """One layer of strokes over what is there; canvas and relief change in place."""
    length, width, cover, stray = layer
    n_H, n_W = relief.shape
    n = 1 + int(cover * n_H * n_W / (length * width * scale ** 2))
    p = rng.uniform(-.02, 1.02, (n, 2)) * [n_W / scale, n_H / scale]
    dabs = (int(250 / width), lights.shape[1], 2)
    dabs = rng.normal(lights[:2].T, rng.uniform(size=dabs) * .6 * lights[2][:, None])
    p = np.concatenate([p, dabs.reshape(-1, 2)]).T.astype(np.float32)               # thick paint where the wind turns

    # Short strokes in tight circles: no longer than the way to the nearest centre, and back.
    room = 2 * np.hypot(p[0] - lights[0, :, None], p[1] - lights[1, :, None]).min(axis=0)
    path = scale * _walk(lights, p, np.clip(room, width, length))
    load = _brushes(rng, int(1.3 * length * scale) + 2, int(1.3 * width * scale) + 2, int(1.4 * width) + 3)
    brush = rng.integers(len(load), size=p.shape[1])
    top = _lay(path, load, brush, scale * width, n_H, n_W)

    painted = np.flatnonzero(top >= 0)
    stroke, sample = np.divmod(top[painted], load[0].size)
    paint = load.reshape(len(load), -1)[brush[stroke], sample]
    one, two = _colour(lights, p, stray, rng)[stroke], _colour(lights, p, stray, rng)[stroke]
    canvas.reshape(-1, 3)[painted] = two + paint[:, None] * (one - two)             # thick bristles carry one paint, thin ones the other
    relief.reshape(-1)[painted] = paint


def _lay(path, load, brush, width, n_H, n_W):
    """Bend each brush's sheet of samples along its path -> for each place, the number of the last sample laid on it, or -1."""
    _, n_u, n_v = load.shape
    u, v = np.linspace(0, KNOTS - 1, n_u), np.linspace(-width / 2, width / 2, n_v, dtype=np.float32)
    along = path @ np.maximum(0, 1 - abs(np.arange(KNOTS)[:, None] - u)).astype(np.float32)         # linear between the knots
    dx, dy = np.gradient(along, axis=2)
    across = np.stack([-dy, dx]) / (np.hypot(dx, dy) + 1e-6)

    # A frame one sample wide catches what runs over the edge, and its corner what no bristle touches.
    top = np.full((n_H + 2) * (n_W + 2), -1, np.int32)
    for some in np.array_split(np.arange(len(brush)), len(brush) // 64 + 1):                          # as many as the cache holds
        x, y = 1.5 + along[:, some, :, None] + across[:, some, :, None] * v
        place = np.clip(y, 0, n_H + 1).astype(np.int32) * (n_W + 2) + np.clip(x, 0, n_W + 1).astype(np.int32)
        place *= load[brush[some]] > 0
        top[place.ravel()] = np.arange(some[0] * n_u * n_v, (some[-1] + 1) * n_u * n_v)
    return top.reshape(n_H + 2, n_W + 2)[1:-1, 1:-1].ravel()


def _brushes(rng, n_u, n_v, bristles, count=32):
    """The paint that brushes leave along u and across v, 0 where their bristles have run dry -> (count, n_u, n_v)"""
    def smooth(values, n, axis):
        knots = np.linspace(0, values.shape[axis] - 1, n)
        hat = np.maximum(0, 1 - abs(knots - np.arange(values.shape[axis])[:, None]))
        return np.moveaxis(np.moveaxis(values, axis, -1) @ hat, -1, axis)

    each = rng.uniform(size=(count, 1, bristles))
    hair = .6 * each + .4 * rng.uniform(size=(count, 12, bristles))                 # a bristle stays itself, more or less
    u, v = np.linspace(-1, 1, n_u)[:, None], np.linspace(-1, 1, n_v)
    load = (.15 + .85 * smooth(smooth(hair, n_u, 1), n_v, 2)) * (1 - v ** 4)
    ends = 1 - .35 * smooth(each, n_v, 2) - .25 * v ** 2                            # ragged: thick bristles lift off first
    return np.where(abs(u) < ends, load, 0).astype(np.float32)


def _lamp(relief):
    """Light from the upper left on thick paint: what rises towards it shines, what falls away is in shadow."""
    rise = np.zeros_like(relief)
    rise[1:, 1:] = relief[1:, 1:] - relief[:-1, :-1]
    return 1 + .7 * np.clip(rise, -.6, .6)


def stripes(n_H, n_W, angle=90, period=16, colours=((.10, .20, .52), (.97, .82, .28))):
    """Straight stripes of two colours: 0 degrees runs across, 90 up and down, 45 up to the right; period in pixels.

    Returns (1, n_H, n_W, 3), RGB, float32.   Raises ShapeError for a picture without pixels, or a period below two of them.
    """
    _refuse_empty(n_H, n_W)
    if not period >= 2:
        raise ShapeError(f"stripes with a period of {period} pixels cannot be drawn; give 2 pixels or more")
    y, x = np.indices((n_H, n_W)) + .5
    return _two_colours(_waves(_across(y, x, angle), period), colours)


def checks(n_H, n_W, side=16, colours=((.10, .20, .52), (.97, .82, .28))):
    """A board of squares of two colours, side pixels wide: stripes both ways at once.   Returns (1, n_H, n_W, 3), RGB, float32"""
    _refuse_empty(n_H, n_W, side)
    y, x = np.indices((n_H, n_W)) // side
    return _two_colours((x + y) % 2, colours)


def edge(n_H, n_W, angle=90, colours=PAIRS["white and black"]):
    """One straight edge through the middle, angles as of stripes: at 0 degrees the first colour lies above, at 90 left, at 180 below.

    Returns (1, n_H, n_W, 3), RGB, float32.   Raises ShapeError for a picture without pixels.
    """
    _refuse_empty(n_H, n_W)
    y, x = np.indices((n_H, n_W)) + .5
    return _two_colours(np.clip(.5 + _across(y - n_H / 2, x - n_W / 2, angle), 0, 1), colours)


def dots(n_H, n_W, radius=6, colours=PAIRS["white and black"]):
    """Dots of the first colour on a ground of the second, three radii apart, every other row moved by half of that.

    Returns (1, n_H, n_W, 3), RGB, float32.   Raises ShapeError for a picture without pixels, or a radius below one of them.
    """
    _refuse_empty(n_H, n_W)
    if not radius >= 1:
        raise ShapeError(f"dots with a radius of {radius} pixels cannot be drawn; give 1 pixel or more")
    y, x = np.indices((n_H, n_W)) + .5
    apart = 3 * radius
    x = x + apart / 2 * (y // apart % 2)
    away = np.hypot(y % apart - apart / 2, x % apart - apart / 2)
    return _two_colours(np.clip(.5 + away - radius, 0, 1), colours)


def rings(n_H, n_W, period=12, colours=PAIRS["white and black"]):
    """Rings around the middle: curves of every direction, the narrower the closer to it; period in pixels.

    Returns (1, n_H, n_W, 3), RGB, float32.   Raises ShapeError for a picture without pixels, or a period below two of them.
    """
    _refuse_empty(n_H, n_W)
    if not period >= 2:
        raise ShapeError(f"rings with a period of {period} pixels cannot be drawn; give 2 pixels or more")
    y, x = np.indices((n_H, n_W)) + .5
    return _two_colours(_waves(np.hypot(y - n_H / 2, x - n_W / 2), period), colours)


def textures(n_H=96, n_W=96):
    """{name: function that draws it} of 400 textures: edges at 16 angles, stripes at 8 and of 2 widths, dots, checks, rings.

    Each in all ten pairs of colours.   A function -> (1, n_H, n_W, 3), RGB, float32
    """
    kinds = {f"edge at {angle:g} degrees": (edge, angle) for angle in np.arange(0, 360, 22.5)}
    kinds |= {f"stripes at {angle:g} degrees, {period} pixels": (stripes, angle, period)
              for period in (5, 12) for angle in np.arange(0, 180, 22.5)}
    kinds |= {f"dots of radius {radius}": (dots, radius) for radius in (2, 4, 9)}
    kinds |= {f"checks of {side} pixels": (checks, side) for side in (4, 12)}
    kinds |= {f"rings of {period} pixels": (rings, period) for period in (6, 12, 24)}
    return {f"{kind}, {pair}": partial(draw, n_H, n_W, *numbers, colours)
            for pair, colours in PAIRS.items() for kind, (draw, *numbers) in kinds.items()}


def striped_patches(n_H, n_W, together=True, side=32, seed=0):
    """Patches with vertical texture and patches of orange: the lecture's red and yellow channel, in the same places or never.

    Half of the patches are striped.  Orange are the striped ones (together) or the others: as many stripes and as much orange in
    both pictures, so it is the cells of the style matrix that pair a stripe channel with an orange one that tell them apart.
    Returns (1, n_H, n_W, 3), RGB, float32.
    """
    _refuse_empty(n_H, n_W, side)
    rows, columns = -(-n_H // side), -(-n_W // side)
    striped = np.random.default_rng(seed).permutation(rows * columns).reshape(rows, columns) % 2 == 0
    striped = striped.repeat(side, axis=0).repeat(side, axis=1)[None, :n_H, :n_W, None]
    orange = striped == together
    light = np.where(striped, stripes(n_H, n_W, 90, 8, ((.55,) * 3, (1.,) * 3)), np.float32(.775))
    return light * np.where(orange, FIRE[2], BLUE[3]).astype(np.float32)


def _across(y, x, angle):
    """How far a point lies beyond the line at this angle through (0, 0), in pixels."""
    turn = np.radians(angle)
    return y * np.cos(turn) + x * np.sin(turn)


def _waves(distance, period):
    """Between 0 and 1 by turns, from one to the other within one pixel."""
    wave = np.sin(2 * np.pi / period * distance)
    return np.clip(.5 + wave / (2 * np.sin(np.pi / period)), 0, 1)


def _two_colours(t, colours):
    one, two = np.asarray(colours, dtype=float)
    return (one + t[..., None] * (two - one)).astype(np.float32)[None]


def _refuse_empty(n_H, n_W, side=1):
    if n_H < 1 or n_W < 1:
        raise ShapeError(f"a picture of {n_H} x {n_W} has no pixels; n_H and n_W must be at least 1")
    if not side >= 1:
        raise ShapeError(f"squares of {side} pixels cannot be drawn; give a side of 1 pixel or more")
