"""Patches are drawn whole, at one scale, in their order, and beside the right numbers."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import ImageError, NumericsError, ShapeError
from tests.figures import expect_readable, figure_of

rng = np.random.default_rng(7)
PICTURE = rng.uniform(size=(40, 60, 3))


def patches(n=9, n_H=8, n_W=8):
    return [(rng.uniform(size=(n_H, n_W, 3)), float(n - k)) for k in range(n)]


def words_of(fig):
    return [text.get_text() for text in fig.texts]


def drawn(fig):
    """[(picture, (left, top, width, height) in pixels), ...] of a sheet's canvas, in the order of drawing."""
    images = [image for ax in fig.axes for image in ax.images]
    places = [(left, top, right - left, bottom - top) for left, right, bottom, top in (image.get_extent() for image in images)]
    return [(np.asarray(image.get_array()), place) for image, place in zip(images, places)]


# ---------------------------------------------------------------------------------------------------------------- patch_sheet

def test_every_unit_has_its_number_its_strongest_value_and_nine_patches_in_reading_order(monkeypatch):
    rows = [(17, patches(11)), (4, patches(2)), (0, [])]
    fig = figure_of(monkeypatch, lambda path: plots.patch_sheet(path, rows, "relu1_1", columns=3))
    assert words_of(fig)[2:] == ["17", "11", "4", "2", "0", "silent"] and "3 units" in words_of(fig)[1]
    assert len(drawn(fig)) == 11                                        # nine of the first, two of the second
    for (picture, _), (patch, _) in zip(drawn(fig), rows[0][1][:9] + rows[1][1]):
        assert np.array_equal(picture, patch)
    places = np.array([place[:2] for _, place in drawn(fig)[:9]])
    assert np.array_equal(np.lexsort(places.T), np.arange(9))           # rows from above, each from the left
    expect_readable(fig)


def test_patches_of_a_sheet_have_one_scale_and_small_ones_lie_in_the_middle_of_their_place(monkeypatch):
    rows = [(0, [(np.zeros((8, 8, 3)), 2.), (np.zeros((4, 8, 3)), 1.)]), (1, [(np.zeros((2, 6, 3)), 1.)])]
    fig = figure_of(monkeypatch, lambda path: plots.patch_sheet(path, rows, side=56))
    (_, whole), (_, half), (_, small) = drawn(fig)
    assert whole[2:] == (56, 56) and half[2:] == (56, 28) and small[2:] == (42, 14)
    assert half[1] - whole[1] == 14 and half[0] - whole[0] == 58        # 14 above and 14 below; beside it, after a gap of 2


def test_many_units_make_the_patches_smaller_and_not_the_sheet_larger(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.patch_sheet(path, [(k, patches(9)) for k in range(128)]))
    assert max(fig.bbox.size) <= 2000 and 24 < drawn(fig)[0][1][2] < 56
    expect_readable(fig)


def test_what_can_be_no_patch_is_refused_by_its_unit():
    with pytest.raises(ImageError, match="patch 1 of unit 5"):
        plots.patch_sheet("unused.png", [(5, [(np.zeros((3, 3, 3)), 1), (np.zeros((3, 3)), 1)])])
    with pytest.raises(NumericsError, match="value"):
        plots.patch_sheet("unused.png", [(5, [(np.zeros((3, 3, 3)), np.nan)])])
    with pytest.raises(ShapeError, match="no rows"):
        plots.patch_sheet("unused.png", [])


# ---------------------------------------------------------------------------------------------------------------- layer_page

def test_the_page_names_layers_and_what_their_units_see_and_draws_nine_units_of_each(monkeypatch):
    layers = [(f"relu{n}_1", 3 * n ** 3, [(10 * n + k, patches(9, 2 * n, 2 * n)) for k in range(11)]) for n in range(1, 6)]
    fig = figure_of(monkeypatch, lambda path: plots.layer_page(path, layers))
    words = words_of(fig)
    assert "relu5_1" in words and "sees 375 × 375 pixels" in words and "18" in words and "19" not in words
    assert len(drawn(fig)) == 5 * 9 * 9 and max(fig.bbox.size) <= 2000
    sides = {place[2] for _, place in drawn(fig)}
    assert len(sides) == 1                                              # each layer at its own scale: all as large on the page
    expect_readable(fig)


@pytest.mark.parametrize("columns, wider", [(5, True), (2, False)])
def test_layers_stand_side_by_side_or_in_rows(monkeypatch, columns, wider):
    layers = [(f"relu{n}_1", 3, [(k, patches()) for k in range(9)]) for n in range(1, 6)]
    fig = figure_of(monkeypatch, lambda path: plots.layer_page(path, layers, columns=columns, side=24))
    assert (fig.bbox.width > fig.bbox.height) == wider
    expect_readable(fig)


def test_a_page_of_nothing_is_refused():
    with pytest.raises(ShapeError, match="no layers"):
        plots.layer_page("unused.png", [])
    with pytest.raises(ShapeError, match="no units of relu1_1"):
        plots.layer_page("unused.png", [("relu1_1", 3, [])])
    with pytest.raises(ShapeError, match=r"expected \(name, field, rows\)"):
        plots.layer_page("unused.png", [("relu1_1", [])])


# ---------------------------------------------------------------------------------------------------------------- unit_sheet

def test_a_unit_s_patches_and_maps_are_cut_from_where_its_boxes_are(monkeypatch):
    pictures, boxes = [PICTURE, PICTURE[:30]], [(0, 10, 8, 18), (20, 0, 25, 8)]
    dx = [rng.normal(size=picture.shape) for picture in pictures]
    fig = figure_of(monkeypatch, lambda path: plots.unit_sheet(path, "relu3_1", 17, pictures, boxes, [3., 2.], {"guided": dx}))
    whole, patch, back = drawn(fig)[:2], drawn(fig)[2:4], drawn(fig)[4:6]
    assert np.array_equal(whole[1][0], pictures[1])
    assert np.array_equal(patch[0][0], PICTURE[0:8, 10:18]) and np.array_equal(patch[1][0], PICTURE[20:25, 0:8])
    cut = dx[0][0:8, 10:18]
    assert np.allclose(back[0][0], .5 + .5 * cut / abs(cut).max())      # zero is grey, each on its own scale
    assert "relu3_1, unit 17" in words_of(fig) and "from 3 down to 2" in words_of(fig)[1]
    left, top, width, height = whole[0][1]
    outer = fig.axes[0].patches[0]                                      # the box, on the picture scaled to 132 pixels
    assert outer.get_x() - left == pytest.approx(10 * width / 60) and outer.get_height() == pytest.approx(8 * height / 40)
    expect_readable(fig)


def test_every_view_has_its_place(monkeypatch):
    dx = [PICTURE - .5] * 9
    fig = figure_of(monkeypatch, lambda path: plots.unit_sheet(
        path, "relu1_1", 5, [PICTURE] * 9, [(1, 2, 4, 5)] * 9, range(9, 0, -1), dict.fromkeys(("deconv", "guided", "gradient"), dx),
        rng.uniform(size=(1, 48, 48, 3)), [(k, 123.456, patches()) for k in (2, 60)], rng.normal(size=(3, 3, 3))))
    for name in ("the patches", "deconvnet", "guided", "plain gradient", "driven up", "its filter", "together with 60", "G_kk' = 123"):
        assert name in words_of(fig)
    assert len(drawn(fig)) == 9 + 4 * 9 + 2 + 2 * 9
    expect_readable(fig)


def test_what_does_not_fit_together_is_refused():
    given = {"pictures": [PICTURE], "boxes": [(0, 0, 3, 3)], "values": [1.]}
    one = lambda **other: plots.unit_sheet("unused.png", "relu1_1", 0, **{**given, **other})
    with pytest.raises(ShapeError, match="1 pictures, 1 boxes, 2 values"):
        one(values=[2., 1.])
    for box in ((0, 0, 41, 3), (3, 0, 3, 3), (-1, 0, 3, 3), (0, 58, 3, 61)):
        with pytest.raises(ShapeError, match="box 0 is"):
            one(boxes=[box])
    with pytest.raises(ShapeError, match="expected 1 under one of deconv, guided, gradient"):
        one(backs={"guide": [PICTURE]})
    with pytest.raises(ShapeError, match="its picture"):
        one(backs={"guided": [PICTURE[:9]]})


def test_nothing_given_is_changed(monkeypatch):
    picture, dx = PICTURE.copy(), PICTURE - .5
    figure_of(monkeypatch, lambda path: plots.unit_sheet(path, "relu1_1", 0, [picture], [(0, 0, 3, 3)], [1.], {"deconv": [dx]}))
    assert np.array_equal(picture, PICTURE) and np.array_equal(dx, PICTURE - .5)
