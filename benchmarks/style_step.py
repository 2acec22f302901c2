"""One whole step of style transfer, J(G) and dJ/dG through VGG-19 to relu5_1, against PyTorch.

    python -m benchmarks.style_step --weights vgg19 [--sizes 300x400 512x512] [--json FILE]

Both sides first give J and dJ/dG for one picture, and these are compared; then they are timed in turn, each in its own process,
PyTorch in the faster of its two memory formats. Without PyTorch ours is timed alone. Run nothing else meanwhile.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np

from benchmarks.pairs import compare, show


def pictures(n_H, n_W):
    """C, S and G, smooth enough to be like photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.random((3, n_H // 8 + 2, n_W // 8 + 2, 3), np.float32)
    smooth = np.kron(coarse, np.ones((1, 8, 8, 1), np.float32))[:, :n_H, :n_W]
    return [np.clip(picture[None] + 0.1 * rng.random((1, n_H, n_W, 3), np.float32), 0, 1) for picture in smooth]


def ours(weights, n_H, n_W):
    from scratchnet import models, style
    C, S, G = pictures(n_H, n_W)
    cost = style.TotalCost(models.vgg19(weights).freeze(until="relu5_1"), C, S)

    def step():
        at_G, dG = cost(G)
        return at_G.J, dG
    return step


def pytorch(weights, n_H, n_W, channels_last):
    from benchmarks import pytorch_vgg
    C, S, G = pictures(n_H, n_W)
    peer = pytorch_vgg.StyleStep(pytorch_vgg.load(weights, channels_last=channels_last), C, S, alpha=0.3, beta=1.0)
    return lambda: peer.step(G)


def same(ours, theirs):
    """J to 1e-4, dJ/dG to 2 % as a whole: rounding decides near-ties of ReLU and pooling differently on both sides."""
    (J, dG), (J_theirs, dG_theirs) = ours, theirs
    assert abs(J - J_theirs) <= 1e-4 * abs(J_theirs), (J, J_theirs)
    assert np.linalg.norm(dG - dG_theirs) <= 2e-2 * np.linalg.norm(dG_theirs)


def main():
    """Compares at each size, prints, and writes the rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, metavar="FILE", help="an .npz of VGG-19, or a name in the cache: vgg19")
    parser.add_argument("--sizes", nargs="+", default=["300x400", "512x512"], metavar="HxW")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    for size in arguments.sizes:
        n_H, n_W = map(int, size.split("x"))
        mine = (ours, (arguments.weights, n_H, n_W))
        peers = [None]
        if importlib.util.find_spec("torch"):
            peers = [(pytorch, (arguments.weights, n_H, n_W, channels_last)) for channels_last in (True, False)]
        both = [compare(f"style_step {size}", mine, "pytorch", peer, same, arguments.pairs) for peer in peers]
        rows.append(min(both, key=lambda row: row["peer_s"] or 0))
        show(rows[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
