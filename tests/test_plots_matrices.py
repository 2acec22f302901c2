"""Matrices keep their numbers, in colours that can be compared."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from tests.figures import figure_of


def test_two_style_matrices_share_their_colours_and_show_their_difference(monkeypatch):
    G_S, G_G = np.diag([1., 4.]), np.diag([9., 4.])
    fig = figure_of(monkeypatch, lambda path: plots.gram_heatmap(path, G_S, G_G))
    one, two, more = [ax.images[0] for ax in fig.axes if ax.images]
    assert one.get_clim() == two.get_clim() == (0, 9) and more.get_clim() == (-8, 8)
    assert np.array_equal(more.get_array(), G_G - G_S)


@pytest.mark.parametrize("G_S, G_G, error", [
    (np.zeros((0, 0)), None, ShapeError), (np.zeros((2, 3)), None, ShapeError), (np.zeros(4), None, ShapeError),
    (np.eye(2), np.eye(3), ShapeError), (np.full((2, 2), np.nan), None, NumericsError),
])
def test_a_heatmap_refuses_what_is_no_style_matrix(G_S, G_G, error, tmp_path):
    with pytest.raises(error):
        plots.gram_heatmap(tmp_path / "g.png", G_S, G_G)


def test_a_heatmap_of_zeros_and_one_of_many_channels_are_drawn(tmp_path):
    for path in (plots.gram_heatmap(tmp_path / "zero.png", np.zeros((3, 3)), np.zeros((3, 3))),
                 plots.gram_heatmap(tmp_path / "many.png", np.ones((512, 512), np.float32))):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("array, words", [
    (np.array([[1, -2], [30, 0]]), ["1", "−2", "30", "0"]),
    (np.array([.5, -1.25]), ["0.50", "−1.25"]),
    (np.array([.0123, 1e-9]), ["0.0123", "≈ 0"]),
    (np.array([2e7, 1.]), ["2.0e+07", "1.0e+00"]),
    (np.array([np.nan, 1.]), ["nan", "1"]),
    (np.ones((1, 2, 1, 1), np.float32), ["1", "1"]),
    (np.ones((3, 1, 1, 1)), ["1", "1", "1"]),
    (np.array([[True, False]]), ["1", "0"]),
])
def test_a_grid_writes_the_numbers_as_by_hand(array, words, monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.grid(path, [array], ["a"]))
    assert [text.get_text() for text in fig.axes[0].texts] == words


@pytest.mark.parametrize("arrays, titles, signs, words", [
    ([], [], None, "no arrays"),
    ([np.eye(2)], [], None, "0 titles for 1 arrays"),
    ([np.eye(2)] * 2, ["a", "b"], ["*", "="], "2 signs between 2 arrays"),
    ([np.eye(25)], ["a"], None, "at most 24"),
    ([np.zeros((2, 2, 3))], ["a"], None, r"shape \(2, 2, 3\)"),
    ([np.zeros((0, 2))], ["a"], None, "shape"),
])
def test_a_grid_refuses_what_does_not_fit(arrays, titles, signs, words, tmp_path):
    with pytest.raises(ShapeError, match=words):
        plots.grid(tmp_path / "g.png", arrays, titles, signs)
