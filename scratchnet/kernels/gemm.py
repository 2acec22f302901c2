"""A convolution is one matrix product, once every patch of the picture lies in a row of its own.

Rung 1 of the ladder. `im2col` copies the patch under each output position into a row of f_H f_W n_C_prev numbers; the
filters, reshaped, are a matrix of as many rows and n_C columns; their product is the convolution. The machine's BLAS
multiplies matrices near its peak, which the loops never reach: some 40 times faster than rung 0 for VGG's layers.

The price is memory: a 3x3 convolution copies each pixel nine times, 1.1 GB for VGG-19's conv1_2 at 512x512. So the
positions are worked off in strips whose patches never take more than a fixed budget, whatever the picture.
Strips are cut by the shapes alone, and sums over strips run in order.

Source: Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document processing", sec. 3.
"""

import numpy as np

from scratchnet.kernels.jit import kernel

BUDGET = 64 * 2 ** 20          # bytes of patches alive at a time
FEWEST_ROWS = 64               # of a strip: BLAS is slow on thinner ones


@kernel
def im2col(a_prev, first, last, n_H, n_W, f_H, f_W, stride, top, left):
    """The patches under output positions first..last-1, counted in reading order over (m, i, j), a row each.

    (m, n_H_prev, n_W_prev, n_C_prev) -> (last - first, f_H f_W n_C_prev)
    """
    _, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    patches = np.empty((last - first, f_H * f_W * n_C_prev), a_prev.dtype)
    for p in range(first, last):
        m, i, j = p // (n_H * n_W), p // n_W % n_H, p % n_W
        q = 0
        for u in range(f_H):
            y = i * stride + u - top
            for v in range(f_W):
                x = j * stride + v - left
                if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                    for c in range(n_C_prev):
                        patches[p - first, q + c] = a_prev[m, y, x, c]
                else:
                    for c in range(n_C_prev):
                        patches[p - first, q + c] = 0
                q += n_C_prev
    return patches


@kernel
def col2im_add(dpatches, da_prev, first, n_H, n_W, f_H, f_W, stride, top, left):
    """The way back of im2col: adds each patch's gradient to the pixels it was copied from, in place into da_prev."""
    _, n_H_prev, n_W_prev, n_C_prev = da_prev.shape
    for row in range(len(dpatches)):
        p = first + row
        m, i, j = p // (n_H * n_W), p // n_W % n_H, p % n_W
        q = 0
        for u in range(f_H):
            y = i * stride + u - top
            for v in range(f_W):
                x = j * stride + v - left
                if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                    for c in range(n_C_prev):
                        da_prev[m, y, x, c] += dpatches[row, q + c]
                q += n_C_prev


def strips(positions, row_bytes):
    """(first, last) of each strip of positions whose rows of patches fit the budget."""
    rows = max(FEWEST_ROWS, BUDGET // row_bytes)
    return [(first, min(first + rows, positions)) for first in range(0, positions, rows)]


def _patches(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad):
    """im2col, or a view where there is nothing to copy: a 1x1 filter at stride 1 sees each pixel once."""
    if f_H == f_W == stride == 1 and not any(pad):
        return a_prev.reshape(-1, a_prev.shape[3])[first:last]
    return im2col(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad[0], pad[2])


def conv2d(a_prev, W, b, stride, pad):
    """z = patches(a_prev) W + b; arguments and result as in loops.conv2d."""
    n_m, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    f_H, f_W, _, n_C = W.shape
    n_H = (n_H_prev + pad[0] + pad[1] - f_H) // stride + 1
    n_W = (n_W_prev + pad[2] + pad[3] - f_W) // stride + 1
    W = W.reshape(-1, n_C)
    z = np.empty((n_m * n_H * n_W, n_C), a_prev.dtype)
    for first, last in strips(len(z), W.shape[0] * a_prev.itemsize):
        patches = _patches(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad)
        np.matmul(patches, W, out=z[first:last])
        z[first:last] += b
    return z.reshape(n_m, n_H, n_W, n_C)


def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """dpatches = dz W^T, added back to the pixels; arguments and result as in loops.conv2d_da_prev."""
    n_m, n_H, n_W, n_C = dz.shape
    f_H, f_W, n_C_prev, _ = W.shape
    W, dz = W.reshape(-1, n_C), dz.reshape(-1, n_C)
    da_prev = np.zeros((n_m, n_H_prev, n_W_prev, n_C_prev), dz.dtype)
    for first, last in strips(len(dz), W.shape[0] * dz.itemsize):
        col2im_add(dz[first:last] @ W.T, da_prev, first, n_H, n_W, f_H, f_W, stride, pad[0], pad[2])
    return da_prev


def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dW = patches(a_prev)^T dz, summed over the strips; arguments and result as in loops.conv2d_dW."""
    _, n_H, n_W, n_C = dz.shape
    n_C_prev, dz = a_prev.shape[3], dz.reshape(-1, n_C)
    dW = np.zeros((f_H * f_W * n_C_prev, n_C), dz.dtype)
    for first, last in strips(len(dz), dW.shape[0] * dz.itemsize):
        dW += _patches(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad).T @ dz[first:last]
    return dW.reshape(f_H, f_W, n_C_prev, n_C)


def conv2d_db(dz):
    """db = the sum of dz over pictures and positions, as in loops.conv2d_db."""
    return dz.sum(axis=(0, 1, 2))


def matmul(A, B):
    """A B, for the dense layer and the style matrix: the other two matrix products of the lecture."""
    return A @ B
