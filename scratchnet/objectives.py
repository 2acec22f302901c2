"""What a network of faces can be trained for: people as classes, pairs, or triplets; each knows which pictures it wants and what they cost.

    Classifier   which of the training people is it?        softmax over them, through a dense layer that is thrown away afterwards
    Siamese      are these two one person?                  contrastive loss, or the logistic head of the lecture
    Triplet      is A nearer to P than to N, by a margin?   triplet loss, of triplets that a rule of mining.py picks from the batch

An objective is four methods, and holds settings only: what it learns itself (a head) travels with the network's parameters.

    params(n_f, people, rng)        -> {"W": ...}                        the head, before training; {} without one
    batches(labels, rng)            -> index arrays (m,)                 the batches of one epoch
    cost(f, labels, head, rng)      -> (J, df, d_head, scores)           of one batch of encodings (m, n_f)
    said(scores, before)            -> sentences                         what is wrong with an epoch of these scores: collapse, starvation
                                                                         (before: the scores of the epoch before, or None)

A score that is a whole number counts something and is added up over an epoch, any other is averaged over its batches.
Source: course 4, week 4: one-shot learning, Siamese network, face verification and binary classification, triplet loss.
"""

from dataclasses import dataclass

import numpy as np

from scratchnet.activations import softmax_cross_entropy
from scratchnet.errors import ShapeError
from scratchnet.face_losses import (DISTANCE, FORM, OVER, contrastive_loss, contrastive_terms, pair_loss, pair_terms, triplet_loss,
                                    triplet_terms)
from scratchnet.layers import UNFILLED, Dense
from scratchnet.mining import RULES, mine_triplets, people_batches
from scratchnet.similarity import all_pairs, squared_euclidean

NEAR = 0.01                            # encodings whose distances are below this share of the margin have collapsed


@dataclass(frozen=True)
class Classifier:
    """Softmax over the people of the training set, to compare with: what the network learns before its head is used as the encoding.

    m  pictures in a batch; an epoch is every picture once
    """

    m: int = 32

    def __post_init__(self):
        _expect_whole("Classifier", 1, m=self.m)

    def params(self, n_f, people, rng):
        return Dense(n_f, people, rng).params

    def batches(self, labels, rng):
        if len(np.unique(labels)) < 2:
            raise ShapeError("all pictures are of one person; a classifier needs two people or more.")
        order = rng.permutation(len(labels))
        return np.array_split(order, -(-len(order) // self.m))

    def cost(self, f, labels, head, rng):
        dense = Dense(*head["W"].shape, UNFILLED)
        dense.params = head
        z, cache = dense.forward(f)
        J, dz = softmax_cross_entropy(z, labels)
        df, d_head = dense.backward(dz, cache)
        return J, df, d_head, {"accuracy": float(np.mean(z.argmax(axis=1) == labels)), "spread": distances(f, labels)["spread"]}

    def said(self, scores, before=None):
        return _collapse(scores, before, 1e-3, "every picture gets the same scores and J stays above ln(people)", "")


@dataclass(frozen=True)
class Siamese:
    """Pairs, half of one person and half of two: contrastive loss, or cross-entropy of yhat = sigmoid(sum_k w_k |f_k - f'_k| + b).

    loss    "contrastive", "absolute" or "chi2"; the last two are the logistic head, which learns w and b
    margin  of the contrastive loss; its half is the threshold of the score "accuracy"
    pairs   in a batch, an even number; an epoch has as many pairs as there are pictures
    The batch is the first pictures of all pairs, then the second. The lecture draws two networks with the same parameters; here both
    halves go through the one network in one call, and its gradients are the sums over both. That is the same as two calls wherever no
    layer mixes the pictures of a batch. BatchNorm does: in one call both halves share one mean, which cannot tell one half from the other.
    """

    loss: str = "contrastive"
    margin: float = 1.0
    pairs: int = 32

    def __post_init__(self):
        _expect_one_of("loss", self.loss, ("contrastive", "absolute", "chi2"))
        _expect_margin(self.margin)
        _expect_whole("Siamese", 2, pairs=self.pairs)
        if self.pairs % 2:
            raise ShapeError(f"pairs = {self.pairs}; expected an even number: half of one person, half of two.")

    def params(self, n_f, people, rng):
        if self.loss == "contrastive":
            return {}
        return {"w": np.full(n_f, -1, np.float32), "b": np.ones((), np.float32)}     # alike means near, to begin with

    def batches(self, labels, rng):
        people, counts = np.unique(labels, return_counts=True)
        able = people[counts >= 2]
        if len(people) < 2 or not len(able):
            raise ShapeError(f"{len(people)} people, {len(able)} of them with two pictures or more; pairs need two people, and two "
                             "pictures of one of them.")
        where = {who: np.flatnonzero(labels == who) for who in people}
        for _ in range(-(-len(labels) // self.pairs)):
            same = [rng.permutation(where[who])[:2] for who in rng.choice(able, self.pairs // 2)]
            different = [[rng.choice(where[who]) for who in rng.permutation(people)[:2]] for _ in range(self.pairs // 2)]
            yield np.concatenate([same, different]).T.ravel()

    def cost(self, f, labels, head, rng):
        f_1, f_2 = np.split(f, 2)
        same = np.equal(*np.split(labels, 2))
        if self.loss == "contrastive":
            J, df = contrastive_loss(f_1, f_2, same=same, margin=self.margin)
            d, _, active = contrastive_terms(f_1, f_2, same=same, margin=self.margin)
            seen = {"active": int(active.sum()), "pairs": len(same), "accuracy": float(np.mean((d <= self.margin / 2) == same))}
            return J, np.concatenate(df), {}, {**seen, **distances(f, labels)}
        J, (df_1, df_2, dw, db) = pair_loss(f_1, f_2, head["w"], head["b"], same=same, difference=self.loss)
        y_hat, _ = pair_terms(f_1, f_2, head["w"], head["b"], same=same, difference=self.loss)
        seen = {"pairs": len(same), "accuracy": float(np.mean((y_hat > 0.5) == same))}
        return J, np.concatenate([df_1, df_2]), {"w": dw, "b": np.asarray(db)}, {**seen, **distances(f, labels)}

    def said(self, scores, before=None):
        if self.loss == "contrastive":
            return _collapse(scores, before, max(NEAR * self.margin, 1e-6),
                             f"every pair of two people costs margin^2 / 2 = {self.margin ** 2 / 2:g}",
                             f", a margin that the encodings can reach (now {self.margin:g})")
        return _collapse(scores, before, 1e-3, "yhat is sigmoid(b) for every pair and J stays above ln 2 = 0.693", "")


@dataclass(frozen=True)
class Triplet:
    """Batches of P people with K pictures, encoded once; a rule picks triplets (A, P, N) of indices, and the loss is theirs.

    margin, distance, form, over   those of face_losses.triplet_loss;  rule   one of mining.RULES
    A picture is in many triplets, as anchor, positive or negative: its gradients add up in df, and one backward serves them all.
    An epoch has each person once, with K pictures. Rules and the counts of kinds measure the margin on squared distances.
    """

    margin: float = 0.2
    rule: str = "semi-hard"
    P: int = 8
    K: int = 4
    distance: str = "squared"
    form: str = "hinge"
    over: str = "mean"

    def __post_init__(self):
        _expect_margin(self.margin)
        for name, table in (("rule", RULES), ("distance", DISTANCE), ("form", FORM), ("over", OVER)):
            _expect_one_of(name, getattr(self, name), table)
        _expect_whole("Triplet", 2, P=self.P, K=self.K)
        if self.distance == "plain" and self.rule in ("semi-hard", "violator"):
            raise ShapeError(f'rule = {self.rule!r} measures its margin on squared distances, and distance = "plain" does not. Take '
                             'distance = "squared", or a rule without a margin, such as "batch-hard".')

    def params(self, n_f, people, rng):
        return {}

    def batches(self, labels, rng):
        return people_batches(labels, self.P, self.K, rng)

    def cost(self, f, labels, head, rng):
        mined = mine_triplets(f, labels, self.margin, self.rule, rng)
        J, df = triplet_loss(*(f[index] for index in mined), self.margin, self.distance, self.form, self.over)
        terms = triplet_terms(*(f[index] for index in mined), self.margin, self.distance, self.form)
        scores = {"active": int(terms.active.sum()), "triplets": len(terms.active),
                  **{f"chosen {kind}": n for kind, n in mined.chosen.items()}, **{f"there {kind}": n for kind, n in mined.there.items()}}
        return J, scatter(df, mined, f), {}, {**scores, **distances(f, labels)}

    def said(self, scores, before=None):
        stands, scale = ("ln 2 = 0.693", 1) if self.form == "soft" else (f"the margin, {self.margin:g}", self.margin)
        near = NEAR * scale if self.distance == "plain" else (NEAR * scale) ** 0.5
        advice = "" if self.rule == "semi-hard" else f', rule "semi-hard" (now {self.rule!r}, which may begin with the hardest)'
        return _collapse(scores, before, max(near, 1e-6), f"every triplet costs {stands}", advice) + self._starvation(scores)

    def _starvation(self, scores):
        """No active triplet in a whole epoch: what was there, and what would have found some."""
        if scores["active"]:
            return []
        there = {kind: int(scores[f"there {kind}"]) for kind in ("easy", "semi-hard", "hard")}
        if self.margin == 0:
            way = "a margin of 0 is satisfied by f = 0 for everybody, which is what a margin is there to forbid: take 0.2"
        elif there["semi-hard"] + there["hard"]:
            way = ('choose harder ones: rule "batch-hard" or "violator" takes the hard ones too' if self.rule == "semi-hard" else
                   'choose harder ones: rule "semi-hard" looks for those inside the margin')
        else:
            way = "these people are learnt: more people, stronger augmentation or a larger margin would go on teaching"
        return [f"starvation: none of the {int(scores['triplets'])} triplets chosen in this epoch was active, so J and its gradient are 0. "
                f"There were {there['easy']} easy, {there['semi-hard']} semi-hard and {there['hard']} hard ones in its batches; {way}."]


OBJECTIVES = {"classifier": Classifier, "siamese": Siamese, "triplet": Triplet}


# ---- what they share -------------------------------------------------------------------------------------------------------

def scatter(df, index, f):
    """Gradients of triplets back to the pictures of the batch: picture i gets the sum over all places where it stands.

    df     (df_A, df_P, df_N), each (t, n_f)          index  three arrays (t,) of pictures
    -> (m, n_f), the shape of f. np.add.at, because df[index] += would add only once to a picture that is named twice.
    """
    total = np.zeros_like(f)
    for i, part in zip(index, df):
        np.add.at(total, i, part)
    return total


def distances(f, labels):
    """How encodings lie: {"d_same", "d_different": mean squared distances of pairs, "spread": root mean square over all pairs}.

    What a batch has no pair of is left out. A spread near 0 is a collapse, whatever the loss says.
    """
    d = all_pairs(squared_euclidean, f.astype(np.float64))
    pair = np.triu_indices(len(f), 1)
    d, same = d[pair], np.equal(*(np.asarray(labels)[side] for side in pair))
    found = {"d_same": d[same], "d_different": d[~same]}
    return {**{name: float(of.mean()) for name, of in found.items() if len(of)}, "spread": float(np.sqrt(d.mean())) if len(d) else 0.0}


def _collapse(scores, before, near, so, advice):
    """The sentence about a collapse, in a list; an empty list where encodings differ, or begin to: a fresh network's are close, too."""
    spread = scores["spread"]
    parting = before is None or spread > 1.5 * before["spread"]
    if spread >= near or parting and spread > 1e-6:
        return []
    return [f"collapse: all encodings are nearly equal (their distance is {spread:.2g} in the mean), so {so}, and hardly a gradient tells "
            f"them apart. Where it stays so, begin again with a lower learning rate, L2Normalise at the end of the network{advice}."]


def _expect_margin(margin):
    if np.ndim(margin) or not 0 <= margin < np.inf:
        raise ShapeError(f"margin = {margin!r}; expected one number from 0 up.")


def _expect_one_of(name, given, table):
    if given not in table:
        raise ShapeError(f"{name} = {given!r}; expected one of {', '.join(map(repr, table))}.")


def _expect_whole(who, least, **numbers):
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or number < least:
            raise ShapeError(f"{who}: {name} = {number!r}; expected a whole number from {least} up.")
