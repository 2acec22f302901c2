"""Thresholds: numbers by hand, every figure against a loop written from its definition, ties, what twelve pictures are worth, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.threshold import accuracy, auc, best_tau, eer, false_alarm, far_frr, roc, ten_fold, validation_rate, wilson

# Eight pairs by hand: same at 1, 2, 2, 4; different at 2, 3, 5, 5.
D    = np.array([1., 2, 2, 4, 2, 3, 5, 5])
SAME = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
OF_PAIRS = [far_frr, accuracy, roc, auc, eer, validation_rate, best_tau, ten_fold]


@st.composite
def pairs(draw, least=1):
    """Distances with many ties, both kinds at least `least` times, in any order."""
    kinds = [draw(st.lists(st.integers(0, 6), min_size=least, max_size=12)) for _ in range(2)]
    order = draw(st.permutations(range(sum(map(len, kinds)))))
    d = np.array(kinds[0] + kinds[1]) / 4
    same = np.repeat([True, False], [len(kind) for kind in kinds])
    return d[order], same[order]


# ---- by hand -------------------------------------------------------------------------------------------------------------

def test_the_curve_by_hand():
    tau, far, tar = roc(D, SAME)
    assert tau.tolist() == [-np.inf, 1, 2, 3, 4, 5]
    assert far.tolist() == [0, 0, 1 / 4, 2 / 4, 2 / 4, 1]
    assert tar.tolist() == [0, 1 / 4, 3 / 4, 3 / 4, 1, 1]


def test_numbers_by_hand():
    assert auc(D, SAME) == (4 + 2 * (.5 + 3) + 2) / 16           # 1 beats all; 2 ties with one, beats three; 4 beats two
    assert eer(D, SAME) == 1 / 4                                 # at tau = 2: one stranger of four, one friend of four
    assert far_frr(D, SAME, 2) == (1 / 4, 1 / 4) and far_frr(D, SAME, 1.99) == (0, 3 / 4)
    assert accuracy(D, SAME, 2) == 6 / 8
    assert validation_rate(D, SAME, far=.25) == (3 / 4, 1 / 4, 2) and validation_rate(D, SAME) == (1 / 4, 0, 1)
    assert best_tau(D, SAME) == 2.5                              # 6 of 8 right, as at 4.5: the smaller
    assert best_tau(D, SAME, false_accept=3) == 1.5 and best_tau(D, SAME, false_reject=3) == 4.5


def test_a_crossing_between_two_thresholds_lies_on_the_line_between():
    """From (far, frr) = (0, 1) to (1/2, 0): they meet at 1/3."""
    assert eer([1, 1, 2], [1, 0, 0]) == pytest.approx(1 / 3, rel=1e-15)


@pytest.mark.parametrize("d, number", [([0, 0, 1, 1], 1), ([1, 1, 0, 0], 0), ([1, 1, 1, 1], .5)])
def test_the_ends_of_auc(d, number):
    assert auc(d, [1, 1, 0, 0]) == number == 1 - eer(d, [1, 1, 0, 0])


def test_the_worst_distances_accept_all_or_nobody():
    assert best_tau([5, 6, 7, 1], [1, 1, 1, 0]) == 7                    # three of four are right when all are let in
    assert best_tau([5, 1, 1, 1], [1, 0, 0, 0]) == -np.inf
    assert validation_rate([5, 1], [1, 0]) == (0, 0, -np.inf)


def test_midway_between_neighbouring_floats_stays_on_the_right_side():
    a = 0.3
    b = np.nextafter(a, 1)
    tau = best_tau([a, b], [1, 0])
    assert a <= tau < b


def test_d_in_float32_is_compared_as_it_is():
    d = np.array([0.1, 0.7], np.float32)
    assert far_frr(d, [1, 0], d[0]) == (0, 0) and far_frr(d, [1, 0], 0.1) == (0, 1)      # float32(0.1) is above 0.1


def test_what_twelve_pictures_are_worth():
    assert wilson(12, 12) == (pytest.approx(0.757505, abs=1e-6), 1)
    assert wilson(0, 12) == (0, pytest.approx(1 - 0.757505, abs=1e-6))
    assert wilson(594, 600) == (pytest.approx(0.978356455, abs=1e-9), pytest.approx(0.995409078, abs=1e-9))          # SciPy's
    assert wilson(11, 12, confidence=.5)[0] > wilson(11, 12)[0]


@given(st.integers(1, 200), st.data())
def test_the_bounds_are_where_wilson_puts_them(n, data):
    """The two solutions of (p - x)^2 = z^2 x (1 - x) / n, each the other's mirror."""
    right = data.draw(st.integers(0, n))
    low, high = wilson(right, n)
    for x in (low, high):
        assert (right / n - x) ** 2 == pytest.approx(1.959963984540054 ** 2 * x * (1 - x) / n, abs=1e-12)
    assert 0 <= low <= right / n <= high <= 1
    assert wilson(n - right, n) == (pytest.approx(1 - high, abs=1e-12), pytest.approx(1 - low, abs=1e-12))


def test_k_people_are_k_chances_of_a_mistake():
    assert false_alarm(.99, 100) == pytest.approx(0.634, abs=5e-4) and false_alarm(.99, 1) == pytest.approx(.01)
    assert false_alarm(1, 10 ** 6) == 0 and false_alarm(.5, 0) == 0


# ---- against loops ---------------------------------------------------------------------------------------------------------

def mistakes(d, same, tau):
    """(strangers let in, friends kept out), counted one pair at a time."""
    accepted = [distance <= tau for distance in d]
    return sum(a and not s for a, s in zip(accepted, same)), sum(not a and bool(s) for a, s in zip(accepted, same))


@given(pairs())
def test_the_curve_is_counted_pair_by_pair(both):
    d, same = both
    curve = roc(d, same)
    assert curve.tau[1:].tolist() == sorted(set(d.tolist()))
    for tau, far, tar in zip(*curve):
        false, missed = mistakes(d, same, tau)
        rates = false / np.sum(~same), missed / np.sum(same)
        assert (far, 1 - tar) == pytest.approx(rates, abs=1e-14)
        assert far_frr(d, same, tau) == pytest.approx(rates, abs=1e-14)
        assert accuracy(d, same, tau) == pytest.approx(1 - (false + missed) / len(d))
    assert np.allclose(far_frr(d, same, curve.tau), [curve.far, 1 - curve.tar], atol=1e-14)


@given(pairs())
def test_auc_is_a_count_of_all_pairs_of_pairs(both):
    d, same = both
    wins = [1 if near < far else .5 if near == far else 0 for near in d[same] for far in d[~same]]
    assert auc(d, same) == pytest.approx(np.mean(wins), abs=1e-14)
    assert auc(-d, same) == pytest.approx(1 - auc(d, same), abs=1e-14)
    assert auc(3 * d ** 3 + 1, same) == auc(d, same)                    # only the order counts


@given(pairs())
def test_eer_lies_between_the_mistakes_on_either_side(both):
    d, same = both
    rates = [(false / np.sum(~same), missed / np.sum(same)) for false, missed in (mistakes(d, same, tau) for tau in [-1, *d])]
    rate = eer(d, same)
    assert max(min(r) for r in rates) - 1e-14 <= rate <= min(max(r) for r in rates) + 1e-14
    exact = [far for far, frr in rates if far == frr]
    assert not exact or rate == pytest.approx(exact[0], abs=1e-14)


@given(pairs(), st.floats(0, 1))
def test_validation_rate_is_the_best_that_is_allowed(both, most):
    d, same = both
    allowed = [1 - missed / np.sum(same) for false, missed in (mistakes(d, same, tau) for tau in [-1, *d]) if false / np.sum(~same) <= most]
    found = validation_rate(d, same, most)
    assert found.tar == pytest.approx(max(allowed)) and found.far <= most
    assert far_frr(d, same, found.tau) == pytest.approx((found.far, 1 - found.tar))


@given(pairs(), st.sampled_from([(1, 1), (1, 5), (7, 2), (0, 1), (1, 0)]))
def test_no_threshold_is_cheaper_than_the_best(both, costs):
    d, same = both

    def cost(tau):
        return np.dot(costs, mistakes(d, same, tau))

    tau = best_tau(d, same, *costs)
    assert cost(tau) == min(cost(other) for other in [-1, *d])
    assert all(cost(other) > cost(tau) or mistakes(d, same, other) == mistakes(d, same, tau) for other in [-1, *d] if other < tau)


@given(pairs(least=3))
def test_folds_by_a_loop(both):
    """Fold k holds the k-th third of each kind; its tau is best_tau of the others, and nothing of it is seen."""
    d, same = both
    found = ten_fold(d, same, folds=3)
    folds = [[], [], []]
    for kind in (True, False):
        own = [i for i in range(len(d)) if same[i] == kind]
        for number, i in enumerate(own):
            folds[number * 3 // len(own)].append(i)
    for k, test in enumerate(folds):
        rest = [i for i in range(len(d)) if i not in test]
        assert found.tau[k] == best_tau(d[rest], same[rest])
        assert found.accuracies[k] == pytest.approx(accuracy(d[test], same[test], found.tau[k]))
    assert found.accuracy == pytest.approx(sum(found.accuracies) / 3)
    s = math.sqrt(sum((p - found.accuracy) ** 2 for p in found.accuracies) / 2)
    assert found.standard_error == pytest.approx(s / math.sqrt(3), abs=1e-12)


def test_in_lfws_list_the_folds_are_its_ten_sets():
    """Ten sets of 30 same and 30 different pairs, each set contiguous: one set spoilt spoils one fold."""
    rng = np.random.default_rng(0)
    same = np.tile(np.repeat([True, False], 30), 10)
    d = np.where(same, rng.uniform(0, .9, 600), rng.uniform(1.1, 2, 600))
    d[3 * 60:4 * 60] = 2 - d[3 * 60:4 * 60]
    found = ten_fold(d, same)
    assert found.accuracies.tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1] and found.accuracy == .9
    assert found.standard_error == pytest.approx(.1, rel=1e-12)


# ---- refusals ----------------------------------------------------------------------------------------------------------------

def call(f, d, same):
    return f(d, same, *([1.] if f in (far_frr, accuracy) else [2] if f is ten_fold else []))


EACH = pytest.mark.parametrize("f", OF_PAIRS, ids=lambda f: f.__name__)


@EACH
def test_inputs_are_left_alone_and_lists_will_do(f):
    d, same = D.copy(), SAME.copy()
    d.flags.writeable = same.flags.writeable = False
    assert str(call(f, d, same)) == str(call(f, D.tolist(), SAME.astype(int).tolist()))


@EACH
@pytest.mark.parametrize("d, same, words", [
    ([], [], "no pairs"), ([[1.], [2]], [1, 0], r"\(2, 1\) and same \(2,\)"), ([1., 2], [[1], [0]], r"same \(2, 1\)"),
    ([1., 2], [1, 0, 0], r"\.ravel"), ([1., 2], [1, 2], r"same holds \[2\]"), ([1., 2], [-1, 1], r"same holds \[-1\]"),
    (np.ones(2, complex), [1, 0], "complex128")])
def test_s10_s11_what_does_not_fit_is_refused(f, d, same, words):
    with pytest.raises(ShapeError, match=words):
        call(f, np.asarray(d), same)


@EACH
def test_n1_nan_is_named_with_its_place(f):
    with pytest.raises(NumericsError, match=r"d has 2 nan or inf, first at \[1\]"):
        call(f, [1., np.nan, np.inf], [1, 0, 0])


@pytest.mark.parametrize("f", [f for f in OF_PAIRS if f is not accuracy], ids=lambda f: f.__name__)
@pytest.mark.parametrize("same, words", [([1, 1], "all 2 pairs are of the same person.*Add pairs of different people"),
                                         ([0, 0], "all 2 pairs are of different people.*Add pairs of the same person")])
def test_s11_one_kind_alone_is_refused(f, same, words):
    with pytest.raises(ShapeError, match=words):
        call(f, [1., 2], same)


@pytest.mark.parametrize("wrong, words", [
    (lambda: ten_fold(D, SAME, 5), "from 2 to 4"), (lambda: ten_fold(D, SAME, 1), "folds = 1"),
    (lambda: ten_fold(D, SAME, 2.), "folds = 2.0"),
    (lambda: validation_rate(D, SAME, 2), "far = 2"), (lambda: validation_rate(D, SAME, np.nan), "far = nan"),
    (lambda: best_tau(D, SAME, -1), "costs from 0 up"), (lambda: best_tau(D, SAME, 0, 0), "not both 0"),
    (lambda: wilson(13, 12), "right = 13"), (lambda: wilson(0, 0), "n = 0"), (lambda: wilson(1, 2, 1), "confidence = 1"),
    (lambda: false_alarm(1.1, 3), "p = 1.1"), (lambda: false_alarm(.9, -1), "K = -1"), (lambda: false_alarm(.9, 1.5), "K = 1.5")])
def test_numbers_out_of_range_are_refused(wrong, words):
    with pytest.raises(ShapeError, match=words):
        wrong()
