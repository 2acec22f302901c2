"""MobileFaceNet: a million parameters that know faces, because nearly all of its filters are 1x1 or look at one channel alone.

A block widens its channels (1x1), looks around in each of them (3x3, depthwise) and narrows them again (1x1, no activation: a ReLU
would lose what few channels hold); where the size stays, the block's input is added. At the end a depthwise filter as large as the
map, 7x6, weighs every place by itself, where others take the mean: a cheek says less than an eye.
Source: Chen, Liu, Gao & Han 2018, "MobileFaceNets", table 1; sizes and names: Xiaoccer/MobileFaceNet_Pytorch, core/model.py, which
takes pictures of 112x96 where the paper has 112x112, and no 1x1 convolution behind the first depthwise one.
"""

import re

import numpy as np

from scratchnet.activations import PReLU
from scratchnet.layers import UNFILLED, Conv2D, DepthwiseConv2D, Flatten
from scratchnet.models.face_name_maps import PYTORCH, filled
from scratchnet.network import Network, Residual
from scratchnet.normalisation import BatchNorm, L2Normalise, Preprocess

BLOCKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))      # expansion, n_C, how many, first stride
WIDTHS = (64, 512, 128)                               # channels of the first layers, of the last map, of the encoding
PARTS = ("expand", "expand_bn", "expand_prelu", "depthwise", "depthwise_bn", "depthwise_prelu", "project", "project_bn")


def mobilefacenet(weights=None, seed=0):
    """MobileFaceNet, 999 552 parameters.   (m, 112, 96, 3), RGB in [0, 1] -> (m, 128) of unit length

    weights  path of a file with PyTorch's names (.npz, .pth, .safetensors) or of our own; a name in the cache, such as
             "mobilefacenet" (see weights_cache.find); or None: filters drawn at random from `seed` (He)
    a["encoding"] is the output; a["raw"], by name, the 128 numbers before they are brought to unit length.
    Blocks where the size stays are layers "block2", ..., with the layers of PARTS inside; of the others, "block1", "block6" and
    "block13", which have nothing to add, the parts stand in the table by themselves: "block1_expand", ...
    Raises WeightsError for anything missing, unexpected or misshapen; ShapeError for pictures of another size.
    """
    net = _table(np.random.default_rng(seed) if weights is None else UNFILLED)
    return filled(net, weights, PYTORCH, theirs, "mobilefacenet")


def _table(rng):
    """The network itself, its filters drawn by `rng` (He), or layers.UNFILLED."""
    stem, head, n_f = WIDTHS
    layers = {
        "input": Preprocess(scale=255.0, mean=(127.5,) * 3, std=(128.0,) * 3, size=(112, 96)),
        "conv1": Conv2D(3, stem, 3, 2, 1, bias=False, rng=rng),       "conv1_bn": BatchNorm(stem),    "conv1_prelu": PReLU(stem),
        "dw_conv1": DepthwiseConv2D(stem, 3, 1, bias=False, rng=rng), "dw_conv1_bn": BatchNorm(stem), "dw_conv1_prelu": PReLU(stem),
    }
    number, n_C_prev = 0, stem
    for expansion, n_C, count, stride in BLOCKS:
        for first in [True] + (count - 1) * [False]:
            number += 1
            parts = _block(n_C_prev, n_C, expansion, stride if first else 1, rng)
            if (not first or stride == 1) and n_C == n_C_prev:
                layers[f"block{number}"] = Residual(parts)
            else:
                layers |= {f"block{number}_{part}": layer for part, layer in parts.items()}
            n_C_prev = n_C
    return Network({
        **layers,
        "conv2": Conv2D(n_C_prev, head, 1, bias=False, rng=rng), "conv2_bn": BatchNorm(head), "conv2_prelu": PReLU(head),
        "linear7": DepthwiseConv2D(head, (7, 6), 1, 0, bias=False, rng=rng), "linear7_bn": BatchNorm(head),
        "linear1": Conv2D(head, n_f, 1, bias=False, rng=rng), "linear1_bn": BatchNorm(n_f),
        "raw": Flatten(), "encoding": L2Normalise(),
    }, name="mobilefacenet")


def _block(n_C_prev, n_C, expansion, stride, rng):
    """{part: layer} of one block."""
    wide = expansion * n_C_prev
    return dict(zip(PARTS, (
        Conv2D(n_C_prev, wide, 1, bias=False, rng=rng),           BatchNorm(wide), PReLU(wide),
        DepthwiseConv2D(wide, 3, stride, 1, bias=False, rng=rng), BatchNorm(wide), PReLU(wide),
        Conv2D(wide, n_C, 1, bias=False, rng=rng),                BatchNorm(n_C))))


def theirs(name):
    """What the file calls a layer of ours: block1_expand is blocks.0.conv.0, conv1 is conv1.conv, conv1_bn is conv1.bn."""
    block = re.fullmatch(r"block(\d+)(?:\.residual\.|_)(\w+)", name)
    if block:
        return f"blocks.{int(block[1]) - 1}.conv.{PARTS.index(block[2])}"
    for part in ("bn", "prelu"):
        if name.endswith(f"_{part}"):
            return f"{name.removesuffix(f'_{part}')}.{part}"
    return f"{name}.conv"
