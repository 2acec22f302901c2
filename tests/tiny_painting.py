"""Style transfer on a network so small that the gradient of J can be checked down to every pixel."""

import numpy as np

from scratchnet import style
from scratchnet.activations import ReLU
from scratchnet.layers import AvgPool2D, Conv2D, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

SETTINGS = dict(content_layer="relu2", lam={"relu1": 0.4, "relu3": 0.6})


def network(seed=0):
    """Three blocks, both poolings, BGR and a mean: what VGG has, tiny."""
    rng = np.random.default_rng(seed)
    return Network({
        "input": Preprocess(order="BGR", scale=4.0, mean=(1.7, 1.9, 2.0)),
        "conv1": Conv2D(3, 4, rng=rng), "relu1": ReLU(), "pool1": MaxPool2D(),
        "conv2": Conv2D(4, 5, rng=rng), "relu2": ReLU(), "pool2": AvgPool2D(),
        "conv3": Conv2D(5, 6, rng=rng), "relu3": ReLU(), "pool3": MaxPool2D(),
    })


def picture(seed, n_H=8, n_W=9, dtype=np.float32):
    return np.random.default_rng(seed).random((1, n_H, n_W, 3)).astype(dtype)


NET, C, S = network(), picture(1), picture(2, 12, 7)


def transfer(C=C, S=S, steps=2, net=NET, **settings):
    """The Steps of a run, as a list."""
    return list(style.transfer(net, C, S, steps, **{**SETTINGS, **settings}))
