"""The face network that ships: small, trained by this package on a few hundred people, so that one picture of a stranger is enough.

Seven convolutions, each with BatchNorm and ReLU, and a dense layer that looks at all places at once, because a face always lies the
same way in its picture. Pictures are made grey and standardised first: a camera's colours and a lamp say nothing about who it is.
Trained by benchmarks/train_face_encoder.py; data, figures, limits and what not to use it for: face_encoder.md beside this file.
"""

from pathlib import Path

from scratchnet.activations import ReLU
from scratchnet.layers import UNFILLED, Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import BatchNorm, Grey, L2Normalise, Preprocess, Standardise

FILE = Path(__file__).with_name("face_encoder.npz")
SIZE = (56, 48)                                       # (n_H, n_W) of its pictures: half of MobileFaceNet's
BLOCKS = ((2, 32), (2, 64), (2, 96), (1, 96))         # (convolutions, channels), a pooling between blocks
N_F = 128


def face_encoder(weights=None):
    """The trained network: 803 904 parameters, grey to encoding.   (m, 56, 48, 3) in [0, 1] -> (m, 128), each of length 1

    weights  None: the file that ships; else one that benchmarks/train_face_encoder.py or `python -m scratchnet train` has made
    """
    return untrained(UNFILLED).load(FILE if weights is None else weights)


def untrained(rng=None):
    """The table with random filters, as the recipe begins."""
    layers = {"input": Preprocess(size=SIZE), "grey": Grey(), "standardised": Standardise()}
    n_C_prev, (n_H, n_W) = 1, SIZE
    for block, (convolutions, n_C) in enumerate(BLOCKS, 1):
        if block > 1:
            layers[f"pool{block - 1}"] = MaxPool2D()
            n_H, n_W = n_H // 2, n_W // 2
        for i in range(1, convolutions + 1):
            layers[f"conv{block}_{i}"] = Conv2D(n_C_prev, n_C, rng=rng)
            layers[f"bn{block}_{i}"] = BatchNorm(n_C)
            layers[f"relu{block}_{i}"] = ReLU()
            n_C_prev = n_C
    layers |= {"flatten": Flatten(), "dense": Dense(n_H * n_W * n_C_prev, N_F, rng=rng), "bn": BatchNorm(N_F), "encoding": L2Normalise()}
    return Network(layers, name="face_encoder")
