"""Shapes that fit, worked out in one place: the size formula of the lecture, padding, and the checks at every layer's door.

    n_H = floor((n_H_prev + p_top + p_bottom - f) / s) + 1
"""

import numpy as np

from scratchnet.errors import NumericsError, ShapeError

FLOATS = (np.float32, np.float64)


def output_size(n_prev, f, stride, before, after):
    """n = floor((n_prev + p_before + p_after - f) / s) + 1, along one side of the picture.

    Raises ShapeError where the filter is larger than the padded picture.
    """
    if f > n_prev + before + after:
        raise ShapeError(f"the filter does not fit: f = {f} > n_prev + padding = {n_prev} + {before + after}. "
                         "Use a larger picture, a smaller filter or more padding.")
    return (n_prev + before + after - f) // stride + 1


def same_padding(n_prev, f, stride):
    """The padding (before, after) of "same": n = ceil(n_prev / s), so that stride 1 keeps the size.

    With stride 1 and odd f this is the lecture's p = (f - 1) / 2 on either side; what is left over goes after.
    """
    n = -(-n_prev // stride)
    total = max((n - 1) * stride + f - n_prev, 0)
    return total // 2, total - total // 2


def padding(pad, n_H_prev, n_W_prev, f, stride):
    """pad as a layer is given it ("same" or a number) -> (top, bottom, left, right) in pixels, as kernels want it."""
    if pad == "same":
        return same_padding(n_H_prev, f[0], stride) + same_padding(n_W_prev, f[1], stride)
    return (pad,) * 4


def window_output(shape, f, stride, pad):
    """Shape (m, n_H_prev, n_W_prev, n_C) under a window f = (f_H, f_W) -> (m, n_H, n_W), and the padding in pixels."""
    m, n_H_prev, n_W_prev, _ = shape
    top, bottom, left, right = pads = padding(pad, n_H_prev, n_W_prev, f, stride)
    n_H = output_size(n_H_prev, f[0], stride, top, bottom)
    n_W = output_size(n_W_prev, f[1], stride, left, right)
    return (m, n_H, n_W), pads


def check_window(name, f, stride, pad):
    """The window of a layer, as (f_H, f_W). Raises ShapeError for f = 2.5, stride = 0, pad = -1."""
    sides = tuple(f) if isinstance(f, (tuple, list)) else (f, f)
    if len(sides) != 2 or not all(_whole(side) and side >= 1 for side in sides):
        raise ShapeError(f"{name}: f = {f!r}; expected a whole number from 1 up, or two of them (f_H, f_W).")
    if not _whole(stride) or stride < 1:
        raise ShapeError(f"{name}: stride = {stride!r}; expected a whole number from 1 up.")
    if pad != "same" and (not _whole(pad) or pad < 0):
        raise ShapeError(f'{name}: pad = {pad!r}; expected "same" or a whole number from 0 up.')
    return sides


def _whole(n):
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool)


def expect_batch(a, name="a_prev", n_C=None):
    """The array itself, as float (m, n_H, n_W, n_C); whole numbers become float32 before any arithmetic.

    Raises ShapeError for another rank, another number of channels than n_C, or another kind of number.
    """
    a = expect_floats(a, name)
    if a.ndim == 3:
        raise ShapeError(f"{name} has shape {a.shape}, one picture (n_H, n_W, n_C); expected four axes "
                         "(m, n_H, n_W, n_C). For one picture use x[None].")
    if a.ndim != 4:
        raise ShapeError(f"{name} has shape {a.shape}; expected four axes (m, n_H, n_W, n_C), channels last.")
    if n_C is not None and a.shape[3] != n_C:
        hint = " (is the fourth an alpha channel?)" if (a.shape[3], n_C) == (4, 3) else ""
        if a.shape[1] == n_C:
            hint = ". It looks channels-first; scratchnet uses channels last: x.transpose(0, 2, 3, 1)."
        raise ShapeError(f"{name} has {a.shape[3]} channels, shape {a.shape}; expected n_C_prev = {n_C}{hint}")
    return a


def expect_gradient(dz, shape, name="the gradient"):
    """The gradient itself if it has the shape of the layer's output. Raises ShapeError: it must not broadcast, nor leave the arrays."""
    if np.shape(dz) != tuple(shape):
        raise ShapeError(f"{name} has shape {np.shape(dz)}; expected that of the layer's output, {tuple(shape)}.")
    return dz


def check_counts(name, **counts):
    """Raises ShapeError unless every number of channels or units is a whole number from 1 up."""
    for what, count in counts.items():
        if not _whole(count) or count < 1:
            raise ShapeError(f"{name}: {what} = {count!r}; expected a whole number from 1 up.")


def expect_floats(a, name="a_prev"):
    """The array itself if it is float32 or float64; whole numbers become float32. Raises ShapeError otherwise."""
    a = np.asarray(a)
    if a.dtype.kind in "uib":
        return a.astype(np.float32)
    if a.dtype not in FLOATS:
        raise ShapeError(f"{name} is of {a.dtype}; expected float32 (to run) or float64 (to check).")
    return a


def expect_finite(a, name):
    """The array itself if all its numbers are finite. Raises NumericsError counting those that are not, with the first one's place."""
    if not np.isfinite(a).all():
        counts = [(np.count_nonzero(bad), kind) for bad, kind in ((np.isnan(a), "NaN"), (np.isinf(a), "infinite"))]
        first = np.argwhere(~np.isfinite(a))[0].tolist()
        found = " and ".join(f"{n} {kind}" for n, kind in counts if n)
        raise NumericsError(f"{name}, {a.dtype} {a.shape}, has {found}, first at {first}; expected finite numbers. It begins here.")
    return a
