"""Style transfer on a network so small that the gradient of J can be checked down to every pixel."""

import tracemalloc

import numpy as np
import pytest

from scratchnet import gradcheck, models, style
from scratchnet.activations import ReLU
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.layers import AvgPool2D, Conv2D, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.optimizers import GradientDescent
from scratchnet.style_costs import CONTENT, content_cost, gram, layer_style_cost, total_variation

SETTINGS = dict(content_layer="relu2", lam={"relu1": 0.4, "relu3": 0.6})


def network(seed=0):
    """Three blocks, both poolings, BGR and a mean: what VGG has, tiny."""
    rng = np.random.default_rng(seed)
    return Network({
        "input": Preprocess(order="BGR", scale=4.0, mean=(1.7, 1.9, 2.0)),
        "conv1": Conv2D(3, 4, rng=rng), "relu1": ReLU(), "pool1": MaxPool2D(),
        "conv2": Conv2D(4, 5, rng=rng), "relu2": ReLU(), "pool2": AvgPool2D(),
        "conv3": Conv2D(5, 6, rng=rng), "relu3": ReLU(), "pool3": MaxPool2D(),
    })


def picture(seed, n_H=8, n_W=9, dtype=np.float32):
    return np.random.default_rng(seed).random((1, n_H, n_W, 3)).astype(dtype)


NET, C, S = network(), picture(1), picture(2, 12, 7)


def transfer(C=C, S=S, steps=2, net=NET, **settings):
    """The Steps of a run, as a list."""
    return list(style.transfer(net, C, S, steps, **{**SETTINGS, **settings}))


# ---- J and its gradient --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("normalise", list(CONTENT))
def test_gradient_of_the_total_cost_at_every_pixel(normalise):
    C, S, G = [picture(seed, 8, n_W, np.float64) for seed, n_W in ((1, 9), (2, 12), (3, 9))]
    cost = style.TotalCost(network(), C, S, normalise=normalise, alpha=0.7, beta=2.0, tv=0.5, **SETTINGS)

    def f(G):
        step, dG = cost(G)
        return step.J, dG

    report = gradcheck.check(f, G, cost=lambda G: cost.step(G, 0).J)
    assert report.passed, report


def test_total_cost_is_the_lectures_formula():
    settings = dict(alpha=0.7, beta=2.0, tv=0.5, normalise="lecture")
    G = picture(3)
    step, _ = style.TotalCost(NET, C, S, **SETTINGS, **settings)(G)
    a_C, a_S, a_G = [NET.forward(x, until="relu3", keep=["relu1", "relu2", "relu3"])[0] for x in (C, S, G)]
    J_content = content_cost(a_C["relu2"], a_G["relu2"])[0]
    J_layer = {l: layer_style_cost(gram(a_S[l], positions=n), a_G[l])[0] for l, n in (("relu1", 72), ("relu3", 4))}
    assert step.J_content == pytest.approx(J_content, rel=1e-5) and step.per_layer == pytest.approx(J_layer, rel=1e-5)
    assert step.J_style == pytest.approx(0.4 * J_layer["relu1"] + 0.6 * J_layer["relu3"], rel=1e-5)
    assert step.J_tv == pytest.approx(total_variation(G)[0] / 72, rel=1e-5)
    assert step.J == pytest.approx(0.7 * step.J_content + 2.0 * step.J_style + 0.5 * step.J_tv, rel=1e-5)


def test_a_layer_may_count_for_content_and_style():
    cost = style.TotalCost(NET, C.astype(np.float64), S, content_layer="relu2", lam={"relu2": 1.0})
    report = gradcheck.check(lambda G: (cost(G)[0].J, cost(G)[1]), picture(3, dtype=np.float64))
    assert report.passed, report


def test_the_costs_alone_are_those_that_come_with_the_gradient():
    cost = style.TotalCost(NET, C, S, **SETTINGS)
    with_gradient, alone = cost(picture(3), 5)[0], cost.step(picture(3), 5)
    assert (with_gradient.i, with_gradient.J, with_gradient.per_layer) == (alone.i, alone.J, alone.per_layer)


def test_nothing_runs_behind_the_deepest_layer_that_counts(monkeypatch):
    net = network()
    monkeypatch.setattr(net.layers["conv3"], "forward", lambda *args, **options: pytest.fail("conv3 was run"), raising=False)
    list(style.transfer(net, C, S, 1, content_layer="relu2", lam={"relu1": 1}))


# ---- the steps -----------------------------------------------------------------------------------------------------------

def test_j_falls_and_every_step_comes_with_its_number():
    steps = transfer(steps=30)
    assert [step.i for step in steps] == list(range(31))
    assert steps[-1].J < 0.5 * steps[0].J
    assert all(set(step.per_layer) == {"relu1", "relu3"} for step in steps)


def test_the_costs_of_a_step_are_those_of_its_own_picture():
    cost = style.TotalCost(NET, C, S, **SETTINGS)
    for step in transfer(steps=3):
        assert step.J == pytest.approx(cost.step(step.G, 0).J, rel=1e-6)


def test_a_step_goes_down_the_gradient_and_back_into_the_picture():
    first, second = transfer(steps=1, optimizer=GradientDescent(0.1))
    dG = style.TotalCost(NET, C, S, **SETTINGS)(first.G)[1]
    assert np.allclose(second.G, np.clip(first.G - 0.1 * dG, 0, 1), atol=1e-6)


def test_pixels_stay_in_range_and_pictures_of_steps_are_their_own():
    steps = transfer(steps=5, optimizer=GradientDescent(100.0))
    assert all(step.G.shape == C.shape and 0 <= step.G.min() and step.G.max() <= 1 for step in steps)
    assert not any(np.shares_memory(one.G, two.G) for one, two in zip(steps, steps[1:]))


class WithALineSearch:
    """Asks for the cost at a second place, as L-BFGS does, before it decides."""

    def step(self, f, x):
        J, dx = f(x)
        f(x - 0.5 * dx)
        return x - 1e-3 * dx, J


def test_an_optimiser_may_ask_for_more_values_on_the_way():
    first, second = transfer(steps=1, optimizer=WithALineSearch())
    assert np.array_equal(first.G, C)
    assert np.allclose(second.G, C, atol=0.1) and not np.array_equal(second.G, C)


def test_zero_steps_give_the_start():
    only, = transfer(steps=0)
    assert only.i == 0 and np.array_equal(only.G, C)


def test_the_first_step_from_the_content_has_no_content_cost():
    first = next(style.transfer(NET, C, S, 1, **SETTINGS))
    assert first.J_content == 0 and np.array_equal(first.G, C) and first.J_style > 0


def test_pictures_given_and_weights_are_left_alone():
    net, c, s = network(), C.copy(), S.copy()
    params = {key: p.copy() for key, p in net.params.items()}
    transfer(c, s, 2, net)
    assert np.array_equal(c, C) and np.array_equal(s, S)
    assert all(np.array_equal(p, params[key]) for key, p in net.params.items()) and not net.frozen


@pytest.mark.parametrize("start", style.STARTS)
def test_the_same_seed_gives_the_same_run_to_the_last_bit(start):
    one, two = transfer(start=start, seed=7), transfer(start=start, seed=7)
    assert all(np.array_equal(a.G, b.G) and a.J == b.J for a, b in zip(one, two))


# ---- sizes and dtypes ----------------------------------------------------------------------------------------------------

def test_a_style_picture_twice_as_large_is_the_same_style():
    """Exactly so where filters see one pixel each and no border differs."""
    net = Network({"conv1": Conv2D(3, 4, f=1), "relu1": ReLU(), "conv2": Conv2D(4, 4, f=1), "relu2": ReLU()})
    settings = dict(content_layer="relu2", lam={"relu1": 1.0, "relu2": 1.0})
    once, twice = [transfer(C, s, 1, net, **settings) for s in (S, np.tile(S, (1, 2, 1, 1)))]
    assert once[0].J == pytest.approx(twice[0].J, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_that_of_the_content(dtype):
    assert [step.G.dtype for step in transfer(C.astype(dtype), S.astype(dtype))] == 3 * [dtype]


@pytest.mark.parametrize("what", [dict(S=S.astype(np.float64)), dict(alpha=np.float64(0.3)), dict(tv=np.float64(0.1)),
                                  dict(lam={"relu1": np.float64(1)}), dict(start="mix", mix=np.float64(0.5))],
                         ids="S alpha tv lam mix".split())
def test_float32_stays_float32_whatever_else_is_given(what):
    what["S"] = what.get("S", S)
    assert [step.G.dtype for step in transfer(**what)] == 3 * [np.float32]


def test_bytes_are_pictures_too():
    c = (255 * C).round().astype(np.uint8)
    assert np.allclose(transfer(c, S, 1)[1].G, transfer(np.float32(c) / 255, S, 1)[1].G, atol=1e-6)


@pytest.mark.parametrize("which", ["C", "S", "weights"])
def test_n20_black_pictures_and_weights_of_zero_work(which):
    black, net = np.zeros_like(C), Network({**network().layers, "input": Preprocess()})
    if which == "weights":
        net = net.with_params({key: np.zeros_like(p) for key, p in net.params.items()})
    steps = transfer(black if which == "C" else C, black if which == "S" else S, 2, net, start="noise")
    assert all(np.isfinite(step.J) and np.isfinite(step.G).all() for step in steps)


def test_what_is_no_number_ends_the_run():
    net = NET.with_params({key: 1e25 * p for key, p in NET.params.items()})
    with pytest.raises(NumericsError, match="J = (nan|inf)"):
        transfer(net=net)


# ---- what is refused, at once and in which words -------------------------------------------------------------------------

@pytest.mark.parametrize("settings, error, words", [
    (dict(content_layer="relu_2"), ShapeError, r"unknown layer 'relu_2'; did you mean 'relu2'\? Available: input"),
    (dict(lam={"relu9": 1}), ShapeError, "unknown layer 'relu9'; did you mean"),
    (dict(content_layer=None), ShapeError, "unknown layer None"),
    (dict(lam=["relu1", "relu3"]), ShapeError, "layer: weight"),
    (dict(lam={}), ShapeError, "expected {layer: weight}"), (dict(lam={"relu1": 0}), ShapeError, "not all zero"),
    (dict(lam={"relu1": -1}), ShapeError, "weights from 0 up"), (dict(lam={"relu1": float("nan")}), ShapeError, "weights from 0 up"),
    (dict(alpha=-1), ShapeError, "alpha = -1; expected a number from 0 up"), (dict(beta=float("inf")), ShapeError, "beta = inf"),
    (dict(tv=float("nan")), ShapeError, "tv = nan"), (dict(normalise="gatys"), ShapeError, "expected one of 'lecture'"),
    (dict(start="random"), ShapeError, "start = 'random'; expected one of content, noise, mix"),
    (dict(start="mix", mix=1.5), ShapeError, "mix = 1.5"),
    (dict(steps=-1), ShapeError, "steps = -1"), (dict(steps=2.5), ShapeError, "steps = 2.5"),
    (dict(C=C[:, :3]), ShapeError, "needs at least 4x4; C is 3x9"), (dict(S=S[:, :, :2]), ShapeError, "needs at least 4x4; S is 12x2"),
    (dict(C=255 * C), ImageError, "Divide by 255"), (dict(S=np.full_like(S, np.nan)), ImageError, "NaN"),
    (dict(C=C.transpose(0, 3, 1, 2)), ImageError, "channels"), (dict(C=np.concatenate([C, C])), ImageError, "one picture")],
    ids=lambda case: case if isinstance(case, str) else "+".join(case) if isinstance(case, dict) else "")
def test_what_cannot_work_is_refused_before_the_first_step(settings, error, words):
    given = {"C": C, "S": S, "steps": 1, **SETTINGS, **settings}
    with pytest.raises(error, match=words):
        style.transfer(NET, **given)


# ---- borders -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("until, sides, left", [
    ("relu5_1", (256, 218), (0, 10)), ("relu5_1", (33, 47), (1, 15)), ("relu5_1", (256, 208), (0, 0)),
    ("relu4_1", (256, 218), (0, 2)), ("relu1_1", (33, 47), (0, 0))])
def test_i21_what_poolings_leave_over_is_what_changes_nothing_behind_them(until, sides, left):
    net = models.random_filters() if until != "relu5_1" else models.small_vgg()
    assert style.left_over(net, until, (1, *sides, 3)) == left
    rows, columns = net.summary((1, *sides, 3), until).rows[-1].shape[1:3]
    assert (rows * style.step_of(net, until) + left[0], columns * style.step_of(net, until) + left[1]) == sides


def test_i21_the_gradient_is_weaker_where_something_is_left_over():
    net, x = models.small_vgg(), np.random.default_rng(0).random((1, 64, 64 + 15, 3)).astype(np.float32)
    a, caches = net.forward(x, until="relu5_1", keep=["relu5_1"])
    dx, _ = net.backward({"relu5_1": np.ones_like(a["relu5_1"])}, caches)
    near, far = np.abs(dx[0, :, -4:]).sum(), np.abs(dx[0, :, :4]).sum()
    assert style.left_over(net, "relu5_1", x.shape) == (0, 15) and near < 0.3 * far


def test_i21_of_windows_that_overlap_nothing_is_said():
    net = models.alexnet()
    assert style.left_over(net, "relu4", (1, 225, 231, 3)) == (0, 0)


# ---- memory --------------------------------------------------------------------------------------------------------------

def test_memory_of_vgg19_is_within_sight_of_what_is_known():
    net = models.vgg19()
    small, large = [style.memory(net, (1, *size, 3)) / 2 ** 20 for size in ((150, 200), (300, 400))]
    assert 250 < small < large and 400 < large < 900                   # PyTorch: 770 to 870 MB at 300x400
    shallow = style.memory(net, (1, 300, 400, 3), content_layer="relu1_1", lam={"relu1_1": 1}) / 2 ** 20
    assert shallow < large - 49                                        # the parameters to conv5_1 alone are 49.4 MB


def test_memory_counts_all_that_a_step_takes():
    """Many channels on a small picture: what the filters need decides."""
    rng = np.random.default_rng(0)
    net = Network({"conv1": Conv2D(3, 512, rng=rng), "relu1": ReLU(), "conv2": Conv2D(512, 512, rng=rng), "relu2": ReLU(),
                   "conv3": Conv2D(512, 512, rng=rng), "relu3": ReLU(), "conv4": Conv2D(512, 512, rng=rng), "relu4": ReLU()}).freeze()
    C, settings = picture(0, 16, 16), dict(content_layer="relu4", lam={"relu1": 1})
    tracemalloc.start()
    style.TotalCost(net, C, C, **settings)(C)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parameters = sum(p.nbytes for p in net.params.values())
    assert parameters + peak <= style.memory(net, C.shape, **settings) - style.PROGRAM


def test_memory_refuses_an_unknown_layer_in_words():
    with pytest.raises(ShapeError, match="did you mean 'relu2'"):
        style.memory(NET, C.shape, content_layer="relu_2", lam={"relu1": 1})
