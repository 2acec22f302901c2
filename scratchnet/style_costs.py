"""What style transfer minimises: the lecture's content cost and style cost, each with its gradient.

The lecture, the assignment and the programs in the wild use the same squares with other constants in front. Here the
constant is an argument, `normalise`, and the two tables below hold all of it. With A the activations a_G of one layer, of
shape (1, n_H, n_W, n_C), and D = G_S - G_G:

    normalise      J_content                                  J_style^[l]
    "lecture"      1/2 ||a_C - a_G||^2                        ||D||^2 / (2 n_H n_W n_C)^2      Gatys' constant too
    "assignment"   ||a_C - a_G||^2 / (4 n_H n_W n_C)          ||D||^2 / (4 n_C^2 (n_H n_W)^2), the same number
    "mean"         ||a_C - a_G||^2 / (n_H n_W n_C)            ||D||^2 / ((n_H n_W n_C)^2 n_C^2): Gram over n_H n_W n_C, then the mean
    "positions"    ||a_C - a_G||^2 / (n_H n_W n_C)            ||D||^2 / (n_H n_W n_C)^2: Gram over n_H n_W, then the mean over n_C^2
    "relative"     ||a_C - a_G||^2 / ||a_C||^2                ||D||^2 / ||G_S||^2: free of scale, each layer pulls alike

Who uses which: presets.py. "positions" is four times "assignment", "mean" its n_C^2-th part in J_style.
Where a layer of C or S is dead, all zeros, there is nothing to be relative to: its cost is 0 and pulls nowhere.
Every function is plain NumPy and keeps the dtype it is given; complex arrays pass, so that the complex step can check it.
Source: course 4, week 4: content cost, style cost. Gatys, Ecker & Bethge 2016, eq. 1-7.
"""

import math

import numpy as np

from scratchnet import kernels
from scratchnet.errors import ShapeError

CONTENT = {                                           # the constant in front of ||a_C - a_G||^2, given a_C
    "lecture":    lambda a_C: 1 / 2,
    "assignment": lambda a_C: 1 / (4 * a_C.size),
    "mean":       lambda a_C: 1 / a_C.size,
    "positions":  lambda a_C: 1 / a_C.size,
    "relative":   lambda a_C: _one_over_square(a_C),
}
STYLE = {                                             # the constant in front of ||G_S - G_G||^2, given G_S and n = n_H n_W
    "lecture":    lambda G_S, n: 1 / (2 * n * len(G_S)) ** 2,
    "assignment": lambda G_S, n: 1 / (4 * len(G_S) ** 2 * n ** 2),
    "mean":       lambda G_S, n: 1 / (n * len(G_S) * len(G_S)) ** 2,
    "positions":  lambda G_S, n: 1 / (n * len(G_S)) ** 2,
    "relative":   lambda G_S, n: _one_over_square(G_S),
}


def content_cost(a_C, a_G, normalise="lecture"):
    """J_content(C, G) = 1/2 ||a[l](C) - a[l](G)||^2 (or another constant, see above), and its gradient.

    a_C, a_G  activations of one layer l                 (1, n_H, n_W, n_C), of one shape
    normalise  a name of the table above, or the constant itself
    Returns J and da_G = 2 constant (a_G - a_C).   Lecture: content cost function.  Gatys et al. 2016, eq. 1-2.
    Raises ShapeError for two shapes, or an unknown normalise.
    """
    a_C, a_G = _expect_one_picture(a_C, "a_C"), _expect_one_picture(a_G, "a_G")
    if a_C.shape != a_G.shape:
        raise ShapeError(f"a_C has shape {a_C.shape} and a_G {a_G.shape}; content is compared place by place, so "
                         "C and G must have one size.")
    difference = a_G - a_C
    scale = content_constant(a_C, normalise)
    return scale * np.sum(difference ** 2), 2 * scale * difference


def content_constant(a_C, normalise):
    """The number in front of ||a_C - a_G||^2: of a whole layer, to be used for a part of it too."""
    return normalise if isinstance(normalise, float) else _constant(CONTENT, normalise)(a_C)


def gram(a, positions=None):
    """The style matrix, G_{kk'} = sum_{ij} a_{ijk} a_{ijk'}: which channels are active together, wherever it is.

    a          activations of one picture at one layer    (1, n_H, n_W, n_C) -> (n_C, n_C), symmetric
    positions  None: the plain sum.  n: scaled by n / (n_H n_W), the sum that the same texture would give over n positions,
               so that S may have another size than G
    No mean is subtracted: it is not a correlation.   Lecture: style matrix.  Gatys et al. 2016, eq. 3.
    """
    a = _expect_one_picture(a, "a")
    _, n_H, n_W, n_C = a.shape
    A = a.reshape(n_H * n_W, n_C)                     # a view: channels are last already
    G = kernels.matmul(A.T, A)
    return G if positions is None else G * (float(positions) / (n_H * n_W))


def layer_style_cost(G_S, a_G, normalise="lecture"):
    """J_style[l](S, G) = ||G[l](S) - G[l](G)||_F^2 / (2 n_H n_W n_C)^2 (or another constant), and its gradient.

    G_S  style matrix of S at layer l, for as many positions as a_G has        (n_C, n_C): gram(a_S, positions=n_H * n_W)
    a_G  activations of the generated picture                                  (1, n_H, n_W, n_C)
    Returns J and da_G, the shape of a_G.   Lecture: style cost function.  Gatys et al. 2016, eq. 4-6.
    """
    a_G = _expect_one_picture(a_G, "a_G")
    J, slope = style_slope(G_S, gram(a_G), math.prod(a_G.shape[1:3]), normalise)
    return J, through_gram(a_G, slope)


def style_slope(G_S, G_G, positions, normalise="lecture"):
    """J of layer_style_cost from both style matrices, and the small matrix that its gradient is made of: da_G = a_G slope.

    G_S, G_G  style matrices of S and of G, both for n_H n_W = positions       (n_C, n_C)
    The gradient is as large as the activations, slope is (n_C, n_C): several styles and their weights are added up there.
    """
    constant = _constant(STYLE, normalise)
    if G_S.shape != G_G.shape:
        raise ShapeError(f"G_S has shape {G_S.shape} and a_G {len(G_G)} channels; expected a style matrix {G_G.shape}, gram(a_S).")
    D = G_G - G_S                                     # symmetric, so dJ/dA meets D twice
    scale = constant(G_S, positions)
    return scale * np.sum(D ** 2), 4 * scale * D


def through_gram(a, slope):
    """A slope: the way back of G = A^T A, with A the activations as (n_H n_W, n_C) and slope twice the symmetric dJ/dG."""
    return kernels.matmul(a.reshape(-1, a.shape[3]), slope).reshape(a.shape)


def style_cost(G_S, a_G, lam, normalise="lecture"):
    """J_style(S, G) = sum_l lambda[l] J_style[l](S, G), and its gradient at each layer.

    G_S, a_G  {layer: style matrix}, {layer: activations}         lam  {layer: weight}, the layers that count
    Returns J and {layer: da_G}.   Lecture: style cost function, several layers.
    """
    J, da = 0.0, {}
    for l in lam:
        J_l, da_l = layer_style_cost(G_S[l], a_G[l], normalise)
        weight = float(lam[l])                        # a number of NumPy's would turn float32 into float64
        J, da[l] = J + weight * J_l, weight * da_l
    return J, da


def total_variation(G):
    """J_tv(G) = sum_{ijk} (G_{i+1,j,k} - G_{ijk})^2 + (G_{i,j+1,k} - G_{ijk})^2: how unlike neighbours are, and its gradient.

    G  picture (1, n_H, n_W, 3).   Not in the lecture; it quiets single pixels.  Mahendran & Vedaldi 2015, sec. 3, beta = 2.
    """
    G = _expect_one_picture(G, "G")
    down, right = G[:, 1:] - G[:, :-1], G[:, :, 1:] - G[:, :, :-1]
    dG = np.zeros_like(G)
    dG[:, 1:] += 2 * down
    dG[:, :-1] -= 2 * down
    dG[:, :, 1:] += 2 * right
    dG[:, :, :-1] -= 2 * right
    return np.sum(down ** 2) + np.sum(right ** 2), dG


def _constant(table, normalise):
    if normalise not in table:
        raise ShapeError(f"normalise = {normalise!r}; expected one of {', '.join(map(repr, table))}.")
    return table[normalise]


def _expect_one_picture(a, name):
    """a itself, bytes as float32. Raises ShapeError unless it is (1, n_H, n_W, n_C): a sum over a batch would mix pictures."""
    a = np.asarray(a)
    if a.ndim != 4:
        raise ShapeError(f"{name} has shape {a.shape}, which could be read in several ways; pass (1, n_H, n_W, n_C), channels last.")
    if a.shape[0] != 1:
        raise ShapeError(f"{name} holds {a.shape[0]} pictures; content and style are those of one. Pass {name}[i:i+1].")
    return a.astype(np.float32) if a.dtype.kind in "uib" else a


def _one_over_square(a):
    """1 / ||a||^2, and 0 for zeros."""
    square = float(np.sum(np.abs(a) ** 2))
    return 1 / square if square > 0 else 0.0
