"""Distances and rates are drawn where they are, and counted by the rule d <= tau."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.plots.thresholds import equal_error
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)


def words_of(fig):
    return [text.get_text() for text in fig.texts]


# ---------------------------------------------------------------------------------------------------------------- distances

def test_both_errors_are_counted_and_d_of_exactly_tau_is_accepted(monkeypatch):
    d, same = np.array([.1, .5, .6, .5, .8, .9, 1.0]), np.array([1, 1, 1, 0, 0, 0, 0])
    fig = figure_of(monkeypatch, lambda path: plots.distance_histograms(path, d, same, .5))
    assert words_of(fig)[1:3] == ["▲ one person: 3 pairs, mean d = 0.4;   1 refused, d > τ: FRR = 33.3 %",
                                  "▼ two people: 4 pairs, mean d = 0.8;   1 accepted, d ≤ τ: FAR = 25 %"]
    full = [bar for bar in fig.axes[0].patches if bar.get_alpha() == 1]             # what is wrong, one bar each
    assert sorted(bar.get_height() for bar in full) == pytest.approx([-1 / 4, 1 / 3])
    assert {bar.get_height() > 0: bar.get_x() >= .5 for bar in full} == {True: True, False: False}


@pytest.mark.parametrize("tau", [None, .37, -1., 9., -np.inf, np.inf])
def test_no_pair_is_lost_between_bars_and_none_is_across_tau(tau, monkeypatch):
    d, same = rng.gamma(2, .3, 500), rng.random(500) < .2
    before = d.copy()
    fig = figure_of(monkeypatch, lambda path: plots.distance_histograms(path, d, same, tau))
    expect_readable(fig)
    heights = np.array([bar.get_height() for bar in fig.axes[0].patches])
    assert heights[heights > 0].sum() == pytest.approx(1) and heights[heights < 0].sum() == pytest.approx(-1)
    shown = [*d, *([tau] if tau is not None and np.isfinite(tau) else [])]
    low, high = fig.axes[0].get_xlim()
    assert low < min(shown) and max(shown) < high and len(fig.axes[0].lines) == 1 + len(shown) - len(d)
    if tau is not None:
        wrong = sum(abs(bar.get_height()) for bar in fig.axes[0].patches if bar.get_alpha() == 1)
        assert wrong == pytest.approx((d[same] > tau).mean() + (d[~same] <= tau).mean())
    assert np.array_equal(d, before)


@pytest.mark.parametrize("d, same", [([.5], [True]), ([0., 0.], [True, False]), ([1e-9, 2e-9], [False, False])])
def test_few_or_equal_distances_are_drawn(d, same, monkeypatch):
    expect_readable(figure_of(monkeypatch, lambda path: plots.distance_histograms(path, d, same, .5)))


@pytest.mark.parametrize("d, same, tau, error, words", [
    ([], [], .5, ShapeError, "d has shape"), ([.1, np.nan], [0, 1], .5, NumericsError, "d holds 1 of 2"),
    ([.1, .2], [0], .5, ShapeError, "same has shape"), ([.1, .2], [0, 2], .5, ShapeError, "True or False"),
    ([[.1]], [[0]], .5, ShapeError, "d has shape"), ([.1], [0], np.nan, NumericsError, "tau"), ([.1], [0], [.5], ShapeError, "tau"),
])
def test_histograms_refuse_what_is_no_distance(d, same, tau, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.distance_histograms(tmp_path / "h.png", d, same, tau)


# ---------------------------------------------------------------------------------------------------------------- rates

@pytest.mark.parametrize("far, frr, expected", [
    ([0, 1], [1, 0], .5), ([0, 0, 1], [1, 0, 0], 0), ([0, .2, .4, 1], [1, .6, .2, 0], .2 + .2 * 2 / 3), ([0, .1], [1, .5], None),
    ([.3, 1], [.1, 0], None), ([.25], [.25], .25),
])
def test_the_equal_error_rate_lies_where_the_lines_cross(far, frr, expected):
    e = equal_error(np.array(far, float), np.array(frr, float))
    assert e is None and expected is None or e == pytest.approx(expected)


@pytest.mark.parametrize("log_x", [False, True])
def test_a_curve_is_drawn_through_its_points_with_a_dot_at_equal_errors(log_x, monkeypatch):
    far, tar = np.array([0, .01, .2, .4, 1]), np.array([0, .3, .4, .8, 1])
    fig = figure_of(monkeypatch, lambda path: plots.roc_curve(path, {"pixels": (far, tar, .75)}, log_x=log_x))
    expect_readable(fig)
    _, line, dot = fig.axes[0].lines
    x, y = line.get_xdata(), line.get_ydata()
    assert np.all(np.diff(x) >= 0) and y == pytest.approx(np.interp(x, far, tar)) and {.2, .4, 1.} <= set(x)
    e = .2 + .2 * 2 / 3
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx((e, 1 - e))
    assert "pixels   AUC 0.75   EER 33.3 %" in words_of(fig)
    assert fig.axes[0].get_xlim() == ((.01, 1) if log_x else (0, 1))


@pytest.mark.parametrize("log_x", [False, True])
def test_perfect_useless_and_many_curves_can_be_read(log_x, monkeypatch):
    curves = {"perfect": ([0, 0, 1], [0, 1, 1], 1.), "never": ([0, 1], [0, 0], 0.), "one point": ([0.], [.5], None)}
    expect_readable(figure_of(monkeypatch, lambda path: plots.roc_curve(path, curves, log_x=log_x)))
    short = figure_of(monkeypatch, lambda path: plots.roc_curve(path, {"a": ([.3, 1], [.9, 1], .9996)}, log_x=log_x))
    assert len(short.axes[0].lines) == 2 and "a   AUC 0.9996" in words_of(short)                    # errors are nowhere equal: no dot
    many = {f"{k} {'a long name ' * 9}": ([0, .5, 1], [0, .6, 1], .55) for k in range(12)}
    fig = figure_of(monkeypatch, lambda path: plots.roc_curve(path, many, log_x=log_x))
    expect_readable(fig)
    assert len({(line.get_color(), line.get_linestyle()) for line in fig.axes[0].lines if len(line.get_xdata()) > 1}) == 13


@pytest.mark.parametrize("curves, error, words", [
    ({}, ShapeError, "no curve"), ({"a": ([0, 1], [0, 1])}, ShapeError, "'a' has 2 parts"),
    ({"a": ([0, 1], [0, .5, 1], None)}, ShapeError, "rising together"), ({"a": ([1, 0], [1, 0], None)}, ShapeError, "rising together"),
    ({"a": ([0, 100], [0, 1], None)}, ShapeError, "far of 'a' goes from 0 to 100"),
    ({"a": ([0, 1], [0, np.nan], None)}, NumericsError, "tar of 'a'"), ({"a": ([0, 1], [0, 1], np.nan)}, NumericsError, "auc of 'a'"),
])
def test_a_roc_refuses_what_is_no_curve(curves, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.roc_curve(tmp_path / "r.png", curves)


def test_both_errors_at_tau_are_those_of_the_last_threshold_up_to_it(monkeypatch):
    taus, far, frr = [-np.inf, .2, .4, .9], [0, 0, .5, 1], [1, .4, .25, 0]
    subtitle = lambda tau: words_of(figure_of(monkeypatch, lambda path: plots.far_frr(path, taus, far, frr, tau)))[1]
    assert subtitle(.4).endswith("at τ = 0.4: FAR = 50 %, FRR = 25 %") and subtitle(.399).endswith("FAR = 0 %, FRR = 40 %")
    assert subtitle(.1).endswith("FAR = 0 %, FRR = 100 %") and subtitle(7.).endswith("FAR = 100 %, FRR = 0 %")
    assert subtitle(-np.inf) == subtitle(None) == "the dot: equal error rate EER = 30.8 %"
    fig = figure_of(monkeypatch, lambda path: plots.far_frr(path, taus, far, frr, .4))
    assert list(fig.axes[0].lines[0].get_xdata()) == taus[1:] and list(fig.axes[0].lines[1].get_ydata()) == frr[1:]
    assert fig.axes[0].lines[2].get_xdata()[0] == .4 and fig.axes[0].lines[2].get_ydata()[0] == pytest.approx(.4 / 1.3)


@pytest.mark.parametrize("taus, far, frr, tau", [
    ([.5], [.2], [.3], .5), ([0., 1.], [0, 1], [1, 0], 40.), ([0., 1.], [.5, .5], [.5, .5], None), ([1e-9, 1e9], [0, .1], [1, .9], -3.),
])
def test_one_threshold_or_a_tau_far_off_can_be_read(taus, far, frr, tau, monkeypatch):
    expect_readable(figure_of(monkeypatch, lambda path: plots.far_frr(path, taus, far, frr, tau)))


@pytest.mark.parametrize("taus, far, frr, error, words", [
    ([], [], [], ShapeError, "taus"), ([0, 1], [0, 1], [1], ShapeError, r"frr \(1,\)"), ([1, 0], [0, 1], [1, 0], ShapeError, "rising"),
    ([0, np.nan], [0, 1], [1, 0], NumericsError, "taus holds"), ([0, 1], [0, np.nan], [1, 0], NumericsError, "far holds"),
    ([0, 1], [0, 1], [2, 0], ShapeError, "frr goes from 0 to 2"), (.5, .5, .5, ShapeError, "taus"),
])
def test_both_errors_refuse_what_is_no_rate(taus, far, frr, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.far_frr(tmp_path / "f.png", taus, far, frr)
