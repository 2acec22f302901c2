"""Layers that set the scale: of a picture for the network that expects it, of a batch, of an encoding.

They follow the contract of layers.py. `state` holds what is neither parameter nor cache: it is loaded, saved and cast
with the rest, and has no gradient.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from scratchnet import kernels
from scratchnet.errors import ShapeError
from scratchnet.shapes import check_counts, expect_batch, expect_floats, expect_gradient


LUMINANCE = (0.299, 0.587, 0.114)                     # of R, G, B


def _picture(x):
    """A batch of pictures as floats; those of uint8 in [0, 1]."""
    x = np.asarray(x)
    return expect_batch(x.astype(np.float32) / 255 if x.dtype == np.uint8 else x, "the picture", n_C=3)


@dataclass(eq=False)
class Preprocess:
    """The input layer: from our pictures, RGB in [0, 1], to what the weights were trained on.

        a_k = (scale x_{order_k} - mean_k) / std_k          (m, n_H, n_W, 3) -> the same

    As a layer it has a backward like all others, so gradients arrive at the picture's own pixels.
    order   the channels as the weights want them, "RGB" or "BGR"
    size    (n_H, n_W) of the pictures that the weights want, for networks that take no other; None for any
    uint8 pictures, 0 to 255, are brought to [0, 1] first.
    """

    order: str = "RGB"
    scale: float = 1.0
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    size: tuple | None = None

    params, state = {}, {}

    def __post_init__(self):
        if sorted(self.order) != ["B", "G", "R"]:
            raise ShapeError(f"Preprocess: order = {self.order!r}; expected the letters R, G, B in some order.")
        self.index = ["RGB".index(letter) for letter in self.order]

    def describe(self):
        """The fields as plain lists and numbers: what a file of weights must carry to be used rightly."""
        fields = {"order": self.order, "scale": self.scale, "mean": list(self.mean), "std": list(self.std)}
        return fields if self.size is None else {**fields, "size": list(self.size)}

    def forward(self, x, training=False, rng=None, params=True):
        x = _picture(x)
        if self.size is not None and x.shape[1:3] != tuple(self.size):
            raise ShapeError(f"the picture has shape {x.shape}; this network takes pictures of (n_H, n_W) = {tuple(self.size)} only. "
                             "Crop and resize them first.")
        mean, std = np.asarray(self.mean, x.dtype), np.asarray(self.std, x.dtype)
        return (x[..., self.index] * x.dtype.type(self.scale) - mean) / std, x.shape

    def backward(self, da, cache):
        dx = np.empty_like(expect_gradient(da, cache))
        dx[..., self.index] = da * (self.scale / np.asarray(self.std)).astype(da.dtype)
        return dx, {}

    def output_shape(self, shape):
        return shape


@dataclass(eq=False)
class Grey:
    """Luminance, a = 0.299 R + 0.587 G + 0.114 B: for networks that look at light and shade alone.   (m, n_H, n_W, 3) -> (m, n_H, n_W, 1)

    uint8 pictures, 0 to 255, are brought to [0, 1] first.
    Source: ITU-R BT.601, sec. 2.5.1; Pillow's mode "L" weighs so too.
    """

    params, state = {}, {}

    def forward(self, x, training=False, rng=None, params=True):
        x = _picture(x)
        return x @ np.asarray(LUMINANCE, x.dtype)[:, None], x.shape

    def backward(self, da, cache):
        return expect_gradient(da, self.output_shape(cache)) * np.asarray(LUMINANCE, da.dtype), {}

    def output_shape(self, shape):
        return (*shape[:-1], 1)


@dataclass(eq=False)
class Standardise:
    """a = (x - mean(x)) / max(std(x), eps), each picture by its own mean and standard deviation.   (m, ...) -> the same

    So a picture taken in dim light is like one taken in bright light. Mean and std run over all numbers of a picture, channels too.
    A picture flatter than eps is divided by eps: a constant one gives zeros, and its gradient is (da - mean(da)) / eps. The
    default is that of 8-bit rounding, 1 / 255 / sqrt(12). Source: the prewhitening of FaceNet programs, where eps is 1 / sqrt(size).
    """

    eps: float = 1e-3

    params, state = {}, {}

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        axes = tuple(range(1, a_prev.ndim))
        mean = a_prev.mean(axis=axes, dtype=np.float64, keepdims=True).astype(a_prev.dtype)
        a = a_prev - mean
        std = np.sqrt(np.mean(np.square(a, dtype=np.float64), axis=axes, keepdims=True))
        floored, std = std <= self.eps, np.maximum(std, self.eps).astype(a.dtype)
        a /= std
        return a, (a, std, floored)

    def backward(self, da, cache):
        a, std, floored = cache
        axes = tuple(range(1, expect_gradient(da, a.shape).ndim))
        through_std = np.where(floored, 0, np.mean(da * a, axis=axes, keepdims=True))
        return (da - da.mean(axis=axes, keepdims=True) - a * through_std) / std, {}

    def output_shape(self, shape):
        return shape


@dataclass(eq=False)
class BatchNorm:
    """z~ = gamma (z - mean) / sqrt(var + eps) + beta, each channel by itself.   (..., n_C) -> (..., n_C)

    params  gamma, beta (n_C,)          state  mean, var (n_C,): running statistics, used outside training
    In training mean and variance are the batch's, and the running ones move by `momentum` towards them (the variance
    unbiased, divided by n - 1); `new_state(cache)` is that state, which the trainer commits. forward changes nothing.
    Source: course 2, week 3; Ioffe & Szegedy 2015, algorithm 1.
    """

    n_C: int
    momentum: float = 0.1
    eps: float = 1e-5

    def __post_init__(self):
        self.params = {"gamma": np.ones(self.n_C, np.float32), "beta": np.zeros(self.n_C, np.float32)}
        self.state = {"mean": np.zeros(self.n_C, np.float32), "var": np.ones(self.n_C, np.float32)}

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        if a_prev.shape[-1] != self.n_C:
            raise ShapeError(f"BatchNorm: a_prev has shape {a_prev.shape}; expected {self.n_C} channels, last.")
        new, rows = None, a_prev.reshape(-1, self.n_C)
        mean, var = self.state["mean"], self.state["var"]
        if training:
            n = len(rows)
            if n < 2:
                raise ShapeError("BatchNorm in training needs at least two values a channel; got one.")
            mean, var = kernels.batchnorm_moments(rows)
            new = {name: ((1 - self.momentum) * self.state[name] + self.momentum * now).astype(self.state[name].dtype)
                   for name, now in (("mean", mean), ("var", var * n / (n - 1)))}
        rate = 1 / np.sqrt(var.astype(np.float64) + self.eps)
        mean, rate, gamma, beta = (array.astype(a_prev.dtype) for array in (mean, rate, self.params["gamma"], self.params["beta"]))
        z, a_hat = kernels.batchnorm(rows, mean, rate, gamma, beta)
        return z.reshape(a_prev.shape), (a_hat if params or training else None, rate, new, params, a_prev.shape)

    def backward(self, dz, cache):
        a_hat, rate, new, params, shape = cache
        dz, gamma = expect_gradient(dz, shape).reshape(-1, self.n_C), self.params["gamma"].astype(dz.dtype)
        if a_hat is None:
            return (dz * (gamma * rate)).reshape(shape), {}
        dbeta, dgamma = kernels.batchnorm_sums(dz, a_hat)
        grads = {"gamma": dgamma.astype(dz.dtype), "beta": dbeta.astype(dz.dtype)} if params else {}
        if new is None:
            return (dz * (gamma * rate)).reshape(shape), grads
        means = ((total / len(dz)).astype(dz.dtype) for total in (dbeta, dgamma))      # they depend on a_prev too
        return kernels.batchnorm_da_prev(dz, a_hat, gamma * rate, *means).reshape(shape), grads

    def new_state(self, cache):
        """The running mean and variance after this batch, or None outside training."""
        return cache[2]

    def output_shape(self, shape):
        return shape


@dataclass(eq=False)
class LRN:
    """a_k = x_k / (k + alpha / n sum_j x_j^2)^beta, j over the n channels around k: loud channels turn their neighbours down.

    (..., n_C) -> (..., n_C). Beyond the first and last channel there are zeros; for an even n the window has one channel more before k.
    alpha is divided by n, as Caffe, Torch (SpatialCrossMapLRN) and PyTorch do; the paper and TensorFlow do not divide, and
    TensorFlow's window is 2 depth_radius + 1: its alpha is our alpha / n. The default k is Torch's; the paper has k = 2.
    Source: Krizhevsky et al. 2012, sec. 3.3.
    """

    n: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    params, state = {}, {}

    def __post_init__(self):
        check_counts("LRN", n=self.n)

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        d = self.k + self.alpha / self.n * _window_sums(a_prev ** 2, self.n // 2, (self.n - 1) // 2)
        return a_prev * d ** -self.beta, (a_prev, d)

    def backward(self, da, cache):
        a_prev, d = cache
        share = expect_gradient(da, a_prev.shape) * d ** -self.beta
        seen = _window_sums(share * a_prev / d, (self.n - 1) // 2, self.n // 2)      # by every channel in whose window this one is
        return share - 2 * self.alpha * self.beta / self.n * a_prev * seen, {}

    def output_shape(self, shape):
        return shape


def _window_sums(a, before, after):
    """sum_j a_j over the channels k - before .. k + after, for every channel k."""
    total, n_C = a.copy(), a.shape[-1]
    for step in range(1, min(before, n_C - 1) + 1):
        total[..., step:] += a[..., :n_C - step]
    for step in range(1, min(after, n_C - 1) + 1):
        total[..., :n_C - step] += a[..., step:]
    return total


@dataclass(eq=False)
class L2Normalise:
    """f = x / ||x||: every encoding on the unit sphere.   (m, n_f) -> (m, n_f)

    An encoding of zeros stays zero, with gradient zero and a warning. Source: FaceNet (Schroff et al. 2015), sec. 3.1.
    """

    params, state = {}, {}

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        length = np.sqrt(np.sum(a_prev ** 2, axis=-1, keepdims=True))
        for i in np.flatnonzero(length == 0)[:1]:
            warnings.warn(f"the encoding of image {i} is zero: dead ReLUs?", stacklevel=2)
        length = np.where(length > 0, length, np.inf).astype(a_prev.dtype)
        f = a_prev / length
        return f, (f, length)

    def backward(self, df, cache):
        f, length = cache
        expect_gradient(df, f.shape)
        return (df - f * np.sum(df * f, axis=-1, keepdims=True)) / length, {}

    def output_shape(self, shape):
        return shape
