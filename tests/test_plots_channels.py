"""Filters and activations: every channel in its place, all on one scale."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)


def words_of(fig):
    return [text.get_text() for text in fig.texts]


def test_filters_are_pictures_on_one_scale_where_zero_is_grey(monkeypatch):
    W = np.zeros((3, 3, 3, 12))
    W[0, 1, 2, 4], W[2, 2, 0, 11] = 2, -1
    fig = figure_of(monkeypatch, lambda path: plots.filters(path, W, columns=8))
    drawn = [np.asarray(image.get_array()) for image in fig.axes[0].images]
    assert len(drawn) == 12 and (drawn[0] == .5).all()
    assert drawn[4][0, 1].tolist() == [.5, .5, 1] and drawn[11][2, 2].tolist() == [.25, .5, .5]
    assert words_of(fig)[1].endswith("the largest |w| is 2") and {"0", "8", "+7"} <= set(words_of(fig))


def test_grey_filters_are_drawn_and_those_that_are_no_pictures_are_not(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.filters(path, rng.normal(size=(5, 5, 1, 3))))
    assert np.ptp(fig.axes[0].images[0].get_array(), axis=2).max() == 0
    with pytest.raises(ShapeError, match="64 channels each"):
        plots.filters("unused.png", np.zeros((3, 3, 64, 8)))
    with pytest.raises(ShapeError, match="f, f, n_C_prev, n_C"):
        plots.filters("unused.png", np.zeros((3, 3, 3)))
    with pytest.raises(NumericsError):
        plots.filters("unused.png", np.full((3, 3, 3, 2), np.nan))


def test_activations_have_one_scale_and_say_who_is_silent_or_below_zero(monkeypatch):
    a = np.zeros((1, 4, 6, 10), np.float32)
    a[0, 1, 2, 3], a[0, 0, 0, 9] = 5, -3
    before = a.copy()
    fig = figure_of(monkeypatch, lambda path: plots.activations(path, a))
    images = fig.axes[0].images
    assert len(images) == 10 and {image.norm.vmax for image in images} == {5} and {image.norm.vmin for image in images} == {0}
    assert images[3].get_array()[1, 2] == 5 and images[9].get_array().max() == 0
    assert all(words in words_of(fig)[1] for words in ("10 channels of 4 × 6", "9 silent here", "0.417 % of all are below 0"))
    assert np.array_equal(a, before)


@pytest.mark.parametrize("n_C, n_H, n_W", [(1, 5, 5), (7, 40, 10), (64, 56, 75), (256, 14, 14), (512, 2, 3), (512, 14, 14)])
def test_any_layer_fits_and_can_be_read(monkeypatch, n_C, n_H, n_W):
    fig = figure_of(monkeypatch, lambda path: plots.activations(path, rng.uniform(size=(n_H, n_W, n_C))))
    assert max(fig.bbox.size) <= 2000 and len(fig.axes[0].images) == n_C
    expect_readable(fig)


def test_a_layer_that_is_silent_as_a_whole_is_drawn(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.activations(path, np.zeros((1, 3, 3, 4))))
    assert "4 silent here" in words_of(fig)[1]
    expect_readable(fig)


def test_activations_of_two_pictures_are_refused():
    with pytest.raises(ShapeError, match="n_H, n_W, n_C"):
        plots.activations("unused.png", np.zeros((2, 3, 3, 4)))


# ---- layer_sheet -------------------------------------------------------------------------------------------------------------

def test_the_views_of_a_layer_stand_beside_the_picture_with_their_costs_and_nine_channels_in_order(monkeypatch):
    picture, content, grain = rng.uniform(size=(3, 16, 12, 3))
    a = rng.uniform(size=(1, 4, 3, 20))
    a[0, 0, 0, 7] = 8
    fig = figure_of(monkeypatch, lambda path: plots.layer_sheet(path, "relu3_1", picture[None], (content, .0125), (grain, 2), a,
                                                                [7, 3, 11, *range(12, 20)]))
    images = fig.axes[0].images
    for image, drawn in zip(images, (picture, content, grain, *(a[0, :, :, k] for k in (7, 3, 11, 12)))):
        assert np.array_equal(image.get_array(), drawn)
    assert len(images) == 3 + 9 and {image.norm.vmax for image in images[3:]} == {8}
    lefts = [image.get_extent()[0] for image in images[:4]]
    assert lefts == sorted(set(lefts))
    words = words_of(fig)
    assert words[0].startswith("relu3_1") and "12 positions (4 × 3) of 20 channels" in words[1]
    assert any("J_content = 0.0125" in text for text in words) and any("J_style = 2" in text for text in words)
    assert words[-9:] == ["7", "3", "11", *map(str, range(12, 18))]
    expect_readable(fig)


@pytest.mark.parametrize("n_H, n_W, channels", [(8, 30, [0, 1]), (30, 8, range(9)), (9, 9, [])])
def test_views_of_pictures_of_any_shape_can_be_read_and_a_silent_layer_has_no_channels(monkeypatch, n_H, n_W, channels):
    picture = rng.uniform(size=(n_H, n_W, 3))
    a = np.zeros((n_H, n_W, 512)) if not channels else rng.normal(size=(n_H, n_W, 512))
    fig = figure_of(monkeypatch, lambda path: plots.layer_sheet(path, "relu5_1", picture, (picture, 1e-9), (picture, 123456.), a, channels))
    assert len(fig.axes[0].images) == 3 + len(channels) and all(image.get_array().min() >= 0 for image in fig.axes[0].images)
    expect_readable(fig)


def test_views_refuse_channels_that_there_are_not_and_costs_that_are_no_numbers():
    picture = rng.uniform(size=(8, 8, 3))
    with pytest.raises(ShapeError, match="from 0 to 3"):
        plots.layer_sheet("unused.png", "relu1_1", picture, (picture, 1), (picture, 1), np.ones((8, 8, 4)), [4])
    with pytest.raises(NumericsError, match="J_style"):
        plots.layer_sheet("unused.png", "relu1_1", picture, (picture, 1), (picture, np.nan), np.ones((8, 8, 4)), [0])
