"""Neural style transfer: the content of one picture, painted in the style of another, by gradient descent on pixels.

    J(G) = alpha J_content(C, G) + beta J_style(S, G)          G := G - learning_rate dJ/dG, in [0, 1]

The weights of the network stay as they are; what is trained is the picture. Source: course 4, week 4: neural style
transfer, cost function. Gatys, Ecker & Bethge 2016.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from scratchnet import images, kernels
from scratchnet.errors import ShapeError
from scratchnet.optimizers import Adam
from scratchnet.starts import STARTS, starting_picture     # noqa: F401
from scratchnet.style_costs import CONTENT, content_cost, gram, layer_style_slope, through_gram, total_variation

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LAM = {l: 1 / len(STYLE_LAYERS) for l in STYLE_LAYERS}
CONTENT_LAYER = "relu4_2"
LEARNING_RATE = 0.03                                  # of Adam, in pixels of [0, 1]: 8 of 255 grey levels
STRIPS, PROGRAM = 32 * 2 ** 20, 130 * 2 ** 20       # what kernels have at work; Python, NumPy, numba


@dataclass
class Step:
    """One step: the picture G after i updates, and what it costs.

    J = alpha J_content + beta J_style + tv J_tv;   per_layer is {layer: J_style^[l]}, before lambda
    """

    i: int
    G: np.ndarray = field(repr=False)
    J: float
    J_content: float
    J_style: float
    per_layer: dict
    J_tv: float = 0.0


class TotalCost:
    """J(G) and dJ/dG as a function of the pixels; C, S and all settings are fixed when it is made.

    net            a network whose layers have the names used below
    C, S           pictures (1, n_H, n_W, 3), RGB in [0, 1]; S may have another size
    content_layer  the lecture's l of J_content              lam  {layer: lambda^[l]} of J_style
    alpha, beta    weights of the two costs; tv that of the total variation per pixel
    normalise      the constants in front, see style_costs
    Raises ShapeError for unknown layers and pictures too small, before any long work.
    """

    def __init__(self, net, C, S, content_layer=CONTENT_LAYER, lam=None, alpha=0.3, beta=1.0, normalise="relative", tv=0.0):
        self.lam = check_layers(net, content_layer, LAM if lam is None else lam)
        if normalise not in CONTENT:
            raise ShapeError(f"normalise = {normalise!r}; expected one of {', '.join(map(repr, CONTENT))}.")
        for name, weight in (("alpha", alpha), ("beta", beta), ("tv", tv)):
            if not 0 <= weight < math.inf:
                raise ShapeError(f"{name} = {weight}; expected a number from 0 up.")
        self.alpha, self.beta, self.tv = float(alpha), float(beta), float(tv)
        self.content_layer, self.normalise = content_layer, normalise
        self.keep = sorted({content_layer, *self.lam}, key=net.names.index)
        self.net = net if net.frozen else net.freeze(until=self.keep[-1])
        C = images.expect_picture(C, "C")
        S = images.expect_picture(S, "S").astype(C.dtype, copy=False)
        for name, picture in (("C", C), ("S", S)):
            check_size(net, self.keep[-1], picture.shape, name)
        kernels.trim()
        a_C = self._activations(C)
        self.a_C, positions = a_C[content_layer], {l: math.prod(a_C[l].shape[1:3]) for l in self.lam}
        del a_C                                        # before those of S need the memory
        self.G_S = {l: gram(a, positions=positions[l]) for l, a in self._activations(S).items() if l in self.lam}

    def _activations(self, x):
        return self.net.forward(x, until=self.keep[-1], keep=self.keep, params=False)[0]

    def __call__(self, G, i=0):
        """-> (Step i at G, dJ/dG)."""
        step, da, caches = self._costs(G, i)
        dG, _ = self.net.backward(da, caches, release=True)
        return step, dG + self.tv / _pixels(G) * total_variation(G)[1] if self.tv else dG

    def step(self, G, i):
        """The costs at G alone, without the way back: half the work."""
        return self._costs(G, i)[0]

    def _costs(self, G, i):
        """Step i at G, the gradients at the layers, and the caches that carry them to the pixels."""
        a, caches = self.net.forward(G, until=self.keep[-1], keep=self.keep, params=False)
        J_content, da_content = content_cost(self.a_C, a[self.content_layer], self.normalise)
        da_content *= self.alpha                       # in place: it is ours
        da, per_layer = {self.content_layer: da_content}, {}
        for l, weight in self.lam.items():
            per_layer[l], slope = layer_style_slope(self.G_S[l], a[l], self.normalise)
            da[l] = self._when_needed(a, l, self.beta * weight * slope, da.get(l))
        J_style = sum(self.lam[l] * per_layer[l] for l in self.lam)
        J_tv = total_variation(G)[0] / _pixels(G) if self.tv else 0.0
        J = self.alpha * J_content + self.beta * J_style + self.tv * J_tv
        numbers = [float(number) for number in (J, J_content, J_style)]
        return Step(i, G, *numbers, {l: float(J_l) for l, J_l in per_layer.items()}, float(J_tv)), da, caches

    def _when_needed(self, a, l, slope, da_content):
        """A function that makes the gradient at layer l and lets go of a[l]: on the way back only one of them is alive."""
        def da():
            da_style = through_gram(a.pop(l), slope)
            return da_style if da_content is None else da_style + da_content
        return da


def transfer(net, C, S, steps=200, start="content", mix=0.6, seed=0, optimizer=None, **settings):
    """Paints C in the style of S. A generator of Step 0 (the start) to Step `steps`; printing and files are the listener's.

    net, C, S   as for TotalCost, which also takes **settings: content_layer, lam, alpha, beta, normalise, tv
    start       "content": G begins as C;  "noise": white noise;  "mix": mix noise + (1 - mix) C
    optimizer   anything with step(f, x); None: Adam(learning_rate=0.03)
    After each step the pixels are brought back into [0, 1]. The costs of a Step are those of its own G.
    Raises ShapeError for bad settings at once, NumericsError when J stops being a number; the last Step yielded is good.
    """
    if not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ShapeError(f"steps = {steps!r}; expected a whole number from 0 up.")
    cost = TotalCost(net, C, S, **settings)
    G = starting_picture(images.expect_picture(C, "C"), start, mix, seed, S)
    return _steps(cost, G, steps, Adam(LEARNING_RATE) if optimizer is None else optimizer)


def _steps(cost, G, steps, optimizer):
    for i in range(steps):
        step = None

        def f(x):
            nonlocal step
            at_x, dx = cost(x, i)
            if x is G:                                 # a line search also asks elsewhere
                step = at_x
            return at_x.J, dx

        G_next, _ = optimizer.step(f, G)
        yield cost.step(G, i) if step is None else step
        G = np.clip(G_next, 0, 1)
    yield cost.step(G, steps)


def check_layers(net, content_layer, lam):
    """lam itself, if every name is a layer and every weight a number from 0 up. Raises ShapeError with the nearest name."""
    if not isinstance(lam, dict):
        raise ShapeError(f"lam = {lam!r}; expected {{layer: weight}}.")
    for name in (content_layer, *lam):
        net.known(name)
    if not lam or not all(0 <= weight < math.inf for weight in lam.values()) or sum(lam.values()) == 0:
        raise ShapeError(f"lam = {lam}; expected {{layer: weight}} with weights from 0 up, not all zero.")
    return {name: float(weight) for name, weight in lam.items()}


def check_size(net, until, shape, name):
    """Raises ShapeError when a picture of this shape shrinks to nothing before layer `until`."""
    stride = step_of(net, until)
    if min(shape[1:3]) < stride:
        raise ShapeError(f"layer {until} sits behind poolings of {stride} pixels in all and needs at least {stride}x{stride}; "
                         f"{name} is {shape[1]}x{shape[2]}. Use shallower layers or a larger picture.")


def step_of(net, until):
    """How many pixels of the picture one position of layer `until` stands for: in VGG 2 for each pooling before it, multiplied."""
    return max(row.stride for row in net.summary((1, 1024, 1024, 3), until).rows)


def left_over(net, until, shape):
    """(rows, columns) at the lower and right border that fill no position of layer `until`, so that it pulls less there.

    In a picture of 256x218 pixels relu5_1 of VGG, whose positions stand for 16 pixels each way, has 16x13 of them: (0, 10).
    Where windows overlap, as AlexNet's do, no such sum is to be done, and nothing is left over.
    """
    stride = step_of(net, until)
    halvings = [row for row in net.summary(shape, until).rows if row.kind.endswith("Pool2D")]
    return tuple(n % stride if 2 ** len(halvings) == stride else 0 for n in shape[1:3])


def _pixels(G):
    return G.shape[1] * G.shape[2]


def memory(net, shape, content_layer=CONTENT_LAYER, lam=None):
    """Bytes that style transfer of a picture of this shape needs at its peak, the running program included.

    Counted: parameters and their transformed filters, those kept and the largest that is not; the masks and winners that
    caches hold; the activations kept for the costs, and a_C; the largest layer in and out and the gradient that meets it
    there; the strips that kernels have at work; Python with its libraries.
    """
    keep = {content_layer, *check_layers(net, content_layer, LAM if lam is None else lam)}
    rows = net.summary(shape, until=max(keep, key=net.names.index)).rows
    item = next(iter(net.params.values())).itemsize
    parameters = item * sum(row.parameters for row in rows)
    kept, passing = 0, 0
    for row in rows:
        if row.kind == "Conv2D":
            W = net.layers[row.layer].params["W"]
            size = kernels.filters_size(W)
            kept, passing = (kept + size, passing) if kernels.keeps_filters(W, row.shape) else (kept, max(passing, size))
    caches = sum(math.prod(row.shape) * {"ReLU": 1, "MaxPool2D": 2}.get(row.kind, 0) for row in rows)
    activations = item * sum(math.prod(row.shape) * (1 + (row.layer == content_layer)) for row in rows if row.layer in keep)
    working = 3 * item * max(math.prod(row.shape) for row in rows)
    return parameters + kept + passing + caches + activations + working + STRIPS + PROGRAM
