"""A network that nobody trained: a small VGG of random filters. It knows no shapes, but it can tell textures apart.

Random filters answer to edges, colours and grain of all kinds, which is what a style matrix needs; what they lack is
knowledge of eyes and houses. One convolution a block, average pooling, four blocks.
That such networks paint textures: Ustyuzhaninov, Brendel, Gatys & Bethge 2016, "Texture synthesis using shallow
convolutional networks with random filters".
"""

import numpy as np

from scratchnet.activations import ReLU
from scratchnet.layers import AvgPool2D, Conv2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess


def random_filters(seed=0, channels=(32, 64, 128, 128)):
    """conv1_1, relu1_1, pool1, conv2_1, ... relu4_1.   (m, n_H, n_W, 3) in [0, 1] -> (m, n_H/8, n_W/8, 128)"""
    rng, n_C_prev = np.random.default_rng(seed), 3
    layers = {"input": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))}
    for block, n_C in enumerate(channels, 1):
        if block > 1:
            layers[f"pool{block - 1}"] = AvgPool2D()
        layers[f"conv{block}_1"] = Conv2D(n_C_prev, n_C, rng=rng)
        layers[f"relu{block}_1"] = ReLU()
        n_C_prev = n_C
    return Network(layers)
