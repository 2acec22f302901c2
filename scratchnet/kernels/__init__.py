"""Which kernel runs: this file alone decides. Arrays and numbers in, arrays out; shapes were checked by the layer.

    loops.py      every kernel as its definition, compiled
    gemm.py       convolution as a matrix product over patches
    winograd.py   3x3 convolution at stride 1 with a quarter of the multiplications
    pooling.py    max pooling, a pixel's channels at a time
    threads.py, arena.py, jit.py    the threads, the memory and the compiler that all of them share
    cache.py, selftest.py           where compiled kernels are kept · all of them against the loops, here and now

`a_prev`, `W`, `dz` must be of one float type. Arrays are made contiguous and writable here, once, because numba would
compile every other kind of array again. `kept` is a dict in which a frozen layer keeps its transformed filters; a layer
in training passes None, and filters are transformed at every call.
"""

import numpy as np

from scratchnet.kernels import arena, gemm, loops, pooling, winograd


def _plain(a):
    """The array itself if it lies in memory as kernels want it, else a copy that does."""
    return a if a.flags.c_contiguous and a.flags.writeable else np.array(a, order="C")


def _winograd_pays(W, stride, pad):
    """Measured: below some eight channels on either side the transforms cost more than the multiplications they save."""
    return W.shape[:2] == (3, 3) and stride == 1 and min(W.shape[2:]) >= 8 and max(pad) <= 2


def _filters(W, kept):
    """The transformed filters: kept ones if there are any, new ones else."""
    if kept is None or W.flags.writeable:             # whoever can write W can make the kept ones wrong
        return winograd.filters(W)
    if kept.get("W") is not W:
        kept["W"], kept["U"] = W, winograd.filters(W)
    return kept["U"]


def conv2d(a_prev, W, b, stride, pad, kept=None):
    """z = W * a_prev + b. See loops.conv2d."""
    if _winograd_pays(W, stride, pad):
        return winograd.conv2d(_plain(a_prev), W, _plain(b), stride, pad, _filters(W, kept))
    return gemm.conv2d(_plain(a_prev), np.ascontiguousarray(W), b, stride, pad)


def conv2d_relu(a_prev, W, b, stride, pad, kept=None):
    """max(z, 0) and z > 0, for a z that nobody else asks for."""
    if _winograd_pays(W, stride, pad):
        return winograd.conv2d(_plain(a_prev), W, _plain(b), stride, pad, _filters(W, kept), relu=True)
    z = gemm.conv2d(_plain(a_prev), np.ascontiguousarray(W), b, stride, pad)
    return np.maximum(z, 0, out=z), z > 0


def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev, kept=None):
    """dJ/da_prev of conv2d. See loops.conv2d_da_prev."""
    if _winograd_pays(W, stride, pad):
        return winograd.conv2d_da_prev(_plain(dz), W, stride, pad, n_H_prev, n_W_prev, _filters(W, kept))
    return gemm.conv2d_da_prev(_plain(dz), np.ascontiguousarray(W), stride, pad, n_H_prev, n_W_prev)


def conv2d_relu_da_prev(da, mask, W, stride, pad, n_H_prev, n_W_prev, kept=None):
    """dJ/da_prev of a convolution and the ReLU behind it, whose mask says where z was positive."""
    if _winograd_pays(W, stride, pad):
        return winograd.conv2d_da_prev(_plain(da), W, stride, pad, n_H_prev, n_W_prev, _filters(W, kept), _plain(mask))
    return conv2d_da_prev(relu_dz(da, mask), W, stride, pad, n_H_prev, n_W_prev)


def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dJ/dW of conv2d. See loops.conv2d_dW."""
    return gemm.conv2d_dW(_plain(a_prev), _plain(dz), stride, pad, f_H, f_W)


def conv2d_db(dz):
    """dJ/db of conv2d. See loops.conv2d_db."""
    return gemm.conv2d_db(dz)


def plus(a, b):
    """a + b, two gradients that meet at one layer."""
    return np.add(a, b, out=arena.empty(a.shape, np.result_type(a, b)))


def relu_dz(da, mask):
    """dJ/dz of a ReLU: da where z was positive, else 0."""
    return np.multiply(da, mask, out=arena.empty(da.shape, da.dtype))


def depthwise_conv2d(a_prev, W, b, stride, pad):
    """One filter a channel. See loops.depthwise_conv2d."""
    return loops.depthwise_conv2d(_plain(a_prev), _plain(W), _plain(b), stride, pad)


def depthwise_conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of depthwise_conv2d."""
    return loops.depthwise_conv2d_da_prev(_plain(dz), _plain(W), stride, pad, n_H_prev, n_W_prev)


def depthwise_conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dJ/dW of depthwise_conv2d."""
    return loops.depthwise_conv2d_dW(_plain(a_prev), _plain(dz), stride, pad, f_H, f_W)


def max_pool(a_prev, f_H, f_W, stride, pad):
    """The largest of each window, and which it was. See loops.max_pool."""
    return pooling.max_pool(_plain(a_prev), f_H, f_W, stride, pad)


def max_pool_da_prev(da, winner, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of max_pool."""
    return pooling.max_pool_da_prev(_plain(da), _plain(winner), f_H, f_W, stride, pad, n_H_prev, n_W_prev)


def avg_pool(a_prev, f_H, f_W, stride, pad):
    """The mean of each window. See loops.avg_pool."""
    return loops.avg_pool(_plain(a_prev), f_H, f_W, stride, pad)


def avg_pool_da_prev(da, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of avg_pool."""
    return loops.avg_pool_da_prev(_plain(da), f_H, f_W, stride, pad, n_H_prev, n_W_prev)


def l2_pool(a_prev, f_H, f_W, stride, pad):
    """The length of each window. See loops.l2_pool."""
    return loops.l2_pool(_plain(a_prev), f_H, f_W, stride, pad)


def l2_pool_da_prev(da, a_prev, a, f_H, f_W, stride, pad):
    """dJ/da_prev of l2_pool."""
    return loops.l2_pool_da_prev(_plain(da), _plain(a_prev), _plain(a), f_H, f_W, stride, pad)


def matmul(A, B):
    """A B, of the dense layer and of the style matrix."""
    return gemm.matmul(A, B)
