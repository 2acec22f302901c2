"""Faces beside their distance, for whoever sees which pictures a distance was wrong about knows what to do next."""

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.plots import page

SMALLEST = 80                                   # pixels: two smaller pictures would be narrower than the words under them


# ---------------------------------------------------------------------------------------------------------------- pairs

@page.styled
def pair_sheet(path, pairs, tau=None, columns=None, side=128):
    """Two pictures side by side, d under them, and what follows: one person where d <= tau, else two.

    pairs    [(picture_1, picture_2, d, title), ...], pictures (n_H, n_W, 3) or grey (n_H, n_W, 1), floats in [0, 1], of any size
    tau      the threshold; None: only d is written
    columns  None: as many as make the sheet about 3 : 2
    side     pixels of the longer side of each picture as drawn; fewer, down to 80, where the sheet would pass 2000
    Raises ShapeError, ImageError, NumericsError.   Lecture: one-shot learning, tau.
    """
    pairs, tau = [_expect_pair(pair, k) for k, pair in enumerate(pairs)], page.expect_tau(tau)
    titles = page.as_many([title for _, _, title in pairs], pairs, "pairs")
    judged = [judge(d, tau) for _, d, _ in pairs]
    texts, shown, (width, height), across, size = _arrange(pairs, titles, judged, columns, side)
    while max(size) > page.LARGEST and side > SMALLEST:
        side = max(SMALLEST, int(.95 * side))
        texts, shown, (width, height), across, size = _arrange(pairs, titles, judged, columns, side)

    fig = page.figure(*size)
    for k, ((two, _, _), title, (words, colour), sizes) in enumerate(zip(pairs, texts, judged, shown)):
        row, column = divmod(k, across)
        left, top = 16 + column * width, (row + 1) * height - 28 - max(h for _, h in sizes)
        page.write(fig, left, top - 7, title, va="bottom", linespacing=1.2)
        for picture, (w, h) in zip(two, sizes):
            page.picture_axes(fig, left, top, w, h).imshow(picture, aspect="auto")
            left += w + 4
        page.write(fig, 16 + column * width, (row + 1) * height - 12, words, color=colour, va="baseline")
    return page.save(fig, path)


def _arrange(pairs, titles, judged, columns, side):
    """Wrapped titles, both (width, height) of each pair, those of a pair with its words, the number of columns, those of the sheet."""
    shown = [[page.fitted(picture, side) for picture in two] for two, _, _ in pairs]
    width = max(max(one[0] + 4 + two[0] for one, two in shown), max(page.text_width(words) for words, _ in judged), 130)
    titles = [page.wrap(title, width) for title in titles]
    lines = max(title.count("\n") + 1 if title else 0 for title in titles)
    width, height = int(width) + 24, max(h for two in shown for _, h in two) + 17 * lines + 7 + 28 + 10
    columns = page.columns(len(pairs), width, height, columns)
    return titles, shown, (width, height), columns, (columns * width + 16, -(-len(pairs) // columns) * height + 12)


def judge(d, tau):
    """What a distance means, in words, and their colour: "d = 0.43 <= tau = 0.7: same"."""
    if tau is None:
        return f"d = {page.short(d)}", page.INK
    d_words, tau_words = told_apart(d, tau)
    if d <= tau:
        return f"d = {d_words} ≤ τ = {tau_words}: same", page.dark(page.BLUE)
    return f"d = {d_words} > τ = {tau_words}: two people", page.dark(page.VERMILION)


def told_apart(d, tau):
    """Both numbers in as few digits as show which is larger: 0.7004 > 0.7 must not read 0.7 > 0.7."""
    words = page.short(d), page.short(tau)
    digits = iter(range(6, 18))
    while words[0] == words[1] and d != tau:
        n = next(digits)
        words = tuple(f"{number:.{n}g}".replace("-", "−") for number in (d, tau))
    return words


def _expect_pair(pair, k):
    """One pair as ((picture_1, picture_2), d, title)."""
    if len(pair) != 4:
        raise ShapeError(f"pair {k} has {len(pair)} parts; expected (picture_1, picture_2, d, title)")
    two = [page.expect_picture(picture, f"picture_{n} of pair {k}") for n, picture in enumerate(pair[:2], 1)]
    return two, float(page.expect_numbers(pair[2], f"d of pair {k}", ndim=0)), str(pair[3])


# ---------------------------------------------------------------------------------------------------------------- one of many

@page.styled
def identify_sheet(path, picture, rows, tau=None, most=12):
    """Who is this?  The picture asked about beside the nearest people of a gallery, each with a bar as long as the distance.

    picture  (n_H, n_W, 3) or grey (n_H, n_W, 1), floats in [0, 1]
    rows     [(name, d), ...] or [(name, d, picture of that person), ...], in any order; the nearest `most` are drawn
    tau      the threshold; a nearest person beyond it is not the one: "not in the database".   None: no line, no verdict
    Raises ShapeError, ImageError, NumericsError.   Lecture: one-shot learning; recognition, 1 : K.
    """
    asked, tau = page.expect_picture(picture, "the picture asked about"), page.expect_tau(tau)
    rows = sorted((_expect_row(row, k) for k, row in enumerate(rows)), key=lambda row: row[1])
    if not rows:
        raise ShapeError("the gallery has nobody in it; add one person or more")
    subtitle = f"the nearest of {len(rows)} {'people' if len(rows) > 1 else 'person'}" if len(rows) <= most else \
        f"the nearest {most} of {len(rows)} people"
    title, rows = _answer(*rows[0][:2], tau), rows[:most]

    thumb = 48 if any(face is not None for _, _, face in rows) else 0
    names = [page.shorten(name, 220, "bold") for name, _, _ in rows]
    wide, line = int(max(page.text_width(name, "bold") for name in names)), max(thumb + 8, 28)
    w, h = page.fitted(asked, 200)
    left = 24 + w + 44 + (thumb + 12 if thumb else 0)
    bars = left + wide + 14
    fig = page.figure(max(bars + 300 + 70, page.heading_width(title, subtitle)), 112 + max(h, len(rows) * line) + 52)
    page.heading(fig, title, subtitle)
    page.picture_axes(fig, 24, 112, w, h).imshow(asked, aspect="auto")

    for k, ((_, d, face), name) in enumerate(zip(rows, names)):
        middle = 112 + line * (k + .5)
        if face is not None:
            small = page.fitted(face, thumb)
            page.picture_axes(fig, left - 12 - thumb / 2 - small[0] / 2, middle - small[1] / 2, *small).imshow(face, aspect="auto")
        page.write(fig, left, middle, name, va="center_baseline", weight="normal" if k else "bold")
        page.write(fig, bars + 308, middle, page.short(d), va="center_baseline", color=page.GREY)
    _bars(fig, page.axes(fig, bars, 112, 300, len(rows) * line), [d for _, d, _ in rows], tau, thick=.36 if thumb else .56)
    return page.save(fig, path)


def _bars(fig, ax, d, tau, thick):
    """Distances as bars from above, blue up to tau; tau is a line through all of them."""
    near = [page.INK if tau is None else page.BLUE if each <= tau else page.GREY for each in d]
    ax.barh(range(len(d)), d, height=thick, color=near, alpha=.85)
    ax.set(ylim=(len(d) - .5, -.5), yticks=[], xlabel="distance d, nearer to the left")
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(page.short)
    shown = [0, *d, *([tau] if tau is not None and np.isfinite(tau) else [])]
    ax.set_xlim(min(shown), max(shown) + .04 * (max(shown) - min(shown) or 1))
    page.mark_tau(fig, ax, tau)


def _answer(name, d, tau):
    """The headline."""
    words, name = judge(d, tau)[0].split(":")[0], page.shorten(name, 320)
    if tau is None or d <= tau:
        return f"{name}: {words}"
    return f"Not in the database: the nearest, {name}, has {words}"


def _expect_row(row, k):
    if len(row) not in (2, 3):
        raise ShapeError(f"row {k} has {len(row)} parts; expected (name, d) or (name, d, picture)")
    face = row[2] if len(row) == 3 else None
    return (str(row[0]), float(page.expect_numbers(row[1], f"d of row {k}", ndim=0)),
            None if face is None else page.expect_picture(face, f"the picture of row {k}"))
