"""Optimisers: two steps of each by hand, Adam from the paper's algorithm, and a run that is stopped and goes on."""

import io

import numpy as np
import pytest

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.optimizers import Adam, GradientDescent, Momentum

EVERY = pytest.mark.parametrize("make", [lambda: GradientDescent(0.1), lambda: Momentum(0.1), lambda: Adam(0.1)],
                                ids=["GradientDescent", "Momentum", "Adam"])
KINDS = pytest.mark.parametrize("kind", [GradientDescent, Momentum, Adam])


def bowl(x):
    """J = 1/2 sum k x_k^2: each coordinate as steep as its number."""
    k = np.arange(1, x.size + 1, dtype=x.dtype).reshape(x.shape)
    return 0.5 * np.sum(k * x ** 2), k * x


def bowls(x):
    J = {name: bowl(array) for name, array in x.items()}
    return sum(J_n for J_n, _ in J.values()), {name: g for name, (_, g) in J.items()}


def run(opt, f, x, steps):
    """x and the costs on the way."""
    costs = []
    for _ in range(steps):
        x, J = opt.step(f, x)
        costs.append(J)
    return x, costs


# ---- by hand -------------------------------------------------------------------------------------------------------------

def test_gradient_descent():
    x, costs = run(GradientDescent(0.1), bowl, np.array([1., 1]), 2)
    assert np.allclose(x, [0.9 ** 2, 0.8 ** 2], rtol=1e-15)
    assert costs == pytest.approx([1.5, 0.5 * (0.9 ** 2 + 2 * 0.8 ** 2)], rel=1e-15)                    # the cost of the x before each step


def test_momentum_is_the_lectures_average_of_gradients():
    opt, g = Momentum(0.5, beta=0.8), iter([10., 20])
    x, _ = run(opt, lambda x: (0, np.array([next(g)])), np.array([0.]), 2)
    v1 = 0.2 * 10
    v2 = 0.8 * v1 + 0.2 * 20
    assert x[0] == pytest.approx(-0.5 * v1 - 0.5 * v2, rel=1e-15)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_slope():
    x, _ = Adam(0.01).step(lambda x: (0, np.array([1e-3, -5.0, 700.0])), np.zeros(3))
    assert np.allclose(x, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_adam_from_algorithm_1():
    """Kingma & Ba 2015, written out for one number and two steps, g = 1 then -3."""
    alpha, beta1, beta2, epsilon = 0.1, 0.7, 0.9, 0.5
    m1, v1 = 0.3 * 1, 0.1 * 1
    m2, v2 = 0.7 * m1 + 0.3 * -3, 0.9 * v1 + 0.1 * 9
    expected = 5 - 0.1 * (m1 / 0.3) / ((v1 / 0.1) ** 0.5 + 0.5) - 0.1 * (m2 / (1 - 0.49)) / ((v2 / (1 - 0.81)) ** 0.5 + 0.5)
    g = iter([1., -3])
    x, _ = run(Adam(alpha, beta1, beta2, epsilon), lambda x: (0, np.array([next(g)])), np.array([5.]), 2)
    assert x[0] == pytest.approx(expected, rel=1e-14)


def test_adam_begins_with_the_constants_of_the_paper():
    opt = Adam()
    assert (opt.learning_rate, opt.beta1, opt.beta2, opt.epsilon) == (0.001, 0.9, 0.999, 1e-8)


# ---- what all share ------------------------------------------------------------------------------------------------------

@EVERY
def test_every_one_comes_down_a_bowl(make):
    _, costs = run(make(), bowl, np.array([3., -2, 1]), 300)
    assert costs[-1] < 1e-6 * costs[0]


@EVERY
def test_a_dict_of_arrays_goes_as_its_arrays_would_alone(make):
    x = {"conv1.W": np.arange(6.).reshape(2, 3), "conv1.b": np.array([5.])}
    together, _ = run(make(), bowls, x, 3)
    for name in x:
        assert np.array_equal(together[name], run(make(), bowl, x[name], 3)[0])


@EVERY
def test_x_and_its_gradient_are_left_as_they_were(make):
    opt, x, g = make(), np.array([1., 2]), np.array([3., 4])
    x.flags.writeable = g.flags.writeable = False
    new, _ = run(opt, lambda x: (0, g), x, 2)
    assert x.tolist() == [1, 2] and g.tolist() == [3, 4] and not np.shares_memory(new, x)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(make, dtype):
    opt = make()
    assert run(opt, bowl, np.ones(3, dtype), 3)[0].dtype == dtype
    assert all(array.dtype == dtype for name, array in opt.state().items() if name != "t")


@KINDS
def test_a_learning_rate_from_numpy_keeps_the_dtype_too(kind):
    rate = np.geomspace(1e-3, 1, 4)[1]                                  # a float64 of NumPy, which is stronger than Python's
    assert run(kind(rate), bowl, np.ones(3, np.float32), 2)[0].dtype == np.float32


@EVERY
def test_a_run_that_is_stopped_and_resumed_ends_on_the_same_bits(make):
    x = {"W": np.array([3., -2]), "b": np.array([0.5], np.float32)}
    whole, _ = run(make(), bowls, x, 7)
    first = make()
    half, _ = run(first, bowls, x, 3)
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    second = make()
    second.load_state(dict(np.load(file)))
    rest, _ = run(second, bowls, half, 4)
    assert all(np.array_equal(rest[name], whole[name]) and rest[name].dtype == x[name].dtype for name in x)


@EVERY
def test_a_state_once_taken_does_not_move(make):
    opt = make()
    x, _ = run(opt, bowl, np.ones(2), 2)
    state = opt.state()
    before = {name: array.copy() for name, array in state.items()}
    run(opt, bowl, x, 2)
    assert all(np.array_equal(state[name], before[name]) for name in state)


@EVERY
@pytest.mark.parametrize("bad", [(np.nan, np.ones(2)), (np.inf, np.ones(2)), (1.0, np.array([1, np.nan])), (1.0, np.array([np.inf, 1]))])
def test_what_is_not_finite_is_refused_and_changes_no_memory(make, bad):
    opt = make()
    x, _ = run(opt, bowl, np.ones(2), 2)
    before = {name: array.copy() for name, array in opt.state().items()}
    with pytest.raises(NumericsError, match=r"not finite at step 2: lower learning_rate \(now 0.1\)"):
        opt.step(lambda x: bad, x)
    after = opt.state()
    assert after.keys() == before.keys() and all(np.array_equal(after[name], before[name]) for name in after)
    assert np.array_equal(opt.step(bowl, x)[0], run(make(), bowl, np.ones(2), 3)[0])


@EVERY
def test_a_failure_inside_f_changes_no_memory(make):
    opt = make()

    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opt.step(f, np.ones(2))
    assert np.array_equal(opt.step(bowl, np.ones(2))[0], make().step(bowl, np.ones(2))[0])


@KINDS
@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
def test_s22_a_learning_rate_that_is_none(kind, rate):
    with pytest.raises(ShapeError, match="learning_rate = .*; expected a number above 0"):
        kind(rate)
