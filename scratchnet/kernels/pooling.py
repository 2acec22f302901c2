"""Pooling, all channels of a pixel at a time: channels lie side by side in memory, so the machine compares eight at once.

Same numbers as in loops.py, where each channel has its own loop. Rows of the output are shared out over the package's threads.
Average and L2 pooling need no kernel: a mean is a depthwise convolution with equal weights, a length the root of one of squares.
"""

import numpy as np

from scratchnet.kernels import arena, depthwise, threads
from scratchnet.kernels.jit import kernel

BAND = 2 ** 18                 # numbers of output in a unit of work


@kernel
def max_rows(a_prev, a, winner, m, i_first, i_last, f_H, f_W, stride, top, left):
    """loops.max_pool for rows i_first..i_last-1 of picture m, into a and winner."""
    _, n_H_prev, n_W_prev, n_C = a_prev.shape
    for i in range(i_first, i_last):
        for j in range(a.shape[2]):
            best, where = a[m, i, j], winner[m, i, j]
            empty = True
            for u in range(f_H):
                for v in range(f_W):
                    y, x = i * stride + u - top, j * stride + v - left
                    if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                        pixel, place = a_prev[m, y, x], np.uint16(u * f_W + v)
                        if empty:
                            for k in range(n_C):
                                best[k], where[k] = pixel[k], place
                        else:
                            for k in range(n_C):
                                new, old, earlier = pixel[k], best[k], where[k]
                                better = (new > old) | (new != new)          # | does not branch, so eight go at once
                                best[k] = new if better else old
                                where[k] = place if better else earlier
                        empty = False


@kernel
def max_rows_back(da, winner, da_prev, m, i_first, i_last, f_H, f_W, stride, top, left):
    """loops.max_pool_da_prev for rows i_first..i_last-1 of picture m, added into da_prev."""
    _, n_H_prev, n_W_prev, n_C = da_prev.shape
    zero = da.dtype.type(0)
    for i in range(i_first, i_last):
        for j in range(da.shape[2]):
            d, where = da[m, i, j], winner[m, i, j]
            for u in range(f_H):
                for v in range(f_W):
                    y, x = i * stride + u - top, j * stride + v - left
                    if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                        pixel, place = da_prev[m, y, x], np.uint16(u * f_W + v)
                        for k in range(n_C):
                            pixel[k] += d[k] if where[k] == place else zero


@kernel
def max_place_of_part(cells, first, last, best, place):
    """The largest of each channel among the positions first..last-1, and which.   cells (positions, n_C); best, place (n_C,)"""
    for k in range(len(best)):
        best[k], place[k] = cells[first, k], np.int32(first)
    for position in range(first + 1, last):
        pixel, here = cells[position], np.int32(position)
        for k in range(len(best)):
            new, old, earlier = pixel[k], best[k], place[k]
            better = (new > old) | (new != new)
            best[k] = new if better else old
            place[k] = here if better else earlier


def _bands(shape, rows_apart=True):
    """(m, i_first, i_last): units of work over the output's rows; whole pictures where rows are not independent."""
    n_m, n_H, n_W, n_C = shape
    high = max(1, BAND // max(1, n_W * n_C)) if rows_apart else max(1, n_H)
    return [(m, i, min(i + high, n_H)) for m in range(n_m) for i in range(0, n_H, high)]


def max_pool(a_prev, f_H, f_W, stride, pad):
    """As loops.max_pool."""
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    n_H = (n_H_prev + pad[0] + pad[1] - f_H) // stride + 1
    n_W = (n_W_prev + pad[2] + pad[3] - f_W) // stride + 1
    a = arena.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    winner = arena.empty(a.shape, np.uint16)
    threads.run(lambda band: max_rows(a_prev, a, winner, *band, f_H, f_W, stride, pad[0], pad[2]), _bands(a.shape))
    return a, winner


def max_pool_da_prev(da, winner, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """As loops.max_pool_da_prev."""
    da_prev = arena.zeros((len(da), n_H_prev, n_W_prev, da.shape[3]), da.dtype)
    threads.run(lambda band: max_rows_back(da, winner, da_prev, *band, f_H, f_W, stride, pad[0], pad[2]),
                _bands(da.shape, rows_apart=f_H <= stride))
    return da_prev


def max_place(a):
    """As loops.max_place: one pass over memory, all channels of a pixel at a time. NumPy's argmax over positions turns the array over
    first, on one core (benchmarks/units.py times both)."""
    n_m, n_H, n_W, n_C = a.shape
    positions, size = n_H * n_W, max(1, BAND // n_C)
    parts = [(m, first, min(first + size, positions)) for m in range(n_m) for first in range(0, positions, size)]
    bests, places = np.empty((len(parts), n_C), a.dtype), np.empty((len(parts), n_C), np.int32)
    cells = a.reshape(n_m, positions, n_C)
    threads.run(lambda n: max_place_of_part(cells[parts[n][0]], *parts[n][1:], bests[n], places[n]), range(len(parts)))
    best, place = (of_part[::-(-positions // size)].copy() for of_part in (bests, places))
    for n, (m, _, _) in enumerate(parts):              # in order, so that the first of equals stays
        better = (bests[n] > best[m]) | np.isnan(bests[n])
        best[m], place[m] = np.where(better, bests[n], best[m]), np.where(better, places[n], place[m])
    return best, place


def avg_pool(a_prev, f_H, f_W, stride, pad):
    """As loops.avg_pool."""
    n_C = a_prev.shape[3]
    return depthwise.depthwise_conv2d(a_prev, _equal(a_prev, f_H, f_W, 1 / (f_H * f_W)), np.zeros(n_C, a_prev.dtype), stride, pad)


def avg_pool_da_prev(da, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """As loops.avg_pool_da_prev."""
    return depthwise.depthwise_conv2d_da_prev(da, _equal(da, f_H, f_W, 1 / (f_H * f_W)), stride, pad, n_H_prev, n_W_prev)


def l2_pool(a_prev, f_H, f_W, stride, pad):
    """As loops.l2_pool."""
    squares = np.square(a_prev, dtype=np.float64)      # in float32 those of 1e-25 are nothing, and of 1e25 infinite
    a = depthwise.depthwise_conv2d(squares, _equal(squares, f_H, f_W, 1), np.zeros(a_prev.shape[3]), stride, pad)
    return np.sqrt(a, out=a).astype(a_prev.dtype)


def l2_pool_da_prev(da, a_prev, a, f_H, f_W, stride, pad):
    """As loops.l2_pool_da_prev."""
    share = np.divide(da, a, out=np.zeros_like(da), where=a > 0)
    da_prev = depthwise.depthwise_conv2d_da_prev(share, _equal(da, f_H, f_W, 1), stride, pad, *a_prev.shape[1:3])
    return np.multiply(da_prev, a_prev, out=da_prev)


def _equal(like, f_H, f_W, weight):
    """The filter that has one weight everywhere."""
    return np.full((f_H, f_W, like.shape[3]), weight, like.dtype)
