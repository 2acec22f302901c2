"""A 3x3 convolution with a quarter of the multiplications: Winograd's F(4x4, 3x3).

Rung 2 of the ladder. Sixteen outputs of a 3x3 filter, a tile of 4x4, take 16 * 9 = 144 multiplications. But a tile is a product
of two polynomials in disguise, and a product of polynomials can be had from their values at a few points: six points for a
side, 36 for the tile, and at each point one multiplication. 144 / 36 = 4.

    V = B^T d B        the 6x6 pixels under a tile, at the points       tiles_in
    U = G g G^T        the 3x3 filter, at the points                    filters
    M = V U            one matrix product over channels per point: (tiles, n_C_prev) (n_C_prev, n_C)
    z = A^T M A + b    back from the points to 4x4 pixels               tiles_out, with the ReLU while it is there

The points are 0, a, -a, b, -b, infinity, with a = 1/sqrt(2) and b = sqrt(2) instead of the usual 1 and 2: the same zeros in the
matrices, and a float32 error four times smaller. And 1/a = b: so the flipped filter, which the gradient needs, takes the same
values with the points in another order. With G scaled so that its row at p is (1/p, 1, p), no factor is left over:
forward and backward share one U, and BLAS reads it transposed.

What it gains over rung 1, measured on two cores for VGG-19 at 300x400 (`python -m benchmarks.conv2d`): 2.3 times with 64 channels,
2.5 times with 256, 3 times with 512; not the whole 4, because transforms move memory. With 3 channels it loses. The gradient to the
filters goes through the same transforms, transposed, and gains 1.6 times with 64 channels, 2.3 and more from 256 on. The error
against float64 is 1e-6 to 2e-6 of the largest output. Tiles of 6x6 outputs would save another fifth of the multiplications;
with the best points tried their error was 1.3e-5.

Tiles are worked off in strips by the package's threads. Where the picture is small and channels are many, the strips would
each read the whole of U; there the 36 products are shared out instead, and whoever multiplies six points of a part of the
channels also transforms the filters for them, unless they were kept.
Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"; the points: Barabasz et al. 2020.
"""

import math

import numpy as np

from scratchnet.kernels import arena, threads
from scratchnet.kernels.jit import inlined, kernel

CHANNELS = 64                  # a tile is transformed this many channels at a time, to stay in the first-level cache
STRIP = 3 * 2 ** 20            # bytes of V and M in a strip
FEWEST_TILES = 64              # of a strip: BLAS is slow on thinner ones
GROUP = 16 * 2 ** 20           # bytes of V and Y at a time on the way to dW
SMALL = 20 * 2 ** 20           # a layer whose V and M fit in this is worked off product by product

A1, B1 = np.sqrt(0.5), np.sqrt(2.0)
G = np.array([[1, 0, 0], [1 / A1, 1, A1], [-1 / A1, 1, -A1], [1 / B1, 1, B1], [-1 / B1, 1, -B1], [0, 0, 1]])
FLIPPED = [5, 3, 4, 1, 2, 0]   # where each point's reciprocal stands in the list of points
AS_THEY_COME = np.arange(36)
RECIPROCAL = np.array([6 * FLIPPED[i] + FLIPPED[j] for i in range(6) for j in range(6)])
NO_MASK = np.empty((0, 0, 0, 0), np.bool_)


@kernel
def filters_to_points(W, U, G, i, c_first, c_last, k_first, k_last):
    """Row i of U = G g G^T, its six points, for input channels c_first..c_last-1 and output channels k_first..k_last-1.

    W (3, 3, n_C_prev, n_C) -> into U (6, c_last - c_first, k_last - k_first)
    """
    n = k_last - k_first
    half = np.empty((3, n), W.dtype)                   # row i of G g
    for c in range(c_first, c_last):
        for s in range(3):
            _combine(half[s], W[0, s, c, k_first:], W[1, s, c, k_first:], W[2, s, c, k_first:], G[i, 0], G[i, 1], G[i, 2], n)
        for j in range(6):
            _combine(U[j, c - c_first], half[0], half[1], half[2], G[j, 0], G[j, 1], G[j, 2], n)


@kernel
def filters_from_points(dU, dW, G, first, last):
    """dW = G^T dU G for input channels first..last-1: the way back of filters_to_points."""
    n_C = dW.shape[3]
    half = np.empty((18, n_C), dW.dtype)               # G^T dU: three values a point of the columns
    for c in range(first, last):
        for j in range(6):
            for r in range(3):
                _combine(half[6 * r + j], dU[j, c], dU[6 + j, c], dU[12 + j, c], G[0, r], G[1, r], G[2, r], n_C)
                _add_to(half[6 * r + j], dU[18 + j, c], dU[24 + j, c], dU[30 + j, c], G[3, r], G[4, r], G[5, r], n_C)
        for r in range(3):
            for s in range(3):
                _combine(dW[r, s, c], half[6 * r], half[6 * r + 1], half[6 * r + 2], G[0, s], G[1, s], G[2, s], n_C)
                _add_to(dW[r, s, c], half[6 * r + 3], half[6 * r + 4], half[6 * r + 5], G[3, s], G[4, s], G[5, s], n_C)


@inlined
def _combine(out, x, y, z, p, q, r, n):
    for k in range(n):
        out[k] = p * x[k] + q * y[k] + r * z[k]


@inlined
def _add_to(out, x, y, z, p, q, r, n):
    for k in range(n):
        out[k] += p * x[k] + q * y[k] + r * z[k]


def filters(W):
    """U = G g G^T for every pair of channels.   (3, 3, n_C_prev, n_C) -> (36, n_C_prev, n_C)"""
    W, points = _read_only(W), G.astype(W.dtype)
    U = arena.empty((36, *W.shape[2:]), W.dtype)
    threads.run(lambda i: filters_to_points(W, U[6 * i:6 * i + 6], points, i, 0, W.shape[2], 0, W.shape[3]), range(6))
    return U


def _read_only(W):
    """Frozen or not, one type for the compiler."""
    W = np.ascontiguousarray(W).view()
    W.flags.writeable = False
    return W


@inlined
def _to_points(d, row, step, n):
    """B^T along one axis, in place: rows row, row + step, ... of d become their values at the six points."""
    a, b = d.dtype.type(A1), d.dtype.type(B1)
    half, two, five_halves = d.dtype.type(0.5), d.dtype.type(2), d.dtype.type(2.5)
    by_a, by_b = d.dtype.type(A1 / 1.5), d.dtype.type(B1 / 6)
    for c in range(n):
        d0, d1, d2 = d[row, c], d[row + step, c], d[row + 2 * step, c]
        d3, d4, d5 = d[row + 3 * step, c], d[row + 4 * step, c], d[row + 5 * step, c]
        even_a, odd_a = d4 - two * d2, a * (d3 - two * d1)
        even_b, odd_b = d4 - half * d2, b * (d3 - half * d1)
        d[row, c] = d0 - five_halves * d2 + d4
        d[row + step, c] = -by_a * (even_a + odd_a)
        d[row + 2 * step, c] = by_a * (even_a - odd_a)
        d[row + 3 * step, c] = by_b * (even_b + odd_b)
        d[row + 4 * step, c] = -by_b * (even_b - odd_b)
        d[row + 5 * step, c] = d1 - five_halves * d3 + d5


@inlined
def _from_points(d, row, step, n):
    """A^T along one axis, in place: of six rows the first four become the outputs, the last two are left over."""
    a, b = d.dtype.type(A1), d.dtype.type(B1)
    half, two = d.dtype.type(0.5), d.dtype.type(2)
    a_cubed, b_cubed = d.dtype.type(A1 / 2), d.dtype.type(B1 * 2)
    for c in range(n):
        m0, m1, m2 = d[row, c], d[row + step, c], d[row + 2 * step, c]
        m3, m4, m5 = d[row + 3 * step, c], d[row + 4 * step, c], d[row + 5 * step, c]
        sum_a, difference_a, sum_b, difference_b = m1 + m2, m1 - m2, m3 + m4, m3 - m4
        d[row, c] = m0 + sum_a + sum_b
        d[row + step, c] = a * difference_a + b * difference_b
        d[row + 2 * step, c] = half * sum_a + two * sum_b
        d[row + 3 * step, c] = a_cubed * difference_a + b_cubed * difference_b + m5


@inlined
def _spread(d, row, step, n):
    """A along one axis, in place: of the first four of six rows, the outputs, become their values at the six points."""
    a, b = d.dtype.type(A1), d.dtype.type(B1)
    half, two = d.dtype.type(0.5), d.dtype.type(2)
    a_cubed, b_cubed = d.dtype.type(A1 / 2), d.dtype.type(B1 * 2)
    for c in range(n):
        z0, z1, z2, z3 = d[row, c], d[row + step, c], d[row + 2 * step, c], d[row + 3 * step, c]
        even_a, odd_a = z0 + half * z2, a * z1 + a_cubed * z3
        even_b, odd_b = z0 + two * z2, b * z1 + b_cubed * z3
        d[row + step, c] = even_a + odd_a
        d[row + 2 * step, c] = even_a - odd_a
        d[row + 3 * step, c] = even_b + odd_b
        d[row + 4 * step, c] = even_b - odd_b
        d[row + 5 * step, c] = z3


@kernel
def tiles_in(a_prev, mask, masked, V, order, first, last, origin, n_i, n_j, top, left):
    """V = B^T d B for tiles first..last-1, counted in reading order over (m, i, j), into V (36, tiles from origin on, n_C_prev).

    Point p goes to row order[p] of V.

    Each 6x6 patch is copied into a small buffer, zeros where it lies outside, and transformed there along both axes.
    With masked, numbers whose mask is False count as zeros too: the way back through a ReLU.
    """
    zero = a_prev.dtype.type(0)
    _, n_H, n_W, n_C = a_prev.shape
    d = np.empty((36, CHANNELS), a_prev.dtype)
    for t in range(first, last):
        m, y0, x0 = t // (n_i * n_j), t // n_j % n_i * 4 - top, t % n_j * 4 - left
        for c0 in range(0, n_C, CHANNELS):
            n = min(CHANNELS, n_C - c0)
            for r in range(6):
                for s in range(6):
                    y, x = y0 + r, x0 + s
                    if 0 <= y < n_H and 0 <= x < n_W:
                        pixel = a_prev[m, y, x, c0:]
                        if masked:
                            positive = mask[m, y, x, c0:]
                            for c in range(n):
                                d[6 * r + s, c] = pixel[c] if positive[c] else zero
                        else:
                            for c in range(n):
                                d[6 * r + s, c] = pixel[c]
                    else:
                        for c in range(n):
                            d[6 * r + s, c] = 0
            for s in range(6):
                _to_points(d, s, 6, n)
            for r in range(6):
                _to_points(d, 6 * r, 1, n)
            for p in range(36):
                point = V[order[p], t - origin, c0:]
                for c in range(n):
                    point[c] = d[p, c]


@kernel
def tiles_out(M, order, z, mask, b, relu, first, last, origin, n_i, n_j):
    """z = A^T M A + b for tiles first..last-1; with relu also a = max(z, 0), and where it is positive, into mask.

    M (36, tiles from origin on, n_C) -> into z (m, n_H, n_W, n_C); a tile that sticks out over the border is cut off.
    """
    _, n_H, n_W, n_C = z.shape
    d = np.empty((36, CHANNELS), M.dtype)
    zero = M.dtype.type(0)
    for t in range(first, last):
        m, y0, x0 = t // (n_i * n_j), t // n_j % n_i * 4, t % n_j * 4
        for c0 in range(0, n_C, CHANNELS):
            n, bias = min(CHANNELS, n_C - c0), b[c0:]
            for p in range(36):
                point = M[order[p], t - origin, c0:]
                for c in range(n):
                    d[p, c] = point[c]
            for s in range(6):
                _from_points(d, s, 6, n)
            for r in range(4):
                _from_points(d, 6 * r, 1, n)
            for r in range(min(4, n_H - y0)):
                for s in range(min(4, n_W - x0)):
                    pixel = z[m, y0 + r, x0 + s, c0:]
                    for c in range(n):
                        pixel[c] = d[6 * r + s, c] + bias[c]
                    if relu:
                        positive = mask[m, y0 + r, x0 + s, c0:]
                        for c in range(n):
                            positive[c] = pixel[c] > zero
                            pixel[c] = zero if pixel[c] <= zero else pixel[c]      # NaN stays NaN


@kernel
def tiles_spread(dz, Y, first, last, origin, n_i, n_j):
    """Y = A dz A^T for tiles first..last-1, the way back of tiles_out: 4x4 pixels of dz, into Y (36, tiles from origin on, n_C)."""
    _, n_H, n_W, n_C = dz.shape
    d = np.empty((36, CHANNELS), dz.dtype)
    for t in range(first, last):
        m, y0, x0 = t // (n_i * n_j), t // n_j % n_i * 4, t % n_j * 4
        for c0 in range(0, n_C, CHANNELS):
            n = min(CHANNELS, n_C - c0)
            for r in range(4):
                for s in range(4):
                    if y0 + r < n_H and x0 + s < n_W:
                        pixel = dz[m, y0 + r, x0 + s, c0:]
                        for c in range(n):
                            d[6 * r + s, c] = pixel[c]
                    else:
                        for c in range(n):
                            d[6 * r + s, c] = 0
            for r in range(4):
                _spread(d, 6 * r, 1, n)
            for s in range(6):
                _spread(d, s, 6, n)
            for p in range(36):
                point = Y[p, t - origin, c0:]
                for c in range(n):
                    point[c] = d[p, c]


def conv2d(a_prev, W, b, stride, pad, U=None, relu=False):
    """z as in loops.conv2d, for 3x3 filters and stride 1; U may be given, filters(W). With relu: (max(z, 0), z > 0)."""
    n_m, n_H_prev, n_W_prev, _ = a_prev.shape
    n_H, n_W = n_H_prev + pad[0] + pad[1] - 2, n_W_prev + pad[2] + pad[3] - 2
    z = arena.empty((n_m, n_H, n_W, W.shape[3]), a_prev.dtype)
    mask = arena.empty(z.shape, np.bool_) if relu else NO_MASK
    _convolve(a_prev, NO_MASK, W, U, False, b, z, mask, pad[0], pad[2])
    return (z, mask) if relu else z


def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev, U=None, mask=NO_MASK):
    """da_prev as in loops.conv2d_da_prev: dz under the flipped filters, in and out channels exchanged, padding 2 - pad.

    With a mask, dz counts only where it is True: dz is then da, and the ReLU's way back is made on the fly.
    """
    n_C_prev = W.shape[2]
    da_prev = arena.empty((len(dz), n_H_prev, n_W_prev, n_C_prev), dz.dtype)
    _convolve(dz, mask, W, U, True, np.zeros(n_C_prev, dz.dtype), da_prev, NO_MASK, 2 - pad[0], 2 - pad[2])
    return da_prev


def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dW as in loops.conv2d_dW, for 3x3 filters and stride 1: conv2d is linear in U, so the way back is made of transposes.

        z = A^T (V U) A      ->      dU = V^T (A dz A^T),   dW = G^T dU G

    A group of tiles at a time: its transforms are shared out by tiles, then its 36 products by points.
    """
    n_i, n_j = -(-dz.shape[1] // 4), -(-dz.shape[2] // 4)
    tiles, n_in, n_out = len(dz) * n_i * n_j, a_prev.shape[3], dz.shape[3]
    dU, dW = arena.empty((36, n_in, n_out), dz.dtype), np.empty((3, 3, n_in, n_out), dz.dtype)
    if tiles == 0:
        return np.zeros_like(dW)
    group = max(FEWEST_TILES, GROUP // (36 * (n_in + n_out) * dz.itemsize))
    V, Y = (arena.empty((36, min(group, tiles), n), dz.dtype) for n in (n_in, n_out))
    for origin, end in _cut(tiles, group):
        def transform(ends):
            tiles_in(a_prev, NO_MASK, False, V, AS_THEY_COME, *ends, origin, n_i, n_j, pad[0], pad[2])
            tiles_spread(dz, Y, *ends, origin, n_i, n_j)

        def multiply(points):
            V_T, Y_p = V[slice(*points), :end - origin].transpose(0, 2, 1), Y[slice(*points), :end - origin]
            if origin == 0:
                np.matmul(V_T, Y_p, out=dU[slice(*points)])
            else:
                dU[slice(*points)] += V_T @ Y_p

        threads.run(transform, [(origin + first, origin + last) for first, last in _cut(end - origin, -(-(end - origin) // 8))])
        threads.run(multiply, _cut(36, 3))
    threads.run(lambda ends: filters_from_points(dU, dW, G.astype(dz.dtype), *ends), _cut(n_in, 16))
    return dW


def _convolve(x, mask_in, W, U, back, b, z, mask_out, top, left):
    """z from x: transform, multiply, transform back. On the way `back` each point takes its reciprocal's filters, transposed.

    With mask_in, x counts only where it is True; with mask_out, z becomes max(z, 0) and the mask is written.
    """
    masked, relu, order = mask_in is not NO_MASK, mask_out is not NO_MASK, RECIPROCAL if back else AS_THEY_COME
    n_i, n_j = -(-z.shape[1] // 4), -(-z.shape[2] // 4)
    tiles, n_in, n_out = len(x) * n_i * n_j, x.shape[3], z.shape[3]
    tile_bytes = 36 * (n_in + n_out) * x.itemsize

    def strip(ends):
        first, last = ends
        V, M = (threads.buffer(name, 36 * (last - first) * n, x.dtype).reshape(36, last - first, n)
                for name, n in (("V", n_in), ("M", n_out)))
        tiles_in(x, mask_in, masked, V, order, first, last, first, n_i, n_j, top, left)
        np.matmul(V, U_all, out=M)                     # all 36 in one call: between calls threads wait for each other
        tiles_out(M, order, z, mask_out, b, relu, first, last, first, n_i, n_j)

    def multiply(where):
        i, columns = where
        points = slice(6 * i, 6 * i + 6)
        np.matmul(V[points], _six_points(W, U, back, i, *columns), out=M[points, :, slice(*columns)])

    if tiles * tile_bytes > SMALL:
        U_all = filters(W) if U is None else U
        U_all = U_all.transpose(0, 2, 1) if back else U_all
        return threads.run(strip, _cut(tiles, max(FEWEST_TILES, STRIP // tile_bytes)))
    V, M = (arena.empty((36, tiles, n), x.dtype) for n in (n_in, n_out))
    parts = _cut(tiles, -(-tiles // 8))
    threads.run(lambda ends: tiles_in(x, mask_in, masked, V, order, *ends, 0, n_i, n_j, top, left), parts)
    threads.run(multiply, [(i, columns) for i in range(6) for columns in _cut(n_out, -(-n_out // 2))])
    threads.run(lambda ends: tiles_out(M, order, z, mask_out, b, relu, *ends, 0, n_i, n_j), parts)


def _six_points(W, U, back, i, first, last):
    """Row i of the filters' points, for channels first..last-1 of the output: (6, n_in, last - first).

    If U is not at hand they are transformed here, into a buffer that stays in the cache until they are multiplied.
    """
    n_C_prev, n_C = W.shape[2:]
    channels = (first, last, 0, n_C) if back else (0, n_C_prev, first, last)
    if U is None:
        shape = 6, channels[1] - channels[0], channels[3] - channels[2]
        six = threads.buffer("U", math.prod(shape), W.dtype).reshape(shape)
        filters_to_points(_read_only(W), six, G.astype(W.dtype), i, *channels)
    else:
        six = U[6 * i:6 * i + 6, channels[0]:channels[1], channels[2]:channels[3]]
    return six.transpose(0, 2, 1) if back else six


def _cut(count, size):
    """(first, last) of consecutive parts of at most `size`."""
    return [(first, min(first + size, count)) for first in range(0, count, max(1, size))]
