"""A run of style transfer that is kept and gone on with: to the bit, and never as another run than it was."""

import itertools

import numpy as np
import pytest

from scratchnet import images, style
from scratchnet.errors import NumericsError, ShapeError, WeightsError
from scratchnet.optimizers import LBFGS, Adam, GradientDescent, Momentum
from scratchnet.style import Painting, Style, TotalCost
from scratchnet.total_cost import balanced
from tests.tiny_painting import NET, SETTINGS, C, S, network, picture

LARGE_C, LARGE_S = picture(1, 24, 30), picture(2, 20, 26)
ALL = dict(optimizer=[Adam(0.03), Momentum(1.0), GradientDescent(1.0), LBFGS(history=3)], scales=[(), (12, 18)], balance=[False, True])
EVERY = [dict(zip(ALL, values)) for values in itertools.product(*ALL.values())]


def painting(C=LARGE_C, S=LARGE_S, net=NET, **settings):
    return Painting(net, C, S, **{"per_scale": 3, **SETTINGS, **settings})


def name(case):
    return "-".join([type(case["optimizer"]).__name__, f"{len(case['scales'])} scales", *["balanced"] * case["balance"]])


# ---- to the bit ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", EVERY, ids=name)
@pytest.mark.parametrize("at", [0, 1, 3, 5, 7])
def test_k8_a_resumed_run_goes_on_to_the_bit_as_if_never_stopped(case, at, tmp_path):
    whole = painting(**case)
    steps = list(whole.steps(9))
    half = painting(**case)
    before = list(half.steps(at))
    half.save(tmp_path / "run.npz")
    resumed = painting(**case).load(tmp_path / "run.npz")
    after = list(resumed.steps(9))
    assert [step.i for step in before + after] == [step.i for step in steps] == list(range(10))
    assert np.array_equal(after[-1].G, steps[-1].G) and resumed.history == whole.history
    assert np.array_equal(resumed.best.G, whole.best.G) and resumed.best.i == whole.best.i
    for key, array in whole.optimizer.state().items():
        assert np.array_equal(array, resumed.optimizer.state()[key])


def test_it_can_be_resumed_in_the_same_run_and_after_another_resume(tmp_path):
    steps, run = list(painting().steps(6)), painting()
    parts = [*run.steps(2), *run.steps(2), *run.steps(4)]
    run.save(tmp_path / "run.npz")
    again = painting().load(tmp_path / "run.npz")
    again.save(tmp_path / "run.npz")
    parts += [*painting().load(tmp_path / "run.npz").steps(6)]
    assert [step.i for step in parts] == list(range(7)) and np.array_equal(parts[-1].G, steps[-1].G)


def test_k1_an_interrupted_step_leaves_no_trace(tmp_path):
    steps, run = list(painting(optimizer=LBFGS()).steps(6)), painting(optimizer=LBFGS())
    calls, cost = 0, run.cost

    class Interrupted:
        def __getattr__(self, name):
            return getattr(cost, name)

        def __call__(self, G, i):
            nonlocal calls
            calls += 1
            if calls == 4:
                raise KeyboardInterrupt
            return cost(G, i)

    run.cost, seen = Interrupted(), []
    with pytest.raises(KeyboardInterrupt):
        seen += run.steps(6)
    run.cost = cost
    done = run.i
    run.save(tmp_path / "run.npz")
    for run in (run, painting(optimizer=LBFGS()).load(tmp_path / "run.npz")):
        list(run.steps(6))
        assert [row["i"] for row in run.history] == list(range(7))
        assert [row["J"] for row in run.history] == [step.J for step in steps] and 0 < done < 6


def test_k1_ctrl_c_on_the_way_to_the_next_scale_loses_nothing(monkeypatch, tmp_path):
    """Where its network looks at a large C and S for the first time is where such a run is slow, and likely to be stopped."""
    whole, run, made = list(painting(scales=(12,)).steps(5)), painting(scales=(12,)), style.TotalCost
    monkeypatch.setattr(style, "TotalCost", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        list(run.steps(5))
    monkeypatch.setattr(style, "TotalCost", made)
    run.save(tmp_path / "run.npz")
    for run in (run, painting(scales=(12,)).load(tmp_path / "run.npz")):
        after = list(run.steps(5))
        assert [step.i for step in after] == [3, 4, 5] and all(np.array_equal(a.G, b.G) for a, b in zip(after, whole[3:]))


@pytest.mark.parametrize("said", [dict(alpha=np.float32(0.5), seed=np.int64(3)), dict(scales=(np.int64(12),), per_scale=np.int64(3)),
                                  dict(lam={"relu1": np.float32(1)}, mix=np.float64(0.5), balance=np.bool_(True))], ids=", ".join)
def test_numbers_of_numpy_are_settings_as_others(said, tmp_path):
    run = painting(**said)
    list(run.steps(4))
    run.save(tmp_path / "run.npz")
    assert painting(**said).load(tmp_path / "run.npz").i == 4


def test_k6_what_was_not_said_is_compared_too(tmp_path):
    """alpha = 1 may not go on as the default, 0.3; and the default may be said aloud."""
    for begun, now in (dict(alpha=1.0), {}), ({}, dict(alpha=1.0)), ({}, dict(alpha=0.3, lam=SETTINGS["lam"], strip=None)):
        run = painting(**begun)
        list(run.steps(1))
        run.save(tmp_path / "run.npz")
        resumed = painting(**now)
        if 1.0 in (*begun.values(), *now.values()):
            with pytest.raises(WeightsError, match="made with other settings: alpha"):
                resumed.load(tmp_path / "run.npz")
        else:
            assert resumed.load(tmp_path / "run.npz").i == 1


@pytest.mark.parametrize("named, settings", [
    ("alpha", dict(alpha=2.0)), ("beta", dict(beta=3.0)), ("lam", dict(lam={"relu1": 1})), ("tv", dict(tv=1.0)),
    ("start", dict(start="noise")), ("start", dict(start=picture(5, 24, 30))), ("seed", dict(seed=1)), ("mix", dict(mix=0.1)),
    ("noise", dict(noise="gatys")), ("optimizer", dict(optimizer=LBFGS())), ("optimizer", dict(optimizer=Adam(0.01))),
    ("scales", dict(scales=(12,))), ("per_scale", dict(per_scale=4)), ("balance", dict(balance=True)), ("clip", dict(clip=False)),
    ("content", dict(C=LARGE_C[:, ::-1])), ("style", dict(S=LARGE_S[:, ::-1])), ("style", dict(S=[Style(LARGE_S, 1, np.ones((24, 30)))])),
    ("network", dict(net=network(1)))])
def test_k6_other_settings_than_the_runs_are_refused_by_name(named, settings, tmp_path):
    run = painting(alpha=1.0, beta=1.0, tv=0.0)
    list(run.steps(1))
    run.save(tmp_path / "run.npz")
    with pytest.raises(WeightsError, match=rf"was made with other settings: {named} .* can only be resumed as it was begun"):
        painting(**{**dict(alpha=1.0, beta=1.0, tv=0.0), **settings}).load(tmp_path / "run.npz")


def test_k7_a_damaged_checkpoint_is_put_aside_and_the_one_before_taken(tmp_path):
    run, path = painting(), tmp_path / "run.npz"
    list(run.steps(2))
    run.save(path)
    list(run.steps(4))
    run.save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.warns(UserWarning, match="Going on from 'run.previous.npz', after step 2"):
        resumed = painting().load(path)
    assert resumed.i == 2 and (tmp_path / "run.npz.corrupt").exists()
    list(resumed.steps(4))
    assert np.array_equal(resumed.best.G, run.best.G)


# ---- what the steps are ---------------------------------------------------------------------------------------------------

def test_coarse_to_fine_goes_through_the_scales_by_the_number_of_the_step_alone():
    steps = list(painting(scales=(12, 18)).steps(8))
    assert [max(step.G.shape[1:3]) for step in steps] == 3 * [12] + 3 * [18] + 3 * [30]
    assert all(np.array_equal(one.G, two.G) for one, two in zip(steps[:5], painting(scales=(12, 18)).steps(5)))
    small = images.resize(LARGE_C, 12)
    cost = TotalCost(NET, small, images.resize(LARGE_S, 10), **SETTINGS)
    assert steps[0].J == cost.step(small, 0).J                         # S shrinks with C: 26 * 12 / 30 = 10.4


def test_at_a_finer_scale_g_is_the_coarse_one_resized_and_descent_begins_anew():
    coarse = painting(scales=(12,), optimizer=Adam(0.1))
    *_, last = coarse.steps(3)
    alone = painting(C=images.resize(LARGE_C, 12), S=images.resize(LARGE_S, 10), optimizer=Adam(0.1))
    *_, expected = alone.steps(3)
    assert np.array_equal(last.G, images.resize(expected.G, (24, 30))) and last.i == 3
    fresh = Painting(NET, LARGE_C, LARGE_S, start=last.G, optimizer=Adam(0.1), **SETTINGS)
    assert np.array_equal(next(coarse.steps(4)).G, [*fresh.steps(1)][1].G)


def test_lbfgs_asks_once_at_every_point_and_steps_are_known_without_asking_again():
    run, asked = painting(optimizer=LBFGS()), []
    cost = run.cost

    class Counted:
        def __getattr__(self, name):
            return (lambda G, i: pytest.fail("asked again")) if name == "step" else getattr(cost, name)

        def __call__(self, G, i):
            asked.append(G)
            return cost(G, i)

    run.cost = Counted()
    steps = list(run.steps(5))
    assert len(asked) == run.optimizer.evaluations >= 6
    assert [step.J for step in steps] == [cost.step(step.G, 0).J for step in steps]
    assert all(a.J >= b.J for a, b in zip(steps, steps[1:]))


def test_lbfgs_may_leave_the_range_and_others_may_not():
    loud = dict(alpha=0, beta=1e6, C=np.zeros_like(C), S=np.ones_like(S))
    outside = [np.abs(step.G - 0.5).max() > 0.5 for step in painting(optimizer=LBFGS(), **loud).steps(5)]
    assert any(outside) and not any(np.abs(step.G - 0.5).max() > 0.5 for step in painting(optimizer=Adam(1), **loud).steps(5))
    assert any(np.abs(step.G - 0.5).max() > 0.5 for step in painting(optimizer=Adam(1), clip=False, **loud).steps(5))
    with pytest.raises(ShapeError, match="does not go with L-BFGS"):
        painting(optimizer=LBFGS(), clip=True)


def test_the_best_picture_is_kept():
    run = painting(C, S, optimizer=GradientDescent(300.0))             # too large: J goes up and down
    steps = list(run.steps(12))
    J = [step.J for step in steps]
    assert run.best.J == min(J) < J[-1] and np.array_equal(run.best.G, steps[int(np.argmin(J))].G)


def test_a_run_that_cannot_go_on_says_why_and_yields_its_last_picture_once():
    run = painting(C, C, optimizer=LBFGS())                            # S is C: nothing to gain from the first step on
    steps = list(run.steps(50))
    assert [step.i for step in steps] == [0] and "gradient is zero" in run.stopped and run.i == 0
    coarse = painting(LARGE_C, LARGE_C, optimizer=LBFGS(), scales=(12,))
    assert [step.i for step in coarse.steps(5)] == [0, 3, 4, 5]        # on to the finer scale at once, where G, enlarged, is not C


def test_balance_is_found_at_the_start_of_each_scale():
    run = painting(balance=True)
    assert run.cost.lam == balanced(TotalCost(NET, LARGE_C, LARGE_S, **SETTINGS), LARGE_C) != SETTINGS["lam"]


def test_several_styles_and_regions_shrink_with_the_picture():
    mask = np.zeros((24, 30))
    mask[:, :15] = 1
    run = painting(S=[Style(LARGE_S, 1, mask), Style(LARGE_C[:, :, ::-1], 1, 1 - mask)], scales=(16,))
    *_, last = run.steps(5)
    assert last.G.shape == LARGE_C.shape and last.J < run.history[3]["J"]


# ---- what goes wrong --------------------------------------------------------------------------------------------------------

class Uphill:
    """Every step doubles what differs from C."""
    learning_rate = 7.0

    def step(self, f, x):
        J, dx = f(x)
        return np.clip(x + 0.02 * np.sign(dx), 0, 1), J

    def state(self):
        return {}

    def load_state(self, state):
        pass


def test_n3_an_exploding_j_stops_with_advice_and_the_best_picture():
    run = painting(C, S, optimizer=Uphill())
    with pytest.raises(NumericsError, match=r"J rose from .* to .* over 20 steps: lower learning_rate \(now 7\)"):
        list(run.steps(100))
    assert run.best.J == min(row["J"] for row in run.history) and run.i < 100


def test_a_first_jump_that_falls_again_is_no_explosion():
    """Adam moves every pixel by its learning rate at first, however small the slope: J of a start at C jumps, and comes down."""
    run = painting(C, S, beta=1e-4, alpha=1.0)
    J = [step.J for step in run.steps(60)]
    assert max(J) > 10 * J[0]


@pytest.mark.parametrize("settings, words", [
    (dict(scales=(30,)), "below 30"), (dict(scales=(18, 12)), "from coarse to fine"), (dict(scales=(12.5,)), "whole numbers"),
    (dict(per_scale=0), "per_scale = 0"), (dict(scales=(2,)), "needs at least 4x4"), (dict(content_layer="relu7"), "unknown layer"),
    (dict(start="stile"), "start = 'stile'"), (dict(strip=6), "multiple of 4")])
def test_what_cannot_work_is_refused_before_the_first_step(settings, words):
    with pytest.raises(ShapeError, match=words):
        painting(**settings)
