"""How alike are two encodings?  The lecture's similarity function d, and the ones it names beside it.

    squared_euclidean    sum_k (f_k - f'_k)^2                     0 for equal encodings; the lecture's d
    euclidean            its square root                          0
    cosine_similarity    f . f' / (||f|| ||f'||)                  1 for the same direction; 0 where f or f' is zero
    cosine_distance      1 - cosine_similarity                    0 for the same direction; 1 where f or f' is zero
    jaccard              |A and B| / |A or B|                     1 for equal sets; 1 for two empty ones
    chi2                 sum_k (f_k - f'_k)^2 / (f_k + f'_k)      0 for equal encodings; a term 0 / 0 counts 0

A distance is small for one person, a similarity is large. Every function compares two encodings, or rows with rows:

    (n_f,), (n_f,)      -> one number
    (m, n_f), (m, n_f)  -> (m,)         row i with row i
    (n_f,), (m, n_f)    -> (m,)         one with every row

and `all_pairs(d, f_1, f_2)` every row with every row: (m_1, n_f), (m_2, n_f) -> (m_1, m_2).
For encodings of length 1 three of them are one: squared_euclidean = euclidean^2 = 2 cosine_distance.
Source: course 4, week 4: one-shot learning, Siamese network.
"""

import numpy as np

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.shapes import expect_floats


def squared_euclidean(f_1, f_2):
    """d = ||f_1 - f_2||^2 = sum_k (f_1k - f_2k)^2.   Lecture: Siamese network.  Shapes: see above."""
    f_1, f_2 = _expect_two(f_1, f_2)
    return np.sum((f_1 - f_2) ** 2, axis=-1)


def euclidean(f_1, f_2):
    """d = ||f_1 - f_2||, the plain distance.   Shapes: see above."""
    return np.sqrt(squared_euclidean(f_1, f_2))


def cosine_similarity(f_1, f_2):
    """cos = f_1 . f_2 / (||f_1|| ||f_2||), from -1 to 1. A zero vector has no direction: 0.   Shapes: see above."""
    f_1, f_2 = map(_direction, _expect_two(f_1, f_2))
    return np.clip(np.sum(f_1 * f_2, axis=-1), -1, 1)         # round-off may pass 1 by a hair


def cosine_distance(f_1, f_2):
    """1 - cosine_similarity, from 0 to 2; 1 where a vector is zero.   Shapes: see above."""
    return 1 - cosine_similarity(f_1, f_2)


def jaccard(f_1, f_2):
    """|A and B| / |A or B| of two sets; sum_k min(f_1k, f_2k) / sum_k max(f_1k, f_2k) of vectors without negative entries.

    For vectors of zeros and ones, or of booleans, the second is the first. Two empty sets, or two zero vectors, are equal: 1.
    Shapes: see above.   Raises ShapeError for a negative entry, or a set beside a vector.
    Source: Jaccard 1901 (sets); Ioffe 2010, "Improved consistent sampling, weighted minhash and L1 sketching" (the weighted form).
    """
    sets = [isinstance(f, (set, frozenset)) for f in (f_1, f_2)]
    if all(sets):
        return len(f_1 & f_2) / len(f_1 | f_2) if f_1 or f_2 else 1.0
    if any(sets):
        raise ShapeError(f"f_1 is a {type(f_1).__name__} and f_2 a {type(f_2).__name__}; expected two sets or two vectors.")
    f_1, f_2 = _expect_two(f_1, f_2)
    expect_no_negative("jaccard", f_1=f_1, f_2=f_2)
    return ratio(np.minimum(f_1, f_2).sum(axis=-1), np.maximum(f_1, f_2).sum(axis=-1), nothing=1)


def chi2(f_1, f_2):
    """chi^2 = sum_k (f_1k - f_2k)^2 / (f_1k + f_2k), the distance of two histograms. A term 0 / 0 counts 0.

    Shapes: see above.   Raises ShapeError for a negative entry.
    Source: lecture, face verification and binary classification; Taigman et al. 2014 (DeepFace), sec. 4.2, there with weights.
    """
    f_1, f_2 = _expect_two(f_1, f_2)
    expect_no_negative("chi2", f_1=f_1, f_2=f_2)
    difference = f_1 - f_2
    return np.sum(difference * ratio(difference, f_1 + f_2), axis=-1)      # |quotient| <= 1: no square to overflow


def all_pairs(d, f_1, f_2=None):
    """Every row of f_1 with every row of f_2: d(f_1[i], f_2[j]) at [i, j].   (m_1, n_f), (m_2, n_f) -> (m_1, m_2)

    d is any function of this file; without f_2, the rows of f_1 among themselves. Row by row by the definition: the well-known
    ||f||^2 + ||f'||^2 - 2 f . f' is faster, but a small distance is lost in its round-off, and small ones are those that count.
    """
    f_2 = f_1 if f_2 is None else f_2
    f_1, f_2 = expect_encodings(f_1, "f_1", ndim=(2,)), expect_encodings(f_2, "f_2", ndim=(2,))
    rows = [d(row, f_2) for row in f_1]
    return np.stack(rows) if rows else np.empty((0, len(f_2)), np.result_type(f_1, f_2))


# ---- what may come in, and what 0 / 0 is -----------------------------------------------------------------------------------

def expect_encodings(f, name, ndim=(1, 2)):
    """The array itself, whole numbers as float32. Raises ShapeError for another rank or kind, NumericsError for nan and inf."""
    f = expect_floats(f, name)
    if f.ndim not in ndim:
        what = " or ".join({1: "(n_f,)", 2: "(m, n_f)"}[n] for n in ndim)
        raise ShapeError(f"{name} has shape {f.shape}; expected {what}. For one encoding as a batch use f[None].")
    if not np.isfinite(f).all():
        bad = np.argwhere(~np.isfinite(f))
        raise NumericsError(f"{name} has {len(bad)} nan or inf, first at {bad[0].tolist()}; expected finite numbers: look at the "
                            "picture and the network that it comes from.")
    return f


def expect_no_negative(who, **arrays):
    """Raises ShapeError for an encoding with a negative entry, with the reason."""
    for name, f in arrays.items():
        if f.size and f.min() < 0:
            raise ShapeError(f"{name} has {np.sum(f < 0)} negative entries, the least {f.min():.3g}; {who} expects none: its "
                             "denominator would vanish or change its sign. Use encodings that end in a ReLU, or another function.")


def ratio(above, below, nothing=0):
    """above / below, and `nothing` where below is 0. No warning."""
    zero = below == 0
    return np.where(zero, np.asarray(nothing, np.result_type(below)), above / np.where(zero, 1, below))[()]


def _expect_two(f_1, f_2):
    """Two encodings, two batches of as many rows, or one and a batch. Raises ShapeError otherwise: nothing else may broadcast."""
    f_1, f_2 = expect_encodings(f_1, "f_1"), expect_encodings(f_2, "f_2")
    rows_differ = f_1.ndim == f_2.ndim == 2 and len(f_1) != len(f_2)
    if f_1.shape[-1] != f_2.shape[-1] or rows_differ:
        hint = " For every row with every row use all_pairs(d, f_1, f_2)." if rows_differ else ""
        raise ShapeError(f"f_1 has shape {f_1.shape} and f_2 {f_2.shape}; expected encodings of one length n_f, and as many rows "
                         f"on either side.{hint}")
    return f_1, f_2


def _direction(f):
    """f / ||f||, and 0 for 0. The largest entry is divided off first, so that no square leaves the range of floats."""
    f = ratio(f, np.abs(f).max(axis=-1, keepdims=True, initial=0))
    return ratio(f, np.sqrt(np.sum(f ** 2, axis=-1, keepdims=True)))
