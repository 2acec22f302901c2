"""The layers that look through windows or weigh everything: convolution, pooling, dense, and some that only rearrange.

A layer is two methods, the backward under the forward. What the backward needs comes back as a cache and is kept by
the caller, so one layer can be called twice, as a Siamese network does, and nothing is remembered behind your back.

    z, cache       = layer.forward(a_prev, training=False, rng=None, params=True)
    da_prev, grads = layer.backward(dz, cache)           grads has the names and shapes of layer.params

With params=False the cache keeps only what the way back to the picture needs, and grads is empty.
The repr of a layer is the code that makes it. Source: course 4, week 1.
"""

from dataclasses import dataclass, field

import numpy as np

from scratchnet import kernels
from scratchnet.errors import ShapeError
from scratchnet.shapes import check_counts, check_window, expect_batch, expect_floats, expect_gradient, window_output


UNFILLED = object()            # as rng: zeros, which take no memory until a file fills them


def he_normal(rng, shape, n_in):
    """Filters drawn so that ReLU keeps the size of activations: variance 2 / n_in. He et al. 2015, eq. 10."""
    if rng is UNFILLED:
        return np.zeros(shape, np.float32)
    rng = np.random.default_rng(0) if rng is None else rng
    W = rng.standard_normal(shape, dtype=np.float32)
    W *= np.float32(np.sqrt(2 / n_in))
    return W


def in_dtype_of(a_prev, *parameters):
    """Parameters in the dtype of what flows through: a layer follows its input."""
    return [parameter.astype(a_prev.dtype, copy=False) for parameter in parameters]


def _ready(layer, a_prev, n_C_prev):
    """What the kernels of a layer with filters take: a_prev, W, b, stride and padding in pixels."""
    a_prev = expect_batch(a_prev, n_C=n_C_prev)
    _, pads = window_output(a_prev.shape, layer.window, layer.stride, layer.pad)
    b = layer.params["b"] if layer.bias else np.zeros(layer.n_C, a_prev.dtype)
    return a_prev, *in_dtype_of(a_prev, layer.params["W"], b), layer.stride, pads


def _with_bias(layer, W):
    """The parameters of a layer with filters: W, and b where it has one."""
    return {"W": W, "b": np.zeros(layer.n_C, np.float32)} if layer.bias else {"W": W}


@dataclass(eq=False)
class Conv2D:
    """z[l] = W[l] * a[l-1] + b[l]: a filter of side f at every position.   (m, n_H_prev, n_W_prev, n_C_prev) -> (m, n_H, n_W, n_C)

    params  W (f, f, n_C_prev, n_C), b (n_C,)          f may be two numbers, (f_H, f_W)
    pad     "same" or pixels on each side; n_H = floor((n_H_prev + 2 pad - f) / stride) + 1
    bias    False: no b, as before a BatchNorm, which takes every constant away again
    Raises ShapeError for another number of channels, or a filter larger than the padded picture.
    """

    n_C_prev: int
    n_C: int
    f: int = 3
    stride: int = 1
    pad: int | str = "same"
    bias: bool = True
    rng: object = field(default=None, repr=False)

    state = {}
    kept = None                                       # a frozen layer's transformed filters; a layer in training keeps none

    def __post_init__(self):
        check_counts("Conv2D", n_C_prev=self.n_C_prev, n_C=self.n_C)
        self.window = check_window("Conv2D", self.f, self.stride, self.pad)
        shape = (*self.window, self.n_C_prev, self.n_C)
        self.params = _with_bias(self, he_normal(self.rng, shape, np.prod(shape[:3])))
        self.rng = None

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev, *rest = _ready(self, a_prev, self.n_C_prev)
        z = kernels.conv2d(a_prev, *rest, self.kept)
        return z, (a_prev if params else None, a_prev.shape)

    def forward_relu(self, a_prev, params=True):
        """forward of this layer and of a ReLU behind it at once, where nobody asks for z: a, and the caches of both."""
        a_prev, *rest = _ready(self, a_prev, self.n_C_prev)
        a, mask = kernels.conv2d_relu(a_prev, *rest, self.kept)
        return a, (a_prev if params else None, a_prev.shape), mask

    def forward_prelu(self, a_prev, alpha):
        """The same with a PReLU of these slopes, and without what gradients of parameters need."""
        a_prev, *rest = _ready(self, a_prev, self.n_C_prev)
        a, mask = kernels.conv2d_prelu(a_prev, *rest, *in_dtype_of(a_prev, alpha), self.kept)
        return a, (None, a_prev.shape), (mask, None)

    def backward(self, dz, cache):
        a_prev, (_, n_H_prev, n_W_prev, _) = cache
        expect_gradient(dz, self.output_shape(cache[1]))
        _, pads = window_output(cache[1], self.window, self.stride, self.pad)
        W, = in_dtype_of(dz, self.params["W"])
        da_prev = kernels.conv2d_da_prev(dz, W, self.stride, pads, n_H_prev, n_W_prev, self.kept)
        return da_prev, {} if a_prev is None else self.gradients(dz, cache)

    def gradients(self, dz, cache):
        """dJ/dW and dJ/db alone, for the first layer of a network in training: nobody asks for dJ/dx there."""
        a_prev, shape = cache
        _, pads = window_output(shape, self.window, self.stride, self.pad)
        dW = kernels.conv2d_dW(a_prev, expect_gradient(dz, self.output_shape(shape)), self.stride, pads, *self.window)
        return {"W": dW, "b": kernels.conv2d_db(dz)} if self.bias else {"W": dW}

    def backward_relu(self, da, cache, mask):
        """backward of a ReLU behind this layer and of this layer at once."""
        a_prev, (_, n_H_prev, n_W_prev, _) = cache
        expect_gradient(da, mask.shape)
        if a_prev is not None:                         # dW and db need dz itself
            return self.backward(kernels.relu_dz(da, mask), cache)
        _, pads = window_output(cache[1], self.window, self.stride, self.pad)
        W, = in_dtype_of(da, self.params["W"])
        return kernels.conv2d_relu_da_prev(da, mask, W, self.stride, pads, n_H_prev, n_W_prev, self.kept), {}

    def output_shape(self, shape):
        return (*window_output(shape, self.window, self.stride, self.pad)[0], self.n_C)

    def multiply_adds(self, shape):
        """f f n_C_prev for each number of the output."""
        return int(np.prod(self.output_shape(shape))) * int(np.prod(self.window)) * self.n_C_prev


@dataclass(eq=False)
class DepthwiseConv2D:
    """Each channel has a filter of its own and none looks at another.   (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)

    params  W (f, f, n_C), b (n_C,) unless bias is False.   Source: Howard et al. 2017 (MobileNets), sec. 3.1.
    """

    n_C: int
    f: int = 3
    stride: int = 1
    pad: int | str = "same"
    bias: bool = True
    rng: object = field(default=None, repr=False)

    state = {}

    def __post_init__(self):
        check_counts("DepthwiseConv2D", n_C=self.n_C)
        self.window = check_window("DepthwiseConv2D", self.f, self.stride, self.pad)
        shape = (*self.window, self.n_C)
        self.params = _with_bias(self, he_normal(self.rng, shape, np.prod(self.window)))
        self.rng = None

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev, *rest = _ready(self, a_prev, self.n_C)
        z = kernels.depthwise_conv2d(a_prev, *rest)
        return z, (a_prev if params else None, a_prev.shape)

    def forward_prelu(self, a_prev, alpha):
        """forward of this layer and of a PReLU behind it at once: a, and the caches of both, without what parameters need."""
        a_prev, *rest = _ready(self, a_prev, self.n_C)
        a, mask = kernels.depthwise_conv2d_prelu(a_prev, *rest, *in_dtype_of(a_prev, alpha))
        return a, (None, a_prev.shape), (mask, None)

    def backward(self, dz, cache):
        a_prev, (_, n_H_prev, n_W_prev, _) = cache
        expect_gradient(dz, self.output_shape(cache[1]))
        _, pads = window_output(cache[1], self.window, self.stride, self.pad)
        W, = in_dtype_of(dz, self.params["W"])
        da_prev = kernels.depthwise_conv2d_da_prev(dz, W, self.stride, pads, n_H_prev, n_W_prev)
        if a_prev is None:
            return da_prev, {}
        dW = kernels.depthwise_conv2d_dW(a_prev, dz, self.stride, pads, *self.window)
        return da_prev, {"W": dW, "b": kernels.conv2d_db(dz)} if self.bias else {"W": dW}

    def output_shape(self, shape):
        return (*window_output(shape, self.window, self.stride, self.pad)[0], self.n_C)

    def multiply_adds(self, shape):
        return int(np.prod(self.output_shape(shape))) * int(np.prod(self.window))


@dataclass(eq=False)
class _Pool2D:
    """What the poolings share: a window without parameters, channel by channel."""

    f: int = 2
    stride: int = 2
    pad: int | str = 0

    params, state = {}, {}

    def __post_init__(self):
        name = type(self).__name__
        self.window = check_window(name, self.f, self.stride, self.pad)
        if self.pad != "same" and self.pad >= min(self.window):
            raise ShapeError(f"{name}: pad = {self.pad} with f = {self.f}; a window must not lie wholly in the padding. Use pad < f.")
        if self.window[0] * self.window[1] > 2 ** 16:
            raise ShapeError(f"{name}: f = {self.f}; windows of more than 65536 pixels are not supported.")

    def _arguments(self, shape):
        """f_H, f_W, stride and padding, as every pooling kernel takes them."""
        _, pads = window_output(shape, self.window, self.stride, self.pad)
        return (*self.window, self.stride, pads)

    def output_shape(self, shape):
        return (*window_output(shape, self.window, self.stride, self.pad)[0], shape[3])


class MaxPool2D(_Pool2D):
    """The largest number of each window; its gradient goes to the first such in reading order. Padding never wins.

    (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)
    """

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_batch(a_prev)
        a, winner = kernels.max_pool(a_prev, *self._arguments(a_prev.shape))
        return a, (winner, a_prev.shape)

    def backward(self, da, cache):
        winner, shape = cache
        expect_gradient(da, winner.shape)
        return kernels.max_pool_da_prev(da, winner, *self._arguments(shape), *shape[1:3]), {}


class AvgPool2D(_Pool2D):
    """The mean of each window; padding counts as zeros.   (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)"""

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_batch(a_prev)
        return kernels.avg_pool(a_prev, *self._arguments(a_prev.shape)), a_prev.shape

    def backward(self, da, cache):
        expect_gradient(da, self.output_shape(cache))
        return kernels.avg_pool_da_prev(da, *self._arguments(cache), *cache[1:3]), {}


class L2Pool2D(_Pool2D):
    """The length of each window, sqrt(sum of squares); gradient 0 where it is 0.   (m, n_H_prev, n_W_prev, n_C) -> (m, n_H, n_W, n_C)"""

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_batch(a_prev)
        a = kernels.l2_pool(a_prev, *self._arguments(a_prev.shape))
        return a, (a_prev, a)

    def backward(self, da, cache):
        a_prev, a = cache
        expect_gradient(da, a.shape)
        return kernels.l2_pool_da_prev(da, a_prev, a, *self._arguments(a_prev.shape)), {}


@dataclass(eq=False)
class ZeroPad2D:
    """Zeros around every picture, so that branches of unlike size can lie side by side.

    pad  pixels (top, bottom, left, right)
    (m, n_H_prev, n_W_prev, n_C) -> (m, top + n_H_prev + bottom, left + n_W_prev + right, n_C)
    """

    pad: tuple

    params, state = {}, {}

    def __post_init__(self):
        if np.shape(self.pad) != (4,) or not all(isinstance(side, int) and side >= 0 for side in self.pad):
            raise ShapeError(f"ZeroPad2D: pad = {self.pad!r}; expected four whole numbers from 0 up: top, bottom, left, right.")

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_batch(a_prev)
        top, bottom, left, right = self.pad
        return np.pad(a_prev, ((0, 0), (top, bottom), (left, right), (0, 0))), a_prev.shape

    def backward(self, da, cache):
        (_, n_H_prev, n_W_prev, _), (top, _, left, _) = cache, self.pad
        return expect_gradient(da, self.output_shape(cache))[:, top:top + n_H_prev, left:left + n_W_prev], {}

    def output_shape(self, shape):
        m, n_H_prev, n_W_prev, n_C = shape
        top, bottom, left, right = self.pad
        return (m, top + n_H_prev + bottom, left + n_W_prev + right, n_C)


@dataclass(eq=False)
class Dense:
    """z = a_prev W + b: every unit sees everything.   (m, n_prev) -> (m, n)

    params  W (n_prev, n), b (n,)
    The lecture's columns are our rows: z^T = W^T a_prev^T + b^T.
    """

    n_prev: int
    n: int
    rng: object = field(default=None, repr=False)

    state = {}
    sees_everything = True

    def __post_init__(self):
        check_counts("Dense", n_prev=self.n_prev, n=self.n)
        self.params = {"W": he_normal(self.rng, (self.n_prev, self.n), self.n_prev), "b": np.zeros(self.n, np.float32)}
        self.rng = None

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        if a_prev.ndim != 2 or a_prev.shape[1] != self.n_prev:
            raise ShapeError(f"Dense: a_prev has shape {a_prev.shape}; expected (m, {self.n_prev}). " + (
                "After a convolution or pooling put Flatten() before it." if a_prev.ndim != 2 else
                "Behind Flatten() that depends on the picture: give one of the size that the network was built for "
                "(224x224 for VGG and AlexNet), or stop before the dense layers."))
        W, b = in_dtype_of(a_prev, self.params["W"], self.params["b"])
        return kernels.matmul(a_prev, W) + b, (a_prev if params else None, len(a_prev))

    def backward(self, dz, cache):
        a_prev, m = cache
        expect_gradient(dz, (m, self.n))
        W, = in_dtype_of(dz, self.params["W"])
        da_prev = kernels.matmul(dz, W.T)
        if a_prev is None:
            return da_prev, {}
        return da_prev, {"W": kernels.matmul(a_prev.T, dz), "b": dz.sum(axis=0)}

    def output_shape(self, shape):
        return (shape[0], self.n)

    def multiply_adds(self, shape):
        return shape[0] * self.n_prev * self.n


@dataclass(eq=False)
class Flatten:
    """Unrolls each picture into a row, in the order (n_H, n_W, n_C).   (m, n_H, n_W, n_C) -> (m, n_H n_W n_C)"""

    params, state = {}, {}

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        return a_prev.reshape(len(a_prev), int(np.prod(a_prev.shape[1:]))), a_prev.shape

    def backward(self, da, cache):
        return expect_gradient(da, self.output_shape(cache)).reshape(cache), {}

    def output_shape(self, shape):
        return (shape[0], int(np.prod(shape[1:])))


@dataclass(eq=False)
class Dropout:
    """In training each number is dropped with probability `rate`, the others grow by 1 / (1 - rate); otherwise nothing happens.

    So the expected activation is the same in training and in use ("inverted dropout", course 2, week 1).
    Raises ShapeError when training without rng, since chance must be repeatable.
    """

    rate: float = 0.5

    params, state = {}, {}

    def __post_init__(self):
        if not 0 <= self.rate < 1:
            raise ShapeError(f"Dropout: rate = {self.rate}; expected 0 <= rate < 1.")

    def forward(self, a_prev, training=False, rng=None, params=True):
        a_prev = expect_floats(a_prev)
        if not training or self.rate == 0:
            return a_prev, (None, a_prev.shape)
        if rng is None:
            raise ShapeError("Dropout in training draws at random: pass rng=np.random.default_rng(seed).")
        mask = (rng.random(a_prev.shape) >= self.rate).astype(a_prev.dtype) / a_prev.dtype.type(1 - self.rate)
        return a_prev * mask, (mask, a_prev.shape)

    def backward(self, da, cache):
        mask, shape = cache
        expect_gradient(da, shape)
        return (da if mask is None else da * mask), {}

    def output_shape(self, shape):
        return shape
