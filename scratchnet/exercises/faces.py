"""Exercises of sections 2 to 4: one network called twice, and losses that bring one person's encodings together and drive two apart."""

import numpy as np

from scratchnet import face_losses, mining, threshold
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.layers import Dense
from scratchnet.similarity import squared_euclidean


def _square(f_1, f_2):
    return np.sum((f_1 - f_2) ** 2, axis=-1)


# ---- 4: triplet loss -------------------------------------------------------------------------------------------------------

def triplet_loss(f_A, f_P, f_N, margin):
    """J = sum over i of max(||f_A_i - f_P_i||^2 - ||f_A_i - f_N_i||^2 + margin, 0)

    f_A, f_P, f_N  encodings of anchor, positive, negative, a triplet in each row    (m, n_f)
    margin         the lecture's alpha, a number
    Returns J, one number; or J, (df_A, df_P, df_N), each gradient of the shape of its encodings.
    """
    return face_losses.triplet_loss(f_A, f_P, f_N, margin)


def _slopes(f_A, f_P, f_N, margin, active=None, two=2):
    """J and gradients of the triplet loss, with an active of one's own."""
    x = _square(f_A, f_P) - _square(f_A, f_N) + margin
    on = (x > 0 if active is None else active(x))[:, None] * two
    return np.sum(np.maximum(x, 0)), (on * (f_N - f_P), -on * (f_A - f_P), on * (f_A - f_N))


def _changed(change, f_A, f_P, f_N, margin):
    J, gradients = _slopes(f_A, f_P, f_N, margin)
    return J, change(*gradients)


TRIPLET_LOSS = Exercise(
    4, "the triplet loss", triplet_loss, slopes="f_A, f_P, f_N",
    cases={
        "three triplets, one of each kind": (np.zeros((3, 2)), np.array([[1., 0], [0, 1], [2, 0]]),
                                             np.array([[1., 1], [0, 0], [1, 0]]), 0.5),
        "two triplets, of which one is satisfied": (np.array([[1., 2, 0], [0, 1, 1]]), np.array([[1., 0, 0], [0, 1, 3]]),
                                                    np.array([[3., 2, 3], [2, 1, 2]]), 2.0),
    },
    mistakes=(
        Mistake("you took the mean over the triplets", "the lecture's J is a sum", lambda A, P, N, m: _slopes(A, P, N, m)[0] / len(A)),
        Mistake("you summed before taking the maximum", "the margin and the maximum belong to each triplet: one that is satisfied must "
                "not pay for another", lambda A, P, N, m: max(np.sum(_square(A, P) - _square(A, N) + m), 0)),
        Mistake("you summed the squares over the whole batch, not only over an encoding", "each triplet has distances of its own, of "
                "shape (m,): along which axis is one encoding?", lambda A, P, N, m: max(np.sum((A - P) ** 2) - np.sum((A - N) ** 2) + m, 0)),
        Mistake("you summed over the triplets where the entries of an encoding are meant (axis 0)", "a distance is a sum over k, the "
                "entries of one encoding", lambda A, P, N, m: np.sum(np.maximum(np.sum((A - P) ** 2 - (A - N) ** 2, axis=0) + m, 0))),
        Mistake("you took the distances without the square", "this loss has squared distances, ||f(A) - f(P)||^2",
                lambda A, P, N, m: np.sum(np.maximum(np.sqrt(_square(A, P)) - np.sqrt(_square(A, N)) + m, 0))),
        Mistake("you exchanged P and N", "the distance to the positive shall be the small one, so it has the plus",
                lambda A, P, N, m: _slopes(A, N, P, m)[0]),
        Mistake("you took the margin off", "it asks for more than d_AP <= d_AN, so it adds to the cost",
                lambda A, P, N, m: _slopes(A, P, N, -m)[0]),
        Mistake("you summed |f - f'| in place of its square", "a distance here is a sum of squares",
                lambda A, P, N, m: np.sum(np.maximum(np.sum(np.abs(A - P) - np.abs(A - N), axis=1) + m, 0))),
        Mistake("you left the margin out", "without it, equal encodings for everybody cost nothing",
                lambda A, P, N, m: _slopes(A, P, N, 0)[0]),
        Mistake("you kept triplets below zero", "a satisfied triplet costs nothing; without the maximum one easy triplet can pay for "
                "all the others", lambda A, P, N, m: np.sum(_square(A, P) - _square(A, N) + m) - 1e-9),
        Mistake("your gradient counts satisfied triplets too", "where the maximum is 0 it does not move, so nothing pulls there",
                lambda A, P, N, m: _slopes(A, P, N, m, active=np.ones_like)),
        Mistake("your gradient lacks the factor 2 of a square", "the slope of x^2 is not x", lambda A, P, N, m: _slopes(A, P, N, m, two=1)),
        Mistake("your df_A knows the positive only", "the anchor stands in both distances",
                lambda A, P, N, m: _changed(lambda a, p, n: (-p, p, n), A, P, N, m)),
        Mistake("your gradients point the wrong way", "a gradient points to where J grows; the step down is the optimiser's affair",
                lambda A, P, N, m: _changed(lambda *slopes: tuple(-slope for slope in slopes), A, P, N, m)),
    ),
    steps=("the squared distance of each anchor to its positive, and to its negative: shape (m,)",
           "what each triplet costs: shape (m,)", "their sum"),
    hints=("How many numbers has d_AP? One for each triplet, so the sum runs over the entries of an encoding, and over nothing else.",
           "Write down d_AP, d_AN and d_AP - d_AN + margin for each row of the case. Which of them may become negative?",
           "np.maximum takes two arrays entry by entry; it stands inside the sum over the triplets, not around it."))


EXERCISES = (TRIPLET_LOSS,)
