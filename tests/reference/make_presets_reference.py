"""What six programs for style transfer make of the same small pictures, each written here as it writes itself, in PyTorch.

    python -m tests.reference.make_presets_reference        (torch, a few seconds; writes presets.npz)

In float64, and nothing here imports scratchnet. All use VGG-19 with the numbers of tests/drawn_weights.py, filters of conv1_1 for
BGR, which the tests draw again. Every program has pixels y of its own, with its own scale, order and mean, and a gradient with
respect to them; what is shared is only the table of blocks. The sides of C are multiples of 16, so that no pooling has a
rest that programs would treat differently.

    seed                                of the weights
    C, G, S (32, 48, 3), S_other (40, 56, 3)      pictures, uint8, RGB; S_other for programs whose Gram is a mean over positions
    <preset>/J, J_content, J_style      J = alpha J_content + beta J_style as printed, the parts before alpha and beta
    <preset>/J_layer                    one number per style layer, before its weight
    <preset>/dJ_dy                      (32, 48, 3) float32, RGB, in the program's own units: dJ/dx is `unit` times as large
    <preset>/unit                       how much y grows when x, in [0, 1], grows by 1: 255, 256, or 1
    neural-style/tv_dy                  the gradient of its total variation, which dJ_dy does not hold
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tests.drawn_weights import drawn, pictures

SEED   = 1508
BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
FIVE   = ("1_1", "2_1", "3_1", "4_1", "5_1")
BGR    = torch.tensor((103.939, 116.779, 123.68), dtype=torch.float64).reshape(1, 3, 1, 1)


def shapes():
    """{"conv1_1.W": (n_C, n_C_prev, 3, 3), "conv1_1.b": (n_C,), ...}"""
    shapes, n_C_prev = {}, 3
    for block, (convolutions, n_C) in enumerate(BLOCKS, 1):
        for i in range(1, convolutions + 1):
            shapes |= {f"conv{block}_{i}.W": (n_C, n_C_prev, 3, 3), f"conv{block}_{i}.b": (n_C,)}
            n_C_prev = n_C
    return shapes


def network(y, weights, pool):
    """Every z, "conv1_1", and every a, "relu1_1", of what is fed in as it is."""
    out = {}
    for block, (convolutions, _) in enumerate(BLOCKS, 1):
        for i in range(1, convolutions + 1):
            z = out[f"conv{block}_{i}"] = F.conv2d(y, weights[f"conv{block}_{i}.W"], weights[f"conv{block}_{i}.b"], padding=1)
            y = out[f"relu{block}_{i}"] = F.relu(z)
        y = pool(y, kernel_size=2, stride=2)
    return out


def rgb(weights):
    """The same network for pictures in RGB, as MatConvNet and torchvision have it."""
    return {**weights, "conv1_1.W": weights["conv1_1.W"].flip(1)}


# ---- the programs: C, S, G (1, 3, n_H, n_W) in [0, 1] -> J, J_content, J_style, [J_layer], y ----------------------------------------

def lecture(C, S, G, weights):
    """Slides: 1/2 ||a_C - a_G||^2, sums over i, j, k, and 1/(2 n_H n_W n_C)^2. Prepared as Caffe's weights want it."""
    alpha, beta = 1.5e-5, 1.0
    lam = dict(zip(FIVE, (30, 3e-3, 3e-4, 3e-6, 1e-2)))
    y_C, y_S, y = (x.flip(1) * 255 - BGR for x in (C, S, G))
    y.requires_grad_()
    a_C, a_S, a_G = (network(x, weights, F.max_pool2d) for x in (y_C, y_S, y))
    J_content = 1 / 2 * torch.dist(a_C["relu4_2"], a_G["relu4_2"]) ** 2
    layers = []
    for l in FIVE:
        a, b = a_S[f"relu{l}"][0], a_G[f"relu{l}"][0]
        n_C, n_H, n_W = b.shape
        G_S, G_G = torch.einsum("kij,lij->kl", a, a), torch.einsum("kij,lij->kl", b, b)
        layers.append(1 / (2 * n_H * n_W * n_C) ** 2 * ((G_S - G_G) ** 2).sum())
    J_style = sum(lam[l] * J_l for l, J_l in zip(FIVE, layers))
    return alpha * J_content + beta * J_style, J_content, J_style, layers, y


def course(C, S, G, weights, content, pool):
    """Both editions: unrolled to (n_C, n_H n_W), 1/(4 n_H n_W n_C) and 1/(4 n_C^2 (n_H n_W)^2), 0.2 each, alpha 10, beta 40."""
    y_C, y_S, y = C, S, G.requires_grad_()
    a_C, a_S, a_G = (network(x, weights, pool) for x in (y_C, y_S, y))

    def unrolled(a):
        return a.permute(0, 2, 3, 1).reshape(-1, a.shape[1]).T

    _, n_C, n_H, n_W = a_G[content].shape
    J_content = ((unrolled(a_C[content]) - unrolled(a_G[content])) ** 2).sum() / (4 * n_H * n_W * n_C)
    layers = []
    for l in FIVE:
        _, n_C, n_H, n_W = a_G[f"relu{l}"].shape
        A_S, A_G = unrolled(a_S[f"relu{l}"]), unrolled(a_G[f"relu{l}"])
        layers.append(((A_S @ A_S.T - A_G @ A_G.T) ** 2).sum() / (4 * n_C ** 2 * (n_H * n_W) ** 2))
    J_style = sum(0.2 * J_l for J_l in layers)
    return 10 * J_content + 40 * J_style, J_content, J_style, layers, y


def course_1(C, S, G, weights):
    """RGB, 0 to 255, minus the mean; weights of MatConvNet, which are for RGB; average pooling."""
    return course(*(x * 255 - BGR.flip(1) for x in (C, S, G)), rgb(weights), "relu4_2", F.avg_pool2d)


def course_2(C, S, G, weights):
    """RGB in [0, 1] as it is, into Keras' weights, which came from Caffe and are for BGR."""
    return course(C, S, G.clone(), weights, "relu5_4", F.max_pool2d)


def gatys(C, S, G, weights):
    """The author's later code, with the paper's average pooling: Gram / (h w), mean squares, weights 1e3 / n^2."""
    mean = torch.tensor((0.40760392, 0.45795686, 0.48501961), dtype=torch.float64).reshape(1, 3, 1, 1)
    y_C, y_S, y = ((x.flip(1) - mean) * 255 for x in (C, S, G))
    y.requires_grad_()
    a_C, a_S, a_G = (network(x, weights, F.avg_pool2d) for x in (y_C, y_S, y))

    def gram(a):
        _, c, h, w = a.shape
        features = a.view(1, c, h * w)
        return torch.bmm(features, features.transpose(1, 2)) / (h * w)

    J_content = F.mse_loss(a_G["relu4_2"], a_C["relu4_2"])
    layers = [F.mse_loss(gram(a_G[f"relu{l}"]), gram(a_S[f"relu{l}"])) for l in FIVE]
    J_style = sum(1e3 / n ** 2 * J_l for n, J_l in zip((64, 128, 256, 512, 512), layers))
    return J_content + J_style, J_content, J_style, layers, y


def neural_style(C, S, G, weights):
    """BGR times 256 minus the mean; strength times MSECriterion; Gram divided by the number of activations."""
    y_C, y_S, y = (x.flip(1) * 256 - BGR for x in (C, S, G))
    y.requires_grad_()
    a_C, a_S, a_G = (network(x, weights, F.max_pool2d) for x in (y_C, y_S, y))

    def gram(a):
        flat = a.view(a.shape[1], -1)
        return torch.mm(flat, flat.T) / a.nelement()

    J_content = ((a_G["relu4_2"] - a_C["relu4_2"]) ** 2).mean()
    layers = [((gram(a_G[f"relu{l}"]) - gram(a_S[f"relu{l}"])) ** 2).mean() for l in FIVE]
    return 5 * J_content + 100 * sum(layers), J_content, sum(layers), layers, y


def neural_style_tv(y):
    """What its TVLoss adds to the gradient: differences to the right and below, both without the last row and column."""
    x_diff = y[:, :, :-1, :-1] - y[:, :, :-1, 1:]
    y_diff = y[:, :, :-1, :-1] - y[:, :, 1:, :-1]
    gradient = torch.zeros_like(y)
    gradient[:, :, :-1, :-1] += x_diff + y_diff
    gradient[:, :, :-1, 1:] -= x_diff
    gradient[:, :, 1:, :-1] -= y_diff
    return 1e-3 * gradient


def pytorch_tutorial(C, S, G, weights):
    """RGB in [0, 1] as the variable; (x - mean) / std inside; convolutions before their ReLU; Gram / (a b c d); 1 and 1e6."""
    mean, std = (torch.tensor(numbers, dtype=torch.float64).view(-1, 1, 1) for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    y = G.clone().requires_grad_()
    a_C, a_S, a_G = (network((x - mean) / std, rgb(weights), F.max_pool2d) for x in (C, S, y))

    def gram(a):
        b, c, h, w = a.shape
        features = a.reshape(b * c, h * w)
        return torch.mm(features, features.t()).div(b * c * h * w)

    convs = [f"conv{l}" for l in ("1_1", "1_2", "2_1", "2_2", "3_1")]
    J_content = F.mse_loss(a_G["conv2_2"], a_C["conv2_2"])
    layers = [F.mse_loss(gram(a_G[l]), gram(a_S[l])) for l in convs]
    return sum(layers) * 1000000 + J_content * 1, J_content, sum(layers), layers, y


PROGRAMS = {                                          # name: program, unit, order of y, whether S may have another size
    "lecture":          (lecture, 255, "BGR", False),
    "course-1":         (course_1, 255, "RGB", False),
    "course-2":         (course_2, 1, "RGB", False),
    "gatys":            (gatys, 255, "BGR", True),
    "neural-style":     (neural_style, 256, "BGR", True),
    "pytorch-tutorial": (pytorch_tutorial, 1, "RGB", False),
}


def picture_of(y, order):
    """(1, 3, n_H, n_W) in the program's order -> (n_H, n_W, 3) float32, RGB"""
    y = y if order == "RGB" else y.flip(1)
    return y.detach()[0].permute(1, 2, 0).contiguous().numpy().astype(np.float32)


def main():
    weights = {name: torch.from_numpy(array) for name, array in drawn(shapes(), SEED).items()}
    C, G, S = pictures(3, 32, 48, SEED)
    drawn_here = {"C": C, "G": G, "S": S, "S_other": pictures(1, 40, 56, SEED + 1)[0]}
    out = {"seed": SEED, "torch": np.array(torch.__version__),
           **{name: np.rint(255 * picture).astype(np.uint8) for name, picture in drawn_here.items()}}
    x = {name: torch.from_numpy(out[name] / 255.0).permute(2, 0, 1)[None] for name in drawn_here}
    for name, (program, unit, order, any_size) in PROGRAMS.items():
        J, J_content, J_style, layers, y = program(x["C"], x["S_other" if any_size else "S"], x["G"].clone(), weights)
        dy, = torch.autograd.grad(J, y)
        numbers = {"J": J.item(), "J_content": J_content.item(), "J_style": J_style.item()}
        out |= {f"{name}/{key}": value for key, value in numbers.items()}
        out |= {f"{name}/J_layer": torch.stack(layers).detach().numpy(), f"{name}/dJ_dy": picture_of(dy, order), f"{name}/unit": unit}
        if name == "neural-style":
            out[f"{name}/tv_dy"] = picture_of(neural_style_tv(y.detach()), order)
        print(f"{name:17}" + "  ".join(f"{key} {value:.10g}" for key, value in numbers.items()) + f"  largest dJ/dy {dy.abs().max():.4g}")
    np.savez_compressed(Path(__file__).with_name("presets.npz"), **out)


if __name__ == "__main__":
    main()
