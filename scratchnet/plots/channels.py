"""All channels of a layer side by side: the filters of the first, which are pictures themselves, and what a layer makes of a picture."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm

from scratchnet.errors import ShapeError
from scratchnet.plots import page

GAP = 3


@page.styled
def filters(path, W, title="The filters of the first layer", columns=None):
    """The filters of a first layer as colour pictures, all on one scale: grey is 0, what adds is light, what takes away is dark.

    W  (f, f, 3, n_C), or grey (f, f, 1, n_C), in the order of the picture's colours: W[:, :, ::-1] where the network takes BGR
    A filter's bias, and the scale of the input layer, are not in the picture.   Raises ShapeError, NumericsError.
    """
    W = page.expect_numbers(W, "W", ndim=4)
    if W.shape[2] not in (1, 3):
        raise ShapeError(f"W has shape {W.shape}: its filters have {W.shape[2]} channels each and are no pictures; expected 3, or 1")
    f_H, f_W, _, n_C = W.shape
    pictures = page.signed(W).repeat(3 // W.shape[2], axis=2)
    subtitle = f"{n_C} filters of {f_H} × {f_W}, on one scale: grey is 0, the largest |w| is {page.short(abs(W).max())}"
    fig, _ = _sheet(np.moveaxis(pictures, 3, 0), 44, title, subtitle, columns)
    return page.save(fig, path)


@page.styled
def activations(path, a, title="What a layer makes of a picture", columns=None):
    """The channels of one layer for one picture, a^[l]_k as maps on one scale: where each channel is active.

    a  (1, n_H, n_W, n_C) or (n_H, n_W, n_C); what is below 0, if the layer is no ReLU, is drawn as 0 and counted
    Colours go by the square root, or a few strong channels would hide the rest.   Raises ShapeError, NumericsError.
    """
    a = np.asarray(a)
    a = page.expect_numbers(a[0] if a.ndim == 4 and len(a) == 1 else a, "a", ndim=3)
    n_H, n_W, n_C = a.shape
    silent, below = np.count_nonzero((a <= 0).all(axis=(0, 1))), np.mean(a < 0)
    subtitle = (f"{n_C} channels of {n_H} × {n_W}, on one scale, colours by the square root;   {silent} silent here"
                + (f";   {page.percent(below)} of all are below 0, drawn as 0" if below else ""))
    norm = PowerNorm(.5, 0, max(a.max(), 0) or 1)
    side = 112 if n_C <= 64 else 56 if n_C <= 256 else 32
    fig, right = _sheet(np.moveaxis(a, 2, 0).clip(0), side, title, subtitle, columns, room=70, cmap="magma", norm=norm)
    ax = page.axes(fig, right + 14, 108, 12, min(240, fig.bbox.height - 108 - 24))
    ax.grid(False)
    fig.colorbar(ScalarMappable(norm, colormaps["magma"]), cax=ax, format=page.short).outline.set_visible(False)
    ax.tick_params(length=0)
    return page.save(fig, path)


@page.styled
def layer_sheet(path, layer, picture, inversion, texture, a, channels, title=None, side=256):
    """What one layer keeps of a picture: the picture, its content alone, its style alone, and some of the layer's channels.

    inversion  (G, J_content): painted from noise with the content cost at this layer;   texture  (G, J_style): with the style cost
    a          (1, n_H, n_W, n_C), the layer for the picture;   channels  [k, ...], nine at most, strongest first, all on one scale
    side       pixels of the longer side of a picture
    Colours of channels go by the square root, as in `activations`.   Raises ShapeError, ImageError, NumericsError.
    """
    picture, content, grain = (page.expect_picture(one, name) for one, name in
                               ((picture, "the picture"), (inversion[0], "inversion"), (texture[0], "texture")))
    J_content, J_style = (page.short(float(page.expect_numbers(J, name, ndim=0)))
                          for J, name in ((inversion[1], "J_content"), (texture[1], "J_style")))
    maps, (n_H, n_W, n_C) = _expect_channels(a, channels)
    title = f"{layer}: what it keeps of a picture" if title is None else title
    subtitle = (f"{n_H * n_W} positions ({n_H} × {n_W}) of {n_C} channels;   inversion and texture begin as noise, "
                "with one cost at this layer alone")
    cells = [("the picture", "", picture), ("inversion: content alone", f"what is where;   J_content = {J_content}", content),
             ("texture: style alone", f"what, not where;   J_style = {J_style}", grain)]
    last = "its strongest channels", f"largest G_kk first;   to {page.short(max(map.max() for map in maps.values()) if maps else 0)}"
    w, h = page.fitted(picture, side)
    words = [cell[:2] for cell in [*cells, last]]
    wide = 24 + max(w, *(1 + int(max(page.text_width(name, "bold"), page.text_width(more, size=8.5))) for name, more in words))
    fig = page.figure(max(24 + 4 * wide, page.heading_width(title, subtitle)), 122 + h + 24)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for k, (name, more) in enumerate(words):
        page.write(fig, 24 + k * wide, 98, name, va="baseline", weight="bold")
        page.write(fig, 24 + k * wide, 114, more, va="baseline", size=8.5, color=page.GREY)
    for k, (*_, one) in enumerate(cells):
        page.put(ax, one, 24 + k * wide, 122, w, h)
    _nine(fig, ax, maps, 24 + 3 * wide, 122, w, h)
    return page.save(fig, path)


def _nine(fig, ax, maps, left, top, width, height):
    """{channel: map} in three columns, as large together as a picture, all on one scale, each with its number."""
    norm = PowerNorm(.5, 0, max((map.max() for map in maps.values()), default=0) or 1)
    w, h = ((n - 2 * GAP) // 3 for n in (width, height))
    for n, (k, map) in enumerate(maps.items()):
        row, column = divmod(n, 3)
        x, y = left + column * (w + GAP), top + row * (h + GAP)
        page.put(ax, map, x, y, w, h, cmap="magma", norm=norm, interpolation="nearest")
        page.write(fig, x + 4, y + 13, str(k), va="baseline", size=8.5, color="white",
                   bbox=dict(facecolor=page.INK, edgecolor="none", alpha=.6, pad=1.5))


def _expect_channels(a, channels):
    """{k: (n_H, n_W)} of the channels asked for, nine at most, what is below 0 as 0; and the layer's (n_H, n_W, n_C)"""
    a = np.asarray(a)
    a = page.expect_numbers(a[0] if a.ndim == 4 and len(a) == 1 else a, "a", ndim=3)
    if not all(0 <= k < a.shape[2] for k in channels):
        raise ShapeError(f"channels = {list(channels)}; expected whole numbers from 0 to {a.shape[2] - 1}")
    return {k: a[..., k].clip(0) for k in channels[:9]}, a.shape


def _sheet(pictures, side, title, subtitle, columns, room=0, **looks):
    """Small pictures in rows, with the number of the first before each row and the column's above -> figure, where they end on the right"""
    largest = max(pictures[0].shape[:2])
    h, w = (max(1, round(side * n / largest)) for n in pictures[0].shape[:2])
    columns = next((c for c in (8, 16, 32, 10) if .8 < c * w / (-(-len(pictures) // c) * h) < 3), None) if columns is None else columns
    columns = page.columns(len(pictures), w + GAP, h + GAP, columns)
    rows = -(-len(pictures) // columns)
    left = 24 + int(page.text_width(str(len(pictures)))) + 8
    right = left + columns * (w + GAP) - GAP
    fig = page.figure(max(right + room + 24, page.heading_width(title, subtitle)), 108 + rows * (h + GAP) + 21)
    page.heading(fig, title, subtitle)
    ax = page.canvas(fig)
    for k, picture in enumerate(pictures):
        row, column = divmod(k, columns)
        x, y = left + column * (w + GAP), 108 + row * (h + GAP)
        page.put(ax, picture, x, y, w, h, **looks)
        if column == 0:
            page.write(fig, left - 8, y + h / 2, str(k), ha="right", va="center_baseline", color=page.GREY)
        if row == 0 and w >= page.text_width(f"+{columns}"):
            page.write(fig, x + w / 2, 98, f"+{column}" if column else "0", ha="center", va="baseline", color=page.GREY, size=8.5)
    return fig, right
