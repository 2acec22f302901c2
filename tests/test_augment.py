"""Augmentation: nothing beyond its limits, nothing that is left out, and what is moved lies where the formula says."""

import numpy as np
import pytest

from scratchnet.augment import LIMITS, vary

STILL = dict.fromkeys(LIMITS, 0)


def rng():
    return np.random.default_rng(3)


def pictures(m=4, n_H=14, n_W=12, n_C=3):
    return np.random.default_rng(0).uniform(0.1, 0.9, (m, n_H, n_W, n_C)).astype(np.float32)


def test_without_any_change_the_pictures_come_back():
    x = pictures()
    np.testing.assert_allclose(vary(x, rng(), mirror=False, **STILL), x, atol=1e-6)


def test_mirrored_pictures_are_exact_mirror_images_and_about_half_of_them():
    x = pictures(m=60)
    varied = vary(x, rng(), **STILL)
    mirrored = [np.allclose(a, b[:, ::-1], atol=1e-6) for a, b in zip(varied, x)]
    kept = [np.allclose(a, b, atol=1e-6) for a, b in zip(varied, x)]
    assert all(a != b for a, b in zip(mirrored, kept))
    assert 15 < sum(mirrored) < 45


@pytest.mark.parametrize("n_C, dtype", [(1, np.float32), (3, np.float64)])
def test_shape_dtype_and_the_argument_stay(n_C, dtype):
    x = pictures(n_C=n_C).astype(dtype)
    x.flags.writeable = False
    varied = vary(x, rng())
    assert varied.shape == x.shape and varied.dtype == dtype and np.isfinite(varied).all()


def test_one_seed_is_one_result_and_each_picture_has_its_own_change():
    x = np.repeat(pictures(m=1), 5, axis=0)
    a, b = vary(x, rng()), vary(x, rng())
    assert np.array_equal(a, b)
    assert all(not np.array_equal(a[i], a[j]) for i in range(5) for j in range(i))


@pytest.mark.parametrize("limit", ["shift", "turn"])
def test_a_dot_moves_no_farther_than_the_limit(limit):
    """A dot in the middle of 21 x 21 pixels: shifted by at most a tenth of the side, and not at all by a turn."""
    x = np.zeros((200, 21, 21, 1), np.float32)
    x[:, 10, 10] = 1
    varied = vary(x, rng(), mirror=False, **{**STILL, limit: 0.1 if limit == "shift" else 30})
    varied = np.maximum(varied[..., 0] - 2e-3, 0)      # the floor of gamma
    weight = varied / varied.sum(axis=(1, 2), keepdims=True)
    row = (weight.sum(axis=2) * np.arange(21)).sum(axis=1) - 10
    column = (weight.sum(axis=1) * np.arange(21)).sum(axis=1) - 10
    far = np.abs([row, column]).max()
    assert far <= 0.1 * 21 + 0.51 if limit == "shift" else far < 0.02
    if limit == "shift":
        assert far > 1.5 and np.std(row) > 0.5 and np.std(column) > 0.5


def test_a_quarter_turn_is_one():
    """Turned by exactly 90 degrees a square picture is np.rot90 of itself, one way or the other."""
    x = pictures(m=8, n_H=9, n_W=9, n_C=1)
    generator = type("Quarter", (), {"uniform": lambda self, a, b, size=None: np.full(size, b, float) if size else b,
                                     "random": lambda self, size=None: np.full(size, 0.9) if size else 0.9,
                                     "standard_normal": lambda self, size, dtype: np.zeros(size, dtype)})()
    varied = vary(x, generator, mirror=False, **{**STILL, "turn": 90})
    assert any(np.allclose(varied, np.rot90(x, k, axes=(1, 2)), atol=1e-5) for k in (1, 3))


def test_zoom_keeps_the_proportions_of_a_picture_that_is_not_square():
    """A disc stays a disc when it grows, though the picture is higher than wide."""
    y, x = np.mgrid[:40, :28]
    disc = ((np.hypot(y - 19.5, x - 13.5) < 8) * 1.0).astype(np.float32)[None, ..., None]
    for varied in vary(np.repeat(disc, 20, axis=0), rng(), mirror=False, **{**STILL, "zoom": 0.3, "turn": 40}):
        inside = varied[..., 0] > 0.5
        height, width = np.ptp(np.flatnonzero(inside.any(axis=1))), np.ptp(np.flatnonzero(inside.any(axis=0)))
        assert abs(height - width) <= 1 and 9 <= height <= 22


def test_patches_hide_as_often_as_asked():
    x = np.full((300, 20, 20, 1), 0.5, np.float32)
    varied = vary(x, rng(), mirror=False, **{**STILL, "patch": 0.3})
    changed = [not np.allclose(a, b, atol=1e-3) for a, b in zip(varied, x)]
    assert 60 < sum(changed) < 120


def test_light_is_brighter_on_one_side():
    x = np.full((50, 20, 20, 1), 0.5, np.float32)
    varied = vary(x, rng(), mirror=False, **{**STILL, "lamp": 0.4})
    np.testing.assert_allclose(varied.mean(axis=(1, 2, 3)), 0.5, atol=1e-5)
    assert np.ptp(varied, axis=(1, 2, 3)).max() > 0.15
    assert varied.max() <= 0.5 * (1 + 0.4 * np.sqrt(2)) + 1e-6


def test_a_wrong_limit_and_a_wrong_shape_are_named():
    with pytest.raises(TypeError, match="no limit 'rotation'; expected turn, zoom"):
        vary(pictures(), rng(), rotation=3)
    with pytest.raises(ValueError, match="pictures"):
        vary(pictures()[0], rng())
