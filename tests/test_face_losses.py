"""Losses of pairs and triplets: numbers by hand, loops from the definition, gradients, zeros, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.face_losses import (DIFFERENCE, DISTANCE, FORM, OVER, contrastive_loss, contrastive_terms, pair_loss, pair_probability,
                                    pair_terms, triplet_loss, triplet_terms)
from scratchnet.gradcheck import check

EVERY_TRIPLET_FORM = pytest.mark.parametrize("distance, form, over", [(d, f, o) for d in DISTANCE for f in FORM for o in OVER])
EVERY_DIFFERENCE   = pytest.mark.parametrize("difference", list(DIFFERENCE))
SEEDS = st.integers(0, 10 ** 6)


def encodings(k, m=5, n_f=4, seed=0, dtype=np.float64):
    """k batches of non-negative encodings, near enough that some triplets are active and some are not."""
    return np.random.default_rng(seed).random((k, m, n_f)).astype(dtype)


def head(n_f=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n_f), rng.standard_normal()


def some_same(m, seed=0):
    """True and False, at least one of each."""
    return np.random.default_rng(seed).permutation(np.arange(m) % 2 == 0)


def errors_below(report, limit=1e-7):
    return report.passed and report.error < limit


# ---- numbers by hand -----------------------------------------------------------------------------------------------------

f_A = np.zeros((3, 2))
f_P = np.array([[1., 0], [0, 1], [2, 0]])
f_N = np.array([[1., 1], [0, 0], [1, 0]])


def test_triplet_by_hand():
    """d_AP = 1, 1, 4 and d_AN = 2, 0, 1: hinges 0, 1.5, 3.5."""
    terms = triplet_terms(f_A, f_P, f_N, 0.5)
    assert np.array_equal(terms.d_AP, [1, 1, 4]) and np.array_equal(terms.d_AN, [2, 0, 1])
    assert np.array_equal(terms.L, [0, 1.5, 3.5]) and np.array_equal(terms.active, [False, True, True])
    J, (df_A, df_P, df_N) = triplet_loss(f_A, f_P, f_N, 0.5)
    assert J == 5
    assert np.array_equal(df_A, [[0, 0], [0, -2], [-2, 0]])
    assert np.array_equal(df_P, [[0, 0], [0, 2], [4, 0]]) and np.array_equal(df_N, [[0, 0], [0, 0], [-2, 0]])


def test_wrong_triplet_losses_are_other_numbers():
    """What students get: mean, mean over active, no square, P and N swapped."""
    assert triplet_loss(f_A, f_P, f_N, 0.5, over="mean")[0] == pytest.approx(5 / 3)
    assert triplet_loss(f_A, f_P, f_N, 0.5, over="active")[0] == 2.5
    assert triplet_loss(f_A, f_P, f_N, 0.5, distance="plain")[0] == pytest.approx(0.5 + 1 - math.sqrt(2) + 1.5 + 1.5)
    assert triplet_loss(f_A, f_N, f_P, 0.5)[0] == 1.5


@pytest.mark.parametrize("A, P, N, margin, J", [
    ([[1, 1]], [[1, 1]], [[1, 1]], 5, 5), ([[1, 1]], [[1, 1]], [[0, 0]], 3, 1), ([[1, 1]], [[0, 0]], [[1, 1]], 0, 2),
    ([[1, 0], [1, 0]], [[1, 0], [1, 0]], [[0, 1], [0, 1]], 3, 2), ([[1, 1], [2, 0]], [[0, 3], [1, 1]], [[1, 0], [0, 1]], 1, 5)])
def test_triplet_losses_of_the_course(A, P, N, margin, J):
    assert triplet_loss(np.array(A), np.array(P), np.array(N), margin)[0] == J


def test_contrastive_by_hand():
    """d = 5, 0.5, 2 with margin 1: the same pair costs 12.5, the near pair of two people 1/8, the far one nothing."""
    f_1, f_2 = np.zeros((3, 2)), np.array([[3., 4], [0.5, 0], [0, 2]])
    terms = contrastive_terms(f_1, f_2, same=[True, False, False])
    assert np.array_equal(terms.d, [5, 0.5, 2]) and np.array_equal(terms.L, [12.5, 0.125, 0])
    assert np.array_equal(terms.active, [True, True, False])
    J, (df_1, df_2) = contrastive_loss(f_1, f_2, same=[1, 0, 0])
    assert J == pytest.approx(12.625 / 3) and np.allclose(df_1, np.array([[-3, -4], [0.5, 0], [0, 0]]) / 3)
    assert np.array_equal(df_1, -df_2)


def test_pair_head_by_hand():
    """z = -1 |2 - 1| + 2 |0 - 3| - 4 = 1, chi^2 z = -1/3 + 2 * 3 - 4 = 5/3."""
    f_1, f_2, w, b = np.array([[2., 0]]), np.array([[1., 3]]), np.array([-1., 2]), -4.0
    for difference, z in [("absolute", 1), ("chi2", 5 / 3)]:
        y_hat = 1 / (1 + math.exp(-z))
        assert pair_probability(f_1, f_2, w, b, difference) == pytest.approx(y_hat)
        for same, L in [([True], -math.log(y_hat)), ([False], -math.log(1 - y_hat))]:
            assert pair_terms(f_1, f_2, w, b, same=same, difference=difference).L == pytest.approx(L)
            J, (_, _, dw, db) = pair_loss(f_1, f_2, w, b, same=same, difference=difference)
            assert J == pytest.approx(L) and db == pytest.approx(y_hat - same[0])
            assert np.allclose(dw, (y_hat - same[0]) * np.array([1, 3] if difference == "absolute" else [1 / 3, 3]))


@EVERY_DIFFERENCE
def test_identical_pictures_get_sigmoid_of_b(difference):
    (f,), (w, b) = encodings(1), head()
    assert np.allclose(pair_probability(f, f, w, b, difference), 1 / (1 + math.exp(-b)), rtol=1e-15)


# ---- loops from the definition -----------------------------------------------------------------------------------------

def distance_loop(f_1, f_2, distance):
    square = sum((a - b) ** 2 for a, b in zip(f_1, f_2))
    return square if distance == "squared" else math.sqrt(square)


@EVERY_TRIPLET_FORM
@settings(max_examples=25)
@given(SEEDS, st.integers(1, 7), st.integers(1, 5), st.floats(0, 2))
def test_triplet_is_the_loop(distance, form, over, seed, m, n_f, margin):
    A, P, N = encodings(3, m, n_f, seed)
    values = []
    for i in range(m):
        x = distance_loop(A[i], P[i], distance) - distance_loop(A[i], N[i], distance)
        values.append(max(x + margin, 0) if form == "hinge" else math.log(1 + math.exp(x)))
    active = sum(value > 1e-14 for value in values)
    count = {"sum": 1, "mean": m, "active": max(active, 1)}[over]
    assert triplet_loss(A, P, N, margin, distance, form, over)[0] == pytest.approx(sum(values) / count, rel=1e-12, abs=1e-13)
    assert np.allclose(triplet_terms(A, P, N, margin, distance, form).L, values, rtol=1e-12, atol=1e-13)


@settings(max_examples=50)
@given(SEEDS, st.integers(2, 7), st.integers(1, 5), st.floats(0, 2))
def test_contrastive_is_the_loop(seed, m, n_f, margin):
    (f_1, f_2), same = encodings(2, m, n_f, seed), some_same(m, seed)
    J = 0.0
    for i in range(m):
        d = distance_loop(f_1[i], f_2[i], "plain")
        J += (d ** 2 if same[i] else max(margin - d, 0) ** 2) / 2 / m
    assert contrastive_loss(f_1, f_2, same=same, margin=margin)[0] == pytest.approx(J, rel=1e-12, abs=1e-15)


@EVERY_DIFFERENCE
@settings(max_examples=50)
@given(SEEDS, st.integers(2, 7), st.integers(1, 5))
def test_pair_loss_is_the_loop(difference, seed, m, n_f):
    (f_1, f_2), (w, b), same = encodings(2, m, n_f, seed), head(n_f, seed), some_same(m, seed)
    J = 0.0
    for i in range(m):
        z = b
        for a, c, w_k in zip(f_1[i], f_2[i], w):
            z += w_k * (abs(a - c) if difference == "absolute" else (a - c) ** 2 / (a + c))
        y_hat = 1 / (1 + math.exp(-z))
        J -= math.log(y_hat if same[i] else 1 - y_hat) / m
    assert pair_loss(f_1, f_2, w, b, same=same, difference=difference)[0] == pytest.approx(J, rel=1e-10)


# ---- gradients -----------------------------------------------------------------------------------------------------------

@EVERY_TRIPLET_FORM
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
def test_gradient_of_the_triplet_loss(distance, form, over, margin):
    report = check(lambda *f: triplet_loss(*f, margin, distance, form, over), *encodings(3))
    assert errors_below(report), report


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_gradient_of_the_contrastive_loss(margin):
    report = check(lambda f_1, f_2: contrastive_loss(f_1, f_2, same=some_same(5), margin=margin), *encodings(2))
    assert errors_below(report), report


@EVERY_DIFFERENCE
def test_gradient_of_the_pair_loss(difference):
    w, b = head()
    f = lambda f_1, f_2, w, b: pair_loss(f_1, f_2, w, b, same=some_same(5), difference=difference)
    report = check(f, *encodings(2) + 0.1, w, np.array(b))
    assert errors_below(report), report


EQUAL = {"A = P": (0, 1), "A = N": (0, 2), "P = N": (1, 2), "A = P = N": (0, 1, 2)}


@pytest.mark.parametrize("form", list(FORM))
@pytest.mark.parametrize("who", EQUAL.values(), ids=EQUAL)
def test_gradient_of_squared_distances_at_equal_encodings(form, who):
    """They are smooth there: nothing may be left out."""
    f = encodings(3)
    f[who, :] = f[who[0]]
    report = check(lambda *f: triplet_loss(*f, 0.2, form=form), *f)
    assert errors_below(report) and sum(row.kinks for row in report.rows) == 0, report


@pytest.mark.parametrize("form", list(FORM))
@pytest.mark.parametrize("who", EQUAL.values(), ids=EQUAL)
def test_n4_gradient_of_plain_distances_at_equal_encodings(form, who):
    """Triplet 0 stands on the corner: what the checker sees of it is right, and a distance of zero pulls nowhere."""
    f = encodings(3)
    f[who, 0] = f[who[0], 0]
    report = check(lambda *f: triplet_loss(*f, 1.5, "plain", form), *f)
    assert errors_below(report), report
    df_A, df_P, df_N = triplet_loss(*f, 1.5, "plain", form)[1]
    assert (0 in who and 1 in who) == (not df_P[0].any()) and (0 in who and 2 in who) == (not df_N[0].any())
    assert np.allclose(df_A, -df_P - df_N, atol=1e-15)


def test_n6_no_active_triplet_costs_nothing_and_the_gradient_is_right():
    A, P, N = encodings(3)
    for distance in DISTANCE:
        for over in OVER:
            f = lambda *f: triplet_loss(*f, 0.2, distance, over=over)
            assert f(A, P, N + 9)[0] == 0 and not np.any(f(A, P, N + 9)[1])
            assert check(f, A, P, N + 9).passed


@pytest.mark.parametrize("same", [True, False])
def test_gradient_of_the_contrastive_loss_at_equal_encodings(same):
    """Smooth for one person; two people who coincide stand on a corner, and have no direction to part in."""
    (f_1, f_2), labels = encodings(2), some_same(5)
    i = np.flatnonzero(labels == same)[0]
    f_2[i] = f_1[i]
    report = check(lambda f_1, f_2: contrastive_loss(f_1, f_2, same=labels), f_1, f_2)
    assert errors_below(report), report
    assert [row.kinks for row in report.rows] == ([0, 0] if same else [4, 4])
    J, (df_1, df_2) = contrastive_loss(f_1, f_2, same=labels)
    assert not df_1[i].any() and not df_2[i].any()
    assert contrastive_terms(f_1, f_2, same=labels).L[i] == (0 if same else 0.5)


@EVERY_DIFFERENCE
@pytest.mark.filterwarnings("error")
def test_n10_gradient_of_the_head_at_equal_encodings(difference):
    (f,), (w, b) = encodings(1) + 0.1, head()
    J, (df_1, df_2, dw, db) = pair_loss(f, f, w, b, same=some_same(5), difference=difference)
    assert not df_1.any() and not df_2.any() and not dw.any()
    head_only = lambda w, b: (lambda J, g: (J, g[2:]))(*pair_loss(f, f, w, b, same=some_same(5), difference=difference))
    report = check(head_only, w, np.array(b))
    assert errors_below(report), report
    zero = np.zeros((2, 4))
    assert all(np.isfinite(g).all() for g in pair_loss(zero, zero, w, b, same=[0, 1], difference=difference)[1])


def test_gradient_of_chi2_at_equal_encodings_is_smooth():
    (f,), (w, b) = encodings(1) + 0.1, head()
    loss = lambda f_1, f_2: (lambda J, g: (J, g[:2]))(*pair_loss(f_1, f_2, w, b, same=some_same(5), difference="chi2"))
    report = check(loss, f, f + 0.0)
    assert errors_below(report) and sum(row.kinks for row in report.rows) == 0, report


# ---- collapse, extremes, dtypes ------------------------------------------------------------------------------------------

@EVERY_TRIPLET_FORM
def test_n7_when_all_encodings_are_equal_the_loss_stands_at_the_margin_or_ln_2(distance, form, over):
    f = np.ones((4, 3))
    J, gradients = triplet_loss(f, f, f, 0.3, distance, form, over)
    assert J == pytest.approx((4 if over == "sum" else 1) * (0.3 if form == "hinge" else math.log(2))) and not np.any(gradients)


@EVERY_TRIPLET_FORM
@pytest.mark.filterwarnings("error")
def test_n6_no_triplet_at_all(distance, form, over):
    J, gradients = triplet_loss(*np.empty((3, 0, 4)), 0.2, distance, form, over)
    assert J == 0 and [g.shape for g in gradients] == [(0, 4)] * 3


@pytest.mark.filterwarnings("error")
def test_n9_nothing_overflows():
    far, zero = np.full((2, 1), 1e150), np.zeros((2, 1))
    J, gradients = triplet_loss(zero, far, zero, distance="plain", form="soft")
    assert J == pytest.approx(2e150) and np.isfinite(gradients).all()
    J, (df_1, _, dw, db) = pair_loss(np.full((2, 1), 1e4), zero, np.ones(1), 0.0, same=[True, False])
    assert J == pytest.approx(5000) and db == 0.5 and df_1[0] == 0 and dw == pytest.approx(5000)
    assert pair_terms(np.full((2, 1), 1e4), zero, -np.ones(1), 0.0, same=[True, False]).L[0] == 1e4
    J, gradients = contrastive_loss(np.full((2, 1), 1e-200), zero, same=[True, False])
    assert J == 0.25 and np.isfinite(gradients).all()


def test_dtype_is_kept_and_inputs_are_left_alone():
    f = encodings(3, dtype=np.float32)
    f.flags.writeable = False
    w, same = np.ones(4, np.float32), some_same(5)
    results = [contrastive_loss(f[0], f[1], same=same, margin=np.float64(1))]
    results += [triplet_loss(*f, np.float64(0.2), d, form, over) for d in DISTANCE for form in FORM for over in OVER]
    results += [pair_loss(f[0], f[1], w, np.float64(0.1), same=same, difference=difference) for difference in DIFFERENCE]
    assert all({J.dtype, *(g.dtype for g in gradients)} == {np.dtype(np.float32)} for J, gradients in results)


# ---- refusals ------------------------------------------------------------------------------------------------------------

def test_s13_three_shapes_in_one_message():
    with pytest.raises(ShapeError, match=r"f_A \(2, 3\), f_P \(2, 3\), f_N \(1, 3\); expected the same \(m, n_f\)"):
        triplet_loss(np.ones((2, 3)), np.ones((2, 3)), np.ones((1, 3)))


def pair_losses(f_1, f_2, same):
    yield lambda: contrastive_loss(f_1, f_2, same=same)
    yield lambda: contrastive_terms(f_1, f_2, same=same)
    yield lambda: pair_loss(f_1, f_2, np.ones(4), 0.0, same=same)
    yield lambda: pair_terms(f_1, f_2, np.ones(4), 0.0, same=same)


@pytest.mark.parametrize("m, same, words", [
    (3, [[1], [0], [1]], r"shapes \(3,\) and \(3, 1\) would broadcast"), (3, [1, 0], r"shape \(2,\) for 3 pairs"), (3, True, r"shape \(\)"),
    (3, [1, 2, -1], r"same holds \[-1, 2\]"), (3, [1, 0, np.nan], r"same holds \[nan\]"), (0, [], "empty batch")])
def test_s5_s10_s11_labels_that_do_not_fit(m, same, words):
    for loss in pair_losses(*encodings(2, m), same):
        with pytest.raises(ShapeError, match=words):
            loss()


def test_s11_constant_labels_are_warned_of():
    for same, words in [([1, 1, 1], "the same person"), ([0, 0, 0], "different people")]:
        for loss in pair_losses(*encodings(2, 3), same):
            with pytest.warns(UserWarning, match=words) as caught:
                loss()
            assert caught[0].filename == __file__


def test_s12_the_label_has_a_name():
    with pytest.raises(TypeError, match="positional"):
        contrastive_loss(*encodings(2), some_same(5))


@pytest.mark.parametrize("wrong, words", [
    (dict(margin=-0.1), "margin = -0.1; expected one number from 0 up"), (dict(margin=np.nan), "margin = nan"),
    (dict(margin=[1, 2]), "margin"),
    (dict(distance="cosine"), "'cosine'; expected one of 'squared', 'plain'"), (dict(form="hard"), "'hinge', 'soft'"),
    (dict(over="median"), "'sum', 'mean', 'active'")])
def test_s22_choices_of_the_triplet_loss(wrong, words):
    with pytest.raises(ShapeError, match=words):
        triplet_loss(*encodings(3), **wrong)


def test_what_the_head_cannot_take():
    f_1, f_2 = encodings(2)
    for w, b in [(np.ones(3), 0.0), (np.ones((4, 1)), 0.0), (np.ones(4), np.zeros(1))]:
        with pytest.raises(ShapeError, match="w has shape"):
            pair_probability(f_1, f_2, w, b)
    with pytest.raises(ShapeError, match=r"f_2 has 1 negative entries, the least -1; difference = \"chi2\" expects none"):
        pair_probability(f_1, np.where(np.arange(20).reshape(5, 4) == 3, -1, f_2), np.ones(4), 0.0, "chi2")
    with pytest.raises(ShapeError, match="'absolute', 'chi2'"):
        pair_probability(f_1, f_2, np.ones(4), 0.0, "L1")


def test_n1_nan_does_not_hide_behind_a_hinge():
    A, P, N = encodings(3)
    N[1, 2] = np.nan
    with pytest.raises(NumericsError, match=r"f_N has 1 nan or inf, first at \[1, 2\]"):
        triplet_loss(A, P, N)
