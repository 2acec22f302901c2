"""The strongest places of all units of VGG-19's relu1_1 to relu5_1 over photographs, in one pass, against the same search in PyTorch.

    python -m benchmarks.units --photos FOLDER --weights vgg19 [--count 20] [--pairs 5] [--memory 100 300] [--json FILE]

Both sides first search the same photographs, and values and places are compared; then they are timed in turn, each in its own process,
PyTorch in the faster of its two memory formats. Both read the files by images.load, each photograph in its own size. Then memory: the
peak of one process after the first 100 photographs and after 300. Run nothing else meanwhile.
"""

import argparse
import importlib.util
import json
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.pairs import Process, compare, show

LAYERS = tuple(f"relu{block}_1" for block in range(1, 6))
K = 9


def ours(weights, paths):
    from scratchnet import models, strongest
    net = models.vgg19(weights).freeze(until="relu5_1")

    def step():
        found = strongest.strongest(net, paths, LAYERS, K)
        return {layer: (best.value, best.picture, best.position) for layer, best in found.items()}
    return step


def pytorch(weights, paths, channels_last):
    """The running top k as one would write it there: the largest of each map with its index, joined to the k so far, topk."""
    import torch
    from benchmarks import pytorch_vgg
    from scratchnet import images
    vgg = pytorch_vgg.load(weights, channels_last=channels_last)

    def taken_up(best, number, a):
        value, place = a[0].flatten(1).max(dim=1)
        one = (value[:, None], torch.full((len(value), 1), number), place[:, None], torch.full((len(value), 1), a.shape[3]))
        if best is None:
            return one
        value, picture, place, n_W = (torch.cat(both, dim=1) for both in zip(best, one))
        value, order = value.topk(min(K, value.shape[1]), dim=1)
        return (value, *(array.gather(1, order) for array in (picture, place, n_W)))

    @torch.no_grad()
    def step():
        found = dict.fromkeys(LAYERS)
        for number, path in enumerate(paths):
            x = torch.from_numpy(images.load(path)).permute(0, 3, 1, 2)
            a = vgg.activations(x)
            found = {layer: taken_up(best, number, a[layer]) for layer, best in found.items()}
        return {layer: (value.numpy(), picture.numpy(), torch.stack([place // n_W, place % n_W], dim=2).numpy())
                for layer, (value, picture, place, n_W) in found.items()}
    return step


def same(weights, paths, ours, theirs):
    """Values to 1e-4 of the layer's largest; and every place that PyTorch found is as strong in our activations.

    The places themselves may differ: where a picture is white it is white in many places, and rounding chooses one.
    """
    from scratchnet import images, models
    net, largest = models.vgg19(weights).freeze(until="relu5_1"), {layer: ours[layer][0].max() for layer in LAYERS}
    for layer in LAYERS:
        assert np.abs(ours[layer][0] - theirs[layer][0]).max() <= 1e-4 * largest[layer], layer
    for number, path in enumerate(paths):
        a, _ = net.forward(images.load(path), until="relu5_1", keep=LAYERS, params=False)
        for layer in LAYERS:
            value, picture, position = theirs[layer]
            unit, n = np.nonzero(picture == number)
            i, j = position[unit, n].T
            assert np.abs(a[layer][0, i, j, unit] - value[unit, n]).max(initial=0) <= 1e-4 * largest[layer], (layer, path)


def peaks(weights, paths, counts):
    """Peak MB of this process after so many photographs, and after so many more."""
    import resource
    from scratchnet import models, strongest
    net = models.vgg19(weights).freeze(until="relu5_1")

    def step():
        marks = []
        for n, _ in enumerate(strongest.search(net, paths[:counts[-1]], LAYERS, K), 1):
            if n in counts:
                marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 10)
        return marks
    return step


def place_of_the_largest():
    """Seconds of kernels.max_place on relu1_1 of a photograph, and of NumPy's argmax, which must agree."""
    from scratchnet import kernels
    a = np.random.default_rng(0).random((1, 256, 341, 64), np.float32)
    assert np.array_equal(kernels.max_place(a)[1][0], a.reshape(-1, 64).argmax(axis=0))
    return [min(_seconds(work) for _ in range(5)) for work in (lambda: kernels.max_place(a), lambda: a.reshape(-1, 64).argmax(axis=0))]


def _seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main():
    """Compares, prints, and writes the rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--weights", required=True, metavar="FILE", help="an .npz of VGG-19, or a name in the cache: vgg19")
    parser.add_argument("--count", type=int, default=20, help="photographs in a timed search (default: 20)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="*", default=[100, 300], metavar="N", help="where to look at memory (default: 100 300)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    paths = sorted(arguments.photos.glob("*.jpg"))
    some = paths[::max(1, len(paths) // arguments.count)][:arguments.count]
    peers = [None]
    if importlib.util.find_spec("torch"):
        peers = [(pytorch, (arguments.weights, some, channels_last)) for channels_last in (True, False)]
    mine = (ours, (arguments.weights, some))
    agree = partial(same, arguments.weights, some)
    both = [compare(f"units, {len(some)} photographs", mine, "pytorch", peer, agree, arguments.pairs) for peer in peers]
    row = min(both, key=lambda row: row["peer_s"] or 0)
    row["ours_per_s"], row["peer_per_s"] = (row[side] and len(some) / row[side] for side in ("ours_s", "peer_s"))
    show(row)
    print(f"photographs a second: ours {row['ours_per_s']:.2f}" + (f", pytorch {row['peer_per_s']:.2f}" if row["peer_s"] else ""))
    fast, slow = place_of_the_largest()
    row["max_place_s"], row["argmax_s"] = fast, slow
    print(f"the strongest place of 64 channels, 256x341: max_place {1e3 * fast:.1f} ms, numpy.argmax {1e3 * slow:.0f} ms")
    if arguments.memory:
        process = Process(peaks, (arguments.weights, paths, arguments.memory))
        row["peak_mb"] = dict(zip(arguments.memory, process.result))
        process.end()
        print("peak memory: " + ", ".join(f"{mb:.0f} MB after {n}" for n, mb in row["peak_mb"].items()))
    if arguments.json:
        arguments.json.write_text(json.dumps([row], indent=1))


if __name__ == "__main__":
    main()
