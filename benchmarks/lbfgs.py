"""L-BFGS against PyTorch's: the same J, the same start, as many evaluations of J. Whose picture is better, and when is it there?

    python -m benchmarks.lbfgs [--data FOLDER] [--pictures starry_night ...] [--evaluations 60] [--size 512] [--json FILE] [--out FOLDER]

Tübingen is painted through VGG-19 (max pooling) in the style of each picture, from the photograph, J = 0.3 content + style, "relative":

    ours      scratchnet.optimizers.LBFGS over style.TotalCost
    PyTorch   torch.optim.LBFGS(history_size=100, line_search_fn="strong_wolfe") over pytorch_vgg.StyleStep, tolerances at zero so that
              it does not stop, in the faster of its two memory formats

Each runs in a process of its own, one at a time, and every other picture PyTorch goes first. Before that both give J and dJ/dG of the
photograph, and these are compared. Both stop with the first step at which J has been evaluated so many times. Then one judge, VGG-19 by
benchmarks.style_quality, looks at both saved pictures, clipped and of 8 bits. Run nothing else meanwhile.
FOLDER holds pictures/content/tubingen.jpg, pictures/style/NAME.jpg and weights/vgg19_conv.npz.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks import pytorch_vgg
from benchmarks.data_folder import add_data
from benchmarks.pairs import Process
from benchmarks.style_quality import judge
from benchmarks.style_step import same
from scratchnet import images, models, style
from scratchnet.optimizers import LBFGS

PICTURES = ("starry_night", "the_scream", "great_wave", "composition_vii", "shipwreck")
ALPHA, BETA, HISTORY = 0.3, 1.0, 100


def pictures(data, name, size):
    """C and S."""
    return images.load(data / "pictures/content/tubingen.jpg", size), images.load(data / f"pictures/style/{name}.jpg", size)


def first_then(first, then):
    """A function that is `first` when it is called the first time, and `then` from there on."""
    turns = iter([first])
    return lambda: next(turns, then)()


def ours(data, name, size, evaluations, out):
    C, S = pictures(data, name, size)
    cost, inside = style.TotalCost(models.vgg19(data / "weights/vgg19_conv.npz").freeze(until="relu5_1"), C, S, alpha=ALPHA, beta=BETA), []

    def f(G):
        begun = time.perf_counter()
        at_G, dG = cost(G)
        inside.append(time.perf_counter() - begun)
        return at_G.J, dG

    def paint():
        G, opt = C, LBFGS(history=HISTORY)
        inside.clear()
        begun = time.perf_counter()
        while opt.evaluations < evaluations and not opt.stopped:
            G, _ = opt.step(f, G)
        beside = time.perf_counter() - begun - sum(inside)
        images.save(out, G)
        note(out, evaluations=opt.evaluations, steps=opt.t, stopped=opt.stopped, beside=beside)
    return first_then(lambda: f(C), paint)


def pytorch(data, name, size, evaluations, out):
    import torch
    C, S = pictures(data, name, size)
    nets = [pytorch_vgg.load(data / "weights/vgg19_conv.npz", "max", channels_last) for channels_last in (False, True)]
    step = faster([pytorch_vgg.StyleStep(net, C, S, alpha=ALPHA, beta=BETA) for net in nets], C)

    def paint():
        G = torch.from_numpy(C.copy()).requires_grad_()
        count = 0

        def closure():
            nonlocal count
            count += 1
            J, dG = step(G.detach().numpy())               # a view, as the gradient is: nothing is copied
            G.grad = torch.from_numpy(dG)
            return J

        opt = torch.optim.LBFGS([G], max_iter=evaluations, max_eval=evaluations, history_size=HISTORY, line_search_fn="strong_wolfe",
                                tolerance_grad=0, tolerance_change=0)
        opt.step(closure)
        images.save(out, G.detach().numpy())
        note(out, evaluations=count, steps=opt.state[G]["n_iter"])
    return first_then(lambda: step(C), paint)


def faster(steps, G):
    """The StyleStep that is, of three calls each in turn, after one to warm up."""
    seconds = []
    for _ in range(4):
        for step in steps:
            begun = time.perf_counter()
            step.step(G)
            seconds.append(time.perf_counter() - begun)
    return min(steps, key=lambda step: min(seconds[len(steps) + steps.index(step)::len(steps)])).step


def note(out, **notes):
    """Beside the picture, for the process that asked for it."""
    out.with_suffix(".json").write_text(json.dumps(notes))


SIDES = {"ours": ours, "pytorch": pytorch}


def compare(data, name, size, evaluations, folder, order):
    """{"ours": {"seconds", "evaluations", "steps", "J", "style", "content"}, "pytorch": the same} of one style."""
    outs  = {side: folder / f"{name}_{side}.png" for side in SIDES}
    sides = {side: Process(function, (data, name, size, evaluations, outs[side])) for side, function in SIDES.items()}
    same(sides["ours"].result, sides["pytorch"].result)
    rows = {}
    for side in order:
        seconds, _ = sides[side].time()                # without the memory: a process inherits the peak of the one that made it
        rows[side] = {"seconds": seconds, **json.loads(outs[side].with_suffix(".json").read_text())}
        sides[side].end()
    net, (C, S) = models.vgg19(data / "weights/vgg19_conv.npz"), pictures(data, name, size)
    for side in SIDES:
        judged = judge(net, outs[side], C, S)
        rows[side] |= {"J": ALPHA * judged["content"] + BETA * judged["style"], "style": judged["style"], "content": judged["content"]}
    return rows


def show(name, rows):
    print(f"\n{name:16}{'style':>8}{'content':>9}{'J':>8}{'steps':>7}{'J asked':>9}{'seconds':>9}")
    for side, row in rows.items():
        print(f"{side:16}{row['style']:8.4f}{row['content']:9.4f}{row['J']:8.4f}{row['steps']:7}{row['evaluations']:9}{row['seconds']:9.1f}"
              + (f"   {row['beside']:.1f} s beside J" if "beside" in row else "")
              + (f"   stopped: {row['stopped']}" if row.get("stopped") else ""), flush=True)
    mine, other = rows["ours"], rows["pytorch"]
    ratios = [mine[what] / other[what] for what in ("style", "J", "seconds")]
    print("of PyTorch's: style {:.3f}, J {:.3f}, time {:.2f}".format(*ratios), flush=True)


def main():
    """Compares on each style, prints, and writes the rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--pictures", nargs="+", default=PICTURES, metavar="NAME")
    parser.add_argument("--evaluations", type=int, default=60, metavar="N")
    parser.add_argument("--size", type=int, default=512, help="longer side in pixels")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep the pictures here")
    arguments = parser.parse_args()
    table = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for k, name in enumerate(arguments.pictures):
            order = list(SIDES) if k % 2 == 0 else list(SIDES)[::-1]
            table[name] = compare(arguments.data, name, arguments.size, arguments.evaluations, folder, order)
            show(name, table[name])
    worst = max(rows["ours"]["style"] / rows["pytorch"]["style"] for rows in table.values())
    slowest = max(rows["ours"]["seconds"] / rows["pytorch"]["seconds"] for rows in table.values())
    print(f"\nat worst, of PyTorch's: style {worst:.3f}, time {slowest:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
