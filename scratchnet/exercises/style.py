"""Exercises of section 9: which channels go together, how far two pictures are apart in that, and how loud neighbours may differ."""

import numpy as np

from scratchnet import style_costs
from scratchnet.exercises.exercise import Exercise, Mistake


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


COUNTED = np.arange(12.).reshape(1, 2, 2, 3)

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


EXERCISES = (GRAM,)
