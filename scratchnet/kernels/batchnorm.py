"""BatchNorm looks at every number three times and computes hardly anything: it is as fast as its way through memory.

    NumPy        one pass over memory for each operation, on one core, half of them through float64 copies     1
    here         two passes for mean and variance, one to normalise; two on the way back; over the threads     6.6
Measured forward and backward on 80 x 56 x 48 x 32 numbers in float32, two cores (`python -m benchmarks.batchnorm`).
Sums run in float64 over CHUNKS fixed parts, added up in order, so that the bits do not depend on threads.
"""

import numpy as np

from scratchnet.kernels import arena, threads
from scratchnet.kernels.jit import kernel
from scratchnet.kernels.pointwise import CHUNKS, PART, add_rows


@kernel
def add_squares(a, mean, total):
    """total (float64) += (a - mean)^2 of every row.   a (positions, n_C), mean (float64), total (n_C,)"""
    for row in range(len(a)):
        cells = a[row]
        for k in range(len(total)):
            difference = cells[k] - mean[k]
            total[k] += difference * difference


@kernel
def add_products(dz, a_hat, total):
    """total (float64) += dz a_hat of every row.   dz, a_hat (positions, n_C), total (n_C,)"""
    for row in range(len(dz)):
        cells, others = dz[row], a_hat[row]
        for k in range(len(total)):
            total[k] += cells[k] * others[k]


@kernel
def normalise(a_prev, mean, rate, gamma, beta, a_hat, z):
    """a_hat = (a_prev - mean) rate and z = gamma a_hat + beta, row by row."""
    for row in range(len(a_prev)):
        cells, hats, out = a_prev[row], a_hat[row], z[row]
        for k in range(len(mean)):
            hats[k] = (cells[k] - mean[k]) * rate[k]
            out[k] = gamma[k] * hats[k] + beta[k]


@kernel
def go_back(dz, a_hat, scale, mean_dz, mean_product, da_prev):
    """da_prev = scale (dz - mean_dz - a_hat mean_product), row by row."""
    for row in range(len(dz)):
        cells, hats, out = dz[row], a_hat[row], da_prev[row]
        for k in range(len(scale)):
            out[k] = scale[k] * (cells[k] - mean_dz[k] - hats[k] * mean_product[k])


def batchnorm_moments(a):
    """As loops.batchnorm_moments."""
    mean = _summed(lambda part, total: add_rows(a[part], total), a) / len(a)
    return mean, _summed(lambda part, total: add_squares(a[part], mean, total), a) / len(a)


def batchnorm(a_prev, mean, rate, gamma, beta):
    """As loops.batchnorm."""
    z, a_hat = (arena.empty(a_prev.shape, a_prev.dtype) for _ in range(2))
    threads.run(lambda part: normalise(a_prev[part], mean, rate, gamma, beta, a_hat[part], z[part]), _parts(a_prev))
    return z, a_hat


def batchnorm_sums(dz, a_hat):
    """As loops.batchnorm_sums."""
    return (_summed(lambda part, total: add_rows(dz[part], total), dz),
            _summed(lambda part, total: add_products(dz[part], a_hat[part], total), dz))


def batchnorm_da_prev(dz, a_hat, scale, mean_dz, mean_product):
    """As loops.batchnorm_da_prev."""
    da_prev = arena.empty(dz.shape, dz.dtype)
    threads.run(lambda part: go_back(dz[part], a_hat[part], scale, mean_dz, mean_product, da_prev[part]), _parts(dz))
    return da_prev


def _summed(add, a):
    """add(part, total) over CHUNKS parts of the rows of a, added up in order -> (n_C,), float64"""
    totals, size = np.zeros((CHUNKS, a.shape[1])), -(-len(a) // CHUNKS)
    threads.run(lambda c: add(slice(c * size, (c + 1) * size), totals[c]), range(CHUNKS))
    return totals.sum(axis=0)


def _parts(a):
    """The rows that a thread takes at a time."""
    size = max(1, PART // a.shape[1])
    return [slice(first, first + size) for first in range(0, len(a), size)]
