"""The drawn pictures must be the same everywhere, and a sky must be a painting: strokes, contrast, night and fire."""

import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest

from scratchnet.datasets import PAIRS, checks, dots, edge, rings, striped_patches, stripes, swirling_sky, textures
from scratchnet.errors import ShapeError


@lru_cache
def painted(seed):
    return swirling_sky(192, 256, seed)


@pytest.fixture
def sky():
    return painted(0)


def box_mean(a, side):
    """The mean over every side x side window of a, by running sums."""
    total = np.pad(a.astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side ** 2


def coherence(S, side=9):
    """How far one direction wins in a neighbourhood: 0 none, 1 all (structure tensor, weighted by its energy)."""
    dy, dx = np.gradient(S[0].mean(axis=2))
    xx, yy, xy = (box_mean(product, side) for product in (dx * dx, dy * dy, dx * dy))
    return np.hypot(xx - yy, 2 * xy).sum() / (xx + yy).sum()


def blocks(S, side):
    """Mean colour of every side x side block."""
    _, n_H, n_W, _ = S.shape
    return S.reshape(n_H // side, side, n_W // side, side, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("n_H, n_W", [(1, 1), (1, 9), (3, 2), (17, 31), (64, 64), (50, 201)])
@pytest.mark.parametrize("draw", [swirling_sky, stripes, checks, striped_patches, edge, dots, rings])
def test_every_picture_is_one_batch_of_float32_rgb_between_0_and_1(draw, n_H, n_W):
    S = draw(n_H, n_W)
    assert S.shape == (1, n_H, n_W, 3) and S.dtype == np.float32
    assert np.isfinite(S).all() and S.min() >= 0 and S.max() <= 1


@pytest.mark.parametrize("draw", [swirling_sky, stripes, checks, striped_patches, edge, dots, rings])
@pytest.mark.parametrize("n_H, n_W", [(0, 8), (8, 0), (-3, 8)])
def test_a_picture_without_pixels_is_refused(draw, n_H, n_W):
    with pytest.raises(ShapeError, match="at least 1"):
        draw(n_H, n_W)


def test_the_same_seed_paints_the_same_sky_and_leaves_numpys_own_dice_alone(sky):
    np.random.seed(4)
    before = np.random.get_state()[1].copy()
    assert np.array_equal(swirling_sky(192, 256), sky)
    assert np.array_equal(np.random.get_state()[1], before)
    assert abs(painted(1) - sky).mean() > .1


def test_another_size_is_the_same_sky(sky):
    small, large = blocks(swirling_sky(96, 128), 8), blocks(sky, 16)
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > .75


@pytest.mark.parametrize("seed", range(3))
def test_a_sky_has_strokes_that_run_one_way_in_each_place_and_every_way_over_all(seed):
    S = painted(seed)
    noise = np.random.default_rng(seed).uniform(size=S.shape)
    assert coherence(S) > .5 > .25 > coherence(noise)

    dy, dx = np.gradient(S[0].mean(axis=2))
    ways, _ = np.histogram(np.arctan2(dy, dx) % np.pi, bins=6, range=(0, np.pi), weights=dx * dx + dy * dy)
    assert ways.min() > .03 * ways.sum()                                            # whirls: no direction is missing


def test_a_sky_has_contrast_at_every_scale_but_is_no_noise(sky):
    grey = sky[0].mean(axis=2)
    assert grey.std() > .18
    for side in (4, 8, 16, 32):
        local = grey.reshape(192 // side, side, 256 // side, side).std(axis=(1, 3))
        assert np.median(local) > .03
    assert np.corrcoef(grey[:, 1:].ravel(), grey[:, :-1].ravel())[0, 1] > .8


@pytest.mark.parametrize("seed", range(3))
def test_a_sky_is_mostly_blue_with_yellow_and_orange(seed):
    R, G, B = np.moveaxis(painted(seed)[0], 2, 0)
    assert (B > R + .1).mean() > .5
    assert ((R > .85) & (G > .7) & (B < R - .1)).mean() > .02                       # yellow
    assert ((R > .6) & (G < .75 * R) & (B < .5 * R)).mean() > .01                   # orange


def test_no_hole_in_a_light_or_whirl_shows_the_bare_canvas(sky):
    from scratchnet.datasets import BLUE
    bare = abs(sky[0] - BLUE[1].astype(np.float32)).max(axis=2) < 1e-3
    assert bare.mean() < .01


def test_stripes_run_as_their_angle_says_with_their_period():
    up, across, slanted = stripes(24, 32, 90, 8)[0], stripes(24, 32, 0, 8)[0], stripes(24, 32, 45, 8)[0]
    assert np.allclose(up, up[:1]) and np.allclose(up[:, 8:], up[:, :-8]) and not np.allclose(up[:, 4:], up[:, :-4])
    assert np.allclose(across, across[:, :1]) and np.allclose(across[8:], across[:-8])
    assert np.allclose(slanted[:-1, 1:], slanted[1:, :-1], atol=1e-5)               # up to the right
    assert set(np.round(up[0, :, 0], 4)) == {np.float32(.1), np.float32(.97)}       # an even period is crisp


def test_checks_alternate_both_ways():
    S = checks(4, 6, side=2, colours=((0, 0, 0), (1, .5, .25)))[0]
    assert np.array_equal(S[:, :, 0], [[0, 0, 1, 1, 0, 0]] * 2 + [[1, 1, 0, 0, 1, 1]] * 2)
    assert np.array_equal(S[0, 2], np.float32([1, .5, .25]))


@pytest.mark.parametrize("draw", [lambda: stripes(8, 8, period=1), lambda: stripes(8, 8, period=np.nan), lambda: checks(8, 8, side=0),
                                  lambda: dots(8, 8, radius=0), lambda: rings(8, 8, period=1),
                                  lambda: striped_patches(8, 8, side=0)])
def test_patterns_finer_than_pixels_are_refused(draw):
    with pytest.raises(ShapeError, match="cannot be drawn"):
        draw()


@pytest.mark.parametrize("angle, first, second", [(0, (0, 16), (-1, 16)), (90, (12, 0), (12, -1)), (180, (-1, 16), (0, 16)),
                                                  (270, (12, -1), (12, 0)), (45, (0, 0), (-1, -1))])
def test_an_edge_has_its_first_colour_where_its_angle_says(angle, first, second):
    picture = edge(24, 32, angle, ((1, 0, 0), (0, 0, 1)))[0]
    assert picture[first].tolist() == [1, 0, 0] and picture[second].tolist() == [0, 0, 1]
    assert abs(picture[..., 0].mean() - 0.5) < 0.03


def test_dots_are_round_three_radii_apart_and_every_other_row_is_moved():
    ink = dots(36, 36, 4, ((1, 1, 1), (0, 0, 0)))[0, ..., 0]
    centres = [(6, 6), (6, 18), (18, 12), (18, 24), (30, 6)]
    assert all(ink[y - 1:y + 1, x - 1:x + 1].min() == 1 for y, x in centres) and ink[18, 6] == ink[6, 12] == 0
    assert ink[:12, :12].sum() == pytest.approx(np.pi * 16, rel=0.02)


def test_rings_go_round_the_middle_with_their_period():
    picture = rings(65, 65, 8)[0, ..., 0]
    assert np.allclose(picture, picture.T) and np.allclose(picture, picture[::-1])
    assert np.allclose(picture[32, 33:49], picture[32, 41:57], atol=1e-6) and np.ptp(picture[32]) > 0.8


def test_textures_have_many_angles_and_colours_and_are_drawn_when_they_are_asked_for():
    drawn = textures(20, 24)
    assert len(drawn) == 400 and len(PAIRS) >= 8
    assert len({name.split(" at ")[1].split(",")[0] for name in drawn if name.startswith("edge")}) >= 8
    some = list(drawn)[::17]
    pictures = [drawn[name]() for name in some]
    assert all(picture.shape == (1, 20, 24, 3) and picture.dtype == np.float32 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == len(some)
    assert np.array_equal(drawn["stripes at 45 degrees, 5 pixels, red and green"](), stripes(20, 24, 45, 5, PAIRS["red and green"]))


def test_striped_patches_move_the_orange_and_nothing_else():
    one, other = striped_patches(128, 128, True), striped_patches(128, 128, False)
    assert np.allclose(one.mean(axis=(0, 1, 2)), other.mean(axis=(0, 1, 2)), atol=2e-3)
    for S, together in ((one, True), (other, False)):
        texture = abs(np.diff(S[0].sum(axis=2), axis=1)).reshape(4, 32, 127)[:, :, :-31].mean(axis=1)
        texture = np.stack([texture[:, 32 * k:32 * k + 31].mean(axis=1) for k in range(3)], axis=1)
        orange = blocks(S, 32)[:, :3, 0] > blocks(S, 32)[:, :3, 2]
        assert np.array_equal(orange, (texture > .01) == together)


def test_drawing_needs_numpy_alone():
    code = "import sys, scratchnet.datasets; print(sorted({'numba', 'PIL', 'matplotlib', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
