"""One look for all figures: paper, ink, places in pixels, and the file that is there whole or not at all.

Every text is measured before it is placed, so that nothing is cut and nothing overlaps; that is why places are pixels, counted
from the upper left as pictures are.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from scratchnet.atomic import replacing
from scratchnet.errors import ImageError, NumericsError, ShapeError

DPI, LARGEST = 100, 2000                        # a sheet of pictures that would be more pixels wide or high is scaled down
INK, GREY, HAIR = "#1b1f24", "#68717d", "#e3e6ea"
PLATE = "#e9ecf0"                               # under a block of patches: white ones on white paper would have no edge
ACROSS, GAP = 3, 2                              # patches on a side of a block, and pixels between them
BLUE, VERMILION, ORANGE = "#0072b2", "#d55e00", "#e69f00"
SEVERAL = [BLUE, VERMILION, "#009e73", "#cc79a7", ORANGE, "#56b4e9"]        # told apart by everyone: Okabe and Ito 2008
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
styled = rc_context(STYLE)                    # decorates every function that draws


def figure(width, height):
    """A white sheet of width x height pixels, drawn by Agg."""
    fig = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(fig)
    return fig


def axes(fig, left, top, width, height):
    """Axes at pixels, counted from the upper left as pictures are."""
    W, H = fig.bbox.size
    return fig.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))


def picture_axes(fig, left, top, width, height):
    """Axes at pixels without ticks or frame, for a picture."""
    ax = axes(fig, left, top, width, height)
    ax.set_axis_off()
    return ax


def canvas(fig):
    """Axes over the whole sheet whose coordinates are its pixels: many small pictures, each as axes of its own, would be slow."""
    ax = picture_axes(fig, 0, 0, *fig.bbox.size)
    ax.set(xlim=(0, fig.bbox.width), ylim=(fig.bbox.height, 0), autoscale_on=False)
    return ax


def put(ax, picture, left, top, width, height, **looks):
    """A picture at pixels of a canvas."""
    ax.imshow(picture, extent=(left, left + width, top + height, top), aspect="auto", **looks)


def frame(ax, left, top, width, height, **looks):
    """A rectangle at pixels of a canvas, or of a picture."""
    return ax.add_patch(Rectangle((left, top), width, height, **{"fill": False, "clip_on": False, **looks}))


def nine(ax, patches, left, top, side, scale):
    """Nine patches [(patch, value), ...] at one scale in reading order, each in the middle of its place, on a pale plate."""
    frame(ax, left, top, nine_side(side), nine_side(side), fill=True, facecolor=PLATE, edgecolor="none", zorder=-1)
    for k, (patch, _) in enumerate(patches[:ACROSS ** 2]):
        h, w = (max(1, round(scale * n)) for n in patch.shape[:2])
        row, column = divmod(k, ACROSS)
        put(ax, patch, left + column * (side + GAP) + (side - w) // 2, top + row * (side + GAP) + (side - h) // 2, w, h)


def nine_side(side):
    """Pixels of such a block, with places of `side` pixels."""
    return ACROSS * side + (ACROSS - 1) * GAP


def write(fig, left, top, text, **looks):
    """Text at a pixel of the sheet, as it is: a $ is a $."""
    W, H = fig.bbox.size
    fig.text(left / W, 1 - top / H, text, parse_math=False, **looks)


def heading(fig, title, subtitle):
    """The two lines that every sheet begins with."""
    write(fig, 24, 34, title, size=13, weight="bold", va="baseline")
    write(fig, 24, 56, subtitle, color=GREY, va="baseline")


def heading_width(title, subtitle):
    """Pixels that a sheet must be wide for its heading."""
    return int(48 + max(text_width(title, "bold", 13), text_width(subtitle)))


@lru_cache(4096)
def text_width(text, weight="normal", size=STYLE["font.size"]):
    """Pixels that one line of text takes."""
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return RendererAgg(1, 1, DPI).get_text_width_height_descent(text, font, ismath=False)[0]


def wrap(text, width):
    """The text in lines of at most so many pixels, broken between words, or inside one that is longer than a line."""
    lines = [""]
    for word in text.split():
        if lines[-1] and text_width(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while text_width(lines[-1]) > width and len(lines[-1]) > 1:
            fits = max([k for k in range(1, len(lines[-1])) if text_width(lines[-1][:k]) <= width], default=1)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return "\n".join(lines)


def fitted(picture, side):
    """(width, height) of a picture whose longer side is so many pixels."""
    size = np.array(picture.shape[1::-1])
    return tuple(np.maximum(1, np.rint(size * side / size.max())).astype(int).tolist())


def columns(n, width, height, given=None):
    """Columns for n things of one size: as given, or such that the sheet is about 3 : 2 and has few holes."""
    if given is None:
        rows = lambda c: -(-n // c)
        ugly = lambda c: abs(np.log(c * width / (rows(c) * height) / 1.5)) + 3 * (rows(c) * c - n) / n
        return min(range(1, n + 1), key=ugly)
    if given < 1:
        raise ShapeError(f"a sheet of {given} columns holds no picture; give 1 or more")
    return min(int(given), n)


def name_ends(fig, ax, curves, line=17):
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
        write(fig, edge + 28, fig.bbox.height - height, name, color=dark(looks["color"]), weight=weight, va="center_baseline")


def mark_tau(fig, ax, tau):
    """The threshold as a line through the axes, with its value above; None and infinite ones have no place there."""
    if tau is not None and np.isfinite(tau):
        ax.axvline(tau, color=INK, linewidth=1.2)
        ax.autoscale_view()
        x, top = ax.transData.transform((tau, 0))[0], fig.bbox.height - ax.get_window_extent().y1
        write(fig, x, top - 8, f"τ = {short(tau)}", ha="center", va="baseline")


def dark(colour):
    """The colour for words: thin letters need more ink than a line."""
    return .82 * np.array(to_rgb(colour))


def shorten(text, width, weight="normal"):
    """The text if it fits into so many pixels, else its beginning and an ellipsis."""
    if text_width(text, weight) <= width:
        return text
    return next((text[:k] + "…" for k in range(len(text), 0, -1) if text_width(text[:k] + "…", weight) <= width), "…")


def short(number, _=None):
    """Three digits, as on paper: 0.123, 12.3, 1234, 1.23e5; the second argument is what matplotlib hands to a writer of ticks."""
    digits, e, power = f"{number:{'.0f' if 1e3 <= abs(number) < 1e5 else '.3g'}}".partition("e")
    return (digits + e + (str(int(power)) if e else "")).replace("-", "−")


def percent(rate, _=None):
    """A rate as 4.79 %; the second argument is what matplotlib hands to a writer of ticks."""
    return f"{short(100 * rate)} %"


def signed(a):
    """Numbers of both signs as a picture: 0 is grey, the largest |number| is where a colour ends.   -> the shape of a, in [0, 1]"""
    return .5 + .5 * a / (abs(a).max() or 1)


# ---- what may come in ---------------------------------------------------------------------------------------------------------

def as_many(titles, things, name):
    """The titles as texts. Raises ShapeError for nothing to draw, and for more or fewer titles than things."""
    titles = [str(title) for title in titles]
    if not things:
        raise ShapeError(f"there are no {name} to draw; give one or more")
    if len(titles) != len(things):
        raise ShapeError(f"{len(titles)} titles for {len(things)} {name}; expected one each")
    return titles


def expect_numbers(a, name, ndim=1):
    """The array as float64. Raises ShapeError for another rank, for none, for what is no number; NumericsError for NaN and infinity."""
    a = np.asarray(a)
    if a.ndim != ndim or not a.size or a.dtype.kind not in "fiub":
        what = ("one number", "numbers (m,)", "numbers, two axes of them", "numbers (n_H, n_W, n_C)", "numbers (f, f, n_C_prev, n_C)")[ndim]
        raise ShapeError(f"{name} has shape {a.shape} and holds {a.dtype}; expected {what}, not empty")
    if not np.isfinite(a).all():
        bad = np.argwhere(~np.isfinite(a))
        where = f", the first at {bad[0].tolist()}" if ndim else ""
        raise NumericsError(f"{name} holds {len(bad)} of {a.size} numbers that are NaN or infinite{where}; look for where they began")
    return a.astype(float)


def expect_tau(tau):
    """None or a number. At -inf nobody is accepted, at inf everybody: thresholds too. Raises ShapeError, and NumericsError for NaN."""
    return tau if tau is None or np.ndim(tau) == 0 and abs(tau) == np.inf else float(expect_numbers(tau, "tau", ndim=0))


def expect_picture(picture, name):
    """One picture, in colour or grey -> (n_H, n_W, 3), in [0, 1]. Raises ImageError, and NumericsError for NaN."""
    a = np.asarray(picture)
    a = a[0] if a.ndim == 4 and len(a) == 1 else a
    if a.ndim != 3 or a.shape[2] not in (1, 3) or not a.size:
        raise ImageError(f"{name} has shape {np.shape(picture)}; expected (1, n_H, n_W, 3) or (n_H, n_W, 3), or grey with one channel")
    if a.dtype.kind != "f":
        raise ImageError(f"{name} holds {a.dtype}; expected floats in [0, 1]: divide bytes by 255")
    if np.isnan(a).any():
        raise NumericsError(f"{name} has NaN in {np.isnan(a).any(axis=2).sum()} of its pixels; look for the step where they began")
    return np.clip(np.broadcast_to(a, (*a.shape[:2], 3)), 0, 1)


def expect_box(box, picture, name):
    """(top, left, bottom, right) of a picture (n_H, n_W, 3), half-open, with a pixel or more. Raises ShapeError."""
    top, left, bottom, right = (int(edge) for edge in box)
    if not (0 <= top < bottom <= picture.shape[0] and 0 <= left < right <= picture.shape[1]):
        raise ShapeError(f"{name} is {tuple(box)} on a picture of {picture.shape[0]} × {picture.shape[1]}; "
                         "expected (top, left, bottom, right), half-open, inside it and not empty")
    return top, left, bottom, right


# ---- the file -----------------------------------------------------------------------------------------------------------------

def save(fig, path):
    """The figure as a whole file -> path"""
    path = Path(path)
    kind = path.suffix[1:].lower() or "png"
    if kind not in fig.canvas.get_supported_filetypes():
        raise ImageError(f"{path} ends in .{kind}, which cannot be drawn; expected .{', .'.join(fig.canvas.get_supported_filetypes())}")
    with replacing(path) as file:
        fig.savefig(file, format=kind)
    return path
