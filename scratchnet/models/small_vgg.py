"""The network that ships: a small VGG that imitates VGG-19's activations, channel by channel, with a ninth of its parameters.

The six layers that style transfer asks for, relu1_1, relu2_1, relu3_1, relu4_1, relu4_2 and relu5_1, have VGG-19's names and widths:
channel 17 of relu3_1 answers to what channel 17 of VGG-19's answers to. Between them the network is thin.
Trained by this package (benchmarks/train_small_vgg.py); data, figures and limits: small_vgg.md beside this file.
"""

from pathlib import Path

from scratchnet.activations import ReLU
from scratchnet.layers import UNFILLED, Conv2D, MaxPool2D
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

FILE = Path(__file__).with_name("small_vgg.npz")
MATCHED = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
UNITS = dict(zip(MATCHED, (52.0, 250.0, 326.0, 1130.0, 907.0, 158.0)))     # VGG-19's activation where ours is 1
TABLE = (                                             # name, channels in and out; "thin" are 1x1 without a ReLU
    ("conv1_1", 3, 64), ("conv1_2", 64, 32), "pool1",
    ("conv2_1", 32, 128), ("conv2_2", 128, 64), "pool2",
    ("conv3_1", 64, 256), ("conv3_2", 256, 96), ("conv3_3", 96, 96), "pool3",
    ("conv4_1", 96, 512), ("thin4_1", 512, 96), ("conv4_2", 96, 512), ("thin4_2", 512, 96), ("conv4_3", 96, 128), "pool4",
    ("conv5_1", 128, 512),
)


def small_vgg(weights=None):
    """The trained network: 2 268 384 parameters, conv1_1 to relu5_1.   (m, n_H, n_W, 3) in [0, 1] -> (m, n_H/16, n_W/16, 512)

    weights  None: the file that ships; else one that benchmarks/train_small_vgg.py has made
    Activations of the matched layers are VGG-19's in units of their root mean square over photographs: UNITS has them, as measured
    again by tests/test_small_vgg.py.
    """
    return untrained(UNFILLED).load(FILE if weights is None else weights)


def untrained(rng=None):
    """The table with random filters, as the recipe begins."""
    layers = {"input": Preprocess(mean=(0.485, 0.456, 0.406), std=(0.25, 0.25, 0.25))}
    for row in TABLE:
        if row in ("pool1", "pool2", "pool3", "pool4"):
            layers[row] = MaxPool2D()
            continue
        name, n_C_prev, n_C = row
        layers[name] = Conv2D(n_C_prev, n_C, f=1 if name.startswith("thin") else 3, rng=rng)
        if name.startswith("conv"):
            layers[f"relu{name[4:]}"] = ReLU()
    return Network(layers)
