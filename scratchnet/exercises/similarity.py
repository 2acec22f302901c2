"""Exercises of section 1: how alike are two encodings, where is the line between one person and two, and who is it?"""

import numpy as np

from scratchnet import similarity
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.similarity import ratio, squared_euclidean


# ---- sets and directions ---------------------------------------------------------------------------------------------------

def jaccard(A, B):
    """J(A, B) = |A and B| / |A or B|

    A, B  two sets over the same n_f things, as arrays of zeros and ones    (n_f,)
    Returns their similarity, one number from 0 to 1. Two empty sets are equal: 1.
    """
    return similarity.jaccard(A, B)


def _share(above, below):
    return float(ratio(np.asarray(above), np.asarray(below), nothing=1))


JACCARD = Exercise(
    1, "Jaccard similarity", jaccard, returns="J",
    cases={
        "seven things": (np.array([1., 1, 0, 0, 1, 0, 0]), np.array([1., 0, 0, 1, 1, 0, 0])),
        "a set and a larger one": (np.array([1., 0, 0, 0]), np.array([1., 1, 1, 0])),
        "two empty sets": (np.zeros(3), np.zeros(3)),
    },
    mistakes=(
        Mistake("you counted things that are in neither set as agreement", "Jaccard looks at what is in one of the two at least: two "
                "people are not alike because both lack a beard", lambda A, B: np.mean(A == B)),
        Mistake("you divided by n_f", "things that are in neither set do not count at all", lambda A, B: np.sum(A * B) / len(A)),
        Mistake("you divided by |A| + |B|", "there what both have is counted twice",
                lambda A, B: _share(np.sum(A * B), np.sum(A) + np.sum(B))),
        Mistake("you computed Dice's coefficient, 2 |A and B| / (|A| + |B|)", "it is a relative of Jaccard's; here it is |A or B| below",
                lambda A, B: _share(2 * np.sum(A * B), np.sum(A) + np.sum(B))),
        Mistake("you returned the distance, 1 - J", "a similarity is 1 for equal sets", lambda A, B: 1 - similarity.jaccard(A, B)),
        Mistake("you let two empty sets be 0 / 0, nan", "two empty sets are equal: say so before the division",
                lambda A, B: np.sum(A * B) / np.float64(np.sum(np.maximum(A, B)))),
        Mistake("you let two empty sets be unlike", "they are equal, so their similarity is 1",
                lambda A, B: similarity.jaccard(A, B) if A.any() else 0.0),
        Mistake("you divided by the size of one of the sets", "below is the union: what is in A, in B, or in both",
                lambda A, B: _share(np.sum(A * B), np.sum(A))),
    ),
    steps=("how many things are in both, how many in one at least", "two empty sets"),
    hints=("Write both sets of the first case under each other. Which columns have two ones, which have at least one?",
           "For zeros and ones, np.minimum is 'and', np.maximum is 'or'.", "Ask whether the union is empty before you divide by its size."))


def cosine_similarity(f_1, f_2):
    """cos_i = f_1_i . f_2_i / (||f_1_i|| ||f_2_i||)

    f_1, f_2  encodings, row i of one belongs to row i of the other    (m, n_f)
    Returns the cosines                                                (m,)
    """
    return similarity.cosine_similarity(f_1, f_2)


def _dot(f_1, f_2):
    return np.sum(f_1 * f_2, axis=1)


def _norm(f, **options):
    return np.linalg.norm(f, **options)


COSINE_SIMILARITY = Exercise(
    1, "cosine similarity", cosine_similarity, returns="cos",
    cases={"three pairs": (np.array([[3., 4], [1, 0], [2, 2]]), np.array([[4., 3], [0, 2], [-1, -1]])),
           "three entries": (np.array([[1., 2, 2], [0, 3, 4]]), np.array([[2., 4, 4], [0, 4, -3]]))},
    mistakes=(
        Mistake("you left the lengths out", "a dot product grows with the length of the vectors: [5, 5] would be more like [10, 10] than "
                "like itself", _dot),
        Mistake("you divided by the squares of the lengths", "a length is the root of the sum of squares",
                lambda f, g: _dot(f, g) / (_dot(f, f) * _dot(g, g))),
        Mistake("you divided by the lengths of the whole batches", "each row has a length of its own",
                lambda f, g: _dot(f, g) / (_norm(f) * _norm(g))),
        Mistake("you divided by the spectral norm, np.linalg.norm(f, ord=2) of a matrix", "without an axis NumPy takes the rows for one "
                "matrix; each row has a length of its own", lambda f, g: _dot(f, g) / (_norm(f, ord=2) * _norm(g, ord=2))),
        Mistake("you divided by one of the two lengths only", "each of the two vectors is brought to length 1",
                lambda f, g: _dot(f, g) / _norm(f, axis=1)),
        Mistake("you divided by the sum of the lengths", "a product of two vectors has a product of lengths in it",
                lambda f, g: _dot(f, g) / (_norm(f, axis=1) + _norm(g, axis=1))),
        Mistake("you returned the distance, 1 - cos", "a similarity is 1 for the same direction",
                lambda f, g: 1 - similarity.cosine_similarity(f, g)),
        Mistake("you lost the sign", "opposite directions have cosine -1", lambda f, g: np.abs(similarity.cosine_similarity(f, g))),
        Mistake("you returned every row with every row", "row i belongs to row i: one number for each pair",
                lambda f, g: similarity.all_pairs(similarity.cosine_similarity, f, g)),
    ),
    steps=("the dot product of each pair: shape (m,)", "the lengths of the rows of f_1, and of f_2: shape (m,)"),
    hints=("[3, 4] has length 5. What is the cosine of the first pair?", "All sums run over the entries of a row, so all have shape (m,).",
           "np.linalg.norm does rows one by one when it is told the axis."))


def cosine_threshold(tau):
    """The cosine that belongs to a threshold: for f, f' of length 1, d = ||f - f'||^2 <= tau is the same as f . f' >= this.

    tau  threshold of the squared distance, a number from 0 to 4
    Returns one number.
    """
    return 1 - tau / 2                                 # d = ||f||^2 + ||f'||^2 - 2 f . f' = 2 - 2 cos


COSINE_THRESHOLD = Exercise(
    1, "a distance of unit vectors as a cosine", cosine_threshold, returns="cos",
    cases={"tau = 0.7": (0.7,), "the square of 0.7": (0.49,), "at right angles": (2.,), "opposite": (4.,)},
    mistakes=(
        Mistake("you forgot the 2 of the middle term", "||f - f'||^2 = ||f||^2 - 2 f . f' + ||f'||^2", lambda tau: 1 - tau),
        Mistake("you took tau for the plain distance and squared it", "this tau is a squared distance already: the 0.7 of one program "
                "may be the 0.49 of another", lambda tau: 1 - tau ** 2 / 2),
        Mistake("you took the root of tau", "d is a squared distance, and so is tau", lambda tau: 1 - np.sqrt(tau) / 2),
        Mistake("you took tau for an angle", "a distance is no angle: it is the chord, not the arc", lambda tau: np.cos(tau)),
        Mistake("you forgot that both vectors have a length", "||f||^2 and ||f'||^2 are 1 each", lambda tau: (1 - tau) / 2),
        Mistake("you returned the sine", "by Pythagoras you went one step too far", lambda tau: np.sqrt(max(0, 1 - (1 - tau / 2) ** 2))),
        Mistake("you went the other way, from a cosine to a distance", "given is the distance, asked for is the cosine",
                lambda tau: 2 - 2 * tau),
    ),
    steps=("write ||f - f'||^2 out as three products", "two of them are 1"),
    hints=("What are the cosine and the squared distance of two equal vectors? Of two at right angles? Of opposite ones?",
           "(f - f') . (f - f') has the products f . f, f' . f', and twice f . f'.", "tau = 2 - 2 cos at the very threshold."))


# ---- one person or two, and who --------------------------------------------------------------------------------------------

def verify(f_1, f_2, tau):
    """same_i = (d(f_1_i, f_2_i) <= tau),   d(f, f') = ||f - f'||^2

    f_1, f_2  encodings of the two pictures of each pair    (m, n_f);   tau  the threshold, a number
    Returns True where both show one person                 (m,), booleans
    """
    return squared_euclidean(f_1, f_2) <= tau


VERIFY = Exercise(
    1, "one person or two?", verify, returns="same",
    cases={"six pairs, tau = 1": (np.zeros((6, 2)), np.array([[0.9, 0.4], [0.6, 0.6], [1, 0], [0, 0.5], [-2, 1.5], [1.2, 0.1]]), 1.),
           "three pairs, tau = 0.5": (np.array([[1., 2, 0], [0, 1, 0], [3, 0, 0]]),
                                      np.array([[1., 1.4, 0], [0, 0.5, 0.6], [2, 0, 1]]), 0.5)},
    mistakes=(
        Mistake("you compared the plain distance with tau", "the lecture's d is squared, and tau belongs to d",
                lambda f, g, tau: np.sqrt(squared_euclidean(f, g)) <= tau),
        Mistake("you left the case d = tau out", "one person when d <= tau", lambda f, g, tau: squared_euclidean(f, g) < tau),
        Mistake("you turned the answer around", "near means one person: d <= tau is True", lambda f, g, tau: squared_euclidean(f, g) > tau),
        Mistake("you summed |f - f'|", "d is a sum of squares", lambda f, g, tau: np.sum(np.abs(f - g), axis=1) <= tau),
        Mistake("you forgot the square, so that differences of both signs cancel", "d is a sum of squares",
                lambda f, g, tau: np.sum(f - g, axis=1) <= tau),
        Mistake("you took the mean over the entries", "d is a sum over k", lambda f, g, tau: np.mean((f - g) ** 2, axis=1) <= tau),
        Mistake("you asked of every entry by itself", "the entries add up to one distance, and that is compared",
                lambda f, g, tau: np.all((f - g) ** 2 <= tau, axis=1)),
    ),
    steps=("the distance of each pair: shape (m,)", "compared with tau"),
    hints=("Work out d for the first pair of the case: 0.9^2 + 0.4^2.", "Which axis of f_1 - f_2 holds the entries of one encoding?",
           "A comparison of an array with a number gives booleans."))


def identify(f, gallery, tau):
    """Who is it?  The person of the gallery with the smallest d(f, f_person) = ||f - f_person||^2, if that is <= tau, else None.

    f        encoding of the new picture        (n_f,)
    gallery  {name: encoding (n_f,)}            one picture of each person, or nobody at all: {}
    tau      the threshold, a number
    Returns a name, or None for somebody who is not in the gallery.
    """
    d = {name: float(squared_euclidean(f, f_person)) for name, f_person in gallery.items()}
    return min((name for name in d if d[name] <= tau), key=d.get, default=None)


def _who(choose, accept, f, gallery, tau):
    d = {name: float(squared_euclidean(f, f_person)) for name, f_person in gallery.items()}
    name = choose(d, key=d.get, default=None)
    return name if name is not None and accept(d[name], tau) else None


PEOPLE = {"Ada": np.array([1., 0]), "Emmy": np.array([0., 1]), "Sofja": np.array([0.8, 0.7])}

IDENTIFY = Exercise(
    1, "who is it, or nobody?", identify, returns="name",
    cases={"near to two of them": (np.array([0.9, 0.5]), PEOPLE, 0.7), "nearer to the first of two": (np.array([0.95, 0.3]), PEOPLE, 0.7),
           "near enough": (np.array([1., -0.8]), PEOPLE, 0.7), "at the threshold": (np.array([0., 2]), PEOPLE, 1.),
           "a stranger": (np.array([-1., -1]), PEOPLE, 0.7), "not near enough": (np.array([0., 1.8]), PEOPLE, 0.5),
           "a long encoding, and a near one": (np.array([0.5, 0.5]), {"Max": np.array([1., 0.9]), "Lise": np.array([0.5, 0.3])}, 0.7),
           "nobody to compare with": (np.array([1., 0]), {}, 0.7)},
    mistakes=(
        Mistake("you always name somebody", "a stranger is nearest to someone too: that is what tau is for",
                lambda f, people, tau: _who(min, lambda d, tau: True, f, people, tau)),
        Mistake("you took the first person within tau", "of several the nearest: the order of the gallery means nothing",
                lambda f, people, tau: next((name for name, g in people.items() if squared_euclidean(f, g) <= tau), None)),
        Mistake("you took the last person within tau", "of several the nearest: the order of the gallery means nothing",
                lambda f, people, tau: next((name for name, g in list(people.items())[::-1] if squared_euclidean(f, g) <= tau), None)),
        Mistake("you took the person who is farthest", "d is small for one person", lambda f, people, tau: _who(
            max, lambda d, tau: d <= tau, f, people, tau)),
        Mistake("you compared the plain distance with tau", "the lecture's d is squared, and tau belongs to d",
                lambda f, people, tau: _who(min, lambda d, tau: np.sqrt(d) <= tau, f, people, tau)),
        Mistake("you left the case d = tau out", "one person when d <= tau", lambda f, people, tau: _who(
            min, lambda d, tau: d < tau, f, people, tau)),
        Mistake("you took the person with the largest dot product", "that prefers long encodings; d has to be small",
                lambda f, people, tau: max((n for n in people if squared_euclidean(f, people[n]) <= tau), key=lambda n: f @ people[n],
                                           default=None)),
    ),
    steps=("the distance to everybody", "the nearest person", "near enough?"),
    hints=("Work out the three distances of the first case. Two people are within 0.7.", "Find the nearest first, and compare only that "
           "distance with tau.", "min(d, key=d.get) is the key of the smallest value of a dict; of an empty one it raises an error."))


EXERCISES = (JACCARD, COSINE_SIMILARITY, COSINE_THRESHOLD, VERIFY, IDENTIFY)
