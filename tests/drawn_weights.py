"""Numbers for a network that nobody trained, the same here and in PyTorch: only names, shapes and a seed decide them."""

import math

import numpy as np


def drawn(shapes, seed):
    """{name: float64 array} for {name: shape} with the file's own names and axes, in alphabetical order, in whole 1024ths.

    So float32 holds them exactly, and text in few letters. Filters keep the size of activations; variances lie in 0.5 .. 1.5,
    scales in 0.8 .. 1.2; slopes of a PReLU, which a BatchNorm's weights are not, are of either sign.
    """
    rng, arrays = np.random.default_rng(seed), {}
    for name in sorted(shapes):
        shape, mean = tuple(shapes[name]), name.removesuffix("weight") + "running_mean"
        if name.endswith(("running_var", "_v")):
            array = 0.5 + rng.random(shape)
        elif len(shape) > 1:
            array = rng.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("_w") or mean in shapes and name.endswith("weight"):
            array = 0.8 + 0.4 * rng.random(shape)
        else:
            array = 0.3 * rng.standard_normal(shape)
        arrays[name] = np.rint(1024 * array) / 1024
    return arrays


def pictures(m, n_H, n_W, seed):
    """(m, n_H, n_W, 3) float64 in [0, 1]: blocks of 8x8 pixels in random colours under noise, in whole 255ths."""
    rng = np.random.default_rng(seed)
    blocks = rng.random((m, -(-n_H // 8), -(-n_W // 8), 3)).repeat(8, axis=1).repeat(8, axis=2)[:, :n_H, :n_W]
    return np.rint(255 * (0.8 * blocks + 0.2 * rng.random((m, n_H, n_W, 3)))) / 255
