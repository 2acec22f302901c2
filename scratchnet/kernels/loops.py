"""Every kernel as its definition: the loops one would write on the board, compiled.

This file is the truth that the fast kernels are tested against, and it is meant to be read. One letter an index:

    m  picture      i, j  row, column of the output      k  channel of the output
                    u, v  row, column of the filter      c  channel of the input

Rung 0 of the ladder: 0.6 to 2 GFLOP/s on one core for VGG-19's layers, where the same loops in pure Python make 0.003.
`conv2d.py_func` is the same function uncompiled, to step through. (`python -m benchmarks.conv2d` prints all rungs.)

`pad` is (top, bottom, left, right) in pixels; what lies outside the picture is zero. Sums run in float64 whatever the
arrays' type, so that the definition is the most exact of all versions.
Source: course 4, week 1 (convolution, padding, strided convolution, pooling).
"""

import numpy as np

from scratchnet.kernels.jit import kernel


@kernel
def conv2d(a_prev, W, b, stride, pad):
    """z_{mijk} = b_k + sum_{uvc} a_prev_{m, i s + u - p, j s + v - p, c} W_{uvck}

    (m, n_H_prev, n_W_prev, n_C_prev), (f_H, f_W, n_C_prev, n_C), (n_C,) -> (m, n_H, n_W, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    f_H, f_W, _, n_C = W.shape
    top, bottom, left, right = pad
    n_H = (n_H_prev + top + bottom - f_H) // stride + 1
    n_W = (n_W_prev + left + right - f_W) // stride + 1
    z = np.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    total = 0.0
                    for u in range(f_H):
                        for v in range(f_W):
                            y, x = i * stride + u - top, j * stride + v - left
                            if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                for c in range(n_C_prev):
                                    total += a_prev[m, y, x, c] * W[u, v, c, k]
                    z[m, i, j, k] = total + b[k]
    return z


@kernel
def conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """da_prev_{m y x c} = sum over every (i, j, k, u, v) through which that pixel was read, of dz_{mijk} W_{uvck}

    Each output sends its gradient back along the path it came. (m, n_H, n_W, n_C) -> (m, n_H_prev, n_W_prev, n_C_prev)
    """
    n_m, n_H, n_W, n_C = dz.shape
    f_H, f_W, n_C_prev, _ = W.shape
    top, _, left, _ = pad
    da_prev = np.zeros((n_m, n_H_prev, n_W_prev, n_C_prev), dz.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for u in range(f_H):
                    for v in range(f_W):
                        y, x = i * stride + u - top, j * stride + v - left
                        if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                            for c in range(n_C_prev):
                                total = 0.0
                                for k in range(n_C):
                                    total += dz[m, i, j, k] * W[u, v, c, k]
                                da_prev[m, y, x, c] += total
    return da_prev


@kernel
def conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dW_{uvck} = sum_{mij} a_prev_{m, i s + u - p, j s + v - p, c} dz_{mijk}: what the filter saw, times what was asked of it.

    (m, n_H_prev, n_W_prev, n_C_prev), (m, n_H, n_W, n_C) -> (f_H, f_W, n_C_prev, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C_prev = a_prev.shape
    _, n_H, n_W, n_C = dz.shape
    top, _, left, _ = pad
    dW = np.zeros((f_H, f_W, n_C_prev, n_C), dz.dtype)
    for u in range(f_H):
        for v in range(f_W):
            for c in range(n_C_prev):
                for k in range(n_C):
                    total = 0.0
                    for m in range(n_m):
                        for i in range(n_H):
                            for j in range(n_W):
                                y, x = i * stride + u - top, j * stride + v - left
                                if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                    total += a_prev[m, y, x, c] * dz[m, i, j, k]
                    dW[u, v, c, k] = total
    return dW


@kernel
def conv2d_db(dz):
    """db_k = sum_{mij} dz_{mijk}: the bias is read at every position.   (m, n_H, n_W, n_C) -> (n_C,)"""
    n_m, n_H, n_W, n_C = dz.shape
    db = np.zeros(n_C, np.float64)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    db[k] += dz[m, i, j, k]
    return db.astype(dz.dtype)


@kernel
def depthwise_conv2d(a_prev, W, b, stride, pad):
    """z_{mijk} = b_k + sum_{uv} a_prev_{m, i s + u - p, j s + v - p, k} W_{uvk}: each channel has its own filter.

    (m, n_H_prev, n_W_prev, n_C), (f_H, f_W, n_C), (n_C,) -> (m, n_H, n_W, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    f_H, f_W, _ = W.shape
    top, bottom, left, right = pad
    n_H = (n_H_prev + top + bottom - f_H) // stride + 1
    n_W = (n_W_prev + left + right - f_W) // stride + 1
    z = np.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    total = 0.0
                    for u in range(f_H):
                        for v in range(f_W):
                            y, x = i * stride + u - top, j * stride + v - left
                            if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                total += a_prev[m, y, x, k] * W[u, v, k]
                    z[m, i, j, k] = total + b[k]
    return z


@kernel
def depthwise_conv2d_da_prev(dz, W, stride, pad, n_H_prev, n_W_prev):
    """da_prev_{m y x k} = sum over every (i, j, u, v) through which that pixel was read, of dz_{mijk} W_{uvk}

    (m, n_H, n_W, n_C), (f_H, f_W, n_C) -> (m, n_H_prev, n_W_prev, n_C)
    """
    n_m, n_H, n_W, n_C = dz.shape
    f_H, f_W, _ = W.shape
    top, _, left, _ = pad
    da_prev = np.zeros((n_m, n_H_prev, n_W_prev, n_C), dz.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for u in range(f_H):
                    for v in range(f_W):
                        y, x = i * stride + u - top, j * stride + v - left
                        if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                            for k in range(n_C):
                                da_prev[m, y, x, k] += dz[m, i, j, k] * W[u, v, k]
    return da_prev


@kernel
def depthwise_conv2d_dW(a_prev, dz, stride, pad, f_H, f_W):
    """dW_{uvk} = sum_{mij} a_prev_{m, i s + u - p, j s + v - p, k} dz_{mijk}

    (m, n_H_prev, n_W_prev, n_C), (m, n_H, n_W, n_C) -> (f_H, f_W, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    _, n_H, n_W, _ = dz.shape
    top, _, left, _ = pad
    dW = np.zeros((f_H, f_W, n_C), np.float64)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for u in range(f_H):
                    for v in range(f_W):
                        y, x = i * stride + u - top, j * stride + v - left
                        if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                            for k in range(n_C):
                                dW[u, v, k] += a_prev[m, y, x, k] * dz[m, i, j, k]
    return dW.astype(dz.dtype)


@kernel
def prelu(z, alpha):
    """a_{pk} = z_{pk} where z > 0, else alpha_k z_{pk}; and where z > 0. NaN stays NaN.

    (positions, n_C), (n_C,) -> (positions, n_C), and the same shape of bool
    """
    a, mask = np.empty(z.shape, z.dtype), np.empty(z.shape, np.bool_)
    for p in range(z.shape[0]):
        for k in range(z.shape[1]):
            mask[p, k] = z[p, k] > 0
            a[p, k] = z[p, k] if mask[p, k] else alpha[k] * z[p, k]
    return a, mask


@kernel
def prelu_dz(da, mask, alpha):
    """dz_{pk} = da_{pk} where z was positive, else alpha_k da_{pk}.   (positions, n_C) -> the same"""
    dz = np.empty(da.shape, da.dtype)
    for p in range(da.shape[0]):
        for k in range(da.shape[1]):
            dz[p, k] = da[p, k] if mask[p, k] else alpha[k] * da[p, k]
    return dz


@kernel
def prelu_dalpha(da, z):
    """dalpha_k = sum_p da_{pk} z_{pk} where z is not positive: only there alpha counts.   (positions, n_C), the same -> (n_C,)"""
    dalpha = np.zeros(z.shape[1], np.float64)
    for p in range(z.shape[0]):
        for k in range(z.shape[1]):
            if not z[p, k] > 0:
                dalpha[k] += da[p, k] * z[p, k]
    return dalpha.astype(z.dtype)


@kernel
def batchnorm_moments(a):
    """mean_k = 1/n sum_p a_{pk} and var_k = 1/n sum_p (a_{pk} - mean_k)^2, in float64.   (n, n_C) -> (n_C,), (n_C,)"""
    mean, var = np.zeros(a.shape[1], np.float64), np.zeros(a.shape[1], np.float64)
    for k in range(a.shape[1]):
        for p in range(a.shape[0]):
            mean[k] += a[p, k]
        mean[k] /= a.shape[0]
        for p in range(a.shape[0]):
            var[k] += (a[p, k] - mean[k]) ** 2
        var[k] /= a.shape[0]
    return mean, var


@kernel
def batchnorm(a_prev, mean, rate, gamma, beta):
    """a_hat_{pk} = (a_prev_{pk} - mean_k) rate_k, and z_{pk} = gamma_k a_hat_{pk} + beta_k.   (n, n_C), (n_C,) ... -> z, a_hat"""
    z, a_hat = np.empty(a_prev.shape, a_prev.dtype), np.empty(a_prev.shape, a_prev.dtype)
    for p in range(a_prev.shape[0]):
        for k in range(a_prev.shape[1]):
            a_hat[p, k] = (a_prev[p, k] - mean[k]) * rate[k]
            z[p, k] = gamma[k] * a_hat[p, k] + beta[k]
    return z, a_hat


@kernel
def batchnorm_sums(dz, a_hat):
    """sum_p dz_{pk}, which is dbeta, and sum_p dz_{pk} a_hat_{pk}, which is dgamma, in float64.   (n, n_C), the same -> (n_C,), (n_C,)"""
    dbeta, dgamma = np.zeros(dz.shape[1], np.float64), np.zeros(dz.shape[1], np.float64)
    for p in range(dz.shape[0]):
        for k in range(dz.shape[1]):
            dbeta[k] += dz[p, k]
            dgamma[k] += dz[p, k] * a_hat[p, k]
    return dbeta, dgamma


@kernel
def batchnorm_da_prev(dz, a_hat, scale, mean_dz, mean_product):
    """da_prev_{pk} = scale_k (dz_{pk} - mean_dz_k - a_hat_{pk} mean_product_k), with scale = gamma rate: mean and variance depend on
    a_prev too, and take the parts of dz along 1 and along a_hat away.   (n, n_C), the same, (n_C,) ... -> (n, n_C)"""
    da_prev = np.empty(dz.shape, dz.dtype)
    for p in range(dz.shape[0]):
        for k in range(dz.shape[1]):
            da_prev[p, k] = scale[k] * (dz[p, k] - mean_dz[k] - a_hat[p, k] * mean_product[k])
    return da_prev


@kernel
def max_pool(a_prev, f_H, f_W, stride, pad):
    """a_{mijk} = max_{uv} a_prev_{m, i s + u - p, j s + v - p, k}, and the winner u f_W + v of each window.

    Padding never wins, NaN always does. Among equals the first in reading order wins.
    (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C), and the same shape of uint16
    """
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    top, bottom, left, right = pad
    n_H = (n_H_prev + top + bottom - f_H) // stride + 1
    n_W = (n_W_prev + left + right - f_W) // stride + 1
    a = np.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    winner = np.empty((n_m, n_H, n_W, n_C), np.uint16)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    best, where = a.dtype.type(0), -1
                    for u in range(f_H):
                        for v in range(f_W):
                            y, x = i * stride + u - top, j * stride + v - left
                            if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                value = a_prev[m, y, x, k]
                                if where < 0 or value > best or np.isnan(value):
                                    best, where = value, u * f_W + v
                    a[m, i, j, k], winner[m, i, j, k] = best, where
    return a, winner


@kernel
def max_pool_da_prev(da, winner, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """The whole gradient goes to the winner of each window; the others did not matter.

    (m, n_H, n_W, n_C), winners -> (m, n_H_prev, n_W_prev, n_C)
    """
    n_m, n_H, n_W, n_C = da.shape
    top, _, left, _ = pad
    da_prev = np.zeros((n_m, n_H_prev, n_W_prev, n_C), da.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    where = int(winner[m, i, j, k])
                    u, v = where // f_W, where % f_W
                    da_prev[m, i * stride + u - top, j * stride + v - left, k] += da[m, i, j, k]
    return da_prev


@kernel
def max_place(a):
    """best_{mk} = max_{ij} a_{mijk}, and its place i n_W + j: the strongest position of each channel.

    NaN always wins. Among equals the first in reading order wins.   (m, n_H, n_W, n_C) -> (m, n_C), and the same shape of int32
    """
    n_m, n_H, n_W, n_C = a.shape
    best = a[:, 0, 0, :].copy()
    place = np.zeros((n_m, n_C), np.int32)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    if a[m, i, j, k] > best[m, k] or np.isnan(a[m, i, j, k]):
                        best[m, k], place[m, k] = a[m, i, j, k], i * n_W + j
    return best, place


@kernel
def avg_pool(a_prev, f_H, f_W, stride, pad):
    """a_{mijk} = 1 / (f_H f_W) sum_{uv} a_prev_{m, i s + u - p, j s + v - p, k}; padding counts as zeros.

    (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    top, bottom, left, right = pad
    n_H = (n_H_prev + top + bottom - f_H) // stride + 1
    n_W = (n_W_prev + left + right - f_W) // stride + 1
    a = np.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    total = 0.0
                    for u in range(f_H):
                        for v in range(f_W):
                            y, x = i * stride + u - top, j * stride + v - left
                            if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                total += a_prev[m, y, x, k]
                    a[m, i, j, k] = total / (f_H * f_W)
    return a


@kernel
def avg_pool_da_prev(da, f_H, f_W, stride, pad, n_H_prev, n_W_prev):
    """Each pixel of a window gets the same share, da / (f_H f_W).   (m, n_H, n_W, n_C) -> (m, n_H_prev, n_W_prev, n_C)"""
    n_m, n_H, n_W, n_C = da.shape
    top, _, left, _ = pad
    da_prev = np.zeros((n_m, n_H_prev, n_W_prev, n_C), da.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for u in range(f_H):
                    for v in range(f_W):
                        y, x = i * stride + u - top, j * stride + v - left
                        if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                            for k in range(n_C):
                                da_prev[m, y, x, k] += da[m, i, j, k] / (f_H * f_W)
    return da_prev


@kernel
def l2_pool(a_prev, f_H, f_W, stride, pad):
    """a_{mijk} = sqrt( sum_{uv} a_prev_{m, i s + u - p, j s + v - p, k}^2 ): the length of each window.

    (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)
    """
    n_m, n_H_prev, n_W_prev, n_C = a_prev.shape
    top, bottom, left, right = pad
    n_H = (n_H_prev + top + bottom - f_H) // stride + 1
    n_W = (n_W_prev + left + right - f_W) // stride + 1
    a = np.empty((n_m, n_H, n_W, n_C), a_prev.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for k in range(n_C):
                    total = 0.0
                    for u in range(f_H):
                        for v in range(f_W):
                            y, x = i * stride + u - top, j * stride + v - left
                            if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                                total += np.float64(a_prev[m, y, x, k]) ** 2
                    a[m, i, j, k] = np.sqrt(total)
    return a


@kernel
def l2_pool_da_prev(da, a_prev, a, f_H, f_W, stride, pad):
    """da_prev = da a_prev / a, each pixel by its part in the length; zero where the window is zero (the kink at 0).

    (m, n_H, n_W, n_C), (m, n_H_prev, n_W_prev, n_C), (m, n_H, n_W, n_C) -> the shape of a_prev
    """
    n_m, n_H_prev, n_W_prev, _ = a_prev.shape
    _, n_H, n_W, n_C = da.shape
    top, _, left, _ = pad
    da_prev = np.zeros(a_prev.shape, da.dtype)
    for m in range(n_m):
        for i in range(n_H):
            for j in range(n_W):
                for u in range(f_H):
                    for v in range(f_W):
                        y, x = i * stride + u - top, j * stride + v - left
                        if 0 <= y < n_H_prev and 0 <= x < n_W_prev:
                            for k in range(n_C):
                                if a[m, i, j, k] > 0:
                                    da_prev[m, y, x, k] += da[m, i, j, k] * a_prev[m, y, x, k] / a[m, i, j, k]
    return da_prev
