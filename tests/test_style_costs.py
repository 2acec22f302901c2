"""Content cost, style matrix, style cost, total variation: numbers by hand, gradients, zeros, refusals.

The example throughout is a = 0, 1, ... 11 on 2 x 2 positions with 3 channels, against all ones.
"""

import numpy as np
import pytest

from scratchnet import gradcheck
from scratchnet.errors import ShapeError
from scratchnet.style_costs import CONTENT, STYLE, content_cost, gram, layer_style_cost, style_cost, total_variation

a    = np.arange(12.).reshape(1, 2, 2, 3)
ones = np.ones((1, 2, 2, 3))

EVERY_NORMALISE = pytest.mark.parametrize("normalise", list(CONTENT))
BOTH_DTYPES     = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def activations(n_H=3, n_W=4, n_C=2, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((1, n_H, n_W, n_C)).astype(dtype)


# ---- numbers by hand -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("normalise, J, slope", [
    ("lecture", 193, 1), ("assignment", 386 / 48, 1 / 24), ("mean", 386 / 12, 2 / 12), ("positions", 386 / 12, 2 / 12),
    ("relative", 386 / 12, 2 / 12)])
def test_content_cost(normalise, J, slope):
    J_content, da_G = content_cost(ones, a, normalise)
    assert J_content == pytest.approx(J, rel=1e-14)
    assert np.allclose(da_G, slope * (a - ones), rtol=1e-14)


def test_content_cost_of_the_assignment_as_printed():
    assert content_cost(a, ones, "assignment")[0] == pytest.approx(8.0417, abs=5e-5)


def test_relative_content_cost_is_relative_to_the_content():
    assert content_cost(a, ones, "relative")[0] == pytest.approx(386 / 506, rel=1e-14)
    assert content_cost(a, 3 * a, "relative")[0] == pytest.approx(4, rel=1e-14)


def test_gram():
    assert np.array_equal(gram(a), [[126, 144, 162], [144, 166, 188], [162, 188, 214]])
    other = np.arange(8.).reshape(2, 4).T.reshape(1, 2, 2, 2)
    assert np.array_equal(gram(other) / 8, [[1.75, 4.75], [4.75, 15.75]])


def test_the_trace_of_a_gram_cannot_see_a_wrong_reshape():
    wrong = a.reshape(3, -1)
    assert np.array_equal(wrong @ wrong.T, [[14, 38, 62], [38, 126, 214], [62, 214, 366]])
    assert np.trace(wrong @ wrong.T) == np.trace(gram(a)) == 506


def test_gram_does_not_see_where_things_are():
    shuffled = a.reshape(4, 3)[[2, 0, 3, 1]].reshape(a.shape)
    assert np.array_equal(gram(shuffled), gram(a))


def test_gram_scaled_to_other_positions():
    assert np.array_equal(gram(a, positions=8), 2 * gram(a))


@pytest.mark.parametrize("normalise, J", [
    ("lecture", 242068 / 576), ("assignment", 242068 / 576), ("mean", 242068 / 36 ** 2),
    ("positions", 242068 / 12 ** 2), ("relative", 242068 / 144)])
def test_layer_style_cost(normalise, J):
    assert layer_style_cost(gram(ones), a, normalise)[0] == pytest.approx(J, rel=1e-14)


def test_wrong_style_costs_are_other_numbers():
    """What students get: these four must never be taken for each other."""
    right = layer_style_cost(gram(ones), a)[0]
    A, wrong = a.reshape(4, 3), a.reshape(3, 4).T
    reshaped       = np.sum((wrong.T @ wrong - gram(ones)) ** 2) / 576
    over_positions = np.sum((A @ A.T - 3) ** 2) / 576
    without_square = np.sum((gram(a) - gram(ones)) ** 2) / (4 * 3 ** 2 * 4)
    assert np.allclose([right, reshaped, over_positions, without_square], [420.2569, 422.3403, 425.5486, 1681.0278], rtol=0, atol=5e-5)


def test_style_cost_is_the_weighted_sum_of_its_layers():
    G_S, a_G = {"relu1": gram(ones), "relu2": gram(ones), "off": gram(ones)}, {"relu1": a, "relu2": 2 * a, "off": a}
    J, da = style_cost(G_S, a_G, {"relu1": 0.2, "relu2": 0.8})
    (J1, da1), (J2, da2) = layer_style_cost(G_S["relu1"], a), layer_style_cost(G_S["relu2"], 2 * a)
    assert J == pytest.approx(0.2 * J1 + 0.8 * J2, rel=1e-14) and set(da) == {"relu1", "relu2"}
    assert np.allclose(da["relu1"], 0.2 * da1, rtol=1e-14) and np.allclose(da["relu2"], 0.8 * da2, rtol=1e-14)


def test_total_variation():
    G = np.array([[1., 2], [4, 8]])[None, :, :, None]
    J, dG = total_variation(G)
    assert J == 3 ** 2 + 6 ** 2 + 1 ** 2 + 4 ** 2
    assert np.array_equal(dG[0, :, :, 0], [[-2 * 3 - 2 * 1, -2 * 6 + 2 * 1], [2 * 3 - 2 * 4, 2 * 6 + 2 * 4]])


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 1, 5, 3), (1, 5, 1, 3), (1, 4, 4, 3)])
def test_total_variation_of_one_colour_is_nothing(shape):
    J, dG = total_variation(np.full(shape, 0.3))
    assert J == 0 and dG.shape == shape and not dG.any()


# ---- gradients -----------------------------------------------------------------------------------------------------------

CHECKS = pytest.mark.parametrize("check", [gradcheck.check, gradcheck.complex_step], ids=["differences", "complex step"])


@CHECKS
@EVERY_NORMALISE
def test_gradient_of_the_content_cost(check, normalise):
    report = check(lambda a_G: content_cost(activations(), a_G, normalise), activations(seed=1))
    assert report.passed, report


@CHECKS
@EVERY_NORMALISE
def test_gradient_of_the_style_cost(check, normalise):
    G_S = {"relu1": gram(activations(5, 2, 3), positions=6), "relu2": gram(activations(4, 4, 2), positions=4)}
    a_G = {"relu1": activations(2, 3, 3, seed=1), "relu2": activations(1, 4, 2, seed=2)}
    report = check(lambda a_G: style_cost(G_S, a_G, {"relu1": 0.3, "relu2": 0.7}, normalise), a_G)
    assert report.passed, report


@CHECKS
def test_gradient_of_the_total_variation(check):
    report = check(total_variation, activations(n_C=3))
    assert report.passed, report


# ---- sizes, zeros, dtypes ------------------------------------------------------------------------------------------------

@EVERY_NORMALISE
def test_a_style_picture_of_another_size_counts_by_what_it_shows_not_by_how_often(normalise):
    a_S, a_G = activations(3, 4), activations(5, 2, seed=1)
    J, da = layer_style_cost(gram(a_S, positions=10), a_G, normalise)
    J_tiled, da_tiled = layer_style_cost(gram(np.tile(a_S, (1, 2, 3, 1)), positions=10), a_G, normalise)
    assert J_tiled == pytest.approx(J, rel=1e-12) and np.allclose(da_tiled, da, rtol=1e-12)


@EVERY_NORMALISE
def test_style_cost_of_a_tiled_pair_is_that_of_the_pair(normalise):
    """The constants belong to the size of G: twice the wall of the same bricks costs as much."""
    a_S, a_G, tiled = activations(), activations(seed=1), np.tile(activations(seed=1), (1, 2, 1, 1))
    J, J_tiled = layer_style_cost(gram(a_S), a_G, normalise)[0], layer_style_cost(gram(a_S, positions=24), tiled, normalise)[0]
    assert J_tiled == pytest.approx(J, rel=1e-12)


@BOTH_DTYPES
@EVERY_NORMALISE
def test_the_same_picture_costs_nothing(normalise, dtype):
    x = activations(dtype=dtype)
    for J, da in (content_cost(x, x, normalise), layer_style_cost(gram(x), x, normalise)):
        assert J == 0 and not da.any()


@pytest.mark.filterwarnings("error")
@BOTH_DTYPES
@EVERY_NORMALISE
def test_dead_layers_cost_nothing_without_a_division_by_zero(normalise, dtype):
    zeros = np.zeros((1, 2, 2, 3), dtype)
    for J, da in (content_cost(zeros, zeros, normalise), layer_style_cost(gram(zeros), zeros, normalise)):
        assert J == 0 and not da.any()


@BOTH_DTYPES
@EVERY_NORMALISE
def test_a_dead_layer_of_c_or_s_leaves_the_cost_a_number(normalise, dtype):
    zeros, x = np.zeros((1, 2, 2, 3), dtype), a.astype(dtype)
    for J, da in (content_cost(zeros, x, normalise), layer_style_cost(gram(zeros), x, normalise)):
        assert np.isfinite(J) and np.isfinite(da).all()


@BOTH_DTYPES
@EVERY_NORMALISE
def test_dtype_is_kept_and_inputs_are_left_alone(normalise, dtype):
    a_C, a_G = activations(dtype=dtype), activations(seed=1, dtype=dtype)
    a_C.flags.writeable = a_G.flags.writeable = False
    G_S = gram(a_C, positions=12)
    gradients = content_cost(a_C, a_G, normalise)[1], layer_style_cost(G_S, a_G, normalise)[1], total_variation(a_G)[1]
    assert {array.dtype for array in (G_S, *gradients)} == {np.dtype(dtype)}


def test_positions_counted_by_numpy_do_not_change_the_dtype():
    assert gram(ones.astype(np.float32), positions=np.prod((2, 3))).dtype == np.float32


def test_weights_that_are_numpy_numbers_do_not_change_the_dtype():
    x = ones.astype(np.float32)
    assert style_cost({"l": gram(x)}, {"l": 2 * x}, {"l": np.float64(0.2)})[1]["l"].dtype == np.float32


@pytest.mark.parametrize("cost", [lambda x: content_cost(x[:, ::-1], x)[0], lambda x: layer_style_cost(gram(x[:, :1]), x)[0],
                                  lambda x: total_variation(x)[0]], ids=["content", "style", "total variation"])
def test_s7_bytes_become_floats_before_any_arithmetic_or_are_refused(cost):
    x = np.array([10, 200, 20, 250], np.uint8).reshape(1, 2, 2, 1)
    try:
        J = cost(x)
    except ShapeError:
        return
    assert J == pytest.approx(cost(x.astype(np.float64)), rel=1e-6)


# ---- what is refused, and in which words ---------------------------------------------------------------------------------

def test_s14_a_batch_is_refused_with_the_way_out():
    two = np.ones((2, 2, 2, 3))
    for ask in (lambda: gram(two), lambda: layer_style_cost(gram(ones), two), lambda: content_cost(two, two), lambda: total_variation(two)):
        with pytest.raises(ShapeError, match=r"holds 2 pictures.*\[i:i\+1\]"):
            ask()


def test_s15_an_unrolled_feature_map_is_refused_as_ambiguous():
    flat = np.ones((4, 3))
    for ask in (lambda: gram(flat.T), lambda: layer_style_cost(gram(ones), flat), lambda: content_cost(ones, flat)):
        with pytest.raises(ShapeError, match=r"several ways; pass \(1, n_H, n_W, n_C\), channels last"):
            ask()


def test_pictures_and_matrices_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\(1, 2, 2, 3\) and a_G \(1, 2, 1, 3\)"):
        content_cost(ones, ones[:, :, :1])
    with pytest.raises(ShapeError, match=r"G_S has shape \(3, 3\) and a_G 2 channels; expected a style matrix \(2, 2\)"):
        layer_style_cost(gram(ones), ones[..., :2])


def test_an_unknown_normalise_is_met_with_those_that_exist():
    assert list(CONTENT) == list(STYLE)
    for ask in (lambda: content_cost(ones, ones, "gatys"), lambda: layer_style_cost(gram(ones), ones, "gatys")):
        with pytest.raises(ShapeError, match="= 'gatys'; expected one of 'lecture', 'assignment', 'mean', 'positions', 'relative'"):
            ask()
