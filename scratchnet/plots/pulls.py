"""Every term of J pulls at every pixel; drawn apart, one sees which wants brighter reds there, and which only its edges back.

A gradient is a list of small numbers of both signs. Drawn as it is, on grey, it says where and to what colour a term pulls; added to the
picture, far more of it than any step would take, it says what the term is after.
"""

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.plots import page

SIDE, GAP, LEFT = 224, 14, 24
ALMOST_ALL = .99                                # of the numbers lie within a panel's colours: a few large ones would make the rest grey
MOVED = .3                                      # how far the lower row moves a pixel by the number at which the colours end
WIDEST = "share −12.3 %,  length 0.000123"      # what is said of a term
SMALL = dict(size=8.5, color=page.GREY)


@page.styled
def pull_sheet(path, stages, names=None, title="What each term wants to change in this picture now", together=False):
    """A picture on its way, and what dJ/dG and each term of it would do to it now: the pull itself above, the picture after it below.

    stages    [(i, G, {term: dG, ...}), ...]: the step, the picture, and the gradient of every weighted term at its pixels; their sum is
              dJ/dG, which is drawn first. One stage or more, below each other, all with the same terms
    names     {term: what it is called here}; None: the terms themselves
    together  all panels of a stage on dJ/dG's scale: the weak ones stay grey. Else each on its own, whose end is said: "to 2e-4"
    A panel is grey - dG, so what is light and red is what would become lighter and redder. Of each term its length ||dG||, and its share
    <dG, dJ/dG> / ||dJ/dG||^2: the shares add up to 1, and below 0 a term holds against where all of them together are going.
    Raises ShapeError, ImageError, NumericsError.
    """
    stages = [_expect_stage(*stage) for stage in stages]
    if not stages or len({(G.shape, *pulls) for _, G, pulls in stages}) != 1:
        raise ShapeError(f"{len(stages)} stages with {[list(pulls) for *_, pulls in stages]}; expected one or more, with the same terms, "
                         "of one picture's size")
    columns = ["dJ/dG", *stages[0][2]]
    called = {"dJ/dG": "−dJ/dG, all together", **{term: term for term in columns[1:]}, **(names or {})}
    subtitle = ("above, what −gradient asks of each pixel, grey is nothing;   below, the picture moved there, far further "
                "than a step goes;   " + ("all on one scale" if together else "each on its own scale"))
    w, h = page.fitted(stages[0][1], SIDE)
    words = 1 + int(max(max(page.text_width(name, "bold") for name in called.values()), page.text_width(WIDEST, size=8.5)))
    while (LEFT + (len(columns) + 1) * (max(w, words) + GAP) > page.LARGEST or 66 + len(stages) * _high(h) > page.LARGEST) and w > 60:
        w, h = int(.97 * w), int(.97 * h)
    wide = max(w, words) + GAP
    fig = page.figure(max(LEFT + (len(columns) + 1) * wide, page.heading_width(title, subtitle)), 66 + len(stages) * _high(h))
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for row, (i, G, pulls) in enumerate(stages):
        top = 66 + row * _high(h)
        _column(fig, ax, LEFT, top, "G" if i is None else f"G, step {i}", (), [G], (w, h))
        total = sum(pulls.values())
        for column, (term, dG) in enumerate({"dJ/dG": total, **pulls}.items(), 1):
            end = _end(total if together else dG)
            scaled = -dG / (end or 1)
            drawn = [np.clip(.5 + .5 * scaled, 0, 1), np.clip(G + MOVED * np.clip(scaled, -1, 1), 0, 1)]
            _column(fig, ax, LEFT + column * wide, top, called[term], _said(dG, total, end), drawn, (w, h))
    return page.save(fig, path)


def _column(fig, ax, left, top, name, words, pictures, size):
    """A name, two lines of what is said of it, and one or two pictures below each other."""
    page.write(fig, left, top + 22, name, va="baseline", weight="bold")
    for n, line in enumerate(words):
        page.write(fig, left, top + 38 + 15 * n, line, va="baseline", **SMALL)
    for n, picture in enumerate(pictures):
        page.put(ax, picture, left, top + 61 + n * (size[1] + 6), *size)


def _high(h):
    return 61 + 2 * h + 6 + 18


def _said(dG, total, end):
    """The share of a term, its length, and where its colours end."""
    if not end:
        return "pulls nowhere", ""
    share = f"{100 * np.sum(dG * total) / (np.sum(total ** 2) or 1):.1f} %".replace("-0.0", "0.0").replace("-", "−")
    length = f"length {page.short(np.sqrt(np.sum(dG ** 2)))}"
    return length if dG is total else f"share {share},  {length}", f"colours end at ±{page.short(end)}"


def _end(dG):
    """The number at which a panel's colours end."""
    return float(np.quantile(abs(dG), ALMOST_ALL)) or float(abs(dG).max())


def _expect_stage(i, G, pulls):
    """(i, G, {term: dG}), all (n_H, n_W, 3). Raises ShapeError, ImageError, NumericsError."""
    G = page.expect_picture(G, "G")
    if not pulls:
        raise ShapeError("there are no terms to draw; give {term: dG}, one or more")
    found = {}
    for term, dG in pulls.items():
        dG = np.asarray(dG)
        dG = dG[0] if dG.ndim == 4 and len(dG) == 1 else dG
        if dG.shape != G.shape:
            raise ShapeError(f"the gradient of {term!r} has shape {dG.shape}, its picture {G.shape}; expected the same")
        found[term] = page.expect_numbers(dG, f"the gradient of {term!r}", ndim=3)
    return i, G, found
