"""The Siamese network that made one-shot learning known: Koch's, for handwritten characters of 105x105.

Both pictures go through these layers; the encodings' differences |f_k - f'_k| go to a logistic unit, which is
face_losses.pair_loss with its w and b.
Source: Koch, Zemel & Salakhutdinov 2015, "Siamese neural networks for one-shot image recognition", fig. 4. The paper draws filters
with standard deviation 0.01 and biases around 0.5; here they begin as elsewhere in this package, He et al.'s and zero.
"""

import numpy as np

from scratchnet.activations import ReLU, Sigmoid
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Grey, Preprocess


def koch(seed=0):
    """Koch's network, 38 947 648 parameters, drawn from `seed` (He).   (m, 105, 105, 3), RGB in [0, 1] -> (m, 4096) in (0, 1)

    Characters are grey: the network takes pictures like all others here, and its second layer makes one channel of three.
    a["encoding"] is the output. It is not of unit length.
    """
    rng = np.random.default_rng(seed)
    return Network({
        "input": Preprocess(size=(105, 105)), "grey": Grey(),
        "conv1": Conv2D(1, 64, 10, pad=0, rng=rng),   "relu1": ReLU(), "pool1": MaxPool2D(),
        "conv2": Conv2D(64, 128, 7, pad=0, rng=rng),  "relu2": ReLU(), "pool2": MaxPool2D(),
        "conv3": Conv2D(128, 128, 4, pad=0, rng=rng), "relu3": ReLU(), "pool3": MaxPool2D(),
        "conv4": Conv2D(128, 256, 4, pad=0, rng=rng), "relu4": ReLU(),
        "flatten": Flatten(), "dense": Dense(6 * 6 * 256, 4096, rng=rng), "encoding": Sigmoid(),
    })
