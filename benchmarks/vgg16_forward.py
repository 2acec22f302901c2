"""Forward of the whole VGG-16, one picture of 224 x 224 to its 1000 scores, against DeZero and PyTorch.

    python -m benchmarks.vgg16_forward [--json FILE]

DeZero (on PyPI) is the framework of a book, written to be read, as this package is. Both peers compute with our random parameters;
the scores are compared, then each is timed in turn with ours, in its own process. DeZero 0.0.13 asks NumPy for `np.int`,
which NumPy no longer has: it is given back to it here.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from benchmarks.pairs import compare, show

DENSE = {"fc6": (512 * 7 * 7, 4096), "fc7": (4096, 4096), "fc8": (4096, 1000)}


def picture():
    return np.random.default_rng(0).random((1, 224, 224, 3), np.float32)


def network():
    """VGG-16 with its dense layers and parameters drawn by He's rule."""
    from scratchnet import models
    from scratchnet.activations import ReLU
    from scratchnet.layers import Dense, Flatten
    from scratchnet.network import Network
    rng, layers = np.random.default_rng(1), {**models.vgg16().layers, "flatten": Flatten()}
    for name, (n_prev, n) in DENSE.items():
        layers[name] = Dense(n_prev, n, rng=rng)
        if name != "fc8":
            layers[f"relu{name[2]}"] = ReLU()
    return Network(layers)


def channels_first():
    """The network's arrays as the peers want them: filters (n_C, n_C_prev, f, f), dense (n_prev, n), rows in the order (n_C, n_H, n_W)."""
    for name, array in network().params.items():
        if name == "fc6.W":
            array = array.reshape(7, 7, 512, -1).transpose(2, 0, 1, 3).reshape(-1, 4096)
        yield name, np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else array


def prepared():
    """The picture behind our input layer, channels first."""
    z, _ = network().layers["input"].forward(picture())
    return np.ascontiguousarray(z.transpose(0, 3, 1, 2))


def ours():
    net, x = network().freeze(), picture()
    return lambda: net.forward(x, keep=["fc8"], params=False)[0]["fc8"]


def dezero():
    np.int = int
    import dezero
    from dezero.models import VGG16
    net, x = VGG16(), prepared()
    for name, array in channels_first():
        layer, kind = name.split(".")
        getattr(getattr(net, layer), kind).data = array

    def step():
        with dezero.no_grad(), dezero.test_mode():
            return net(x).data
    return step


def pytorch(channels_last):
    import torch
    import torch.nn.functional as F
    to_memory = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.from_numpy(prepared()).contiguous(memory_format=to_memory)
    params = {name: torch.from_numpy(array) for name, array in channels_first()}
    params = {name: p.contiguous(memory_format=to_memory) if p.ndim == 4 else p.T.contiguous() if p.ndim == 2 else p
              for name, p in params.items()}

    @torch.no_grad()
    def step():
        a = x
        for block, convolutions in enumerate((2, 2, 3, 3, 3), 1):
            for i in range(1, convolutions + 1):
                a = F.relu_(F.conv2d(a, params[f"conv{block}_{i}.W"], params[f"conv{block}_{i}.b"], padding=1))
            a = F.max_pool2d(a, 2)
        a = a.flatten(1)
        for name in DENSE:
            a = F.linear(a, params[f"{name}.W"], params[f"{name}.b"])
            a = F.relu_(a) if name != "fc8" else a
        return a.numpy()
    return step


def same(ours, theirs):
    """Scores to 1e-4 of the largest."""
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def main():
    """Compares with each peer that is there, prints, and writes the rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    for name, peers in (("dezero", [(dezero, ())]), ("torch", [(pytorch, (True,)), (pytorch, (False,))])):
        if importlib.util.find_spec(name):
            name = {"torch": "pytorch"}.get(name, name)
            both = [compare("vgg16_forward", (ours, ()), name, peer, same, arguments.pairs) for peer in peers]
            rows.append(min(both, key=lambda row: row["peer_s"]))
            show(rows[-1])
    if not rows:
        rows.append(compare("vgg16_forward", (ours, ()), None, None, same, arguments.pairs))
        show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
