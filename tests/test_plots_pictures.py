"""Pictures keep every pixel, and their titles are read."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import ImageError, NumericsError, ShapeError
from tests.figures import figure_of, read

rng = np.random.default_rng(7)


def positions(sheet, picture):
    """Where in the sheet the picture is, pixel for pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape[:2], axis=(0, 1))
    return np.argwhere((abs(windows - np.moveaxis(picture, 2, 0)) < 1e-6).all(axis=(2, 3, 4)))


@pytest.mark.parametrize("columns", [None, 1, 2, 9])
def test_pictures_keep_every_pixel(columns, tmp_path):
    pictures = [np.round(rng.uniform(size=(h, w, 3)) * 255) / 255 for h, w in ((5, 7), (13, 4), (11, 11), (1, 1), (6, 30))]
    pictures[3][:] = (1, 0, 1)
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [*pictures[:4], pictures[4][None].astype(np.float32)], list("abcde"), columns))
    found = [positions(sheet, picture) for picture in pictures]
    assert [len(places) for places in found] == [1, 1, 1, 1, 1]
    assert len({left for (_, left), in found}) == {None: 3, 1: 1, 2: 2, 9: 5}[columns]


def test_a_large_sheet_is_scaled_down_and_no_other(tmp_path):
    pictures = np.full((4, 300, 700, 3), .5)
    large = read(plots.contact_sheet(tmp_path / "l.png", pictures, list("abcd"), columns=4))
    assert 1900 < large.shape[1] <= 2000
    wide = read(plots.contact_sheet(tmp_path / "w.png", pictures[:2], list("ab"), columns=2))
    assert wide.shape[1] == 2 * 700 + 3 * 16


def test_a_sheet_that_is_wide_by_its_titles_does_not_shrink_its_pictures(tmp_path):
    picture = np.round(rng.uniform(size=(8, 8, 3)) * 255) / 255
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [picture] * 24, ["a title"] * 24, columns=24))
    assert len(positions(sheet, picture)) == 24


def test_a_title_longer_than_its_picture_is_wrapped_and_a_dollar_is_a_dollar(monkeypatch):
    titles = ["from $5 to $9 in twenty steps", "x" * 60]
    fig = figure_of(monkeypatch, lambda path: plots.contact_sheet(path, np.zeros((2, 9, 9, 3)), titles))
    first, second = (text.get_text() for text in fig.texts)
    assert "\n" in first and first.replace("\n", " ") == titles[0]
    assert "\n" in second and second.replace("\n", "") == titles[1]


def test_a_sheet_with_a_heading_is_wide_enough_for_it_and_keeps_every_pixel(tmp_path, monkeypatch):
    picture = np.round(rng.uniform(size=(8, 8, 3)) * 255) / 255
    heading = "What they share", "a line that is longer than one small picture"
    without, sheet = (read(plots.contact_sheet(tmp_path / "s.png", [picture], ["first\nsecond"], heading=above))
                      for above in (None, heading))
    assert sheet.shape[0] == without.shape[0] + 60 and sheet.shape[1] >= plots.page.heading_width(*heading) > without.shape[1]
    assert len(positions(sheet, picture)) == 1
    fig = figure_of(monkeypatch, lambda path: plots.contact_sheet(path, [picture], ["first\nsecond"], heading=heading))
    assert [text.get_text() for text in fig.texts] == [*heading, "first\nsecond"]


def test_values_beyond_the_range_are_clipped_and_pictures_not_changed(tmp_path):
    picture = np.array([[[-3., .5, 7.]]])
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [picture], ["one"]))
    assert len(positions(sheet, np.array([[[0, 128 / 255, 1]]]))) + len(positions(sheet, np.array([[[0, 127 / 255, 1]]]))) == 1
    assert np.array_equal(picture, [[[-3., .5, 7.]]])


@pytest.mark.parametrize("pictures, titles, columns, error, words", [
    ([], [], None, ShapeError, "no pictures"),
    ([np.zeros((2, 2, 3))], ["a", "b"], None, ShapeError, "2 titles for 1 pictures"),
    ([np.zeros((2, 2, 3))], ["a"], 0, ShapeError, "0 columns"),
    ([np.zeros((2, 2))], ["a"], None, ImageError, r"picture 0 has shape \(2, 2\)"),
    ([np.zeros((2, 2, 2, 3))], ["a"], None, ImageError, r"expected \(1, n_H, n_W, 3\)"),
    ([np.zeros((0, 2, 3))], ["a"], None, ImageError, "shape"),
    ([np.zeros((2, 2, 3), np.uint8)], ["a"], None, ImageError, "divide bytes by 255"),
    ([np.full((2, 2, 3), np.nan)], ["a"], None, NumericsError, "NaN in 4 of its pixels"),
])
def test_a_sheet_refuses_what_is_no_picture(pictures, titles, columns, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.contact_sheet(tmp_path / "s.png", pictures, titles, columns)
    assert not list(tmp_path.iterdir())
