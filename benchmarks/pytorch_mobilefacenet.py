"""The peer: MobileFaceNet in PyTorch's own layers, as its authors' program has it, with the names that their file has.

Prepared pictures (m, 3, 112, 96), (255 x - 127.5) / 128, to encodings (m, 128). Source: Chen et al. 2018, table 1, and the program
Xiaoccer/MobileFaceNet_Pytorch, core/model.py, which has 96 columns where the paper has 112 and so a last filter of 7 x 6.
"""

import numpy as np
import torch
from torch import nn

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))     # expansion, n_C, blocks, first stride


class Block(nn.Module):
    """An inverted residual: 1x1 wider, 3x3 within each channel, 1x1 narrower, and the input added where shapes allow."""

    def __init__(self, n_C_prev, n_C, stride, expansion):
        super().__init__()
        self.connect, n = stride == 1 and n_C_prev == n_C, n_C_prev * expansion
        self.conv = nn.Sequential(
            nn.Conv2d(n_C_prev, n, 1, bias=False), nn.BatchNorm2d(n), nn.PReLU(n),
            nn.Conv2d(n, n, 3, stride, 1, groups=n, bias=False), nn.BatchNorm2d(n), nn.PReLU(n),
            nn.Conv2d(n, n_C, 1, bias=False), nn.BatchNorm2d(n_C))

    def forward(self, x):
        return x + self.conv(x) if self.connect else self.conv(x)


def _named(n_C_prev, n_C, f, stride=1, pad=0, groups=1, linear=False):
    """A convolution without bias, its normalisation and, unless linear, its PReLU, by the names of the file."""
    part = nn.Sequential()
    part.add_module("conv", nn.Conv2d(n_C_prev, n_C, f, stride, pad, groups=groups, bias=False))
    part.add_module("bn", nn.BatchNorm2d(n_C))
    if not linear:
        part.add_module("prelu", nn.PReLU(n_C))
    return part


class MobileFaceNet(nn.Module):
    """999 552 parameters."""

    def __init__(self):
        super().__init__()
        blocks, n_C_prev = [], 64
        for expansion, n_C, count, stride in STAGES:
            for i in range(count):
                blocks.append(Block(n_C_prev, n_C, stride if i == 0 else 1, expansion))
                n_C_prev = n_C
        self.conv1, self.dw_conv1 = _named(3, 64, 3, 2, 1), _named(64, 64, 3, 1, 1, 64)
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = _named(128, 512, 1)
        self.linear7, self.linear1 = _named(512, 512, (7, 6), groups=512, linear=True), _named(512, 128, 1, linear=True)

    def forward(self, x):
        for part in (self.conv1, self.dw_conv1, self.blocks, self.conv2, self.linear7, self.linear1):
            x = part(x)
        return x.flatten(1)


def load(path):
    """The network with the arrays of mobilefacenet_casia.npz, in use, not in training. Strict: every array used, all filled."""
    net = MobileFaceNet()
    with np.load(path) as arrays:
        state = {name: torch.from_numpy(arrays[name]) for name in arrays}
    missing, unexpected = net.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path}: missing {missing}, unexpected {unexpected}")
    return net.eval()
