"""Layers and activations: numbers by hand, the gradient check of each, and the contract that all of them keep.

    z, cache       = layer.forward(a_prev, training=False, rng=None, params=True)
    da_prev, grads = layer.backward(dz, cache)
"""

import copy

import numpy as np
import pytest

from scratchnet import activations, gradcheck, kernels, layers, network, normalisation
from scratchnet.activations import PReLU, ReLU, Sigmoid, Softmax, Tanh, sigmoid, softmax, softmax_cross_entropy
from scratchnet.errors import ShapeError
from scratchnet.layers import AvgPool2D, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, L2Pool2D, MaxPool2D, ZeroPad2D
from scratchnet.network import Branches, Network, Residual
from scratchnet.normalisation import LRN, BatchNorm, Grey, L2Normalise, Preprocess, Standardise

CAFFE = dict(order="BGR", scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 2.0, 4.0))

PLAIN = [                                             # every layer, and the shape of an input that is odd for it
    (Conv2D(2, 3), (2, 4, 5, 2)), (Conv2D(2, 3, f=(3, 2), stride=2, pad=1), (2, 5, 6, 2)),
    (Conv2D(2, 2, f=5, stride=3, pad=0), (1, 7, 9, 2)), (Conv2D(3, 2, f=1), (2, 3, 2, 3)),
    (Conv2D(8, 8), (1, 2, 2, 8)), (Conv2D(2, 2, f=2, stride=2), (1, 5, 3, 2)),
    (DepthwiseConv2D(2), (2, 4, 5, 2)), (DepthwiseConv2D(2, f=(3, 2), stride=2, pad=1), (1, 5, 6, 2)),
    (MaxPool2D(), (2, 5, 4, 2)), (MaxPool2D((3, 2), 2, 1), (1, 5, 6, 2)), (MaxPool2D(3, 1, "same"), (1, 4, 4, 2)),
    (AvgPool2D(), (2, 5, 4, 2)), (AvgPool2D((3, 2), 2, 1), (1, 5, 6, 2)),
    (L2Pool2D(), (2, 5, 4, 2)), (L2Pool2D(3, 1, "same"), (1, 4, 4, 2)),
    (Dense(4, 3), (2, 4)), (Flatten(), (2, 2, 3, 2)), (Dropout(0.3), (2, 3, 4, 2)),
    (ReLU(), (2, 3, 3, 2)), (Sigmoid(), (2, 5)), (Tanh(), (2, 5)), (Softmax(), (3, 5)),
    (BatchNorm(2), (3, 2, 3, 2)), (L2Normalise(), (3, 4)), (Preprocess(**CAFFE), (2, 3, 2, 3)),
    (Conv2D(2, 3, f=1, bias=False), (2, 3, 2, 2)), (DepthwiseConv2D(2, bias=False), (2, 4, 5, 2)), (ZeroPad2D((1, 0, 2, 1)), (2, 3, 2, 2)),
    (PReLU(2), (2, 3, 3, 2)), (PReLU(5), (2, 5)), (LRN(), (2, 3, 2, 7)), (LRN(4, 2.0, 0.5, 2.0), (3, 3)),
    (Grey(), (2, 3, 2, 3)), (Standardise(), (2, 3, 4, 2)), (Standardise(eps=5.0), (2, 3, 4, 1)),
]
NESTED = [
    (Branches({"one": {"conv": Conv2D(2, 2, f=1)}, "two": {"conv": Conv2D(2, 3), "bn": BatchNorm(3), "relu": ReLU()}}), (2, 4, 3, 2)),
    (Residual({"conv": Conv2D(2, 2), "bn": BatchNorm(2), "tanh": Tanh()}), (2, 4, 3, 2)),
]
ids  = lambda case: "x".join(map(str, case)) if isinstance(case, tuple) else type(case).__name__
EACH = pytest.mark.parametrize("layer, shape", PLAIN + NESTED, ids=ids)
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
IN_USE_AND_IN_TRAINING = pytest.mark.parametrize("training", [False, True], ids=["in use", "in training"])


def numbers(shape, dtype=np.float64, seed=0):
    """Standard normal; the same numbers for the same shape."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def in_use(layer):
    """A copy whose parameters and running statistics are none of the defaults (gamma = 1 would hide its own absence)."""
    rng, layer = np.random.default_rng(3), copy.deepcopy(layer)
    params = {key: (p + 0.3 * rng.standard_normal(p.shape)).astype(p.dtype) for key, p in layer.params.items()}
    state  = {key: (s + 0.5 * rng.random(s.shape)).astype(s.dtype) for key, s in layer.state.items()}
    return network.with_arrays(layer, params, state)


def arrays_in(cache):
    """Every array that a cache keeps alive."""
    if isinstance(cache, dict):
        cache = list(cache.values())
    if isinstance(cache, (tuple, list)):
        return [array for part in cache for array in arrays_in(part)]
    return [cache] if isinstance(cache, np.ndarray) else []


# ---- the contract --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("layer, shape", PLAIN, ids=ids)
def test_gradients(layer, shape):
    report = gradcheck.check_layer(in_use(layer), numbers(shape))
    assert report.passed, report


def test_gradients_of_a_convolution_with_many_channels():
    """Another kernel than for few."""
    report = gradcheck.check_layer(Conv2D(9, 8), numbers((2, 5, 6, 9)), max_entries=100)
    assert report.passed, report


def test_gradients_of_a_frozen_layer():
    """What a frozen layer keeps must not outlive its parameters: the checker moves them."""
    layer = Network({"conv": Conv2D(9, 8)}).freeze().layers["conv"]
    layer.forward(numbers((2, 5, 6, 9)))
    report = gradcheck.check_layer(layer, numbers((2, 5, 6, 9)), max_entries=100)
    assert report.passed, report


@pytest.mark.parametrize("layer, shape", NESTED, ids=ids)
def test_gradients_of_networks_inside_a_layer(layer, shape):
    report = gradcheck.check_network(Network({"block": in_use(layer)}), numbers(shape))
    assert report.passed, report
    assert {row.name for row in report.rows} == {"x", *Network({"block": layer}).params}


@pytest.mark.parametrize("layer, shape", [(BatchNorm(2), (3, 2, 3, 2)), (BatchNorm(4), (5, 4)), (Dropout(0.3), (2, 3, 4, 2))], ids=ids)
def test_gradients_in_training(layer, shape):
    report = gradcheck.check_layer(in_use(layer), numbers(shape), training=True)
    assert report.passed, report


@pytest.mark.parametrize("layer, shape", NESTED, ids=ids)
def test_gradients_in_training_of_a_batch_norm_inside(layer, shape):
    net, R = Network({"block": in_use(layer)}).astype(np.float64), None

    def f(x):
        twin = net.with_params({key: p for key, p in x.items() if key != "x"})
        a, caches = twin.forward(x["x"], keep=["block"], training=True)
        dx, grads = twin.backward({"block": R}, caches)
        return np.sum(a["block"] * R), {"x": dx, **grads}

    R = numbers(net.forward(numbers(shape), keep=["block"])[0]["block"].shape, seed=5)
    report = gradcheck.check(f, {"x": numbers(shape), **net.params})
    assert report.passed, report


@EACH
@BOTH_DTYPES
@IN_USE_AND_IN_TRAINING
def test_dtype_is_kept_and_nothing_given_is_changed(layer, shape, dtype, training):
    layer, a_prev = in_use(layer), numbers(shape, dtype)
    a_prev.flags.writeable = False
    before = {key: array.copy() for key, array in {**layer.params, **layer.state}.items()}
    z, cache = layer.forward(a_prev, training, np.random.default_rng(0))
    dz = numbers(z.shape, dtype, seed=1)
    dz.flags.writeable = False
    da_prev, grads = layer.backward(dz, cache)
    assert z.shape == layer.output_shape(shape) and da_prev.shape == shape
    assert {name: g.shape for name, g in grads.items()} == {name: p.shape for name, p in layer.params.items()}
    assert {array.dtype for array in (z, da_prev, *grads.values())} == {np.dtype(dtype)}
    assert all(np.array_equal(array, before[key]) for key, array in {**layer.params, **layer.state}.items())
    assert np.array_equal(a_prev, numbers(shape, dtype)) and np.array_equal(dz, numbers(z.shape, dtype, seed=1))


@EACH
@IN_USE_AND_IN_TRAINING
def test_without_params_the_way_to_the_pixels_is_the_same_and_no_more(layer, shape, training):
    layer, a_prev = in_use(layer), numbers(shape)
    (z, full), (z_too, lean) = [layer.forward(a_prev, training, np.random.default_rng(0), params=params) for params in (True, False)]
    da_prev, _ = layer.backward(z, full)
    da_too, grads = layer.backward(z, lean)
    assert np.array_equal(z, z_too) and np.array_equal(da_prev, da_too)
    assert grads == {}


@pytest.mark.parametrize("layer, shape", [case for case in PLAIN + NESTED if case[0].params], ids=ids)
def test_without_params_the_cache_holds_no_a_prev(layer, shape):
    a_prev = numbers(shape)
    full, lean = [arrays_in(layer.forward(a_prev, params=params)[1]) for params in (True, False)]
    assert not any(np.shares_memory(array, a_prev) for array in lean)
    assert sum(array.nbytes for array in lean) <= sum(array.nbytes for array in full) - a_prev.nbytes


@EACH
def test_the_repr_of_a_layer_makes_it_again(layer, shape):
    names = {name: thing for module in (layers, activations, normalisation, network) for name, thing in vars(module).items()}
    again, a_prev = eval(repr(layer), names), numbers(shape)
    assert repr(again) == repr(layer)
    assert np.array_equal(again.forward(a_prev)[0], layer.forward(a_prev)[0])


@EACH
def test_an_empty_batch_gives_an_empty_batch(layer, shape):
    z, cache = layer.forward(np.zeros((0, *shape[1:])))
    da_prev, grads = layer.backward(z, cache)
    assert z.shape == layer.output_shape((0, *shape[1:])) and da_prev.shape == (0, *shape[1:])
    assert not any(g.any() for g in grads.values())


@EACH
def test_whole_numbers_become_float32_before_any_arithmetic(layer, shape):
    whole = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    as_float = np.float32(whole) / 255 if isinstance(layer, (Preprocess, Grey)) else np.float32(whole)
    z, _ = layer.forward(whole)
    assert z.dtype == np.float32 and np.array_equal(z, layer.forward(as_float)[0])


@pytest.mark.parametrize("layer", [Conv2D(2, 3), DepthwiseConv2D(2), Dense(4, 3)], ids=repr)
def test_two_calls_of_one_layer_share_its_parameters(layer):
    """A Siamese network: the gradients of both calls add up to that of one batch, in whatever order they are taken."""
    x = numbers((2, 3, 3, 2) if not isinstance(layer, Dense) else (2, 4))
    z, cache = layer.forward(x)
    (z1, cache1), (z2, cache2) = layer.forward(x[:1]), layer.forward(x[1:])
    two, one, both = layer.backward(z2, cache2)[1], layer.backward(z1, cache1)[1], layer.backward(z, cache)[1]
    assert all(np.allclose(one[key] + two[key], both[key], rtol=1e-12) for key in both)


@pytest.mark.parametrize("layer", [Conv2D(2, 2), DepthwiseConv2D(2), MaxPool2D(), AvgPool2D(), L2Pool2D()], ids=ids)
@pytest.mark.parametrize("wrong", ["more pictures", "fewer pictures", "more rows"])
def test_s18_a_gradient_of_another_shape_is_refused_before_a_kernel_goes_past_an_end(monkeypatch, layer, wrong):
    for module in (kernels.loops, kernels.gemm, kernels.pooling):       # plain Python here, so that a failure cannot overwrite memory
        for name, kernel in list(vars(module).items()):
            monkeypatch.setattr(module, name, getattr(kernel, "py_func", kernel))
    z, cache = layer.forward(numbers((2, 4, 6, 2)))
    m, n_H, n_W, n_C = z.shape
    shape = {"more pictures": (m + 2, n_H, n_W, n_C), "fewer pictures": (m - 1, n_H, n_W, n_C), "more rows": (m, n_H + 3, n_W, n_C)}
    with pytest.raises(ShapeError):
        layer.backward(np.ones(shape[wrong]), cache)


# ---- numbers by hand -----------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("layer, shape", NESTED, ids=ids)
def test_the_state_of_a_batch_norm_inside_is_carried_out(layer, shape):
    before = {key: array.copy() for key, array in layer.state.items()}
    _, cache = layer.forward(numbers(shape) + 1, training=True)
    new = layer.new_state(cache)
    assert new.keys() == before.keys() and all(not np.array_equal(new[key], before[key]) for key in new)
    assert all(np.array_equal(array, before[key]) for key, array in layer.state.items())


# ---- what is refused, and in which words ---------------------------------------------------------------------------------

WINDOWED = pytest.mark.parametrize("make", [lambda **window: Conv2D(3, 4, **window), lambda **window: DepthwiseConv2D(3, **window),
                                            MaxPool2D, AvgPool2D, L2Pool2D], ids=["Conv2D", "Depthwise", "MaxPool", "AvgPool", "L2Pool"])


@WINDOWED
def test_s1_one_picture_is_told_how_to_become_a_batch(make):
    with pytest.raises(ShapeError, match=r"\(64, 64, 3\).*four axes.*x\[None\]"):
        make().forward(np.zeros((64, 64, 3)))


@pytest.mark.parametrize("layer", [Conv2D(3, 4), DepthwiseConv2D(3), Preprocess(), Grey()], ids=repr)
def test_s2_a_fourth_channel_may_be_alpha(layer):
    with pytest.raises(ShapeError, match=r"4 channels.*n_C_prev = 3.*alpha"):
        layer.forward(np.zeros((1, 5, 5, 4)))


def test_s2_channels_first_is_recognised():
    with pytest.raises(ShapeError, match=r"channels-first.*transpose\(0, 2, 3, 1\)"):
        Conv2D(3, 4).forward(np.zeros((1, 3, 8, 8)))


@WINDOWED
def test_s4_a_filter_larger_than_the_padded_picture(make):
    with pytest.raises(ShapeError, match=r"f = 5 > n_prev \+ padding = 2 \+ 2"):
        make(f=5, stride=1, pad=1).forward(np.zeros((1, 2, 9, 3)))


@EACH
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex128, object])
def test_s8_other_kinds_of_number_are_refused(layer, shape, dtype):
    with pytest.raises(ShapeError, match="expected float32.*or float64"):
        layer.forward(np.zeros(shape, dtype))


@WINDOWED
@pytest.mark.parametrize("window, words", [
    ({"f": 2.5}, "f = 2.5; expected a whole number from 1 up"), ({"f": 0}, "f = 0"), ({"f": (3, 2, 1)}, "f = "), ({"f": True}, "f = True"),
    ({"stride": 0}, "stride = 0; expected a whole number from 1 up"), ({"stride": 1.5}, "stride = 1.5"),
    ({"pad": -1}, 'pad = -1; expected "same" or a whole number from 0 up'), ({"pad": "valid"}, "pad = 'valid'")])
def test_s22_windows_that_are_none(make, window, words):
    with pytest.raises(ShapeError, match=words.replace("(", r"\(")):
        make(**window)


@pytest.mark.parametrize("pool", [MaxPool2D, AvgPool2D, L2Pool2D])
def test_a_pooling_window_wholly_in_the_padding_is_refused(pool):
    with pytest.raises(ShapeError, match="wholly in the padding"):
        pool((3, 2), 2, pad=2)


def test_dense_after_a_convolution_asks_for_flatten():
    with pytest.raises(ShapeError, match=r"expected \(m, 12\).*Flatten"):
        Dense(12, 2).forward(np.zeros((1, 2, 2, 3)))


def test_dropout_refuses_chance_that_cannot_be_repeated_and_rates_out_of_range():
    with pytest.raises(ShapeError, match="rng"):
        Dropout(0.5).forward(np.zeros((2, 2)), training=True)
    for rate in (-0.1, 1, float("nan")):
        with pytest.raises(ShapeError, match="rate"):
            Dropout(rate)


def test_batch_norm_refuses_other_channels_and_a_batch_of_one_value():
    with pytest.raises(ShapeError, match="expected 3 channels"):
        BatchNorm(3).forward(np.zeros((2, 4)))
    with pytest.raises(ShapeError, match="at least two values"):
        BatchNorm(3).forward(np.zeros((1, 3)), training=True)


def test_blocks_refuse_parts_that_do_not_fit():
    with pytest.raises(ShapeError, match="side by side"):
        Branches({"a": {"conv": Conv2D(2, 1)}, "b": {"pool": MaxPool2D()}}).forward(np.zeros((1, 4, 4, 2)))
    with pytest.raises(ShapeError, match="cannot be added"):
        Residual({"conv": Conv2D(2, 3)}).forward(np.zeros((1, 4, 4, 2)))


def test_preprocess_refuses_pictures_of_a_size_that_its_weights_do_not_know():
    layer = Preprocess(size=(4, 3))
    assert layer.forward(np.zeros((2, 4, 3, 3)))[0].shape == (2, 4, 3, 3)
    with pytest.raises(ShapeError, match=r"shape \(1, 3, 4, 3\).*\(n_H, n_W\) = \(4, 3\) only"):
        layer.forward(np.zeros((1, 3, 4, 3)))
    assert layer.describe()["size"] == [4, 3] and "size" not in Preprocess().describe()


def test_preprocess_refuses_an_order_that_is_none():
    with pytest.raises(ShapeError, match="order = 'RBB'"):
        Preprocess(order="RBB")


@pytest.mark.parametrize("labels, words", [
    (np.zeros((3, 1), int), r"\(3, 2\).*\(3, 1\)"), (np.zeros(3), "whole numbers"), (np.zeros(2, int), r"\(2,\)"),
    (np.array([0, 1, 2]), "run from 0 to 2; expected 0 to 1"), (np.array([0, -1, 1]), "run from -1 to 1")])
def test_s10_labels_that_do_not_fit_the_scores(labels, words):
    with pytest.raises(ShapeError, match=words):
        softmax_cross_entropy(np.zeros((3, 2)), labels)


def test_s5_a_loss_of_an_empty_batch_is_refused():
    with pytest.raises(ShapeError, match="empty batch"):
        softmax_cross_entropy(np.zeros((0, 2)), np.zeros(0, int))
