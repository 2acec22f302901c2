"""Exercises of sections 8 and 9: how far two pictures are apart in what is where, and in which channels go together."""

import numpy as np

from scratchnet import style_costs
from scratchnet.exercises.exercise import Exercise, Mistake


# ---- 8: content ------------------------------------------------------------------------------------------------------------

def unroll(a):
    """The activations of one picture as a matrix: a row for each position, in reading order, a column for each channel.

    a  (1, n_H, n_W, n_C), channels last  ->  (n_H n_W, n_C)
    """
    return a.reshape(-1, a.shape[3])


CODED = 100. * np.arange(1, 3)[:, None, None] + 10 * np.arange(1, 4)[:, None] + np.arange(1, 3)     # 213 is i = 2, j = 1, k = 3
CODED_TALL = 100. * np.arange(1, 4)[:, None, None] + 10 * np.arange(1, 2)[:, None] + np.arange(1, 5)

UNROLL = Exercise(
    8, "activations as a matrix", unroll, returns="A",
    cases={"2 x 3 positions, 2 channels; 231 stands in row 2, column 3, channel 1": (CODED[None],),
           "3 x 1 positions, 4 channels, numbered alike": (CODED_TALL[None],)},
    mistakes=(
        Mistake("you cut memory into n_C rows", "channels are last: what lies side by side in memory are the channels of one place",
                lambda a: a.reshape(a.shape[3], -1)),
        Mistake("you cut memory into n_C rows and transposed those", "the shape is right now, and the numbers are mixed still: look into "
                "one column, does it hold one channel?", lambda a: a.reshape(a.shape[3], -1).T),
        Mistake("you returned it transposed", "a row for each position", lambda a: a.reshape(-1, a.shape[3]).T),
        Mistake('you went down the columns first, as order="F" does', "reading order: along a row, then the next",
                lambda a: a.swapaxes(1, 2).reshape(-1, a.shape[3])),
        Mistake("you unrolled into one long vector", "the channels stay an axis of their own", lambda a: a.ravel()),
    ),
    steps=("which two axes become one, and is their order in memory the one that is wanted?",),
    hints=("Every number of the case says where it stands. What shall the first row hold?", "The axes i, j, k lie in memory in this order, "
           "k fastest. Rows shall be i, j.", "reshape does not move numbers, it only cuts memory anew. Two axes that follow each other can "
           "be joined so."))


def content_cost(a_C, a_G):
    """J_content(C, G) = 1/2 ||a_C - a_G||^2, the sum running over all entries

    a_C, a_G  activations of the content picture and of G at one layer    (1, n_H, n_W, n_C)
    Returns J, one number; or J, da_G, the gradient in a_G, of its shape.
    """
    return style_costs.content_cost(a_C, a_G)


def _content(change):
    def answer(a_C, a_G):
        J, da_G = content_cost(a_C, a_G)
        return J, change(da_G)
    return answer


COUNTED = np.arange(12.).reshape(1, 2, 2, 3)

CONTENT_COST = Exercise(
    8, "the content cost", content_cost, slopes="a_G",
    cases={"counted against ones": (np.ones((1, 2, 2, 3)), COUNTED),
           "1 x 2 positions, 2 channels": (np.array([2., 0, 1, 5]).reshape(1, 1, 2, 2), np.array([0., 0.5, 1, 2]).reshape(1, 1, 2, 2))},
    mistakes=(
        Mistake("you left the 1/2 out", "it is a constant and hardly matters, but the lecture has it", lambda C, G: np.sum((C - G) ** 2)),
        Mistake("you divided by 4 n_H n_W n_C", "so does another edition of the course; the lecture has 1/2",
                lambda C, G: np.sum((C - G) ** 2) / (4 * C.size)),
        Mistake("you took the mean", "the lecture has 1/2 and a sum", lambda C, G: np.mean((C - G) ** 2)),
        Mistake("you took half of the mean", "the lecture has 1/2 and a sum", lambda C, G: np.mean((C - G) ** 2) / 2),
        Mistake("you forgot to square the norm", "||.|| is a root; ||.||^2 is without it", lambda C, G: np.linalg.norm(C - G) / 2),
        Mistake("you took |a_C - a_G| in place of the square", "a norm squared is a sum of squares",
                lambda C, G: np.sum(np.abs(C - G)) / 2),
        Mistake("you squared the sum of the differences", "first square, then add: else differences cancel",
                lambda C, G: np.sum(C - G) ** 2 / 2),
        Mistake("you summed over the channels only", "one number for the whole layer", lambda C, G: np.sum((C - G) ** 2, axis=3) / 2),
        Mistake("your gradient has the other sign, a_C - a_G", "where a_G is too large J grows with it", _content(lambda da: -da)),
        Mistake("your gradient has a 2 left over", "the 1/2 in front of J is there to meet it", _content(lambda da: 2 * da)),
        Mistake("your gradient is divided by n_H n_W n_C", "J is not, so its slope is not", _content(lambda da: da / da.size)),
    ),
    steps=("what is compared with what, place by place", "one number of it"),
    hints=("The first three differences of the first case are 1 - 0, 1 - 1, 1 - 2. What do they add to J?", "No unrolling is needed: a sum "
           "over all entries does not care for their order.", "np.sum without an axis adds everything up. For da_G differentiate one term, "
           "1/2 (a_C - a_G)^2, by a_G."))


# ---- 9: style --------------------------------------------------------------------------------------------------------------

def gram(a):
    """G_kk' = sum over i, j of a_ijk a_ijk'

    a  activations of one picture at one layer    (1, n_H, n_W, n_C), channels last
    Returns the style matrix                      (n_C, n_C)
    """
    return style_costs.gram(a)


def _columns(a):
    return a.reshape(-1, a.shape[3])


def _gram(A):
    return A.T @ A


GRAM = Exercise(
    9, "the style matrix (Gram)", gram, returns="G",
    cases={
        "counted, 2 x 2 positions, 3 channels": (COUNTED,),
        "1 x 3 positions, 2 channels": (np.array([[[[1., 0], [2, 1], [0, -3]]]]),),
    },
    mistakes=(
        Mistake("you gave each row of the matrix what lies side by side in memory, reshape(n_C, -1)", "channels are last, so neighbours in "
                "memory are the channels of one place. The trace is right even so: do not trust it",
                lambda a: _gram(a.reshape(a.shape[3], -1).T)),
        Mistake("you took the product of positions with positions", "the sum runs over the places, and what is left over are channels",
                lambda a: _columns(a) @ _columns(a).T),
        Mistake("you divided by the number of positions", "the lecture's matrix is a plain sum; constants stand in front of J_style",
                lambda a: _gram(_columns(a)) / len(_columns(a))),
        Mistake("you divided by all of n_H n_W n_C", "the lecture's matrix is a plain sum; constants stand in front of J_style",
                lambda a: _gram(_columns(a)) / a.size),
        Mistake("you subtracted the mean of each channel", "the lecture's matrix is no covariance: no mean is taken away",
                lambda a: _gram(_columns(a) - _columns(a).mean(axis=0))),
        Mistake("you scaled the channels to length 1", "then it holds cosines; here a loud channel counts more than a quiet one",
                lambda a: _gram(_columns(a) / np.linalg.norm(_columns(a), axis=0))),
        Mistake("you kept the diagonal only", "how a channel goes together with another is what style is made of",
                lambda a: np.diag(np.sum(_columns(a) ** 2, axis=0))),
        Mistake("you took one over the other triangle", "k, k' and k', k are the same sum: a style matrix is symmetric",
                lambda a: np.triu(_gram(_columns(a)))),
    ),
    steps=("a matrix A from a: a row for each position, a column for each channel", "the sums over all positions, for all pairs of "
           "channels at once"),
    hints=("Take k = 0, k' = 1 in the case and do the sum by hand, over the four places. Which entries of a meet?",
           "All places of one channel should stand in one column. Channels are the last axis already, so reshape alone does it.",
           "A sum over places of column k times column k': which product of A with itself is that, and which of the two is transposed?"))


def layer_style_cost(a_S, a_G):
    """J_style[l](S, G) = ||G_S - G_G||_F^2 / (2 n_H n_W n_C)^2;   G_kk' = sum over i, j of a_ijk a_ijk', of a_S and of a_G

    a_S, a_G  activations of the style picture and of G at layer l, of one size    (1, n_H, n_W, n_C)
    Returns J, one number; or J, da_G, the gradient in a_G, of its shape.
    """
    return style_costs.layer_style_cost(style_costs.gram(a_S), a_G)


def _style(gram=lambda a: _gram(_columns(a)), below=lambda n_H, n_W, n_C: (2 * n_H * n_W * n_C) ** 2, norm=lambda D: np.sum(D ** 2)):
    """The cost, with a matrix, a constant or a norm of one's own."""
    return lambda a_S, a_G: norm(gram(a_S) - gram(a_G)) / below(*a_G.shape[1:])


def _pull(change):
    def answer(a_S, a_G):
        J, da_G = layer_style_cost(a_S, a_G)
        return J, change(da_G)
    return answer


TALL = np.array([1., 0, 2, 1, 0, -1]).reshape(1, 3, 1, 2), np.array([0., 1, 1, 1, 3, 0]).reshape(1, 3, 1, 2)

LAYER_STYLE_COST = Exercise(
    9, "the style cost of one layer", layer_style_cost, slopes="a_G",
    cases={"ones against counted": (np.ones((1, 2, 2, 3)), COUNTED), "3 x 1 positions, 2 channels": TALL},
    mistakes=(
        Mistake("you gave each row of the matrix what lies side by side in memory, reshape(n_C, -1)", "neighbours in memory are the "
                "channels of one place. The cost is off by little, and a picture painted with it looks wrong",
                _style(lambda a: _gram(a.reshape(a.shape[3], -1).T))),
        Mistake("you took the matrices of positions with positions", "G_kk' has a channel for either index",
                _style(lambda a: _columns(a) @ _columns(a).T)),
        Mistake("you forgot the square on n_H n_W", "all of 2 n_H n_W n_C stands in the bracket that is squared",
                _style(below=lambda n_H, n_W, n_C: 4 * n_C ** 2 * n_H * n_W)),
        Mistake("you forgot the square on n_C", "all of 2 n_H n_W n_C stands in the bracket that is squared",
                _style(below=lambda n_H, n_W, n_C: 4 * n_C * (n_H * n_W) ** 2)),
        Mistake("you did not square 2 n_H n_W n_C", "all of it is squared", _style(below=lambda n_H, n_W, n_C: 2 * n_H * n_W * n_C)),
        Mistake("you squared all but the 2", "all of 2 n_H n_W n_C stands in the bracket that is squared",
                _style(below=lambda n_H, n_W, n_C: 2 * (n_H * n_W * n_C) ** 2)),
        Mistake("you divided by 4 and multiplied by the rest: 1 / 4 * x is no 1 / (4 x)", "brackets below the line",
                _style(below=lambda n_H, n_W, n_C: 4 / (n_C * n_H * n_W) ** 2)),
        Mistake("you took n_W twice, and n_H not at all", "the picture need not be square",
                _style(below=lambda n_H, n_W, n_C: (2 * n_W * n_W * n_C) ** 2)),
        Mistake("you forgot to square the Frobenius norm", "||.||_F is a root; ||.||_F^2 is the sum of squares",
                _style(norm=np.linalg.norm)),
        Mistake("you left the constant out", "1 / (2 n_H n_W n_C)^2 keeps large layers from shouting down small ones",
                _style(below=lambda *sizes: 1)),
        Mistake("you compared the activations themselves", "then it is a content cost: style has no place", _style(_columns)),
        Mistake("your gradient knows one of the two factors of a a' only: it is half of the right one", "G_kk' has a_G in it twice",
                _pull(lambda da: da / 2)),
        Mistake("your gradient has the other sign", "where G_G is too large J grows with it", _pull(lambda da: -da)),
    ),
    steps=("the two style matrices", "the sum of the squares of their difference", "the constant"),
    hints=("Do `gram` first: both matrices come from it. Then print them for the first case.", "n_H, n_W, n_C are those of a_G, and the "
           "bracket is squared as a whole.",
           "||D||_F^2 is the sum of all D_kk'^2. For da_G the chain is J -> D -> A^T A -> A, with A twice in the last."))


def style_cost(J_layers, lam):
    """J_style = sum over l of lambda[l] J_style[l]

    J_layers  {layer: J_style[l]}, numbers;   lam  {layer: lambda[l]}, of the layers that count, in any order
    Returns J, one number.
    """
    return sum(weight * J_layers[l] for l, weight in lam.items())


STYLE_COST = Exercise(
    9, "several layers with weights", style_cost,
    cases={"two layers": ({"relu1_1": 4., "relu2_1": 10.}, {"relu1_1": 0.5, "relu2_1": 0.2}),
           "another order": ({"relu1_1": 4., "relu2_1": 10., "relu3_1": 1.}, {"relu3_1": 0.3, "relu1_1": 2.}),
           "one layer": ({"relu1_1": 3., "relu2_1": 5.}, {"relu2_1": 0.1})},
    mistakes=(
        Mistake("you left the weights out", "lambda[l] says how much layer l counts", lambda J, lam: sum(J[l] for l in lam)),
        Mistake("you paired costs and weights by their order", "they belong together by the layer's name",
                lambda J, lam: sum(a * b for a, b in zip(J.values(), lam.values()))),
        Mistake("you divided by the sum of the weights", "the lecture's J_style is no average: doubled weights double it",
                lambda J, lam: style_cost(J, lam) / sum(lam.values())),
        Mistake("you divided by the number of layers", "the weights are all there is", lambda J, lam: style_cost(J, lam) / len(lam)),
        Mistake("you counted layers that have no weight", "what is not in lam does not count", lambda J, lam: sum(
            lam.get(l, 1) * cost for l, cost in J.items())),
        Mistake("you multiplied the sum of the costs by the sum of the weights", "each cost has its own weight",
                lambda J, lam: sum(J[l] for l in lam) * sum(lam.values())),
        Mistake("you kept the last layer only (=, not +=)", "the layers add up", lambda J, lam: [lam[l] * J[l] for l in lam][-1]),
        Mistake("you squared the weights", "lambda[l] stands there once", lambda J, lam: sum(lam[l] ** 2 * J[l] for l in lam)),
    ),
    steps=("over the layers that have a weight",),
    hints=("0.5 * 4 is the first term.", "for l in lam goes through the names.", "for l, weight in lam.items() gives both; J_layers[l] is "
           "the cost that belongs to it."))


EXERCISES = (UNROLL, CONTENT_COST, GRAM, LAYER_STYLE_COST, STYLE_COST)
