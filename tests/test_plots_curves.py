"""Curves carry the right numbers, and names at their ends that can be read."""

from types import SimpleNamespace

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from tests.figures import LAYERS, expect_readable, figure_of, read, steps


def test_costs_carry_their_weights_and_shares(monkeypatch):
    history = [dict(i=0, J=1., J_content=0., J_style=1., per_layer={"relu1_1": 1.}),
               dict(i=1, J=2 * 3. + 4 * .5 * 7., J_content=3., J_style=3.5, per_layer={"relu1_1": 7.})]
    fig = figure_of(monkeypatch, lambda path: plots.cost_curves(path, history, 2, 4, {"relu1_1": .5}))
    content, style, J = fig.axes[0].lines
    assert list(content.get_ydata()) == [6.] and list(style.get_ydata()) == [2., 14.] and list(J.get_ydata()) == [1., 20.]
    assert J.get_linewidth() > 1.5 * style.get_linewidth()
    assert {"α J_content  30 %", "β λ J_style[relu1_1]  70 %", "J = 20"} <= {text.get_text() for text in fig.texts}


def test_steps_may_be_objects_and_a_generator(tmp_path):
    objects = (SimpleNamespace(**step) for step in steps())
    one = read(plots.cost_curves(tmp_path / "o.png", objects, 1, 2, dict.fromkeys(LAYERS, 1)))
    two = read(plots.cost_curves(tmp_path / "d.png", list(steps()), 1, 2, dict.fromkeys(LAYERS, 1)))
    assert one.shape == (560, 900, 3) and np.array_equal(one, two)


@pytest.mark.parametrize("n, layers", [(1, LAYERS), (2, LAYERS[:1]), (4, [f"relu{k}_1" for k in range(16)]), (3, [])])
def test_names_at_the_ends_stay_apart_and_on_the_page(n, layers, monkeypatch):
    history = list(steps(n, layers))
    for step in history:
        step["per_layer"] = dict.fromkeys(layers, 5.)                               # all curves the same: the worst case
    fig = figure_of(monkeypatch, lambda path: plots.cost_curves(path, history, 1, 1, dict.fromkeys(layers, 1)))
    boxes = [text.get_window_extent() for text in fig.texts]
    assert len(boxes) == 2 + 1 + len(layers) + (n > 1) - (n == 1 and not layers)
    for k, box in enumerate(boxes):
        assert box.x1 <= 900 and box.y0 >= 0 and not any(box.padded(-2).overlaps(other.padded(-2)) for other in boxes[:k])


def test_a_run_that_diverged_is_still_drawn(tmp_path):
    history = list(steps())
    history[-1].update(J=np.nan, J_content=np.inf)
    assert plots.cost_curves(tmp_path / "c.png", history, 1, 1, {"relu1_1": 1}).exists()


@pytest.mark.parametrize("history, lam, error, words", [
    ([], {}, ShapeError, "no steps"),
    (steps(), {"relu9_9": 1}, ShapeError, "relu9_9, but the history has relu1_1"),
    ([{"i": 0}], {}, ShapeError, "has no J;"),
    ([dict(i=0, J=0, J_content=0, per_layer={})], {}, NumericsError, "positive"),
])
def test_costs_refuse_what_is_no_history(history, lam, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.cost_curves(tmp_path / "c.png", history, 1, 1, lam)


@pytest.mark.parametrize("curves, error", [({}, ShapeError), ({"a": []}, ShapeError), ({"a": [(1e-3, 0.)]}, NumericsError)])
def test_error_curves_refuse_emptiness(curves, error, tmp_path):
    with pytest.raises(error):
        plots.error_curve(tmp_path / "e.png", curves)


def test_error_curves_go_from_large_h_to_small(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.error_curve(path, {"a": [(1e-5, 1e-9), (1e-1, 1e-2), (1e-3, 1e-6)]}))
    ax = fig.axes[0]
    assert list(ax.lines[0].get_xdata()) == [1e-1, 1e-3, 1e-5] and ax.xaxis_inverted()
    assert ax.get_xscale() == ax.get_yscale() == "log"


def epochs(n=6, **more):
    for i in range(1, n + 1):
        yield SimpleNamespace(i=i, J=1 / i, scores={"active": 10 - i, **{name: values[i - 1] for name, values in more.items()}})


def test_triplet_curves_have_a_panel_for_each_score_there_is(monkeypatch):
    runs = {"random": epochs(), "semi-hard": epochs(accuracy=[None, .5, None, np.nan, None, .75])}
    fig = figure_of(monkeypatch, lambda path: plots.triplet_curves(path, runs))
    J, active, accuracy = fig.axes
    assert [line.get_ydata().tolist() for line in active.lines] == [[9, 8, 7, 6, 5, 4]] * 2
    assert [line.get_xdata().tolist() for line in accuracy.lines] == [[2, 6]] and accuracy.lines[0].get_ydata().tolist() == [.5, .75]
    assert len({ax.get_xlim() for ax in fig.axes}) == 1 and {ax.get_ylim()[0] for ax in fig.axes} == {0}
    assert accuracy.lines[0].get_color() == J.lines[1].get_color() and "semi-hard  0.75" in [text.get_text() for text in fig.texts]
    assert len(figure_of(monkeypatch, lambda path: plots.triplet_curves(path, epochs())).axes) == 2


@pytest.mark.parametrize("runs", [epochs(1), {f"{k} a long name {'x' * 60}": epochs() for k in range(14)},
                                  [dict(i=k, J=0., active=0, accuracy=-1e-9) for k in (1, 2)]])
def test_triplet_curves_of_one_epoch_many_runs_or_nothing_but_zeros_can_be_read(runs, monkeypatch):
    expect_readable(figure_of(monkeypatch, lambda path: plots.triplet_curves(path, runs)))


@pytest.mark.parametrize("history, which, error, words", [
    ([], ["J"], ShapeError, "no epochs"), ({}, ["J"], ShapeError, "no epochs"), ({"a": epochs(), "b": []}, ["J"], ShapeError, "no epochs"),
    (epochs(), ["spread"], ShapeError, "no epoch has spread"), ([dict(J=1.)], ["J"], ShapeError, "has no i"),
    ([dict(i=1, J=np.nan)], ["J"], NumericsError, "J is NaN"),
])
def test_triplet_curves_refuse_what_is_no_history(history, which, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.triplet_curves(tmp_path / "t.png", history, which)
