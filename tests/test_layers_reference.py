"""Every layer against PyTorch's numbers, stored by reference/make_layers_reference.py: outputs and all gradients.

The gradient check says that a backward belongs to its forward; only an outside truth says that the forward is the right one.
"""

from pathlib import Path

import numpy as np
import pytest

from scratchnet import layers, normalisation, style_costs
from scratchnet.activations import PReLU, softmax_cross_entropy

with np.load(Path(__file__).with_name("reference") / "layers.npz") as file:
    REFERENCE = {key: file[key] for key in file.files}

# float64 leaves room for the order of a sum; float32 for its own rounding over at most some hundred terms
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}
POOLINGS  = {"max_pool": layers.MaxPool2D, "avg_pool": layers.AvgPool2D, "l2_pool": layers.L2Pool2D}


def cases(layer):
    """The settings under which the reference has this layer: "3x3 s2 p1 on 2x7x10x2"."""
    return sorted({key.split("/")[1] for key in REFERENCE if key.startswith(f"{layer}/")})


def stored(case, dtype):
    """The arrays of one case, {"a_prev": ...}, in the precision that the test is about."""
    return {key.split("/")[-1]: array if array.dtype.kind == "i" else array.astype(dtype)
            for key, array in REFERENCE.items() if key.startswith(f"{case}/")}


def window(settings):
    """ "3x3 s2 p1 on 2x7x10x2" -> f, stride and pad as the layers take them."""
    f, stride, pad, *_ = settings.split()
    f = tuple(int(side) for side in f.split("x"))
    return {"f": f[0] if f[0] == f[1] else f, "stride": int(stride[1:]), "pad": "same" if pad == "psame" else int(pad[1:])}


def assert_close(ours, theirs, what):
    """Largest difference by largest entry: small numbers beside large ones are no excuse, and none is demanded of zeros."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what} has shape {ours.shape}, PyTorch's {theirs.shape}"
    error = np.abs(ours - theirs).max() / (np.abs(theirs).max() or 1)
    assert error <= TOLERANCE[theirs.dtype.type], f"{what} is off by {error:.1e} of the largest entry"


def check(layer, ref, dtype, training=False):
    """Forward, backward, all gradients, dtypes, and that nothing given was changed. Returns the cache."""
    for key in layer.params:
        assert layer.params[key].shape == ref[key].shape, f"{key} has shape {layer.params[key].shape}, expected {ref[key].shape}"
        layer.params[key] = ref[key]
    before = {key: array.copy() for key, array in ref.items()}
    z, cache = layer.forward(ref["a_prev"], training=training)
    da_prev, grads = layer.backward(ref["R"], cache)
    assert_close(z, ref["z"], "z")
    assert_close(da_prev, ref["da_prev"], "da_prev")
    assert grads.keys() == layer.params.keys()
    for key in grads:
        assert_close(grads[key], ref[f"d{key}"], f"d{key}")
        assert grads[key].dtype == dtype, f"d{key} is {grads[key].dtype}"
    assert (z.dtype, da_prev.dtype) == (dtype, dtype)
    for key in ref:
        assert np.array_equal(ref[key], before[key]), f"{key} was changed in place"
    return cache


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.mark.parametrize("settings", cases("conv2d"))
def test_conv2d(settings, dtype):
    ref = stored(f"conv2d/{settings}", dtype)
    _, _, n_C_prev, n_C = ref["W"].shape
    check(layers.Conv2D(n_C_prev, n_C, **window(settings)), ref, dtype)


def keeps_size(settings):
    """Stride 1, odd f, p = (f - 1) / 2: what the lecture calls a same convolution."""
    w = window(settings)
    return w["stride"] == 1 and isinstance(w["f"], int) and w["f"] % 2 == 1 and w["pad"] == (w["f"] - 1) // 2


@pytest.mark.parametrize("settings", [settings for settings in cases("conv2d") if keeps_size(settings)])
def test_conv2d_same_is_the_lectures_padding(settings, dtype):
    ref = stored(f"conv2d/{settings}", dtype)
    _, _, n_C_prev, n_C = ref["W"].shape
    check(layers.Conv2D(n_C_prev, n_C, f=window(settings)["f"], pad="same"), ref, dtype)


@pytest.mark.parametrize("settings", cases("depthwise"))
def test_depthwise(settings, dtype):
    ref = stored(f"depthwise/{settings}", dtype)
    check(layers.DepthwiseConv2D(ref["W"].shape[2], **window(settings)), ref, dtype)


@pytest.mark.parametrize("pool, settings", [(pool, settings) for pool in POOLINGS for settings in cases(pool)])
def test_poolings(pool, settings, dtype):
    check(POOLINGS[pool](**window(settings)), stored(f"{pool}/{settings}", dtype), dtype)


@pytest.mark.parametrize("settings", cases("batch_norm"))
def test_batch_norm(settings, dtype):
    ref, training = stored(f"batch_norm/{settings}", dtype), settings.startswith("training")
    layer = normalisation.BatchNorm(ref["gamma"].size)
    layer.state = {"mean": ref["mean"], "var": ref["var"]}
    cache = check(layer, ref, dtype, training=training)
    if training:
        assert_close(layer.new_state(cache)["mean"], ref["new_mean"], "the running mean")
        assert_close(layer.new_state(cache)["var"], ref["new_var"], "the running variance")
    else:
        assert np.array_equal(ref["new_mean"], ref["mean"]) and np.array_equal(ref["new_var"], ref["var"])


@pytest.mark.parametrize("settings", cases("dense"))
def test_dense(settings, dtype):
    ref = stored(f"dense/{settings}", dtype)
    check(layers.Dense(*ref["W"].shape), ref, dtype)


@pytest.mark.parametrize("settings", cases("l2_normalise"))
def test_l2_normalise(settings, dtype):
    check(normalisation.L2Normalise(), stored(f"l2_normalise/{settings}", dtype), dtype)


@pytest.mark.parametrize("settings", cases("prelu"))
def test_prelu(settings, dtype):
    ref = stored(f"prelu/{settings}", dtype)
    check(PReLU(ref["alpha"].size), ref, dtype)


@pytest.mark.parametrize("settings", cases("lrn"))
def test_lrn(settings, dtype):
    n, alpha, beta, k, *_ = settings.split()
    check(normalisation.LRN(int(n), float(alpha), float(beta), float(k)), stored(f"lrn/{settings}", dtype), dtype)


@pytest.mark.parametrize("settings", cases("cross_entropy"))
def test_softmax_cross_entropy(settings, dtype):
    ref = stored(f"cross_entropy/{settings}", dtype)
    J, dz = softmax_cross_entropy(ref["z"], ref["labels"])
    assert_close(J, ref["J"], "J")
    assert_close(dz, ref["dz"], "dz")
    assert dz.dtype == dtype


@pytest.mark.parametrize("normalise", ["lecture", "assignment", "mean", "relative"])
def test_style_costs(normalise, dtype):
    ref = {key.split("/")[-1]: array.astype(dtype) for key, array in REFERENCE.items()
           if key.startswith("style_costs/") and (key.count("/") == 1 or f"/{normalise}/" in key)}
    J_content, da_content = style_costs.content_cost(ref["a_C"], ref["a_G"], normalise=normalise)
    G_S = style_costs.gram(ref["a_S"], positions=ref["a_G"].shape[1] * ref["a_G"].shape[2])
    J_style, da_style = style_costs.layer_style_cost(G_S, ref["a_G"], normalise=normalise)
    assert_close(G_S, ref["G_S"], "G_S")
    assert_close(style_costs.gram(ref["a_G"]), ref["G_G"], "G_G")
    assert_close(J_content, ref["J_content"], "J_content")
    assert_close(da_content, ref["da_content"], "da of J_content")
    assert_close(J_style, ref["J_style"], "J_style")
    assert_close(da_style, ref["da_style"], "da of J_style")
    assert (da_content.dtype, da_style.dtype) == (dtype, dtype)
