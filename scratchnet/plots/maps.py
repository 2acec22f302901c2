"""Maps laid over their picture, for a heat map alone does not say what is hot.

Where a map is 0 the picture shows, in pale grey; orange is above 0 and blue below, the more of it the stronger.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from scratchnet.errors import ShapeError
from scratchnet.plots import page

SIDE = 240                                      # pixels of the longer side of a picture


# ---------------------------------------------------------------------------------------------------------------- what a unit sees

@page.styled
def receptive_fields(path, picture, boxes, title="What a unit sees grows from layer to layer", side=420):
    """Boxes of units of several layers on one picture, each with its layer's name and its size.

    boxes  {name: (top, left, bottom, right)}, half-open, as receptive_field.box gives them, from shallow to deep
    A unit at the picture's border sees less: the sizes written are those of the boxes.   Raises ShapeError, ImageError, NumericsError.
    """
    picture = page.expect_picture(picture, "the picture")
    boxes = {str(name): page.expect_box(box, picture, f"the box of {name}") for name, box in boxes.items()}
    if not boxes:
        raise ShapeError("there are no boxes to draw; give one or more, {layer: (top, left, bottom, right)}")
    w, h = page.fitted(picture, side)
    tints = colormaps["plasma"](np.linspace(.05, .8, max(2, len(boxes))))
    ends, by_size = [], sorted(boxes.items(), key=lambda item: item[1][2] - item[1][0])
    for (name, (top, left, bottom, right)), tint in zip(by_size, tints):
        ends.append((f"{name}   {bottom - top} × {right - left}", [right - .5], [top - .5], dict(color=tint)))
    names = 44 + int(max(page.text_width(name) for name, *_ in ends))
    subtitle = "height × width in pixels of the picture"
    fig = page.figure(max(24 + w + names, page.heading_width(title, subtitle)), 84 + max(h, 17 * len(boxes)) + 24)
    page.heading(fig, title, subtitle)
    ax = page.picture_axes(fig, 24, 84, w, h)
    ax.imshow(picture, aspect="auto")
    for (_, box), tint in zip(by_size[::-1], tints[:len(by_size)][::-1]):
        _outline(ax, box, tint)
    page.name_ends(fig, ax, ends)
    return page.save(fig, path)


@page.styled
def measured_field(path, picture, box, strength, name="the unit", title="What a unit may see, and where it really looks"):
    """The box of a unit, beside how strongly each pixel moves it: most of the box hardly counts.

    box       (top, left, bottom, right), from receptive_field.box
    strength  (n_H, n_W), none negative: the length of the gradient at each pixel, from receptive_field.measured
    Raises ShapeError, ImageError, NumericsError.   Luo et al. 2016, "Understanding the effective receptive field".
    """
    picture = page.expect_picture(picture, "the picture")
    top, left, bottom, right = box = page.expect_box(box, picture, f"the box of {name}")
    strength = _expect_map(strength, picture, "strength")
    share, pixels = half_of(strength), (bottom - top) * (right - left)
    subtitle = (f"{name} may see {bottom - top} × {right - left} = {pixels} pixels;   "
                + ("here no pixel moves it" if not share else
                   f"half of its gradient is in {share} of them, {page.percent(share / pixels)}"))
    w, h = page.fitted(picture, 320)
    inside = strength[top:bottom, left:right]
    w_2, h_2 = page.fitted(inside, 320)
    fig = page.figure(max(24 + w + 28 + w_2 + 84, page.heading_width(title, subtitle)), 118 + max(h, h_2) + 24)
    page.heading(fig, title, subtitle)
    page.write(fig, 24, 106, "the box", va="baseline", weight="bold")
    ax = page.picture_axes(fig, 24, 118, w, h)
    ax.imshow(picture, aspect="auto")
    _outline(ax, box, page.VERMILION)
    left = 24 + w + 28
    page.write(fig, left, 106, "inside it: |∂a / ∂x|", va="baseline", weight="bold")
    page.picture_axes(fig, left, 118, w_2, h_2).imshow(inside, aspect="auto", cmap="magma", vmin=0, interpolation="nearest")
    _bar(fig, left + w_2 + 10, 118, h_2, Normalize(0, inside.max() or 1), "magma")
    return page.save(fig, path)


def half_of(strength):
    """The fewest pixels that hold half of the sum; 0 where all is 0."""
    falling = np.sort(strength.ravel())[::-1]
    return int(np.searchsorted(np.cumsum(falling), falling.sum() / 2) + 1) if falling[0] > 0 else 0


def _outline(ax, box, colour):
    """A box around whole pixels: the middle of the first one is at 0."""
    top, left, bottom, right = box
    for width, tint in (3.4, "white"), (1.8, colour):
        page.frame(ax, left - .5, top - .5, right - left, bottom - top, linewidth=width, edgecolor=tint)


# ---------------------------------------------------------------------------------------------------------------- heat

@page.styled
def saliency_sheet(path, picture, maps, title="Which pixels speak for it?", columns=None):
    """A picture, and maps laid over it, each on a scale of its own with a bar.

    maps  {name: (n_H, n_W)}, of the picture's size: saliency, Grad-CAM, occlusion, ...; orange is above 0, blue below
    Raises ShapeError, ImageError, NumericsError.
    """
    picture = page.expect_picture(picture, "the picture")
    maps = _expect_maps(maps, picture, "maps")
    subtitle = "orange speaks for it, blue against it; where a map is 0 the picture is left, in grey"
    fig = _rows([(picture, maps)], [_tops(maps)], title, subtitle, ["the picture"], columns)
    return page.save(fig, path)


@page.styled
def pair_maps(path, img1, img2, maps_1, maps_2, d, tau=None, title=None):
    """Why did it say "same"?  Two pictures, one under the other, and on each what brings it near the other.

    maps_1, maps_2  {name: (n_H, n_W)} on img1 and on img2, the same names; a name has one scale on both
    d, tau          their distance, and the threshold or None
    Raises ShapeError, ImageError, NumericsError.
    """
    pictures = [page.expect_picture(picture, name) for picture, name in ((img1, "img1"), (img2, "img2"))]
    if list(maps_1) != list(maps_2):
        raise ShapeError(f"maps_1 has {', '.join(map(str, maps_1))}, maps_2 has {', '.join(map(str, maps_2))}; expected the same names")
    both = [_expect_maps(maps, picture, name) for maps, picture, name in zip((maps_1, maps_2), pictures, ("maps_1", "maps_2"))]
    d, tau = float(page.expect_numbers(d, "d", ndim=0)), page.expect_tau(tau)
    if title is None:
        title = "What brings these two near each other" if tau is None else \
            f"Why did it say {'same' if d <= tau else 'two people'}?"
    threshold = "" if tau is None else f",  τ = {page.short(tau)}"
    subtitle = f"d = {page.short(d)}{threshold};   orange brings them nearer, blue drives them apart"
    tops = {name: max(abs(maps[name]).max() for maps in both) or 1 for name in both[0]}
    fig = _rows(list(zip(pictures, both)), [tops, tops], title, subtitle, ["picture 1", "picture 2"])
    return page.save(fig, path)


def _rows(rows, tops, title, subtitle, names, columns=None):
    """Rows of a picture and its maps -> figure.   tops  for each row, {name: the end of its scale}"""
    sizes = [page.fitted(picture, SIDE) for picture, _ in rows]
    wide, high = max(max(w for w, _ in sizes), 150) + 84, max(h for _, h in sizes) + 40
    n = 1 + len(rows[0][1])
    columns = n if len(rows) > 1 else page.columns(n, wide, high, columns)
    lines = -(-n // columns)
    fig = page.figure(max(24 + columns * wide - 8, page.heading_width(title, subtitle)), 78 + len(rows) * lines * high + 12)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for r, ((picture, maps), (w, h), top_of, name) in enumerate(zip(rows, sizes, tops, names)):
        for k, (words, map) in enumerate({name: None, **maps}.items()):
            row, column = divmod(k, columns)
            left, top = 24 + column * wide, 78 + (r * lines + row) * high + 28
            page.write(fig, left, top - 8, page.shorten(words, wide - 20, "bold"), va="baseline", weight="bold")
            if map is None:
                page.put(ax, picture, left, top, w, h)
                continue
            page.put(ax, _laid_over(picture, map, top_of[words]), left, top, w, h)
            highest = top_of[words]
            _bar(fig, left + w + 10, top, h, Normalize(-highest, highest), page.SIGNED, lowest=-highest if (map < 0).any() else 0)
    return fig


def _laid_over(picture, map, top):
    """The map's colours over the picture in pale grey, as opaque as the map is strong.   -> (n_H, n_W, 3)"""
    grey = .3 + .7 * (picture @ [.299, .587, .114])[:, :, None]
    opaque = .9 * np.sqrt(abs(map) / top)[:, :, None]
    return (1 - opaque) * grey + opaque * page.SIGNED(.5 + .5 * map / top)[:, :, :3]


def _bar(fig, left, top, height, norm, colours, lowest=0):
    """The scale of a map, from its lowest colour that occurs."""
    ax = page.axes(fig, left, top, 10, height)
    ax.grid(False)
    fig.colorbar(ScalarMappable(norm, colours), cax=ax, format=page.short).outline.set_visible(False)
    ax.set_ylim(lowest, norm.vmax)
    ax.tick_params(length=0, labelsize=8.5)
    ax.locator_params(nbins=4)


def _tops(maps):
    return {name: abs(map).max() or 1 for name, map in maps.items()}


# ---------------------------------------------------------------------------------------------------------------- what may come in

def _expect_map(map, picture, name):
    map = page.expect_numbers(map, name, ndim=2)
    if map.shape != picture.shape[:2]:
        raise ShapeError(f"{name} has shape {map.shape}, its picture {picture.shape[:2]}; expected the same, see attribution.enlarged")
    return map


def _expect_maps(maps, picture, name):
    if not maps:
        raise ShapeError(f"{name} is empty, so there is nothing to lay over the picture; give one map or more")
    return {str(words): _expect_map(map, picture, f"{words!r} of {name}") for words, map in maps.items()}
