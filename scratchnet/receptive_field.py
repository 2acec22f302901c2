"""What part of the picture a unit looks at: one pixel of a deep layer has seen a large piece of the photograph, and this file says which.

    box(net, layer, i, j, size)       the rectangle that unit (i, j) of a layer sees, exact also at the picture's borders
    table(net)                        how large it is and how far the next unit's is, layer by layer
    measured(net, picture, ...)       where inside the rectangle the unit really looks: its gradient

A unit is one (i, j, k): one place of one channel. What it sees hangs on the place alone, since all channels of a layer share it.
A deeper unit sees more because it looks at units that each saw something already.

    k looks at rows  k s - p, ..., k s - p + f - 1  of the layer below      s, p, f: stride, padding before, filter side

Source: course 4, week 4, what are deep ConvNets learning; Dumoulin & Visin 2016, sec. 5.
"""

from typing import NamedTuple

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.layers import ZeroPad2D
from scratchnet.network import Network, Residual
from scratchnet.normalisation import Standardise
from scratchnet.shapes import padding
from scratchnet.summary import Summary


class Field(NamedTuple):
    """Unit i of a layer sees rows offset + i stride, ..., + size - 1 of the picture, before clipping; what is negative is padding."""
    size: int
    stride: int
    offset: int


def box(net, layer, i, j, size):
    """The rectangle of a picture that unit (i, j) of a layer sees -> (top, left, bottom, right), half-open: x[:, top:bottom, left:right]

    net   a Network, or its {name: layer}
    size  (n_H, n_W) of the picture

    Clipped to the picture, and exactly: no pixel outside is ever seen, and every border row and column holds one that is. What a window
    reads beyond an edge is zeros that no pixel made, in every layer on the way, so a unit at the border of a deep layer may see less
    than the table's size cut off. A window that lies in padding alone sees nothing, and its box is (0, 0, 0, 0). Through Branches
    and Residual the box is around all that any way sees. Behind Flatten everything is seen, and behind Standardise too, if only for
    its mean and spread.
    Raises ShapeError for a layer, a position or a picture that there is not.
    """
    (rows,), (columns,) = edges(net, layer, [i], [j], size)
    return (0, 0, 0, 0) if rows[1] == 0 or columns[1] == 0 else tuple(int(edge) for edge in (rows[0], columns[0], rows[1], columns[1]))


def edges(net, layer, i, j, size):
    """box for many units at once: the rows that units at rows i see, and the columns that those at columns j see.

    i, j -> (len(i), 2) tops and bottoms, (len(j), 2) lefts and rights; (0, 0) where nothing is seen.   Raises as box does.
    """
    layers, shapes = _until(net, layer, size)
    found = []
    for axis, places in ((1, i), (2, j)):
        n = shapes[-1][axis] if len(shapes[-1]) == 4 else 1
        places = np.asarray(places)
        if places.size and not (places.min() >= 0 and places.max() < n):
            wrong = places.min() if places.min() < 0 else places.max()
            raise ShapeError(f"{'ij'[axis - 1]} = {wrong}: for a picture of {size[0]}x{size[1]} {layer!r} has "
                             f"{n} {('rows', 'columns')[axis - 1]}; expected 0 to {n - 1}.")
        seen = _pixels(layers, shapes, places[:, None] == np.arange(n), axis)
        ends = np.stack([seen.argmax(axis=1), seen.shape[1] - seen[:, ::-1].argmax(axis=1)], axis=1)
        found.append(np.where(seen.any(axis=1)[:, None], ends, 0))
    return found


def table(net, size=(224, 224)):
    """{layer: Field} along the rows of the picture, for every layer.

    size  of the picture, (n_H, n_W). It matters only where "same" padding meets a stride, or behind Flatten
    Where a window is no square the columns differ: box knows both. What Standardise sees is left out.
    """
    layers, shapes = _until(net, None, size)
    fields = {}
    for n, row in enumerate(Summary(_network(net).layers, shapes[0]).rows, 1):
        first, last = _reach(layers[:n], shapes, 0, 0)
        fields[row.layer] = Field(last - first + 1, row.stride, first) if len(row.shape) == 4 else Field(size[0], 0, 0)
    return fields


def measured(net, picture, layer, i, j, unit):
    """How strongly each pixel moves the unit: |da[l]_{i j unit} / dx|, the length over the colours.   (1, n_H, n_W, 3) -> (n_H, n_W)

    Zero outside the unit's box, and inside mostly strongest in the middle, to which many ways through the network lead.
    Source: Luo et al. 2016, "Understanding the effective receptive field", sec. 2. Raises ShapeError as box does.
    """
    net = _network(net)
    box(net, layer, i, j, np.shape(picture)[1:3])
    a, caches = net.forward(picture, until=layer, keep=[layer], params=False)
    da = np.zeros_like(a[layer])
    place = (0, i, j, unit) if da.ndim == 4 else (0, unit)
    if not 0 <= unit < da.shape[-1]:
        raise ShapeError(f"unit = {unit}: {layer!r} has {da.shape[-1]} channels; expected 0 to {da.shape[-1] - 1}.")
    da[place] = 1
    dx, _ = net.backward({layer: da}, caches)
    return np.sqrt(np.sum(dx[0] ** 2, axis=-1))


def _network(net):
    return net if isinstance(net, Network) else Network(net)


def _until(net, layer, size):
    """The layers up to this one (None: all), and their shapes."""
    net = _network(net)
    if len(np.shape(size)) != 1 or len(size) != 2:
        raise ShapeError(f"size = {size!r}; expected (n_H, n_W) of the picture.")
    n = len(net.names) if layer is None else net.names.index(net.known(layer)) + 1
    layers = list(net.layers.values())[:n]
    return layers, _shapes(layers, (1, *size, 3))


def _pixels(layers, shapes, seen, axis):
    """Which rows (axis 1) or columns (2) of layers[0]'s input are seen through these of the last one's output.

    (units, n of the output) -> (units, n of the input), bool. A list of what is seen, not its ends: strides may leave gaps in it.
    """
    for layer, shape in zip(layers[::-1], shapes[len(layers) - 1::-1]):
        if len(shape) != 4:
            continue                                   # behind Flatten there are no places, until the map that was flattened
        if hasattr(layer, "networks"):
            seen = _through(layer, shape, seen, axis)
        elif hasattr(layer, "window"):
            seen = _window(layer, shape, seen, axis)
        elif isinstance(layer, ZeroPad2D):
            before = layer.pad[2 * (axis - 1)]
            seen = seen[:, before:before + shape[axis]]
        elif isinstance(layer, Standardise) or len(layer.output_shape(shape)) != 4:
            seen = np.repeat(seen.any(axis=1, keepdims=True), shape[axis], axis=1)
    return seen


def _window(layer, shape, seen, axis):
    """One step down: unit k looks at k s - p + u for every u < f, of which those in the padding are nothing."""
    f, n_prev = layer.window[axis - 1], shape[axis]
    before = padding(layer.pad, *shape[1:3], layer.window, layer.stride)[2 * (axis - 1)]
    below, k = np.zeros((len(seen), n_prev), bool), np.arange(seen.shape[1])
    for u in range(f):
        at = k * layer.stride - before + u
        inside = (at >= 0) & (at < n_prev)
        below[:, at[inside]] |= seen[:, inside]
    return below


def _ways(layer):
    """The networks that lie side by side in a layer, each as a list of layers; beside a residual there is the way around it."""
    return [list(network.layers.values()) for network in layer.networks.values()] + [[]] * isinstance(layer, Residual)


def _through(layer, shape, seen, axis):
    """What any of the networks inside sees."""
    return np.any([_pixels(way, _shapes(way, shape), seen, axis) for way in _ways(layer)], axis=0)


def _shapes(layers, shape):
    """shapes[n] is what layer n is given; the last is what the last layer gives."""
    return [shape, *(row.shape for row in Summary(dict(enumerate(layers)), shape).rows)]


def _reach(layers, shapes, first, last):
    """Rows first to last of the last layer's output -> the first and last row of the input that they reach, in the padding too."""
    for layer, shape in zip(layers[::-1], shapes[len(layers) - 1::-1]):
        if hasattr(layer, "networks"):
            ends = [_reach(way, _shapes(way, shape), first, last) for way in _ways(layer)]
            first, last = min(start for start, _ in ends), max(end for _, end in ends)
        elif hasattr(layer, "window"):
            top = padding(layer.pad, *shape[1:3], layer.window, layer.stride)[0]
            first, last = first * layer.stride - top, last * layer.stride - top + layer.window[0] - 1
        elif isinstance(layer, ZeroPad2D):
            first, last = first - layer.pad[0], last - layer.pad[0]
    return first, last
