"""Which pixels made this unit so active, and what made the network say so?  Every answer is a map of the picture.

    back_to_pixels(net, picture, layer, unit, rule)   a unit's activation, carried back to the pixels: three rules
    saliency(net, picture, layer, unit)               how strongly each pixel moves it: the largest |gradient| of the colours
    occlusion_map(net, picture, score)                how much a score falls when a grey square hides each place
    grad_cam(net, picture, layer, score)              which places of a layer speak for a score
    why_same(net, img1, img2)                         the last two for d(img1, img2): why did it say "same"?

The three rules differ in one thing, what a ReLU lets through on the way back. With da what arrives from behind:

    "gradient"   da where z > 0                       backpropagation as ever            Simonyan et al. 2014
    "deconv"     da where da > 0                      the deconvnet                      Zeiler & Fergus 2013
    "guided"     da where both                        guided backpropagation             Springenberg et al. 2015, fig. 1

Everything else is alike: a max-pool sends da to the place that won on the way forward (the "switches"), a convolution goes back
through its transposed filters. A 5x5 picture, by hand: conv1, 3x3, padding 1; ReLU; 2x2 max-pool; conv2, 2x2; ReLU.

    x  0 3 0 2 0   conv1    0  1  0   z1  -4  0 -1 -2  1   pool1  2 2   conv2   2 -1    a2 = 2 * 2 - 1 * 2 = 2
       1 0 2 2 1            1  0 -1        0  2 -2  2 -1          0 0           1 -2
       0 0 0 1 3            0 -1  0       -2 -2 -1 -1 -1
       3 2 2 0 3                          -3 -1 -1 -3  0   the lower windows are dead: all 0 after the ReLU, so that the first
       1 2 3 3 3                           1  0  1  0  6   place wins; the fifth row and column meet no window

Of a2 = 2 the four windows get 2 conv2, which is 4 and -2 above, 2 and -4 below, at z1[1, 1], z1[1, 3], z1[2, 0], z1[2, 2]. Each rule lets
other ones through: z1 > 0 holds above, da > 0 on the left, both only at z1[1, 1]. What passes is laid down as conv1, turned over:

    "gradient"   0  4  0 -2  0   "deconv"     0  4  0  0  0   "guided"   0  4  0  0  0
    4 and -2     4  0 -6  0  2   4 and 2      6  0 -4  0  0   4          4  0 -4  0  0
                 0 -4  0  2  0                0 -6  0  0  0              0 -4  0  0  0
                 0  0  0  0  0               -2  0  0  0  0              0  0  0  0  0
                 0  0  0  0  0                0  0  0  0  0              0  0  0  0  0

Source: lecture, what are deep ConvNets learning. Grad-CAM: Selvaraju et al. 2017. Occlusion: Zeiler & Fergus 2013, sec. 4.2.
"""

import copy
from typing import NamedTuple

import numpy as np

from scratchnet import images, kernels
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.network import Network
from scratchnet.shapes import expect_batch, expect_gradient
from scratchnet.similarity import expect_encodings, squared_euclidean

RULES = {                                             # where a ReLU lets da through, given z > 0
    "gradient": lambda da, positive: positive,
    "deconv":   lambda da, positive: da > 0,
    "guided":   lambda da, positive: positive & (da > 0),
}


class Back(NamedTuple):
    """dx, of the picture's shape; the unit's activation and its place, where the way back began; the ReLUs that obeyed the rule.

    Where an array is wanted, as by np.asarray, it is dx.
    """
    dx: np.ndarray
    value: float
    position: tuple
    relus: list

    def __array__(self, dtype=None, copy=None):
        return np.array(self.dx, dtype) if copy else np.asarray(self.dx, dtype)


class Cam(NamedTuple):
    """heat (n_H, n_W) of the layer, none negative; the same at the picture's size; the score; why all is zero, or None."""
    heat: np.ndarray
    on_picture: np.ndarray
    score: float
    layer: str
    reason: str | None


class Occlusion(NamedTuple):
    """fall of the score for each box (top, left, bottom, right); on each pixel the mean of the boxes over it; the score unhidden."""
    on_picture: np.ndarray
    fall: np.ndarray
    boxes: list
    score: float


class WhySame(NamedTuple):
    """d, and for each of the two pictures a Cam and an Occlusion of how near they are, -d."""
    d: float
    cams: tuple
    occlusions: tuple


# ---- a unit, back to the pixels --------------------------------------------------------------------------------------------

class ReLUByRule(ReLU):
    """A ReLU with another way back: forward and cache are a ReLU's, so that the caches of one network serve all three rules.

    Network runs a convolution and what is named ReLU at once; this has another name, and is asked by itself.
    """

    def __init__(self, rule):
        self.lets_through = RULES[rule]

    def backward(self, da, cache):
        return kernels.relu_dz(expect_gradient(da, cache.shape), self.lets_through(da, cache)), {}


def by_rule(net, rule, until=None):
    """The same network around the same arrays, every ReLU with the way back of `rule`, and the names of those ReLUs.

    until  the last layer that counts (None: all).   ReLUs inside Branches and Residual are replaced too, "block.one.relu1"; other
    activations (PReLU, Sigmoid, Softmax) keep their gradient under every rule. There are no hooks, so none can be missed.
    -> (Network, [name, ...])        Raises ShapeError for an unknown rule or layer.
    """
    if rule not in RULES:
        raise ShapeError(f"rule = {rule!r}; expected one of {', '.join(map(repr, RULES))}.")
    last = len(net.names) if until is None else 1 + net.names.index(net.known(until))
    layers, replaced = {}, []
    for name in net.names[:last]:
        layer = net.layers[name]
        if isinstance(layer, ReLU):
            layer = ReLUByRule(rule)
            replaced.append(name)
        elif hasattr(layer, "networks"):
            inside = {branch: by_rule(network, rule) for branch, network in layer.networks.items()}
            layer = copy.copy(layer)
            layer.networks = {branch: network for branch, (network, _) in inside.items()}
            replaced += [f"{name}.{branch}.{relu}" for branch, (_, relus) in inside.items() for relu in relus]
        layers[name] = layer
    return Network(layers, net.frozen), replaced


def back_to_pixels(net, picture, layer, unit, rule="deconv", position=None, start=None):
    """What in the picture the unit answers to: its strongest activation, carried back to the pixels by one of three rules.

    picture   (1, n_H, n_W, 3) or (n_H, n_W, 3), RGB in [0, 1]; a network of other pictures takes its own, (1, n_H, n_W, n_C)
    layer     the lecture's l, such as "relu3_1";      unit  the channel k
    position  (i, j) of the unit in its layer; None: where a[0, :, :, k] is largest, the first such place in reading order
    start     what the way back begins with, all other activations of the layer being zeroed. None: the activation itself under
              every rule, as in the deconvnet. 1: what a one-hot gradient gives, so that "gradient" is da_ijk/dx. For a positive
              activation the two differ by that factor alone, because every rule lets a multiple through as the multiple. A negative
              one, of a logit say, sets out with its sign, and "deconv" and "guided" stop what is negative: use 1 there
    Returns Back(dx, value, position, relus). A dead unit, value 0, has no picture: dx is 0.
    Raises ShapeError for an unknown layer or rule, a unit or position out of range, and a picture too small for the layer.
    """
    x, (ruled, relus) = _expect_one(picture), by_rule(net, rule, until=layer)
    a, caches = _forward(net, x, layer)
    position = _strongest(a, layer, unit) if position is None else _expect_position(a, layer, position)
    at = (0, *position, _expect_unit(a, layer, unit))
    da = np.zeros_like(a)
    da[at] = a[at] if start is None else start
    dx, _ = ruled.backward({layer: da}, caches, release=True)
    return Back(dx, float(a[at]), position, relus)


def saliency(net, picture, layer, unit, position=None):
    """max_c |da_k/dx_c|: how strongly each pixel moves the unit, whatever its colour.   -> (n_H, n_W)

    Arguments as for back_to_pixels. For a class give the layer of the logits ("fc8"), not the softmax behind it: where that is sure
    of itself its gradient vanishes.   Source: Simonyan, Vedaldi & Zisserman 2014, sec. 3.1.
    """
    return np.abs(back_to_pixels(net, picture, layer, unit, "gradient", position, start=1).dx[0]).max(axis=-1)


# ---- scores: what is asked about -------------------------------------------------------------------------------------------
# A score is a function of what a network ends in: score(f) -> (S (m,), dS/df), f (m, n_f) or (m, n_H, n_W, n_C).

def logit(k):
    """S = f_k, class k before the softmax; where the network ends in maps, the mean of channel k over its positions."""
    def score(f):
        _expect_unit(f, "the last layer", k)
        over = tuple(range(1, f.ndim - 1))
        df = np.zeros_like(f)
        df[..., k] = 1 / int(np.prod(f.shape[1:-1]))
        return f[..., k].mean(axis=over), df
    return score


def distance(f_2):
    """S = d = ||f - f_2||^2 from the encoding f_2, (n_f,): what speaks for two people."""
    f_2 = expect_encodings(f_2, "f_2", ndim=(1,))

    def score(f):
        return squared_euclidean(f, f_2), 2 * (f - f_2.astype(f.dtype))
    return score


def closeness(f_2):
    """S = -d: what speaks for one person. For encodings of length 1 it is 2 cosine_similarity - 2."""
    far = distance(f_2)

    def score(f):
        d, df = far(f)
        return -d, -df
    return score


def ends_in(net):
    """The layer whose output a score reads: the last one that is not a softmax."""
    return next(name for name in reversed(net.names) if type(net.layers[name]).__name__ != "Softmax")


# ---- a score, on the places of the picture ---------------------------------------------------------------------------------

def grad_cam(net, picture, layer=None, score=0, by_place=False):
    """heat_ij = max(sum_k w_k a_ijk, 0), w_k = the mean over positions of dS/da_ijk: which places of a layer speak for S.

    layer  None: the last one whose output still has places, poolings aside (VGG-19: "relu5_4"); the Cam names it
    score  a class k, for logit(k), or a score function, see above
    by_place  True: w_ijk = dS/da_ijk of each place, no mean. Before a mean over all places that is the same; before Flatten and Dense,
              where one channel may speak for S here and against it there, the mean forgets which (HiResCAM)
    The gradient is that of what follows the layer, run as a network of its own. Heat is in units of the score, never divided by its
    largest; where it is zero everywhere `reason` says why, instead of 0 / 0.
    Raises ShapeError for an unknown layer, one without places or behind the score, and a class that is not there.
    Source: Selvaraju et al. 2017, eq. 1-2.   HiResCAM: Draelos & Carin 2020, arXiv 2011.08891.
    """
    x, end, score = _expect_one(picture), ends_in(net), _as_score(score)
    layer = last_places(net, x.shape) if layer is None else net.known(layer)
    first = 1 + net.names.index(layer)
    if first > 1 + net.names.index(end):
        raise ShapeError(f"{layer!r} comes after {end!r}, which the score reads. Give a layer before it.")
    a, _ = _forward(net, x, layer)
    if a.ndim != 4:
        raise ShapeError(f"{layer!r} has output {a.shape}, without places; give a layer before Flatten, such as "
                         f"{last_places(net, x.shape)!r}.")
    S, da = _score_of(Network({name: net.layers[name] for name in net.names[first:]}, net.frozen), a, end, score)
    w = da if by_place else da.mean(axis=(0, 1, 2))
    evidence = (w * a).sum(axis=3)[0]
    heat, reason = np.maximum(evidence, 0), None
    if not da.any():
        reason = f"dS/da is 0 at {layer!r}: nothing there moves the score (equal encodings, dead ReLUs, or a saturated end)."
    elif not heat.any():
        reason = f"sum_k w_k a_ijk is nowhere above 0 at {layer!r} (largest {evidence.max():.3g}): no place there speaks for the score."
    return Cam(heat, enlarged(heat, *x.shape[1:3]), float(S), layer, reason)


def occlusion_map(net, picture, score=0, side=16, stride=8, fill=0.5, batch=16):
    """fall = S(picture) - S(picture with a square of `fill` on it), for every place of the square: what the score rests on.

    net     a network; or any function of pictures, (m, n_H, n_W, n_C) -> (m,), and then `score` is not asked
    side    of the square in pixels;     stride  from square to square. The last row and column of squares end at the border
    fill    a number, or one for each colour;     batch  pictures at a time
    Costs len(occlusion_boxes(...)) + 1 forward passes.   -> Occlusion(on_picture, fall (rows, columns), boxes, score)
    Raises ShapeError for a square larger than the picture, a stride that leaves gaps, or scores of another shape than (m,).
    Source: Zeiler & Fergus 2013, sec. 4.2.
    """
    x = _expect_one(picture)
    f = net if callable(net) else scored(net, score)
    boxes = occlusion_boxes(x.shape, side, stride)
    S, fall = _scores(f, x)[0], []
    for first in range(0, len(boxes), batch):
        some = boxes[first:first + batch]
        hidden = np.repeat(x, len(some), axis=0)
        for one, (top, left, bottom, right) in zip(hidden, some):
            one[top:bottom, left:right] = fill
        fall.append(S - _scores(f, hidden))
    fall = np.concatenate(fall)
    total, count = np.zeros(x.shape[1:3]), np.zeros(x.shape[1:3])
    for (top, left, bottom, right), drop in zip(boxes, fall):
        total[top:bottom, left:right] += drop
        count[top:bottom, left:right] += 1
    rows = len({top for top, *_ in boxes})
    return Occlusion((total / count).astype(fall.dtype), fall.reshape(rows, -1), boxes, float(S))


def why_same(net, img1, img2, layer=None, side=16, stride=8, fill=0.5, batch=16, by_place=False):
    """Why did it say "same"?  Grad-CAM and occlusion of -d(img1, img2), on each picture while the other one's encoding stands still.

    net   a network of encodings;  img1, img2  pictures as it takes them;  layer, by_place as for grad_cam, the rest as for occlusion_map
    A fall of 0.1 reads: without what is here, d grows by 0.1. Heat is about small changes, and reads: more of what is here, and d
    falls. What speaks for two people is grad_cam(net, img1, layer, distance(f_2)), and where the fall is negative.
    Equal encodings, d = 0, leave grad_cam nothing to say: zeros, with that reason.   -> WhySame(d, cams, occlusions)
    """
    pictures = [_expect_one(img1, "img1"), _expect_one(img2, "img2")]
    end = ends_in(net)
    f_1, f_2 = (_forward(net, x, end)[0] for x in pictures)
    if f_1.ndim != 2:
        raise ShapeError(f"{end!r} has output {f_1.shape}; expected encodings (m, n_f). Give a network that ends in a vector.")
    scores = closeness(f_2[0]), closeness(f_1[0])
    cams = tuple(grad_cam(net, x, layer, score, by_place) for x, score in zip(pictures, scores))
    hidden = tuple(occlusion_map(net, x, score, side, stride, fill, batch) for x, score in zip(pictures, scores))
    return WhySame(float(squared_euclidean(f_1, f_2)[0]), cams, hidden)


def scored(net, score=0):
    """The score as a function of pictures, (m, n_H, n_W, n_C) -> (m,)."""
    end, score = ends_in(net), _as_score(score)
    return lambda x: score(_forward(net, x, end)[0])[0]


def occlusion_boxes(shape, side=16, stride=8):
    """Where the square will be, (top, left, bottom, right) in reading order; their number is that of forward passes."""
    if not 1 <= side <= min(shape[1:3]):
        raise ShapeError(f"side = {side}; expected 1 to {min(shape[1:3])} pixels, for a picture of {shape[1]}x{shape[2]}.")
    if not 1 <= stride <= side:
        raise ShapeError(f"stride = {stride}; expected 1 to side = {side}: a larger one leaves places that nothing hides.")
    tops, lefts = ([*range(0, n - side, stride), n - side] for n in shape[1:3])
    return [(top, left, top + side, left + side) for top in tops for left in lefts]


def last_places(net, shape):
    """The last layer whose output is more than one place, poolings aside: where Grad-CAM looks when it is not told."""
    rows = [row for row in net.summary(shape, ends_in(net)).rows if len(row.shape) == 4 and row.shape[1] * row.shape[2] > 1]
    rows = [row for row in rows if not row.kind.endswith("Pool2D")]
    if not rows:
        raise ShapeError(f"no layer of this network has places left for a picture {shape}; Grad-CAM needs a map. Use a larger picture.")
    return rows[-1].layer


def enlarged(heat, n_H, n_W):
    """A map at another size, (n_H', n_W') -> (n_H, n_W): linear between the middles of its places, constant beyond the outer ones."""
    def across(n_prev, n):
        at = (np.arange(n) + 0.5) * n_prev / n - 0.5
        return np.stack([np.interp(at, np.arange(n_prev), row) for row in np.eye(n_prev)], axis=1).astype(heat.dtype)
    return kernels.matmul(kernels.matmul(across(heat.shape[0], n_H), heat), across(heat.shape[1], n_W).T)


# ---- what may come in ------------------------------------------------------------------------------------------------------

def _expect_one(x, name="picture"):
    """One picture as a batch of one. Three channels are a picture in [0, 1], other inputs are taken as they are."""
    if np.shape(x)[-1:] == (3,) or np.ndim(x) not in (3, 4):
        return images.expect_picture(x, name)
    x = expect_batch(x if np.ndim(x) == 4 else np.asarray(x)[None], name)
    if len(x) != 1:
        raise ShapeError(f"{name} holds {len(x)} pictures; expected one: {name}[i:i+1].")
    return x


def _forward(net, x, layer):
    """a[layer] and the caches that lead back from there, masks and winners alone."""
    net.known(layer)
    try:
        a, caches = net.forward(x, until=layer, keep=[layer], params=False)
    except ShapeError as e:
        raise ShapeError(f"{layer!r} of a picture {x.shape}: {e}") from e
    return a[layer], caches


def _strongest(a, layer, unit):
    """Where the unit is most active, the first such place in reading order; () in a layer without places."""
    chosen = a[0, ..., _expect_unit(a, layer, unit)]
    return tuple(int(i) for i in np.unravel_index(chosen.argmax(), chosen.shape))


def _expect_unit(a, layer, unit):
    if not isinstance(unit, (int, np.integer)) or not 0 <= unit < a.shape[-1]:
        raise ShapeError(f"unit = {unit!r}; expected a whole number from 0 to {a.shape[-1] - 1}, a channel of {layer}.")
    return int(unit)


def _expect_position(a, layer, position):
    position, sizes = tuple(np.ravel(position).tolist()), a.shape[1:-1]
    if len(position) != len(sizes) or not all(isinstance(i, int) and 0 <= i < n for i, n in zip(position, sizes)):
        raise ShapeError(f"position = {position}; expected one place of {layer}, which has {'x'.join(map(str, sizes)) or 'none'} here.")
    return position


def _as_score(score):
    return score if callable(score) else logit(score)


def _score_of(tail, a, end, score):
    """S of one picture whose activations `a` enter the network `tail`, and dS/da; or of a itself, where no tail leads to `end`."""
    if end not in tail.layers:
        S, df = score(a)
        return S[0], df
    f, caches = _forward(tail, a, end)
    S, df = score(f)
    return S[0], tail.backward({end: df}, caches, release=True)[0]


def _scores(f, x):
    S = np.asarray(f(x))
    if S.shape != (len(x),):
        raise ShapeError(f"{len(x)} pictures have scores of shape {S.shape}; expected ({len(x)},), a number for each.")
    return S
