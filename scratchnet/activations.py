"""What bends the straight lines: ReLU, PReLU, sigmoid, tanh, softmax, each with its slope beneath it.

They are layers like all others (see layers.py); only PReLU has parameters. Source: course 1, week 3; softmax: course 2, week 3.
"""

from dataclasses import dataclass

import numpy as np

from scratchnet import kernels
from scratchnet.errors import ShapeError
from scratchnet.shapes import check_counts, expect_floats, expect_gradient


@dataclass(eq=False)
class _Elementwise:
    """What works on each number by itself: same shape in and out, no parameters."""

    params, state = {}, {}

    def output_shape(self, shape):
        return shape


class ReLU(_Elementwise):
    """a = max(z, 0); da/dz = 1 where z > 0, else 0 (also at 0, the kink). The cache is that mask."""

    def forward(self, z, training=False, rng=None, params=True):
        z = expect_floats(z, "z")
        return np.maximum(z, 0), z > 0

    def backward(self, da, cache):
        return kernels.relu_dz(expect_gradient(da, cache.shape), cache), {}


@dataclass(eq=False)
class PReLU:
    """a = z where z > 0, else alpha_k z: a ReLU whose other slope is learnt, one for each channel.   (..., n_C) -> (..., n_C)

    params  alpha (n_C,), 0.25 at the start
    da/dz is 1 where z > 0, else alpha_k (also at 0, the kink); da/dalpha_k is z where z <= 0, else 0.
    Source: He et al. 2015, "Delving deep into rectifiers", eq. 1.
    """

    n_C: int

    state = {}

    def __post_init__(self):
        check_counts("PReLU", n_C=self.n_C)
        self.params = {"alpha": np.full(self.n_C, 0.25, np.float32)}

    def forward(self, z, training=False, rng=None, params=True):
        z = expect_floats(z, "z")
        if z.ndim < 2 or z.shape[-1] != self.n_C:
            raise ShapeError(f"PReLU: z has shape {z.shape}; expected {self.n_C} channels, last.")
        a, mask = kernels.prelu(z.reshape(-1, self.n_C), self.params["alpha"].astype(z.dtype, copy=False))
        return a.reshape(z.shape), (mask.reshape(z.shape), z if params else None)

    def backward(self, da, cache):
        mask, z = cache
        rows, alpha = expect_gradient(da, mask.shape).reshape(-1, self.n_C), self.params["alpha"].astype(da.dtype, copy=False)
        dz = kernels.prelu_dz(rows, mask.reshape(rows.shape), alpha).reshape(da.shape)
        return dz, {} if z is None else {"alpha": kernels.prelu_dalpha(rows, z.reshape(rows.shape))}

    def output_shape(self, shape):
        return shape


class Sigmoid(_Elementwise):
    """a = 1 / (1 + e^-z); da/dz = a (1 - a). No overflow for any z."""

    def forward(self, z, training=False, rng=None, params=True):
        a = sigmoid(expect_floats(z, "z"))
        return a, a

    def backward(self, da, cache):
        return expect_gradient(da, cache.shape) * cache * (1 - cache), {}


class Tanh(_Elementwise):
    """a = tanh(z); da/dz = 1 - a^2."""

    def forward(self, z, training=False, rng=None, params=True):
        a = np.tanh(expect_floats(z, "z"))
        return a, a

    def backward(self, da, cache):
        return expect_gradient(da, cache.shape) * (1 - cache ** 2), {}


class Softmax(_Elementwise):
    """a_k = e^{z_k} / sum_j e^{z_j} over the last axis; dz = a (da - sum_k da_k a_k).   For training, softmax_cross_entropy."""

    def forward(self, z, training=False, rng=None, params=True):
        a = softmax(expect_floats(z, "z"))
        return a, a

    def backward(self, da, cache):
        expect_gradient(da, cache.shape)
        return cache * (da - np.sum(da * cache, axis=-1, keepdims=True)), {}


def sigmoid(z):
    """1 / (1 + e^-z), of the side where e^-|z| <= 1."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def softmax(z):
    """e^{z_k} / sum_j e^{z_j} over the last axis. The largest z is taken off first: same value, no overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_cross_entropy(z, labels):
    """J = -1/m sum_i log softmax(z_i)[y_i], and dJ/dz = (softmax(z) - one-hot(y)) / m.

    z       scores before the softmax                 (m, number of classes)
    labels  the right class of each example, y        (m,) whole numbers
    Raises ShapeError for an empty batch, labels of another shape (a column would broadcast) or out of range.
    """
    z, labels = expect_floats(z, "z"), np.asarray(labels)
    if z.ndim != 2 or labels.shape != z.shape[:1] or labels.dtype.kind not in "ui":
        raise ShapeError(f"z has shape {z.shape} and labels {labels.shape} of {labels.dtype}; "
                         "expected (m, classes) and (m,) whole numbers.")
    m, n = z.shape
    if m == 0:
        raise ShapeError("empty batch: softmax_cross_entropy needs at least one example.")
    if labels.min() < 0 or labels.max() >= n:
        raise ShapeError(f"labels run from {labels.min()} to {labels.max()}; expected 0 to {n - 1} for {n} classes.")
    shifted = z - z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    J = np.mean(log_sum - shifted[np.arange(m), labels])
    dz = softmax(z)
    dz[np.arange(m), labels] -= 1
    return J, dz / m
