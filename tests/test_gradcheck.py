"""The checker is checked: planted mistakes must be caught, named and located, and right gradients must pass."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.gradcheck import check, check_layer, check_network, complex_step, error_curve
from tests.tiny_layers import BatchNorm, Conv, Dense, Dropout, MaxPool, Network, ReLU, content, normal, triplet


# ---- right gradients pass ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("f, x", [
    (lambda x: (np.sum(x ** 2) / 2, x), normal(4, 5)),
    (lambda x: (np.sum(np.exp(x)), np.exp(x)), normal(7)),
    (lambda x: (np.sum(np.sin(100 * x)), 100 * np.cos(100 * x)), normal(7)),
    (lambda x: (np.sqrt(np.sum(x ** 2)), x / np.sqrt(np.sum(x ** 2))), 1e-3 * normal(9)),
    (lambda x: (np.sum(1 / x), -1 / x ** 2), np.array([1e-3, -2e-3, 1, 1e4])),
    (lambda x: (np.sum(np.log(x)), 1 / x), np.array([1e-3, 1e-4, 1, 1e4])),
    (lambda x: (1e6 + np.sum(x ** 2), 2 * x), normal(4, 5)),
    (lambda x: (1e-12 * np.sum(x ** 2), 2e-12 * x), normal(4, 5)),
    (lambda x: (1e12 * np.sum(x ** 2), 2e12 * x), normal(4, 5)),
    (lambda x: (np.sum(x ** 2), 2 * x), 1e8 * normal(4, 5)),
    (lambda x: (x ** 3, 3 * x ** 2), np.array(2.0)),
    (lambda x: (np.sum(x ** 2), 2 * x), normal(4, 6).T[::2]),
], ids=["square", "exp", "steep sine", "norm near 0", "1/x", "log", "offset", "tiny", "huge", "large x", "0-d", "strided"])
def test_smooth_costs_pass_with_digits_to_spare(f, x):
    report = check(f, x)
    assert report.passed and report.error < 1e-7 and report.worst.word == "happy", report
    assert report.rows[0].entries == x.size and report.rows[0].kinks == 0


def test_the_layers_of_this_file_pass():
    a = normal(2, 6, 4, 2)
    for layer, a_prev in [(Conv(), a), (Conv(pad=0), a), (Dense(), normal(5, 4)), (ReLU(), a), (MaxPool(), a), (BatchNorm(), normal(6, 3))]:
        report = check_layer(layer, a_prev)
        assert report.passed and report.error < 1e-7, report
        assert [row.name for row in report.rows] == ["a_prev", *layer.params]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10 ** 6), st.integers(1, 5), st.integers(1, 6), st.integers(-8, 8))
def test_any_right_triplet_gradient_passes_and_any_doubled_one_fails(seed, m, n_f, power):
    def cost(f_A, f_P, f_N, k=1):
        J, gradients = triplet(f_A, f_P, f_N)
        return s * J, tuple(k * s * g for g in gradients)

    s, x = 10.0 ** power, [normal(m, n_f, seed=seed + i) for i in range(3)]
    report = check(cost, *x)
    assert report.passed, report
    if any(np.any(g) for g in triplet(*x)[1]):
        assert not check(lambda f_A, f_P, f_N: cost(f_A, f_P, f_N, 2), *x).passed


def test_the_dict_form_and_the_names():
    x = {"W": normal(3, 2), "b": normal(2)}
    f = lambda x: (np.sum(x["W"] ** 2) + np.sum(x["W"] * x["b"]), {"W": 2 * x["W"] + x["b"], "b": x["W"].sum(0)})
    report = check(f, x)
    assert report.passed and [row.name for row in report.rows] == ["W", "b"]
    product = lambda a, b: (np.sum(a * b), (b, a))
    assert [row.name for row in check(product, normal(3), normal(3, seed=1)).rows] == ["a", "b"]
    assert [row.name for row in check(product, normal(3), normal(3, seed=1), names=("p", "q")).rows] == ["p", "q"]
    assert [row.name for row in check(lambda *a: product(*a), normal(3), normal(3, seed=1)).rows] == ["x1", "x2"]


def test_cost_alone_is_used_and_the_estimate_comes_first():
    said, calls = [], [0, 0]

    def f(x):
        calls[0] += 1
        return np.sum(x ** 2), 2 * x

    def cost(x):
        assert said
        calls[1] += 1
        return np.sum(x ** 2)

    report = check(f, normal(10), cost=lambda x: np.sum(x ** 2), say=said.append)
    assert len(said) == 1 and "40 evaluations" in said[0]
    assert check(f, normal(10), cost=cost).passed
    assert calls[0] == 4 and calls[1] == report.evaluations == 52       # 12 to measure the noise, 4 for each entry


def test_the_callers_arrays_are_neither_changed_nor_handed_out():
    x = normal(5)
    x.flags.writeable = False
    seen = []
    assert check(lambda x: (seen.append(x), (np.sum(x ** 2) / 2, x))[1], x).passed      # the gradient IS the argument
    assert not any(np.shares_memory(x, y) for y in seen)
    layer = Conv()
    before, a_prev = {k: v.copy() for k, v in layer.params.items()}, normal(1, 4, 4, 2)
    params = layer.params
    check_layer(layer, a_prev)
    assert layer.params is params and all(np.array_equal(params[k], before[k]) for k in params)


# ---- planted mistakes are caught, located and named ----------------------------------------------------------------------

@pytest.mark.parametrize("mistake, hint", [
    (lambda g: 2 * g, "2 x numerical"), (lambda g: g / 2, "1/2 x numerical"), (lambda g: -g, "sign"), (lambda g: 0 * g, "zero"),
    (lambda g: g.T, "transposed"), (lambda g: g[::-1], ""), (lambda g: 1.001 * g, "constant factor"), (lambda g: g + 1e-4, ""),
    (lambda g: g.astype(np.float16).astype(float), ""), (lambda g: np.roll(g, 1, 1), "shifted by one along axis 1"),
    (lambda g: 7 * g, "7 x numerical"), (lambda g: g / 36, "number of entries of x"), (lambda g: 36 ** 2 * g, "square of the number"),
], ids=["x2", "half", "sign", "zero", "transpose", "upside down", "0.1 %", "offset", "float16", "roll", "x7", "1/N", "N^2"])
def test_wrong_gradients_of_a_smooth_cost(mistake, hint):
    x = normal(6, 6)
    right = lambda x: 2 * np.exp(x) + x
    report = check(lambda x: (np.sum(2 * np.exp(x) + x ** 2 / 2), mistake(right(x))), x)
    off = np.abs(mistake(right(x)) - right(x))
    row = report.worst
    assert not report.passed and row.word in ("suspicious", "uncomfortable", "wrong"), report
    assert off[row.index] > 0.999 * off.max()
    assert row.analytic == pytest.approx(mistake(right(x))[row.index]) and row.numerical == pytest.approx(right(x)[row.index])
    assert hint in row.hint and (hint or not row.hint), report
    assert row.place in str(report) and "FAILED for x" in str(report)


@pytest.mark.parametrize("layer, a_prev, name, hint", [
    (Conv(bug="pad"), normal(2, 5, 5, 2), "a_prev", "shifted by one along axis 1 and 2"),
    (Conv(bug="border"), normal(1, 6, 5, 2), "a_prev", "no gradient, but should"),
    (Conv(bug="flip"), normal(2, 5, 5, 2), "W", "cross-correlation"),
    (Conv(bug="channel"), normal(2, 5, 5, 2), "W", "index 1 along axis 3"),
    (Conv(bug="first picture"), normal(2, 5, 5, 2), "b", ""),
    (Dense(bug="transpose"), normal(5, 4), "W", "axes 0 and 1 are exchanged"),
    (Dense(4, 3, bug="reshape"), normal(5, 4), "W", "transpose instead"),
    (Dense(4, 3, bug="m"), normal(5, 4), "b", "1/5 x numerical everywhere; 5: the length of axis 0 of a_prev"),
    (ReLU(bug="no mask"), normal(2, 3, 3, 2), "a_prev", "mask"),
], ids=lambda value: getattr(value, "bug", None))
def test_wrong_layers(layer, a_prev, name, hint):
    report = check_layer(layer, a_prev)
    assert [row.name for row in report.rows if not row.passed] == [name], report
    assert hint in report[name].hint, report


def test_one_wrong_channel_is_located():
    row = check_layer(Conv(bug="channel"), normal(2, 5, 5, 2))["W"]
    assert row.index[3] == 1 and row.analytic == pytest.approx(0.9 * row.numerical)
    assert np.all(np.nan_to_num(row.errors[..., [0, 2]]) < 1e-7) and np.all(row.errors[..., 1] > 1e-6)


@pytest.mark.parametrize("bug, wrong", [("order", "f_P f_N"), ("sum before max", "f_A f_P f_N"), ("no max", "f_A f_P f_N")])
def test_wrong_triplets(bug, wrong):
    x = normal(6, 4), normal(6, 4, seed=1), normal(6, 4, seed=2)
    assert check(triplet, *x).passed
    report = check(lambda f_A, f_P, f_N: triplet(f_A, f_P, f_N, margin=3, bug=bug), *x)
    assert " ".join(row.name for row in report.rows if not row.passed) == wrong
    if bug == "order":
        assert "gradient of f_N" in report["f_P"].hint and "gradient of f_P" in report["f_N"].hint
    else:
        assert "mask" in report.worst.hint      # triplets that are not active get a gradient


def test_brackets_missing_in_the_content_cost():
    a_C, a_G = normal(1, 3, 4, 2), normal(1, 3, 4, 2, seed=1)
    assert check(content(a_C), a_G).passed
    report = check(content(a_C, count=lambda d: 1 / d.size), a_G)       # 1/4*h*w*c is h w c / 4
    assert not report.passed and "576 x numerical" in report.worst.hint and "square of the number of entries of a_G" in report.worst.hint
    report = check(content(a_C, count=lambda d: d.shape[1] * d.shape[1] * d.shape[3]), a_G)     # n_H n_H n_C
    assert "analytic = 1.33333 x numerical" in report.worst.hint


@pytest.mark.parametrize("where", [0, 34567, 99999])
def test_one_wrong_entry_of_a_hundred_thousand(where):
    def f(x):
        g = 2 * x
        g[where] *= 1.01
        return np.sum(x ** 2), g

    x = normal(100_000)
    report = check(f, x, cost=lambda x: np.sum(x ** 2))
    row = report.worst
    assert not report.passed and row.index == (where,)
    assert row.analytic == pytest.approx(2.02 * x[where]) and row.numerical == pytest.approx(2 * x[where])
    assert row.directions == 5 and row.entries < 70


def test_many_small_errors_are_seen_along_directions():
    x, wrong = normal(100_000), np.random.default_rng(1).random(100_000) < 0.01
    report = check(lambda x: (np.sum(x ** 2), 2 * x * np.where(wrong, 1.5, 1)), x, cost=lambda x: np.sum(x ** 2))
    assert not report.passed and wrong[report.worst.index], report


def test_a_large_array_that_is_right():
    report = check(lambda x: (np.sum(np.sin(x)), np.cos(x)), normal(300, 400))
    assert report.passed and report.error < 1e-7, report
    assert report.evaluations < 600 and "of 120000 entries, 5 directions" in report.line("x")


def test_the_only_part_of_a_large_array_that_matters():
    """All but one gradient is zero: the sample holds the largest analytic one, and the directions hold the true one."""
    f = lambda x: (x[777] ** 2, np.where(np.arange(x.size) == 777, 2 * x, 0))
    assert check(f, normal(5000)).passed
    report = check(lambda x: (f(x)[0], np.zeros(x.size)), normal(5000))
    assert not report.passed and report.worst.index == (777,)


# ---- layers and networks -------------------------------------------------------------------------------------------------

def test_dropout_draws_the_same_mask_at_every_call():
    report = check_layer(Dropout(), normal(3, 8), training=True)
    assert report.passed and report.error < 1e-7
    assert not np.isnan(report["a_prev"].errors).any()

    class Unseeded(Dropout):
        def forward(self, a_prev, training=False, rng=None):
            return super().forward(a_prev, training, self.rng)
    layer = Unseeded()
    layer.rng = np.random.default_rng(0)
    with pytest.raises(NumericsError, match=r"f\(x\) differs between two calls.*seed"):
        check_layer(layer, normal(3, 8), training=True)


def test_training_leaves_the_state_as_it_was():
    layer = BatchNorm()
    state = {k: v.copy() for k, v in layer.state.items()}
    for training in (False, True):
        assert check_layer(layer, normal(6, 3), training=training).passed
    assert all(np.array_equal(layer.state[k], state[k]) for k in state)


def test_parameters_in_float32_are_checked_in_float64():
    layer = Dense()
    layer.params = {k: v.astype(np.float32) for k, v in layer.params.items()}
    report = check_layer(layer, normal(5, 4))
    assert report.passed and report.error < 1e-7
    assert layer.params["W"].dtype == np.float32


def test_every_output_counts_separately():
    """Errors that cancel in a plain sum of outputs: two columns of dz exchanged."""
    class Swapped(Dense):
        def backward(self, dz, a_prev):
            return super().backward(dz[:, [1, 0, 2, 3]], a_prev)
    report = check_layer(Swapped(), normal(5, 4))
    assert [row.passed for row in report.rows] == [False] * 3


def test_wrong_keys_and_dz_in_place():
    with pytest.raises(ShapeError, match="gradients for a_prev, W; expected a_prev, W, b"):
        check_layer(Conv(bug="no b"), normal(1, 4, 4, 2))
    with pytest.raises(NumericsError, match="dz in place"):
        check_layer(Conv(bug="in place"), normal(1, 4, 4, 2))


def network(**bugs):
    return Network({"conv1": Conv(bug=bugs.get("conv1")), "relu1": ReLU(bug=bugs.get("relu1")), "pool1": MaxPool(),
                    "conv2": Conv(n_C_prev=3, n_C=2, bug=bugs.get("conv2")), "relu2": ReLU()})


def test_a_network_from_its_pixels_with_gradients_at_several_layers():
    x = normal(1, 6, 6, 2)
    for options in ({}, {"layers": ["relu1", "relu2"]}, {"layers": ("pool1", "conv2")}):
        report = check_network(network(), x, **options)
        assert report.passed and report.error < 1e-6, report
        assert [row.name for row in report.rows] == ["x", "conv1.W", "conv1.b", "conv2.W", "conv2.b"]


def test_a_parameter_behind_until_has_gradient_zero():
    report = check_network(network(), normal(1, 6, 6, 2), until="pool1")
    assert report.passed and report["conv2.W"].zero and not report["conv1.W"].zero

    class Forgetful(Network):
        def with_params(self, flat):
            return Forgetful(self.layers, dict(flat))

        def backward(self, da, caches):
            dx, grads = super().backward(da, caches)
            return dx, {k: g for k, g in grads.items() if k != "conv1.b"}
    report = check_network(Forgetful(network().layers), normal(1, 6, 6, 2))
    assert [row.name for row in report.rows if not row.passed] == ["conv1.b"] and "zero everywhere" in report["conv1.b"].hint


def test_a_network_in_training():
    net = Network({"dense": Dense(), "drop": Dropout(), "dense2": Dense(4, 3)})
    report = check_network(net, normal(5, 4), training=True)
    assert report.passed and report.error < 1e-7, report
    assert np.any(check_network(net, normal(5, 4))["x"].analytic != report["x"].analytic)


def test_a_network_names_the_layer_to_begin_with():
    report = check_network(network(conv2="flip"), normal(1, 6, 6, 2))
    assert [row.name for row in report.rows if not row.passed] == ["conv2.W"] and "begin with conv2.W" in str(report)
    report = check_network(network(relu1="no mask"), normal(1, 6, 6, 2))
    assert [row.name for row in report.rows if not row.passed] == ["x", "conv1.W", "conv1.b"], report


# ---- what is refused, and how --------------------------------------------------------------------------------------------

square = lambda x: (np.sum(x ** 2), 2 * x)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, np.longdouble, bool])
def test_only_float64(dtype):
    with pytest.raises(ShapeError, match=r"(?s)x is .*needs float64.*1e-2.*float32  4e-4   6e-2   1.*astype"):
        check(square, np.ones(3, dtype))
    with pytest.raises(ShapeError, match="a_prev is"):
        check_layer(Dense(), np.ones((2, 4), dtype))
    with pytest.raises(ShapeError, match="x is"):
        check_network(network(), np.ones((1, 4, 4, 2), dtype))


def test_float32_inside_f():
    with pytest.raises(ShapeError, match="(?s)J is float32.*float64"):
        check(lambda x: (np.sum(x.astype(np.float32) ** 2), 2 * x), normal(5))
    with pytest.raises(ShapeError, match="gradient of x is float32"):
        check(lambda x: (np.sum(x ** 2), (2 * x).astype(np.float32)), normal(5))
    with pytest.raises(NumericsError, match="never has more digits than float32"):
        check(lambda x: (float(np.sum(x.astype(np.float32) ** 2)), 2 * x), normal(5))
    assert not check(lambda x: (float(np.sum(x.astype(np.float32) ** 2)) / 3, 2 * x / 3), normal(5)).passed

    class Single(Dense):
        def forward(self, a_prev, training=False, rng=None):
            return super().forward(a_prev)[0].astype(np.float32), a_prev
    with pytest.raises(ShapeError, match="z is float32"):
        check_layer(Single(), normal(5, 4))


@pytest.mark.parametrize("f, error, message", [
    (lambda x: (np.sum(x ** 2), 2 * x[:2]), ShapeError, r"gradient of x has shape \(2,\); expected \(3,\)"),
    (lambda x: (np.sum(x ** 2), None), ShapeError, "gradient of x has shape"),
    (lambda x: (np.sum(x ** 2), (2 * x, x)), ShapeError, "2 gradients; expected 1.*lambda a_G"),
    (lambda x: (np.sum(x ** 2), {"y": x}), ShapeError, "gradients for y; expected x"),
    (lambda x: (x ** 2, 2 * x), ShapeError, r"J has shape \(3,\); expected one number"),
    (lambda x: np.sum(x ** 2), ShapeError, r"expected \(J, gradient\)"),
    (lambda x: (np.sum(x), x, x), ShapeError, "tuple of 3"),
    (lambda x: (np.nan, x), NumericsError, "J is nan"),
    (lambda x: (np.inf, x), NumericsError, "J is inf"),
    (lambda x: (1.0, np.array([1, np.nan, np.nan])), NumericsError, r"gradient of x has 2 nan or inf, first at \[1\]"),
    (lambda x: (np.sum(x) + 0j, x), ShapeError, "J is complex128"),
], ids=["shape", "None", "two", "dict", "vector J", "J alone", "triple", "nan", "inf", "nan gradient", "complex J"])
def test_what_f_must_return(f, error, message):
    with pytest.raises(error, match=message):
        check(f, normal(3))


def test_bad_arguments():
    for x, error, message in [(np.array([1, np.nan]), NumericsError, r"x has 1 nan or inf, first at \[1\]"),
                              (np.ones((0, 3)), ShapeError, r"shape \(0, 3\): no entry"), (1j * normal(3), ShapeError, "complex")]:
        with pytest.raises(error, match=message):
            check(square, x)
    with pytest.raises(ShapeError, match="no array"):
        check(lambda: (1.0, ()))
    with pytest.raises(ShapeError, match="different name"):
        check(lambda a, b: (np.sum(a * b), (b, a)), normal(3), normal(3), names=["a", "a"])
    assert check(square, [1.0, 2.0]).passed         # a list of floats is fine


def test_the_edge_of_where_J_is_defined():
    with pytest.raises(NumericsError, match=r"J is nan when x\[1\] moves by -"), np.errstate(invalid="ignore"):
        check(lambda x: (np.sum(np.log(x)), 1 / x), np.array([1, 4e-6]))


def test_random_and_changing_functions():
    rng = np.random.default_rng(0)
    with pytest.raises(NumericsError, match=r"f\(x\) differs between two calls \(J = .*then"):
        check(lambda x: (np.sum(x ** 2) + rng.random(), 2 * x), normal(3))
    with pytest.raises(NumericsError, match="differs between two calls"):
        check(lambda x: (np.sum(x ** 2), 2 * x + 1e-3 * rng.random()), normal(3))

    def changes(x, y):
        y[1] += 1
        return np.sum(x * y), (y, x)
    with pytest.raises(NumericsError, match=r"changed its argument y in place, first at \[1\].*copy"):
        check(changes, normal(3), normal(3))


# ---- the report ----------------------------------------------------------------------------------------------------------

def test_words_tolerance_and_lines():
    for off, word, passed in ((1e-9, "happy", True), (5e-7, "fine", True), (5e-5, "suspicious", False), (5e-3, "uncomfortable", False),
                              (0.5, "wrong", False)):
        f = lambda x: (np.sum(x ** 2), 2 * x + off * np.abs(2 * x).max())
        report = check(f, normal(5), names="x")
        assert report.worst.word == word and report.passed == passed and report.error == pytest.approx(off, rel=0.5)
        assert check(f, normal(5), tolerance=1).passed and not check(f, normal(5), tolerance=off / 10).passed
    assert len(report.line("x").splitlines()) == 1 and "x" in report.line("x") and "5 entries" in report.line("x")
    assert report.worst is report["x"] and len(str(report).splitlines()) <= 5


def test_same_seed_same_report():
    a, b = (check(lambda x: (np.sum(np.sin(x)), np.cos(x)), normal(1000), rng=3) for _ in range(2))
    assert str(a) == str(b) and a.error == b.error


# ---- complex step and error curve ----------------------------------------------------------------------------------------

def test_complex_step_is_exact_to_the_last_digits():
    f = lambda x: (np.sum(np.exp(x) * x / (1 + x * x)), np.exp(x) * (1 + x) / (1 + x ** 2) - 2 * x ** 2 * np.exp(x) / (1 + x ** 2) ** 2)
    report = complex_step(f, normal(5, 6))
    assert report.passed and report.error < 2e-15 and report["x"].entries == 30
    report = complex_step(lambda x: (f(x)[0], f(x)[1] * (1 + 1e-9)), normal(5, 6))
    assert not report.passed and report.error == pytest.approx(1e-9, rel=0.1)
    report = complex_step(lambda a, b: (np.sum(a * b), (b, 2 * a)), normal(3), normal(3, seed=1))
    assert report["a"].passed and "2 x numerical" in report["b"].hint
    assert complex_step(lambda x: (np.sum(x * x), 2 * x), normal(5000)).error < 1e-13
    assert complex_step(lambda x: (np.sum(x["w"] * x["w"]), {"w": 2 * x["w"]}), {"w": normal(4)}).passed


def test_complex_step_tells_when_the_imaginary_part_is_lost():
    with pytest.raises(NumericsError, match="imaginary part"):
        complex_step(lambda x: (np.sum(np.abs(x) ** 2), 2 * x.real), normal(3))


def test_error_curve_reproduces_the_table():
    """J = 1/2 sum x^2, 1000 entries: the numbers of the page on gradient checking, each within a factor of 5 (this is noise)."""
    x, f = np.random.default_rng(0).standard_normal(1000), lambda x: (0.5 * np.sum(x ** 2), x)
    steps = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]
    table = {np.float32: [5e-5, 4e-4, 5e-3, 6e-2, 0.59, 1, 1], np.float64: [1e-13, 1e-12, 1e-11, 1e-10, 2e-9, 1e-8, 1e-7]}
    for dtype, expected in table.items():
        curve = error_curve(f, x, steps=steps, dtype=dtype)
        assert [h for h, _ in curve] == steps
        assert np.all(np.abs(np.log10([e for _, e in curve]) - np.log10(expected)) < np.log10(5)), curve


def test_error_curve_falls_with_h_squared_then_rises():
    curve = error_curve(lambda a, b: (np.sum(np.exp(a) * b), (np.exp(a) * b, np.exp(a))), normal(20), normal(20, seed=1))
    assert [h for h, _ in curve] == [float(f"1e-{k}") for k in range(1, 13)]       # to the bit, on any processor
    h, error = np.array(curve).T
    assert 1e-7 < h[np.argmin(error)] < 1e-3 and error.min() < 1e-9
    assert error[0] / error[1] == pytest.approx(100, rel=0.1) and error[-1] > 100 * error.min()
    assert error_curve(lambda x: (0.0, {"x": 0 * x["x"]}), {"x": normal(3)}, steps=[1e-3]) == [(1e-3, 0.0)]
