"""Exercises of section 4: what a triplet costs, and which triplets are worth their cost."""

import numpy as np

from scratchnet import face_losses, mining
from scratchnet.exercises.exercise import Exercise, Mistake


def _square(f_1, f_2):
    return np.sum((f_1 - f_2) ** 2, axis=-1)


# ---- the loss ---------------------------------------------------------------------------------------------------------------

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
                "shape (m,): along which axis is one encoding?",
                lambda A, P, N, m: max(np.sum((A - P) ** 2) - np.sum((A - N) ** 2) + m, 0)),
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
                "all the others", lambda A, P, N, m: np.sum(_square(A, P) - _square(A, N) + m)),
        Mistake("you took the dearest triplet only", "all triplets add up; np.maximum(x, 0) goes entry by entry, np.max(x) takes one",
                lambda A, P, N, m: max(np.max(_square(A, P) - _square(A, N) + m), 0)),
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


# ---- which triplets --------------------------------------------------------------------------------------------------------

def semi_hard(d_AP, d_AN, margin):
    """Which negatives are semi-hard for which positives of an anchor?   d_AP < d_AN < d_AP + margin

    d_AP  squared distances of the anchor to its positives    (k,);   d_AN  to the negatives    (l,);   margin  a number
    Returns True where negative n is semi-hard for positive p, at [p, n]    (k, l), booleans
    """
    return mining.kinds_of(d_AP[:, None], d_AN, margin) == mining.KINDS.index("semi-hard")


SEMI_HARD = Exercise(
    4, "semi-hard negatives", semi_hard, returns="semi_hard",
    cases={"two positives, five negatives": (np.array([1., 2]), np.array([0.5, 1, 1.5, 2.25, 3]), 1.),
           "at the margin": (np.array([1., 4, 2.5]), np.array([1.5, 4, 4.25, 9]), 0.5)},
    mistakes=(
        Mistake("you took the hard ones in", "nearer than the positive is hard; semi-hard lies beyond it",
                lambda p, n, m: n < p[:, None] + m),
        Mistake("you left the margin out", "beyond d_AP + margin a negative is easy, and teaches nothing", lambda p, n, m: n > p[:, None]),
        Mistake("you took the hard ones", "a semi-hard negative is farther away than the positive", lambda p, n, m: n <= p[:, None]),
        Mistake("you took the easy ones", "those satisfy the constraint already: their loss is 0", lambda p, n, m: n >= p[:, None] + m),
        Mistake("you took the end of the margin in", "at d_AN = d_AP + margin the loss is 0 already",
                lambda p, n, m: (n > p[:, None]) & (n <= p[:, None] + m)),
        Mistake("you took d_AN = d_AP in", "as near as the positive is hard", lambda p, n, m: (n >= p[:, None]) & (n < p[:, None] + m)),
        Mistake("you looked in the margin on the other side", "the margin begins at the positive and reaches outwards",
                lambda p, n, m: (n < p[:, None]) & (n > p[:, None] - m)),
        Mistake("you exchanged positives and negatives", "rows are positives, columns negatives", lambda p, n, m: semi_hard(p, n, m).T),
    ),
    steps=("every positive beside every negative: shapes (k, 1) and (l,) make (k, l)", "two comparisons, both true"),
    hints=("Mark d_AP = 1 and d_AP + margin = 2 on a line, and then the five negatives. Which lie between?", "d_AP[:, None] has shape (k, "
           "1), and compares with (l,) as (k, l).", "Arrays of booleans are joined by &, with brackets around each comparison."))


def batch_hard(f, labels):
    """For each picture as anchor: the farthest picture of the same person, and the nearest one of another.   d = ||f - f'||^2

    f       encodings of a batch     (m, n_f);   labels  who is in each picture (m,): everybody has two pictures or more
    Returns P, N, indices into the batch, (m,) each; of equally far ones the first.
    """
    _, P, N = mining.mine_triplets(f, labels, 0.0, "batch-hard", 0)
    return P, N


def _chosen(f, labels, positive=(np.argmax, -np.inf), negative=(np.argmin, np.inf), plain=False):
    """Of the distances to the same person one by a rule, of those to others one by another; what must not win is put in each."""
    d = np.array([_square(row, f) for row in f])
    same = labels[:, None] == labels
    (farthest, never), (nearest, far) = positive, negative
    mine = np.where(same & ~np.eye(len(f), dtype=bool), d, never)
    return farthest(mine, axis=1), nearest(d if plain else np.where(same, far, d), axis=1)


BATCH = np.array([[0., 0], [1, 0], [0, 3], [2, 1], [4, 1], [-1, 0.5]])

BATCH_HARD = Exercise(
    4, "the hardest triplet of each anchor", batch_hard, returns="P, N",
    cases={"two people, three pictures each": (BATCH, np.array([0, 0, 0, 1, 1, 1])),
           "three people": (BATCH[::-1] * [1, 2], np.array([2, 0, 2, 1, 0, 1]))},
    mistakes=(
        Mistake("you took the nearest positive", "the hard one is the farthest",
                lambda *case: _chosen(*case, positive=(np.argmin, np.inf))),
        Mistake("you took the farthest negative", "the hard one is the nearest",
                lambda *case: _chosen(*case, negative=(np.argmax, -np.inf))),
        Mistake("you took both the easy way", "hard is what costs most: a far positive, a near negative",
                lambda *case: _chosen(*case, positive=(np.argmin, np.inf), negative=(np.argmax, -np.inf))),
        Mistake("you let the anchor be its own negative", "it is nearest to itself, at distance 0; look among other people only",
                lambda *case: _chosen(*case, plain=True)),
        Mistake("you multiplied distances by a mask, so that zeros win as the nearest", "what must not be chosen needs a distance that "
                "never wins", lambda *case: _chosen(*case, negative=(np.argmin, 0.))),
        Mistake("you let the farthest of all be the positive", "look among the pictures of the same person only",
                lambda f, labels: (np.argmax([_square(row, f) for row in f], axis=1), batch_hard(f, labels)[1])),
        Mistake("you exchanged P and N", "the positive comes first", lambda *case: batch_hard(*case)[::-1]),
    ),
    steps=("the distances of all pictures, (m, m), and which pairs are one person, (m, m)", "of each row the farthest of the same person",
           "of each row the nearest of another"),
    hints=("Do the first anchor by hand: who are its positives, who its negatives, and how far are they?", "A picture that must not be "
           "chosen gets a distance that never wins: which one, for the farthest? which one, for the nearest?",
           "np.where(same, d, ...) and np.argmax or np.argmin along axis 1."))


EXERCISES = (TRIPLET_LOSS, SEMI_HARD, BATCH_HARD)
