"""Layers and activations: numbers worked by hand, one small case each (their contract and their gradients: test_layers.py)."""

import numpy as np
import pytest

from scratchnet import gradcheck
from scratchnet.activations import PReLU, ReLU, Sigmoid, Softmax, Tanh, sigmoid, softmax, softmax_cross_entropy
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, ZeroPad2D
from scratchnet.network import Branches, Residual
from scratchnet.normalisation import LRN, BatchNorm, Grey, L2Normalise, Preprocess, Standardise
from tests.test_layers import numbers

BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_conv2d_adds_its_bias_and_same_keeps_the_size():
    layer = Conv2D(1, 1)
    layer.params = {"W": np.ones((3, 3, 1, 1)), "b": np.array([10.])}
    z, cache = layer.forward(np.array([[1., 2], [3, 4]])[None, :, :, None])
    assert np.array_equal(z.ravel(), [20, 20, 20, 20])
    da_prev, grads = layer.backward(np.ones_like(z), cache)
    assert np.array_equal(da_prev.ravel(), [4, 4, 4, 4]) and grads["b"].tolist() == [4]
    assert np.array_equal(grads["W"][:, :, 0, 0], [[1, 3, 2], [4, 10, 6], [3, 7, 4]])


def test_same_with_stride_2_puts_what_is_left_over_after():
    layer = Conv2D(1, 1, f=(1, 2), stride=2)          # 3 pixels, stride 2: two windows, one zero after the last pixel
    layer.params = {"W": np.array([1., 10]).reshape(1, 2, 1, 1), "b": np.zeros(1)}
    assert layer.forward(np.array([1., 2, 3]).reshape(1, 1, 3, 1))[0].ravel().tolist() == [21, 3]


def test_dense():
    layer = Dense(2, 2)
    layer.params = {"W": np.array([[1., 2], [3, 4]]), "b": np.array([10., 20])}
    z, cache = layer.forward(np.array([[1., 10], [2, 0]]))
    assert z.tolist() == [[41, 62], [12, 24]]
    da_prev, grads = layer.backward(np.array([[1., 0], [0, 1]]), cache)
    assert da_prev.tolist() == [[1, 3], [2, 4]]
    assert grads["W"].tolist() == [[1, 2], [10, 0]] and grads["b"].tolist() == [1, 1]


def test_flatten_unrolls_rows_then_columns_then_channels():
    a_prev = np.arange(24.).reshape(2, 2, 2, 3)
    z, cache = Flatten().forward(a_prev)
    assert np.array_equal(z, [range(12), range(12, 24)])
    assert np.array_equal(Flatten().backward(z, cache)[0], a_prev)


def test_filters_start_with_the_variance_of_he():
    W = Conv2D(64, 128, rng=np.random.default_rng(0)).params["W"]
    assert W.dtype == np.float32 and np.var(W) == pytest.approx(2 / (3 * 3 * 64), rel=0.02)
    assert abs(np.mean(W)) < 1e-3


def test_multiply_adds_by_hand():
    assert Conv2D(3, 64).multiply_adds((1, 300, 400, 3)) == 300 * 400 * 64 * 27
    assert DepthwiseConv2D(8, f=(3, 2), stride=2, pad=0).multiply_adds((2, 7, 6, 8)) == 2 * 3 * 3 * 8 * 6
    assert Dense(10, 4).multiply_adds((5, 10)) == 200


def test_dropout_drops_by_chance_and_keeps_the_mean():
    x, layer = np.ones((100, 100)), Dropout(0.2)
    a, mask = layer.forward(x, training=True, rng=np.random.default_rng(0))
    assert set(np.unique(a)) == {0, 1.25} and np.mean(a) == pytest.approx(1, abs=0.02)
    assert np.array_equal(layer.backward(x, mask)[0], a)
    assert np.array_equal(a, layer.forward(x, training=True, rng=np.random.default_rng(0))[0])
    assert not np.array_equal(a, layer.forward(x, training=True, rng=np.random.default_rng(1))[0])
    assert np.array_equal(layer.forward(x)[0], x)


def test_slopes_of_the_activations():
    relu, z = ReLU(), np.array([[-2., 0, 3]])
    assert relu.forward(z)[0].tolist() == [[0, 0, 3]]
    assert relu.backward(np.full_like(z, 7), relu.forward(z)[1])[0].tolist() == [[0, 0, 7]]          # 0 at the kink
    for layer, a, slope in ((Sigmoid(), 0.5, 0.25), (Tanh(), 0, 1)):
        out, cache = layer.forward(np.zeros((1, 1)))
        assert (out.item(), layer.backward(np.ones((1, 1)), cache)[0].item()) == (a, slope)


def test_slopes_of_prelu_belong_to_channels():
    layer, z = PReLU(2), np.array([[[-2., -2], [0, 0], [3, 3]]])
    layer.params = {"alpha": np.array([0.5, -1.0])}
    a, cache = layer.forward(z)
    assert a.tolist() == [[[-1, 2], [0, 0], [3, 3]]]
    dz, grads = layer.backward(np.array([[[10., 10], [10, 10], [10, 10]]]), cache)
    assert dz.tolist() == [[[5, -10], [5, -10], [10, 10]]] and grads["alpha"].tolist() == [-20, -20]       # alpha at the kink
    assert np.isnan(layer.forward(np.full((1, 2), np.nan))[0]).all()


def test_prelu_starts_as_its_paper_does_and_refuses_other_channels():
    assert PReLU(3).params["alpha"].tolist() == [0.25] * 3
    for shape in ((2, 4), (3,)):
        with pytest.raises(ShapeError, match=r"PReLU: z has shape .*; expected 3 channels, last"):
            PReLU(3).forward(np.zeros(shape))


def test_lrn_by_hand():
    a, _ = LRN(n=3, alpha=3.0, beta=1.0, k=1.0).forward(np.array([[1., 2, 3, 4]]))       # alpha / n = 1: 1 + the squares around
    assert np.allclose(a, [[1 / 6, 2 / 15, 3 / 30, 4 / 26]], rtol=1e-15)


def test_zeros_lie_where_they_were_asked_for():
    a, cache = ZeroPad2D((1, 0, 2, 1)).forward(np.array([[7., 8]])[None, :, :, None])
    assert a[0, :, :, 0].tolist() == [[0, 0, 0, 0, 0], [0, 0, 7, 8, 0]]
    assert ZeroPad2D((1, 0, 2, 1)).backward(np.arange(10.).reshape(a.shape), cache)[0].ravel().tolist() == [7, 8]
    for pad in (1, (1, 2), (1, 2, 3, -1), (1, 2, 3, 0.5)):
        with pytest.raises(ShapeError, match="four whole numbers"):
            ZeroPad2D(pad)


@pytest.mark.parametrize("kind, sizes", [(Conv2D, (3, 4)), (DepthwiseConv2D, (3,))])
def test_without_bias_there_is_no_b_and_nothing_is_added(kind, sizes):
    plain, bare = kind(*sizes), kind(*sizes, bias=False)
    assert bare.params.keys() == {"W"} and np.array_equal(plain.params["W"], bare.params["W"])
    x = numbers((2, 4, 5, 3))
    assert np.array_equal(plain.forward(x)[0], bare.forward(x)[0])
    plain.params["b"] = plain.params["b"] + 1
    assert np.allclose(plain.forward(x)[0], bare.forward(x)[0] + 1)


@pytest.mark.filterwarnings("error")
@BOTH_DTYPES
def test_sigmoid_and_softmax_never_overflow(dtype):
    assert sigmoid(np.array([-1e4, 0, 1e4], dtype)).tolist() == [0, 0.5, 1]
    assert softmax(np.array([[1e4, 1e4, -1e4]], dtype)).tolist() == [[0.5, 0.5, 0]]
    J, dz = softmax_cross_entropy(np.array([[1e4, -1e4]], dtype), np.array([1]))
    assert J == 2e4 and dz.tolist() == [[1, -1]]


def test_softmax_by_hand():
    a, cache = Softmax().forward(np.log(np.array([[1., 2, 5]])))
    assert np.allclose(a, [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-15)
    assert np.allclose(Softmax().backward(np.array([[8., 0, 0]]), cache)[0], [[1 - 1 / 8, -2 / 8, -5 / 8]], rtol=1e-15)


def test_cross_entropy_by_hand():
    z = np.log(np.array([[1., 3], [4, 1]]))           # probabilities 1/4, 3/4 and 4/5, 1/5
    J, dz = softmax_cross_entropy(z, np.array([1, 1]))
    assert J == pytest.approx(-(np.log(3 / 4) + np.log(1 / 5)) / 2, rel=1e-15)
    assert np.allclose(dz, [[1 / 8, -1 / 8], [4 / 10, -4 / 10]], rtol=1e-15)


def test_cross_entropy_gradient():
    report = gradcheck.check(lambda z: softmax_cross_entropy(z, np.array([2, 0, 3])), numbers((3, 4)))
    assert report.passed, report


def test_batch_norm_by_hand():
    layer = BatchNorm(1, eps=0.0)
    layer.params = {"gamma": np.array([10.]), "beta": np.array([5.])}
    x = np.array([[1.], [3.]])                        # mean 2, variance 1; unbiased 2
    z, cache = layer.forward(x, training=True)
    assert z.tolist() == [[-5], [15]]
    new = layer.new_state(cache)
    assert new["mean"] == pytest.approx(0.9 * 0 + 0.1 * 2) and new["var"] == pytest.approx(0.9 * 1 + 0.1 * 2)
    assert layer.state["mean"] == 0 and layer.state["var"] == 1                                       # the trainer commits
    layer.state = {"mean": np.array([2.]), "var": np.array([4.])}
    z, cache = layer.forward(x)
    assert z.tolist() == [[0], [10]] and layer.new_state(cache) is None


def test_batch_norm_follows_its_input_and_computes_in_its_precision():
    layer = BatchNorm(1)
    layer.state = {"mean": np.float32([0.1]), "var": np.float32([0.1])}
    z, _ = layer.forward(np.array([[1.], [2.]]))
    assert np.allclose(np.diff(z, axis=0), 1 / np.sqrt(float(np.float32(0.1)) + 1e-5), rtol=1e-12)


def test_l2_normalise_by_hand():
    f, cache = L2Normalise().forward(np.array([[3., 4]]))
    assert np.allclose(f, [[0.6, 0.8]], rtol=1e-15)
    assert np.allclose(L2Normalise().backward(np.array([[3., 4]]), cache)[0], 0, atol=1e-15)         # along f the length decides nothing
    assert np.allclose(L2Normalise().backward(np.array([[-4., 3]]), cache)[0], [[-0.8, 0.6]])        # across it, 1 / ||x||


def test_an_encoding_of_zeros_stays_zero_with_gradient_zero_and_a_warning():
    with pytest.warns(UserWarning, match="encoding of image 1 is zero"):
        f, cache = L2Normalise().forward(np.array([[3., 4], [0, 0]]))
    assert f[1].tolist() == [0, 0] and L2Normalise().backward(np.ones((2, 2)), cache)[0][1].tolist() == [0, 0]


def test_preprocess_by_hand():
    layer = Preprocess(order="BGR", scale=255.0, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 4.0))
    red, green, blue = 0.2, 0.4, 0.6
    a, cache = layer.forward(np.array([red, green, blue]).reshape(1, 1, 1, 3))
    assert np.allclose(a.ravel(), [(153 - 1) / 1, (102 - 2) / 2, (51 - 3) / 4], rtol=1e-15)
    dx, _ = layer.backward(np.array([1., 10, 100]).reshape(1, 1, 1, 3), cache)
    assert np.allclose(dx.ravel(), [100 * 255 / 4, 10 * 255 / 2, 1 * 255 / 1], rtol=1e-15)


def test_grey_by_hand():
    a, cache = Grey().forward(np.array([[1., 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]).reshape(1, 2, 2, 3))
    assert np.allclose(a.ravel(), [0.299, 0.587, 0.114, 1], rtol=1e-15)
    dx, _ = Grey().backward(np.array([1., 10, 100, 0]).reshape(1, 2, 2, 1), cache)
    assert np.allclose(dx.reshape(4, 3), np.outer([1, 10, 100, 0], [0.299, 0.587, 0.114]), rtol=1e-15)


def test_standardise_by_hand_and_each_picture_by_itself():
    x = np.array([1., 3, 10, 30]).reshape(2, 1, 2, 1)                          # means 2 and 20, standard deviations 1 and 10
    a, cache = Standardise().forward(x)
    assert np.allclose(a.ravel(), [-1, 1, -1, 1], rtol=1e-15)
    dx, _ = Standardise().backward(x, cache)                                   # two numbers always become -1 and 1: nothing to gain
    assert np.allclose(dx, 0, atol=1e-14)
    three = np.array([-1., 0, 1]).reshape(1, 3)                                # standard deviation sqrt(2/3)
    a, cache = Standardise().forward(three)
    assert np.allclose(a, three * np.sqrt(3 / 2))
    dx, _ = Standardise().backward(np.array([[1., 0, 0]]), cache)              # (da - 1/3 - a (-sqrt(3/2) / 3)) sqrt(3/2)
    assert np.allclose(dx, np.sqrt(3 / 2) * (np.array([1, 0, 0]) - 1 / 3 + three / 2))


@BOTH_DTYPES
def test_standardise_makes_zeros_of_a_constant_picture_and_its_gradient_is_defined(dtype):
    x = np.full((1, 9, 7, 3), 0.3, dtype)
    a, cache = Standardise(eps=0.5).forward(x)
    assert np.abs(a).max() <= 1e-15
    da = numbers(x.shape, dtype)
    assert np.allclose(Standardise(eps=0.5).backward(da, cache)[0], (da - da.mean()) / 0.5, atol=1e-6)


def test_branches_lie_side_by_side_and_their_gradients_add():
    two, three = Conv2D(1, 1, f=1), Conv2D(1, 1, f=1)
    two.params["W"], three.params["W"] = np.full((1, 1, 1, 1), 2.), np.full((1, 1, 1, 1), 3.)
    block = Branches({"two": {"conv": two}, "three": {"conv": three}})
    a, cache = block.forward(np.full((1, 1, 1, 1), 5.))
    assert a.ravel().tolist() == [10, 15]
    da_prev, grads = block.backward(np.array([1., 100]).reshape(1, 1, 1, 2), cache)
    assert da_prev.item() == 2 * 1 + 3 * 100
    assert (grads["two.conv.W"].item(), grads["three.conv.W"].item()) == (5, 500)


def test_a_branch_may_have_any_name():
    block, x = Branches({"channels": {"conv": Conv2D(2, 1, f=1)}, "other": {"conv": Conv2D(2, 1, f=1)}}), numbers((1, 2, 2, 2))
    a, cache = block.forward(x)
    assert block.backward(a, cache)[0].shape == x.shape


def test_residual_adds_its_input():
    conv = Conv2D(1, 1, f=1)
    conv.params["W"] = np.full((1, 1, 1, 1), 2.)
    block = Residual({"conv": conv})
    a, cache = block.forward(np.full((1, 1, 1, 1), 5.))
    assert a.item() == 15 and block.backward(np.full((1, 1, 1, 1), 7.), cache)[0].item() == 21
