"""Which triplets teach?  Most satisfy d(A, P) + margin <= d(A, N) already; a rule finds those that do not.

    kind        where the negative lies (d = squared distance to the anchor)
    hard        d_AN <= d_AP                        nearer than the positive
    semi-hard   d_AP < d_AN < d_AP + margin         beyond the positive, inside the margin
    easy        d_AP + margin <= d_AN               nothing left to learn: the loss is 0

    rule                 for each anchor
    "all"                every positive with every negative (with the mean over active triplets: batch-all)
    "random"             every positive with any negative
    "violator"           every positive with any hard or semi-hard negative
    "semi-hard"          every positive with any semi-hard negative
    "hardest"            every positive with the nearest negative
    "batch-hard"         the farthest positive with the nearest negative
    "distance-weighted"  every positive with a negative drawn so that all distances come up alike

"any" is one, drawn at random; where there is none, that positive goes without.
A rule sees one anchor: d_AP (k,) of its positives, d_AN (l,) of its negatives; and returns which go together. So memory stays
at k l numbers however large the batch, and a rule is a line or two.   Source: course 4, week 4: triplet loss.
"""

from collections import namedtuple

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.similarity import all_pairs, expect_encodings, squared_euclidean

KINDS = ("easy", "semi-hard", "hard")


class Mined(namedtuple("Mined", "anchor positive negative")):
    """Three arrays (t,) of indices, which unpack as A, P, N; and what kinds they are of, as {"easy": 3, "semi-hard": 1, "hard": 0}.

    chosen  the kinds of these triplets        there  the kinds of all triplets of the batch
    """


def mine_triplets(f, labels, margin, rule, rng):
    """Which pictures of a batch shall be anchor, positive and negative?

    f       encodings of the batch             (m, n_f); of length 1 for "distance-weighted"
    labels  who is in each picture             (m,)
    margin  that of the loss, on squared distances
    rule    a name of RULES, see above         rng  a generator or a seed
    Returns a Mined, A, P, N = mine_triplets(...), in order of anchors: labels[A] == labels[P] != labels[N], A != P. It is empty,
    and no error, where nobody has two pictures or all are of one person, or where the rule finds none: triplet_loss is then 0.
    Raises ShapeError for shapes, a margin or a rule that do not fit, NumericsError for nan.
    """
    f, labels = _expect_batch(f, labels)
    if rule not in RULES:
        raise ShapeError(f"rule = {rule!r}; expected one of {', '.join(map(repr, RULES))}.")
    if np.ndim(margin) or not 0 <= margin < np.inf:
        raise ShapeError(f"margin = {margin!r}; expected one number from 0 up, for squared distances.")
    if rule == "distance-weighted":
        _expect_unit_length(f)
    rng, found, chosen, there = np.random.default_rng(rng), [], np.zeros(3, int), np.zeros(3, int)
    d = all_pairs(squared_euclidean, f)
    for A in range(len(f)):
        same = labels == labels[A]
        N, same[A] = np.flatnonzero(~same), False
        P = np.flatnonzero(same)
        if len(P) and len(N):
            d_AP, d_AN = d[A, P], d[A, N]
            p, n = RULES[rule](d_AP, d_AN, float(margin), f.shape[1], rng)
            found.append((np.full(len(p), A), P[p], N[n]))
            kinds = kinds_of(d_AP[:, None], d_AN, float(margin))
            there  += np.bincount(kinds.ravel(), minlength=3)
            chosen += np.bincount(kinds[p, n], minlength=3)
    mined = Mined(*np.concatenate(found, axis=1)) if found else Mined(*np.empty((3, 0), int))
    mined.chosen, mined.there = (dict(zip(KINDS, counts.tolist())) for counts in (chosen, there))
    return mined


def kinds_of(d_AP, d_AN, margin):
    """0, 1 or 2 for easy, semi-hard or hard (KINDS), of distances that broadcast. What is easy costs triplet_loss nothing."""
    active = d_AP - d_AN + margin > 0                       # as the loss computes it, so that both agree to the bit
    return np.where(active, np.where(d_AN > d_AP, 1, 2), 0)


# ---- the rules: d_AP (k,), d_AN (l,), margin, n_f, rng -> which positives (t,), which negatives (t,) -----------------------------

def every(d_AP, d_AN, margin, n_f, rng):
    """Every positive with every negative: k l triplets.   Hermans et al. 2017, sec. 2 ("batch all")."""
    p, n = np.indices((len(d_AP), len(d_AN)))
    return p.ravel(), n.ravel()


def random(d_AP, d_AN, margin, n_f, rng):
    """Every positive with any negative: what teaches little, for most are easy.   Lecture: triplet loss."""
    return np.arange(len(d_AP)), rng.integers(len(d_AN), size=len(d_AP))


def violator(d_AP, d_AN, margin, n_f, rng):
    """Every positive with any negative that violates the constraint, d_AN < d_AP + margin, hard ones too.

    The rule of the programs facenet (D. Sandberg; there called VGG Face selection) and OpenFace, which take each pair once, we both ways.
    """
    return _any(kinds_of(d_AP[:, None], d_AN, margin) > 0, rng)


def semi_hard(d_AP, d_AN, margin, n_f, rng):
    """Every positive with any negative beyond it but inside the margin, d_AP < d_AN < d_AP + margin.

    Schroff et al. 2015 (FaceNet), sec. 3.2: the hardest negatives early in training can lead to a collapsed model, f = 0.
    """
    return _any(kinds_of(d_AP[:, None], d_AN, margin) == 1, rng)


def hardest(d_AP, d_AN, margin, n_f, rng):
    """Every positive with the nearest negative, the first of equals.   Schroff et al. 2015 (FaceNet), sec. 3.2, argmin."""
    return np.arange(len(d_AP)), np.full(len(d_AP), np.argmin(d_AN))


def batch_hard(d_AP, d_AN, margin, n_f, rng):
    """The farthest positive with the nearest negative, the first of equals: one triplet per anchor.   Hermans et al. 2017, eq. 5."""
    return np.array([np.argmax(d_AP)]), np.array([np.argmin(d_AN)])


def distance_weighted(d_AP, d_AN, margin, n_f, rng):
    """Every positive with a negative drawn with probability ~ 1 / q(d), the weights of `even_distances`.   Wu et al. 2017, sec. 4."""
    return np.arange(len(d_AP)), rng.choice(len(d_AN), size=len(d_AP), p=even_distances(d_AN, n_f))


RULES = {"all": every, "random": random, "violator": violator, "semi-hard": semi_hard, "hardest": hardest, "batch-hard": batch_hard,
         "distance-weighted": distance_weighted}

NEAREST, FARTHEST = 0.5, 1.4                             # plain distances, as programs after the paper have them


def even_distances(d_AN, n_f):
    """Probabilities (l,) of negatives at squared distances d_AN (l,), on the unit sphere of n_f dimensions.

    Two random points of it are at the plain distance d with density q(d) ~ d^(n_f - 2) (1 - d^2 / 4)^((n_f - 3) / 2): in many
    dimensions nearly all at sqrt 2. Weights 1 / q(d) even that out. As programs after the paper do, d below 0.5 counts as 0.5, so that
    noise is not preferred, and beyond 1.4 none is taken, for it teaches nothing; where all are beyond, all are alike.
    """
    square = np.maximum(d_AN.astype(np.float64), NEAREST ** 2)
    near = d_AN < FARTHEST ** 2
    if not near.any():
        return np.full(len(d_AN), 1 / len(d_AN))
    log_q = (n_f - 2) / 2 * np.log(square) + (n_f - 3) / 2 * np.log(np.maximum(1 - square / 4, 1e-8))
    weights = np.where(near, np.exp(np.where(near, log_q[near].min() - log_q, 0)), 0)     # the largest is 1: no overflow
    return weights / weights.sum()


def _any(allowed, rng):
    """For each row one of the columns that are allowed, at random; rows without any are left out.   (k, l) -> (t,), (t,)"""
    draw = np.where(allowed, rng.random(allowed.shape), -1)
    p = np.flatnonzero(allowed.any(axis=1))
    return p, draw.argmax(axis=1)[p]


# ---- batches that hold triplets ------------------------------------------------------------------------------------------

def people_batches(labels, P, K, rng):
    """Batches of P people with K pictures each: a generator of index arrays, each person at most once an epoch.

    labels  who is in each picture (m,); whoever has one picture only is left out, whoever has fewer than K gives all
    A batch drawn blindly from many people would hold no two pictures of one, and so no triplet. The last people, fewer than P, wait
    for the next epoch's order.   Source: Hermans et al. 2017, sec. 2, with P = 18, K = 4.
    Raises ShapeError, at the first batch, where fewer than P people have two pictures.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(rng)
    if labels.ndim != 1 or P < 2 or K < 2:
        raise ShapeError(f"labels have shape {labels.shape}, P = {P}, K = {K}; expected (m,), and two or more of either: a triplet "
                         "needs two people, and two pictures of one of them.")
    people, counts = np.unique(labels, return_counts=True)
    people = people[counts >= 2]
    if len(people) < P:
        raise ShapeError(f"{len(people)} people have two pictures or more; expected at least P = {P}. Choose a smaller P.")
    people = rng.permutation(people)
    for start in range(0, len(people) - P + 1, P):
        yield np.concatenate([rng.permutation(np.flatnonzero(labels == who))[:K] for who in people[start:start + P]])


# ---- what may come in ------------------------------------------------------------------------------------------------------

def _expect_batch(f, labels):
    f, labels = expect_encodings(f, "f", ndim=(2,)), np.asarray(labels)
    if labels.shape != f.shape[:1]:
        raise ShapeError(f"f has shape {f.shape} and labels {labels.shape}; expected (m, n_f) and (m,), a label for each encoding.")
    return f, labels


def _expect_unit_length(f):
    length = np.linalg.norm(f, axis=1)
    off = np.flatnonzero(np.abs(length - 1) > 1e-3)
    if len(off):
        raise ShapeError(f'{len(off)} of {len(f)} encodings are not of length 1, the first f[{off[0]}] of length {length[off[0]]:.3g}; '
                         '"distance-weighted" knows the distances on the unit sphere only. End the network in L2Normalise.')
