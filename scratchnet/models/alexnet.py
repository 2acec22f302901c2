"""AlexNet, the network in whose layers the lecture looks for what units have learned, as torchvision has it.

64 first filters and no local response normalisation: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural
networks", not the two-column network of 2012. The slide's pictures are from neither: they show the variant that Zeiler & Fergus
(2013) trained, with 96 first filters of 7x7 at stride 2. Between pool5 and the dense layers torchvision averages down to 6x6; at
224x224 pixels the map is 6x6 already and nothing is left to average, so here there is no such layer and, with dense layers,
no other size.
"""

from scratchnet.activations import ReLU, Softmax
from scratchnet.errors import ShapeError
from scratchnet.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from scratchnet.models.family import Family
from scratchnet.models.name_maps import TORCHVISION, loaded

CHANNELS = (64, 192, 384, 256, 256)
POOLS = {"max": MaxPool2D, "avg": AvgPool2D}


def alexnet(weights=None, pool="max", seed=0, classes=None):
    """AlexNet to pool5: 5 convolutions, 2 469 696 parameters.   (m, 224, 224, 3) in [0, 1] -> (m, 6, 6, 256)

    weights, pool, seed, classes   as for vgg19; the file is torchvision's or our own. With 1000 classes fc6, fc7, fc8 and
    "prob" follow: 61 100 840 parameters, for pictures of 224x224.
    Raises WeightsError for anything missing, unknown or misshapen.
    """
    return loaded(_family(pool, classes), weights, seed, classes is not None)


def _family(pool="max", classes=None, channels=CHANNELS, units=4096, map=(6, 6)):
    """The table: conv1, relu1, pool1, ... pool5, flatten, ... prob.   map  the size that arrives at "flatten"."""
    if pool not in POOLS:
        raise ShapeError(f'pool = {pool!r}; expected "max" or "avg".')
    n_1, n_2, n_3, n_4, n_5 = channels
    return Family("alexnet", {                        # convolutions: n_C_prev, n_C, f, stride, pad; poolings: f, stride
        "conv1": (Conv2D, (3, n_1, 11, 4, 2)), "relu1": (ReLU, ()), "pool1": (POOLS[pool], (3, 2)),
        "conv2": (Conv2D, (n_1, n_2, 5)),      "relu2": (ReLU, ()), "pool2": (POOLS[pool], (3, 2)),
        "conv3": (Conv2D, (n_2, n_3, 3)),      "relu3": (ReLU, ()),
        "conv4": (Conv2D, (n_3, n_4, 3)),      "relu4": (ReLU, ()),
        "conv5": (Conv2D, (n_4, n_5, 3)),      "relu5": (ReLU, ()), "pool5": (POOLS[pool], (3, 2)),
        "flatten": (Flatten, ()), "drop5": (Dropout, ()),
        "fc6": (Dense, (map[0] * map[1] * n_5, units)), "relu6": (ReLU, ()), "drop6": (Dropout, ()),
        "fc7": (Dense, (units, units)), "relu7": (ReLU, ()),
        "fc8": (Dense, (units, 1000 if classes is None else classes)), "prob": (Softmax, ()),
    }, (*map, n_5), TORCHVISION)
