"""Layers and activations: the gradient check of each, the contract that all of them keep, and what they refuse. Numbers by hand:
test_layers_by_hand.py.

    z, cache       = layer.forward(a_prev, training=False, rng=None, params=True)
    da_prev, grads = layer.backward(dz, cache)
"""

import copy

import numpy as np
import pytest

from scratchnet import activations, gradcheck, kernels, layers, network, normalisation
from scratchnet.activations import PReLU, ReLU, Sigmoid, Softmax, Tanh, softmax_cross_entropy
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
