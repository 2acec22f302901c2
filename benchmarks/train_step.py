"""One whole step of training a classifier: forward, cross-entropy, backward to every parameter, Adam; against PyTorch.

    python -m benchmarks.train_step [--json FILE]

A batch of 32 pictures of 64 x 64; four blocks of two 3x3 convolutions and a max-pool, with 32, 64, 128 and 256 channels; dense
4096 -> 200. About 40 GFLOP. Both sides begin with the same parameters; the costs of three steps are compared, so that gradients
and Adam are too; then they are timed in turn, each in its own process, PyTorch in the faster of its two memory formats.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from benchmarks.pairs import compare, show

BATCH, SIDE, CLASSES = 32, 64, 200
CHANNELS = (32, 64, 128, 256)
LEARNING_RATE = 1e-4


def batch():
    """Pictures and labels, the same on both sides."""
    rng = np.random.default_rng(0)
    return rng.random((BATCH, SIDE, SIDE, 3), np.float32), rng.integers(0, CLASSES, BATCH)


def network():
    """The classifier, its parameters drawn by He's rule."""
    from scratchnet.activations import ReLU
    from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
    from scratchnet.network import Network
    rng, n_C_prev, layers = np.random.default_rng(1), 3, {}
    for block, n_C in enumerate(CHANNELS, 1):
        for i in (1, 2):
            layers[f"conv{block}_{i}"] = Conv2D(n_C_prev, n_C, rng=rng)
            layers[f"relu{block}_{i}"] = ReLU()
            n_C_prev = n_C
        layers[f"pool{block}"] = MaxPool2D()
    return Network({**layers, "flatten": Flatten(), "scores": Dense(4096, CLASSES, rng=rng)})


def ours():
    from scratchnet.activations import softmax_cross_entropy
    from scratchnet.optimizers import Adam
    net, (x, labels), adam = network(), batch(), Adam(LEARNING_RATE)
    params = net.params

    def f(params):
        at = net.with_params(params)
        a, caches = at.forward(x, keep=["scores"], training=True)
        J, dz = softmax_cross_entropy(a["scores"], labels)
        return J, at.backward({"scores": dz}, caches, to_x=False)[1]

    def step():
        nonlocal params
        params, J = adam.step(f, params)
        return J
    return _three_first(step)


def pytorch(channels_last):
    import torch
    import torch.nn.functional as F
    net, (x, labels) = network(), batch()
    to_memory = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=to_memory)
    labels = torch.from_numpy(labels)
    params = {name: torch.from_numpy(array.copy()) for name, array in net.params.items()}
    for name, p in params.items():
        if p.ndim == 4:
            p = p.permute(3, 2, 0, 1).contiguous(memory_format=to_memory)
        elif p.ndim == 2:                              # our rows are (n_H, n_W, n_C), theirs (n_C, n_H, n_W)
            p = p.T.reshape(CLASSES, 4, 4, 256).permute(0, 3, 1, 2).reshape(CLASSES, 4096).contiguous()
        params[name] = p.requires_grad_()
    adam = torch.optim.Adam(params.values(), LEARNING_RATE)

    def step():
        a = x
        for block in range(1, len(CHANNELS) + 1):
            for i in (1, 2):
                a = F.relu_(F.conv2d(a, params[f"conv{block}_{i}.W"], params[f"conv{block}_{i}.b"], padding=1))
            a = F.max_pool2d(a, 2)
        J = F.cross_entropy(F.linear(a.flatten(1), params["scores.W"], params["scores.b"]), labels)
        adam.zero_grad(set_to_none=True)
        J.backward()
        adam.step()
        return J.item()
    return _three_first(step)


def _three_first(step):
    """A step that gives the costs of three steps the first time it is called, and of one afterwards."""
    calls = 0

    def counted():
        nonlocal calls
        calls += 1
        return [float(step()) for _ in range(3 if calls == 1 else 1)]
    return counted


def same(ours, theirs):
    """Three costs to 1e-3: the second and third have seen every gradient, and Adam makes steps of their rounding too."""
    assert np.allclose(ours, theirs, rtol=1e-3), (ours, theirs)


def main():
    """Compares, prints, and writes the row if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    peers = [None]
    if importlib.util.find_spec("torch"):
        peers = [(pytorch, (channels_last,)) for channels_last in (True, False)]
    both = [compare("train_step", (ours, ()), "pytorch", peer, same, arguments.pairs) for peer in peers]
    row = min(both, key=lambda row: row["peer_s"] or 0)
    show(row)
    if arguments.json:
        arguments.json.write_text(json.dumps([row], indent=1))


if __name__ == "__main__":
    main()
