"""Choosing triplets: each rule against a loop from its definition, counts of kinds, draws, batches of P x K, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.face_losses import triplet_loss, triplet_terms
from scratchnet.mining import KINDS, RULES, Mined, even_distances, mine_triplets, people_batches

EVERY_RULE = pytest.mark.parametrize("rule", list(RULES))
BATCHES = st.tuples(st.integers(0, 10 ** 6), st.integers(0, 9), st.integers(1, 4), st.integers(2, 5), st.sampled_from([0.0, 0.2, 1.0]))


def batch(seed, m, people, n_f):
    """Unit encodings of a few people, some of them with one picture or none."""
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((m, n_f))
    return f / np.linalg.norm(f, axis=1, keepdims=True), rng.integers(people, size=m)


# ---- the definitions, as loops -------------------------------------------------------------------------------------------

def kind(d_AP, d_AN, margin):
    if d_AP - d_AN + margin <= 0:
        return "easy"
    return "semi-hard" if d_AN > d_AP else "hard"


def candidates(f, labels, margin, rule):
    """{(A, P): the negatives that the rule may choose}, in order; for "batch-hard" with its one P."""
    d = {(i, j): np.sum((f[i] - f[j]) ** 2) for i in range(len(f)) for j in range(len(f))}
    found = {}
    for A in range(len(f)):
        positives = [i for i in range(len(f)) if labels[i] == labels[A] and i != A]
        negatives = [i for i in range(len(f)) if labels[i] != labels[A]]
        if not positives or not negatives:
            continue
        if rule == "batch-hard":
            positives = [max(positives, key=lambda i: d[A, i])]
        for P in positives:
            kinds = {N: kind(d[A, P], d[A, N], margin) for N in negatives}
            found[A, P] = {
                "all": negatives, "random": negatives,
                "violator": [N for N in negatives if kinds[N] != "easy"],
                "semi-hard": [N for N in negatives if kinds[N] == "semi-hard"],
                "hardest": [min(negatives, key=lambda i: d[A, i])],
                "batch-hard": [min(negatives, key=lambda i: d[A, i])],
                "distance-weighted": [N for N in negatives if d[A, N] < 1.4 ** 2] or negatives,
            }[rule]
    return {pair: some for pair, some in found.items() if some}


@pytest.mark.parametrize("rule", ["all", "hardest", "batch-hard"])
@settings(max_examples=40)
@given(BATCHES)
def test_rules_without_chance_are_the_loop(rule, size):
    seed, m, people, n_f, margin = size
    f, labels = batch(seed, m, people, n_f)
    expected = [(A, P, N) for (A, P), negatives in candidates(f, labels, margin, rule).items() for N in negatives]
    assert list(zip(*mine_triplets(f, labels, margin, rule, 0))) == expected


@pytest.mark.parametrize("rule", ["random", "violator", "semi-hard", "distance-weighted"])
@settings(max_examples=40)
@given(BATCHES)
def test_rules_with_chance_choose_one_of_those_that_the_loop_allows(rule, size):
    seed, m, people, n_f, margin = size
    f, labels = batch(seed, m, people, n_f)
    allowed = candidates(f, labels, margin, rule)
    A, P, N = mine_triplets(f, labels, margin, rule, seed)
    assert list(zip(A, P)) == list(allowed)                     # each pair of anchor and positive once, and none forgotten
    assert all(n in allowed[a, p] for a, p, n in zip(A, P, N))


@pytest.mark.parametrize("rule", ["random", "violator", "semi-hard"])
def test_any_means_all_of_them_equally_often(rule):
    f, labels = batch(3, 16, 2, 3)
    allowed, rng, times = candidates(f, labels, 0.5, rule), np.random.default_rng(0), 400
    (pair, negatives) = max(allowed.items(), key=lambda item: len(item[1]))
    row = list(allowed).index(pair)
    drawn = [mine_triplets(f, labels, 0.5, rule, rng).negative[row] for _ in range(times)]
    share = times / len(negatives)
    counts = np.array([drawn.count(N) for N in negatives])
    assert len(negatives) >= 3 and counts.sum() == times
    assert np.sum((counts - share) ** 2 / share) < 4 * len(negatives)           # chi^2 of len - 1 degrees: far beyond its tail


@EVERY_RULE
@settings(max_examples=40)
@given(BATCHES)
def test_kinds_are_counted_and_agree_with_the_loss(rule, size):
    seed, m, people, n_f, margin = size
    f, labels = batch(seed, m, people, n_f)
    mined = mine_triplets(f, labels, margin, rule, 1)
    A, P, N = mined
    assert np.all(labels[A] == labels[P]) and np.all(labels[A] != labels[N]) and np.all(A != P)
    terms = triplet_terms(f[A], f[P], f[N], margin)
    kinds = [kind(*d, margin) for d in zip(terms.d_AP, terms.d_AN)]
    assert mined.chosen == {name: kinds.count(name) for name in KINDS}
    assert mined.chosen["easy"] == np.sum(~terms.active)
    assert mined.there == mine_triplets(f, labels, margin, "all", 1).chosen
    if rule == "semi-hard":
        assert mined.chosen["easy"] == mined.chosen["hard"] == 0
    if rule == "violator":
        assert terms.active.all()


def test_kinds_agree_with_the_loss_in_float32_at_the_very_edge():
    """The margin is that of a triplet of the batch, so that some lie on it but for the last bit."""
    f, labels = batch(5, 30, 4, 64)
    f = f.astype(np.float32)
    d = np.sum((f[0] - f) ** 2, axis=1)
    margin = float(d[labels != labels[0]][0] - d[labels == labels[0]][1])
    mined = mine_triplets(f, labels, abs(margin), "all", 0)
    A, P, N = mined
    assert mined.chosen["easy"] == np.sum(~triplet_terms(f[A], f[P], f[N], abs(margin)).active)


def test_by_hand():
    """On a line: A = 0, P = 1, negatives at 0.5 (hard), 1.2 (semi-hard: 1 < 1.44 < 2) and 3 (easy). Anchors are 0 and 1."""
    f, labels = np.array([[0], [1], [0.5], [1.2], [3.0]]), np.array([0, 0, 1, 2, 3])
    assert [m.tolist() for m in mine_triplets(f, labels, 1, "all", 0)] == [[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [2, 3, 4, 2, 3, 4]]
    mined = mine_triplets(f, labels, 1, "semi-hard", 0)
    assert [m.tolist() for m in mined] == [[0], [1], [3]]                     # seen from 1, both near ones are hard
    assert mined.there == {"easy": 2, "semi-hard": 1, "hard": 3} and mined.chosen == {"easy": 0, "semi-hard": 1, "hard": 0}
    assert [m.tolist() for m in mine_triplets(f, labels, 1, "hardest", 0)] == [[0, 1], [1, 0], [2, 3]]


def test_batch_all_is_all_with_the_mean_over_active():
    f, labels = batch(0, 12, 3, 3)
    A, P, N = mine_triplets(f, labels, 0.2, "all", 0)
    hinges = [max(np.sum((f[a] - f[p]) ** 2) - np.sum((f[a] - f[n]) ** 2) + 0.2, 0) for a, p, n in zip(A, P, N)]
    J, _ = triplet_loss(f[A], f[P], f[N], 0.2, over="active")
    assert J == pytest.approx(sum(hinges) / sum(h > 0 for h in hinges), rel=1e-12)


# ---- distance-weighted -----------------------------------------------------------------------------------------------------

@given(st.lists(st.floats(0, 4), min_size=1, max_size=8), st.integers(1, 12))
def test_probabilities_are_one_over_q(d_AN, n_f):
    p = even_distances(np.array(d_AN), n_f)
    assert p.sum() == pytest.approx(1) and np.all(p >= 0)
    inside = [max(math.sqrt(d), 0.5) if d < 1.4 ** 2 else None for d in d_AN]
    if all(d is None for d in inside):
        assert np.all(p == 1 / len(d_AN))
    else:
        one_over_q = [0 if d is None else 1 / (d ** (n_f - 2) * (1 - d * d / 4) ** ((n_f - 3) / 2)) for d in inside]
        assert np.allclose(p, np.array(one_over_q) / sum(one_over_q), rtol=1e-9)


@pytest.mark.filterwarnings("error")
def test_probabilities_in_many_dimensions_do_not_overflow():
    p = even_distances(np.array([0, 0.25, 1, 1.9, 2, 4], np.float32), 4096)
    assert np.allclose(p, [0.5, 0.5, 0, 0, 0, 0], atol=1e-12)


def test_distances_of_random_points_come_up_alike():
    """Nearly all negatives in 16 dimensions are near sqrt 2; those drawn are spread over the distances."""
    f = np.random.default_rng(0).standard_normal((4000, 16))
    d = np.sum((f / np.linalg.norm(f, axis=1, keepdims=True) - np.eye(16)[0]) ** 2, axis=1)
    within = lambda low, high: (np.sqrt(d) > low) & (np.sqrt(d) < high)
    p = even_distances(d, 16)
    assert np.mean(within(1.2, 1.4)) > 2.5 * np.mean(within(1.0, 1.2))
    assert p[within(1.2, 1.4)].sum() == pytest.approx(p[within(1.0, 1.2)].sum(), rel=0.25)


def test_distance_weighted_wants_the_unit_sphere():
    with pytest.raises(ShapeError, match=r"1 of 3 encodings are not of length 1, the first f\[2\] of length 2; .* L2Normalise"):
        mine_triplets(np.array([[1., 0], [0, 1], [0, 2]]), [0, 0, 1], 0.2, "distance-weighted", 0)


# ---- nothing to find, seeds, refusals --------------------------------------------------------------------------------------

@EVERY_RULE
@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1, 2]], ids=["empty", "one", "one person", "all different"])
def test_n6_no_valid_triplet_is_an_empty_answer(rule, labels):
    f = np.ones((len(labels), 1))
    mined = mine_triplets(f, np.array(labels, int), 0.2, rule, 0)
    A, P, N = mined
    assert isinstance(mined, Mined) and mined.chosen == mined.there == dict.fromkeys(KINDS, 0)
    assert all(i.shape == (0,) and i.dtype.kind == "i" for i in mined)
    assert triplet_loss(f[A], f[P], f[N])[0] == 0


@pytest.mark.parametrize("rule", ["violator", "semi-hard"])
def test_n8_a_batch_that_is_solved_has_no_triplet_for_the_strict_rules(rule):
    f, labels = np.eye(2)[[0, 0, 1, 1]], np.array(["Ada", "Ada", "Grace", "Grace"])
    mined = mine_triplets(f, labels, 0.2, rule, 0)
    assert mined.anchor.size == 0 and mined.there == {"easy": 8, "semi-hard": 0, "hard": 0}


@EVERY_RULE
def test_the_same_seed_gives_the_same_triplets_and_inputs_are_left_alone(rule):
    f, labels = batch(0, 12, 3, 4)
    f.flags.writeable = labels.flags.writeable = False
    first, again = (mine_triplets(f, labels, 0.2, rule, seed) for seed in (7, np.random.default_rng(7)))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("wrong, error, words", [
    (dict(rule="semihard"), ShapeError, "rule = 'semihard'; expected one of 'all', 'random'"),
    (dict(labels=np.zeros((4, 1))), ShapeError, r"f has shape \(4, 2\) and labels \(4, 1\)"), (dict(labels=[0, 1]), ShapeError, "labels"),
    (dict(margin=-1), ShapeError, "margin = -1"), (dict(margin=np.nan), ShapeError, "margin = nan"),
    (dict(f=np.ones(4)), ShapeError, r"expected \(m, n_f\)"), (dict(f=np.full((4, 2), np.inf)), NumericsError, "f has 8 nan or inf")])
def test_what_does_not_fit_is_refused(wrong, error, words):
    with pytest.raises(error, match=words):
        mine_triplets(**dict(f=np.eye(4)[:, :2], labels=[0, 0, 1, 1], margin=0.2, rule="all", rng=0) | wrong)


# ---- batches of P x K ------------------------------------------------------------------------------------------------------

@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=12, max_size=60), st.integers(2, 4), st.integers(2, 4), st.integers(0, 999))
def test_batches_hold_p_people_with_k_pictures_each(labels, P, K, seed):
    labels = np.array(labels)
    count = {who: int(np.sum(labels == who)) for who in labels.tolist()}
    enough = [who for who, n in count.items() if n >= 2]
    if len(enough) < P:
        with pytest.raises(ShapeError, match=f"{len(enough)} people have two pictures or more; expected at least P = {P}"):
            next(people_batches(labels, P, K, seed))
        return
    batches, seen = list(people_batches(labels, P, K, seed)), []
    assert len(batches) == len(enough) // P
    for i in batches:
        people, pictures = np.unique(labels[i], return_counts=True)
        assert len(people) == P and len(set(i.tolist())) == len(i)              # no picture twice
        assert all(n == min(K, count[who]) for who, n in zip(people.tolist(), pictures))
        seen += people.tolist()
    assert len(seen) == len(set(seen))
    assert all(np.array_equal(a, b) for a, b in zip(batches, people_batches(labels, P, K, seed)))


def test_every_picture_has_its_turn():
    labels, rng = np.repeat(np.arange(4), 5), np.random.default_rng(0)
    seen = np.concatenate([i for _ in range(40) for i in people_batches(labels, 2, 2, rng)])
    assert np.bincount(seen, minlength=20).min() > 4


@pytest.mark.parametrize("labels, P, K", [([[0], [0]], 2, 2), ([0, 0, 1, 1], 1, 2), ([0, 0, 1, 1], 2, 1)])
def test_a_batch_without_triplets_is_refused(labels, P, K):
    with pytest.raises(ShapeError, match="a triplet needs two people"):
        next(people_batches(labels, P, K, 0))
