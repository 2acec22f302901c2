"""Which kernel runs: this file alone decides. Arrays and numbers in, arrays out; shapes were checked by the layer.

    loops.py      every kernel as its definition, compiled
    gemm.py       convolution as a matrix product over patches
    winograd.py   3x3 convolution at stride 1 with a quarter of the multiplications
    depthwise.py  one filter a channel, a pixel's channels at a time
    pooling.py    windows: the largest, the mean, the length; the strongest place of a map
    batchnorm.py  mean and variance of channels, and the way back through both
    pointwise.py  ReLU, PReLU, bias, sums over positions: what is bound by memory
    threads.py, arena.py, jit.py    the threads, the memory and the compiler that all of them share
    cache.py, selftest.py           where compiled kernels are kept · all of them against the loops, here and now

`a_prev`, `W`, `dz` must be of one float type. Arrays are made contiguous and writable here, once, because numba would
compile every other kind of array again. `kept` is a dict in which a frozen layer keeps its transformed filters; a layer
in training passes None, and filters are transformed at every call.
"""

import numpy as np

from scratchnet.kernels import arena, batchnorm as batches, depthwise, gemm, loops, pointwise, pooling, winograd


KEPT = 16 * 2 ** 20            # bytes of transformed filters that a frozen layer keeps for a picture of any size
FEW_TILES = 400                # for a picture of at most so many tiles it keeps larger ones too


def _plain(a):
    """The array itself if it lies in memory as kernels want it, else a copy that does."""
    return a if a.flags.c_contiguous and a.flags.writeable else np.array(a, order="C")


def _winograd_pays(f_H, f_W, n_C_prev, n_C, stride, pad):
    """Measured: below some eight channels on either side the transforms cost more than the multiplications they save."""
    return f_H == f_W == 3 and stride == 1 and min(n_C_prev, n_C) >= 8 and max(pad) <= 2


def filters_size(W):
    """Bytes of a layer's transformed filters; 0 where none are used."""
    return 4 * W.nbytes if _winograd_pays(*W.shape, 1, (1, 1)) else 0


def keeps_filters(W, shape):
    """Whether a frozen layer keeps its transformed filters, given the shape of its pictures.

    Those of VGG-19's deep layers are a fifth of the memory of a step at 384x512, and to make them again, forward and back, a tenth of
    its time; of a larger picture both are less, and memory is what it lacks.
    """
    tiles = shape[0] * -(-shape[1] // 4) * -(-shape[2] // 4)
    return filters_size(W) <= KEPT or tiles <= FEW_TILES


def _filters(W, kept, shape):
    """The transformed filters if they are kept, or None: then they are made where they are needed."""
    if kept is None or W.flags.writeable or not keeps_filters(W, shape):      # whoever can write W can make kept ones wrong
        return None
    if kept.get("W") is not W:
        kept["U"] = winograd.filters(W)                # before W: another thread that finds W finds U
        kept["W"] = W
    return kept["U"]


def conv2d(a_prev, W, b, stride, pad, kept=None):
    """z = W * a_prev + b. See loops.conv2d."""
    if _winograd_pays(*W.shape, stride, pad):
        return winograd.conv2d(_plain(a_prev), W, _plain(b), stride, pad, _filters(W, kept, a_prev.shape))
    return gemm.conv2d(_plain(a_prev), np.ascontiguousarray(W), _plain(b), stride, pad)


def conv2d_relu(a_prev, W, b, stride, pad, kept=None):
    """max(z, 0) and z > 0, for a z that nobody else asks for."""
    if _winograd_pays(*W.shape, stride, pad):
        return winograd.conv2d(_plain(a_prev), W, _plain(b), stride, pad, _filters(W, kept, a_prev.shape), relu=True)
    return gemm.conv2d(_plain(a_prev), np.ascontiguousarray(W), _plain(b), stride, pad, relu=True)


def conv2d_prelu(a_prev, W, b, stride, pad, alpha, kept=None):
    """z where it is positive, else alpha_k z; and where it is positive: for a z that nobody else asks for."""
    if _winograd_pays(*W.shape, stride, pad):
        z = winograd.conv2d(_plain(a_prev), W, _plain(b), stride, pad, _filters(W, kept, a_prev.shape))
        a, mask = pointwise.prelu(z.reshape(-1, z.shape[3]), _plain(alpha))
        return a.reshape(z.shape), mask.reshape(z.shape)
    return gemm.conv2d(_plain(a_prev), np.ascontiguousarray(W), _plain(b), stride, pad, alpha=_plain(alpha))


def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev, kept=None):
    """dJ/da_prev of conv2d. See loops.conv2d_da_prev."""
    if _winograd_pays(*W.shape, stride, pad):
        return winograd.conv2d_da_prev(_plain(dz), W, stride, pad, n_H_prev, n_W_prev, _filters(W, kept, dz.shape))
    return gemm.conv2d_da_prev(_plain(dz), np.ascontiguousarray(W), stride, pad, n_H_prev, n_W_prev)


def conv2d_relu_da_prev(da, mask, W, stride, pad, n_H_prev, n_W_prev, kept=None):
    """dJ/da_prev of a convolution and the ReLU behind it, whose mask says where z was positive."""
    if _winograd_pays(*W.shape, stride, pad):
        return winograd.conv2d_da_prev(_plain(da), W, stride, pad, n_H_prev, n_W_prev, _filters(W, kept, da.shape), _plain(mask))
    return conv2d_da_prev(relu_dz(da, mask), W, stride, pad, n_H_prev, n_W_prev)


def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dJ/dW of conv2d. See loops.conv2d_dW."""
    if _winograd_pays(f_H, f_W, a_prev.shape[3], dz.shape[3], stride, pad):
        return winograd.conv2d_dW(_plain(a_prev), _plain(dz), stride, pad, f_H, f_W)
    return gemm.conv2d_dW(_plain(a_prev), _plain(dz), stride, pad, f_H, f_W)


def conv2d_db(dz):
    """dJ/db of conv2d. See loops.conv2d_db."""
    return pointwise.conv2d_db(_plain(dz))


def trim():
    """Gives memory that Python has freed back to the system: once, before long work."""
    arena.trim()


def plus(a, b):
    """a + b, two gradients that meet at one layer."""
    return np.add(a, b, out=arena.empty(a.shape, np.result_type(a, b)))


def relu_dz(da, mask):
    """dJ/dz of a ReLU: da where z was positive, else 0."""
    return pointwise.relu_dz(_plain(da), _plain(mask))


def prelu(z, alpha):
    """z where it is positive, else alpha_k z; and where. See loops.prelu.   z (positions, n_C)"""
    return pointwise.prelu(_plain(z), _plain(alpha))


def prelu_dz(da, mask, alpha):
    """dJ/dz of prelu."""
    return pointwise.prelu_dz(_plain(da), _plain(mask), _plain(alpha))


def prelu_dalpha(da, z):
    """dJ/dalpha of prelu."""
    return pointwise.prelu_dalpha(_plain(da), _plain(z))


def batchnorm_moments(a):
    """Mean and variance of each channel, in float64. See loops.batchnorm_moments.   a (n, n_C)"""
    return batches.batchnorm_moments(_plain(a))


def batchnorm(a_prev, mean, rate, gamma, beta):
    """z and a_hat. See loops.batchnorm.   a_prev (n, n_C), the others (n_C,)"""
    return batches.batchnorm(_plain(a_prev), *map(_plain, (mean, rate, gamma, beta)))


def batchnorm_sums(dz, a_hat):
    """dJ/dbeta and dJ/dgamma, in float64. See loops.batchnorm_sums."""
    return batches.batchnorm_sums(_plain(dz), _plain(a_hat))


def batchnorm_da_prev(dz, a_hat, scale, mean_dz, mean_product):
    """dJ/da_prev of a batch that was normalised by its own mean and variance. See loops.batchnorm_da_prev."""
    return batches.batchnorm_da_prev(_plain(dz), _plain(a_hat), *map(_plain, (scale, mean_dz, mean_product)))


def depthwise_conv2d(a_prev, W, b, stride, pad):
    """One filter a channel. See loops.depthwise_conv2d."""
    return depthwise.depthwise_conv2d(_plain(a_prev), _plain(W), _plain(b), stride, pad)


def depthwise_conv2d_prelu(a_prev, W, b, stride, pad, alpha):
    """depthwise_conv2d bent by alpha where it is not positive; and where it is."""
    return depthwise.depthwise_conv2d_prelu(_plain(a_prev), _plain(W), _plain(b), stride, pad, _plain(alpha))


def depthwise_conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of depthwise_conv2d."""
    return depthwise.depthwise_conv2d_da_prev(_plain(dz), _plain(W), stride, pad, n_H_prev, n_W_prev)


def depthwise_conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dJ/dW of depthwise_conv2d."""
    return depthwise.depthwise_conv2d_dW(_plain(a_prev), _plain(dz), stride, pad, f_H, f_W)


def max_pool(a_prev, f_H, f_W, stride, pad):
    """The largest of each window, and which it was. See loops.max_pool."""
    return pooling.max_pool(_plain(a_prev), f_H, f_W, stride, pad)


def max_pool_da_prev(da, winner, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of max_pool."""
    return pooling.max_pool_da_prev(_plain(da), _plain(winner), f_H, f_W, stride, pad, n_H_prev, n_W_prev)


def max_place(a):
    """The largest of each channel of a map, and where it is. See loops.max_place."""
    return pooling.max_place(_plain(a))


def _pooling(f_H, f_W):
    """Sums over large windows, which are rare, lose digits in float32: the loops add them up in float64."""
    return pooling if f_H * f_W <= 64 else loops


def avg_pool(a_prev, f_H, f_W, stride, pad):
    """The mean of each window. See loops.avg_pool."""
    return _pooling(f_H, f_W).avg_pool(_plain(a_prev), f_H, f_W, stride, pad)


def avg_pool_da_prev(da, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """dJ/da_prev of avg_pool."""
    return _pooling(f_H, f_W).avg_pool_da_prev(_plain(da), f_H, f_W, stride, pad, n_H_prev, n_W_prev)


def l2_pool(a_prev, f_H, f_W, stride, pad):
    """The length of each window. See loops.l2_pool."""
    return _pooling(f_H, f_W).l2_pool(_plain(a_prev), f_H, f_W, stride, pad)


def l2_pool_da_prev(da, a_prev, a, f_H, f_W, stride, pad):
    """dJ/da_prev of l2_pool."""
    return _pooling(f_H, f_W).l2_pool_da_prev(_plain(da), _plain(a_prev), _plain(a), f_H, f_W, stride, pad)


def matmul(A, B):
    """A B, of the dense layer and of the style matrix."""
    return gemm.matmul(A, B)
