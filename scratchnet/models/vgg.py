"""VGG-16 and VGG-19, the networks of the style transfer papers, as a table of their blocks.

3x3 convolutions with "same" padding, a ReLU after each, a 2x2 pooling after each block; three dense layers at the end, which
style has no use for and which are left out unless classes are asked for. `conv4_2` is z, before the ReLU; `relu4_2` is a,
after it. Papers and programs that say "conv4_2" often mean our relu4_2.
Source: Simonyan & Zisserman 2015, table 1, columns D and E.
"""

from scratchnet.activations import ReLU, Softmax
from scratchnet.errors import ShapeError
from scratchnet.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from scratchnet.models.family import Family
from scratchnet.models.name_maps import CAFFE, loaded

BLOCKS = {                                            # (convolutions, channels) of each block
    "vgg16": ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)),
    "vgg19": ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)),
}
POOLS = {"max": MaxPool2D, "avg": AvgPool2D}


def vgg19(weights=None, pool="max", seed=0, classes=None):
    """VGG-19 to pool5: 16 convolutions, 20 024 384 parameters.   (m, n_H, n_W, 3) in [0, 1] -> (m, n_H/32, n_W/32, 512)

    weights  path of a file; a name in the cache, such as "vgg19" (see weights_cache.find); or None: filters drawn at random from
             `seed` (He), which paint textures but know nothing
    pool     "max", as it was trained, or "avg", as Gatys et al. prefer
    classes  None, or how many (ImageNet has 1000): then fc6, fc7, fc8 and "prob" follow, and pictures are 224x224.
             "fc8" is z, before the softmax. With 1000 classes 143 667 240 parameters
    The file may be torchvision's, Keras's, MatConvNet's, one converted from Caffe (models/name_maps.py), or our own; it
    brings its preprocessing, and dense layers that were not asked for are left in it.
    Raises WeightsError for anything missing, unknown or misshapen.
    """
    return loaded(_family("vgg19", pool, classes), weights, seed, classes is not None)


def vgg16(weights=None, pool="max", seed=0, classes=None):
    """VGG-16 to pool5: 13 convolutions, 14 714 688 parameters; with 1000 classes 138 357 544. Arguments as for vgg19."""
    return loaded(_family("vgg16", pool, classes), weights, seed, classes is not None)


def _family(name, pool="max", classes=None, blocks=None, units=4096, map=(7, 7)):
    """The table: conv1_1, relu1_1, ... pool5, flatten, ... prob.   map  the size that arrives at "flatten", 224/32 each way."""
    if pool not in POOLS:
        raise ShapeError(f'pool = {pool!r}; expected "max" or "avg".')
    layers, n_C_prev = {}, 3
    for block, (convolutions, n_C) in enumerate(blocks or BLOCKS[name], 1):
        for i in range(1, convolutions + 1):
            layers[f"conv{block}_{i}"] = Conv2D, (n_C_prev, n_C)
            layers[f"relu{block}_{i}"] = ReLU, ()
            n_C_prev = n_C
        layers[f"pool{block}"] = POOLS[pool], ()
    layers |= {
        "flatten": (Flatten, ()),
        "fc6": (Dense, (map[0] * map[1] * n_C_prev, units)), "relu6": (ReLU, ()), "drop6": (Dropout, ()),
        "fc7": (Dense, (units, units)), "relu7": (ReLU, ()), "drop7": (Dropout, ()),
        "fc8": (Dense, (units, 1000 if classes is None else classes)), "prob": (Softmax, ()),
    }
    return Family(name, layers, (*map, n_C_prev), CAFFE)
