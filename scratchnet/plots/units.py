"""What a unit is looking for is said by nobody, but nine pictures of what it likes best say it at a glance.

A unit has a block of nine: its strongest patches in reading order, the strongest in the upper left.  Patches of one sheet are drawn at
one scale, so that a patch which the border of its picture cut is smaller; it lies in the middle of its place.
"""

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.plots import page

NINE = page.ACROSS ** 2
SMALL = dict(size=8.5, color=page.GREY)

RULES = {                                       # of attribution.back_to_pixels, and how a sheet calls them
    "deconv":   ("deconvnet", "ReLUs pass da > 0"),
    "guided":   ("guided", "pass da > 0 where z > 0"),
    "gradient": ("plain gradient", "pass da where z > 0"),
}


# ---------------------------------------------------------------------------------------------------------------- one layer

@page.styled
def patch_sheet(path, rows, title="What each unit answers to most", columns=None, side=56):
    """Units of one layer, each as its nine strongest patches under its number.   Lecture: what are deep ConvNets learning.

    rows     [(unit, [(patch, value), ...]), ...], patches (n_H, n_W, 3) in [0, 1], strongest first, nine at most are drawn
    columns  None: as many as make the sheet about 3 : 2
    side     pixels of the longest side of any patch as drawn; fewer, down to 12, where the sheet would pass 2000
    A unit without patches is one that nothing drove above 0, and is called silent.
    Raises ShapeError, ImageError, NumericsError.
    """
    rows = _expect_rows(rows, "rows")
    largest = _largest(rows)
    subtitle = (f"{len(rows)} {'units' if len(rows) > 1 else 'unit'}; strongest patch first, and its activation;   "
                f"patches of at most {largest} × {largest} pixels, all at one scale")
    across, size = _grid(len(rows), side, columns)
    while max(size) > page.LARGEST and side > 12:
        side = max(12, int(.95 * side))
        across, size = _grid(len(rows), side, columns)

    fig = page.figure(max(size[0], page.heading_width(title, subtitle)), size[1])
    page.heading(fig, title, subtitle)
    ax, (wide, high) = page.canvas(fig), _cell(side)
    for k, (unit, patches) in enumerate(rows):
        row, column = divmod(k, across)
        left, top = 24 + column * wide, 102 + row * high
        page.write(fig, left, top - 7, str(unit), va="baseline", weight="bold")
        page.write(fig, left + page.nine_side(side), top - 7, _strongest(patches), va="baseline", ha="right", **SMALL)
        page.nine(ax, patches, left, top, side, side / largest)
    return page.save(fig, path)


def _cell(side):
    """What a block takes, with its words and the room around: a number and an activation fit above it."""
    return max(page.nine_side(side), 96) + 22, page.nine_side(side) + 42


def _grid(n, side, columns):
    """(columns, (width, height) of a sheet of n blocks)"""
    wide, high = _cell(side)
    columns = page.columns(n, wide, high, columns)
    return columns, (24 + columns * wide + 2, 102 + -(-n // columns) * high - 18)


# ---------------------------------------------------------------------------------------------------------------- layer by layer

@page.styled
def layer_page(path, layers, title="What units see, layer by layer", columns=None, side=36):
    """The lecture's page: layers from shallow to deep, nine units each, of every unit nine patches.

    layers   [(name, field, rows), ...]: the layer, how many pixels square its units see, and rows as for patch_sheet
    columns  layers beside each other; None: all of them
    side     pixels of the longest side of any patch as drawn; fewer, down to 12, where the sheet would pass 2000
    Every layer has a scale of its own: 3 pixels in the first are drawn as large as a hundred in the last.
    Raises ShapeError, ImageError, NumericsError.   Lecture: what are deep ConvNets learning.  Zeiler & Fergus 2013, fig. 2.
    """
    layers = [_expect_layer(layer, k) for k, layer in enumerate(layers)]
    if not layers:
        raise ShapeError("there are no layers to draw; give one or more")
    columns = page.columns(len(layers), 1, 1, len(layers) if columns is None else columns)
    most = min(NINE, max(len(rows) for _, _, rows in layers))
    units = f"{most} unit{'s' * (most > 1)} a layer"
    subtitle = f"{units}, each as the nine patches that drive it most, the strongest first; the number is the unit's"
    while side > 12 and 48 + columns * (_panel(side) + 24) > page.LARGEST:
        side -= 1

    wide = max(_panel(side), *(_name_width(name, field) for name, field, _ in layers)) + 24
    high = -(-most // page.ACROSS) * (page.nine_side(side) + 25) + 40
    fig = page.figure(max(48 + columns * wide - 24, page.heading_width(title, subtitle)), 78 + -(-len(layers) // columns) * high - 6)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for k, (name, field, rows) in enumerate(layers):
        row, column = divmod(k, columns)
        left, top = 24 + column * wide, 78 + row * high
        page.write(fig, left, top + 14, name, va="baseline", weight="bold")
        page.write(fig, left + page.text_width(name, "bold") + 8, top + 14, _sees(field), va="baseline", color=page.GREY)
        scale = side / _largest(rows)
        for n, (unit, patches) in enumerate(rows[:NINE]):
            i, j = divmod(n, page.ACROSS)
            x, y = left + j * (page.nine_side(side) + 8), top + 40 + i * (page.nine_side(side) + 8 + 17)
            page.write(fig, x, y - 4, str(unit), va="baseline", **SMALL)
            page.nine(ax, patches, x, y, side, scale)
    return page.save(fig, path)


def _panel(side):
    """Pixels of a layer: three blocks beside each other."""
    return page.ACROSS * (page.nine_side(side) + 8) - 8


def _sees(field):
    return f"sees {field} × {field} pixels"


def _name_width(name, field):
    return int(page.text_width(name, "bold") + 8 + page.text_width(_sees(field))) + 1


# ---------------------------------------------------------------------------------------------------------------- one unit

@page.styled
def unit_sheet(path, layer, unit, pictures, boxes, values, backs=None, maximised=None, partners=(), W=None, title=None):
    """All views of one unit: where its nine patches are, three ways back to the pixels, what drives it up, with whom it goes together.

    pictures   whole pictures, strongest first, (n_H, n_W, 3) in [0, 1]; nine at most are drawn
    boxes      (top, left, bottom, right) of the patch in each
    values     the unit's activation in each
    backs      {"deconv": [dx, ...], "guided": ..., "gradient": ...}, each dx of its picture's shape; drawn inside the box
    maximised  a picture made by gradient ascent
    partners   [(k', G_kk', [(patch, value), ...]), ...]: channels that are active where this one is, strongest first
    W          the unit's filter (f, f, 3), in the order of the picture's colours, for a unit of the first layer
    Raises ShapeError, ImageError, NumericsError.
    """
    found = _expect_found(pictures, boxes, values)
    cells = _views(found, backs or {}, maximised, partners, W)
    title = f"{layer}, unit {unit}" if title is None else title
    subtitle = (f"its {len(found)} strongest patches, from a different picture each: activations from {page.short(found[0][2])} down to "
                f"{page.short(found[-1][2])};   on the left where they are")
    whole, side, in_row = 3 * 132 + 2 * 6, 60, 4
    wide, high = page.nine_side(side) + 20, page.nine_side(side) + 56
    rows = -(-len(cells) // in_row)
    fig = page.figure(max(24 + whole + 28 + in_row * wide + 4, page.heading_width(title, subtitle)), 84 + max(whole + 44, rows * high) + 12)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for k, (picture, box, _) in enumerate(found):
        i, j = divmod(k, page.ACROSS)
        _boxed(ax, picture, box, 24 + j * 138, 122 + i * 138, 132)
    page.write(fig, 24, 98, "where", va="baseline", weight="bold")
    page.write(fig, 24, 114, "the whole pictures, the box is what the unit sees", va="baseline", **SMALL)
    for k, (name, words, block, across) in enumerate(cells):
        row, column = divmod(k, in_row)
        left, top = 24 + whole + 28 + column * wide, 122 + row * high
        page.write(fig, left, top - 24, name, va="baseline", weight="bold")
        page.write(fig, left, top - 8, words, va="baseline", **SMALL)
        if across == 1:
            page.put(ax, block[0][0], left, top, *page.fitted(block[0][0], page.nine_side(side)))
        else:
            page.nine(ax, block, left, top, side, side / _largest([(unit, block)]))
    return page.save(fig, path)


def _views(found, backs, maximised, partners, W):
    """The cells of a unit's sheet: (name, words, [(picture, value), ...], pictures beside each other), which are three or one."""
    cells = [("the patches", "strongest first", [(_cut(picture, box), value) for picture, box, value in found], page.ACROSS)]
    for rule, maps in backs.items():
        if rule not in RULES or len(maps) < len(found):
            raise ShapeError(f"backs has {len(maps)} maps under {rule!r}; expected {len(found)} under one of {', '.join(RULES)}")
        cut = [page.signed(_cut(_expect_back(dx, picture, rule), box)) for dx, (picture, box, _) in zip(maps, found)]
        cells.append((*RULES[rule], [(dx, 0) for dx in cut], page.ACROSS))
    if maximised is not None:
        cells.append(("driven up", "by gradient ascent on pixels", [(page.expect_picture(maximised, "maximised"), 0)], 1))
    if W is not None:
        W = page.expect_numbers(W, "W", ndim=3)
        drawn = page.expect_picture(page.signed(W), "W")
        cells.append(("its filter", f"grey is 0, largest |w| {page.short(abs(W).max())}", [(drawn, 0)], 1))
    for k, G_kk, patches in partners:
        (_, patches), = _expect_rows([(k, patches)], "partners")
        cells.append((f"together with {k}", f"G_kk' = {page.short(G_kk)}", patches, page.ACROSS))
    return cells


def _boxed(ax, picture, box, left, top, side):
    """A whole picture in the middle of a square, and the box on it, light on dark so that it shows on both."""
    (w, h), (n_H, n_W) = page.fitted(picture, side), picture.shape[:2]
    left, top = left + (side - w) // 2, top + (side - h) // 2
    page.put(ax, picture, left, top, w, h)
    above, first, below, last = np.array(box) * np.array([h / n_H, w / n_W] * 2)
    for width, colour in (3, page.INK), (1.2, "white"):
        page.frame(ax, left + first, top + above, last - first, below - above, linewidth=width, edgecolor=colour)


def _cut(picture, box):
    top, left, bottom, right = box
    return picture[top:bottom, left:right]


# ---------------------------------------------------------------------------------------------------------------- words and sizes

def _strongest(patches):
    return page.short(patches[0][1]) if patches else "silent"


def _largest(rows):
    """The longest side of any patch; 1 if there is none."""
    return max((max(patch.shape[:2]) for _, patches in rows for patch, _ in patches), default=1)


# ---------------------------------------------------------------------------------------------------------------- what may come in

def _expect_rows(rows, name):
    """[(unit, [(patch, value), ...]), ...], every patch as a picture, nine a unit at most."""
    rows = [(unit, [(page.expect_picture(patch, f"patch {n} of unit {unit}"), float(page.expect_numbers(value, "a patch's value", ndim=0)))
                    for n, (patch, value) in enumerate(list(patches)[:NINE])]) for unit, patches in rows]
    if not rows:
        raise ShapeError(f"there are no {name} to draw; give one unit or more, (unit, [(patch, value), ...])")
    return rows


def _expect_layer(layer, k):
    if len(layer) != 3:
        raise ShapeError(f"layer {k} has {len(layer)} parts; expected (name, field, rows)")
    name, field, rows = layer
    return str(name), int(field), _expect_rows(rows, f"units of {name}")


def _expect_found(pictures, boxes, values):
    """[(picture, box, value), ...], nine at most; every box inside its picture."""
    if not len(pictures) == len(boxes) == len(values) or not len(pictures):
        raise ShapeError(f"{len(pictures)} pictures, {len(boxes)} boxes, {len(values)} values; expected as many of each, one or more")
    found = []
    for k, (picture, box, value) in enumerate(zip(pictures[:NINE], boxes, values)):
        picture = page.expect_picture(picture, f"picture {k}")
        found.append((picture, page.expect_box(box, picture, f"box {k}"), float(page.expect_numbers(value, f"value {k}", ndim=0))))
    return found


def _expect_back(dx, picture, rule):
    dx = np.asarray(dx)
    dx = dx[0] if dx.ndim == 4 else dx
    if dx.shape != picture.shape:
        raise ShapeError(f"a map of {rule!r} has shape {dx.shape}, its picture {picture.shape}; expected the same")
    return page.expect_numbers(dx, f"a map of {rule!r}", ndim=3)
