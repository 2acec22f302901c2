"""VGG-16 and VGG-19, the networks of the style transfer papers, as a table of their blocks.

3x3 convolutions with "same" padding, a ReLU after each, a 2x2 pooling after each block. `conv4_2` is z, before the ReLU;
`relu4_2` is a, after it. Papers and programs that say "conv4_2" often mean our relu4_2.
Source: Simonyan & Zisserman 2015, table 1, columns D and E. The convolutions only: style needs no classes.
"""

import numpy as np

from scratchnet import readers, weights_cache
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError, WeightsError
from scratchnet.layers import AvgPool2D, Conv2D, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

BLOCKS = {                                            # (convolutions, channels) of each block
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "vgg19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
POOLS = {"max": MaxPool2D, "avg": AvgPool2D}

CAFFE = dict(order="BGR", scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))


def vgg19(weights=None, pool="max", seed=0):
    """VGG-19 to pool5: 16 convolutions, 20 024 384 parameters.   (m, n_H, n_W, 3) in [0, 1] -> (m, n_H/32, n_W/32, 512)

    weights  path of a file; a name in the cache, such as "vgg19" (see weights_cache.find); or None: filters drawn at random from
             `seed` (He), which paint textures but know nothing
    pool     "max", as it was trained, or "avg", as Gatys et al. prefer
    A bare .npz whose conv1_1.W is (64, 3, 3, 3) is the Caffe convention: channels first, BGR, 0-255 minus the mean.
    Our own files (Network.save) carry their preprocessing. Raises WeightsError for anything missing, over or misshapen.
    """
    return _load(_vgg(BLOCKS["vgg19"], pool, seed), weights)


def vgg16(weights=None, pool="max", seed=0):
    """VGG-16 to pool5: 13 convolutions, 14 714 688 parameters. Arguments as for vgg19."""
    return _load(_vgg(BLOCKS["vgg16"], pool, seed), weights)


def _vgg(blocks, pool, seed):
    """The table, built: conv1_1, relu1_1, ... pool5."""
    if pool not in POOLS:
        raise ShapeError(f'pool = {pool!r}; expected "max" or "avg".')
    rng, n_C_prev = np.random.default_rng(seed), 3
    layers = {"input": Preprocess(**CAFFE)}
    for block, (convolutions, n_C) in enumerate(blocks, 1):
        for i in range(1, convolutions + 1):
            layers[f"conv{block}_{i}"] = Conv2D(n_C_prev, n_C, rng=rng)
            layers[f"relu{block}_{i}"] = ReLU()
            n_C_prev = n_C
        layers[f"pool{block}"] = POOLS[pool]()
    return Network(layers)


def _load(net, weights):
    """The network with the file's parameters, whichever of the known conventions they are in."""
    if weights is None:
        return net
    weights = weights_cache.find(weights)
    arrays, notes = readers.read(weights, {name: array.shape for name, array in net.params.items()}), readers.read_notes(weights)
    first = arrays.get("conv1_1.W", np.empty(0)).shape
    if not notes and first == net.params["conv1_1.W"].shape[::-1]:
        arrays = {name: np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array for name, array in arrays.items()}
    net.fill(arrays, f"'{weights}'")
    if notes.get("preprocess"):
        net.layers["input"] = _prepared_as(notes["preprocess"], weights)
    elif notes or first == net.params["conv1_1.W"].shape:
        raise WeightsError(f"'{weights}' does not say how pictures were prepared. Known: Caffe's convention, filters (64, 3, 3, 3) "
                           "and BGR; our own files, of a network with an input layer (Network.save).")
    return net


def _prepared_as(fields, weights):
    """The input layer that a file asks for. Raises WeightsError when what it says is no such layer."""
    try:
        return Preprocess(fields["order"], float(fields["scale"]), tuple(map(float, fields["mean"])), tuple(map(float, fields["std"])))
    except (TypeError, ValueError, KeyError) as e:
        raise WeightsError(f"'{weights}' says that pictures are prepared by {fields!r}; expected order, scale, mean and std.") from e
