"""Paint one picture in the style of another: J(G) = alpha J_content(C, G) + beta J_style(S, G), by descent on the pixels.

Without --content it takes the portrait that ships with matplotlib, without --style it draws a swirling sky, without --weights
it paints through the small network that ships. The folder of a run holds generated.png, contact_sheet.png, curves.png and run.json.
"""

import argparse
import json
import math
import platform
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scratchnet import __version__, images, style, weights_cache
from scratchnet.atomic import replacing
from scratchnet.cli import run_folder
from scratchnet.cli.options import number, whole
from scratchnet.datasets import swirling_sky
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.models import MODELS, random_filters, small_vgg
from scratchnet.optimizers import Adam
from scratchnet.style_costs import CONTENT

TRAINED = dict(start="content", content_layer=style.CONTENT_LAYER, style_layers=style.LAM, alpha=0.3, learning_rate=style.LEARNING_RATE)
SHIPPED = {**TRAINED, "alpha": 0.35}                   # measured: benchmarks/shipped_network.py
UNTRAINED = dict(start="noise", content_layer="relu2_1", style_layers={f"relu{b}_1": 0.25 for b in (1, 2, 3, 4)}, alpha=0.02,
                 learning_rate=0.1)                    # found by looking: strokes all over, and a face still to be seen
STAGES = 8                                            # pictures on the contact sheet, early steps closer together


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    add = parser.add_argument
    add("--content", metavar="FILE", help="the photograph, C (default: the portrait that ships with matplotlib)")
    add("--style", metavar="FILE", help="the painting, S (default: a swirling sky, drawn here)")
    add("--weights", metavar="FILE", help="a trained network: a file, or a name such as vgg19 (default: small_vgg, which ships)")
    add("--network", choices=[*sorted(MODELS), "small_vgg", "random_filters"], metavar="NAME",
        help="which network --weights is for (default: the name it gives, else vgg19); without --weights: small_vgg (the default), "
             "or random_filters, which paint textures and know no shapes")
    add("--pool", choices=("max", "avg"), default="max", help="how blocks of a VGG end (default: max, as it was trained)")
    add("--size", type=whole(16), default=256, metavar="PIXELS", help="longer side of the picture (default: 256)")
    add("--style-size", type=whole(16), metavar="PIXELS", help="longer side of the painting (default: as --size)")
    add("--steps", type=whole(0), default=100, help="updates of the picture (default: 100)")
    add("--start", choices=style.STARTS, help="what G begins as (default: content; noise with random filters)")
    add("--mix", type=number(0, 1), default=0.6, help="share of noise in --start mix (default: 0.6)")
    add("--seed", type=int, default=0, help="of the noise and of random filters (default: 0)")
    add("--alpha", type=number(0), help="weight of the content cost (default: 0.35; 0.3 with --weights, 0.02 with random filters)")
    add("--beta", type=number(0), default=1.0, help="weight of the style cost (default: 1)")
    add("--tv", type=number(0), default=0.0, help="weight of the total variation per pixel (default: 0)")
    add("--content-layer", metavar="NAME", help="l of the content cost (default: relu4_2; relu2_1 with random filters)")
    add("--style-layers", type=_layers, metavar="NAME[=LAMBDA],...",
        help="layers of the style cost and their lambda (default: all of relu1_1, relu2_1, ... equally)")
    add("--normalise", choices=sorted(CONTENT), default="relative", help="constants of the costs, see style_costs.py (default: relative)")
    add("--learning-rate", type=number(0), help=f"of Adam (default: {style.LEARNING_RATE}; 0.1 with random filters)")
    add("--out", metavar="DIR", type=Path, help="folder of the run (default: the next free out/style-N)")
    add("--overwrite", action="store_true", help="replace the run that --out holds")


def run(arguments):
    """Paints, and fills the folder. -> exit code; 130 after Ctrl-C, with the last finished step saved."""
    C, S = _pictures(arguments)
    net, source = _network(arguments)
    settings = dict(content_layer=arguments.content_layer, lam=arguments.style_layers, alpha=arguments.alpha,
                    beta=arguments.beta, normalise=arguments.normalise, tv=arguments.tv)
    lam = style.check_layers(net, arguments.content_layer, arguments.style_layers)
    deepest = max((arguments.content_layer, *lam), key=net.names.index)
    for name, picture in (("C", C), ("S", S)):
        style.check_size(net, deepest, picture.shape, name)
    net = net.freeze(until=deepest)
    folder = _folder(arguments)
    print(f"C {_sides(C)}, S {_sides(S)}; network {source}; content {arguments.content_layer}, "
          f"style {' '.join(f'{l}={weight:g}' for l, weight in arguments.style_layers.items())}")
    _say_what_was_resized(net, arguments, settings, C, S)
    _say_what_is_left_over(net, deepest, C)
    _say_what_it_takes(net, C, S, settings, arguments.steps)
    steps = style.transfer(net, C, S, steps=arguments.steps, start=arguments.start, mix=arguments.mix, seed=arguments.seed,
                           optimizer=Adam(arguments.learning_rate), **settings)
    record = _Record(arguments.steps)
    begun = time.perf_counter()
    stopped = _listen(steps, arguments.steps, record)
    if record.last is None:
        print("stopped before the first step was done; there is no picture yet.", file=sys.stderr)
        return 130
    record.seconds = time.perf_counter() - begun
    _save(folder, record, arguments, source, (C, S))
    if stopped:
        print(f"{stopped} at step {record.last.i} of {arguments.steps}, J = {record.last.J:.4g}; the picture of that step is kept.",
              file=sys.stderr)
    _draw(folder, record, arguments, (C, S))
    print(f"{folder / 'generated.png'}  (and contact_sheet.png, curves.png, run.json beside it)")
    return 0 if not stopped else 130 if stopped == "stopped" else 1


# ------------------------------------------------------------------------------------------------------ before the run


def _pictures(arguments):
    """C and S, (1, n_H, n_W, 3) in [0, 1]."""
    size, style_size = arguments.size, arguments.style_size or arguments.size
    C = images.load(arguments.content, size) if arguments.content else images.sample_photograph(size)
    if arguments.style:
        return C, images.load(arguments.style, style_size)
    return C, swirling_sky(math.ceil(style_size * 3 / 4), style_size, arguments.seed)


def _network(arguments):
    """The network, and a line that says where its parameters come from. Fills in the defaults that hang on it."""
    if arguments.weights:
        name = arguments.network or (arguments.weights if arguments.weights in MODELS else "vgg19")
        if name not in MODELS:
            raise ShapeError(f"--network {name} takes no --weights. Those that do: {', '.join(MODELS)}.")
        weights = weights_cache.find(arguments.weights)
        net, source, defaults = MODELS[name](weights, arguments.pool), f"{name} of {weights}", TRAINED
    elif arguments.network in (None, "small_vgg"):
        if arguments.pool != "max":
            raise ShapeError("small_vgg was trained with max pooling and has no other. --pool avg is for vgg19 and vgg16.")
        net, source, defaults = small_vgg(), "small_vgg, which ships with scratchnet", SHIPPED
    elif arguments.network == "random_filters":
        net, source, defaults = random_filters(arguments.seed), "a small VGG of random filters", UNTRAINED
    else:
        net = MODELS[arguments.network](None, arguments.pool, arguments.seed)
        source, defaults = f"{arguments.network}, its filters drawn at random: they know no shapes", TRAINED
    for key, value in defaults.items():
        if getattr(arguments, key) is None:
            setattr(arguments, key, value)
    return net, source


def _folder(arguments):
    """A folder that can be written, found out before the long work. Raises ShapeError when it holds another run."""
    folder = run_folder.named(arguments.out, "style")
    if (folder / "run.json").exists() and not arguments.overwrite:
        raise ShapeError(f"'{folder}' holds a run of {run_folder.made(folder / 'run.json')}. Take another --out, or --overwrite to replace "
                         "it.")
    return run_folder.writable(folder)


def _say_what_was_resized(net, arguments, settings, C, S):
    """Of pictures made smaller: how large they are in their files, and the memory that C would need as it is."""
    for name, path, picture in (("C", arguments.content, C), ("S", arguments.style, S)):
        n_H, n_W = images.stored_sides(path) if path else picture.shape[1:3]
        if n_H * n_W > picture.shape[1] * picture.shape[2]:
            line = f"{name} is {n_H}x{n_W} in '{path}', resized to {_sides(picture)}"
            if name == "C":
                line += f"; at its full size it would need {_bytes(_memory(net, (1, n_H, n_W, 3), settings))} of memory"
            print(line + ".")


def _say_what_is_left_over(net, deepest, C):
    """The border where the deepest layer pulls less, and the crop without one."""
    rows, columns = style.left_over(net, deepest, C.shape)
    if rows or columns:
        edges = " and ".join(f"{n} {what}" for n, what in ((rows, "rows"), (columns, "columns")) if n)
        side = style.step_of(net, deepest)
        print(f"The last {edges} of C fill no position of {deepest} ({side}x{side} pixels), which pulls less at that border. "
              f"Cropped to {C.shape[1] - rows}x{C.shape[2] - columns}, C has none such.")


def _memory(net, shape, settings):
    return style.memory(net, shape, settings["content_layer"], settings["lam"])


def _say_what_it_takes(net, C, S, settings, steps):
    """Memory from the shapes. Time from steps on two small copies, which also compiles what is not yet compiled: a step
    costs something in any case, for the filters, and something for each pixel."""
    memory = _memory(net, C.shape, settings)
    print("timing two small steps (the first run on a machine compiles its kernels now) ...", end=" ", flush=True)
    (few, fast), (more, slow) = (_timed(net, C, S, settings, side) for side in (96, 192))
    a_pixel = max(0.0, (slow - fast) / (more - few)) if more > few else 0.0
    seconds = slow + a_pixel * (C.shape[1] * C.shape[2] - more)
    print(f"about {_duration(seconds * (steps + 2))} for {steps} step{'s' * (steps != 1)}, and {_bytes(memory)} of memory.")


def _timed(net, C, S, settings, side):
    """Pixels and seconds of one step on copies whose longer side is `side`, or the pictures themselves if they are smaller."""
    small = [images.resize(picture, min(side, max(picture.shape[1:3]))) for picture in (C, S)]
    try:
        cost = style.TotalCost(net, *small, **settings)
    except ShapeError:                                # too small for these layers: the real size will tell
        small = [C, S]
        cost = style.TotalCost(net, *small, **settings)
    cost(small[0])                                    # compiles, and fills buffers
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        cost(small[0])
        times.append(time.perf_counter() - begun)
    return small[0].shape[1] * small[0].shape[2], min(times)


# --------------------------------------------------------------------------------------------------------- during, after


class _Record:
    """What is kept of a run: the last step, numbers of all, pictures of a few."""

    def __init__(self, steps):
        self.stages_at = {round(steps * (k / (STAGES - 1)) ** 2) for k in range(STAGES)}
        self.last, self.history, self.stages, self.seconds = None, [], [], 0.0

    def add(self, step):
        self.last = step
        self.history.append({key: value for key, value in vars(step).items() if key != "G"})
        if step.i in self.stages_at:
            self.stages.append(step)


def _listen(steps, total, record):
    """Runs the generator to its end under a bar. -> "" or why it ended early."""
    bar = tqdm(total=total, unit="step", dynamic_ncols=True)
    try:
        for step in steps:
            record.add(step)
            bar.set_postfix_str(f"J {step.J:.4g}, content {step.J_content:.4g}, style {step.J_style:.4g}", refresh=False)
            bar.update(step.i - bar.n)
    except KeyboardInterrupt:
        return "stopped"
    except NumericsError as e:
        if record.last is None:
            raise
        return f"no number any more ({e})"
    finally:
        bar.close()
    return ""


def _save(folder, record, arguments, source, pictures):
    """The picture and the numbers, before anything that takes longer: whoever stops a run may not wait for drawings."""
    C, S = pictures
    last = record.last
    card = dict(command=shlex.join(sys.argv[1:]), network=source, step=last.i, J=last.J, J_content=last.J_content,
                J_style=last.J_style, per_layer=last.per_layer, seconds=round(record.seconds, 2),
                settings={key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()},
                sizes={"C": C.shape[1:3], "S": S.shape[1:3]}, versions=dict(
                    scratchnet=__version__, numpy=np.__version__, python=platform.python_version()), history=record.history)
    images.save(folder / "generated.png", last.G, {"scratchnet": json.dumps({k: v for k, v in card.items() if k != "history"})})
    with replacing(folder / "run.json") as file:
        file.write(json.dumps(card, indent=1).encode())


def _draw(folder, record, arguments, pictures):
    """The stages on one sheet, and the curves of all costs."""
    from scratchnet import plots                      # matplotlib only once there is something to draw
    last = record.last
    stages = record.stages if record.stages[-1].i == last.i else [*record.stages, last]
    plots.contact_sheet(folder / "contact_sheet.png", [*pictures] + [step.G for step in stages],
                        ["content, C", "style, S"] + [f"step {step.i}" for step in stages])
    if len(record.history) > 1 and any(step["J"] > 0 for step in record.history):      # S may be C: there is nothing to draw then
        plots.cost_curves(folder / "curves.png", record.history, arguments.alpha, arguments.beta,
                          arguments.style_layers, arguments.tv)


# ------------------------------------------------------------------------------------------------------- words, numbers


def _layers(text):
    """'relu1_1=0.5,relu2_1=0.5' -> {layer: lambda}; names alone share the weight equally."""
    pairs = [part.strip().partition("=") for part in text.split(",")]
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a layer twice")
    return {name: number(0)(weight) if equals else 1 / len(pairs) for name, equals, weight in pairs}


def _sides(picture):
    return f"{picture.shape[1]}x{picture.shape[2]} (n_H x n_W)"


def _bytes(n):
    return f"{n / 2 ** 20:.0f} MB" if n < 2 ** 30 else f"{n / 2 ** 30:.1f} GB"


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
