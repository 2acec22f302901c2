"""A convolution is one matrix product, once every patch of the picture lies in a row of its own.

Rung 1 of the ladder. `im2col` copies the patch under each output position into a row of f_H f_W n_C_prev numbers; the
filters, reshaped, are a matrix of as many rows and n_C columns; their product is the convolution. The machine's BLAS
multiplies matrices near its peak, which the loops never reach: for VGG-19's layers 90 to 125 GFLOP/s on two cores, 50 to 170
times the loops (`python -m benchmarks.conv2d`). With only 3 channels it is 50.

The price is memory: a 3x3 convolution copies each pixel nine times, 0.6 GB for VGG-19's conv1_2 at 512x512. So the
positions are worked off in strips, cut by the shapes alone, whose patches stay in the processor's cache: never more than a
fixed budget is alive, whatever the picture. The package's threads share the strips; sums run in a fixed order.

Source: Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document processing", sec. 3.
"""

import numpy as np

from scratchnet.kernels import arena, pointwise, threads
from scratchnet.kernels.jit import kernel

BUDGET = 64 * 2 ** 20          # bytes of patches alive at a time; a strip takes 1/64, so that 64 threads keep to it
PARTS = 4                      # of a small map, so that two threads, or four, have as much to do
FEWEST_ROWS = 64               # of a strip: BLAS is slow on thinner ones
WIDEST = 1024                  # numbers in a patch that dW takes whole


@kernel
def im2col(a_prev, patches, first, n_H, n_W, f_H, f_W, stride, top, left):
    """The patches under output positions from `first` on, counted in reading order over (m, i, j), a row each.

    a_prev (m, n_H_prev, n_W_prev, n_C_prev) -> into patches (positions, f_H f_W n_C_prev)
    """
    _, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    numbers, width = a_prev.reshape(-1), f_W * n_C_prev
    for row in range(len(patches)):
        p = first + row
        m, i, j = p // (n_H * n_W), p // n_W % n_H, p % n_W
        x = j * stride - left
        before = min(max(0, -x), f_W) * n_C_prev       # of each row of the patch, what lies left of the picture,
        inside = max(before, min(f_W, n_W_prev - x) * n_C_prev)                     # and where its right border comes
        for u in range(f_H):
            y = i * stride + u - top
            cells = patches[row, u * width:]           # views: the compiler sees that q stays inside, and copies in vectors
            if 0 <= y < n_H_prev:
                for q in range(before):
                    cells[q] = 0
                source, target = numbers[((m * n_H_prev + y) * n_W_prev + x) * n_C_prev + before:], cells[before:]
                for q in range(inside - before):
                    target[q] = source[q]
                for q in range(inside, width):
                    cells[q] = 0
            else:
                for q in range(width):
                    cells[q] = 0


@kernel
def col2im_add(dpatches, da_prev, first, y_first, y_last, n_H, n_W, f_H, f_W, stride, top, left):
    """The way back of im2col: adds each patch's gradient to the pixels it was copied from, if in rows y_first..y_last-1."""
    _, n_H_prev, n_W_prev, n_C_prev = da_prev.shape
    numbers, width = da_prev.reshape(-1), f_W * n_C_prev
    for row in range(len(dpatches)):
        p = first + row
        m, i, j = p // (n_H * n_W), p // n_W % n_H, p % n_W
        x = j * stride - left
        before = min(max(0, -x), f_W) * n_C_prev
        inside = max(before, min(f_W, n_W_prev - x) * n_C_prev)
        for u in range(f_H):
            y = i * stride + u - top
            if y_first <= y < y_last:
                source = dpatches[row, u * width + before:]
                target = numbers[((m * n_H_prev + y) * n_W_prev + x) * n_C_prev + before:]
                for q in range(inside - before):
                    target[q] += source[q]


def strip_rows(row_bytes):
    """How many rows of patches a strip has."""
    return max(FEWEST_ROWS, BUDGET // 64 // row_bytes)


def strips(positions, row_bytes, at_least=1):
    """(first, last) of each strip of positions; `at_least` so many, to be shared out, where none becomes thinner than FEWEST_ROWS."""
    rows = max(FEWEST_ROWS, min(strip_rows(row_bytes), -(-positions // at_least)))
    return [(first, min(first + rows, positions)) for first in range(0, positions, rows)]


def _nothing_to_copy(f_H, f_W, stride, pad):
    """A 1x1 filter at stride 1 sees each pixel once: the picture is the matrix of its patches."""
    return f_H == f_W == stride == 1 and not any(pad)


def _patches(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad):
    """im2col into a buffer that this thread keeps, or a view where there is nothing to copy."""
    n_C_prev = a_prev.shape[3]
    if _nothing_to_copy(f_H, f_W, stride, pad) and a_prev.shape[1:3] == (n_H, n_W):
        return a_prev.reshape(-1, n_C_prev)[first:last]
    width = f_H * f_W * n_C_prev
    patches = threads.buffer("patches", (last - first) * width, a_prev.dtype).reshape(last - first, width)
    im2col(a_prev, patches, first, n_H, n_W, f_H, f_W, stride, pad[0], pad[2])
    return patches


def conv2d(a_prev, W, b, stride, pad, relu=False, alpha=None):
    """z = patches(a_prev) W + b; arguments and result as in loops.conv2d. With relu: (max(z, 0), z > 0); with alpha a PReLU's."""
    n_m, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    f_H, f_W, _, n_C = W.shape
    n_H = (n_H_prev + pad[0] + pad[1] - f_H) // stride + 1
    n_W = (n_W_prev + pad[2] + pad[3] - f_W) // stride + 1
    W = W.reshape(-1, n_C)
    z = arena.empty((n_m * n_H * n_W, n_C), a_prev.dtype)
    bent = relu or alpha is not None
    mask = arena.empty(z.shape, np.bool_) if bent else None

    def strip(ends):
        first, last = ends
        np.matmul(_patches(a_prev, first, last, n_H, n_W, f_H, f_W, stride, pad), W, out=z[first:last])
        if relu:                                       # while the strip is still in the cache
            pointwise.add_bias_relu(z[first:last], b, mask[first:last])
        elif bent:
            pointwise.add_bias_bend(z[first:last], b, alpha, mask[first:last])
        else:
            pointwise.add_bias(z[first:last], b)

    threads.run(strip, strips(len(z), max(len(W), n_C) * a_prev.itemsize, PARTS))
    shape = (n_m, n_H, n_W, n_C)
    return (z.reshape(shape), mask.reshape(shape)) if bent else z.reshape(shape)


def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """dpatches = dz W^T, added back to the pixels; arguments and result as in loops.conv2d_da_prev.

    Work is shared out in bands of da_prev's rows: a thread takes every patch that reaches into its band and keeps only
    what falls there, so that no two threads add to the same pixel.
    """
    n_m, n_H, n_W, n_C = dz.shape
    f_H, f_W, n_C_prev, _ = W.shape
    W, dz = W.reshape(-1, n_C), dz.reshape(-1, n_C)
    if _nothing_to_copy(f_H, f_W, stride, pad):
        da_prev = arena.empty((len(dz), n_C_prev), dz.dtype)
        threads.run(lambda ends: np.matmul(dz[slice(*ends)], W.T, out=da_prev[slice(*ends)]), strips(len(dz), n_C * dz.itemsize, PARTS))
        return da_prev.reshape(n_m, n_H, n_W, n_C_prev)
    da_prev = arena.zeros((n_m, n_H_prev, n_W_prev, n_C_prev), dz.dtype)
    rows = strip_rows(W.shape[0] * dz.itemsize)
    high = max(f_H, rows // n_W * stride)              # rows of da_prev in a band

    def band(place):
        m, y_first = place
        y_last = min(y_first + high, n_H_prev)
        i_first = max(0, -(-(y_first + pad[0] - f_H + 1) // stride))
        i_last = min(n_H, (y_last - 1 + pad[0]) // stride + 1)
        for first in range((m * n_H + i_first) * n_W, (m * n_H + i_last) * n_W, rows):
            last = min(first + rows, (m * n_H + i_last) * n_W)
            dpatches = threads.buffer("patches", (last - first) * len(W), dz.dtype).reshape(last - first, len(W))
            np.matmul(dz[first:last], W.T, out=dpatches)
            col2im_add(dpatches, da_prev, first, y_first, y_last, n_H, n_W, f_H, f_W, stride, pad[0], pad[2])

    threads.run(band, [(m, y) for m in range(n_m) for y in range(0, n_H_prev, high)])
    return da_prev


def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dW = patches(a_prev)^T dz, summed over strips in a fixed order; arguments and result as in loops.conv2d_dW.

    A unit of work is a chunk of the positions and some rows u of the filter; the chunks' sums are added in order.
    """
    _, n_H, n_W, n_C = dz.shape
    n_C_prev, dz = a_prev.shape[3], dz.reshape(-1, n_C)
    width = f_W * n_C_prev
    high = f_H if f_H * width <= WIDEST else 1         # rows of the filter at once: all of a small one
    chunks = max(1, min(8, BUDGET // (f_H * width * n_C * dz.itemsize), len(dz) // FEWEST_ROWS))
    sums = np.zeros((chunks, f_H, width, n_C), dz.dtype)
    positions = -(-len(dz) // chunks)

    def unit(where):
        chunk, u = where
        low, top = chunk * positions, min((chunk + 1) * positions, len(dz))
        for first, last in strips(top - low, high * width * dz.itemsize):
            patches = _patches(a_prev, low + first, low + last, n_H, n_W, high, f_W, stride, (pad[0] - u, 0, pad[2], pad[3]))
            sums[chunk, u:u + high].reshape(-1, n_C)[:] += patches.T @ dz[low + first:low + last]

    threads.run(unit, [(chunk, u) for chunk in range(chunks) for u in range(0, f_H, high)])
    return sum(sums[1:], start=sums[0]).reshape(f_H, f_W, n_C_prev, n_C)


def matmul(A, B):
    """A B, for the dense layer and the style matrix: the other two matrix products of the lecture.

    Cut by the shapes: along the sum where it is long (A^T A over all positions), the parts added in order; else by rows.
    """
    (rows, inner), columns = A.shape, B.shape[1]
    if rows * inner * columns < 2 ** 20:
        parts = 1
    elif inner > 4 * rows:
        parts = max(1, min(16, inner // 256))
        size = -(-inner // parts)
        products = [None] * parts
        threads.run(lambda k: products.__setitem__(k, A[:, k * size:(k + 1) * size] @ B[k * size:(k + 1) * size]), range(parts))
        return sum(products[1:], start=products[0])
    else:
        parts = max(1, min(16, rows // FEWEST_ROWS))
    product, size = arena.empty((rows, columns), np.result_type(A, B)), -(-rows // parts)
    threads.run(lambda k: np.matmul(A[k * size:(k + 1) * size], B, out=product[k * size:(k + 1) * size]), range(parts))
    return product
