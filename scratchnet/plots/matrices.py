"""Matrices to look at: a style matrix by its colours, small ones by their numbers."""

import numpy as np
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import MaxNLocator

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.plots import page


@page.styled
def gram_heatmap(path, G_S, G_G=None, title="Style matrix: which channels are active together"):
    """A style matrix as a picture: light where channels k and k' are active at the same places.

    G_S  style matrix of S   (n_C, n_C)
    G_G  that of G, drawn beside it in the same colours, and what G has too much (orange) or too little (blue)
    Colours go by the square root where all is positive, or a few strong channels would hide the rest.
    Raises ShapeError, NumericsError.
    """
    named = [("G[l](S)", _matrix(G_S, "G_S"))] + ([("G[l](G)", _matrix(G_G, "G_G"))] if G_G is not None else [])
    if len({matrix.shape for _, matrix in named}) > 1:
        raise ShapeError(f"G_S has shape {np.shape(G_S)}, G_G {np.shape(G_G)}; two style matrices of one layer have the same")
    values = np.stack([matrix for _, matrix in named])
    top = abs(values).max() or 1
    subtitle = f"G[l]_kk' = Σ_i Σ_j a[l]_ijk a[l]_ijk'     {values.shape[1]} channels"
    if values.min() >= 0:
        subtitle, looks = subtitle + "     colours by the square root", dict(cmap="magma", norm=PowerNorm(.5, 0, top))
    else:
        looks = dict(cmap=page.SIGNED, norm=Normalize(-top, top))

    side, left = 380, 64
    width = left + len(named) * (side + 56) + 60 + (len(named) - 1) * (side + 116)
    fig = page.figure(max(width, page.heading_width(title, subtitle)), side + 170)
    page.heading(fig, title, subtitle)
    for name, matrix in named:
        picture = _matrix_axes(fig, left, matrix, name, side, looks)
        left += side + 56
    _colour_bar(fig, left - 40, picture, side)
    if G_G is not None:
        more = values[1] - values[0]
        top = abs(more).max() or 1
        left += 84
        picture = _matrix_axes(fig, left, more, "G[l](G) − G[l](S)", side, dict(cmap=page.SIGNED, norm=Normalize(-top, top)))
        _colour_bar(fig, left + side + 16, picture, side)
    return page.save(fig, path)


def _matrix_axes(fig, left, matrix, name, side, looks):
    ax = page.axes(fig, left, 112, side, side)
    ax.grid(False)
    picture = ax.imshow(matrix, aspect="auto", **looks)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.set(xlabel="channel k'", ylabel="channel k")
    page.write(fig, left, 104, name, va="bottom", weight="bold")
    return picture


def _colour_bar(fig, left, picture, side):
    ax = page.axes(fig, left, 112, 12, side)
    ax.grid(False)
    fig.colorbar(picture, cax=ax, format=page.short).outline.set_visible(False)
    ax.tick_params(length=0)


def _matrix(matrix, name):
    a = np.asarray(matrix, dtype=float)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise ShapeError(f"{name} has shape {a.shape}; a style matrix is (n_C, n_C)")
    if not np.isfinite(a).all():
        bad = np.count_nonzero(~np.isfinite(a))
        raise NumericsError(f"{name} holds {bad} numbers that are NaN or infinite; look at the activations of its layer")
    return a


@page.styled
def grid(path, arrays, titles, signs=None):
    """Small matrices side by side with their numbers in the cells: orange above zero, blue below, each by its own largest.

    arrays  (n_H, n_W), or a row of numbers (n,), or (1, n_H, n_W, 1), or a filter (f, f, 1, 1); at most 24 numbers on a side
    signs   what stands between them, for example ("*", "="); None: nothing
    Raises ShapeError.
    """
    arrays = [_flat(a, k) for k, a in enumerate(arrays)]
    titles = page.as_many(titles, arrays, "arrays")
    signs = ["", *(signs or [""] * (len(arrays) - 1))]
    if len(signs) != len(arrays):
        raise ShapeError(f"{len(signs) - 1} signs between {len(arrays)} arrays; expected {len(arrays) - 1}")
    numbers = [_numbers(a) for a in arrays]
    cell = [max(36, max(map(page.text_width, words.ravel())) + 14) for words in numbers]
    wide = [int(max(c * a.shape[1], page.text_width(title, weight="bold"))) for c, a, title in zip(cell, arrays, titles)]
    left = 24 + np.append(0, np.cumsum([w + 48 for w in wide]))
    tall = 36 * max(len(a) for a in arrays)

    fig = page.figure(left[-1] - 48 + 24, 62 + tall + 24)
    for a, words, c, title, sign, x in zip(arrays, numbers, cell, titles, signs, left):
        page.write(fig, x, 34, title, va="bottom", weight="bold")
        page.write(fig, x, 51, f"{a.shape[0]} × {a.shape[1]}", va="bottom", color=page.GREY, size=8.5)
        page.write(fig, x - 24, 62 + 18 * min(len(b) for b in arrays), sign, ha="center", va="center", size=16, color=page.GREY)
        _cells(page.picture_axes(fig, x, 62, c * a.shape[1], 36 * len(a)), a, words)
    return page.save(fig, path)


def _cells(ax, a, words):
    top = np.nanmax(abs(a), initial=0, where=np.isfinite(a)) or 1
    pale = np.where(np.isfinite(a), .5 + .3 * np.clip(a / top, -1, 1), .5)          # pale enough for dark numbers
    ax.imshow(page.SIGNED(pale), aspect="auto", interpolation="nearest")
    n_H, n_W = a.shape
    ax.hlines(np.arange(n_H + 1) - .5, -.5, n_W - .5, color=page.HAIR, linewidth=1, clip_on=False)
    ax.vlines(np.arange(n_W + 1) - .5, -.5, n_H - .5, color=page.HAIR, linewidth=1, clip_on=False)
    for (i, j), word in np.ndenumerate(words):
        ax.text(j, i, word, ha="center", va="center_baseline", color=page.INK)


def _flat(array, k):
    a = np.asarray(array)
    if a.ndim == 4:
        a = a[0, :, :, 0] if a.shape[::3] == (1, 1) else a[:, :, 0, 0] if a.shape[2:] == (1, 1) else a
    a = a[None] if a.ndim == 1 else a
    if a.ndim != 2 or not a.size or max(a.shape) > 24:
        raise ShapeError(f"array {k} has shape {np.shape(array)}; expected one matrix of at most 24 × 24 numbers")
    return a.astype(float)


def _numbers(a):
    """The numbers as by hand: whole if they all are, else alike, to three digits of the largest; nothing hides as a zero -> strings"""
    finite = abs(a[np.isfinite(a)])
    largest = finite.max(initial=0)
    if largest and not 1e-3 <= largest < 1e5:
        digits = ".1e"
    else:
        digits = ".0f" if (finite == np.rint(finite)).all() else f".{int(max(2, 2 - np.floor(np.log10(largest))))}f"
    written = [f"{number:{digits}}".replace("-", "−") if number == 0 or float(f"{number:{digits}}") else "≈ 0" for number in a.ravel()]
    return np.array(written, dtype=object).reshape(a.shape)
