"""The steps of style transfer, on a tiny network."""

import numpy as np
import pytest

from scratchnet import style
from scratchnet.activations import ReLU
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.layers import Conv2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.optimizers import GradientDescent
from tests.tiny_painting import NET, SETTINGS, C, S, network, transfer


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

    def state(self):
        return {}

    def load_state(self, state):
        pass


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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_no_number_ends_the_run():
    net = NET.with_params({key: 1e25 * p for key, p in NET.params.items()})
    with pytest.raises(NumericsError, match="J is no number at step 0: the output of conv2, .* has 80 infinite"):
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
