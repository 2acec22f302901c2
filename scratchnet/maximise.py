"""What would a unit like to see most?  Begin with grey and a little noise, and climb: the pixels change, the weights do not.

    x := x + learning_rate da_k/dx,   in [0, 1]

Nothing keeps such a picture natural, and without help it drowns in fine noise that no camera would give. What helps:

    l2       pixels that do not matter stay grey           l2 sum (x - 1/2)^2 / (n_H n_W)                Simonyan et al. 2014
    tv       neighbours are drawn together                 tv total_variation(x) / (n_H n_W)             Mahendran & Vedaldi 2015
    jitter   the picture is shifted a little, by chance, before each step: what only fits one grid of pixels does not last
    blur     every few steps the finest detail is wiped away, and what the unit really needs comes back  Yosinski et al. 2015

Activations of one layer may be thousands and of another ones; they are divided by their root mean square over noise, a constant,
so that one set of weights serves every layer.   Source: lecture, what are deep ConvNets learning. Erhan et al. 2009; jitter:
Mordvintsev et al. 2015.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from scratchnet import images
from scratchnet.errors import ShapeError
from scratchnet.optimizers import Adam
from scratchnet.style_costs import total_variation

STARTS = ("noise", "grey")
SMALLEST = 64                                         # pixels: what a shallow unit sees is too small to look at
LEAK = 0.1                                            # the slope of a silent unit, so that it can be woken


@dataclass
class Step:
    """The pictures after i steps, (m, n_H, n_W, 3), one for each unit; each unit's activation, (m,); J, what the optimiser lowers.

    Both are measured through the jitter of the step that follows; those of the last Step, which no step follows, without.
    """

    i: int
    x: np.ndarray = field(repr=False)
    activation: np.ndarray
    J: float


class Objective:
    """J(x) = sum over units of (-a / scale + l2 ||x - 1/2||^2 / n + tv J_tv(x) / n), n = n_H n_W, and dJ/dx; one picture a unit.

    net       a network;  layer  the lecture's l;  units  channels, one for each picture
    position  None: a is the channel's mean over all places.  (i, j): one place
    scale     the unit of activation, see above
    Where the layer is a ReLU, what is climbed is z where z > 0 and z / 10 elsewhere: a unit that is silent everywhere would have no
    slope, and stay so.
    """

    def __init__(self, net, layer, units, position=None, l2=0.0, tv=0.0, scale=1.0):
        place = net.names.index(net.known(layer))
        self.bends = place > 0 and type(net.layers[layer]).__name__ == "ReLU"
        self.climbed = net.names[place - 1] if self.bends else layer
        self.net, self.units, self.position = net, np.asarray(units), position
        self.l2, self.tv, self.scale = float(l2), float(tv), float(scale)

    def __call__(self, x, shift=(0, 0)):
        """-> (J, dJ/dx, the activations (m,)).   shift  by how many rows and columns the network sees x rolled"""
        a, caches = self.net.forward(np.roll(x, shift, axis=(1, 2)), until=self.climbed, keep=[self.climbed], params=False)
        z = a.pop(self.climbed)
        at = self._places(z.shape)
        seen = z.reshape(len(x), -1, z.shape[-1])[at]                           # (m, places)
        slope = np.where(seen > 0, 1, LEAK) if self.bends else np.ones(seen.shape)
        climbed, dz = np.mean(slope * seen, axis=1), np.zeros_like(z)
        dz.reshape(len(x), -1, z.shape[-1])[at] = -slope / (self.scale * seen.shape[1])
        dx = np.roll(self.net.backward({self.climbed: dz}, caches, release=True)[0], (-shift[0], -shift[1]), axis=(1, 2))
        J_kept, dx_kept = self._kept_natural(x)
        activation = np.mean(np.maximum(seen, 0) if self.bends else seen, axis=1)
        return float(J_kept - np.sum(climbed) / self.scale), dx + dx_kept, activation

    def _places(self, shape):
        """Index of the units in z as (m, places, n_C)."""
        places = np.arange(math.prod(shape[1:-1])) if self.position is None else np.ravel_multi_index(self.position, shape[1:-1])
        return np.arange(shape[0])[:, None], np.atleast_1d(places)[None], self.units[:, None]

    def _kept_natural(self, x):
        """The two costs that need no network, and their gradient."""
        n, grey = x.shape[1] * x.shape[2], x - x.dtype.type(0.5)
        J, dx = self.l2 / n * np.sum(grey ** 2), 2 * self.l2 / n * grey
        for i in range(len(x) if self.tv else 0):                               # a picture at a time: neighbours are of one
            J_tv, dx_tv = total_variation(x[i:i + 1])
            J, dx[i] = J + self.tv / n * J_tv, dx[i] + self.tv / n * dx_tv[0]
        return J, dx


def maximise(net, layer, unit, size=None, steps=96, position=None, start="noise", l2=0.1, tv=3.0, jitter=4, blur=1.0, blur_every=4,
             learning_rate=0.03, seed=0, optimizer=None):
    """A picture that drives a unit as far as it goes. A generator of Step 0 (the start) to Step `steps`; files are the listener's.

    unit      a channel k, or several, each with a picture of its own in one batch
    size      side in pixels, or (n_H, n_W); None: what one unit of the layer sees, at least 64, or the only size that the network takes
    position  None: the mean of the channel, a texture.  "centre" or (i, j): one place of it, the thing itself
    start     "noise": uniform within 0.1 of grey, from `seed`, the same for every unit;  "grey";  or a picture
    l2, tv, jitter (pixels), blur (sigma in pixels, after every blur_every steps but the last ones)     see above; 0: without
    optimizer anything with step(f, x); None: Adam(learning_rate)
    The same arguments give the same pictures, to the bit.
    Raises ShapeError for an unknown layer, a unit out of range and bad settings at once, NumericsError when J stops being a number.
    """
    for name, value, least in (("steps", steps, 0), ("jitter", jitter, 0), ("blur_every", blur_every, 1)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ShapeError(f"{name} = {value!r}; expected a whole number from {least} up.")
    for name, value in (("l2", l2), ("tv", tv), ("blur", blur)):
        if not 0 <= value < math.inf:
            raise ShapeError(f"{name} = {value!r}; expected a number from 0 up.")
    net = net if net.frozen else net.freeze(until=net.known(layer))
    shape = _output_shape(net, layer, size := _size(net, layer, size, start))
    units = _expect_units(unit, layer, shape[-1])
    position = _expect_position(position, layer, shape[1:-1])
    x = _starting_pictures(start, size, seed, len(units))
    noise = _starting_pictures("noise", size, seed, 1)
    a = net.forward(noise, until=layer, keep=[layer], params=False)[0][layer]
    scale = float(np.sqrt(np.mean(a.astype(np.float64) ** 2))) or 1.0
    objective = Objective(net, layer, units, position, l2, tv, scale)
    rng = np.random.default_rng([seed, 1])
    shifts = [tuple(int(n) for n in rng.integers(-jitter, jitter + 1, 2)) for _ in range(steps)]
    blurs = [blur if blur and i % blur_every == 0 and i <= steps - 2 * blur_every else 0 for i in range(1, steps + 1)]
    return _steps(objective, x, shifts, blurs, Adam(learning_rate) if optimizer is None else optimizer)


def _steps(objective, x, shifts, blurs, optimizer):
    for i, (shift, sigma) in enumerate(zip(shifts, blurs)):
        first = None

        def f(at):
            nonlocal first
            J, dx, activation = objective(at, shift)
            first = first or Step(i, at, activation, J)                         # a line search also asks elsewhere, later
            return J, dx

        x_next, _ = optimizer.step(f, x)
        yield first
        x = np.clip(x_next, 0, 1)
        x = blurred(x, sigma) if sigma else x
    J, _, activation = objective(x)
    yield Step(len(shifts), x, activation, J)


def blurred(x, sigma):
    """Each pixel the mean of its neighbours, weighted by e^(-distance^2 / (2 sigma^2)); beyond the border the picture goes on as there.

    (m, n_H, n_W, n_C) -> the same. First down, then across: 2 (2r + 1) products a number instead of (2r + 1)^2, r = 3 sigma.
    """
    r = max(1, math.ceil(3 * sigma))
    weight = np.exp(-0.5 * (np.arange(-r, r + 1) / sigma) ** 2)
    weight = (weight / weight.sum()).astype(x.dtype)
    for axis in (1, 2):
        padded = np.pad(x, [(r, r) if k == axis else (0, 0) for k in range(x.ndim)], mode="edge")
        x = sum(w * np.take(padded, range(k, k + x.shape[axis]), axis) for k, w in enumerate(weight))
    return x


# ---- what may come in ------------------------------------------------------------------------------------------------------

def _size(net, layer, size, start):
    """(n_H, n_W), from the argument, the picture to begin with, or what one unit of the layer sees."""
    if not isinstance(start, str):
        given = images.expect_picture(start, "start").shape[1:3]
        if size is not None and tuple(np.broadcast_to(size, 2)) != given:
            raise ShapeError(f"size = {size} and start is {given[0]}x{given[1]}; expected one size. Leave size out, or resize start.")
        return given
    fixed = getattr(next(iter(net.layers.values())), "size", None)              # a network of pictures of one size says so
    if size is None and fixed:
        return tuple(fixed)
    if size is None:
        if any(type(net.layers[name]).__name__ == "Dense" for name in net.names[:1 + net.names.index(net.known(layer))]):
            raise ShapeError(f"{layer!r} is behind dense layers, which fix the size: give it, size=224 for VGG and AlexNet.")
        row = net.summary((1, 1024, 1024, 3), layer).rows[-1]
        return (-(-max(SMALLEST, row.receptive_field) // row.stride) * row.stride,) * 2
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, (int, np.integer)) and side >= 1 for side in sides):
        raise ShapeError(f"size = {size!r}; expected a whole number of pixels from 1 up, or (n_H, n_W).")
    return sides


def _output_shape(net, layer, size):
    try:
        return net.summary((1, *size, 3), layer).rows[-1].shape
    except ShapeError as e:
        raise ShapeError(f"a picture of {size[0]}x{size[1]} is too small for {layer!r}: {e}") from e


def _expect_units(unit, layer, n_C):
    units = np.atleast_1d(unit)
    if units.ndim != 1 or units.size == 0 or units.dtype.kind not in "iu" or units.min() < 0 or units.max() >= n_C:
        raise ShapeError(f"unit = {unit!r}; expected whole numbers from 0 to {n_C - 1}, channels of {layer}.")
    return units


def _expect_position(position, layer, sizes):
    if position is None:
        return None
    if isinstance(position, str) and position == "centre":
        return tuple(n // 2 for n in sizes)
    if np.shape(position) != (len(sizes),) or not all(0 <= i < n for i, n in zip(position, sizes)):
        raise ShapeError(f'position = {position!r}; expected None, "centre", or (i, j) within {"x".join(map(str, sizes))}, '
                         f"the places of {layer}.")
    return tuple(int(i) for i in position)


def _starting_pictures(start, size, seed, m):
    """(m, n_H, n_W, 3), every picture the same."""
    if not isinstance(start, str):
        x = images.expect_picture(start, "start")
    elif start == "noise":
        x = (np.random.default_rng(seed).random((1, *size, 3)) * 0.2 + 0.4).astype(np.float32)
    elif start == "grey":
        x = np.full((1, *size, 3), 0.5, np.float32)
    else:
        raise ShapeError(f"start = {start!r}; expected {', '.join(map(repr, STARTS))}, or a picture.")
    return np.repeat(x, m, axis=0)
