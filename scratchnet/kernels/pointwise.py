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


def conv2d_db(dz):
    """db = the sum of dz over pictures and positions, in float64."""
    rows = dz.reshape(-1, dz.shape[-1])
    totals, size = np.zeros((CHUNKS, rows.shape[1])), -(-len(rows) // CHUNKS)
    threads.run(lambda k: add_rows(rows[k * size:(k + 1) * size], totals[k]), range(CHUNKS))
    return totals.sum(axis=0).astype(dz.dtype)
