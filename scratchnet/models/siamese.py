"""The lecture's Siamese network at the size of a lesson: three convolutions, a dense layer, encodings of length 1.

There is one network here, not two: the second picture goes through the same layers with the same parameters, which in this package is a
second call. Source: course 4, week 4: Siamese network. Taigman et al. 2014 (DeepFace).
"""

import numpy as np

from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Grey, L2Normalise, Preprocess

CHANNELS = (32, 64, 128)


def siamese_encoder(size=64, n_f=32, n_C=3, seed=0, channels=CHANNELS):
    """conv1, relu1, pool1, ... pool3, flatten, dense, encoding.   (m, size, size, 3) in [0, 1] -> (m, n_f), each of length 1

    size      side of the pictures: 64, 96, any multiple of 8        n_f   numbers in an encoding
    n_C       what the first convolution sees: 3 for colours, 1 for light and shade alone, which a layer makes of the same pictures
    channels  of the convolutions, one block each
    Raises ShapeError for a size that the poolings do not halve evenly, or another n_C.
    """
    if size % 2 ** len(channels) or size < 2 ** len(channels) or n_C not in (1, 3):
        raise ShapeError(f"size = {size}, n_C = {n_C}; expected a multiple of {2 ** len(channels)} (the poolings halve it "
                         f"{len(channels)} times), and 3 channels or 1.")
    layers = {"input": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), size=(size, size))}
    if n_C == 1:
        layers["grey"] = Grey()
    rng = np.random.default_rng(seed)
    for block, (before, after) in enumerate(zip((n_C, *channels), channels), 1):
        layers |= {f"conv{block}": Conv2D(before, after, rng=rng), f"relu{block}": ReLU(), f"pool{block}": MaxPool2D()}
    seen = (size // 2 ** len(channels)) ** 2 * channels[-1]
    layers |= {"flatten": Flatten(), "dense": Dense(seen, n_f, rng=rng), "encoding": L2Normalise()}
    return Network(layers, name="siamese_encoder")
