"""Exercises of section 6: how much of a picture a unit sees, where it is strongest, and the way back to what made it so."""

import numpy as np

from scratchnet import receptive_field as fields
from scratchnet.attribution import RULES
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.kernels import loops
from scratchnet.layers import AvgPool2D

MAX_PLACE = getattr(loops.max_place, "py_func", loops.max_place)


# ---- how much a unit sees --------------------------------------------------------------------------------------------------

def receptive_field(layers):
    """How many pixels across does a unit of the last layer see?

    layers  a list of (f, stride), the first layer first: convolutions and poolings alike
    Returns the side of its receptive field in pixels, a whole number, borders left aside. Without layers it is 1, the pixel itself.
    """
    windows = {n: AvgPool2D(f, stride, 0) for n, (f, stride) in enumerate(layers)}
    return list(fields.table(windows).values())[-1].size if layers else 1


def _grown(layers, grow=lambda f, apart, stride: (f - 1) * apart, size=1):
    apart = 1
    for f, stride in layers:
        size += grow(f, apart, stride)
        apart *= stride
    return size


RECEPTIVE_FIELD = Exercise(
    6, "how much of the picture a unit sees", receptive_field, returns="size",
    cases={"conv 3, pool 2 with stride 2, conv 3": ([(3, 1), (2, 2), (3, 1)],), "no layer": ([],), "one layer, stride 2": ([(7, 2)],),
           "the first layers of AlexNet": ([(11, 4), (3, 2), (5, 1)],), "two of 3 x 3": ([(3, 1), (3, 1)],),
           "three poolings": ([(2, 2), (2, 2), (3, 1), (2, 2)],)},
    mistakes=(
        Mistake("you forgot that a stride moves neighbours apart", "after a pooling with stride 2 the neighbours of a unit are 2 pixels "
                "apart: (f - 1) of them reach twice as far", lambda layers: _grown(layers, lambda f, apart, stride: f - 1)),
        Mistake("you multiplied the filters", "a window of 3 upon a window of 3 overlaps: 5 pixels, not 9",
                lambda layers: int(np.prod([f for f, _ in layers]))),
        Mistake("you let a layer's own stride count already", "its stride moves its own units apart; what they see of below is f",
                lambda layers: _grown(layers, lambda f, apart, stride: (f - 1) * apart * stride)),
        Mistake("you added f, not f - 1", "the first pixel of a window is one that you had already",
                lambda layers: _grown(layers, lambda f, apart, stride: f * apart)),
        Mistake("you began with 0 pixels", "before any layer a unit is one pixel", lambda layers: _grown(layers, size=0)),
        Mistake("you took the stride of the layer before only", "all strides below multiply",
                lambda layers: 1 + sum((f - 1) * before for (f, _), (_, before) in zip(layers, [(0, 1), *layers]))),
        Mistake("you went from the last layer to the first", "the strides that count for a layer are those before it",
                lambda layers: _grown(layers[::-1])),
    ),
    steps=("one pixel, and neighbours 1 pixel apart", "what each layer adds, and how far apart neighbours are after it"),
    hints=("Draw the first case in one dimension: a row of pixels, windows of 3, pairs of them two apart, windows of 3 over those.",
           "Two numbers go from layer to layer: how much a unit sees, and how far its neighbour's window is away, in pixels.",
           "A window of f has f - 1 gaps, each as wide as neighbours below are apart. Strides multiply."))


# ---- where it is strongest -------------------------------------------------------------------------------------------------

def top_patches(a, k):
    """The k pictures that drive a unit most, and where: (picture, i, j) of the largest activation of each, the strongest first.

    a  activations of one channel on m pictures    (m, n_H, n_W);   k  how many, k <= m
    Returns whole numbers                          (k, 3). One place a picture; of equals the first in reading order, the earlier picture.
    """
    value, place = (found[:, 0] for found in MAX_PLACE(a[..., None]))
    picture = np.argsort(-value, kind="stable")[:k]
    return np.stack([picture, *np.divmod(place[picture], a.shape[2])], axis=1)


def _strongest(a, k, by=lambda a: a.max(axis=(1, 2)), sign=-1):
    picture = np.argsort(sign * by(a), kind="stable")[:k]
    place = a.reshape(len(a), -1).argmax(axis=1)[picture]
    return np.stack([picture, *np.divmod(place, a.shape[2])], axis=1)


SHEET = np.array([[[9., 0, 0], [0, 8, 0]], [[4, 4, 4], [4, 4, 4]], [[0, 1, 5], [0, 0, 5]], [[7, 0, 6], [-10, 0, 7]]])

TOP_PATCHES = Exercise(
    6, "the patches that drive a unit most", top_patches, returns="places",
    cases={"the best two of four pictures": (SHEET, 2), "all four": (SHEET, 4),
           "three pictures, 3 x 2": (np.array([[[1., 2], [3, 3], [0, 1]], [[0, 0], [1, 2], [4, 0]], [[4, 0], [0, 0], [0, 0]]]), 3)},
    mistakes=(
        Mistake("you took several places of one picture", "neighbours see almost the same: nine pictures, one place each",
                lambda a, k: np.stack(np.unravel_index(np.argsort(-a.ravel(), kind="stable")[:k], a.shape), axis=1)),
        Mistake("you took the weakest", "the largest activation first", lambda a, k: _strongest(a, k, sign=1)),
        Mistake("you ordered the pictures by the sum of the activations", "what counts is the largest one: it has a place, a sum has none",
                lambda a, k: _strongest(a, k, by=lambda a: a.sum(axis=(1, 2)))),
        Mistake("you ordered them by the largest |a|", "far below zero is not active", lambda a, k: _strongest(
            a, k, by=lambda a: np.abs(a).max(axis=(1, 2)))),
        Mistake("you exchanged i and j", "rows first: i counts down, j to the right", lambda a, k: _strongest(a, k)[:, [0, 2, 1]]),
        Mistake("you divided the place by the number of rows", "a row has n_W entries: the place is i n_W + j",
                lambda a, k: np.stack([top_patches(a, k)[:, 0], *np.divmod(top_patches(a, k)[:, 1:] @ [a.shape[2], 1],
                                                                                     a.shape[1])], axis=1)),
        Mistake("you returned the strongest last", "np.argsort goes upwards", lambda a, k: _strongest(a, k)[::-1]),
    ),
    steps=("of each picture the largest activation, and its place", "the k pictures in which it is largest"),
    hints=("Mark the largest number of each picture of the case. Which two pictures come first?", "np.argmax of a flattened picture is i "
           "n_W + j; np.unravel_index or divmod takes it apart.",
           'np.argsort(-value, kind="stable") begins with the largest, equals in order.'))


# ---- the way back ----------------------------------------------------------------------------------------------------------

def back_through_relu(da, z, rule):
    """What passes a ReLU on the way back to the pixels, and 0 elsewhere:

    "gradient"  da where z > 0                the derivative
    "deconv"    da where da > 0               the deconvnet of Zeiler & Fergus
    "guided"    da where both are > 0         guided backpropagation
    da, z  arrays of one shape; z is what the ReLU was given;   rule  one of the three words
    Returns dz, of that shape.
    """
    return da * RULES[rule](da, z > 0)


def _by(table, da, z, rule):
    return da * table[rule](da, z > 0)


SIGNALS = np.array([[4., -2, 2], [-4, 3, -1]]), np.array([[1., 2, -1], [-2, 0, -3]])

BACK_THROUGH_RELU = Exercise(
    6, "three ways back through a ReLU", back_through_relu, returns="dz",
    cases={f"six numbers, {rule}": (*SIGNALS, rule) for rule in ("gradient", "deconv", "guided")},
    mistakes=(
        Mistake("you took the gradient by every rule", "the three differ in what they ask: z, da, or both",
                lambda da, z, rule: da * (z > 0)),
        Mistake('you exchanged "gradient" and "deconv"', "the deconvnet does not know z; the gradient asks nothing else",
                lambda *case: _by({**RULES, "gradient": RULES["deconv"], "deconv": RULES["gradient"]}, *case)),
        Mistake('you let pass by "guided" what either rule lets through', "both must agree",
                lambda *case: _by({**RULES, "guided": lambda da, on: on | (da > 0)}, *case)),
        Mistake('you exchanged "deconv" and "guided"', "guided is the stricter one: it asks z and da",
                lambda *case: _by({**RULES, "deconv": RULES["guided"], "guided": RULES["deconv"]}, *case)),
        Mistake("you returned masks", "what passes is da itself", lambda da, z, rule: RULES[rule](da, z > 0) * 1.),
        Mistake("you let z = 0 through", "at the corner the slope is 0 here", lambda da, z, rule: da * RULES[rule](da, z >= 0)),
        Mistake("you let through the absolute values", "a gradient keeps its sign",
                lambda da, z, rule: np.abs(da) * RULES[rule](da, z > 0)),
    ),
    steps=("the mask of each rule", "da where the mask is true"),
    hints=("Write the three masks under the six numbers of the case.", "Two masks are enough: z > 0 and da > 0. The third is made of them.",
           "A dict {rule: mask}, or three ifs; then da times the mask."))


EXERCISES = (RECEPTIVE_FIELD, TOP_PATCHES, BACK_THROUGH_RELU)
