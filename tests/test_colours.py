"""The photograph's colours come back: numbers by hand, statistics that are met, and grey pictures that become no NaN."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from scratchnet import colours, datasets, models, style
from scratchnet.colours import KEEP
from scratchnet.errors import ImageError, ShapeError

WAYS = [name for name in KEEP if name != "style"]


def picture(seed, n_H=12, n_W=15, dtype=np.float64, low=.2, high=.8):
    """Colours that lie in a slanted ellipsoid, well inside [0, 1]."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, n_H, n_W, 3)) * [1, .6, .3] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    x = (x - x.min()) / np.ptp(x)
    return (low + (high - low) * x).astype(dtype)


def colours_of(x):
    return x.reshape(-1, 3).astype(float)


def moments(x):
    return colours_of(x).mean(axis=0), np.cov(colours_of(x).T, bias=True)


def of(*rgb):
    return np.array(rgb, float).reshape(1, 1, -1, 3)


# ---- luminance ---------------------------------------------------------------------------------------------------------------

def test_luminance_by_hand():
    x = of((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (.2, .4, .6))
    assert colours.luminance(x).ravel() == pytest.approx([.299, .587, .114, 1, .0598 + .2348 + .0684])
    assert np.array_equal(colours.grey(x), np.repeat(colours.luminance(x), 3, axis=3))


def test_the_style_s_luminance_takes_mean_and_spread_of_the_content_s():
    S, C = of((.1, .1, .1), (.3, .3, .3)), of((.4, .4, .4), (.4, .4, .4), (.8, .8, .8), (.8, .8, .8))
    assert colours.match_luminance(S, C).ravel() == pytest.approx([.4] * 3 + [.8] * 3)        # mean .2 to .6, spread .1 to .2
    S, C = picture(1), picture(2, 9, 20)
    matched = colours.luminance(colours.match_luminance(S, C))
    assert matched.mean() == pytest.approx(colours.luminance(C).mean()) and matched.std() == pytest.approx(colours.luminance(C).std())


def test_luminance_of_g_and_colours_of_c_by_hand():
    G, C = of((.5, .5, .5), (.9, .9, .9)), of((.5, .3, .2), (.8, .2, .2))
    Y, Y_2 = .299 * .5 + .587 * .3 + .114 * .2, .299 * .8 + .587 * .2 + .114 * .2
    red, paler = .8 - Y_2, (1 - .9) / (.8 - Y_2)                                        # the red would reach 1.3206: less of the colour
    assert colours.with_colours(G, C)[0, 0, 0] == pytest.approx([.5 + .5 - Y, .5 + .3 - Y, .5 + .2 - Y])
    assert colours.with_colours(G, C)[0, 0, 1] == pytest.approx([.9 + paler * red, .9 + paler * (.2 - Y_2), .9 + paler * (.2 - Y_2)])


def test_yiq_and_ycbcr_carry_the_same_colour_over():
    """The published ways, by their matrices: R, G, B from Y of one picture and two chromas of the other."""
    yiq = np.array([[.299, .587, .114], [.5959, -.2746, -.3213], [.2115, -.5227, .3112]])
    ycbcr = np.array([[.299, .587, .114], [-.168736, -.331264, .5], [.5, -.418688, -.081312]])
    G, C = picture(3, low=.45, high=.55), picture(4, low=.4, high=.6)
    for space in yiq, ycbcr:
        of_G, of_C = colours_of(G) @ space.T, colours_of(C) @ space.T
        by_hand = np.concatenate([of_G[:, :1], of_C[:, 1:]], axis=1) @ np.linalg.inv(space).T
        assert np.allclose(colours_of(colours.with_colours(G, C)), by_hand, atol=3e-4)   # the matrices have four digits


@given(some.integers(0, 10 ** 6))
def test_luminance_and_hue_survive_even_where_colours_do_not_fit(seed):
    rng = np.random.default_rng(seed)
    G, C = rng.random((2, 1, 5, 6, 3))
    G[0, 0], C[0, :, 0], C[0, :, 1] = rng.integers(0, 2, (6, 1)), 0, (1, 0, 1)
    out = colours.with_colours(G, C)
    assert out.min() >= 0 and out.max() <= 1
    assert np.allclose(colours.luminance(out), colours.luminance(G), atol=1e-12)
    colour, wanted = out - colours.luminance(out), C - colours.luminance(C)
    share = np.sum(colour * wanted, axis=-1) / np.maximum(np.sum(wanted ** 2, axis=-1), 1e-30)
    assert np.allclose(colour, share[..., None] * wanted, atol=1e-12) and share.min() >= -1e-12 and share.max() <= 1 + 1e-12
    fits = ((colours.luminance(G) + wanted >= 0) & (colours.luminance(G) + wanted <= 1)).all(axis=-1)
    assert np.allclose(share[fits & (np.sum(wanted ** 2, axis=-1) > 1e-12)], 1)


# ---- mean and covariance ------------------------------------------------------------------------------------------------------

def test_the_linear_map_by_hand():
    """Red spreads .1 in S and .2 in C, green .2 and .1, blue alike, all apart: each channel is moved and stretched by itself."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])                  # columns at right angles
    S, C = .5 + signs * [.1, .2, .1], [.6, .4, .5] + signs[::-1] * [.2, .1, .1]
    A = colours.match_linear(of(*S), of(*C))
    assert np.allclose(colours_of(A), [.6, .4, .5] + signs * [.2, .1, .1])


@given(some.integers(0, 10 ** 6))
def test_mean_and_covariance_become_those_of_the_content(seed):
    S, C = picture(seed), picture(seed + 1, 7, 30)
    mean, covariance = moments(colours.match_linear(S, C))
    assert np.allclose(mean, moments(C)[0], atol=1e-12) and np.allclose(covariance, moments(C)[1], atol=1e-12)


def test_a_picture_in_its_own_colours_stays_as_it_is():
    C = picture(5)
    assert np.allclose(colours.match_linear(C, C), C) and np.allclose(colours.match_histogram(C, C), C)
    assert np.allclose(colours.match_luminance(C, C), colours.grey(C))


def test_noise_below_one_grey_level_is_not_blown_up_into_colours():
    rng = np.random.default_rng(6)
    S = np.repeat(rng.random((1, 20, 20, 1)), 3, axis=3) + rng.normal(0, .2 / 255, (1, 20, 20, 3))
    matched = colours_of(colours.match_linear(S, picture(7)))
    along = np.linalg.svd(matched - matched.mean(axis=0), compute_uv=False)
    assert along[1] < 1e-9 * along[0]                                                    # S knows one axis, so does the result


# ---- histograms ---------------------------------------------------------------------------------------------------------------

def test_the_k_th_smallest_becomes_the_k_th_smallest_and_equal_ones_stay_equal():
    assert colours._as_spread(np.array([.3, .1, .2]), np.array([.9, .5, .7])).tolist() == pytest.approx([.9, .5, .7])
    assert colours._as_spread(np.array([.1, .1, .2, .2]), np.array([0., .2, .6, 1])).tolist() == pytest.approx([.1, .1, .8, .8])
    assert colours._as_spread(np.full(4, .3), np.array([0., .2, .4])).tolist() == pytest.approx([.2] * 4)


def test_the_histograms_come_close_along_axes_that_nobody_turned_to():
    S, C = datasets.swirling_sky(60, 80), datasets.striped_patches(60, 80)
    C = np.clip(C + np.random.default_rng(8).normal(0, .05, C.shape), 0, 1).astype(np.float32)
    axes = np.concatenate([np.eye(3), np.linalg.qr(np.random.default_rng(9).standard_normal((3, 3)))[0]])

    def apart(x):
        return max(np.abs(np.sort(colours_of(x) @ axis) - np.sort(colours_of(C) @ axis)).mean() for axis in axes)

    linear, few, bent = colours.match_linear(S, C), colours.match_histogram(S, C, 3), colours.match_histogram(S, C)
    assert apart(bent) < .4 * apart(linear) and apart(bent) < apart(few)                 # one covariance, but C has two heaps


def test_equal_colours_stay_equal_after_all_the_turns():
    S = datasets.stripes(16, 16, colours=((.1, .2, .5), (.9, .8, .3)))
    assert len(np.unique(colours_of(colours.match_histogram(S, picture(10))).round(9), axis=0)) == len(np.unique(colours_of(S), axis=0))


# ---- the table ----------------------------------------------------------------------------------------------------------------

def test_style_keeps_nothing():
    C, S, G = picture(1), picture(2, 5, 6), picture(3)
    before = KEEP["style"].before(C, S)
    assert np.array_equal(before[0], C) and np.array_equal(before[1], S) and KEEP["style"].after(G, C) is G
    assert KEEP["style"].clipped(C, S) == 0


@pytest.mark.parametrize("way", KEEP)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_arguments_stay_as_they_are(way, dtype):
    C, S, G = picture(1, dtype=dtype), picture(2, 5, 6, dtype), picture(3, dtype=dtype)
    copies = [x.copy() for x in (C, S, G)]
    C_2, S_2 = KEEP[way].before(C, S)
    after = KEEP[way].after(G, C)
    assert [x.dtype for x in (C_2, S_2, after)] == [dtype] * 3 and (C_2.shape, S_2.shape, after.shape) == (C.shape, S.shape, G.shape)
    assert all(np.array_equal(x, copy) for x, copy in zip((C, S, G), copies))
    assert KEEP[way].before(C.astype(np.float32), S.astype(np.float64))[1].dtype == np.float64


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("S", [np.full((1, 4, 5, 3), .5), colours.grey(picture(1)), np.zeros((1, 1, 1, 3)), np.ones((1, 6, 6, 3))])
@pytest.mark.parametrize("C", [colours.grey(picture(2, 4, 5)), np.full((1, 4, 5, 3), .25), picture(3, 4, 5)])
def test_grey_and_empty_pictures_have_colours_and_no_nan(way, S, C):
    for dtype in np.float32, np.float64:
        C_2, S_2 = KEEP[way].before(C.astype(dtype), S.astype(dtype))
        G = KEEP[way].after(np.resize(S, C.shape).astype(dtype), C.astype(dtype))
        assert all(np.isfinite(x).all() and x.min() >= 0 and x.max() <= 1 for x in (C_2, S_2, G))
        if np.ptp(S) == 0:
            assert np.allclose(S_2, C_2.mean(axis=(1, 2)), atol=.2) and np.ptp(colours_of(S_2), axis=0).max() == 0


def test_a_grey_photograph_makes_a_grey_painting():
    C = colours.grey(picture(2))
    for way in WAYS:
        S = KEEP[way].before(C, picture(3))[1]
        assert np.ptp(S, axis=3).max() < 1e-7
    assert np.ptp(KEEP["luminance"].after(picture(4), C), axis=3).max() < 1e-9


def test_what_was_clipped_is_counted():
    S = of((.4, .4, .4), (.5, .5, .5), (.5, .5, .5), (.6, .6, .6))
    C = of((0, 0, 0), (1, 1, 1))                              # mean .5, spread .5: seven times that of S, so its ends go to -.2 and 1.2
    assert KEEP["luminance"].clipped(C, S) == .5 and KEEP["luminance"].clipped(S, C) == 0
    assert KEEP["luminance"].before(C, S)[1].ravel()[::3] == pytest.approx([0, .5, .5, 1])


def test_refusals():
    with pytest.raises(ShapeError, match="C of G's size"):
        KEEP["luminance"].after(picture(1), picture(2, 5, 6))
    for way in KEEP.values():
        with pytest.raises(ImageError, match="Divide by 255"):
            way.before(picture(1), 255 * picture(2))


def test_painted_in_grey_the_photograph_comes_out_in_its_own_colours():
    net, C, S = models.random_filters(channels=(4, 4)).freeze(), picture(1, 16, 16, np.float32), picture(2, 16, 16, np.float32)
    way = KEEP["luminance"]
    *_, step = style.transfer(net, *way.before(C, S), steps=3, content_layer="relu1_1", lam={"relu1_1": 1.0})
    G = way.after(step.G, C)
    assert np.allclose(colours.luminance(G), colours.luminance(step.G), atol=1e-6) and not np.allclose(G, C, atol=.01)
