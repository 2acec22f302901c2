"""What PyTorch says about one step of style transfer, written down so that our tests need no PyTorch.

    SCRATCHNET_DATA=... python tests/reference/make_vgg19_reference.py        (torch, NumPy, a minute; writes vgg19.npz)

Three drawn pictures of odd sizes go through VGG-19 in float64, up to relu5_1, once with max and once with average pooling.
Nothing here imports scratchnet: the layers are torch.nn.functional, the gradient is autograd, only the formulas are shared:

    J(G)  = alpha J_content(C, G) + beta sum_l lambda[l] J_style[l](S, G)           alpha = 10, beta = 40, lambda[l] = 0.2

                 J_content                           J_style[l]
    lecture      1/2 ||a_C - a_G||^2                 ||G_S - G_G||_F^2 / (2 n_H n_W n_C)^2
    relative     ||a_C - a_G||^2 / ||a_C||^2         ||G_S - G_G||_F^2 / ||G_S||_F^2

with the Gram matrix A^T A of every layer taken to the n_H n_W positions that G has there: S has another size than G.

What the file holds (P is a pool, N a normalisation, e.g. max/lecture/J):

    C, G (71, 93, 3), S (64, 101, 3)    pictures, uint8, RGB; divided by 255 before use
    layers, content_layer, lam, alpha, beta
    P/relu4_2/every, P/relu4_2/at       every k-th entry of a["relu4_2"] of G, channels last, in reading order; k
    P/relu4_2/sum, P/relu4_2/squares    float64: the sum of all entries, and of their squares
    P/relu4_2/largest                   the largest entry
    P/N/J, J_content, J_style, J_layer  float64; J_layer one number per style layer, without lambda
    P/N/dG, P/N/dG_largest              dJ/dG at every pixel: int32, times dG_largest / (2^31 - 1). Rounding to 31 bits
                                        costs 2.3e-10 of the largest entry and halves the file
    P/N/dG_sum, P/N/dG_squares          float64: the sum of all entries, and of their squares
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ALPHA, BETA   = 10.0, 40.0
STYLE_LAYERS  = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LAM           = 0.2
CONTENT_LAYER = "relu4_2"
BLOCKS        = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))          # (block, convolutions), as far as relu5_1
MEAN_BGR      = (103.939, 116.779, 123.68)                        # of 0..255 pictures, as the weights were trained
AT            = 37                                                # every 37th entry: prime, so it meets every channel
POOLS         = {"max": F.max_pool2d, "avg": F.avg_pool2d}


# ---- the pictures: drawn, so that they may travel with the tests ----

def draw_smooth(rng, n_H, n_W, waves, levels_of_noise):
    """A few waves of colour and some noise -> (n_H, n_W, 3) uint8. The noise leaves no ties to the max-pool."""
    y, x    = np.mgrid[0:n_H, 0:n_W] / 64.0
    picture = np.zeros((n_H, n_W, 3))
    for _ in range(waves):
        f_y, f_x, phase = rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(0, 2 * np.pi)
        picture += np.cos(2 * np.pi * (f_y * y + f_x * x) + phase)[..., None] * rng.uniform(-1, 1, size=3)
    picture = 128 + 100 * picture / np.abs(picture).max() + levels_of_noise * rng.standard_normal(picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def draw_pictures():
    """C, S and G, as uint8. G is C seen through noise, which is where a style transfer starts."""
    rng = np.random.default_rng(1508_06576)
    C   = draw_smooth(rng, 71, 93, waves=4, levels_of_noise=1)
    S   = draw_smooth(rng, 64, 101, waves=9, levels_of_noise=2)
    G   = np.clip(np.rint(0.7 * C + 0.3 * rng.integers(0, 256, size=C.shape)), 0, 255).astype(np.uint8)
    return C, S, G


# ---- the network and the costs ----

def activations(x, weights, pool):
    """a[l] of every ReLU up to relu5_1.  x: (1, 3, n_H, n_W) RGB in [0, 1] -> {name: (1, n_C, n_H, n_W)}"""
    mean = torch.tensor(MEAN_BGR, dtype=torch.float64).reshape(1, 3, 1, 1)
    a, out = x.flip(1) * 255 - mean, {}
    for block, convolutions in BLOCKS:
        for i in range(1, convolutions + 1):
            name = f"{block}_{i}"
            a = F.relu(F.conv2d(a, weights[f"conv{name}.W"], weights[f"conv{name}.b"], padding=1))
            out[f"relu{name}"] = a
        a = POOLS[pool](a, kernel_size=2, stride=2)
    return out


def gram(a):
    """A^T A, where A has a row per position and a column per channel: (1, n_C, n_H, n_W) -> (n_C, n_C)"""
    A = a[0].flatten(1).T
    return A.T @ A


def content_cost(a_C, a_G, normalise):
    """J_content(C, G), see the table above."""
    squares = ((a_C - a_G) ** 2).sum()
    return {"lecture": squares / 2, "relative": squares / (a_C ** 2).sum()}[normalise]


def layer_style_cost(a_S, a_G, normalise):
    """J_style[l](S, G), see the table above; S counted as if it had as many positions as G."""
    _, n_C, n_H, n_W = a_G.shape
    G_S = gram(a_S) * (n_H * n_W) / (a_S.shape[2] * a_S.shape[3])
    squares = ((G_S - gram(a_G)) ** 2).sum()
    return {"lecture": squares / (2 * n_H * n_W * n_C) ** 2, "relative": squares / (G_S ** 2).sum()}[normalise]


# ---- the file ----

def channels_first(picture):
    """(n_H, n_W, 3) uint8 -> (1, 3, n_H, n_W) float64 in [0, 1]"""
    return torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None]


def reference(C, S, G, weights, pool):
    """Everything that the file holds about one kind of pooling."""
    x = channels_first(G).requires_grad_()
    with torch.no_grad():
        a_C, a_S = activations(channels_first(C), weights, pool), activations(channels_first(S), weights, pool)
    a_G = activations(x, weights, pool)
    relu4_2 = a_G[CONTENT_LAYER].detach().permute(0, 2, 3, 1).contiguous().numpy()
    at = f"{pool}/{CONTENT_LAYER}/"
    out = {f"{at}every": relu4_2.ravel()[::AT], f"{at}at": AT, f"{at}largest": relu4_2.max(),
           f"{at}sum": relu4_2.sum(), f"{at}squares": (relu4_2 ** 2).sum()}

    for normalise in ("lecture", "relative"):
        J_content = content_cost(a_C[CONTENT_LAYER], a_G[CONTENT_LAYER], normalise)
        J_layer   = torch.stack([layer_style_cost(a_S[l], a_G[l], normalise) for l in STYLE_LAYERS])
        J_style   = LAM * J_layer.sum()
        J         = ALPHA * J_content + BETA * J_style
        dG,       = torch.autograd.grad(J, x, retain_graph=True)
        dG        = dG.permute(0, 2, 3, 1).contiguous().numpy()
        largest   = np.abs(dG).max()
        at        = f"{pool}/{normalise}/"
        out |= {f"{at}J": J.item(), f"{at}J_content": J_content.item(), f"{at}J_style": J_style.item(),
                f"{at}J_layer": J_layer.detach().numpy(), f"{at}dG_largest": largest,
                f"{at}dG": np.rint(dG / largest * (2 ** 31 - 1)).astype(np.int32),
                f"{at}dG_sum": dG.sum(), f"{at}dG_squares": (dG ** 2).sum()}
        print(f"{pool:4} {normalise:9} J {J.item():.10g}  content {J_content.item():.10g}  style {J_style.item():.10g}  "
              f"largest dJ/dG {largest:.6g}")
    return out


def main():
    if "SCRATCHNET_DATA" not in os.environ:
        sys.exit("SCRATCHNET_DATA is not set: it names the folder that holds weights/vgg19_conv.npz")
    with np.load(Path(os.environ["SCRATCHNET_DATA"]) / "weights" / "vgg19_conv.npz") as file:
        weights = {name: torch.from_numpy(file[name].astype(np.float64)) for name in file.files}
    C, S, G = draw_pictures()
    out = {"C": C, "S": S, "G": G, "layers": np.array(STYLE_LAYERS), "content_layer": np.array(CONTENT_LAYER),
           "lam": LAM, "alpha": ALPHA, "beta": BETA, "torch": np.array(torch.__version__)}
    for pool in POOLS:
        out |= reference(C, S, G, weights, pool)
    path = Path(__file__).with_name("vgg19.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
