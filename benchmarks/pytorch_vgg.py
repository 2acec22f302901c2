"""The peer: one step of style transfer in PyTorch, as a careful user of it would write it, to measure ourselves against.

    vgg  = load("vgg19", pool="max")
    step = StyleStep(vgg, C, S, normalise="relative")          C, S: (1, n_H, n_W, 3), RGB, float32 in [0, 1]
    J, dG = step.step(G)                                       dG of the shape of G

Nothing here is handicapped. The weights are frozen, so autograd computes no dW; ReLU works in place; nothing beyond relu5_1
runs; C and S are visited once, when StyleStep is made; NumPy's arrays are wrapped and not copied. `channels_last` is a matter
of measuring: on some processors oneDNN likes it better, on others not, so a fair comparison takes the faster of the two.

    python -m benchmarks.pytorch_vgg path/to/vgg19_conv.npz

first asserts J and dJ/dG against tests/reference/vgg19.npz, then times both memory formats at 300 x 400.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

from scratchnet import weights_cache

try:
    import torch
    import torch.nn.functional as F
except ImportError:                                            # a peer, never a requirement: complain at use, not at import
    torch = None

BLOCKS        = ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))       # (block, convolutions), as far as relu5_1
STYLE_LAYERS  = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
CAFFE         = dict(order="BGR", scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))
REFERENCE     = Path(__file__).parents[1] / "tests" / "reference" / "vgg19.npz"


def _need_torch():
    if torch is None:
        raise ImportError("this benchmark compares with PyTorch, which is not installed: pip install torch")


# ---- the network ----

class VGG:
    """VGG-19 up to relu5_1, frozen.   weights {"conv1_1.W": (n_C, n_C_prev, 3, 3), "conv1_1.b": (n_C,), ...}

    order, scale, mean, std   how pictures are prepared, as scratchnet.normalisation.Preprocess says it
    """

    def __init__(self, weights, pool, channels_last, order, scale, mean, std):
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.pool          = {"max": F.max_pool2d, "avg": F.avg_pool2d}[pool]
        self.weights       = {name: w.contiguous(memory_format=self.memory_format) if w.ndim == 4 else w
                              for name, w in weights.items()}
        self.flip          = {"RGB": (), "BGR": (1,)}[order]
        self.mean, std     = (torch.tensor(numbers, dtype=torch.float32).reshape(1, 3, 1, 1) for numbers in (mean, std))
        self.scale         = scale / std
        self.mean         /= std

    def activations(self, x):
        """a[l] at the six layers that J sees.   x (1, 3, n_H, n_W), RGB in [0, 1] -> {name: (1, n_C, n_H, n_W)}"""
        a, kept = x.flip(self.flip) * self.scale - self.mean, {}
        a = a.contiguous(memory_format=self.memory_format)
        for block, convolutions in BLOCKS:
            if block > 1:
                a = self.pool(a, kernel_size=2, stride=2)
            for i in range(1, convolutions + 1):
                name = f"{block}_{i}"
                a = F.relu_(F.conv2d(a, self.weights[f"conv{name}.W"], self.weights[f"conv{name}.b"], padding=1))
                if f"relu{name}" in STYLE_LAYERS or f"relu{name}" == CONTENT_LAYER:
                    kept[f"relu{name}"] = a
        return kept


def load(weights_path, pool="max", channels_last=False):
    """VGG-19 from an .npz with keys conv1_1.W (n_C, n_C_prev, 3, 3), conv1_1.b, ... in float32, requires_grad False.

    weights_path  such a file, converted from Caffe; one of our own, channels last; or a name in the cache
    pool          "max", as it was trained, or "avg", as Gatys et al. prefer.   Raises ImportError without PyTorch.
    """
    _need_torch()
    with np.load(weights_cache.find(weights_path)) as file:
        notes   = json.loads(str(file["scratchnet"])) if "scratchnet" in file.files else {}
        weights = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files
                   if name.startswith("conv") and (int(name[4]) < 5 or name.startswith("conv5_1."))}
    if notes:
        weights = {name: w.permute(3, 2, 0, 1) if w.ndim == 4 else w for name, w in weights.items()}
    return VGG(weights, pool, channels_last, **notes.get("preprocess", CAFFE))


# ---- the costs: the same formulas as scratchnet.style_costs ----

def _gram(a):
    """A^T A of one picture, channels first: (1, n_C, n_H, n_W) -> (n_C, n_C)"""
    A = a[0].flatten(1)
    return A @ A.T


def _content_scale(a_C, normalise):
    """The constant before ||a_C - a_G||^2."""
    return {"lecture": lambda: 0.5, "relative": lambda: 1 / a_C.square().sum().item()}[normalise]()


def _style_scale(G_S, positions, normalise):
    """The constant before ||G_S - G_G||^2."""
    return {"lecture":  lambda: 1 / (2 * positions * len(G_S)) ** 2,
            "relative": lambda: 1 / G_S.square().sum().item()}[normalise]()


class StyleStep:
    """J(G) = alpha J_content(C, G) + beta sum_l lam J_style[l](S, G), and dJ/dG, for one C and one S.

    weights    what load returned
    C, S       pictures (1, n_H, n_W, 3), RGB, float32 in [0, 1]; S may have another size
    normalise  "lecture": 1/2 ||a_C - a_G||^2 and ||G_S - G_G||^2 / (2 n_H n_W n_C)^2
               "relative": ||a_C - a_G||^2 / ||a_C||^2 and ||G_S - G_G||^2 / ||G_S||^2
    """

    def __init__(self, weights, C, S, normalise="relative", alpha=10.0, beta=40.0, lam=0.2):
        _need_torch()
        self.vgg, self.alpha, self.beta, self.lam = weights, alpha, beta, lam
        with torch.no_grad():
            a_C, a_S = weights.activations(_tensor(C)), weights.activations(_tensor(S))
            self.a_C = a_C[CONTENT_LAYER].clone()
            self.content_scale = _content_scale(self.a_C, normalise)
            self.G_S, self.style_scale = {}, {}
            for l in STYLE_LAYERS:
                positions = a_C[l].shape[2] * a_C[l].shape[3]                    # G has the size of C
                self.G_S[l] = _gram(a_S[l]) * (positions / (a_S[l].shape[2] * a_S[l].shape[3]))
                self.style_scale[l] = _style_scale(self.G_S[l], positions, normalise)

    def step(self, G):
        """J and dJ/dG.   G (1, n_H, n_W, 3) float32, the size of C -> (float, (1, n_H, n_W, 3) float32)"""
        x   = _tensor(G).requires_grad_()
        a_G = self.vgg.activations(x)
        J   = self.alpha * self.content_scale * (self.a_C - a_G[CONTENT_LAYER]).square().sum()
        for l in STYLE_LAYERS:
            J = J + self.beta * self.lam * self.style_scale[l] * (self.G_S[l] - _gram(a_G[l])).square().sum()
        dG, = torch.autograd.grad(J, x)
        return J.item(), np.ascontiguousarray(dG.permute(0, 2, 3, 1).numpy())


def _tensor(picture):
    """(1, n_H, n_W, 3) -> (1, 3, n_H, n_W), a view of the same memory; the array itself is never written to."""
    picture = np.ascontiguousarray(picture, dtype=np.float32)
    if not picture.flags.writeable:                            # torch warns about memory that it might write to
        picture = picture.copy()
    return torch.from_numpy(picture).permute(0, 3, 1, 2)


# ---- assert first, then time ----

def assert_right(weights_path):
    """J to 2e-5 and dJ/dG to 2e-2 (relative length; a few pool winners are decided by float32 rounding) against float64."""
    with np.load(REFERENCE) as reference:
        C, S, G = ((reference[name] / 255.0).astype(np.float32)[None] for name in "CSG")
        for pool in ("max", "avg"):
            for normalise in ("lecture", "relative"):
                for channels_last in (False, True):
                    J, dG = StyleStep(load(weights_path, pool, channels_last), C, S, normalise).step(G)
                    at = f"{pool}/{normalise}/"
                    truth = reference[f"{at}dG"] * (reference[f"{at}dG_largest"] / (2 ** 31 - 1))
                    error_J  = abs(J / reference[f"{at}J"] - 1)
                    error_dG = np.linalg.norm(dG - truth) / np.linalg.norm(truth)
                    assert error_J < 2e-5 and error_dG < 2e-2, f"{at} J is off by {error_J:.1e}, dJ/dG by {error_dG:.1e}"


def seconds_per_step(weights_path, n_H=300, n_W=400, channels_last=False, repeats=5):
    """The median of some steps on random pictures, after one to warm up."""
    rng  = np.random.default_rng(0)
    C, S, G = (rng.random((1, n_H, n_W, 3), dtype=np.float32) for _ in range(3))
    step = StyleStep(load(weights_path, "max", channels_last), C, S)
    step.step(G)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step.step(G)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description="PyTorch's time for one style-transfer step.")
    parser.add_argument("weights", help="vgg19_conv.npz, of which tests/reference/vgg19.npz was made")
    parser.add_argument("--size", type=int, nargs=2, default=(300, 400), metavar=("n_H", "n_W"))
    parser.add_argument("--threads", type=int, help="threads of PyTorch (default: its own choice)")
    args = parser.parse_args()
    _need_torch()
    if args.threads:
        torch.set_num_threads(args.threads)
    assert_right(args.weights)
    for channels_last in (False, True):
        seconds = seconds_per_step(args.weights, *args.size, channels_last=channels_last)
        print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {args.size[0]}x{args.size[1]}, "
              f"channels {'last' if channels_last else 'first'}: {seconds:.3f} s a step")


if __name__ == "__main__":
    main()
