"""Boxes and maps lie where they belong, and every scale is the one that its bar shows."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.plots.maps import half_of
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)
PICTURE = rng.uniform(size=(40, 60, 3))


def words_of(fig):
    return [text.get_text() for text in fig.texts]


# ---------------------------------------------------------------------------------------------------------------- fields

def test_boxes_are_drawn_around_whole_pixels_and_named_with_their_size(monkeypatch):
    boxes = {"relu1_1": (10, 20, 13, 23), "relu2_1": (5, 15, 15, 26), "relu5_1": (0, 0, 40, 60)}
    fig = figure_of(monkeypatch, lambda path: plots.receptive_fields(path, PICTURE, boxes))
    assert {"relu1_1   3 × 3", "relu2_1   10 × 11", "relu5_1   40 × 60"} <= set(words_of(fig))
    corners = {(round(box.get_x(), 9), round(box.get_y(), 9), box.get_width(), box.get_height()) for box in fig.axes[0].patches}
    assert corners == {(19.5, 9.5, 3, 3), (14.5, 4.5, 11, 10), (-.5, -.5, 60, 40)}
    expect_readable(fig)


def test_half_of_a_sum_is_in_few_places():
    assert half_of(np.ones((4, 5))) == 10 and half_of(np.array([[0, 9., 1, 1]])) == 1 and half_of(np.zeros((3, 3))) == 0
    assert half_of(np.array([[3., 3, 2, 2, 2]])) == 2                   # 6 of 12 is half


def test_the_measured_field_says_how_much_of_the_box_counts(monkeypatch):
    strength = np.zeros((40, 60))
    strength[10, 20] = 5
    fig = figure_of(monkeypatch, lambda path: plots.measured_field(path, PICTURE, (5, 15, 15, 25), strength, "a unit of relu2_1"))
    assert words_of(fig)[1] == "a unit of relu2_1 may see 10 × 10 = 100 pixels;   half of its gradient is in 1 of them, 1 %"
    inside = fig.axes[1].images[0]
    assert inside.get_array().shape == (10, 10) and inside.get_array()[5, 5] == 5
    expect_readable(fig)
    fig = figure_of(monkeypatch, lambda path: plots.measured_field(path, PICTURE, (5, 15, 15, 25), 0 * strength))
    assert words_of(fig)[1].endswith("here no pixel moves it")


# ---------------------------------------------------------------------------------------------------------------- heat

def test_where_a_map_is_zero_the_picture_is_grey_and_signs_have_their_colours(monkeypatch):
    map = np.zeros((40, 60))
    map[3, 4], map[5, 6] = 2, -2
    fig = figure_of(monkeypatch, lambda path: plots.saliency_sheet(path, PICTURE, {"occlusion": map}))
    picture, laid = (np.asarray(image.get_array()) for image in fig.axes[0].images)
    assert np.array_equal(picture, PICTURE)
    assert np.ptp(laid[map == 0], axis=-1).max() < 1e-9
    assert laid[3, 4, 0] - laid[3, 4, 2] > .3 > -.3 > laid[5, 6, 0] - laid[5, 6, 2]           # orange, blue
    assert fig.axes[1].get_ylim() == (-2, 2)


def test_the_bar_of_a_map_without_negative_values_begins_at_zero(monkeypatch):
    maps = {"saliency": PICTURE[..., 0], "nothing": np.zeros((40, 60))}
    fig = figure_of(monkeypatch, lambda path: plots.saliency_sheet(path, PICTURE, maps))
    assert fig.axes[1].get_ylim() == (0, pytest.approx(PICTURE[..., 0].max())) and fig.axes[2].get_ylim() == (0, 1)
    assert "saliency" in words_of(fig) and "nothing" in words_of(fig)
    expect_readable(fig)


def test_two_pictures_share_the_scale_of_a_name(monkeypatch):
    a, b, small = np.full((40, 60), .5), np.full((30, 50), -2.), PICTURE[:30, :50]
    fig = figure_of(monkeypatch, lambda path: plots.pair_maps(path, PICTURE, small, {"occlusion": a}, {"occlusion": b}, .31, .7))
    assert words_of(fig)[0] == "Why did it say same?" and words_of(fig)[1].startswith("d = 0.31,  τ = 0.7")
    assert [ax.get_ylim() for ax in fig.axes[1:]] == [(0, 2), (-2, 2)]
    expect_readable(fig)
    fig = figure_of(monkeypatch, lambda path: plots.pair_maps(path, PICTURE, PICTURE, {"occlusion": a}, {"occlusion": a}, .9, .7))
    assert words_of(fig)[0] == "Why did it say two people?"


def test_a_map_of_zeros_takes_nothing_from_the_scale_of_the_other_picture_s(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.pair_maps(path, PICTURE, PICTURE, {"cam": np.zeros((40, 60))},
                                                              {"cam": np.full((40, 60), .01)}, .3, .7))
    assert [ax.get_ylim() for ax in fig.axes[1:]] == [(0, .01), (0, .01)]
    both = {"cam": np.zeros((40, 60))}
    fig = figure_of(monkeypatch, lambda path: plots.pair_maps(path, PICTURE, PICTURE, both, both, 0, .7))
    assert [ax.get_ylim() for ax in fig.axes[1:]] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("draw, error, says", [
    (lambda: plots.saliency_sheet("unused.png", PICTURE, {}), ShapeError, "nothing to lay"),
    (lambda: plots.saliency_sheet("unused.png", PICTURE, {"cam": np.zeros((4, 6))}), ShapeError, "attribution.enlarged"),
    (lambda: plots.saliency_sheet("unused.png", PICTURE, {"cam": np.full((40, 60), np.nan)}), NumericsError, "'cam'"),
    (lambda: plots.saliency_sheet("unused.png", PICTURE[..., 0], {"cam": PICTURE[..., 0]}), ImageError, "the picture"),
    (lambda: plots.pair_maps("unused.png", PICTURE, PICTURE, {"a": PICTURE[..., 0]}, {"b": PICTURE[..., 0]}, .3), ShapeError, "same names"),
    (lambda: plots.receptive_fields("unused.png", PICTURE, {}), ShapeError, "no boxes"),
    (lambda: plots.receptive_fields("unused.png", PICTURE, {"relu1_1": (0, 0, 0, 0)}), ShapeError, "box of relu1_1"),
])
def test_what_cannot_be_drawn_is_refused(draw, error, says):
    with pytest.raises(error, match=says):
        draw()
