"""What a face network minimises: small distances for one person, large ones for two, each loss with its gradient.

    contrastive_loss   pairs:     1/2 d^2 for the same person, 1/2 max(margin - d, 0)^2 for two
    triplet_loss       triplets:  max(d(A, P) - d(A, N) + margin, 0)
    pair_loss          pairs:     cross-entropy of yhat = sigmoid(sum_k w_k |f_k - f'_k| + b), or of its chi^2 form

To compare with, people can be taken as classes: softmax_cross_entropy in `activations`.  Each loss is made of its values
per example, and those can be looked at: contrastive_terms, triplet_terms, pair_terms.

Which triplet loss?  The lecture's is squared, a hinge, a sum. Others are a word away:

    distance  "squared"  ||f - f'||^2           smooth at 0; but the push on a negative fades as it comes near
              "plain"    ||f - f'||             pushes with one strength; at a distance of 0 its gradient is 0 here
    form      "hinge"    max(x, 0)              x = d(A, P) - d(A, N) + margin
              "soft"     ln(1 + e^x)            x = d(A, P) - d(A, N): no margin, never quite satisfied
    over      "sum", "mean", or "active": the mean over the active triplets (value > 0), which easy ones cannot dilute

When all encodings are equal, each triplet costs the margin ("hinge") or ln 2 ("soft"): a loss that stands there has collapsed.
When no triplet is active, or there is none, the loss is 0 and so is the gradient; 0 / 0 does not occur.
Source: course 4, week 4: Siamese network, triplet loss, face verification and binary classification.
"""

import warnings
from collections import namedtuple

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.similarity import euclidean, expect_encodings, expect_no_negative, ratio, squared_euclidean

Contrastive = namedtuple("Contrastive", "d L active")           # one entry per pair
Triplets    = namedtuple("Triplets", "d_AP d_AN L active")      # one entry per triplet
Pairs       = namedtuple("Pairs", "y_hat L")                    # one entry per pair

DISTANCE = {                                                    # d(f, f') by rows, and its gradient in f; in f' it is the negative
    "squared": lambda f_1, f_2: (squared_euclidean(f_1, f_2), 2 * (f_1 - f_2)),
    "plain":   lambda f_1, f_2: _plain(f_1, f_2),
}
FORM = {                                                        # the value of a triplet and its slope dL/dx
    "hinge": lambda d_AP, d_AN, margin: _hinge(d_AP - d_AN + margin),
    "soft":  lambda d_AP, d_AN, margin: _soft(d_AP - d_AN),
}
OVER = {                                                        # how often each triplet counts
    "sum":    lambda active: 1.0,
    "mean":   lambda active: 1 / max(len(active), 1),
    "active": lambda active: 1 / max(int(active.sum()), 1),
}
DIFFERENCE = {                                                  # |f - f'|, or its rival, by entries; and its slopes in f and in f'
    "absolute": lambda f_1, f_2: _absolute(f_1, f_2),
    "chi2":     lambda f_1, f_2: _chi2(f_1, f_2),
}


# ---- contrastive loss ------------------------------------------------------------------------------------------------------

def contrastive_loss(f_1, f_2, *, same, margin=1.0):
    """J = 1/m sum_i (1/2 d_i^2 where same, 1/2 max(margin - d_i, 0)^2 where not), d_i = ||f_1i - f_2i||.

    f_1, f_2  encodings of the two pictures of each pair              (m, n_f)
    same      True where both show one person                         (m,) booleans, or 0 and 1
    margin    from this distance on, two people are left alone
    Returns J and (df_1, df_2). Two people whose encodings coincide have no direction to part in: gradient 0.
    Raises ShapeError for shapes, labels or a margin that do not fit, NumericsError for nan.
    Source: Hadsell, Chopra & LeCun 2006, eq. 4. Their Y is 0 for similar pairs, most code has 1: hence a keyword that says it.
    """
    f_1, f_2, same = _expect_pairs(f_1, f_2, same)
    terms, slope, away = _contrastive(f_1, f_2, same, _expect_margin(margin))
    df_1 = (slope / len(slope))[:, None] * away
    return np.mean(terms.L), (df_1, -df_1)


def contrastive_terms(f_1, f_2, *, same, margin=1.0):
    """Of each pair its distance d, its value L, and whether it is active (L > 0): arrays (m,), by these names."""
    f_1, f_2, same = _expect_pairs(f_1, f_2, same)
    return _contrastive(f_1, f_2, same, _expect_margin(margin))[0]


def _contrastive(f_1, f_2, same, margin):
    """The terms, dL/dd, and dd/df_1."""
    d, away = DISTANCE["plain"](f_1, f_2)
    pull, push = d, np.maximum(margin - d, 0)
    L = np.where(same, pull, push) ** 2 / 2
    return Contrastive(d, L, L > 0), np.where(same, pull, -push), away


# ---- triplet loss ----------------------------------------------------------------------------------------------------------

def triplet_loss(f_A, f_P, f_N, margin=0.2, distance="squared", form="hinge", over="sum"):
    """J = sum_i max(||f_Ai - f_Pi||^2 - ||f_Ai - f_Ni||^2 + margin, 0), or another form, see above.

    f_A, f_P, f_N  encodings of anchor, positive, negative            (m, n_f); m = 0, no triplet found, costs nothing
    margin         the lecture's alpha; "soft" has none
    Returns J and (df_A, df_P, df_N).   Lecture: triplet loss.
    Raises ShapeError for shapes, a margin or a name that do not fit, NumericsError for nan.
    Source: Schroff et al. 2015 (FaceNet), sec. 3.1; "plain" and "soft": Hermans et al. 2017, sec. 2.
    """
    terms, slope, way_P, way_N = _triplets(f_A, f_P, f_N, margin, distance, form)
    weight = _choose("over", OVER, over)(terms.active)
    slope = weight * slope[:, None]
    return weight * np.sum(terms.L), (slope * (way_P - way_N), -slope * way_P, slope * way_N)


def triplet_terms(f_A, f_P, f_N, margin=0.2, distance="squared", form="hinge"):
    """Of each triplet d_AP, d_AN, its value L, and whether it is active (L > 0): arrays (m,), by these names."""
    return _triplets(f_A, f_P, f_N, margin, distance, form)[0]


def _triplets(f_A, f_P, f_N, margin, distance, form):
    """The terms, dL/dx, and how d_AP and d_AN change with f_A."""
    f_A, f_P, f_N = _expect_equal_shapes(f_A=f_A, f_P=f_P, f_N=f_N)
    margin, d = _expect_margin(margin), _choose("distance", DISTANCE, distance)
    (d_AP, way_P), (d_AN, way_N) = d(f_A, f_P), d(f_A, f_N)
    L, slope = _choose("form", FORM, form)(d_AP, d_AN, margin)
    return Triplets(d_AP, d_AN, L, L > 0), slope, way_P, way_N


def _plain(f_1, f_2):
    d = euclidean(f_1, f_2)
    return d, ratio(f_1 - f_2, d[:, None])                      # 0 where two encodings meet, not 0 / 0


def _hinge(x):
    return np.maximum(x, 0), (x > 0).astype(x.dtype)


def _soft(x):
    return _softplus(x), _sigmoid(x)


# ---- the logistic head -----------------------------------------------------------------------------------------------------

def pair_loss(f_1, f_2, w, b, *, same, difference="absolute"):
    """J = -1/m sum_i (y_i ln yhat_i + (1 - y_i) ln(1 - yhat_i)), with yhat of `pair_probability` and y = 1 where same.

    f_1, f_2  encodings (m, n_f);  w, b  parameters of the head (n_f,), ();  same  (m,) booleans, or 0 and 1
    Returns J and (df_1, df_2, dw, db).   Lecture: face verification and binary classification.
    Where f_k = f'_k, the corner of |f_k - f'_k|, the slope is 0; so it is where a chi^2 term is 0 / 0.
    Raises ShapeError for shapes, labels or a name that do not fit, negative encodings under "chi2"; NumericsError for nan.
    """
    f_1, f_2, same = _expect_pairs(f_1, f_2, same)
    z, (u, du_1, du_2), w = _head(f_1, f_2, w, b, difference)
    sign = np.where(same, -1, 1).astype(z.dtype)                # J = mean ln(1 + e^{sign z}): nothing overflows, no ln 0
    dz = (sign * _sigmoid(sign * z) / len(z))[:, None]          # the familiar (yhat - y) / m
    return np.mean(_softplus(sign * z)), (dz * w * du_1, dz * w * du_2, np.sum(dz * u, axis=0), np.sum(dz))


def pair_probability(f_1, f_2, w, b, difference="absolute"):
    """yhat = sigmoid(sum_k w_k |f_k - f'_k| + b), how surely one person: near 1 the same.   (m, n_f), (m, n_f) -> (m,)

    "chi2" has (f_k - f'_k)^2 / (f_k + f'_k) in place of |f_k - f'_k|, for encodings without negative entries, as DeepFace's are.
    Two identical pictures get sigmoid(b): what tells people apart has w_k < 0.
    """
    f_1, f_2 = _expect_equal_shapes(f_1=f_1, f_2=f_2)
    return _sigmoid(_head(f_1, f_2, w, b, difference)[0])


def pair_terms(f_1, f_2, w, b, *, same, difference="absolute"):
    """Of each pair yhat and its value L = -ln yhat where same, -ln(1 - yhat) where not: arrays (m,), by these names."""
    f_1, f_2, same = _expect_pairs(f_1, f_2, same)
    z = _head(f_1, f_2, w, b, difference)[0]
    return Pairs(_sigmoid(z), _softplus(np.where(same, -z, z)))


def _head(f_1, f_2, w, b, difference):
    """z = sum_k w_k u_k + b (m,); u and its slopes (m, n_f); w as floats."""
    w, b = expect_encodings(w, "w", ndim=(1,)), np.asarray(b)
    if w.shape != f_1.shape[1:] or b.shape != ():
        raise ShapeError(f"w has shape {w.shape} and b {b.shape}; expected ({f_1.shape[1]},), a weight for each entry of an encoding, "
                         "and () for b, a number.")
    u = _choose("difference", DIFFERENCE, difference)(f_1, f_2)
    return np.sum(u[0] * w, axis=1) + float(b), u, w


def _absolute(f_1, f_2):
    sign = np.sign(f_1 - f_2)
    return np.abs(f_1 - f_2), sign, -sign


def _chi2(f_1, f_2):
    """u = r (f - f') with r = (f - f') / (f + f'); its slopes are 2r - r^2 and -2r - r^2."""
    expect_no_negative('difference = "chi2"', f_1=f_1, f_2=f_2)
    r = ratio(f_1 - f_2, f_1 + f_2)
    return r * (f_1 - f_2), 2 * r - r ** 2, -2 * r - r ** 2


def _softplus(z):
    """ln(1 + e^z), for any z without overflow."""
    return np.logaddexp(z.dtype.type(0), z)


def _sigmoid(z):
    """1 / (1 + e^-z), for any z without overflow; exact also where it is tiny."""
    return np.exp(-_softplus(-z))


# ---- what may come in ------------------------------------------------------------------------------------------------------

def _expect_equal_shapes(**encodings):
    """Raises ShapeError unless all are (m, n_f) with the same m and n_f: one message with every shape."""
    encodings = {name: expect_encodings(f, name, ndim=(2,)) for name, f in encodings.items()}
    if len({f.shape for f in encodings.values()}) > 1:
        given = ", ".join(f"{name} {f.shape}" for name, f in encodings.items())
        raise ShapeError(f"shapes differ: {given}; expected the same (m, n_f), row i of each belonging together.")
    return tuple(encodings.values())


def _expect_pairs(f_1, f_2, same):
    """The encodings, and `same` as booleans. Raises ShapeError for an empty batch, and labels that would broadcast or are not 0 or 1."""
    f_1, f_2 = _expect_equal_shapes(f_1=f_1, f_2=f_2)
    m, same = len(f_1), np.asarray(same)
    if m == 0:
        raise ShapeError("empty batch: a loss of pairs needs at least one pair.")
    if same.shape != (m,):
        raise ShapeError(f"same has shape {same.shape} for {m} pairs; expected ({m},): shapes ({m},) and {same.shape} would broadcast "
                         "to something else. Use same.ravel() on a column.")
    if not np.isin(same, (0, 1)).all():
        raise ShapeError(f"same holds {np.unique(same[~np.isin(same, (0, 1))])[:5].tolist()}; expected booleans, or 1 for the same "
                         "person and 0 for two.")
    same = same.astype(bool)
    if m > 1 and (same.all() or not same.any()):
        warnings.warn(f"all pairs are {'the same person' if same[0] else 'different people'}: nothing teaches the other half.",
                      stacklevel=3)
    return f_1, f_2, same


def _expect_margin(margin):
    """margin as a Python number: one of NumPy's would turn float32 into float64."""
    if np.ndim(margin) or not 0 <= margin < np.inf:
        raise ShapeError(f"margin = {margin!r}; expected one number from 0 up.")
    return float(margin)


def _choose(name, table, given):
    if given not in table:
        raise ShapeError(f"{name} = {given!r}; expected one of {', '.join(map(repr, table))}.")
    return table[given]
