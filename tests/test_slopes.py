"""Slopes from values of J alone: where J is tiny, zero, noisy or has corners, and what the check makes of it."""

import numpy as np
import pytest

from scratchnet.gradcheck import check, check_layer
from scratchnet.slopes import Walk, direction, entry
from tests.tiny_layers import BatchNorm, MaxPool, normal, triplet


# ---- small costs, zeros, noise -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape, largest", [((1, 8, 8, 16), 4.9e-4), ((1, 100, 100, 64), 7.8e-7)])
def test_gradients_of_a_tiny_cost(shape, largest):
    """numbers: allclose(rtol=1e-3, atol=1e-5) lets a doubled and a zero gradient pass at the second shape."""
    a_C = normal(*shape)
    a_G = a_C + np.random.default_rng(1).uniform(-1, 1, shape)
    cost = lambda a_G: np.sum((a_G - a_C) ** 2) / (4 * a_G.size)
    gradient = lambda a_G: (a_G - a_C) / (2 * a_G.size)
    assert np.abs(gradient(a_G)).max() == pytest.approx(largest, rel=0.01)
    for factor, error in ((1, 0), (2, 1 / 2), (0, 1)):
        assert largest > 1e-5 or np.allclose(factor * gradient(a_G), gradient(a_G), rtol=1e-3, atol=1e-5)
        report = check(lambda a_G: (cost(a_G), factor * gradient(a_G)), a_G, cost=cost, max_entries=20, directions=2)
        assert report.passed == (factor == 1), report
        assert report.error == pytest.approx(error, abs=1e-7 if factor == 1 else 0.2)


def test_a_gradient_below_1e_8_gets_a_remark():
    f = lambda x, k=1: (1e-10 * np.sum(x ** 2), k * 2e-10 * x)
    report = check(f, normal(5), names="x")
    assert report.passed and "divided by too much" in str(report)
    assert not check(lambda x: f(x, 0), normal(5)).passed
    assert "divided" not in str(check(lambda x: (np.sum(x ** 2), 2 * x), normal(5)))


@pytest.mark.parametrize("f, x", [
    (lambda x: (0.5, 0 * x), normal(5)),
    (lambda x: (0.0, 0 * x), normal(5)),
    (lambda x: (np.sum(np.exp(x) / np.sum(np.exp(x))), 1e-17 * x), normal(5)),
    (lambda x: (np.sum(x ** 2), 2 * x), np.zeros(5)),
    (lambda x: (np.sum(x ** 3), 3 * x ** 2), np.zeros(5)),
    (lambda x: (np.sum(x ** 2) ** 2, 4 * x * np.sum(x ** 2)), np.zeros(5)),
    (lambda x: (1e5 + np.sum(np.cos(x)), -np.sin(x)), np.zeros(5)),
], ids=["constant", "0", "sum of softmax", "square", "cube", "fourth power", "offset"])
def test_a_gradient_that_is_truly_zero_passes_without_zero_by_zero(f, x):
    with np.errstate(all="raise"):
        report = check(f, x)
    assert report.passed and report.error == 0 and report.rows[0].zero and "zero, as far as J can show" in str(report), report
    assert not check(lambda x: (f(x)[0], np.full(x.shape, 1e-3)), x).passed


def test_zero_beside_a_gradient():
    report = check_layer(BatchNorm(), normal(6, 3), training=True)      # a bias before BatchNorm has gradient zero
    assert report.passed and report["b_prev"].zero and not report["a_prev"].zero, report
    report = check(lambda x, y: (np.sum(x ** 2 + 1e-6 * y), (2 * x, 0 * y)), normal(5), normal(5))
    assert not report.passed and not report["y"].passed                 # 1e-6 is small beside x, but not zero


def test_strong_curvature_excuses_nothing():
    x = np.linspace(1e-5, 1e-4, 7)
    f = lambda x, k: (np.sum(np.log(x)), k / x)
    assert check(lambda x: f(x, 1), x).error < 1e-6
    for k in (1 + 2e-5, 1 - 1e-4, 2, 0):
        assert not check(lambda x: f(x, k), x).passed


def test_a_gradient_that_round_off_hides_is_not_checked():
    report = check(lambda x: (1e9 + np.sum(x ** 2), 2 * x), 1e-4 * normal(5))
    assert not report.passed and np.isnan(report.error) and report.worst.word == "not checked" and "round-off" in str(report), report
    trembling = lambda x: 1 + 1e-7 * np.sin(1e12 * np.sum(x))
    assert not check(lambda x: (trembling(x) + np.sum(x ** 2), 2 * x), normal(5)).passed
    assert not check(lambda x: (trembling(x), 0 * x), normal(5)).passed


# ---- kinks ---------------------------------------------------------------------------------------------------------------

relu_sum = lambda x: (np.sum(np.maximum(x, 0) * (1 + np.arange(x.size))), np.where(x > 0, 1 + np.arange(x.size), 0))


@pytest.mark.parametrize("distance", [0, 1e-12, 1e-8, 1e-7])
def test_a_corner_within_the_smallest_step_is_left_out_and_counted(distance):
    x = normal(20)
    x[[3, 7]] = distance, -distance
    report = check(relu_sum, x)
    row = report.rows[0]
    assert report.passed and row.kinks == 2 and row.entries == 18 and "2 on kinks" in str(report), report
    assert np.isnan(row.errors[[3, 7]]).all() and np.isfinite(np.delete(row.errors, [3, 7])).all()


@pytest.mark.parametrize("share", [0.05, 0.2, 1 / 3, 0.5, 0.7, 0.9, 0.999, 0.9999999, 1.1])
def test_a_corner_within_the_first_step_is_walked_round(share):
    x = normal(20)
    x[[3, 7]] = share * 6.055e-6, -share * 6.055e-6
    report = check(relu_sum, x)
    assert report.passed and report.rows[0].kinks == 0 and report.error < 1e-6, report


def test_no_corner_is_missed_wherever_it_lies():
    """For corners at many distances, the slope is right to the tolerance or nan, from values of J alone."""
    c = np.linspace(-1.2, 1.2, 1201) * 6.055e-6
    x = {"x": np.zeros_like(c)}
    walk = Walk(lambda x: float(np.sum(2 * x["x"] + 5 * np.maximum(x["x"] - c, 0))), x, float(np.sum(5 * np.maximum(-c, 0))))
    walk.measure_noise(np.random.default_rng(0))
    D, unsure = walk.slopes([entry("x", x["x"], i) for i in range(c.size)])
    true = np.where(c < 0, 7, 2)
    assert np.nanmax(np.abs(D - true)) < 7e-6
    assert np.isnan(D).sum() < 60 and np.all(np.abs(c[np.isnan(D)]) < 1.1 * 6.055e-6 / 30)


def test_a_wrong_gradient_cannot_pass_for_a_kink():
    x = normal(20)
    for wrong in (lambda x: 1e6 * relu_sum(x)[1], lambda x: normal(20, seed=1), lambda x: 0 * x, lambda x: np.ones(20)):
        report = check(lambda x: (relu_sum(x)[0], wrong(x)), x)
        assert not report.passed and report.rows[0].kinks == 0 and report.rows[0].word == "wrong", report


def test_too_many_kinks_is_no_pass():
    for zeros, passed in ((9, True), (10, True), (11, False), (20, False)):
        x = normal(20)
        x[:zeros] = 0
        report = check(relu_sum, x)
        assert report.passed == passed and report.rows[0].kinks == zeros, report
        if not passed:
            assert np.isnan(report.error) and "not checked" in str(report) and report.worst.word == "not checked"
    assert not report.error < 1 and not report.error > 0


def test_a_failing_array_is_found_beside_one_that_could_not_be_checked():
    f = lambda x, y: (relu_sum(x)[0] + np.sum(y ** 2), (relu_sum(x)[1], 3 * y))
    report = check(f, np.zeros(4), normal(3))
    assert not report["x"].checked and report["y"].word == "wrong" and not report.passed and np.isnan(report.error)
    assert "FAILED for x, y" in str(report) and "y[" in str(report)


def test_ties_in_a_max_pool_are_kinks():
    a = normal(1, 4, 4, 2)
    a[0, :2, :2, 0] = 5.0                           # four equal maxima: whoever moves up, wins
    report = check_layer(MaxPool(), a)
    row = report["a_prev"]
    assert report.passed and row.kinks == 4 and np.isnan(row.errors[0, :2, :2, 0]).all(), report


def test_the_hinge_of_the_triplet_loss_is_a_kink():
    f_A, f_P, f_N = np.zeros((3, 2)), np.array([[1, 0], [0, 1], [0.5, 2]]), np.array([[1, 1], [0, 0.3], [1, 0]])
    f_P[0] = 1, 1 - 2 ** -0.5                       # not zero: d_AP - d_AN + margin = 0 needs both, below
    f_N[0] = f_P[0] * np.sqrt(1 + 0.5 / np.sum(f_P[0] ** 2))
    report = check(triplet, f_A, f_P, f_N)
    assert report.passed and report["f_P"].kinks == 2 and report["f_P"].entries == 4, report


def test_a_deep_relu_network_of_many_entries():
    W = [normal(40, 60, seed=1) / 6, normal(60, 50, seed=2) / 6]

    def f(x):
        z1 = x @ W[0]
        z2 = np.maximum(z1, 0) @ W[1]
        dz1 = ((z2 > 0) * z2) @ W[1].T * (z1 > 0)
        return np.sum(np.maximum(z2, 0) ** 2) / 2, dz1 @ W[0].T

    report = check(f, normal(50, 40))
    assert report.passed and report["x"].directions == 5, report


def test_x_is_put_back_when_f_raises():
    x = {"x": np.ones(3)}

    def cost(x):
        raise RuntimeError
    walk = Walk(cost, x, 0.0)
    with pytest.raises(RuntimeError):
        walk.slope(entry("x", x["x"], 1))
    with pytest.raises(RuntimeError):
        walk.slope(direction("x", np.arange(3), np.ones(3)))
    assert np.array_equal(x["x"], np.ones(3))
