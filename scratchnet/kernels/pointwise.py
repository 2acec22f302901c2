"""What happens to each number by itself, or to each channel: as cheap as its way through memory, so go through it once.

NumPy makes one pass over memory for every operation, on one core. Here the passes are fused and shared out over the threads.
"""

import numpy as np

from scratchnet.kernels import arena, threads
from scratchnet.kernels.jit import kernel

PART = 2 ** 18                 # numbers in a unit of work
CHUNKS = 8                     # of a sum over positions: added up in order, so that the bits do not depend on threads


@kernel
def add_bias(z, b):
    """z := z + b, in place.   z (positions, n_C), b (n_C,)"""
    for row in range(len(z)):
        cells = z[row]
        for k in range(len(b)):
            cells[k] += b[k]


@kernel
def add_bias_relu(z, b, mask):
    """z := max(z + b, 0) in place, and where z + b is positive, into mask. NaN stays NaN."""
    zero = z.dtype.type(0)
    for row in range(len(z)):
        cells, positive = z[row], mask[row]
        for k in range(len(b)):
            number = cells[k] + b[k]
            positive[k] = number > zero
            cells[k] = zero if number <= zero else number


@kernel
def masked(da, mask, dz):
    """dz = da where mask is True, else 0; all flat."""
    zero = da.dtype.type(0)
    for q in range(len(da)):
        dz[q] = da[q] if mask[q] else zero


@kernel
def bend(z, alpha, mask):
    """z := loops.prelu of z, in place, and where z was positive, into mask."""
    zero = z.dtype.type(0)
    for row in range(len(z)):
        cells, positive = z[row], mask[row]
        for k in range(len(alpha)):
            number = cells[k]
            positive[k] = number > zero
            cells[k] = number if number > zero else alpha[k] * number


@kernel
def add_bias_bend(z, b, alpha, mask):
    """z := z + b, bent by alpha where it is not positive, in place; and where z + b is positive, into mask."""
    zero = z.dtype.type(0)
    for row in range(len(z)):
        cells, positive = z[row], mask[row]
        for k in range(len(b)):
            number = cells[k] + b[k]
            positive[k] = number > zero
            cells[k] = number if number > zero else alpha[k] * number


@kernel
def bent(da, mask, alpha, dz):
    """loops.prelu_dz into dz."""
    for row in range(len(da)):
        cells, positive, out = da[row], mask[row], dz[row]
        for k in range(len(alpha)):
            out[k] = cells[k] if positive[k] else alpha[k] * cells[k]


@kernel
def add_bent_rows(da, z, total):
    """total (float64) += every row of da z, where z is not positive.   da, z (positions, n_C), total (n_C,)"""
    zero = z.dtype.type(0)
    for row in range(len(z)):
        cells, numbers = da[row], z[row]
        for k in range(len(total)):
            total[k] += cells[k] * (zero if numbers[k] > zero else numbers[k])


@kernel
def add_rows(dz, total):
    """total (float64) += every row of dz.   dz (positions, n_C), total (n_C,)"""
    for row in range(len(dz)):
        cells = dz[row]
        for k in range(len(total)):
            total[k] += cells[k]


def relu_dz(da, mask):
    """dJ/dz of a ReLU: da where z was positive, else 0."""
    dz = arena.empty(da.shape, da.dtype)
    flat_da, flat_mask, flat_dz = da.reshape(-1), mask.reshape(-1), dz.reshape(-1)
    parts = [slice(first, first + PART) for first in range(0, da.size, PART)]
    threads.run(lambda part: masked(flat_da[part], flat_mask[part], flat_dz[part]), parts)
    return dz


def _rows(a):
    """The parts of an array (positions, n_C) that a thread takes at a time."""
    size = max(1, PART // max(1, a.shape[1]))
    return [slice(first, first + size) for first in range(0, len(a), size)]


def prelu(z, alpha):
    """As loops.prelu."""
    a, mask = arena.empty(z.shape, z.dtype), arena.empty(z.shape, np.bool_)

    def work(part):
        a[part] = z[part]
        bend(a[part], alpha, mask[part])

    threads.run(work, _rows(z))
    return a, mask


def prelu_dz(da, mask, alpha):
    """As loops.prelu_dz."""
    dz = arena.empty(da.shape, da.dtype)
    threads.run(lambda part: bent(da[part], mask[part], alpha, dz[part]), _rows(da))
    return dz


def prelu_dalpha(da, z):
    """As loops.prelu_dalpha."""
    totals, size = np.zeros((CHUNKS, z.shape[1])), -(-len(z) // CHUNKS)
    threads.run(lambda c: add_bent_rows(da[c * size:(c + 1) * size], z[c * size:(c + 1) * size], totals[c]), range(CHUNKS))
    return totals.sum(axis=0).astype(z.dtype)


def conv2d_db(dz):
    """db = the sum of dz over pictures and positions, in float64."""
    rows = dz.reshape(-1, dz.shape[-1])
    totals, size = np.zeros((CHUNKS, rows.shape[1])), -(-len(rows) // CHUNKS)
    threads.run(lambda k: add_rows(rows[k * size:(k + 1) * size], totals[k]), range(CHUNKS))
    return totals.sum(axis=0).astype(dz.dtype)
