"""Every kernel once, on small random arrays: the fast ones against the loops, and one thread against two.

A compiler, a BLAS or a processor can be wrong on one machine and right on all others. This is how to ask the machine at hand;
and whoever has run all of it has compiled every kernel.
"""

import math

import numpy as np

from scratchnet import kernels
from scratchnet.kernels import loops
from scratchnet.kernels.threads import threads

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}       # of the largest output
SMALL, LARGE = (9, 11), (96, 112)                     # n_H and n_W for the loops, and for work enough for two threads
CHANNELS = 32


def _conv2d(random, sides, f=3, stride=1, n_C_prev=CHANNELS):
    a_prev, W, b = random(2, *sides, n_C_prev), random(f, f, n_C_prev, CHANNELS), random(CHANNELS)
    dz, pad = random(2, *_halved(sides, stride), CHANNELS), 4 * (f // 2,)
    return {"conv2d": (a_prev, W, b, stride, pad), "conv2d_da_prev": (dz, W, stride, pad, *sides),
            "conv2d_relu": (a_prev, W, b, stride, pad), "conv2d_relu_da_prev": (dz, dz > 0.5, W, stride, pad, *sides),
            "conv2d_prelu": (a_prev, W, b, stride, pad, random(CHANNELS)),
            "conv2d_dW": (a_prev, dz, stride, pad, f, f), "conv2d_db": (dz,)}


def _depthwise(random, sides, f=3, stride=1):
    a_prev, W, b = random(2, *sides, CHANNELS), random(f, f, CHANNELS), random(CHANNELS)
    dz, pad = random(2, *_halved(sides, stride), CHANNELS), 4 * (f // 2,)
    return {"depthwise_conv2d": (a_prev, W, b, stride, pad), "depthwise_conv2d_da_prev": (dz, W, stride, pad, *sides),
            "depthwise_conv2d_prelu": (a_prev, W, b, stride, pad, random(CHANNELS)),
            "depthwise_conv2d_dW": (a_prev, dz, stride, pad, f, f)}


def _prelu(random, sides):
    z, da, alpha = random(sides[0] * sides[1], CHANNELS), random(sides[0] * sides[1], CHANNELS), random(CHANNELS)
    return {"prelu": (z, alpha), "prelu_dz": (da, z > 0.5, alpha), "prelu_dalpha": (da, z)}


def _max_pool(random, sides, f=2, stride=2):
    window, a_prev = (f, f, stride, 4 * (f // 2,)), random(2, *sides, CHANNELS)
    a, winner = kernels.max_pool(a_prev, *window)
    return {"max_pool": (a_prev, *window), "max_pool_da_prev": (random(*a.shape), winner, *window, *sides)}


def _max_place(random, sides):
    return {"max_place": (random(2, *sides, CHANNELS),)}


def _avg_pool(random, sides):
    window, a_prev = (2, 2, 2, (0, 0, 0, 0)), random(2, *sides, CHANNELS)
    a = kernels.avg_pool(a_prev, *window)
    return {"avg_pool": (a_prev, *window), "avg_pool_da_prev": (random(*a.shape), *window, *sides)}


def _l2_pool(random, sides):
    window, a_prev = (2, 2, 2, (0, 0, 0, 0)), random(2, *sides, CHANNELS)
    a = kernels.l2_pool(a_prev, *window)
    return {"l2_pool": (a_prev, *window), "l2_pool_da_prev": (random(*a.shape), a_prev, a, *window)}


def _batchnorm(random, sides):
    rows, channel = random(2 * math.prod(sides), CHANNELS), random(CHANNELS)
    return {"batchnorm_moments": (rows,), "batchnorm": (rows, channel, channel + 2, channel, channel),
            "batchnorm_sums": (rows, rows[::-1]), "batchnorm_da_prev": (rows, rows[::-1], channel, channel, channel)}


def _halved(sides, stride):
    """n_H and n_W of a "same" convolution."""
    return [-(-side // stride) for side in sides]


def _relu_of_conv2d(*args):
    return np.maximum(loops.conv2d(*args), 0)


def _conv2d_da_prev_of_relu(da, mask, *args):
    return loops.conv2d_da_prev(da * mask, *args)


def _prelu_of(convolution):
    def prelu(a_prev, W, b, stride, pad, alpha):
        z = convolution(a_prev, W, b, stride, pad)
        return loops.prelu(z.reshape(-1, z.shape[3]), alpha)[0].reshape(z.shape)
    return prelu


TOGETHER = {                                          # two layers, which the loops have one by one
    "conv2d_relu": _relu_of_conv2d, "conv2d_relu_da_prev": _conv2d_da_prev_of_relu,
    "conv2d_prelu": _prelu_of(loops.conv2d), "depthwise_conv2d_prelu": _prelu_of(loops.depthwise_conv2d),
}

CASES = {                                             # what is tried: random arrays and sides -> {kernel: its arguments}
    "conv2d 3x3": _conv2d,
    "conv2d 3x3, 3 channels": lambda random, sides: _conv2d(random, sides, n_C_prev=3),
    "conv2d 3x3, stride 2": lambda random, sides: _conv2d(random, sides, stride=2),
    "conv2d 1x1": lambda random, sides: _conv2d(random, sides, f=1),
    "conv2d 5x5": lambda random, sides: _conv2d(random, sides, f=5),
    "depthwise 3x3": _depthwise,
    "depthwise 3x3, stride 2": lambda random, sides: _depthwise(random, sides, stride=2),
    "PReLU": _prelu,
    "max pooling 2x2": _max_pool,
    "max pooling 3x3": lambda random, sides: _max_pool(random, sides, f=3),
    "strongest place": _max_place,
    "average pooling": _avg_pool,
    "L2 pooling": _l2_pool,
    "BatchNorm": _batchnorm,
}


def arguments(case, dtype, sides):
    """{kernel: its arguments} of one case, the same numbers every time."""
    rng = np.random.default_rng(0)
    return CASES[case](lambda *shape: rng.standard_normal(shape).astype(dtype), sides)


def error(name, args):
    """The largest difference between a fast kernel and the loops, relative to the largest output; inf for another winner."""
    worst, definition = 0.0, TOGETHER[name] if name in TOGETHER else getattr(loops, name)
    for fast, slow in zip(_tuple(getattr(kernels, name)(*args)), _tuple(definition(*args))):
        if slow.dtype.kind == "f":
            difference = float(np.abs(fast - slow).max() / np.abs(slow).max())
        else:
            difference = 0.0 if np.array_equal(fast, slow) else math.inf
        worst = difference if math.isnan(difference) else max(worst, difference)
    return worst


def largest_error(case, dtype):
    """The worst error of a case, and whose it is; NaN counts as worst of all."""
    errors = {name: error(name, args) for name, args in arguments(case, dtype, SMALL).items()}
    worst = max(errors, key=lambda name: math.inf if math.isnan(errors[name]) else errors[name])
    return errors[worst], worst


def differing_bits(case, dtype):
    """The kernels whose result at two threads is not that at one, to the bit."""
    before, differing = threads(), []
    try:
        for name, args in arguments(case, dtype, LARGE).items():
            results = []
            for n in (1, 2):
                threads(n)
                results.append([array.tobytes() for array in _tuple(getattr(kernels, name)(*args))])
            if results[0] != results[1]:
                differing.append(name)
    finally:
        threads(before)
    return differing


def _tuple(result):
    return result if isinstance(result, tuple) else (result,)
