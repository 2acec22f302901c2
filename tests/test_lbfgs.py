"""L-BFGS: one iteration by hand, BFGS as it is defined, known minima, SciPy's way down, why it stops, and a run that goes on."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from scratchnet import lbfgs
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.lbfgs import direction
from scratchnet.optimizers import LBFGS, OPTIMIZERS

REFERENCE = Path(__file__).parent / "reference" / "lbfgs.npz"


def rosenbrock(x):
    """J = sum_k 100 (x_{k+1} - x_k^2)^2 + (1 - x_k)^2: a bent valley, its lowest place at 1."""
    a, r = x[:-1], x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[:-1] = -400 * a * r - 2 * (1 - a)
    g[1:] += 200 * r
    return float(np.sum(100 * r ** 2 + (1 - a) ** 2)), g


def valley_start(n, dtype=np.float64):
    return np.tile(np.array([-1.2, 1], dtype), n // 2)


def bowl(x):
    """J = 1/2 (x_1^2 + 3 x_2^2 + 5 x_3^2 ...)"""
    k = np.arange(1, 2 * x.size, 2, dtype=x.dtype).reshape(x.shape)
    return 0.5 * float(np.sum(k * x ** 2)), k * x


def bowls(x):
    J = {name: bowl(array) for name, array in x.items()}
    return sum(J_n for J_n, _ in J.values()), {name: g for name, (_, g) in J.items()}


def run(opt, f, x, steps=1000):
    """Where it ends, and the costs on the way."""
    costs = []
    for _ in range(steps):
        if opt.stopped:
            break
        x, J = opt.step(f, x)
        costs.append(J)
    return x, costs


class Counted:
    """f, and every x that it was asked at."""

    def __init__(self, f):
        self.f, self.asked = f, []

    def __call__(self, x):
        self.asked.append(x)
        return self.f(x)


# ---- by hand -------------------------------------------------------------------------------------------------------------

def test_two_steps_by_hand():
    """J = 1/2 (x_1^2 + 3 x_2^2) from (1, 1), where g = (1, 3).

    First step, straight down. The first length moves x_2, which is steepest, by 0.01: a = 1/300. The slope, -10 at the start, is
    -10 + 28 a: it has to come to 9 at most, so 1/300 is too short, and so is 1/30; at 1/3 it is -2/3. So x = (2/3, 0), g = (2/3, 0).
    That taught s = (-1/3, -1), y = (-1/3, -3), s.y = 28/9, y.y = 82/9, and H y = s has H = 14/41 I to begin with. Second step:
    q = -g, alpha = s.q / s.y = 1/14, q - alpha y = (-9/14, 3/14), times 14/41: (-9/41, 3/41); beta = y.q / s.y = -27/574,
    d = q + (alpha - beta) s = (-223/861, -13/287). Its slope is -0.173, and -0.099 at a = 1: taken at once.
    """
    f, opt = Counted(bowl), LBFGS()
    x_1, J_0 = opt.step(f, np.array([1., 1]))
    assert J_0 == 2 and np.allclose(x_1, [2 / 3, 0], atol=1e-15)
    assert np.allclose(f.asked, [[1, 1], [1 - 1 / 300, 0.99], [1 - 1 / 30, 0.9], [2 / 3, 0]], atol=1e-15)
    x_2, J_1 = opt.step(f, x_1)
    assert J_1 == pytest.approx(2 / 9, rel=1e-14) and np.allclose(x_2, [2 / 3 - 223 / 861, -13 / 287], atol=1e-15)
    assert len(f.asked) == opt.evaluations == 5 and opt.t == 2


def test_at_zero_the_first_length_comes_from_J():
    """J = 1/2 (x - 1)^2 at 0: J = 1/2, g.g = 1, so a = 0.005, at which J would have fallen by a hundredth had the slope stayed."""
    f = Counted(lambda x: (0.5 * float((x[0] - 1) ** 2), x - 1))
    LBFGS().step(f, np.zeros(1))
    assert f.asked[1][0] == pytest.approx(0.005, rel=1e-14)
    f = Counted(lambda x: (0.5 * float((x[0] - 1) ** 2) - 0.5, x - 1))                # and where J is 0 too, it is 1
    assert LBFGS().step(f, np.zeros(1))[0] == 1 and len(f.asked) == 2


# ---- the direction -------------------------------------------------------------------------------------------------------

def some_pairs(seed, n, count):
    """(s, y, s.y) of a curvature that is above zero, as a run might have met them."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        root = rng.standard_normal((n, n))
        s = rng.standard_normal(n)
        y = root @ root.T @ s + 0.1 * s
        pairs.append(({"x": s}, {"x": y}, float(s @ y)))
    return pairs


def inverse_curvature(pairs, n):
    """H by its definition, as a matrix."""
    _, y, s_y = pairs[-1]
    H = np.eye(n) * s_y / (y["x"] @ y["x"])
    for s, y, s_y in pairs:
        s, y, rho = s["x"], y["x"], 1 / s_y
        V = np.eye(n) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H


@settings(deadline=None)
@given(some.integers(0, 2 ** 32 - 1), some.integers(1, 9), some.integers(1, 6))
def test_two_loops_are_the_matrix_of_bfgs(seed, n, count):
    pairs = some_pairs(seed, n, count)
    H, g = inverse_curvature(pairs, n), np.random.default_rng(seed).standard_normal(n)
    assert np.allclose(direction({"x": g}, pairs)["x"], -H @ g, rtol=1e-9, atol=1e-10 * np.linalg.norm(H) * np.linalg.norm(g))
    s, y, _ = pairs[-1]
    assert np.allclose(direction(y, pairs)["x"], -s["x"], rtol=1e-9, atol=1e-9 * np.linalg.norm(s["x"]))                # H y = s


def test_without_pairs_it_is_straight_down():
    assert direction({"x": np.array([1., -2])}, ())["x"].tolist() == [-1, 2]


def test_a_pair_is_the_way_and_what_the_gradient_did_on_it():
    opt, x = LBFGS(), valley_start(4)
    for k in range(3):
        new, _ = opt.step(rosenbrock, x)
        state = opt.state()
        assert np.array_equal(state[f"s{k}.x"], new - x)
        assert np.array_equal(state[f"y{k}.x"], rosenbrock(new)[1] - rosenbrock(x)[1])
        x = new


def test_where_there_is_no_curvature_nothing_is_learnt():
    """A straight slope: y = 0, and s.y = 0 would have to be divided by. A hilltop: s.y < 0."""
    for f in (lambda x: (float(-x.sum()), -np.ones_like(x)), lambda x: (float(-x @ x) / 2, -x)):
        opt = LBFGS(max_evaluations=4)
        x, costs = run(opt, f, np.array([1., 2]), 5)
        assert all(b < a for a, b in zip(costs, costs[1:])) and len(costs) == 5
        assert not any(name.startswith("s0") for name in opt.state())


def test_only_the_last_pairs_are_remembered():
    short, long = LBFGS(history=3), LBFGS(history=5)
    x, _ = run(short, rosenbrock, valley_start(6), 8)
    steps = [valley_start(6)]
    for _ in range(3):
        steps.append(long.step(rosenbrock, steps[-1])[0])
    assert np.array_equal(run(LBFGS(history=3), rosenbrock, valley_start(6), 3)[0], steps[-1])          # three pairs: the same still
    state = short.state()
    assert "s2.x" in state and "s3.x" not in state
    before, _ = run(LBFGS(history=3), rosenbrock, valley_start(6), 7)
    assert np.array_equal(state["s2.x"], x - before)                                                    # the newest comes last


@settings(deadline=None, max_examples=30)
@given(some.integers(0, 2 ** 32 - 1), some.integers(1, 7), some.floats(1, 1e4))
def test_with_exact_line_searches_a_bowl_of_n_numbers_takes_n_steps(seed, n, condition):
    """It is the method of conjugate gradients then. Nocedal & Wright 2006, theorem 6.4."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A, lowest = Q * np.geomspace(1, condition, n) @ Q.T, rng.standard_normal(n)

    def f(x):
        return 0.5 * float((x - lowest) @ A @ (x - lowest)), A @ (x - lowest)

    start = lowest + rng.standard_normal(n)
    x, _ = run(LBFGS(c1=1e-6, c2=1e-5, max_evaluations=60), f, start, n)
    assert np.linalg.norm(f(x)[1]) <= 1e-3 * np.linalg.norm(f(start)[1])


# ---- known minima --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("n", [2, 10, 40])
@pytest.mark.parametrize("dtype, near", [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_the_end_of_the_bent_valley(n, dtype, near):
    opt = LBFGS()
    x, costs = run(opt, rosenbrock, valley_start(n, dtype))
    assert np.abs(x - 1).max() < near and x.dtype == dtype and opt.stopped and opt.restarts == 0
    assert all(b <= a * (1 + 2e-6) for a, b in zip(costs, costs[1:]))


@settings(deadline=None, max_examples=30)
@given(some.integers(0, 2 ** 32 - 1), some.integers(1, 20), some.floats(1, 1e6), some.floats(1e-6, 1e6))
def test_bowls_of_any_shape_and_scale(seed, n, condition, scale):
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A, lowest = scale * (Q * np.geomspace(1, condition, n) @ Q.T), rng.standard_normal(n)

    def f(x):
        return 0.5 * float((x - lowest) @ A @ (x - lowest)), A @ (x - lowest)

    start, opt = rng.standard_normal(n), LBFGS()
    x, _ = run(opt, f, start)
    assert f(x)[0] <= 1e-12 * f(start)[0] and opt.stopped


@settings(deadline=None, max_examples=40)
@given(some.integers(0, 2 ** 32 - 1), some.integers(2, 12), some.sampled_from([0.9, 0.5, 0.1]))
def test_both_wolfe_conditions_hold_at_every_step(seed, n, c2):
    """With the step s = a d as the direction, a drops out: J_new <= J + c1 g.s and |g_new.s| <= c2 |g.s|."""
    opt, x = LBFGS(c2=c2, max_evaluations=60), 2 * np.random.default_rng(seed).standard_normal(n)
    J, g = rosenbrock(x)
    for _ in range(25):
        new, _ = opt.step(rosenbrock, x)
        if J < 1e-10 or opt.stopped:
            break
        (J_new, g_new), s = rosenbrock(new), new - x
        assert J_new <= J + 1e-4 * (g @ s) + 3e-15 * J and abs(g_new @ s) <= c2 * abs(g @ s) * (1 + 1e-6)
        x, J, g = new, J_new, g_new


@pytest.mark.parametrize("n", [2, 10, 40])
def test_it_is_as_quick_as_scipys(n):
    """Line searches differ, so the ways do: by how many evaluations J has come below each power of ten, within a quarter."""
    with np.load(REFERENCE) as reference:
        theirs, their_evaluations, end = (reference[f"{name}_{n}"] for name in ("J", "evaluations", "x"))
    opt, x, ours, evaluations = LBFGS(history=10), valley_start(n), [], []
    while not opt.stopped:
        x, J = opt.step(rosenbrock, x)
        ours.append(J)
        evaluations.append(opt.evaluations)
    assert np.allclose(x, end, atol=1e-8) and ours[0] == pytest.approx(theirs[0], rel=1e-14)
    for power in range(1, -16, -1):
        mine, other = evaluations[np.argmax(np.array(ours) < 10.0 ** power)], their_evaluations[np.argmax(theirs < 10.0 ** power)]
        assert mine <= 1.25 * other + 2


def test_a_gradient_of_the_wrong_sign_goes_nowhere():
    """All of the above hang on it."""
    opt, start = LBFGS(), valley_start(10)
    x, costs = run(opt, lambda x: (rosenbrock(x)[0], -rosenbrock(x)[1]), start)
    assert x is start and "no step" in opt.stopped


# ---- why it stops --------------------------------------------------------------------------------------------------------

def test_stops_where_the_gradient_is_zero():
    opt, x = LBFGS(), np.zeros(3)
    same, J = opt.step(bowl, x)
    assert same is x and J == 0 and opt.evaluations == 1 and opt.t == 0
    assert opt.stopped == "the gradient is zero to rounding: its largest entry is 0, and was 0 at the x that was given"


def test_stops_where_no_step_lowers_J():
    opt, x = LBFGS(max_evaluations=10_000), np.array([1.])
    same, J = opt.step(lambda x: (float(1 - x[0]), np.array([1.])), x)                 # J falls to the right, the gradient says left
    assert same is x and J == 0 and opt.evaluations < 30                # no shorter a than one that changes x
    assert opt.stopped == "no step along the direction lowers J = 0 any more, not even one down the gradient, whose largest entry is 1"


def test_stops_where_J_hardly_changes():
    opt = LBFGS(tolerance=0.6, patience=3)
    steep = lambda x: (10 + bowl(x)[0], bowl(x)[1])
    x, costs = run(opt, steep, np.array([1., 1, 1]))
    assert opt.stopped == "J changed by less than 0.6 of itself in each of the last 3 steps" and opt.t == 3


def test_one_large_change_begins_the_count_again():
    """Of the steps that changed J by less than a tenth."""
    opt, x, counts, costs = LBFGS(tolerance=0.1, patience=1000), valley_start(10), [], []
    for _ in range(40):
        x, J = opt.step(rosenbrock, x)
        counts.append(int(opt.state()["quiet"]))
        costs.append(J)
    expected = 0
    for count, J, J_new in zip(counts, costs, costs[1:]):
        expected = expected + 1 if J - J_new <= 0.1 * J else 0
        assert count == expected
    assert any(a > 1 and b == 0 for a, b in zip(counts, counts[1:]))


def test_when_stopped_x_stays_and_f_is_not_called():
    opt = LBFGS()
    x, _ = run(opt, bowl, np.array([3., -2]))
    evaluations, t = opt.evaluations, opt.t
    same, J = opt.step(None, x)
    assert same is x and J == bowl(x)[0] and (opt.evaluations, opt.t) == (evaluations, t)


def test_another_x_sets_it_going_again():
    opt = LBFGS()
    run(opt, bowl, np.array([3., -2]))
    assert opt.stopped
    x, J = opt.step(bowl, np.array([30., -20]))
    assert J == bowl(np.array([30., -20]))[0] and bowl(x)[0] < J and not opt.stopped
    slow = LBFGS(tolerance=0.6, patience=4)
    run(slow, lambda x: (10 + bowl(x)[0], bowl(x)[1]), np.array([1., 1, 1]), 3)
    slow.step(lambda x: (10 + bowl(x)[0], bowl(x)[1]), np.array([1., 2, 1]))
    assert int(slow.state()["quiet"]) == 1                              # of the steps from there


def grainy(x):
    """1000 + a bowl, in a J that is wrong by 5e-7 of itself, up and down, as one from a network in float32 is. The slopes are right."""
    A = np.geomspace(1, 100, x.size).astype(x.dtype)
    return (1000 + 0.5 * float(np.sum(A * x * x))) * (1 + 5e-7 * np.sin(1e7 * float(np.sum(x)))), A * x


def test_where_J_is_lost_in_rounding_the_slopes_lead_on():
    opt = LBFGS(tolerance=0.0)
    x, _ = run(opt, grainy, np.ones(20, np.float32), 100)
    assert np.abs(x).max() < 1e-5 and opt.evaluations < 60 and "gradient is zero" in opt.stopped


def test_who_believes_every_digit_of_J_stops_early(monkeypatch):
    monkeypatch.setattr(lbfgs, "ROUNDING", 0)
    opt = LBFGS(tolerance=0.0)
    x, _ = run(opt, grainy, np.ones(20, np.float32), 100)
    assert np.abs(x).max() > 1e-3 and "no step" in opt.stopped and opt.restarts == 1


def test_a_run_whose_steps_are_lost_in_rounding_is_over():
    opt = LBFGS()
    x, _ = run(opt, grainy, np.ones(20, np.float32))
    assert opt.stopped == "J changed by less than 1.2e-06 of itself in each of the last 10 steps"
    assert 0.5 * np.sum(np.geomspace(1, 100, 20) * x ** 2) < 1e-6 * 1000                               # what there was to gain


def spoiled(opt, times):
    """opt with the y of its newest pair multiplied: its H is wrong."""
    state = opt.state()
    newest = max(name for name in state if name.startswith("y"))
    other = LBFGS(max_evaluations=opt.max_evaluations)
    other.load_state({**state, newest: times * state[newest]})
    return other


@pytest.mark.parametrize("times", [-1.0, 1e-30], ids=["it leads up", "it leads too far"])
def test_when_the_memory_misleads_it_is_emptied_once(times):
    opt = LBFGS(max_evaluations=3)
    x, _ = run(opt, rosenbrock, valley_start(4), 5)
    opt = spoiled(opt, times)
    before = opt.evaluations
    with np.errstate(over="ignore", invalid="ignore"):
        new, J = opt.step(rosenbrock, x)
    assert rosenbrock(new)[0] < J and opt.restarts == 1 and not opt.stopped
    assert opt.evaluations - before <= (3 if times < 0 else 6)          # up is not tried
    assert [name for name in opt.state() if name[0] in "sy" and "." in name] == ["s0.x", "y0.x"]
    run(opt, rosenbrock, new, 3)
    assert opt.restarts == 1


# ---- f, and how it is called ---------------------------------------------------------------------------------------------

def test_f_is_called_once_at_each_point_and_the_x_that_returns_is_the_one_it_saw():
    f, opt, x = Counted(rosenbrock), LBFGS(), valley_start(6)
    for _ in range(20):
        x, _ = opt.step(f, x)
        assert any(x is asked for asked in f.asked) and opt.evaluations == len(f.asked)
    assert len({asked.tobytes() for asked in f.asked}) == len(f.asked)


def test_of_a_dict_too():
    f, opt, x = Counted(bowls), LBFGS(), {"W": np.array([[3., -2]]), "b": np.array([1.])}
    assert f.asked == []
    for _ in range(5):
        x, _ = opt.step(f, x)
        assert any(x is asked for asked in f.asked) and opt.evaluations == len(f.asked)


def test_a_copy_of_x_is_x_and_a_changed_x_is_asked_anew():
    f, opt = Counted(rosenbrock), LBFGS()
    x, _ = opt.step(f, valley_start(4))
    f.asked.clear()
    opt.step(f, x.copy())
    assert not any(np.array_equal(asked, x) for asked in f.asked)
    clipped = np.clip(x, 0, 0.5)
    _, J = opt.step(f, clipped)
    assert any(asked is clipped for asked in f.asked) and J == rosenbrock(clipped)[0]


def test_a_dict_of_arrays_goes_as_one_array_would():
    """J of all numbers together, cut in two or not: the same way."""
    whole, costs = run(LBFGS(), rosenbrock, valley_start(6), 12)

    def f(x):
        J, g = rosenbrock(np.concatenate([x["a"].ravel(), x["b"]]))
        return J, {"a": g[:4].reshape(2, 2), "b": g[4:]}

    start = valley_start(6)
    cut, costs_cut = run(LBFGS(), f, {"a": start[:4].reshape(2, 2), "b": start[4:]}, 12)
    assert np.allclose(np.concatenate([cut["a"].ravel(), cut["b"]]), whole, rtol=1e-8) and np.allclose(costs_cut, costs, rtol=1e-8)
    assert cut["a"].shape == (2, 2)


def test_nothing_that_is_given_is_changed():
    x = valley_start(4)
    x.flags.writeable = False

    def f(x):
        J, g = rosenbrock(x)
        g.flags.writeable = x.flags.writeable = False                   # whoever wrote to them would be told
        return J, g

    new, _ = run(LBFGS(history=2), f, x, 10)
    assert x.tolist() == valley_start(4).tolist() and not np.shares_memory(new, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("of_gradient", [np.float32, np.float64])
def test_dtype_is_kept(dtype, of_gradient):
    opt = LBFGS()
    x, _ = run(opt, lambda x: (bowl(x)[0], bowl(x)[1].astype(of_gradient)), np.ones(3, dtype), 3)
    assert x.dtype == dtype and all(array.dtype == dtype for name, array in opt.state().items() if "." in name)


def test_dtypes_of_a_dict_are_kept_each():
    x, _ = run(LBFGS(), bowls, {"W": np.array([3., -2]), "b": np.array([0.5], np.float32)}, 3)
    assert x["W"].dtype == np.float64 and x["b"].dtype == np.float32


def test_sums_are_right_whatever_their_length():
    rng = np.random.default_rng(0)
    for n in (1, lbfgs.BLOCK - 1, lbfgs.BLOCK, 3 * lbfgs.BLOCK + 5):
        a, b = rng.standard_normal((2, n)).astype(np.float32)
        exact = np.sum(a.astype(np.float64) * b)
        assert lbfgs._dot({"x": a}, {"x": b}) == pytest.approx(exact, abs=3e-7 * float(np.sum(np.abs(a * b))))


# ---- what is no number ---------------------------------------------------------------------------------------------------

BAD = pytest.mark.parametrize("bad", [(np.nan, np.ones(2)), (-np.inf, np.ones(2)), (1.0, np.array([1, np.nan])),
                                      (1.0, np.array([np.inf, 1]))])


@BAD
def test_at_x_itself_it_is_refused_and_no_memory_changes(bad):
    opt = LBFGS()
    x, _ = run(opt, bowl, np.array([3., 1]), 2)
    before = opt.state()
    with pytest.raises(NumericsError, match="J or its gradient is not finite at step 2"):
        opt.step(lambda x: bad, np.array([7., 7]))
    assert_equal_states(opt.state(), before)
    assert np.array_equal(opt.step(bowl, x)[0], run(LBFGS(), bowl, np.array([3., 1]), 3)[0])


@BAD
def test_at_a_trial_it_was_too_far(bad):
    """Beyond 0.99 there is nothing; the first trial lands there."""
    asked = []

    def f(x):
        asked.append(x[0])
        return bad if x[0] < 0.995 and len(asked) == 2 else bowl(x)

    x, J = LBFGS().step(f, np.array([1., 0]))
    assert asked[1] == pytest.approx(0.99) and asked[2] == pytest.approx(0.999) and bowl(x)[0] < J


def test_a_failure_inside_f_leaves_no_trace():
    opt = LBFGS()
    x, _ = run(opt, rosenbrock, valley_start(4), 3)
    before, calls = opt.state(), []

    def f(x):
        calls.append(x)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return rosenbrock(x)

    with pytest.raises(KeyboardInterrupt):
        opt.step(f, x)
    assert_equal_states(opt.state(), before)
    assert np.array_equal(opt.step(rosenbrock, x)[0], run(LBFGS(), rosenbrock, valley_start(4), 4)[0])


# ---- a run that is stopped and goes on -----------------------------------------------------------------------------------

def assert_equal_states(a, b):
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a)


def through_a_file(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return dict(np.load(file))


@pytest.mark.parametrize("pause", [0, 1, 4, 9])
@pytest.mark.parametrize("f, x", [(rosenbrock, valley_start(10, np.float32)),
                                  (bowls, {"conv1.W": np.array([[3., -2]]), "x": np.array([0.5], np.float32)})], ids=["array", "dict"])
def test_a_run_that_is_stopped_and_resumed_ends_on_the_same_bits(pause, f, x):
    straight, first, second = LBFGS(history=3), LBFGS(history=3), LBFGS(history=3)
    whole, _ = run(straight, f, x, 12)
    half, _ = run(first, f, x, pause)
    second.load_state(through_a_file(first.state()))
    assert second.stopped == first.stopped
    half = through_a_file(half) if isinstance(x, dict) else half.copy()
    rest, _ = run(second, f, half, 12 - pause)
    assert_equal_states(second.state(), straight.state())
    assert_equal_states(*((end if isinstance(x, dict) else {"x": end}) for end in (rest, whole)))


def test_the_reason_to_stop_is_resumed_too():
    opt, again = LBFGS(), LBFGS()
    x, _ = run(opt, bowl, np.array([3., -2]))
    again.load_state(through_a_file(opt.state()))
    assert again.stopped == opt.stopped != "" and again.step(None, x)[0] is x


def test_a_state_once_taken_does_not_move():
    opt = LBFGS(history=2)
    x, _ = run(opt, rosenbrock, valley_start(4), 5)
    state = opt.state()
    before = {name: array.copy() for name, array in state.items()}
    run(opt, rosenbrock, x, 5)
    assert_equal_states(state, before)


def test_a_state_is_references_not_copies():
    opt = LBFGS()
    run(opt, rosenbrock, valley_start(4), 3)
    assert all(opt.state()[name] is array for name, array in opt.state().items() if "." in name)


# ---- what is refused -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong, said", [
    (dict(history=0), "history = 0; expected a whole number from 1 up"), (dict(history=2.5), "history = 2.5"),
    (dict(max_evaluations=0), "max_evaluations = 0"), (dict(patience=0), "patience = 0"),
    (dict(c1=0), "c1 = 0, c2 = 0.9; expected 0 < c1 < c2 < 1"), (dict(c1=0.95), "c1 = 0.95"), (dict(c2=1.0), "c2 = 1.0"),
    (dict(c1=0.6), "c1 < 1/2"), (dict(c2=float("nan")), "c2 = nan"),
    (dict(tolerance=-1e-9), "tolerance = -1e-09"), (dict(tolerance=1), "tolerance = 1;"),
    (dict(tolerance=float("nan")), "tolerance = nan")])
def test_settings_out_of_range(wrong, said):
    with pytest.raises(ShapeError, match=said):
        LBFGS(**wrong)


def test_a_gradient_of_another_shape():
    with pytest.raises(ShapeError, match=r"gradient of shape .*\(3,\).*; expected that of x, .*\(3, 1\)"):
        LBFGS().step(lambda x: (1.0, np.ones(3)), np.ones((3, 1)))
    with pytest.raises(ShapeError, match="gradient of shape"):
        LBFGS().step(lambda x: (1.0, {"W": np.ones(3)}), {"W": np.ones(3), "b": np.ones(1)})


def test_whole_numbers_have_no_slope():
    with pytest.raises(ShapeError, match="x is of int64; expected float32 or float64"):
        LBFGS().step(bowl, np.array([3, 1]))


# ---- by name -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["gd", "momentum", "adam", "lbfgs"])
def test_every_optimiser_of_the_table_steps(name):
    x, J = OPTIMIZERS[name]().step(bowl, np.array([1., 1]))
    assert J == 2 and bowl(x)[0] < 2
    assert list(OPTIMIZERS) == ["gd", "momentum", "adam", "lbfgs"]
