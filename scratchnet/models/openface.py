"""OpenFace's nn4.small2, the face network of the course's own assignment: FaceNet's inception network, made smaller.

An inception block looks at the same map through windows of 1x1, 3x3 and 5x5 and through a pooling, side by side (course 4, week 2).
Three of the poolings take the length of a window (L2) in place of its largest number. Where a pooling leaves a smaller map than
its neighbours have, zeros are put around it: an oversight (OpenFace, issue 142), but the weights were trained with it.
Source: Amos, Ludwiczuk & Satyanarayanan 2016, "OpenFace"; sizes: models/openface/nn4.small2.def.lua of cmusatyalab/openface; names
of the .csv files: Keras-OpenFace, whose network differs in the local response normalisation alone (TensorFlow's, over 11 channels
and with 5 times the alpha). Here it is OpenFace's, with which the weights were trained.
"""

import numpy as np

from scratchnet.activations import ReLU
from scratchnet.layers import UNFILLED, AvgPool2D, Conv2D, Dense, Flatten, L2Pool2D, MaxPool2D, ZeroPad2D
from scratchnet.models.face_name_maps import OPENFACE, filled
from scratchnet.network import Branches, Network
from scratchnet.normalisation import LRN, BatchNorm, L2Normalise, Preprocess

MAX, L2 = (MaxPool2D, 2), (L2Pool2D, 3)               # of a 3x3 window, with its stride
INCEPTION = {       # n_C_prev; 3x3 and 5x5: n_C after 1x1, n_C, stride; pooling, n_C after 1x1, zeros around; n_C of the 1x1
    "3a": (192,  (96, 128, 1),  (16, 32, 1),  (MAX, 32, (3, 4, 3, 4)),   64),
    "3b": (256,  (96, 128, 1),  (32, 64, 1),  (L2, 64, (4, 4, 4, 4)),    64),
    "3c": (320,  (128, 256, 2), (32, 64, 2),  (MAX, None, (0, 1, 0, 1)), None),
    "4a": (640,  (96, 192, 1),  (32, 64, 1),  (L2, 128, (2, 2, 2, 2)),   256),
    "4e": (640,  (160, 256, 2), (64, 128, 2), (MAX, None, (0, 1, 0, 1)), None),
    "5a": (1024, (96, 384, 1),  None,         (L2, 96, (1, 1, 1, 1)),    256),
    "5b": (736,  (96, 384, 1),  None,         (MAX, 96, (1, 1, 1, 1)),   256),
}


def nn4_small2(weights=None, seed=0):
    """OpenFace's nn4.small2, 3 733 968 parameters.   (m, 96, 96, 3), RGB in [0, 1] -> (m, 128) of unit length

    weights  the folder of .csv files that Keras-OpenFace and the course hand out; a file of our own; a name in the cache, such as
             "nn4_small2" (see weights_cache.find); or None: filters drawn at random from `seed` (He)
    a["encoding"] is the output; a["dense"] the 128 numbers before they are brought to unit length.
    Raises WeightsError for anything missing or misshapen; ShapeError for pictures of another size.
    """
    net = _table(np.random.default_rng(seed) if weights is None else UNFILLED)
    return filled(net, weights, OPENFACE, theirs, "nn4_small2")


def theirs(name):
    """What the files call a layer of ours: inception_3a.3x3.conv1 is inception_3a_3x3_conv1."""
    return name.replace(".", "_")


def _table(rng):
    """The network itself, its filters drawn by `rng` (He), or layers.UNFILLED."""
    return Network({
        "input": Preprocess(size=(96, 96)),
        "conv1": Conv2D(3, 64, 7, 2, 3, rng=rng), "bn1": BatchNorm(64),  "relu1": ReLU(), "pool1": MaxPool2D(3, 2, 1), "lrn1": LRN(),
        "conv2": Conv2D(64, 64, 1, rng=rng),      "bn2": BatchNorm(64),  "relu2": ReLU(),
        "conv3": Conv2D(64, 192, 3, rng=rng),     "bn3": BatchNorm(192), "relu3": ReLU(), "lrn2": LRN(), "pool2": MaxPool2D(3, 2, 1),
        **{f"inception_{name}": _inception(*sizes, rng) for name, sizes in INCEPTION.items()},
        "pool5": AvgPool2D(3, 1), "flatten": Flatten(), "dense": Dense(736, 128, rng=rng), "encoding": L2Normalise(),
    }, name="nn4_small2")


def _inception(n_C_prev, three, five, pool, one, rng):
    """One block; a branch that is None is left out."""
    (kind, stride), n_C, zeros = pool
    branches = {f"{f}x{f}": _reduced(n_C_prev, *sizes, f, rng) for f, sizes in ((3, three), (5, five)) if sizes}
    reduced = _normalised(Conv2D(n_C_prev, n_C, 1, rng=rng)) if n_C else {}
    branches["pool"] = {"pool": kind(3, stride), **reduced, "zeros": ZeroPad2D(zeros)}
    if one:
        branches["1x1"] = _normalised(Conv2D(n_C_prev, one, 1, rng=rng))
    return Branches(branches)


def _reduced(n_C_prev, n_C_between, n_C, stride, f, rng):
    """A 1x1 convolution to fewer channels, so that the f x f one behind it costs less."""
    return {**_normalised(Conv2D(n_C_prev, n_C_between, 1, rng=rng), "1"),
            **_normalised(Conv2D(n_C_between, n_C, f, stride, f // 2, rng=rng), "2")}


def _normalised(conv, number=""):
    """A convolution, its BatchNorm and its ReLU."""
    return {f"conv{number}": conv, f"bn{number}": BatchNorm(conv.n_C), f"relu{number}": ReLU()}
