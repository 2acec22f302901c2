"""What style transfer will take, known from the shapes before it begins; and how a picture too large for the memory is painted.

Counted: parameters and their transformed filters, those kept and the largest that is not; the masks and winners that caches hold;
the activations kept for the costs, and a_C; the largest layer in and out and the gradient that meets it there; the pictures that
the run and its optimiser remember; the strips that kernels have at work; Python with its libraries.
"""

import contextlib
import functools
import math
import os

from scratchnet import kernels
from scratchnet.errors import ShapeError
from scratchnet.strips import strips
from scratchnet.total_cost import CONTENT_LAYER, LAM, check_layers, step_of

KERNELS, PROGRAM = 32 * 2 ** 20, 130 * 2 ** 20        # what kernels have at work; Python, NumPy, numba
PICTURES = 6                                          # C, S, G, the next G, the best G, dJ/dG


def memory(net, shape, content_layer=CONTENT_LAYER, lam=None, strip=None, remembered=4, masks=0, styles=()):
    """Bytes that style transfer of a picture of this shape needs at its peak, the running program included.

    strip       rows of a strip, as TotalCost takes it
    remembered  pictures that the optimiser keeps and makes on its way: 4 for Adam, 2 history + 6 for L-BFGS
    masks       how many styles have a region of their own
    styles      shapes of the paintings, which go through the network once and not back; none: no larger than the picture
    """
    keep = {content_layer, *check_layers(net, content_layer, LAM if lam is None else lam)}
    at_work = max(_at_work(net, shape, keep, strip, 3 + (masks > 0)), *(_at_work(net, S, keep, strip, 2) for S in styles), 0)
    item = next(iter(net.params.values())).itemsize
    a_C = item * math.prod(net.summary(shape, until=content_layer).rows[-1].shape)
    pictures = (PICTURES + remembered) * item * math.prod(shape) + item * sum(map(math.prod, styles))
    return int(at_work + a_C + pictures) + KERNELS + PROGRAM


def _at_work(net, shape, keep, strip, maps):
    """Bytes of parameters, filters, caches, activations kept, and so many of the largest layer, for the tallest strip of a picture."""
    deepest = max(keep, key=net.names.index)
    tallest = max((one.stop or shape[1]) - one.start for one in strips(net, deepest, shape[1], strip))
    rows = net.summary((*shape[:1], tallest, *shape[2:]), until=deepest).rows
    item = next(iter(net.params.values())).itemsize
    kept, passing = 0, 0
    for row in rows:
        if row.kind == "Conv2D":
            W = net.layers[row.layer].params["W"]
            size = kernels.filters_size(W)
            kept, passing = (kept + size, passing) if kernels.keeps_filters(W, row.shape) else (kept, max(passing, size))
    caches = sum(math.prod(row.shape) * {"ReLU": 1, "MaxPool2D": 2}.get(row.kind, 0) for row in rows)
    numbers = sum(row.parameters for row in rows) + sum(math.prod(row.shape) for row in rows if row.layer in keep)
    return item * (numbers + maps * max(math.prod(row.shape) for row in rows)) + kept + passing + caches


def strip_within(limit, net, shape, content_layer=CONTENT_LAYER, lam=None, styles=(), **counted):
    """None when all pictures fit into `limit` bytes as a whole, else the tallest strip with which they do; lower ones stay whole.

    Raises ShapeError when even the lowest strip does not fit.
    """
    fits = functools.partial(memory, net, shape, content_layer, lam, styles=styles, **counted)
    if fits(strip=None) <= limit:
        return None
    step = step_of(net, max({content_layer, *check_layers(net, content_layer, LAM if lam is None else lam)}, key=net.names.index))
    number, n_H = 2, max(n_H for _, n_H, *_ in (shape, *styles))
    while n_H / number >= 2 * step:
        rows = -(-n_H // (number * step)) * step
        if fits(strip=rows) <= limit:
            return rows
        number += 1
    largest = max((shape, *styles), key=math.prod)
    raise ShapeError(f"a picture of {largest[1]}x{largest[2]} does not fit into {limit / 2 ** 30:.3g} GB of memory, in strips neither. "
                     "Take a smaller --size or --style-size, or another optimiser: L-BFGS remembers many pictures.")


def work_of_strips(net, shape, content_layer, lam, strip):
    """How many times the work of a whole picture its strips are: a step goes forward twice and back once, the margins included."""
    if strip >= shape[1]:
        return 1.0
    deepest = max((content_layer, *lam), key=net.names.index)
    carried = sum((one.stop or shape[1]) - one.start for one in strips(net, deepest, shape[1], strip))
    return 1.5 * carried / shape[1]


def available():
    """Bytes of memory that are free for a new program, or None where the system does not say."""
    try:
        with open("/proc/meminfo") as file:
            free = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":") for line in file)}["MemAvailable"]
        return min([free, *_limits()])
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
        except (ValueError, OSError, AttributeError):
            return None


def _limits():
    """What a container may still take, where there is such a limit."""
    with contextlib.suppress(OSError, ValueError):     # no such limit: "max"
        with open("/sys/fs/cgroup/memory.max") as most, open("/sys/fs/cgroup/memory.current") as now:
            yield int(most.read()) - int(now.read())
