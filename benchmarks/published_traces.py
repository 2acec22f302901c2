"""The numbers that well-known programs have printed on their way down, and ours beside them.

    python -m benchmarks.published_traces gatys [--peer] [--data FOLDER] [--side 512] [--until 499] [--json FILE] [--out PNG]
    python -m benchmarks.published_traces course-1                  (and course-2; side 300 and 400)

A preset (scratchnet/presets.py) paints Tübingen as Starry Night through VGG-19, and J is printed where the published run printed it:

    gatys     the notebook of leongatys/PytorchNeuralStyleTransfer as it was stored with its output: from the photograph, max pooling,
              L-BFGS. It counts evaluations of J and calls the k-th "Iteration: k + 1", every 50; here they are numbered as they were made.
              Of ours the last step finished within so many evaluations counts.
    course-1, course-2     the assignment's two editions, by steps of Adam

With --peer PyTorch's L-BFGS without a line search, as the notebook had it, goes down the same J as ours does: what lies between the two
is the optimiser; what lies between it and the published numbers is pictures and weights, which this benchmark cannot tell apart.
FOLDER holds pictures/content/tubingen.jpg, pictures/style/starry_night.jpg and weights/vgg19_conv.npz.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.data_folder import add_data
from scratchnet import images, models, style
from scratchnet.optimizers import OPTIMIZERS
from scratchnet.presets import PRESETS


@dataclass(frozen=True)
class Trace:
    """A published run.   points {evaluation or step: (J, J_content, J_style), as far as printed}; otherwise: what could make ours differ"""

    points: dict
    otherwise: str
    side: int                                         # pixels of the shorter side
    changes: dict = None                              # what the run had otherwise than the preset


TRACES = {
    "gatys": Trace(
        {49: (1388532.5,), 99: (707860.75,), 149: (538045.4,), 199: (469374.9,), 299: (411657.6,), 399: (383885.3,), 499: (368493.8,)},
        "Its files of the photograph and the painting are larger, and Pillow made them smaller by bilinear interpolation, ours by "
        "LANCZOS; kernels of conv4 and conv5 here were once rounded to 8 bits; its L-BFGS takes every step whole, ours searches along it.",
        512, dict(start="content", pool="max")),
    "course-1": Trace(
        {0: (5.05035e9, 7877.67, 1.26257e8), 20: (9.43282e8, 15187.1, 2.35783e7), 40: (4.84914e8, 16785.8, 1.21187e7),
         60: (3.12578e8, 17465.4, 7.81007e6), 180: (9.73408e7, 18500.9, 2.4289e6)},
        "Its pictures are the Louvre and a Monet, which are not here: the order of size can be compared, and that the content cost rises "
        "while J falls.", 300),
    "course-2": Trace(
        {0: (25629.055,), 1: (17812.627,)},
        "Its pictures are the Louvre and a Monet, both squeezed to 400x400, and its noise is TensorFlow's.", 400),
}


def pictures(data, side):
    """C and S, the shorter side of each being `side`."""
    paths = data / "pictures/content/tubingen.jpg", data / "pictures/style/starry_night.jpg"
    sides = [images.stored_sides(path) for path in paths]
    return [images.load(path, tuple(n * side // min(n_H_W) for n in n_H_W)) for path, n_H_W in zip(paths, sides)]


def first_parts(step):
    return step.J, step.J_content, step.J_style


def ours(preset, net, C, S, points):
    """{point: (J, J_content, J_style)} of our own run, and the last picture."""
    optimizer = OPTIMIZERS[preset.optimizer](**preset.rates)
    run = style.Painting(net, C, S, start=preset.start, mix=preset.mix, noise=preset.noise, clip=preset.clip, optimizer=optimizer,
                         **preset.settings())
    known, found, last = 1, {}, max(points)
    bar = tqdm(total=last, desc="ours")
    for step in run.steps(last):
        at = known if preset.optimizer == "lbfgs" else step.i          # `known`: evaluations made when this step's J was there
        found.update({point: first_parts(step) for point in points if point >= at})
        known = getattr(run.optimizer, "evaluations", 0)
        bar.update(min(at, last) - bar.n)
        if at >= last:
            break
    bar.close()
    return found, step.G


def peer(preset, net, C, S, points):
    """The same J down PyTorch's L-BFGS, which has no line search unless asked: {evaluation: (J, J_content, J_style)}."""
    import torch
    cost, found, last = style.TotalCost(net, C, S, **preset.settings()), {}, max(points)
    y = torch.from_numpy(255 * C).requires_grad_()                     # in its units: the first step is as long as there
    optimizer, bar = torch.optim.LBFGS([y]), tqdm(total=last, desc="PyTorch's L-BFGS")

    def closure():
        step, dG = cost(np.ascontiguousarray(y.detach().numpy() / np.float32(255)))
        y.grad = torch.from_numpy(dG / np.float32(255))
        bar.update()
        if bar.n in points:
            found[bar.n] = first_parts(step)
        return torch.tensor(step.J)

    while bar.n < last:
        before = bar.n
        optimizer.step(closure)
        if bar.n <= before + 1:                                        # its tolerances are met
            break
    bar.close()
    return found


def table(trace, columns):
    """Lines: the published number and each column's, with the parts where they were printed."""
    names = ("J", "J_content", "J_style")
    yield f"{'at':>6} {'':10}" + "".join(f"{title:>16}" for title in ("published", *columns))
    for point, published in trace.points.items():
        for k, number in enumerate(published):
            row = "".join(f"{found[point][k]:16.6g}" if point in found else f"{'-':>16}" for found in columns.values())
            if any(point in found for found in columns.values()):
                yield f"{point:6} {names[k]:10}{number:16.6g}{row}"


def main():
    """Paints, prints the table and what was otherwise in the published run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=TRACES)
    add_data(parser)
    parser.add_argument("--side", type=int, metavar="PIXELS", help="shorter side of both pictures (default: as published)")
    parser.add_argument("--until", type=int, metavar="N", help="stop after so many evaluations or steps (default: at the last published)")
    parser.add_argument("--peer", action="store_true", help="PyTorch's L-BFGS on the same J as well (wants torch)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="PNG", help="keep the painting here")
    arguments = parser.parse_args()
    trace = TRACES[arguments.preset]
    C, S = pictures(arguments.data, arguments.side or trace.side)
    preset = replace(PRESETS[arguments.preset].fitted(C.shape), **(trace.changes or {}))
    net = preset.prepared(models.vgg19(arguments.data / "weights/vgg19_conv.npz", preset.pool)).freeze()
    until = arguments.until or max(trace.points)
    points = [point for point in trace.points if point <= until] + [until] * (until not in trace.points)
    columns = {"ours": (paint := ours(preset, net, C, S, points))[0]}
    if arguments.peer:
        columns["PyTorch's steps"] = peer(preset, net, C, S, points)
    print(f"C {C.shape[1]}x{C.shape[2]}, S {S.shape[1]}x{S.shape[2]}; {preset.optimizer}, {preset.pool} pooling, start {preset.start}")
    print("\n".join(table(trace, columns)))
    print(f"at {until}: " + ", ".join(f"{title} {found[until][0]:.6g}" for title, found in columns.items() if until in found))
    print(f"What is otherwise there: {trace.otherwise}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"published": trace.points, **columns}, indent=1))
    if arguments.out:
        images.save(arguments.out, paint[1])


if __name__ == "__main__":
    main()
