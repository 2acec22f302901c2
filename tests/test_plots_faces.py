"""Faces are drawn as they are, beside the right distance and what follows from it."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.plots.faces import told_apart
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)
FACE = rng.uniform(size=(30, 20, 3))
LONG = "Maximiliane Theodora von und zu Hohenstaufen-Regensburg-Oberpfalz the second"


def words_of(fig):
    return [text.get_text() for text in fig.texts]


# ---------------------------------------------------------------------------------------------------------------- pair_sheet

def test_each_pair_is_two_pictures_a_title_and_a_verdict(monkeypatch):
    grey = rng.uniform(size=(40, 40, 1))
    before = grey.copy()
    fig = figure_of(monkeypatch, lambda path: plots.pair_sheet(path, [(FACE, grey, .43, "one"), (grey, FACE, .71, "two")], .7))
    assert words_of(fig) == ["one", "d = 0.43 ≤ τ = 0.7: same", "two", "d = 0.71 > τ = 0.7: two people"]
    drawn = [ax.images[0].get_array() for ax in fig.axes]
    assert np.array_equal(drawn[0], FACE) and np.array_equal(drawn[1], np.repeat(grey, 3, axis=2)) and np.array_equal(drawn[3], FACE)
    assert np.array_equal(grey, before)


def test_d_of_exactly_tau_is_the_same_person_and_without_tau_there_is_no_verdict(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.pair_sheet(path, [(FACE, FACE, .7, "a")], .7))
    assert words_of(fig)[1] == "d = 0.7 ≤ τ = 0.7: same"
    fig = figure_of(monkeypatch, lambda path: plots.pair_sheet(path, [(FACE, FACE, .7, "a")]))
    assert words_of(fig)[1] == "d = 0.7"


@pytest.mark.parametrize("d, tau, words", [
    (.43, .7, ("0.43", "0.7")), (.7004, .7, ("0.7004", "0.7")), (.7, .7, ("0.7", "0.7")),
    (.7, np.nextafter(.7, 0), ("0.7", "0.6999999999999998")), (-.7, -.7004, ("−0.7", "−0.7004")), (12345.1, 12345., ("12345.1", "12345")),
])
def test_numbers_that_differ_read_differently(d, tau, words):
    told = told_apart(d, tau)
    assert told == words and (told[0] == told[1]) == (d == tau)


def test_pictures_keep_their_shape_at_the_side_asked_for(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.pair_sheet(path, [(FACE, np.zeros((100, 400, 3)), .4, "a")], side=120))
    sizes = [np.round(ax.get_window_extent().size).tolist() for ax in fig.axes]
    assert sizes == [[80, 120], [120, 30]]


def test_many_pairs_become_smaller_but_not_tiny(monkeypatch):
    def sides(n):
        fig = figure_of(monkeypatch, lambda path: plots.pair_sheet(path, [(FACE, FACE, .4, LONG if k % 7 else "s") for k in range(n)], .7))
        expect_readable(fig)
        return fig.bbox.size, fig.axes[0].get_window_extent().height
    size, side = sides(40)
    assert max(size) <= 2000 and 100 < side <= 128
    assert sides(1)[1] == pytest.approx(128) and sides(150)[1] == pytest.approx(80)


@pytest.mark.parametrize("pairs, tau, error, words", [
    ([], .7, ShapeError, "no pairs"),
    ([(FACE, FACE, .4)], .7, ShapeError, "pair 0 has 3 parts"),
    ([(FACE, FACE, .4, "a"), (FACE, FACE, np.nan, "b")], .7, NumericsError, "d of pair 1"),
    ([(FACE, FACE, [.4, .5], "a")], .7, ShapeError, "d of pair 0"),
    ([(FACE, FACE, .4, "a")], np.nan, NumericsError, "tau"),
    ([(FACE, FACE[..., :2], .4, "a")], .7, ImageError, "picture_2 of pair 0"),
    ([(FACE * np.nan, FACE, .4, "a")], .7, NumericsError, "picture_1 of pair 0 has NaN in 600"),
])
def test_a_pair_sheet_refuses_what_is_no_pair(pairs, tau, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.pair_sheet(tmp_path / "p.png", pairs, tau)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------------------- identify_sheet

def test_the_nearest_person_stands_first_and_the_headline_answers(monkeypatch):
    rows = [("ben", .9), ("anna", .25, FACE), ("carl", 1.5)]
    fig = figure_of(monkeypatch, lambda path: plots.identify_sheet(path, FACE, rows, .7))
    words = words_of(fig)
    assert words[0] == "anna: d = 0.25 ≤ τ = 0.7"
    assert [word for word in words if word in ("anna", "ben", "carl")] == ["anna", "ben", "carl"]
    assert [bar.get_width() for bar in fig.axes[-1].patches] == [.25, .9, 1.5]
    assert list(fig.axes[-1].lines[0].get_xdata()) == [.7, .7]
    fig = figure_of(monkeypatch, lambda path: plots.identify_sheet(path, FACE, rows, .2))
    assert words_of(fig)[0] == "Not in the database: the nearest, anna, has d = 0.25 > τ = 0.2"
    fig = figure_of(monkeypatch, lambda path: plots.identify_sheet(path, FACE, rows))
    assert words_of(fig)[0] == "anna: d = 0.25" and not fig.axes[-1].lines


@pytest.mark.parametrize("rows, tau", [
    ([(LONG, .3, FACE), ("b", .5)], .7), ([(LONG, 1.)] * 30, -np.inf), ([("a", 0.)], None), ([("a", .1), ("b", 1e6)], .7),
])
def test_the_sheet_can_be_read_whoever_is_in_the_gallery(rows, tau, monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.identify_sheet(path, FACE, rows, tau))
    expect_readable(fig)
    assert len(fig.axes[-1].patches) == min(len(rows), 12)


@pytest.mark.parametrize("rows, error, words", [
    ([], ShapeError, "nobody"), ([("anna",)], ShapeError, "row 0 has 1 part"), ([("anna", np.inf)], NumericsError, "d of row 0"),
    ([("anna", .3, np.zeros(3))], ImageError, "picture of row 0"),
])
def test_an_identify_sheet_refuses_what_is_no_gallery(rows, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.identify_sheet(tmp_path / "i.png", FACE, rows, .7)
