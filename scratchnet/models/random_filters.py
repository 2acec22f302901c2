"""A network that nobody trained: random filters at five scales. It knows no shapes, but it can tell textures apart.

    block b:  conv (7x7, 48 channels) -> ReLU -> average pooling -> the picture itself again, half as large

The first three channels of each convolution hand the picture on; the others are random, of mean zero (so that they answer to
edges and strokes, not to brightness) and of length one. Because every block looks at the picture again, the five layers see
strokes of five sizes, where filters stacked on random filters see next to nothing.
Source of the idea: Ustyuzhaninov, Brendel, Gatys & Bethge 2016, "Texture synthesis using shallow convolutional networks with
random filters". Theirs are scales in one layer; ours are a pyramid.
"""

import numpy as np

from scratchnet.activations import ReLU
from scratchnet.layers import AvgPool2D, Conv2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

BLOCKS, F, CHANNELS = 5, 7, 48


def random_filters(seed=0):
    """conv1_1, relu1_1, pool1, picture2, conv2_1, ... relu5_1.   (m, n_H, n_W, 3) in [0, 1] -> (m, n_H/16, n_W/16, 48)"""
    rng = np.random.default_rng(seed)
    layers = {"input": Preprocess()}
    for b in range(1, BLOCKS + 1):
        layers[f"conv{b}_1"] = Conv2D(3, CHANNELS, f=F)
        layers[f"conv{b}_1"].params["W"] = _filters(rng)
        layers[f"relu{b}_1"] = ReLU()
        if b < BLOCKS:
            layers[f"pool{b}"] = AvgPool2D()
            layers[f"picture{b + 1}"] = Conv2D(CHANNELS, 3, f=1)
            layers[f"picture{b + 1}"].params["W"] = np.eye(CHANNELS, 3, dtype=np.float32)[None, None]
    return Network(layers)


def _filters(rng):
    """(F, F, 3, CHANNELS): three that copy red, green and blue, and random ones of mean zero and length one."""
    W = rng.standard_normal((F, F, 3, CHANNELS))
    W -= W.mean(axis=(0, 1))
    W /= np.sqrt(np.sum(W ** 2, axis=(0, 1, 2)))
    W[..., :3] = 0
    W[F // 2, F // 2, range(3), range(3)] = 1
    return W.astype(np.float32)
