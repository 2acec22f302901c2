"""The kernels: numbers worked by hand, and the fast versions against the loops.

The loops are the definition. So they are held to hand-worked numbers, to two identities that any linear map and any length
must obey, and to themselves run as plain Python (test_kernels_door.py); the fast versions are then held to the loops.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet import kernels
from scratchnet.kernels import gemm, loops, pointwise, pooling, winograd
from scratchnet.layers import AvgPool2D, L2Pool2D, MaxPool2D
from tests.close import assert_close

BOTH        = pytest.mark.parametrize("version", [loops, kernels], ids=["loops", "kernels"])
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def picture(*rows):
    """Numbers as one sees them -> (1, n_H, n_W, 1)."""
    return np.array(rows, np.float64)[None, :, :, None]


# ---- numbers worked by hand ----------------------------------------------------------------------------------------------

A = picture([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15])
W = np.array([[1., 2], [3, 4]])[:, :, None, None]
NO_PAD = (0, 0, 0, 0)


@BOTH
def test_convolution_with_stride_2(version):
    z = version.conv2d(A, W, np.array([100.]), 2, NO_PAD)
    assert np.array_equal(z, picture([134, 154], [214, 234]))          # 100 + 1*0 + 2*1 + 3*4 + 4*5 = 134, ...


@BOTH
def test_convolution_with_a_row_of_zeros_above_and_a_column_to_the_right(version):
    W = np.array([[1., 10], [100, 1000]])[:, :, None, None]
    z = version.conv2d(picture([1, 2], [3, 4]), W, np.zeros(1), 1, (1, 0, 0, 1))
    assert np.array_equal(z, picture([2100, 200], [4321, 402]))        # the digits say which pixel met which weight


@BOTH
def test_convolution_sums_over_channels_and_has_one_filter_for_each_output(version):
    a_prev, W = np.array([2., 3]).reshape(1, 1, 1, 2), np.array([[1., 10, 5], [100, 1000, 7]]).reshape(1, 1, 2, 3)
    z = version.conv2d(a_prev, W, np.array([0., 0, 1]), 1, NO_PAD)
    assert z.ravel().tolist() == [302, 3020, 32]


@BOTH
def test_a_1x1_filter_with_stride_2_skips_every_other_pixel(version):
    W = np.full((1, 1, 1, 1), 10.)
    assert np.array_equal(version.conv2d(A, W, np.zeros(1), 2, NO_PAD), picture([0, 20], [80, 100]))
    assert version.conv2d_dW(A, np.ones((1, 2, 2, 1)), 2, NO_PAD, 1, 1).item() == 0 + 2 + 8 + 10


@BOTH
def test_a_1x1_filter_with_padding_sees_zeros(version):
    z = version.conv2d(picture([3]), np.full((1, 1, 1, 1), 10.), np.ones(1), 1, (0, 1, 1, 0))
    assert np.array_equal(z, picture([1, 31], [1, 1]))


@BOTH
def test_gradients_of_a_convolution(version):
    assert np.array_equal(version.conv2d_dW(A, np.ones((1, 2, 2, 1)), 2, NO_PAD, 2, 2)[:, :, 0, 0], [[20, 24], [36, 40]])
    assert version.conv2d_db(picture([1, 2], [3, 4])).tolist() == [10]
    W = np.array([1., 10]).reshape(1, 2, 1, 1)                          # over three pixels: the middle one is read twice
    assert np.array_equal(version.conv2d_da_prev(picture([1, 2]), W, 1, NO_PAD, 1, 3), picture([1, 10 + 2, 20]))


@BOTH
def test_depthwise_keeps_channels_apart(version):
    a_prev, W = np.array([[1., 2], [3, 4]]).reshape(1, 1, 2, 2), np.array([[10., 100], [1, 1]]).reshape(1, 2, 2)
    z = version.depthwise_conv2d(a_prev, W, np.array([0., 1000]), 1, NO_PAD)
    assert z.ravel().tolist() == [1 * 10 + 3 * 1, 1000 + 2 * 100 + 4 * 1]


@BOTH
def test_max_pool_gives_a_tie_to_the_first_in_reading_order(version):
    a, winner = version.max_pool(picture([1, 3], [3, 2]), 2, 2, 2, NO_PAD)
    assert (a.item(), winner.item()) == (3, 1)
    da_prev = version.max_pool_da_prev(picture([7]), winner, 2, 2, 2, NO_PAD, 2, 2)
    assert np.array_equal(da_prev, picture([0, 7], [0, 0]))


@BOTH
def test_padding_never_wins_a_max_pool(version):
    a, winner = version.max_pool(picture([-5, -6]), 2, 2, 1, (1, 0, 1, 0))
    assert np.array_equal(a, picture([-5, -5])) and winner.ravel().tolist() == [3, 2]


@BOTH
@pytest.mark.parametrize("place", range(4))
def test_nan_wins_a_max_pool(version, place):
    a_prev = np.array([1., 9, 3, 4])
    a_prev[place] = np.nan
    a, winner = version.max_pool(a_prev.reshape(1, 2, 2, 1), 2, 2, 2, NO_PAD)
    assert np.isnan(a.item()) and winner.item() == place


@BOTH
def test_the_strongest_place_of_each_channel_is_the_first_in_reading_order(version):
    a = np.stack([picture([1, 3, 2], [3, 0, 3])[..., 0], picture([-5, -4, -6], [-7, -8, -1])[..., 0]], axis=-1)
    best, place = version.max_place(a)
    assert best.tolist() == [[3, -1]] and place.tolist() == [[1, 5]] and place.dtype == np.int32


@BOTH
@pytest.mark.parametrize("place", range(4))
def test_nan_wins_the_strongest_place(version, place):
    a = np.array([1., 9, 3, 4])
    a[place] = np.nan
    best, where = version.max_place(a.reshape(1, 2, 2, 1))
    assert np.isnan(best.item()) and where.item() == place


@BOTH
def test_avg_pool_counts_padding_as_zeros(version):
    a = version.avg_pool(picture([4, 8]), 2, 2, 1, (1, 0, 1, 0))
    assert np.array_equal(a, picture([1, 3]))
    da_prev = version.avg_pool_da_prev(picture([4, 8]), 2, 2, 1, (1, 0, 1, 0), 1, 2)
    assert np.array_equal(da_prev, picture([1 + 2, 2]))


@BOTH
def test_l2_pool_is_the_length_of_the_window(version):
    a_prev = picture([3, 4, 0, 0], [0, 0, 0, 0])                        # a second window of zeros: the kink, gradient 0
    a = version.l2_pool(a_prev, 2, 2, 2, NO_PAD)
    assert np.array_equal(a, picture([5, 0]))
    da_prev = version.l2_pool_da_prev(picture([10, 10]), a_prev, a, 2, 2, 2, NO_PAD)
    assert np.allclose(da_prev, picture([6, 8, 0, 0], [0, 0, 0, 0]), rtol=1e-15)


def test_matmul():
    assert np.array_equal(kernels.matmul(np.array([[1., 2]]), np.array([[3.], [4]])), [[11]])


# ---- identities and the fast versions, over odd shapes -------------------------------------------------------------------

@st.composite
def windows(draw, m=3):
    """A random a_prev with a window that fits: (a_prev, (f_H, f_W), stride, pad), of either dtype."""
    f, pad = draw(st.tuples(*2 * [st.integers(1, 5)])), draw(st.tuples(*4 * [st.integers(0, 3)]))
    n_H = draw(st.integers(max(1, f[0] - pad[0] - pad[1]), 9))
    n_W = draw(st.integers(max(1, f[1] - pad[2] - pad[3]), 9))
    shape = draw(st.integers(0, m)), n_H, n_W, draw(st.integers(1, 4))
    rng, dtype = np.random.default_rng(draw(st.integers(0, 999))), draw(st.sampled_from([np.float32, np.float64]))
    return rng.standard_normal(shape).astype(dtype), f, draw(st.integers(1, 3)), pad


def like(array, *shape):
    """Random numbers of another shape, in the dtype of array."""
    return np.random.default_rng(7).standard_normal(shape).astype(array.dtype)


@pytest.mark.parametrize("fast", [gemm, kernels], ids=["gemm", "kernels"])
@given(window=windows(), n_C=st.integers(1, 4))
def test_fast_convolutions_equal_the_loops(fast, window, n_C):
    a_prev, f, stride, pad = window
    sides = a_prev.shape[1:3]
    W, b = like(a_prev, *f, a_prev.shape[3], n_C), like(a_prev, n_C)
    z = loops.conv2d(a_prev, W, b, stride, pad)
    dz = like(a_prev, *z.shape)
    assert_close(fast.conv2d(a_prev, W, b, stride, pad), z)
    assert_close(fast.conv2d_da_prev(dz, W, stride, pad, *sides), loops.conv2d_da_prev(dz, W, stride, pad, *sides))
    assert_close(fast.conv2d_dW(a_prev, dz, stride, pad, *f), loops.conv2d_dW(a_prev, dz, stride, pad, *f))
    assert_close(pointwise.conv2d_db(dz), loops.conv2d_db(dz))


@given(m=st.integers(1, 3), sides=st.tuples(*2 * [st.integers(1, 11)]), pad=st.tuples(*4 * [st.integers(0, 2)]),
       channels=st.tuples(*2 * [st.integers(1, 20)]), dtype=st.sampled_from([np.float32, np.float64]))
def test_winograd_equals_the_loops(m, sides, pad, channels, dtype):
    sides = max(sides[0], 3 - pad[0] - pad[1]), max(sides[1], 3 - pad[2] - pad[3])
    a_prev = np.random.default_rng(3).standard_normal((m, *sides, channels[0])).astype(dtype)
    W, b = like(a_prev, 3, 3, *channels), like(a_prev, channels[1])
    z = loops.conv2d(a_prev, W, b, 1, pad)
    dz = like(a_prev, *z.shape)
    assert_close(winograd.conv2d(a_prev, W, b, 1, pad), z)
    assert_close(winograd.conv2d_da_prev(dz, W, 1, pad, *sides), loops.conv2d_da_prev(dz, W, 1, pad, *sides))
    assert_close(winograd.conv2d_dW(a_prev, dz, 1, pad, 3, 3), loops.conv2d_dW(a_prev, dz, 1, pad, 3, 3))
    a, mask = winograd.conv2d(a_prev, W, b, 1, pad, relu=True)
    assert_close(a, np.maximum(z, 0))
    assert np.array_equal(mask, a > 0)


@pytest.mark.parametrize("small", [0, 2 ** 40], ids=["in strips", "product by product"])
@BOTH_DTYPES
def test_both_ways_of_winograd_agree_with_the_loops_over_many_channels(monkeypatch, small, dtype):
    monkeypatch.setattr(winograd, "SMALL", small)
    monkeypatch.setattr(winograd, "STRIP", 1)                           # the fewest tiles in a strip: several strips
    monkeypatch.setattr(winograd, "GROUP", 1)
    rng = np.random.default_rng(0)
    a_prev, W, b = [rng.standard_normal(shape).astype(dtype) for shape in ((2, 30, 35, 70), (3, 3, 70, 65), (65,))]
    z = loops.conv2d(a_prev, W, b, 1, (1, 1, 1, 1))
    assert_close(winograd.conv2d(a_prev, W, b, 1, (1, 1, 1, 1)), z)
    dz = like(z, *z.shape)
    assert_close(winograd.conv2d_da_prev(dz, W, 1, (1, 1, 1, 1), 30, 35), loops.conv2d_da_prev(dz, W, 1, (1, 1, 1, 1), 30, 35))
    assert_close(winograd.conv2d_dW(a_prev, dz, 1, (1, 1, 1, 1), 3, 3), loops.conv2d_dW(a_prev, dz, 1, (1, 1, 1, 1), 3, 3))


@pytest.mark.parametrize("n_C", [3, 16], ids=["gemm", "winograd"])
def test_nan_is_not_lost_in_a_relu_that_runs_with_its_convolution(n_C):
    a_prev = np.ones((1, 5, 5, n_C))
    a_prev[0, 0, 0, 0] = np.nan
    a, mask = kernels.conv2d_relu(a_prev, np.ones((3, 3, n_C, n_C)), np.zeros(n_C), 1, (1, 1, 1, 1))
    assert np.isnan(a[0, 0, 0]).all() and not mask[0, 0, 0].any()


@given(window=windows(), few=st.booleans())
def test_fast_max_pooling_equals_the_loops_to_the_bit(window, few):
    a_prev, f, stride, pad = window
    pad = tuple(min(p, min(f) - 1) for p in pad)
    a_prev = np.pad(a_prev, ((0, 0), (5, 0), (5, 0), (0, 0)), mode="wrap")
    if few:                                                             # many ties, and a nan among them
        a_prev = np.sign(a_prev)
        a_prev[:, ::4, ::3] = np.nan
    a, winner = loops.max_pool(a_prev, *f, stride, pad)
    fast, fast_winner = kernels.max_pool(a_prev, *f, stride, pad)
    assert np.array_equal(fast, a, equal_nan=True) and np.array_equal(fast_winner, winner)
    da = like(a_prev, *a.shape)
    back = [version.max_pool_da_prev(da, winner, *f, stride, pad, *a_prev.shape[1:3]) for version in (kernels, loops)]
    assert_close(*back)


@pytest.mark.parametrize("band", [1, 12, 2 ** 18])                       # cells of a unit of work: one position, a few, all
@given(window=windows(), few=st.booleans())
def test_fast_strongest_places_equal_the_loops_to_the_bit(band, window, few):
    a = window[0]
    if few:                                                             # many ties, and a nan among them
        a = np.sign(a)
        a[:, 2::4, ::3] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "BAND", band)
        fast, slow = kernels.max_place(a), loops.max_place(a)
    assert np.array_equal(fast[0], slow[0], equal_nan=True) and np.array_equal(fast[1], slow[1])
    assert (fast[0].dtype, fast[1].dtype) == (a.dtype, np.int32)


@given(window=windows())
def test_fast_depthwise_convolutions_equal_the_loops(window):
    a_prev, f, stride, pad = window
    W, b = like(a_prev, *f, a_prev.shape[3]), like(a_prev, a_prev.shape[3])
    z = loops.depthwise_conv2d(a_prev, W, b, stride, pad)
    dz = like(a_prev, *z.shape)
    assert_close(kernels.depthwise_conv2d(a_prev, W, b, stride, pad), z)
    back = [version.depthwise_conv2d_da_prev(dz, W, stride, pad, *a_prev.shape[1:3]) for version in (kernels, loops)]
    assert_close(*back)
    assert_close(kernels.depthwise_conv2d_dW(a_prev, dz, stride, pad, *f), loops.depthwise_conv2d_dW(a_prev, dz, stride, pad, *f))


@given(window=windows())
def test_a_prelu_that_runs_with_its_convolution_equals_the_loops_of_both(window):
    a_prev, f, stride, pad = window
    n_C = a_prev.shape[3]
    for name, W in (("conv2d", like(a_prev, *f, n_C, 9)), ("depthwise_conv2d", like(a_prev, *f, n_C))):
        b, alpha = like(a_prev, W.shape[-1]), like(a_prev, W.shape[-1])
        z = getattr(loops, name)(a_prev, W, b, stride, pad)
        a, mask = getattr(kernels, f"{name}_prelu")(a_prev, W, b, stride, pad, alpha)
        assert_close(a, loops.prelu(z.reshape(-1, z.shape[3]), alpha)[0].reshape(z.shape))
        sure = np.abs(z) > 1e-4                                         # rounding may decide the others
        assert mask.shape == z.shape and np.array_equal(mask[sure], z[sure] > 0)


@given(window=windows(), dead=st.booleans())
def test_fast_average_and_l2_pooling_equal_the_loops(window, dead):
    a_prev, f, stride, pad = window
    a_prev = a_prev * 0 if dead else a_prev
    sides = a_prev.shape[1:3]
    a = loops.avg_pool(a_prev, *f, stride, pad)
    da = like(a_prev, *a.shape)
    assert_close(kernels.avg_pool(a_prev, *f, stride, pad), a)
    assert_close(kernels.avg_pool_da_prev(da, *f, stride, pad, *sides), loops.avg_pool_da_prev(da, *f, stride, pad, *sides))
    a = loops.l2_pool(a_prev, *f, stride, pad)
    assert_close(kernels.l2_pool(a_prev, *f, stride, pad), a)
    assert_close(kernels.l2_pool_da_prev(da, a_prev, a, *f, stride, pad), loops.l2_pool_da_prev(da, a_prev, a, *f, stride, pad))


@pytest.mark.parametrize("rows, inner, columns", [
    (16, 128, 1024), (1, 4096, 300), (64, 5000, 64), (3000, 20, 20), (0, 5, 4), (5, 0, 4), (70, 200, 80), (1000, 33, 65)])
@BOTH_DTYPES
def test_matrix_products_of_every_form(rows, inner, columns, dtype):
    """However a product is cut into parts, and where it is not."""
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    product = kernels.matmul(A.astype(dtype), B.astype(dtype))
    assert_close(product, (A.astype(dtype).astype(np.longdouble) @ B.astype(dtype).astype(np.longdouble)).astype(dtype))


@pytest.mark.parametrize("kind", ["conv2d", "depthwise_conv2d"])
@given(window=windows())
def test_gradients_of_a_convolution_are_its_adjoints(kind, window):
    """Without bias z is linear in a_prev and in W, so  <z, dz> = <a_prev, da_prev> = <W, dW>."""
    a_prev, f, stride, pad = window
    a_prev, n_C = a_prev.astype(np.float64), a_prev.shape[3]
    W = like(a_prev, *f, n_C, 3) if kind == "conv2d" else like(a_prev, *f, n_C)
    z = getattr(kernels, kind)(a_prev, W, np.zeros(W.shape[-1]), stride, pad)
    dz = like(a_prev, *z.shape)
    da_prev = getattr(kernels, f"{kind}_da_prev")(dz, W, stride, pad, *a_prev.shape[1:3])
    dW      = getattr(kernels, f"{kind}_dW")(a_prev, dz, stride, pad, *f)
    assert np.sum(a_prev * da_prev) == pytest.approx(np.sum(z * dz), rel=1e-9, abs=1e-9)
    assert np.sum(W * dW) == pytest.approx(np.sum(z * dz), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("pool", [MaxPool2D, AvgPool2D, L2Pool2D])
@given(window=windows())
def test_gradients_of_poolings_obey_eulers_rule(pool, window):
    """Every pooling of twice the picture is twice the pooling, so  <a, da> = <a_prev, da_prev>."""
    a_prev, f, stride, pad = window
    layer = pool(f, stride, min(pad[0], min(f) - 1))
    a_prev = np.pad(a_prev.astype(np.float64), ((0, 0), (5, 0), (5, 0), (0, 0)), mode="wrap")
    a, cache = layer.forward(a_prev)
    da = like(a_prev, *a.shape)
    assert np.sum(a_prev * layer.backward(da, cache)[0]) == pytest.approx(np.sum(a * da), rel=1e-9, abs=1e-9)


@given(windows())
def test_depthwise_is_a_convolution_whose_filter_is_zero_between_channels(window):
    a_prev, f, stride, pad = window
    n_C = a_prev.shape[3]
    W, b = like(a_prev, *f, n_C), like(a_prev, n_C)
    full = W[..., None] * np.eye(n_C, dtype=W.dtype)                   # (f_H, f_W, n_C, n_C)
    assert_close(kernels.depthwise_conv2d(a_prev, W, b, stride, pad), loops.conv2d(a_prev, full, b, stride, pad))


@given(positions=st.integers(0, 2000), row_bytes=st.integers(1, 5000), budget=st.integers(1, 10 ** 6))
def test_strips_cover_every_position_once_and_fit_the_budget(positions, row_bytes, budget):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm, "BUDGET", budget)
        strips = gemm.strips(positions, row_bytes)
    assert [p for first, last in strips for p in range(first, last)] == list(range(positions))
    assert all((last - first) * row_bytes <= budget or last - first <= gemm.FEWEST_ROWS for first, last in strips)


@BOTH_DTYPES
def test_a_small_budget_gives_the_same_numbers_and_is_kept(monkeypatch, dtype):
    rng, pad, taken = np.random.default_rng(0), (1, 1, 1, 1), []
    a_prev, W, b, dz = [rng.standard_normal(shape).astype(dtype) for shape in ((2, 13, 17, 3), (3, 3, 3, 4), (4,), (2, 13, 17, 4))]

    def products():
        return gemm.conv2d(a_prev, W, b, 1, pad), gemm.conv2d_da_prev(dz, W, 1, pad, 13, 17), gemm.conv2d_dW(a_prev, dz, 1, pad, 3, 3)

    def watched(kernel, which):
        """The kernel itself, but the size of its matrix of patches is written down."""
        return lambda *args: taken.append(args[which].nbytes) or kernel(*args)

    whole = products()
    monkeypatch.setattr(gemm, "BUDGET", 32 * 20_000)                    # 20 000 bytes for each of 32 threads
    monkeypatch.setattr(gemm, "im2col", watched(gemm.im2col, 1))
    monkeypatch.setattr(gemm, "col2im_add", watched(gemm.col2im_add, 0))
    for strips, one in zip(products(), whole):
        assert_close(strips, one)
    assert max(taken) <= 20_000
    assert taken.count(max(taken)) > 1 and len(taken) > 3 + 9           # several strips, where there was one for each product


# ---- the definition is the most exact of all versions --------------------------------------------------------------------

def test_bias_gradient_of_large_maps_agrees_with_the_loops():
    dz = np.random.default_rng(0).random((4, 300, 400, 2)).astype(np.float32)
    assert_close(kernels.conv2d_db(dz), loops.conv2d_db(dz))


def test_float32_avg_pool_over_a_large_window_sums_in_float64():
    a = kernels.avg_pool(np.full((1, 256, 256, 1), 0.1, np.float32), 256, 256, 256, NO_PAD)
    assert a.item() == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize("size", [1e-25, 1e20])
def test_float32_l2_pool_of_very_small_and_very_large_numbers(size):
    a = kernels.l2_pool(np.full((1, 2, 2, 1), size, np.float32), 2, 2, 2, NO_PAD)
    assert a.item() == pytest.approx(2 * size, rel=1e-5, abs=0)         # the square of either does not fit into float32
