"""One filter a channel: no matrix product, so nothing for BLAS; all channels of a pixel go at once instead.

A depthwise convolution does f_H f_W multiplications for each number it reads, a hundred times fewer than a full one, and is bound
by its way through memory. Channels lie side by side there, so the compiler turns the loop over them into vector instructions;
loops.py, where each channel has a loop of its own, cannot. Bands of rows are shared out over the package's threads.
3x3 filters, nearly all of MobileFaceNet's, have a kernel of their own: its nine products are added up in registers, where the general
one reads and writes the output nine times. For its sake a band is first copied into a frame of zeros, so that all windows lie inside.
Average and L2 pooling are depthwise convolutions whose filters are all ones: pooling.py calls these.
"""

import math

import numpy as np

from scratchnet.kernels import arena, pointwise, threads
from scratchnet.kernels.jit import inlined, kernel

BAND = 2 ** 16                 # numbers of output in a unit of work
CHUNKS = 8                     # of the sum over positions in dW, added in order


@kernel
def rows_forward(a_prev, W, b, z, m, i_first, i_last, stride, top, left):
    """loops.depthwise_conv2d for rows i_first..i_last-1 of picture m."""
    _, n_H_prev, n_W_prev, n_C = a_prev.shape
    f_H, f_W, _ = W.shape
    for i in range(i_first, i_last):
        for j in range(z.shape[2]):
            out = z[m, i, j]
            for k in range(n_C):
                out[k] = b[k]
            for u in range(f_H):
                for v in range(f_W):
                    y, x = i * stride + u - top, j * stride + v - left
                    if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                        pixel, weight = a_prev[m, y, x], W[u, v]
                        for k in range(n_C):
                            out[k] += pixel[k] * weight[k]


@kernel
def framed(a_prev, m, y_first, left, rows):
    """Rows y_first.. of picture m into rows (n, left + n_W_prev + right, n_C), with zeros where there is no picture."""
    _, n_H_prev, n_W_prev, n_C = a_prev.shape
    start, size = left * n_C, n_W_prev * n_C
    for r in range(len(rows)):
        cells, y = rows[r].reshape(-1), y_first + r
        inside = size if 0 <= y < n_H_prev else 0
        source, target = a_prev[m, min(max(y, 0), n_H_prev - 1)].reshape(-1), cells[start:]
        for q in range(inside):
            target[q] = source[q]
        for q in range(inside, len(target)):
            target[q] = 0
        for q in range(start):
            cells[q] = 0


@inlined
def three_by_three(above, beside, below, w_above, w_beside, w_below, b, out, n_C):
    """One pixel: its nine products are added up in registers, in the order of rows_forward."""
    for k in range(n_C):
        one, two = n_C + k, 2 * n_C + k
        out[k] = (b[k] + above[k] * w_above[k] + above[one] * w_above[one] + above[two] * w_above[two]
                  + beside[k] * w_beside[k] + beside[one] * w_beside[one] + beside[two] * w_beside[two]
                  + below[k] * w_below[k] + below[one] * w_below[one] + below[two] * w_below[two])


@kernel
def rows_three_by_three(rows, W, b, z, m, i_first, i_last, stride):
    """rows_forward for a 3x3 filter over rows of the picture that have their frame of zeros; the first belongs to i_first."""
    n_C = rows.shape[2]
    w, row = W.reshape(-1), 3 * n_C
    for i in range(i_first, i_last):
        r = (i - i_first) * stride
        above, beside, below = rows[r].reshape(-1), rows[r + 1].reshape(-1), rows[r + 2].reshape(-1)
        out = z[m, i].reshape(-1)
        for j in range(z.shape[2]):
            x = j * stride * n_C
            three_by_three(above[x:], beside[x:], below[x:], w, w[row:], w[2 * row:], b, out[j * n_C:], n_C)


@kernel
def rows_backward(dz, W, da_prev, m, y_first, y_last, stride, top, left):
    """loops.depthwise_conv2d_da_prev for rows y_first..y_last-1 of da_prev: every window that saw the pixel gives its part."""
    _, n_H, n_W, n_C = dz.shape
    f_H, f_W, _ = W.shape
    for y in range(y_first, y_last):
        for x in range(da_prev.shape[2]):
            out = da_prev[m, y, x]
            for k in range(n_C):
                out[k] = 0
            for u in range(f_H):
                for v in range(f_W):
                    i, j = (y + top - u) // stride, (x + left - v) // stride
                    if 0 <= i < n_H and 0 <= j < n_W and i * stride == y + top - u and j * stride == x + left - v:
                        d, weight = dz[m, i, j], W[u, v]
                        for k in range(n_C):
                            out[k] += d[k] * weight[k]


@kernel
def rows_gradient(a_prev, dz, dW, first, last, stride, top, left):
    """Adds to dW what rows first..last-1 of dz give it, counted in reading order over (m, i)."""
    _, n_H_prev, n_W_prev, n_C = a_prev.shape
    f_H, f_W, _ = dW.shape
    n_H = dz.shape[1]
    for row in range(first, last):
        m, i = row // n_H, row % n_H
        for u in range(f_H):
            y = i * stride + u - top
            for v in range(f_W):
                total = dW[u, v]
                for j in range(dz.shape[2]):
                    x = j * stride + v - left
                    if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                        pixel, d = a_prev[m, y, x], dz[m, i, j]
                        for k in range(n_C):
                            total[k] += pixel[k] * d[k]


def bands(n_m, n_H, row):
    """(m, first, last): units of work over the rows of a picture, each row of so many numbers."""
    high = max(1, BAND // max(1, row))
    return [(m, i, min(i + high, n_H)) for m in range(n_m) for i in range(0, n_H, high)]


def depthwise_conv2d(a_prev, W, b, stride, pad):
    """As loops.depthwise_conv2d."""
    return _bands_forward(a_prev, W, b, stride, pad)[0]


def _bands_forward(a_prev, W, b, stride, pad, alpha=None):
    """z and None; with the slopes of a PReLU, what it makes of z, and where z is positive."""
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    n_H = (n_H_prev + pad[0] + pad[1] - W.shape[0]) // stride + 1
    n_W = (n_W_prev + pad[2] + pad[3] - W.shape[1]) // stride + 1
    z = arena.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    mask = None if alpha is None else arena.empty(z.shape, np.bool_)

    def work(band):
        m, first, last = band
        if W.shape[:2] == (3, 3) and n_H_prev and n_W_prev:
            shape = ((last - first - 1) * stride + 3, pad[2] + n_W_prev + pad[3], n_C)
            rows = threads.buffer("framed", math.prod(shape), a_prev.dtype).reshape(shape)
            framed(a_prev, m, first * stride - pad[0], pad[2], rows)
            rows_three_by_three(rows, W, b, z, *band, stride)
        else:
            rows_forward(a_prev, W, b, z, *band, stride, pad[0], pad[2])
        if mask is not None:
            numbers = z[m, first:last].reshape(-1, n_C)
            pointwise.bend(numbers, alpha, mask[m, first:last].reshape(-1, n_C))

    threads.run(work, bands(n_m, n_H, n_W * n_C))
    return z, mask


def depthwise_conv2d_prelu(a_prev, W, b, stride, pad, alpha):
    """As loops.depthwise_conv2d and loops.prelu, of each band while it is still in the cache."""
    return _bands_forward(a_prev, W, b, stride, pad, alpha)


def depthwise_conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """As loops.depthwise_conv2d_da_prev."""
    da_prev = arena.empty((len(dz), n_H_prev, n_W_prev, dz.shape[3]), dz.dtype)
    threads.run(lambda band: rows_backward(dz, W, da_prev, *band, stride, pad[0], pad[2]),
                bands(len(dz), n_H_prev, n_W_prev * dz.shape[3]))
    return da_prev


def depthwise_conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """As loops.depthwise_conv2d_dW."""
    sums = np.zeros((CHUNKS, f_H, f_W, dz.shape[3]))                   # float64, as in the loops
    rows = len(dz) * dz.shape[1]
    size = -(-rows // CHUNKS)
    threads.run(lambda c: rows_gradient(a_prev, dz, sums[c], c * size, min((c + 1) * size, rows), stride, pad[0], pad[2]), range(CHUNKS))
    return sums.sum(axis=0).astype(dz.dtype)
