"""What PyTorch hooks say about a unit carried back to the pixels, written down so that our tests need no PyTorch.

    SCRATCHNET_DATA=... python tests/reference/make_attribution_reference.py     (torch, NumPy, a minute; writes attribution.npz)

Nothing here imports scratchnet. Everything is float64: a one-hot gradient at one unit goes back by autograd, and full backward hooks
on every torch.nn.ReLU change what it passes on, as in captum:

    gradient  no hook                deconv  max(grad_output, 0)                guided  max(grad_input, 0)

Two networks. "small" has drawn parameters, stored here: convolutions, two max-pools, and dense layers with a ReLU between them, which
hooks on the convolutions alone would miss. "vgg19" is VGG-19 with its real weights, as far as relu5_1; its max-pools choose switches.

What the file holds (N is a network, L a layer, R a rule; channels last):

    N/x                              the picture, uint8, RGB; divided by 255 before use
    small/conv1.W, small/conv1.b ... parameters under our names, shapes as ours, multiples of 1/256
    N/layers                         names L
    N/L/unit, N/L/position, N/L/value    the channel, its strongest place (i, j), (), and the activation there
    small/L/R/dx                     the gradient at every pixel, for a start of 1
    vgg19/L/R/crop, vgg19/L/R/at     a piece of it around its largest entry, and the piece's (top, left)
    vgg19/L/R/largest, sum, squares  of the whole: the largest |entry|, the sum of all, the sum of squares
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

RULES    = ("gradient", "deconv", "guided")
BLOCKS   = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))               # (block, convolutions) of VGG-19, as far as relu5_1
MEAN_BGR = (103.939, 116.779, 123.68)
UNITS    = {"relu1_2": 31, "relu3_1": 17, "conv4_2": 100, "relu5_1": 7}
CROP     = 16

rng = np.random.default_rng(1311_2901)


def draw(*shape, scale):
    """Normal numbers, rounded to multiples of 1/256: float32 holds them exactly."""
    return np.rint(256 * scale * rng.standard_normal(shape)) / 256


def draw_picture(n_H, n_W):
    """A few waves of colour and some noise, which leaves no ties to the max-pool -> (n_H, n_W, 3) uint8"""
    y, x = np.mgrid[0:n_H, 0:n_W] / 48.0
    picture = np.zeros((n_H, n_W, 3))
    for _ in range(5):
        f_y, f_x, phase = rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(0, 2 * np.pi)
        picture += np.cos(2 * np.pi * (f_y * y + f_x * x) + phase)[..., None] * rng.uniform(-1, 1, size=3)
    return np.clip(np.rint(128 + 90 * picture / np.abs(picture).max() + 8 * rng.standard_normal(picture.shape)), 0, 255).astype(np.uint8)


def convolution(W, b):
    """Our (f, f, n_C_prev, n_C) as a torch module with padding 1."""
    module = nn.Conv2d(W.shape[2], W.shape[3], W.shape[0], padding=1).double()
    module.weight.data, module.bias.data = torch.from_numpy(W.transpose(3, 2, 0, 1).copy()), torch.from_numpy(b)
    return module


def dense(W, b):
    module = nn.Linear(*W.shape).double()
    module.weight.data, module.bias.data = torch.from_numpy(W.T.copy()), torch.from_numpy(b)
    return module


class ChannelsLastFlatten(nn.Module):
    def forward(self, a):
        return a.permute(0, 2, 3, 1).flatten(1)


class Prepare(nn.Module):
    """RGB in [0, 1] -> BGR, 0..255, minus the mean."""
    def forward(self, x):
        return x.flip(1) * 255 - torch.tensor(MEAN_BGR, dtype=torch.float64).reshape(1, 3, 1, 1)


def small():
    """{name: module}, and the parameters under our names."""
    parameters = {"conv1.W": draw(3, 3, 3, 6, scale=0.4), "conv1.b": draw(6, scale=0.1),
                  "conv2.W": draw(3, 3, 6, 8, scale=0.25), "conv2.b": draw(8, scale=0.1),
                  "fc3.W": draw(3 * 4 * 8, 10, scale=0.15), "fc3.b": draw(10, scale=0.1),
                  "fc4.W": draw(10, 5, scale=0.4), "fc4.b": draw(5, scale=0.1)}
    of = lambda name: (parameters[f"{name}.W"], parameters[f"{name}.b"])
    modules = {"conv1": convolution(*of("conv1")), "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
               "conv2": convolution(*of("conv2")), "relu2": nn.ReLU(), "pool2": nn.MaxPool2d(2),
               "flatten": ChannelsLastFlatten(), "fc3": dense(*of("fc3")), "relu3": nn.ReLU(), "fc4": dense(*of("fc4"))}
    return modules, parameters


def vgg19(weights):
    modules = {"input": Prepare()}
    for block, convolutions in BLOCKS:
        for i in range(1, convolutions + 1):
            W, b = (weights[f"conv{block}_{i}.{part}"].astype(np.float64) for part in "Wb")
            modules[f"conv{block}_{i}"] = convolution(W.transpose(2, 3, 1, 0), b)
            modules[f"relu{block}_{i}"] = nn.ReLU()
        modules[f"pool{block}"] = nn.MaxPool2d(2)
    return modules


HOOKS = {
    "gradient": None,
    "deconv":   lambda module, grad_input, grad_output: (grad_output[0].clamp(min=0),),
    "guided":   lambda module, grad_input, grad_output: (grad_input[0].clamp(min=0),),
}


def back(modules, layer, unit, x, rule):
    """The gradient at the pixels, (n_H, n_W, 3), for a one-hot gradient at the strongest place of the unit; that place, the value."""
    modules = dict(list(modules.items())[:1 + list(modules).index(layer)])
    hooks = [module.register_full_backward_hook(HOOKS[rule]) for module in modules.values()
             if isinstance(module, nn.ReLU) and HOOKS[rule]]
    a = x = torch.from_numpy(x / 255.0).permute(2, 0, 1)[None].requires_grad_()
    for module in modules.values():
        a = module(a)
    chosen = a[0, unit].detach().numpy()
    position = tuple(int(i) for i in np.unravel_index(chosen.argmax(), chosen.shape))
    one_hot = torch.zeros_like(a)
    one_hot[(0, unit, *position)] = 1
    dx, = torch.autograd.grad(a, x, one_hot)
    for hook in hooks:
        hook.remove()
    return dx[0].permute(1, 2, 0).numpy(), position, float(chosen[position])


def main():
    if "SCRATCHNET_DATA" not in os.environ:
        sys.exit("SCRATCHNET_DATA is not set: it names the folder that holds weights/vgg19_conv.npz")
    with np.load(Path(os.environ["SCRATCHNET_DATA"]) / "weights" / "vgg19_conv.npz") as file:
        weights = {name: file[name] for name in file.files}
    modules, parameters = small()
    out = {"torch": np.array(torch.__version__), **{f"small/{name}": array for name, array in parameters.items()}}
    for name, modules, size, units in (("small", modules, (12, 16), {"relu1": 2, "pool2": 4, "fc3": 1, "fc4": 3}),
                                       ("vgg19", vgg19(weights), (80, 96), UNITS)):
        x = draw_picture(*size)
        out |= {f"{name}/x": x, f"{name}/layers": np.array(list(units))}
        for layer, unit in units.items():
            for rule in RULES:
                dx, position, value = back(modules, layer, unit, x, rule)
                at, largest = f"{name}/{layer}", np.abs(dx).max()
                print(f"{at:14} {rule:9} position {position} value {value:.6g} largest {largest:.6g}")
                out |= {f"{at}/unit": unit, f"{at}/position": np.array(position, int), f"{at}/value": value}
                if name == "small":
                    out[f"{at}/{rule}/dx"] = dx
                    continue
                i, j, _ = np.unravel_index(np.abs(dx).argmax(), dx.shape)
                top, left = (int(np.clip(k - CROP // 2, 0, n - CROP)) for k, n in zip((i, j), size))
                out |= {f"{at}/{rule}/crop": dx[top:top + CROP, left:left + CROP], f"{at}/{rule}/at": np.array((top, left)),
                        f"{at}/{rule}/largest": largest, f"{at}/{rule}/sum": dx.sum(), f"{at}/{rule}/squares": (dx ** 2).sum()}
    path = Path(__file__).with_name("attribution.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
