"""Exercises of sections 5 and 7: a picture as the network wants it, one cost from two, and one step of the pixels."""

import numpy as np

from scratchnet import style_costs
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.normalisation import Preprocess
from scratchnet.optimizers import GradientDescent


# ---- 5: in front of the network --------------------------------------------------------------------------------------------

def to_vgg(x, mean):
    """From our pictures to what VGG's weights were trained on: a_k = 255 x_k - mean_k, the channels in the order blue, green, red.

    x     pictures, RGB in [0, 1]    (m, n_H, n_W, 3);   mean  of blue, of green, of red    (3,)
    Returns a, of x's shape.
    """
    return Preprocess("BGR", 255.0, tuple(mean)).forward(x)[0]


MEANS = np.array([100., 110, 120])

TO_VGG = Exercise(
    5, "a picture as VGG wants it", to_vgg, returns="a",
    cases={"one orange and one blue pixel": (np.array([1., 0.6, 0, 0, 0.2, 1]).reshape(1, 1, 2, 3), MEANS),
           "2 x 1 pixels": (np.array([0.2, 0.4, 0.6, 1, 1, 0.8]).reshape(1, 2, 1, 3), MEANS)},
    mistakes=(
        Mistake("you left the channels in the order red, green, blue", "VGG learned from files that were read blue first",
                lambda x, mean: 255 * x - mean),
        Mistake("you turned mean around with the channels", "mean is in the order blue, green, red already",
                lambda x, mean: 255 * x[..., ::-1] - mean[::-1]),
        Mistake("you did not bring [0, 1] to [0, 255]", "the means are those of bytes", lambda x, mean: x[..., ::-1] - mean),
        Mistake("you divided by 255", "from [0, 1] to [0, 255] one multiplies", lambda x, mean: x[..., ::-1] / 255 - mean),
        Mistake("you turned the picture around instead of its channels", "the channels are the last axis",
                lambda x, mean: 255 * x[:, ::-1, ::-1] - mean),
        Mistake("you added the mean", "it is taken away, so that the average picture is 0", lambda x, mean: 255 * x[..., ::-1] + mean),
        Mistake("you took the mean away before multiplying", "the means are those of bytes, 0 to 255",
                lambda x, mean: 255 * (x[..., ::-1] - mean)),
        Mistake("you divided by the mean", "it is taken away", lambda x, mean: 255 * x[..., ::-1] / mean),
    ),
    steps=("the channels in their new order", "the scale, and the means"),
    hints=("The orange pixel is red 1, green 0.6, blue 0. Which of the three numbers comes first, and what becomes of it?",
           "Indexing with ::-1 turns one axis around. Which one are the channels?", "mean, (3,), meets the last axis by itself."))


# ---- 7: the cost function --------------------------------------------------------------------------------------------------

def total_cost(J_content, dG_content, J_style, dG_style, alpha, beta):
    """J(G) = alpha J_content(C, G) + beta J_style(S, G), and dJ/dG

    J_content, J_style    two numbers;   dG_content, dG_style  their gradients at the pixels    (1, n_H, n_W, 3)
    alpha, beta           two numbers
    Returns J, dG.
    """
    return alpha * J_content + beta * J_style, alpha * dG_content + beta * dG_style


def _total(C, dC, S, dS, alpha, beta, gradient=None):
    return alpha * C + beta * S, (alpha * dC + beta * dS if gradient is None else gradient)


PULLS = np.array([1., 0, 2]).reshape(1, 1, 1, 3), np.array([0., -1, 1]).reshape(1, 1, 1, 3)

TOTAL_COST = Exercise(
    7, "one cost out of two", total_cost, returns="J, dG",
    cases={"one pixel": (4., PULLS[0], 3., PULLS[1], 10., 40.), "a little style": (0.5, PULLS[1], 8., PULLS[0], 1., 0.25)},
    mistakes=(
        Mistake("you exchanged alpha and beta", "alpha is the weight of the content", lambda C, dC, S, dS, alpha, beta: _total(
            C, dC, S, dS, beta, alpha)),
        Mistake("you left the weights out of the gradient", "what is multiplied in J is multiplied in its slope",
                lambda C, dC, S, dS, alpha, beta: _total(C, dC, S, dS, alpha, beta, dC + dS)),
        Mistake("you left the weights out", "alpha and beta say how much content, how much style", lambda C, dC, S, dS, alpha, beta: _total(
            C, dC, S, dS, 1, 1)),
        Mistake("you divided by alpha + beta", "the lecture does not; then only their proportion would count",
                lambda C, dC, S, dS, alpha, beta: _total(C, dC, S, dS, alpha / (alpha + beta), beta / (alpha + beta))),
        Mistake("you gave the gradient of the style alone", "G is pulled from both sides: towards the style, and back to the content",
                lambda C, dC, S, dS, alpha, beta: _total(C, dC, S, dS, alpha, beta, beta * dS)),
        Mistake("you set one bracket, alpha (J_content + beta J_style)", "each cost has its own weight",
                lambda C, dC, S, dS, alpha, beta: _total(C, dC, S, dS, alpha, alpha * beta)),
        Mistake("you subtracted the style", "both costs shall be small",
                lambda C, dC, S, dS, alpha, beta: _total(C, dC, S, dS, alpha, -beta)),
    ),
    steps=("J", "and its gradient, by the same rule"),
    hints=("10 * 4 + 40 * 3 is J of the first case.", "A sum is differentiated term by term, and a factor stays.",
           "dG has the shape of both gradients: it is made of them as J is made of the costs."))


def descent_step(f, G, learning_rate):
    """G := G - learning_rate dJ/dG: one step of gradient descent on the pixels. The network does not change.

    f  the cost, f(G) -> (J, dG);   G  the picture (1, n_H, n_W, 3);   learning_rate  a number
    Returns the new picture, and J of the old one. G itself stays as it was.
    """
    return GradientDescent(learning_rate).step(f, G)


def bowl(G):
    """f(G) -> (the sum of (G - 1)^2, 2 (G - 1)): a bowl around a white picture"""
    return np.sum((G - 1) ** 2), 2 * (G - 1)


def slope(G):
    """f(G) -> (the sum of 3 G, an array of threes): a slope, the same everywhere"""
    return 3 * np.sum(G), np.full_like(G, 3)


PIXELS = np.array([0., 0.5, 2, 1, 0.25, -1]).reshape(1, 1, 2, 3)

DESCENT_STEP = Exercise(
    7, "one step of gradient descent on the pixels", descent_step, returns="G, J",
    cases={"in a bowl": (bowl, PIXELS, 0.25), "on a slope": (slope, PIXELS, 0.1)},
    mistakes=(
        Mistake("you went uphill", "a gradient points to where J grows", lambda f, G, rate: (G + rate * f(G)[1], f(G)[0])),
        Mistake("you left the learning rate out", "a whole gradient is too far a step", lambda f, G, rate: (G - f(G)[1], f(G)[0])),
        Mistake("you multiplied by J", "the step is along the gradient, however large the cost", lambda f, G, rate: (
            G - rate * f(G)[0] * f(G)[1], f(G)[0])),
        Mistake("you gave J of the new picture", "J belongs to the picture whose gradient was taken", lambda f, G, rate: (
            G - rate * f(G)[1], f(G - rate * f(G)[1])[0])),
        Mistake("you took the sign of the gradient only", "a steep pixel moves farther than a flat one", lambda f, G, rate: (
            G - rate * np.sign(f(G)[1]), f(G)[0])),
        Mistake("you scaled the gradient to length 1", "gradient descent takes it as long as it is", lambda f, G, rate: (
            G - rate * f(G)[1] / np.linalg.norm(f(G)[1]), f(G)[0])),
        Mistake("you returned the step, not the picture after it", "G := G - the step", lambda f, G, rate: (rate * f(G)[1], f(G)[0])),
        Mistake("you kept the pixels in [0, 1]", "that is well done when a picture is painted, but it is not part of this step",
                lambda f, G, rate: (np.clip(G - rate * f(G)[1], 0, 1), f(G)[0])),
        Mistake("you left G as it was", "the new picture is what shall come back", lambda f, G, rate: (G, f(G)[0])),
    ),
    steps=("J and its gradient at G", "the new picture"),
    hints=("f(G) is called once and returns two things.", "Do one pixel of the bowl: G = 0, gradient 2 (0 - 1) = -2, learning rate 0.25. "
           "Where is it afterwards?", "G -= ... would change the caller's picture; G = G - ... makes a new one."))


def total_variation(G):
    """J = sum over i, j, k of (G_{i+1, j, k} - G_ijk)^2 + (G_{i, j+1, k} - G_ijk)^2: how unlike neighbours are

    G  picture (1, n_H, n_W, 3); over the border there is no neighbour
    Returns J, one number; or J, dG, of G's shape.   (Not in the lecture; it quiets single pixels while painting.)
    """
    return style_costs.total_variation(G)


def _steps(G):
    return G[:, 1:] - G[:, :-1], G[:, :, 1:] - G[:, :, :-1]


def _tv(one=lambda x: x ** 2, down=1, right=1, over=np.sum):
    return lambda G: down * over(one(_steps(G)[0])) + right * over(one(_steps(G)[1]))


def _far_ends(G):
    """J, and a gradient that knows only the far one of two neighbours."""
    (down, right), dG = _steps(G), np.zeros_like(G)
    dG[:, 1:] += 2 * down
    dG[:, :, 1:] += 2 * right
    return style_costs.total_variation(G)[0], dG


GREY = np.repeat(np.array([0., 1, 3, 2, 2, 7]).reshape(1, 2, 3, 1), 3, axis=3) * [1., 0, 2]

TOTAL_VARIATION = Exercise(
    7, "total variation", total_variation, slopes="G",
    cases={"a row of three pixels": (np.array([0., 0, 0, 1, 4, 0, 3, 0, 2]).reshape(1, 1, 3, 3),), "2 x 3 pixels": (GREY,)},
    mistakes=(
        Mistake("you looked along rows only", "a pixel has a neighbour below it too", _tv(down=0)),
        Mistake("you looked along columns only", "a pixel has a neighbour to its right too", _tv(right=0)),
        Mistake("you took |x|", "here the differences are squared", _tv(np.abs)),
        Mistake("you forgot the square, so that differences cancel", "a step up and a step down are both unlike", _tv(lambda x: x)),
        Mistake("you let the picture go on at its other side", "over the border there is no neighbour: np.roll makes one",
                lambda G: np.sum((np.roll(G, -1, 1) - G) ** 2) + np.sum((np.roll(G, -1, 2) - G) ** 2)),
        Mistake("you counted every pair twice", "each pair of neighbours once", _tv(down=2, right=2)),
        Mistake("you compared colours with each other too", "red and green of one pixel are no neighbours",
                lambda G: _tv()(G) + np.sum(np.diff(G, axis=3) ** 2)),
        Mistake("you divided by the number of pixels", "this J is a sum", lambda G: _tv()(G) / (G.size // 3)),
        Mistake("your gradient knows only one of the two neighbours", "a pixel stands in the difference before it and in the one behind "
                "it, with opposite signs", _far_ends),
        Mistake("your gradient lacks the factor 2 of a square", "the slope of x^2 is not x",
                lambda G: (style_costs.total_variation(G)[0], style_costs.total_variation(G)[1] / 2)),
    ),
    steps=("the differences of rows, of columns", "their squares, added"),
    hints=("The first case is one row of three pixels: which pairs are neighbours?", "G[:, 1:] is the picture without its first row; and "
           "G[:, :-1]?", "Two arrays of differences: one is a row shorter than G, the other a column."))


EXERCISES = (TO_VGG, TOTAL_COST, DESCENT_STEP, TOTAL_VARIATION)
