"""A BatchNorm outside of training is a scale and a shift of each channel, and a convolution before it can do both for nothing.

    gamma (W * a + b - mean) / sqrt(var + eps) + beta = (r W) * a + (r (b - mean) + beta),     r = gamma / sqrt(var + eps)

So a network that will not be trained any more needs no layers of BatchNorm: their numbers go into the filters.
Source: Jacob et al. 2018, "Quantization and training of neural networks ...", sec. 3.2, eq. 14.
"""

import copy

import numpy as np

TAKE = ("Conv2D", "DepthwiseConv2D", "Dense")         # whose last axis of W is the channel that comes out


def folded(layers):
    """{name: layer} without the BatchNorms that stand directly behind a convolution or dense layer, which take their numbers.

    A layer keeps its name, and gives what the BatchNorm behind it gave; the names of those are gone. Layers with networks inside
    are gone through as well. The layers given are not changed.
    """
    result, before = {}, None
    for name, layer in layers.items():
        if type(layer).__name__ == "BatchNorm" and type(result.get(before)).__name__ in TAKE:
            result[before] = _scaled(result[before], layer)
            continue
        if hasattr(layer, "networks"):
            layer = copy.copy(layer)
            layer.networks = {inner: type(network)(folded(network.layers)) for inner, network in layer.networks.items()}
        result[name], before = layer, name
    return result


def _scaled(layer, norm):
    """The layer with r W and r (b - mean) + beta in place of W and b, worked out in float64."""
    W, b = layer.params["W"], layer.params.get("b", 0.0)
    gamma, beta, mean, var = ({**norm.params, **norm.state}[key].astype(np.float64) for key in ("gamma", "beta", "mean", "var"))
    rate = gamma / np.sqrt(var + norm.eps)
    layer = copy.copy(layer)
    if hasattr(layer, "bias"):
        layer.bias = True
    layer.params = {"W": (W * rate).astype(W.dtype), "b": (rate * (b - mean) + beta).astype(W.dtype)}
    return layer
