"""The lecture's Siamese network at the size of a lesson: three convolutions, a dense layer, encodings of length 1.

There is one network here, not two: the second picture goes through the same layers with the same parameters, which in this package is a
second call. Source: course 4, week 4: Siamese network. Taigman et al. 2014 (DeepFace).
"""

import numpy as np

from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import L2Normalise, Preprocess

CHANNELS = (32, 64, 128)


def siamese_encoder(size=64, n_f=32, n_C=3, seed=0, channels=CHANNELS):
    """conv1, relu1, pool1, ... pool3, flatten, dense, encoding.   (m, size, size, n_C) in [0, 1] -> (m, n_f), each of length 1

    size      side of the pictures: 64, 96, any multiple of 8        n_f   numbers in an encoding
    n_C       3 for RGB, 1 for grey; grey pictures come as they are, RGB through an input layer that centres them
    channels  of the convolutions, one block each
    Raises ShapeError for a size that the poolings do not halve evenly, or another n_C.
    """
    if size % 2 ** len(channels) or size < 2 ** len(channels) or n_C not in (1, 3):
        raise ShapeError(f"size = {size}, n_C = {n_C}; expected a multiple of {2 ** len(channels)} (the poolings halve it "
                         f"{len(channels)} times), and 3 channels or 1.")
    rng, n_C_prev = np.random.default_rng(seed), n_C
    layers = {"input": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))} if n_C == 3 else {}
    for block, n_C in enumerate(channels, 1):
        layers[f"conv{block}"] = Conv2D(n_C_prev, n_C, rng=rng)
        layers[f"relu{block}"] = ReLU()
        layers[f"pool{block}"] = MaxPool2D()
        n_C_prev = n_C
    side = size // 2 ** len(channels)
    return Network({**layers, "flatten": Flatten(), "dense": Dense(side * side * n_C_prev, n_f, rng=rng), "encoding": L2Normalise()})
