"""Where to draw the line: which distance tau still means one person, and how much a figure measured on so many pairs is worth.

Everything here is computed from pairs: d (n,), the distance of each, and same (n,), whether it shows one person.
A pair is accepted, taken for one person, when d <= tau; so pairs with equal distances are accepted together or not at all.

    roc               (tau, far, tar) at every threshold that makes a difference
    auc               how often two pictures of one person are nearer than two of different people; ties count half
    eer               the rate at which as many strangers are accepted as friends are refused
    far_frr           both mistakes at a given tau
    validation_rate   how many of the same pairs are accepted when at most one stranger in 1000 may be
    best_tau          the threshold with the fewest mistakes, or the cheapest ones
    ten_fold          accuracy with tau chosen on nine tenths and judged on the last, as LFW has it
    wilson            between which bounds an accuracy lies that was measured on n pairs
    false_alarm       1 - p^K: what a mistake in a hundred becomes when K people are asked about

    far = accepted different pairs / different pairs        false accept rate
    tar = accepted same pairs / same pairs                  true accept rate; frr = 1 - tar, the false reject rate

Source: course 4, week 4: one-shot learning (tau); Huang et al. 2007, "Labeled Faces in the Wild", sec. III (the protocol).
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.shapes import expect_floats


class Roc(NamedTuple):
    """The curve from "nobody is accepted" (tau = -inf, far = tar = 0) to "everybody" (far = tar = 1), tau ascending."""
    tau: np.ndarray                                   # (k + 1,) for k different distances
    far: np.ndarray
    tar: np.ndarray


class Validation(NamedTuple):
    """The largest true accept rate within a false accept rate: what it is, what far really is there, at which tau."""
    tar: float
    far: float
    tau: float


class TenFold(NamedTuple):
    """Mean accuracy over the folds, its standard error, and of each fold the accuracy and the tau of the other nine."""
    accuracy: float
    standard_error: float
    accuracies: np.ndarray                            # (folds,)
    tau: np.ndarray                                   # (folds,)


# ---- one threshold, or all of them -----------------------------------------------------------------------------------------

def far_frr(d, same, tau):
    """The two mistakes at a threshold: different pairs with d <= tau, same pairs with d > tau, each as a share of its kind.

    tau  a number or an array (t,)        -> far, frr, the shape of tau.        Compared in float64, whatever d is.
    Raises ShapeError, NumericsError: see the end of this file.
    """
    d, same = _expect_both_kinds(d, same)
    return _accepted(d[~same], tau), 1 - _accepted(d[same], tau)


def accuracy(d, same, tau):
    """The share of pairs that d <= tau judges rightly. Both kinds of pairs need not be there, one pair must."""
    d, same = _expect_pairs(d, same)
    return float(np.mean((d <= tau) == same))


def roc(d, same):
    """far and tar at every threshold that makes a difference -> Roc.   Equal distances are one threshold."""
    d, same = _expect_both_kinds(d, same)
    tau, false, true = _counts(d, same)
    return Roc(tau, false / false[-1], true / true[-1])


def auc(d, same):
    """The area under tar over far = P(d_same < d_different) + P(d_same = d_different) / 2, over all pairs of one and one.

    1: every pair of one person is nearer than every other pair; 0.5: the distance knows nothing.
    """
    _, far, tar = roc(d, same)
    return float(np.sum(np.diff(far) * (tar[1:] + tar[:-1]) / 2))


def eer(d, same):
    """The equal error rate: far = frr, on the straight lines between the points of the curve where no tau meets it exactly."""
    _, far, tar = roc(d, same)
    over = far - (1 - tar)                            # rises from -1 to 1
    k = int(np.argmax(over >= 0))
    part = -over[k - 1] / (over[k] - over[k - 1])
    return float(far[k - 1] + part * (far[k] - far[k - 1]))


def validation_rate(d, same, far=1e-3):
    """VAL: the most same pairs that can be accepted while at most `far` of the different ones are -> Validation(tar, far, tau).

    tau is the largest of the distances that keeps to it, -inf when even the smallest does not. Fewer than 1 / far different pairs
    cannot show such a rate: then no false accept is allowed at all.   Source: Schroff et al. 2015 (FaceNet), sec. 4.
    """
    if np.ndim(far) or not 0 <= far <= 1:
        raise ShapeError(f"far = {far!r}; expected one rate from 0 to 1, such as 1e-3.")
    curve = roc(d, same)
    k = int(np.searchsorted(curve.far, far, side="right")) - 1
    return Validation(float(curve.tar[k]), float(curve.far[k]), float(curve.tau[k]))


def best_tau(d, same, false_accept=1.0, false_reject=1.0):
    """The tau that makes the mistakes on these pairs cheapest: false_accept for each stranger let in, false_reject for each friend
    kept out. With equal costs it is the tau of the highest accuracy.

    It lies midway between the last distance that is accepted and the next; it is the largest distance when all are accepted, and
    -inf when nobody is. Of several that cost the same it is the smallest, which lets fewer strangers in.
    """
    d, same = _expect_both_kinds(d, same)
    if not all(np.ndim(cost) == 0 and 0 <= cost < np.inf for cost in (false_accept, false_reject)) or false_accept == false_reject == 0:
        raise ShapeError(f"false_accept = {false_accept!r}, false_reject = {false_reject!r}; expected costs from 0 up, not both 0.")
    return _cheapest(d, same, false_accept, false_reject)


# ---- how good, and how sure ------------------------------------------------------------------------------------------------

def ten_fold(d, same, folds=10):
    """Accuracy as LFW defines it: tau chosen on nine folds, where it makes the fewest mistakes, judged on the tenth -> TenFold

    Fold k is the k-th tenth of the same pairs and the k-th tenth of the different ones, in the order of the file. In LFW's list of
    ten sets with 300 and 300 pairs those are the ten sets, which are contiguous there. Its standard error is s / sqrt(10) with
    s^2 = sum_k (p_k - mean)^2 / 9.
    Raises ShapeError also when a kind has fewer pairs than there are folds.
    """
    d, same = _expect_both_kinds(d, same)
    least = min(int(same.sum()), int((~same).sum()))
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= least:
        raise ShapeError(f"folds = {folds!r}; expected a whole number from 2 to {least}, as many as there are pairs of the rarer kind.")
    fold = np.empty(len(d), int)
    for kind in (same, ~same):
        fold[kind] = np.arange(kind.sum()) * folds // kind.sum()
    tau = np.array([_cheapest(d[fold != k], same[fold != k]) for k in range(folds)])
    p = np.array([np.mean((d[fold == k] <= tau[k]) == same[fold == k]) for k in range(folds)])
    return TenFold(float(p.mean()), float(p.std(ddof=1) / np.sqrt(folds)), p, tau)


def wilson(right, n, confidence=0.95):
    """Between which bounds does the true rate lie, when `right` of n were right?  -> (low, high), Wilson's score interval

        (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),        p = right / n, z = 1.96 for 95 %

    All of twelve right: 0.757 to 1. It is honest where p -+ z sqrt(p (1 - p) / n) says "exactly 1". It takes the pairs as
    independent; many pairs of few people are not, and are worth less.   Source: Wilson 1927.
    """
    if n != int(n) or n < 1 or not 0 <= right <= n:
        raise ShapeError(f"right = {right!r} of n = {n!r}; expected a whole number n from 1 up, and right from 0 to n.")
    if not 0 < confidence < 1:
        raise ShapeError(f"confidence = {confidence!r}; expected a number between 0 and 1, such as 0.95.")
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), right / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return (float(low) if right > 0 else 0.0), (float(high) if right < n else 1.0)       # the ends exactly, without round-off


def false_alarm(p, K):
    """1 - p^K: how often a stranger is taken for somebody, when each of K comparisons is right with probability p.

    99 % right and 100 people: 0.634. That is why recognition (1 : K) is harder than verification (1 : 1). It takes the K answers as
    independent.   Lecture: face verification and face recognition.
    """
    if not 0 <= p <= 1:
        raise ShapeError(f"p = {p!r}; expected a probability from 0 to 1.")
    if K != int(K) or K < 0:
        raise ShapeError(f"K = {K!r}; expected a number of people, a whole number from 0 up.")
    return float(1 - p ** K)


# ---- counting --------------------------------------------------------------------------------------------------------------

def _counts(d, same):
    """At tau = -inf and at every different distance, how many different and how many same pairs are accepted -> three (k + 1,)."""
    tau, place = np.unique(d, return_inverse=True)
    false, true = (np.bincount(place[kind], minlength=len(tau)).cumsum() for kind in (~same, same))
    return np.concatenate([[-np.inf], tau]), np.concatenate([[0], false]), np.concatenate([[0], true])


def _cheapest(d, same, false_accept=1, false_reject=1):
    tau, false, true = _counts(d, same)
    k = int(np.argmin(false_accept * false + false_reject * (true[-1] - true)))
    if k == 0 or k == len(tau) - 1:
        return float(tau[k])
    middle = tau[k] / 2 + tau[k + 1] / 2
    return float(middle if tau[k] <= middle < tau[k + 1] else tau[k])                    # neighbouring floats have no middle


def _accepted(d, tau):
    return np.searchsorted(np.sort(d), np.asarray(tau, np.float64), side="right") / len(d)


# ---- what may come in ------------------------------------------------------------------------------------------------------

def _expect_pairs(d, same):
    """d as float64 (n,) and same as booleans (n,). Raises ShapeError for no pairs, for shapes that differ (a column beside a row
    would broadcast) and labels that are not 0 and 1; NumericsError for nan and inf, with their place."""
    d, same = expect_floats(d, "d").astype(np.float64), np.asarray(same)
    if d.ndim != 1 or same.shape != d.shape:
        raise ShapeError(f"d has shape {d.shape} and same {same.shape}; expected (n,) for both, an entry for each pair. "
                         "Use .ravel() on a column.")
    if not len(d):
        raise ShapeError("no pairs: d and same are empty; a threshold needs pairs of one person and pairs of two.")
    if not np.isfinite(d).all():
        bad = np.flatnonzero(~np.isfinite(d))
        raise NumericsError(f"d has {len(bad)} nan or inf, first at [{bad[0]}]; expected finite distances.")
    if not np.isin(same, (0, 1)).all():
        raise ShapeError(f"same holds {np.unique(same[~np.isin(same, (0, 1))])[:5].tolist()}; expected booleans, or 1 for the same "
                         "person and 0 for two.")
    return d, same.astype(bool)


def _expect_both_kinds(d, same):
    """The same, and ShapeError when all pairs are of one kind: one of the two mistakes could then not be made."""
    d, same = _expect_pairs(d, same)
    if same.all() or not same.any():
        there, missing = ("the same person", "different people") if same[0] else ("different people", "the same person")
        raise ShapeError(f"all {len(d)} pairs are of {there}; expected both kinds. Add pairs of {missing}.")
    return d, same
