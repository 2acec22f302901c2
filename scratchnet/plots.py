"""Every figure of the package: an idea is understood when it has been seen, so each one ends here, in a file.

    contact_sheet     pictures beside each other, each with its name
    cost_curves       J and its parts over the steps of style transfer
    gram_heatmap      a style matrix, or two of them and their difference
    error_curve       the error of a gradient check over its step h
    grid              small matrices with their numbers, to follow an example by hand

Each writes `path`, in the format of its ending or else as PNG, and returns it; the file is there whole or not at all.  There is
no window, no display, no state: figures are objects, laid out in pixels.  Titles are drawn as they are given, a $ is a dollar.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scratchnet.atomic import replacing
from scratchnet.errors import ImageError, NumericsError, ShapeError

DPI, LARGEST = 100, 2000                        # a sheet of pictures that would be more pixels wide or high is scaled down
INK, GREY, HAIR = "#1b1f24", "#68717d", "#e3e6ea"
VERMILION = "#d55e00"
SEVERAL = ["#0072b2", VERMILION, "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]        # told apart by everyone: Okabe and Ito 2008
SIGNED  = LinearSegmentedColormap.from_list("signed", ["#0b4f8a", "#5ba3d9", "#ffffff", "#f0995a", "#b34700"])

STYLE = {
    "figure.facecolor": "white", "figure.dpi": DPI, "savefig.dpi": DPI, "text.usetex": False, "text.color": INK,
    "font.family": "DejaVu Sans", "font.size": 9.5, "axes.labelsize": 9.5, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "axes.edgecolor": GREY, "axes.labelcolor": GREY, "axes.linewidth": .8, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": HAIR, "grid.linewidth": .8, "axes.axisbelow": True,
    "axes.spines.left": False, "ytick.major.size": 0, "ytick.minor.size": 0, "xtick.minor.size": 0, "xtick.major.size": 4,
    "xtick.color": GREY, "ytick.color": GREY, "lines.linewidth": 1.8, "lines.solid_capstyle": "round",
    # What a reader's own matplotlibrc must not change:
    "savefig.bbox": "standard", "savefig.facecolor": "white", "savefig.transparent": False, "axes.unicode_minus": True,
    "figure.autolayout": False, "figure.constrained_layout.use": False, "image.origin": "upper", "image.interpolation": "auto",
}


# ---------------------------------------------------------------------------------------------------------------- pictures

@rc_context(STYLE)
def contact_sheet(path, pictures, titles, columns=None):
    """Pictures beside each other at their own size, pixel for pixel, each under its title.

    pictures  (1, n_H, n_W, 3) or (n_H, n_W, 3), RGB, floats in [0, 1], of any sizes; what lies outside is clipped
    columns   None: as many as make the sheet about 3 : 2
    Only a sheet of more than 2000 pixels is scaled down.   Raises ShapeError, ImageError, NumericsError.
    """
    pictures = [_picture(picture, k) for k, picture in enumerate(pictures)]
    titles = _as_many(titles, pictures, "pictures")
    sizes = np.array([picture.shape[1::-1] for picture in pictures])                # width, height
    columns = _columns(sizes, columns)

    scale, shown = 1, sizes
    texts, places, size = _arrange(shown, titles, columns)
    while max(size) > LARGEST and shown.max() > 160:                                # titles do not shrink: not at one go, nor below them
        scale *= min(.99, LARGEST / max(size))
        shown = np.maximum(1, np.rint(sizes * scale)).astype(int)
        texts, places, size = _arrange(shown, titles, columns)

    fig = _figure(*size)
    for picture, text, (left, top), (width, height) in zip(pictures, texts, places, shown):
        _write(fig, left, top - 7, text, va="bottom", linespacing=1.2)
        _picture_axes(fig, left, top, width, height).imshow(picture, aspect="auto")
    return _save(fig, path)


def _picture(picture, k):
    """One picture as (n_H, n_W, 3), in [0, 1]."""
    a = np.asarray(picture)
    a = a[0] if a.ndim == 4 and len(a) == 1 else a
    if a.ndim != 3 or a.shape[2] != 3 or not a.size:
        raise ImageError(f"picture {k} has shape {np.shape(picture)}; expected (1, n_H, n_W, 3) or (n_H, n_W, 3)")
    if a.dtype.kind != "f":
        raise ImageError(f"picture {k} holds {a.dtype}; expected floats in [0, 1]: divide bytes by 255")
    if np.isnan(a).any():
        raise NumericsError(f"picture {k} has NaN in {np.isnan(a).any(axis=2).sum()} of its pixels; look for the step where they began")
    return np.clip(a, 0, 1)


def _columns(sizes, columns):
    """The number of columns: as given, or such that the sheet is about 3 : 2 and has few holes."""
    n, (width, height) = len(sizes), sizes.max(axis=0) + (16, 40)
    if columns is None:
        rows = lambda c: -(-n // c)
        ugly = lambda c: abs(np.log(c * width / (rows(c) * height) / 1.5)) + 3 * (rows(c) * c - n) / n
        return min(range(1, n + 1), key=ugly)
    if columns < 1:
        raise ShapeError(f"a sheet of {columns} columns holds no picture; give 1 or more")
    return min(int(columns), n)


def _arrange(sizes, titles, columns, gap=16, line=17):
    """Rows and columns as wide as their widest -> wrapped titles, (left, top) of each picture, (width, height) of the sheet"""
    row, column = np.divmod(np.arange(len(sizes)), columns)
    words = [max(map(_width, title.split()), default=0) for title in titles]
    needed = np.maximum(sizes[:, 0], np.clip(words, 72, 160))                       # a small picture leaves room for its title
    wide = np.array([needed[column == c].max() for c in range(columns)])
    high = np.array([sizes[row == r, 1].max() for r in range(row[-1] + 1)])
    texts = [_wrap(title, wide[c]) for title, c in zip(titles, column)]
    lines = np.array([text.count("\n") + 1 if text else 0 for text in texts])
    above = np.array([line * lines[row == r].max() + 6 for r in range(row[-1] + 1)])

    left = gap + np.append(0, np.cumsum(wide + gap)).astype(int)
    top = gap + np.append(0, np.cumsum(above + high + gap)).astype(int)
    return texts, list(zip(left[column], top[row] + above[row])), (left[-1], top[-1])


# ---------------------------------------------------------------------------------------------------------------- curves

@rc_context(STYLE)
def cost_curves(path, history, alpha, beta, lam, tv=0.0):
    """J, alpha J_content, every beta lambda[l] J_style[l] and tv J_tv over the steps, on one logarithmic axis.

    history  steps, objects or dicts, with i, J, J_content and per_layer, {l: J_style[l] before its weight}; J_tv if tv > 0
    lam      {l: lambda[l]}, from shallow to deep
    The percentages are shares of J at the last step.  A cost of zero has no place on the axis and is left out, as are NaN and
    infinity.   Raises ShapeError without steps or for a layer the history does not have, NumericsError if nothing is positive.
    """
    history = list(history)
    if not history:
        raise ShapeError("the history has no steps, so there is no curve; run one step or more")
    i, J, J_content, per_layer = ([_get(step, name) for step in history] for name in ("i", "J", "J_content", "per_layer"))
    for l in lam:
        if not all(l in costs for costs in per_layer):
            known = ", ".join(per_layer[0]) or "no layers"
            raise ShapeError(f"lam weighs layer {l}, but the history has {known}; give the lam of the same run")

    tints = colormaps["viridis"](np.linspace(.05, .78, max(2, len(lam))))            # dark is shallow, light is deep
    costs = [("α J_content", alpha * np.array(J_content, float), VERMILION)]
    for l, tint in zip(lam, tints):
        costs.append((f"β λ J_style[{l}]", beta * lam[l] * np.array([J_style[l] for J_style in per_layer], float), tint))
    if tv:
        costs.append(("tv J_tv", tv * np.array([_get(step, "J_tv") for step in history], float), GREY))
    curves = [(f"{name}  {_share(cost[-1], J[-1])}", i, cost, dict(color=tint)) for name, cost, tint in costs]
    curves.append((f"J = {_short(J[-1])}", i, np.array(J, float), dict(color=INK, linewidth=3.4)))

    formula = (f"J = α J_content + β Σ λ[l] J_style[l]{' + tv J_tv' if tv else ''}     α = {alpha:g}   β = {beta:g}"
               f"{f'   tv = {tv:g}' if tv else ''}")
    fig, ax = _curves(900, 560, "The cost J(G) and its parts", formula, curves)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    ax.set_xlabel("step")
    return _save(fig, path)


@rc_context(STYLE)
def error_curve(path, curves, title="How far the slope is from the gradient"):
    """The error of a gradient check over its step h, both logarithmic, h smaller to the right.

    curves  {label: [(h, error), ...]}.   An error of exactly zero has no place on the axis and is left out.
    Raises ShapeError without curves or points, NumericsError if nothing is positive.
    """
    empty = [str(label) for label, points in curves.items() if not len(points)]
    if empty or not curves:
        raise ShapeError(f"there is no {'point in ' + ', '.join(empty) if empty else 'curve'}; expected one (h, error) or more in each")
    drawn = []
    for k, (label, points) in enumerate(curves.items()):
        h, error = np.array(sorted(points, reverse=True), dtype=float).T
        drawn.append((str(label), h, error, dict(color=SEVERAL[k % len(SEVERAL)], marker="o", markersize=4)))
    reason = "error against h: where h is large the bend of J is in the way, where it is small, rounding"
    fig, ax = _curves(760, 500, title, reason, drawn, log_x=True)
    ax.set_xlabel("h, smaller to the right")
    return _save(fig, path)


@rc_context(STYLE)
def training_curves(path, steps, curves, title="What is left to learn"):
    """What a training has left to learn, over its steps.   curves  {name: values}, a value for each of steps"""
    drawn = [(f"{name}  {_short(values[-1])}", steps, np.array(values, float), dict(color=SEVERAL[k % len(SEVERAL)]))
             for k, (name, values) in enumerate(curves.items())]
    fig, ax = _curves(900, 560, title, "on a logarithmic axis, over the steps of the training", drawn)
    ax.set_xlabel("step")
    return _save(fig, path)


def _curves(width, height, title, subtitle, curves, log_x=False):
    """Lines (name, x, y, looks) on a logarithmic axis, each with its name at its end -> figure, axes"""
    kept = [np.isfinite(y) & (y > 0) for _, _, y, _ in curves]
    curves = [(name, np.asarray(x)[some], y[some], looks) for (name, x, y, looks), some in zip(curves, kept) if some.any()]
    if not curves:
        raise NumericsError("nothing here is positive and finite, so a logarithmic axis has nothing to show; look at the numbers first")
    names = 44 + max(_width(name, weight="bold") for name, *_ in curves)

    fig = _figure(max(width, _heading_width(title, subtitle)), height)
    _heading(fig, title, subtitle)
    ax = _axes(fig, 64, 84, width - 64 - names, height - 84 - 56)
    ax.set_yscale("log")
    if log_x:
        ax.set_xscale("log")
        ax.invert_xaxis()
    for _, x, y, looks in curves:
        ax.plot(x, y, **{"marker": "o" if len(x) == 1 else None, **looks})
    ax.margins(x=.02)
    if not log_x and len(x) == 1:
        ax.set_xlim(x[0] - 1, x[0] + 1)
    ax.autoscale_view()
    _name_ends(fig, ax, curves)
    return fig, ax


def _name_ends(fig, ax, curves, line=17):
    """Each name beside the end of its curve, moved up or down as little as keeps the names apart."""
    ends = [(*ax.transData.transform((x[-1], y[-1])), name, looks) for name, x, y, looks in curves]
    ends.sort(key=lambda end: end[1])
    n, box = len(ends), ax.get_window_extent()
    low, high, edge = box.y0 - 24, box.y1 + 8, box.x1
    line = min(line, (high - low) / n)
    # Less k lines, heights may be equal but must not sink: isotonic regression, written as a max of mins of means.
    wanted = np.clip([end[1] - line * k for k, end in enumerate(ends)], low, high - line * (n - 1))
    heights = [line * k + max(min(wanted[i:j].mean() for j in range(k + 1, n + 1)) for i in range(k + 1)) for k in range(n)]

    for (x, y, name, looks), height in zip(ends, heights):
        weight = "bold" if "linewidth" in looks else "normal"
        lead = np.array([[x + 5, edge + 5, edge + 19, edge + 23], [y, y, height, height]]).T / fig.bbox.size
        fig.add_artist(Line2D(*lead.T, color=looks["color"], linewidth=.8, alpha=.7))
        dark = .82 * np.array(to_rgb(looks["color"]))                               # thin letters need more ink than a line
        _write(fig, edge + 28, fig.bbox.height - height, name, color=dark, weight=weight, va="center_baseline")


def _share(part, whole):
    """A part of J in words: 38 %, < 1 %, or nothing where J is no number to divide by."""
    if not (np.isfinite(part) and np.isfinite(whole) and whole > 0):
        return ""
    return f"{100 * part / whole:.0f} %" if part == 0 or part >= .01 * whole else "< 1 %"


def _short(number, _=None):
    """Three digits, as on paper: 0.123, 12.3, 1234, 1.23e5; the second argument is what matplotlib hands to a writer of ticks."""
    digits, e, power = f"{number:{'.0f' if 1e3 <= abs(number) < 1e5 else '.3g'}}".partition("e")
    return (digits + e + (str(int(power)) if e else "")).replace("-", "−")


def _get(step, name):
    try:
        return step[name] if isinstance(step, dict) else getattr(step, name)
    except (KeyError, AttributeError):
        raise ShapeError(f"a step of the history has no {name}; expected i, J, J_content and per_layer") from None


# ---------------------------------------------------------------------------------------------------------------- matrices

@rc_context(STYLE)
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
        looks = dict(cmap=SIGNED, norm=Normalize(-top, top))

    side, left = 380, 64
    width = left + len(named) * (side + 56) + 60 + (len(named) - 1) * (side + 116)
    fig = _figure(max(width, _heading_width(title, subtitle)), side + 170)
    _heading(fig, title, subtitle)
    for name, matrix in named:
        picture = _matrix_axes(fig, left, matrix, name, side, looks)
        left += side + 56
    _colour_bar(fig, left - 40, picture, side)
    if G_G is not None:
        more = values[1] - values[0]
        top = abs(more).max() or 1
        left += 84
        picture = _matrix_axes(fig, left, more, "G[l](G) − G[l](S)", side, dict(cmap=SIGNED, norm=Normalize(-top, top)))
        _colour_bar(fig, left + side + 16, picture, side)
    return _save(fig, path)


def _matrix_axes(fig, left, matrix, name, side, looks):
    ax = _axes(fig, left, 112, side, side)
    ax.grid(False)
    picture = ax.imshow(matrix, aspect="auto", **looks)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.set(xlabel="channel k'", ylabel="channel k")
    _write(fig, left, 104, name, va="bottom", weight="bold")
    return picture


def _colour_bar(fig, left, picture, side):
    ax = _axes(fig, left, 112, 12, side)
    ax.grid(False)
    fig.colorbar(picture, cax=ax, format=_short).outline.set_visible(False)
    ax.tick_params(length=0)


def _matrix(matrix, name):
    a = np.asarray(matrix, dtype=float)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise ShapeError(f"{name} has shape {a.shape}; a style matrix is (n_C, n_C)")
    if not np.isfinite(a).all():
        bad = np.count_nonzero(~np.isfinite(a))
        raise NumericsError(f"{name} holds {bad} numbers that are NaN or infinite; look at the activations of its layer")
    return a


@rc_context(STYLE)
def grid(path, arrays, titles, signs=None):
    """Small matrices side by side with their numbers in the cells: orange above zero, blue below, each by its own largest.

    arrays  (n_H, n_W), or a row of numbers (n,), or (1, n_H, n_W, 1), or a filter (f, f, 1, 1); at most 24 numbers on a side
    signs   what stands between them, for example ("*", "="); None: nothing
    Raises ShapeError.
    """
    arrays = [_flat(a, k) for k, a in enumerate(arrays)]
    titles = _as_many(titles, arrays, "arrays")
    signs = ["", *(signs or [""] * (len(arrays) - 1))]
    if len(signs) != len(arrays):
        raise ShapeError(f"{len(signs) - 1} signs between {len(arrays)} arrays; expected {len(arrays) - 1}")
    numbers = [_numbers(a) for a in arrays]
    cell = [max(36, max(map(_width, words.ravel())) + 14) for words in numbers]
    wide = [int(max(c * a.shape[1], _width(title, weight="bold"))) for c, a, title in zip(cell, arrays, titles)]
    left = 24 + np.append(0, np.cumsum([w + 48 for w in wide]))
    tall = 36 * max(len(a) for a in arrays)

    fig = _figure(left[-1] - 48 + 24, 62 + tall + 24)
    for a, words, c, title, sign, x in zip(arrays, numbers, cell, titles, signs, left):
        _write(fig, x, 34, title, va="bottom", weight="bold")
        _write(fig, x, 51, f"{a.shape[0]} × {a.shape[1]}", va="bottom", color=GREY, size=8.5)
        _write(fig, x - 24, 62 + 18 * min(len(b) for b in arrays), sign, ha="center", va="center", size=16, color=GREY)
        _cells(_picture_axes(fig, x, 62, c * a.shape[1], 36 * len(a)), a, words)
    return _save(fig, path)


def _cells(ax, a, words):
    top = np.nanmax(abs(a), initial=0, where=np.isfinite(a)) or 1
    pale = np.where(np.isfinite(a), .5 + .3 * np.clip(a / top, -1, 1), .5)          # pale enough for dark numbers
    ax.imshow(SIGNED(pale), aspect="auto", interpolation="nearest")
    n_H, n_W = a.shape
    ax.hlines(np.arange(n_H + 1) - .5, -.5, n_W - .5, color=HAIR, linewidth=1, clip_on=False)
    ax.vlines(np.arange(n_W + 1) - .5, -.5, n_H - .5, color=HAIR, linewidth=1, clip_on=False)
    for (i, j), word in np.ndenumerate(words):
        ax.text(j, i, word, ha="center", va="center_baseline", color=INK)


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


# ---------------------------------------------------------------------------------------------------------------- paper and ink

def _figure(width, height):
    """A white sheet of width x height pixels, drawn by Agg."""
    fig = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(fig)
    return fig


def _axes(fig, left, top, width, height):
    """Axes at pixels, counted from the upper left as pictures are."""
    W, H = fig.bbox.size
    return fig.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))


def _picture_axes(fig, left, top, width, height):
    ax = _axes(fig, left, top, width, height)
    ax.set_axis_off()
    return ax


def _write(fig, left, top, text, **looks):
    W, H = fig.bbox.size
    fig.text(left / W, 1 - top / H, text, parse_math=False, **looks)


def _heading(fig, title, subtitle):
    _write(fig, 24, 34, title, size=13, weight="bold", va="baseline")
    _write(fig, 24, 56, subtitle, color=GREY, va="baseline")


def _heading_width(title, subtitle):
    return int(48 + max(_width(title, "bold", 13), _width(subtitle)))


@lru_cache(4096)
def _width(text, weight="normal", size=STYLE["font.size"]):
    """Pixels that one line of text takes."""
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return RendererAgg(1, 1, DPI).get_text_width_height_descent(text, font, ismath=False)[0]


def _wrap(text, width):
    """The text in lines of at most so many pixels, broken between words, or inside one that is longer than a line."""
    lines = [""]
    for word in text.split():
        if lines[-1] and _width(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while _width(lines[-1]) > width and len(lines[-1]) > 1:
            fits = max([k for k in range(1, len(lines[-1])) if _width(lines[-1][:k]) <= width], default=1)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return "\n".join(lines)


def _as_many(titles, things, name):
    titles = [str(title) for title in titles]
    if not things:
        raise ShapeError(f"there are no {name} to draw; give one or more")
    if len(titles) != len(things):
        raise ShapeError(f"{len(titles)} titles for {len(things)} {name}; expected one each")
    return titles


def _save(fig, path):
    """The figure as a whole file -> path"""
    path = Path(path)
    kind = path.suffix[1:].lower() or "png"
    if kind not in fig.canvas.get_supported_filetypes():
        raise ImageError(f"{path} ends in .{kind}, which cannot be drawn; expected .{', .'.join(fig.canvas.get_supported_filetypes())}")
    with replacing(path) as file:
        fig.savefig(file, format=kind)
    return path
