"""People who do not exist, drawn by formulas, so that faces can be compared on a machine without a single photograph.

    identity(seed)                        who: the geometry and the colours of a head, as numbers with names
    draw(who, rng)                        one picture of that person, (64, 64, 3): a new pose, light, mood, background each time
    faces(people, pictures_each, seed)    a data set: pictures (m, 64, 64, 3) and labels (m,)

What makes a person never changes from picture to picture, and what changes never tells who it is: that is the whole task of an
encoder, and here both halves are known exactly.  Raw pixels see mostly the second half: of 20 people, one picture of each known, the
nearest picture names the right one 15 times in 100 (chance: 5), and AUC over pairs is 0.62 (`python -m benchmarks.drawn_faces`).

How a face is drawn.  The picture is the square -1 .. 1, y down.  Every shape is a number per pixel, positive inside, that falls to
0 at the edge and counts in the units of the square; times the pixels per unit, plus a half, cut to 0 .. 1, that is how much of the pixel
the shape covers.  Shapes are painted from back to front.  The head is half an ellipsoid: turning it moves what is on it by a
rotation in space, and its normal says how the light falls.
"""

from types import SimpleNamespace

import numpy as np

from scratchnet.errors import ShapeError

# Who: each trait is uniform between two ends.  Lengths are in halves of the picture's side.
TRAITS = {
    "wide": (.41, .53), "high": (.56, .69), "jaw": (.02, .42), "square": (2.0, 2.7), "ears": (.07, .13),
    "eye_x": (.17, .245), "eye_y": (-.12, .03), "eye_w": (.085, .135), "eye_h": (.045, .085), "slant": (-.3, .3), "iris": (.042, .058),
    "brow_y": (.10, .16), "brow_h": (.014, .045), "brow_w": (.11, .16), "arch": (.0, .06), "brow_tilt": (-.03, .03),
    "nose_w": (.055, .125), "nose_y": (.13, .24), "nose_depth": (.5, 1.1),
    "mouth_y": (.32, .40), "mouth_w": (.12, .21), "upper": (.018, .050), "lower": (.026, .066), "mouth_set": (-.015, .055),
    "skin": (0, 1), "undertone": (-1, 1), "blush": (.1, .5), "lip_red": (0, 1), "neck": (.22, .33),
    "lift": (.7, 1.3), "hairline": (-.06, .06), "part": (-.22, .22), "strand": (14, 30), "hair_shade": (.8, 1.2),
}

# How: what one picture adds, uniform to either side of the neutral 0 (at amount=1).
NUISANCES = {
    "shift_x": .13, "shift_y": .09, "zoom": .12, "tilt": .24, "turn": .50, "nod": .22,
    "light_x": 1.0, "light_y": .7, "strength": .5, "exposure": .28, "warmth": .12, "tint": .05,
    "smile": 1.0, "mouth_open": 1.0, "lids": .55, "brows": 1.0, "frown": 1.0, "gaze": .028,
}
GLASSES, NOISE = .25, .035                      # how often they are worn, how much grain at most

SKIN = np.array([[.96, .81, .71], [.94, .76, .63], [.90, .69, .53], [.79, .57, .41], [.64, .43, .29], [.48, .31, .21], [.33, .21, .15]])
HAIR = np.array([[.09, .07, .08], [.17, .11, .09], [.29, .18, .12], [.44, .27, .15], [.55, .25, .12], [.72, .52, .28], [.88, .74, .48],
                 [.62, .61, .62], [.90, .89, .87]])
EYES = np.array([[.20, .11, .06], [.36, .21, .10], [.45, .36, .14], [.30, .45, .26], [.27, .47, .63], [.46, .53, .58]])
CLOTH = np.array([[.18, .27, .46], [.73, .25, .24], [.20, .45, .40], [.92, .72, .31], [.45, .29, .50], [.93, .91, .86], [.25, .25, .28],
                  [.86, .52, .42], [.44, .62, .76]])

# Hair: over the skull, over the sides, where it ends (1 is the chin), the hairline, how sudden the temples, curl, knots on top or sides.
KINDS = {
    "bald":  (.00, .00, 0, -9., 2., .00, 0), "shaven": (.025, .01, 0, -.43, 5., .00, 0), "short":  (.10, .03, 0, -.46, 6., .00, 0),
    "quiff": (.20, .02, 0, -.46, 7., .02, 0), "fringe": (.12, .06, 0, -.24, 9., .00, 0), "bob":    (.11, .13, .8, -.42, 4., .00, 0),
    "long":  (.11, .10, 1.9, -.47, 2.6, .01, 0), "wavy":  (.13, .18, 1.5, -.44, 3., .05, 0), "curls": (.22, .19, .5, -.44, 3., .05, 0),
    "afro":  (.32, .31, .6, -.46, 4., .02, 0), "bun":     (.07, .03, 0, -.48, 3.5, .00, 1), "puffs":  (.05, .02, 0, -.48, 4., .02, 2),
    "scarf": (.13, .13, 1.6, -.42, 3.5, .00, 0), "turban": (.20, .05, 0, -.36, 2.4, .00, 0),
}
BEARDS = ("none", "stubble", "moustache", "goatee", "full")


def identity(seed):
    """A person: every trait of TRAITS, the kind of hair and of beard, marks, and colours (RGB) -> SimpleNamespace

    seed  a whole number or a list of them; the same seed is the same person, and vars(person) lists the numbers
    """
    rng = np.random.default_rng(seed)
    who = SimpleNamespace(**{name: float(rng.uniform(*ends)) for name, ends in TRAITS.items()})
    who.hair = str(rng.choice(list(KINDS)))
    who.beard = str(rng.choice(BEARDS, p=(.6, .1, .1, .08, .12))) if who.hair not in ("scarf", "puffs", "bun", "bob") else "none"
    who.mole = (rng.uniform(-.3, .3), rng.uniform(0, .4)) if rng.uniform() < .3 else None
    who.freckles = bool(rng.uniform() < .25 and who.skin < .5)

    who.skin_colour = _shade(SKIN, who.skin) * (1 + .05 * who.undertone * np.array([.2, -.2, -1]))
    dark = rng.uniform() < .35 + .6 * who.skin                                      # fair hair and eyes are rarer on dark skin
    grey = rng.uniform() < .16
    place = rng.uniform(.78, 1) if grey else rng.uniform(0, .3) if dark else rng.uniform(.2, .78)
    who.hair_colour = np.clip(_shade(HAIR, place) * who.hair_shade, 0, 1)
    who.eye_colour = _shade(EYES, rng.uniform(0, .25 if dark else 1))
    who.lip_colour = (.62 - .14 * who.lip_red) * who.skin_colour + [.22 + .14 * who.lip_red, .09, .10]
    who.cloth_colour = CLOTH[rng.integers(len(CLOTH))] * rng.uniform(.8, 1.05)      # of a scarf or a turban
    return who


def draw(who, rng=None, size=64, amount=1.0):
    """One picture of a person -> (size, size, 3), RGB, float32 in [0, 1]

    rng     a numpy Generator, from which pose, light, expression, glasses, background and noise come; None: straight, calm, evenly lit
    amount  how far these stray: 1 as in `faces`, 0 not at all
    Raises ShapeError for a size below 8 pixels, where a face has no eyes.
    """
    if not size >= 8:
        raise ShapeError(f"a face of {size} x {size} pixels cannot be drawn; give a size of 8 or more")
    how = _circumstances(rng, amount)
    at = _coordinates(who, how, size)
    picture = _background(at, how)
    _draw_behind(picture, who, how, at)
    _draw_skin(picture, who, at)
    _draw_eyes(picture, who, how, at)
    _draw_mouth(picture, who, how, at)
    _draw_hair(picture, who, at)
    if how.glasses is not None:
        _draw_glasses(picture, who, how, at)

    light = np.array([1 + how.warmth, 1 + how.tint, 1 - how.warmth], np.float32) * np.float32(1 + how.exposure)
    picture *= at.lit * light[:, None, None]
    peak = picture.max(axis=0)
    bright = np.maximum(peak - np.float32(.8), 0)
    picture *= 1 - bright * bright / ((bright + np.float32(.2)) * (peak + np.float32(1e-6)))    # as film: bright skin keeps its hue
    if how.grain:
        picture += np.float32(how.grain) * how.rng.standard_normal(picture.shape, np.float32)
    return np.ascontiguousarray(np.moveaxis(np.clip(picture, 0, 1), 0, -1))


def faces(people, pictures_each, seed=0, size=64, amount=1.0):
    """A data set of drawn people: pictures (people · pictures_each, size, size, 3), float32, and labels 0, 0, ..., 1, 1, ... (m,)

    Person i is identity([seed, i]) whatever the other numbers are, and the j-th picture of each is always the same: more people or more
    pictures only add.   Raises ShapeError for no people or no pictures.
    """
    if people < 1 or pictures_each < 1:
        raise ShapeError(f"{people} people with {pictures_each} pictures each are no data set; give at least 1 of both")
    pictures = np.empty((people, pictures_each, size, size, 3), np.float32)
    for i in range(people):
        who = identity([seed, i])
        for j in range(pictures_each):
            pictures[i, j] = draw(who, np.random.default_rng([seed, i, 1 + j]), size, amount)
    return pictures.reshape(-1, size, size, 3), np.repeat(np.arange(people), pictures_each)


def _circumstances(rng, amount):
    """The nuisances of one picture, each by name; all 0 without a generator."""
    still = rng is None or amount == 0
    rng = np.random.default_rng(0) if still else rng
    how = SimpleNamespace(rng=rng, **{name: 0. if still else amount * rng.uniform(-w, w) for name, w in NUISANCES.items()})
    how.grain = 0 if still else amount * rng.uniform(0, NOISE)
    how.glasses = None
    how.cloth, how.walls = CLOTH[0], np.array([[.80, .84, .86], [.70, .76, .80]])
    if not still:
        how.cloth = CLOTH[rng.integers(len(CLOTH))] * rng.uniform(.75, 1.1)
        pair = rng.uniform(.12, .95, (2, 1)) + .20 * rng.uniform(-1, 1, (2, 3))
        how.walls = how.walls + amount * (pair - how.walls)
        if rng.uniform() < amount * GLASSES:
            how.glasses = rng.uniform(.115, .155), rng.uniform(.10, .145), float(rng.choice([2., 3.5])), _shade(HAIR, rng.uniform()) * .6
    how.slope = np.array([0, 1.]) if still else rng.normal(size=2)
    return how


def _coordinates(who, how, size):
    """Where each pixel is: x, y on the upright head; u, v on its surface turned to the front; lit, how much light falls on it."""
    p = ((np.arange(size, dtype=np.float32) + .5) * 2 / size - 1)
    X, Y = np.meshgrid(p, p)
    zoom = 1.0 * (1 + how.zoom)
    cos, sin = np.float32(np.cos(how.tilt) / zoom), np.float32(np.sin(how.tilt) / zoom)
    x, y = X - np.float32(how.shift_x), Y - np.float32(.06 + how.shift_y)
    at = SimpleNamespace(X=X, Y=Y, x=x * cos + y * sin, y=y * cos - x * sin, sharp=np.float32(size / 2 * zoom))
    W, H = np.float32(who.wide), np.float32(who.high)
    a, b = at.x / W, at.y / H
    z = np.sqrt(np.maximum(1 - a * a - b * b, 0))
    at.u = at.x * np.float32(np.cos(how.turn)) - W * z * np.float32(np.sin(how.turn))
    at.v = at.y - W * z * np.float32(np.sin(how.nod))
    at.turn = how.turn

    # A jaw narrower than the brow: the lower half of an ellipse, squeezed; the chin goes with the turn.
    down = np.clip(b, 0, 1)
    at.wide = 1 - np.float32(who.jaw) * down * down
    q = (abs((at.x - .10 * np.float32(how.turn) * down) / (W * at.wide)) ** np.float32(who.square) + abs(b) ** np.float32(who.square))
    at.head = W * (1 - q ** np.float32(1 / who.square))
    bump = at.u / np.float32(who.nose_w) * np.exp(-(at.u / np.float32(who.nose_w)) ** 2) * _cover((who.nose_y - at.v) * 6, 1) * \
        _cover((at.v - who.eye_y) * 6, 1)
    strength = .30 + .5 * how.strength
    facing = np.array([.8 * how.light_x, -.35 + .8 * how.light_y, 1], np.float32) / np.float32(np.sqrt(1.2))
    a = np.clip(a, -1.2, 1.2) + np.float32(.7 * who.nose_depth) * bump
    at.lit = 1 + np.float32(strength) * (a * facing[0] + np.clip(b, -1.2, 1.2) * facing[1] + .9 * (z - .6))
    at.lit = np.maximum(at.lit, .25)
    return at


def _cover(inside, sharp):
    """How much of each pixel a shape covers, 0 to 1; `inside` is the way to its edge."""
    cover = inside * np.float32(sharp)
    cover += np.float32(.5)
    return np.minimum(np.maximum(cover, 0, out=cover), 1, out=cover)


def _ellipse(x, y, a, b):
    """Positive inside, about the distance to the edge."""
    q = np.sqrt((x / np.float32(a)) ** 2 + (y / np.float32(b)) ** 2)
    return np.float32(min(a, b)) * (1 - q)


def _band(v, top, bottom, sharp):
    """Between two curves: pixels with top < v < bottom."""
    return _cover(v - top, sharp) * _cover(bottom - v, sharp)


def _paint(picture, cover, colour):
    """Lay a colour, (3,) or (3, n, n), over the picture (3, n, n), in place, where `cover` says how thick."""
    rows = (cover > .004).any(axis=1).nonzero()[0]                                 # most shapes are small: the rest is left alone
    if len(rows):
        some = slice(rows[0], rows[-1] + 1)
        colour = np.asarray(colour, np.float32)
        colour = colour[:, None, None] if colour.ndim == 1 else colour[:, some]
        step = colour - picture[:, some]
        step *= cover[some]
        picture[:, some] += step


def _textured(colour, shine):
    """(3,) and (n, n) -> a colour for every pixel, (3, n, n)"""
    return np.asarray(colour, np.float32)[:, None, None] * shine


def _shade(paint, t):
    """The colour at t of the way from the first to the last -> (3,)"""
    return np.array([np.interp(t * (len(paint) - 1), np.arange(len(paint)), channel) for channel in paint.T])


def _background(at, how):
    one, two = how.walls.astype(np.float32)[:, :, None, None]
    t = np.clip(.5 + .5 * (at.X * np.float32(how.slope[0]) + at.Y * np.float32(how.slope[1])), 0, 1)
    return np.clip(one + t * (two - one), .05, .97)


def _draw_behind(picture, who, how, at):
    """Knots, hair behind the head, neck, shoulders, ears."""
    ends, knots = KINDS[who.hair][2], KINDS[who.hair][-1]
    colour = _hair_colour(who)
    if knots:
        x, y = (at.x - .12 * how.turn, at.y + who.high + .10) if knots == 1 else (abs(at.x) - who.wide * .88, at.y + who.high * .78)
        _paint(picture, _cover(_ellipse(x, y, .20 * who.lift, .18 * who.lift), at.sharp), colour * .85)
    if ends > 0:
        _paint(picture, _cover(_outline(who, at)[0], at.sharp), colour * .74)
    skin, shoulders = who.skin_colour * .80, np.minimum(at.y - who.high - .13 - .35 * at.x ** 2, at.y - .5)
    _paint(picture, _cover(np.minimum(who.neck - abs(at.x), at.y - .2), at.sharp), skin)
    _paint(picture, _cover(np.minimum(shoulders, -_ellipse(at.x, at.y - who.high - .11, who.neck, .12)), at.sharp), how.cloth)
    if who.hair == "scarf":
        _paint(picture, _cover(np.minimum(_ellipse(at.x, at.y - .25, who.wide + .06, who.high * 1.1), at.y), at.sharp), colour * .80)
    else:
        ear = _ellipse(abs(at.x + .10 * how.turn) - who.wide * .97, at.y - who.eye_y - .10, who.ears, who.ears * 1.5)
        _paint(picture, _cover(ear, at.sharp), who.skin_colour * .90)


def _draw_skin(picture, who, at):
    """The head, its blush and marks, the nose."""
    sharp = at.sharp
    at.face = _cover(at.head, sharp)
    _paint(picture, at.face, who.skin_colour)
    side = abs(at.u) - np.float32(who.eye_x + .05)
    blush = np.exp(-((side / .12) ** 2 + ((at.v - .17) / .10) ** 2)) * np.float32(who.blush)
    _paint(picture, at.face * blush, who.skin_colour * [1.02, .74, .72])
    sockets = .45 * np.exp(-((side + .05) / .14) ** 2 - ((at.v - who.eye_y) / .10) ** 2)
    _paint(picture, at.face * sockets, who.skin_colour * .78)
    if who.freckles:
        dots = np.sin(62 * at.u + 9 * at.v) * np.sin(55 * at.v - 13 * at.u) > .55
        _paint(picture, at.face * dots * np.exp(-(at.u / .28) ** 2 - ((at.v - .14) / .09) ** 2) * .6, who.skin_colour * [.72, .58, .5])
    if who.mole is not None:
        _paint(picture, at.face * _cover(_ellipse(at.u - who.mole[0], at.v - who.mole[1], .026, .026), sharp), who.skin_colour * .42)

    # The tip of the nose stands out from the head, so that a turn carries it further than the rest.
    n = at.u - np.float32(.07 * who.nose_depth * np.sin(at.turn))
    v = at.v - np.float32(who.nose_y)
    _paint(picture, .40 * _cover(_ellipse(n, v - .012, who.nose_w * 1.05, .062), sharp), who.skin_colour * [.70, .58, .55])
    _paint(picture, _cover(_ellipse(n, v + .014, who.nose_w * .96, .060), sharp * .6), who.skin_colour * [1.01, .95, .93])
    _paint(picture, .75 * _cover(_ellipse(abs(n) - who.nose_w * .5, v - .030, who.nose_w * .24, .018), sharp), who.skin_colour * .38)
    _paint(picture, .45 * np.exp(-(n / .022) ** 2 - ((v + .03) / .05) ** 2), np.minimum(who.skin_colour * 1.25 + .06, 1))


def _draw_eyes(picture, who, how, at):
    """Eyes, lids and lashes, brows; left and right at once, by the distance from the middle."""
    sharp = at.sharp
    e = abs(at.u) - np.float32(who.eye_x)
    t = np.clip(e / np.float32(who.eye_w), -1, 1)
    bow = 1 - t * t
    v = at.v - np.float32(who.eye_y) + np.float32(who.slant) * e
    open_ = min(max(.95 + how.lids - .25 * max(how.smile, 0), .12), 1.25)
    top, bottom = -who.eye_h * open_ * bow, who.eye_h * (.75 - .2 * max(how.smile, 0)) * min(open_, 1) * bow
    beside = _cover(who.eye_w - abs(e), sharp)
    white = _band(v, top, bottom, sharp) * beside
    _paint(picture, white, (.97, .96, .94))
    g = at.u - np.sign(at.u) * np.float32(who.eye_x) - np.float32(how.gaze)
    ball = np.sqrt(g * g + (v + .008) ** 2)
    _paint(picture, white * _cover(who.iris - ball, sharp), who.eye_colour)
    _paint(picture, white * _cover(who.iris * .52 - ball, sharp), (.04, .03, .04))
    _paint(picture, white * _cover(_ellipse(g + .018, v + .028, .016, .016), sharp), (1, 1, 1))
    _paint(picture, _band(v, top - .022, top + .006, sharp) * beside * _cover(who.eye_w * .98 - abs(e), sharp), who.skin_colour * .22)
    _paint(picture, .35 * _band(v, top * 1.25 - .050, top * 1.25 - .034, sharp) * beside, who.skin_colour * .5)

    t = np.clip((e - .012) / np.float32(who.brow_w), -1, 1)
    line = -who.brow_y - .030 * how.brows - who.arch * (1 - t * t) - (who.brow_tilt + .035 * how.frown) * t
    thick = np.float32(who.brow_h) * (1 - .35 * t * t)
    brow = _band(at.v - np.float32(who.eye_y), line - thick, line + thick, sharp) * _cover(who.brow_w - abs(e - .012), sharp)
    _paint(picture, .92 * brow, .3 * who.skin_colour + .55 * who.hair_colour - .08)


def _draw_mouth(picture, who, how, at):
    """Beard first, then lips over it, and teeth between them when they part."""
    sharp = at.sharp
    smile = .045 * how.smile + who.mouth_set
    wide = who.mouth_w * (1 + .16 * how.smile)
    t = np.clip(at.u / np.float32(wide), -1, 1)
    bow = 1 - t * t
    v = at.v - np.float32(who.mouth_y) + np.float32(1.6 * smile) * (t * t - .5)
    beside = _cover(wide - abs(at.u), sharp)
    gap = .5 * .13 * max(how.mouth_open - .15, 0) * bow
    _draw_beard(picture, who, at, v)

    top = -gap - who.upper * bow * (1 - .35 * np.exp(-(t / .22) ** 2)) - .004
    bottom = gap + who.lower * bow + .004
    _paint(picture, .30 * _band(v, bottom, bottom + .035 * bow, sharp) * beside, who.skin_colour * .55)
    _paint(picture, _band(v, top, bottom, sharp) * beside, who.lip_colour)
    shine = .35 * np.exp(-(t / .5) ** 2) * _band(v, gap + .3 * who.lower, gap + .6 * who.lower, sharp)
    _paint(picture, shine, np.minimum(who.lip_colour * 1.3 + .08, 1))
    _paint(picture, _band(v, -gap - .009, gap + .009, sharp) * beside, who.lip_colour * [.42, .25, .27])
    if how.mouth_open > .3:
        _paint(picture, _band(v, -gap, -gap * .05, sharp) * _cover(.85 * wide - abs(at.u), sharp), (.96, .95, .92))
    fold = _ellipse(abs(at.u) - wide - .05, at.v - who.mouth_y + .06, .016, .09)
    _paint(picture, .35 * max(how.smile, 0) * _cover(fold, sharp * .6), who.skin_colour * .65)


def _draw_beard(picture, who, at, v):
    if who.beard == "none":
        return
    colour, sharp = who.hair_colour * .85, at.sharp
    full = at.face * _cover(v + .13 - .9 * abs(at.u) ** 2 / who.wide + .10 * np.cos(9 * at.u) * (abs(at.u) < .3), sharp * .5)
    if who.beard == "stubble":
        _paint(picture, .30 * full, colour)
    elif who.beard == "full":
        _paint(picture, .93 * full, _textured(colour, 1 + .12 * np.sin(who.strand * 3 * at.u)))
    if who.beard in ("moustache", "full"):
        _paint(picture, _cover(_ellipse(at.u, v + who.upper + .030 - 1.2 * at.u ** 2, who.mouth_w * 1.15, .045), sharp * .8), colour * .9)
    if who.beard == "goatee":
        ring = np.minimum(_ellipse(at.u, v - .05, who.mouth_w * 1.02, .20), at.head)
        _paint(picture, .9 * _cover(ring, sharp * .7), colour)


def _hair_colour(who):
    return who.cloth_colour if who.hair in ("scarf", "turban") else who.hair_colour


def _outline(who, at):
    """The hair's outer edge, positive inside: over the skull half an ellipse, below it a rounded box as long as the hair falls.

    Returns it with q, which is 1 at the edge of the ellipse, and the angle from straight up; all (n, n).
    """
    over, beside, ends, _, _, curl, _ = KINDS[who.hair]
    a, b = np.float32(who.wide + beside * who.lift), np.float32(who.high + over * who.lift)
    angle = np.arctan2(at.x, -at.y)
    q = np.sqrt((at.x / a) ** 2 + (at.y / b) ** 2)
    edge = 1 + np.float32(curl) * np.sin(np.float32(round(who.strand * .7)) * angle) if curl else np.float32(1)
    skull = a * (edge - q)
    if ends:
        box = np.sqrt(np.sqrt(((at.x / a) ** 2) ** 2 + ((at.y / np.float32(ends * who.high)) ** 2) ** 2))
        skull = np.where(at.y > 0, a * (edge - box), skull)
    return skull, q, angle


def _draw_hair(picture, who, at):
    """What lies over the forehead: inside a wider skull, and above the hairline."""
    _, _, ends, line, sudden, curl, _ = KINDS[who.hair]
    if who.hair == "bald":
        return
    sharp, W, H = at.sharp, who.wide, who.high
    skull, q, angle = _outline(who, at)
    side = np.minimum(abs(.4 * at.x + .6 * at.u) / np.float32(W), 1)                # hair turns with the face, or it would hide an eye
    burns = (.7 * ends + .45 if ends else .12) - line                               # from the hairline down to where the sides end
    low = line * H / .6 + who.hairline + side ** np.float32(sudden) * burns + who.part * at.u * .45
    low = np.minimum(low, .02) if who.hair == "turban" else low - np.float32(.25) * (at.v - at.y)
    cover = _cover(np.minimum(skull, low - at.y), sharp)
    _paint(picture, .30 * at.face * _cover(low + .05 - at.y, sharp * .4), who.skin_colour * .6)     # the shadow that hair throws
    colour, s = _hair_colour(who), np.float32(who.strand)
    if curl > .01:
        locks = .16 * np.sin(1.7 * s * at.x + 2 * np.sin(s * at.y)) * np.sin(1.7 * s * at.y + np.sin(s * at.x))
    else:
        locks = .11 * np.sin(s * (at.x - np.float32(who.part)) * 1.3 if ends else s * angle + 3 * q)
    shine = 1 + locks + .30 * np.exp(-((q - .80) / .10) ** 2) * (at.y < 0)
    if who.hair == "shaven":
        cover, shine = .55 * cover, np.ones_like(cover)
    _paint(picture, cover, np.minimum(_textured(colour, shine), 1))


def _draw_glasses(picture, who, how, at):
    wide, high, square, colour = how.glasses
    e, v = abs(at.u) - np.float32(who.eye_x + .015), at.v - np.float32(who.eye_y + .015)
    ring = (abs(e / np.float32(wide)) ** np.float32(square) + abs(v / np.float32(high)) ** np.float32(square)) ** np.float32(1 / square)
    ring = np.float32(high) * (1 - ring)
    _paint(picture, .12 * _cover(ring, at.sharp), (.85, .93, 1))
    frame = np.maximum(.014 - abs(ring), np.minimum(.012 - abs(v + .03), np.minimum(who.eye_x - wide + .02 - abs(at.u), .2)))
    arm = np.minimum(.010 - abs(v + .03), np.minimum(e - wide, who.wide - abs(at.u)))
    _paint(picture, _cover(np.maximum(frame, arm), at.sharp), colour)
