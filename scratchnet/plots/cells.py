"""One number of a style matrix, taken apart: two channels, where each is active, where both are, and what is to be seen there.

The lecture's example is a channel for vertical stripes and a channel for orange: G_kk' is large where what is striped is also orange.
"""

from matplotlib.colors import PowerNorm

from scratchnet.errors import ShapeError
from scratchnet.plots import page

BOXES = "boxes: where both are active"
SMALL = dict(size=8.5, color=page.GREY)


@page.styled
def gram_cell(path, layer, channels, picture, maps, patches, G_kk, facts, title=None, side=288):
    """A picture, the maps a_k and a_k' of two channels, their product, and under each map the nine places where it is largest.

    channels  (k, k')                 G_kk   G_kk', the sum of the product over all places
    maps      (a_k, a_k', a_k a_k'), each (n_H, n_W), none negative, drawn each on a scale of its own, by the square root
    patches   for each map [((top, left, bottom, right), value), ...], the boxes of the picture that were seen there, strongest first
    facts     sentences about the number, drawn under the picture
    side      pixels of the longer side of the picture
    Raises ShapeError, ImageError, NumericsError.   Lecture: style cost function, style matrix.
    """
    picture, (k, k2) = page.expect_picture(picture, "the picture"), channels
    maps = [page.expect_numbers(map, name, ndim=2) for map, name in zip(maps, ("a_k", "a_k'", "a_k a_k'"))]
    if len(maps) != 3 or len(patches) != 3 or len({map.shape for map in maps}) > 1:
        raise ShapeError(f"{len(maps)} maps of {[map.shape for map in maps]}, {len(patches)} lists of patches; expected three of each, "
                         "for k, k' and both, of one layer")
    if any(map.min() < 0 for map in maps):
        raise ShapeError("a map holds numbers below 0, of which there are none after a ReLU; give a layer after one")
    found = [[(page.expect_box(box, picture, "a box"), float(value)) for box, value in own[:page.ACROSS ** 2]] for own in patches]
    cut = [[(picture[top:bottom, left:right], value) for (top, left, bottom, right), value in own] for own in found]

    title = f"{layer}: where channels {k} and {k2} go together" if title is None else title
    G_kk = page.short(float(page.expect_numbers(G_kk, "G_kk", ndim=0)))
    subtitle = f"G_kk' = Σ_ij a_ijk a_ijk' = {G_kk},  k = {k},  k' = {k2};   colours of the maps by the square root"
    names = [f"channel {k}", f"channel {k2}", f"{k} × {k2}, their product"]
    tops = [f"up to {page.short(map.max())}, at {map.shape[0]} × {map.shape[1]} places" for map in maps]
    w, h = page.fitted(picture, side)
    block = (max(w, 168) - 2 * page.GAP) // 3
    seen = [_seen(own, n == 2) for n, own in enumerate(cut)]
    words = [page.text_width(name, "bold") for name in names] + [page.text_width(line, size=8.5) for line in [BOXES, *tops, *seen]]
    wide = 20 + max(w, page.nine_side(block), 1 + int(max(words)))
    text = "\n\n".join(page.wrap(fact, wide - 24) for fact in facts)
    below = 122 + h + 46
    high = max(page.nine_side(block), 17 * (text.count("\n") + 1))
    fig = page.figure(max(24 + 4 * wide + 4, page.heading_width(title, subtitle)), below + high + 24)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    _words(fig, 24, 98, "the picture", BOXES)
    page.put(ax, picture, 24, 122, w, h)
    for box, _ in found[2]:
        _outline(ax, box, 24, 122, w / picture.shape[1])
    page.write(fig, 24, below, text, va="top", linespacing=1.35)
    largest = max((max(patch.shape[:2]) for own in cut for patch, _ in own), default=1)
    for n, (name, top, map, line, own) in enumerate(zip(names, tops, maps, seen, cut), 1):
        left = 24 + n * wide
        _words(fig, left, 98, name, top)
        page.put(ax, map, left, 122, w, h, cmap="magma", norm=PowerNorm(.5, 0, map.max() or 1), interpolation="nearest")
        _words(fig, left, below - 24, "", line)
        page.nine(ax, own, left, below, block, block / largest)
    return page.save(fig, path)


def _words(fig, left, top, name, more):
    page.write(fig, left, top, name, va="baseline", weight="bold")
    page.write(fig, left, top + 16, more, va="baseline", **SMALL)


def _seen(own, both):
    if not own:
        return "active nowhere"
    size = max(max(patch.shape[:2]) for patch, _ in own)
    return f"{'both are strongest' if both else 'strongest'} here;  {size} × {size} pixels"


def _outline(ax, box, left, top, scale):
    """A box on the picture, light on dark so that it shows on both."""
    above, first, below, last = (scale * edge for edge in box)
    for width, colour in (2.6, page.INK), (1.1, "white"):
        page.frame(ax, left + first, top + above, last - first, below - above, linewidth=width, edgecolor=colour)
