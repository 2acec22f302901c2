"""What a painting begins as: each start and each kind of noise by its definition, sizes, dtypes, refusals."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scratchnet import images
from scratchnet.errors import ImageError, ShapeError
from scratchnet.starts import MEAN_COLOUR, NOISE, STARTS, starting_picture

MEAN = np.asarray(MEAN_COLOUR)


def picture(seed, n_H=8, n_W=9, dtype=np.float32):
    return np.random.default_rng(seed).random((1, n_H, n_W, 3)).astype(dtype)


C, S = picture(1), picture(2, 12, 7)
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


# ---- the starts ----------------------------------------------------------------------------------------------------------

def test_content_is_the_photograph_and_a_picture_of_its_own():
    G = starting_picture(C, "content")
    assert np.array_equal(G, C) and not np.shares_memory(G, C)


def test_grey_is_grey():
    assert np.array_equal(starting_picture(C, "grey"), np.full_like(C, 0.5))


def test_noise_is_seeded_and_mix_lies_between():
    noise = starting_picture(C, "noise", seed=3)
    assert np.array_equal(noise, starting_picture(C, "noise", seed=3))
    assert not np.array_equal(noise, starting_picture(C, "noise", seed=4))
    assert np.allclose(starting_picture(C, "mix", mix=0.25, seed=3), 0.25 * noise + 0.75 * C, atol=1e-7)
    assert np.array_equal(starting_picture(C, "mix", mix=0.0), C) and np.array_equal(starting_picture(C, "mix", mix=1, seed=3), noise)


def test_a_style_of_the_same_shape_is_taken_as_it_is():
    other = picture(5)
    G = starting_picture(C, "style", S=other)
    assert np.array_equal(G, other) and not np.shares_memory(G, other)


def test_of_a_style_of_another_shape_the_middle_is_taken():
    """Three stripes, high and narrow, for a picture that is low and wide: only the middle one is to be seen."""
    stripes = np.zeros((1, 60, 20, 3), np.float32)
    stripes[:, 20:40, :, 0] = 1
    G = starting_picture(np.zeros((1, 16, 16, 3), np.float32), "style", S=stripes)
    assert G.shape == (1, 16, 16, 3) and G[0, 2:-2, :, 0].min() > 0.97 and not G[..., 1:].any()
    flat = starting_picture(np.zeros((1, 16, 16, 3), np.float32), "style", S=np.swapaxes(stripes, 1, 2))
    assert np.allclose(flat, np.swapaxes(G, 1, 2), atol=1e-6)


@given(*4 * [st.integers(1, 40)])
def test_a_style_of_any_size_comes_to_the_size_of_the_content(n_H, n_W, own_H, own_W):
    G = starting_picture(np.zeros((1, n_H, n_W, 3), np.float32), "style", S=picture(0, own_H, own_W))
    assert G.shape == (1, n_H, n_W, 3) and 0 <= G.min() and G.max() <= 1


def test_a_picture_of_the_same_size_starts_as_it_is_and_another_is_resized_as_a_whole():
    assert np.array_equal(starting_picture(C, picture(4)), picture(4))
    assert np.array_equal(starting_picture(C, S), images.resize(S, (8, 9)))
    assert np.array_equal(starting_picture(C, picture(4)[0]), picture(4))
    assert np.array_equal(starting_picture(C, np.full((4, 4, 3), 51, np.uint8)), np.full_like(C, 0.2))


# ---- the kinds of noise, in the units of the programs they come from -------------------------------------------------------

def test_white_is_uniform_from_0_to_1():
    noise = starting_picture(picture(7, 60, 80, np.float64), "noise")
    assert 0 <= noise.min() < 0.001 and 0.999 < noise.max() < 1
    assert noise.mean() == pytest.approx(0.5, abs=0.01) and noise.std() == pytest.approx(1 / np.sqrt(12), abs=0.01)


def test_course_1_in_its_own_units():
    """There pictures are 0..255 minus the mean colour, and G = 0.6 U(-20, 20) + 0.4 C."""
    C = picture(7, 60, 80, np.float64)
    G = starting_picture(C, "mix", mix=0.6, noise="course-1")
    noise = ((255 * G - MEAN) - 0.4 * (255 * C - MEAN)) / 0.6
    assert -20 <= noise.min() < -19.9 and 19.9 < noise.max() <= 20 and abs(noise.mean()) < 0.3
    assert noise.std() == pytest.approx(40 / np.sqrt(12), rel=0.02)


def test_course_2_is_the_content_shaken_and_clipped():
    C = picture(7, 60, 80, np.float64)
    G = starting_picture(C, "noise", noise="course-2")
    shaken, inside = G - C, (G > 0) & (G < 1)
    assert G.min() == 0 and G.max() == 1 and np.abs(shaken).max() <= 0.25
    middle = (0.25 < C) & (C < 0.75)                  # nothing is clipped there
    assert inside[middle].all() and shaken[middle].std() == pytest.approx(0.5 / np.sqrt(12), rel=0.03) and abs(shaken[middle].mean()) < 0.01


@pytest.mark.parametrize("noise, scale, sigma", [("gatys", 255, 1.0), ("neural-style", 256, 0.001)])
def test_normal_noise_about_the_mean_colour_in_their_units(noise, scale, sigma):
    z = scale * starting_picture(picture(7, 60, 80, np.float64), "noise", noise=noise) - MEAN
    assert z.std() == pytest.approx(sigma, rel=0.03) and np.abs(z.mean(axis=(0, 1, 2))).max() < 0.06 * sigma
    assert np.mean(np.abs(z) < sigma) == pytest.approx(0.6827, abs=0.02)


@pytest.mark.parametrize("noise", NOISE)
def test_every_noise_is_seeded_keeps_channels_apart_and_has_a_reason(noise):
    one, again, other = (starting_picture(C, "noise", seed=seed, noise=noise) for seed in (3, 3, 4))
    assert np.array_equal(one, again) and not np.array_equal(one, other) and 0 <= one.min() and one.max() <= 1
    assert NOISE[noise].__doc__


# ---- dtypes, inputs, refusals --------------------------------------------------------------------------------------------

@BOTH_DTYPES
@pytest.mark.parametrize("start", [*STARTS, "array"])
@pytest.mark.parametrize("noise", NOISE)
def test_dtype_is_kept_and_inputs_are_left_alone(start, noise, dtype):
    C, S = picture(1, dtype=dtype), picture(2, 12, 7, np.float32)
    C.flags.writeable = S.flags.writeable = False
    G = starting_picture(C, S if start == "array" else start, S=S, noise=noise)
    assert G.dtype == dtype and G.shape == C.shape and G.flags.writeable


@pytest.mark.parametrize("given, error, words", [
    (dict(start="random"), ShapeError, "start = 'random'; expected one of content, noise, mix, style, grey, or a picture"),
    (dict(noise="pink"), ShapeError, "noise = 'pink'; expected one of white, course-1, course-2, gatys, neural-style"),
    (dict(start="mix", mix=1.5), ShapeError, "mix = 1.5; expected a share of noise from 0 to 1"),
    (dict(start="mix", mix=float("nan")), ShapeError, "mix = nan"),
    (dict(start="style"), ShapeError, "needs the style picture; pass S"),
    (dict(start=255 * C), ImageError, "the starting picture: values reach .* Divide by 255"),
    (dict(start=np.concatenate([C, C])), ImageError, "expected one picture")])
def test_what_cannot_be_a_start_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        starting_picture(C, **given)
