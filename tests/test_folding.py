"""Folded networks: no BatchNorm, the same numbers, in use and on the way back."""

import numpy as np
import pytest

from scratchnet import gradcheck
from scratchnet.activations import PReLU, ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, DepthwiseConv2D, Flatten
from scratchnet.network import Branches, Network, Residual
from scratchnet.normalisation import BatchNorm


def net(dtype=np.float64):
    """Everything that a BatchNorm can stand behind, its numbers none of the defaults."""
    rng = np.random.default_rng(0)
    layers = {
        "conv": Conv2D(3, 4, bias=False, rng=rng), "bn": BatchNorm(4), "prelu": PReLU(4),
        "depthwise": DepthwiseConv2D(4, bias=False, rng=rng), "depthwise_bn": BatchNorm(4, eps=0.1), "depthwise_prelu": PReLU(4),
        "residual": Residual({"conv": Conv2D(4, 4, f=1, rng=rng), "bn": BatchNorm(4)}), "alone": BatchNorm(4),
        "branches": Branches({"one": {"conv": Conv2D(4, 2, f=1), "bn": BatchNorm(2), "relu": ReLU()}, "two": {"bn": BatchNorm(4)}}),
        "flatten": Flatten(), "dense": Dense(5 * 4 * 6, 3, rng=rng), "dense_bn": BatchNorm(3),
    }
    network = Network(layers)
    draw = lambda arrays, low: {key: (low + rng.random(array.shape)).astype(dtype) for key, array in arrays.items()}
    return network.with_params(draw(network.params, -0.3), draw(network.state, 0.2))


def pictures(dtype=np.float64):
    return np.random.default_rng(1).standard_normal((2, 5, 4, 3)).astype(dtype)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_a_folded_network_gives_the_same_numbers(dtype, tolerance):
    plain = net(dtype)
    folded = plain.freeze(fold=True)
    want, got = (each.forward(pictures(dtype), keep=[last])[0][last] for each, last in ((plain, "dense_bn"), (folded, "dense")))
    assert got.dtype == dtype and np.abs(got - want).max() <= tolerance * np.abs(want).max()


def test_names_of_what_was_folded_are_gone_and_those_that_stand_alone_stay():
    plain, folded = net(), net().freeze(fold=True)
    assert set(plain.names) - set(folded.names) == {"bn", "depthwise_bn", "dense_bn"}
    assert folded.state.keys() == {"alone.mean", "alone.var", "branches.two.bn.mean", "branches.two.bn.var"}
    assert "conv.b" in folded.params and "residual.residual.conv.b" in folded.params and "conv.b" not in plain.params
    with pytest.raises(ShapeError, match="unknown layer 'bn'"):
        folded.forward(pictures(), keep=["bn"])


def test_a_folded_layer_stands_for_what_came_out_of_its_batch_norm():
    plain, folded = net(), net().freeze(fold=True)
    z = plain.forward(pictures(), keep=["bn", "prelu"])[0]
    assert np.allclose(folded.forward(pictures(), keep=["conv"])[0]["conv"], z["bn"], rtol=1e-12)
    assert np.allclose(folded.forward(pictures(), keep=["prelu"])[0]["prelu"], z["prelu"], rtol=1e-12)       # runs with its convolution


def test_folding_changes_nothing_of_the_network_itself_and_the_result_is_read_only():
    plain = net()
    before = {key: array.copy() for key, array in {**plain.params, **plain.state}.items()}
    folded = plain.freeze(fold=True)
    assert all(np.array_equal(array, before[key]) for key, array in {**plain.params, **plain.state}.items())
    assert plain.params.keys() == net().params.keys()
    assert not any(array.flags.writeable for array in folded.params.values())


def test_gradients_arrive_at_the_pixels_of_a_folded_network():
    plain, folded = net(), net().freeze(fold=True)
    dz = np.random.default_rng(2).standard_normal((2, 3))
    want = plain.backward({"dense_bn": dz}, plain.forward(pictures())[1])[0]
    dx, grads = folded.backward({"dense": dz}, folded.forward(pictures())[1])
    assert np.allclose(dx, want, rtol=1e-10) and grads == {}


def test_a_prelu_that_runs_with_its_convolution_has_the_gradient_of_both():
    folded = net().freeze(fold=True)

    def f(x):
        a, caches = folded.forward(x, until="depthwise_prelu", keep=["depthwise_prelu"])
        return np.sum(a["depthwise_prelu"] ** 2) / 2, folded.backward({"depthwise_prelu": a["depthwise_prelu"]}, caches)[0]

    report = gradcheck.check(f, pictures())
    assert report.passed, report
