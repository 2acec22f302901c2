"""Paint one picture in the style of another: J(G) = alpha J_content(C, G) + beta J_style(S, G), by descent on the pixels.

Without --content it takes the portrait that ships with matplotlib, without --style it draws a swirling sky, without --weights
it paints through the small network that ships. The folder of a run holds the picture, generated.png, all its numbers, run.json,
contact_sheet.png and curves.png, and a checkpoint: --resume DIR --steps N goes on with it, as if it had never stopped.
"""

import math
import shlex
import sys

import numpy as np
from tqdm import tqdm

from scratchnet import checkpoints, forecast, images, style, total_cost, weights_cache
from scratchnet.cli import run_folder, style_options
from scratchnet.cli.style_folder import StyleFolder
from scratchnet.cli.style_said import counted, say
from scratchnet.colours import KEEP
from scratchnet.datasets import swirling_sky
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.models import MODELS, random_filters, small_vgg
from scratchnet.models.small_vgg import UNITS
from scratchnet.optimizers import OPTIMIZERS
from scratchnet.presets import PRESETS

add_arguments = style_options.add_arguments

TRAINED = dict(start="content", content_layer=total_cost.CONTENT_LAYER, style_layers=total_cost.LAM, alpha=0.15,
               tv=0.2)                                 # found by looking at five styles; measured: benchmarks/shipped_network.py
UNTRAINED = dict(start="noise", content_layer="relu2_1", style_layers={f"relu{b}_1": 0.25 for b in (1, 2, 3, 4)}, alpha=0.02,
                 learning_rate=0.1)                    # found by looking: strokes all over, and a face still to be seen
SMALL = "small_vgg, which ships with scratchnet"
ROOM = 0.9                                            # of the free memory may be taken


def run(arguments):
    """Paints, and fills the folder. -> exit code; 130 after Ctrl-C, with the last finished step saved."""
    arguments, resumed = (style_options.resumed(arguments), True) if arguments.resume else (arguments, False)
    net, source = _network(arguments, fill=not resumed)
    C, styles = _pictures(arguments)
    if not resumed:
        style_options.fill_from_sizes(arguments, *C.shape[1:3], UNITS if source is SMALL else None)
    settings = _settings(arguments, net, C, styles)
    folder = _folder(arguments)
    with run_folder.mine(folder):
        say(arguments, net, source, C, styles, settings)
        keep = KEEP[arguments.colours]
        painting = _painting(arguments, net, C, styles, settings)
        files = StyleFolder(folder, style_options.kept(arguments), source, [C, *(one.picture for one in styles)],
                            lambda G: keep.after(np.clip(G, 0, 1), C if G.shape == C.shape else images.resize(C, G.shape[1:3])))
        if resumed:
            _go_on(painting, files, arguments.steps)
        else:
            files.begin()
        return _paint(painting, files, arguments)


def _paint(painting, files, arguments):
    """Runs to the end, or until it is stopped; what there is is kept. -> exit code"""
    why = _listen(painting, files, arguments)
    if not painting.history:
        files.leave_nothing()
        print("stopped before the first step was done; there is no picture yet.", file=sys.stderr)
        return 130
    best, last = files.keep(painting), painting.history[-1]
    if why:
        advice = "It could only go on as it was begun, so begin a new run."
        if why == "stopped":
            advice = _go_on_with(files, max(arguments.steps, last["i"] + 1))
        print(f"{why} at step {last['i']} of {arguments.steps}, J = {last['J']:.4g}. {advice}", file=sys.stderr)
    elif painting.stopped:
        print(f"{arguments.optimizer} stopped at step {last['i']}: {painting.stopped}.")
    files.draw(painting, arguments)
    if not why:
        checkpoints.previous(files.checkpoint).unlink(missing_ok=True)
    if best.i != last["i"]:
        print(f"J was lowest at step {best.i}, {best.J:.4g}; that picture is kept.")
    asked = getattr(painting.optimizer, "evaluations", None)
    beside = ", ".join(name for name in ("contact_sheet.png", "curves.png", "run.json") if (files.folder / name).exists())
    print(f"{files.folder / 'generated.png'}  (and {beside} beside it)" + (f"; J was asked for {asked} times" if asked else ""))
    return 0 if not why else 130 if why == "stopped" else 1


def _listen(painting, files, arguments):
    """Runs the painting to its end under a bar. -> "" or why it ended early."""
    bar = tqdm(total=arguments.steps, initial=painting.i, unit="step", dynamic_ncols=True)
    try:
        for step in painting.steps(arguments.steps):
            files.add(step)
            bar.set_postfix_str(f"J {step.J:.4g}, content {step.J_content:.4g}, style {step.J_style:.4g}", refresh=False)
            bar.update(step.i - bar.n)
            if step.i and step.i % arguments.every == 0:
                files.keep(painting)
    except OSError as e:
        raise type(e)(f"{e.strerror or e}. {_go_on_with(files, arguments.steps)}") from e
    except KeyboardInterrupt:
        return "stopped"
    except NumericsError as e:
        if not painting.history:
            raise
        print(f"\n{e}", file=sys.stderr)
        return "ended"
    finally:
        bar.close()
    return ""


def _go_on_with(files, steps):
    return f"Go on with: python -m scratchnet style --resume {shlex.quote(str(files.folder))} --steps {steps}"


def _go_on(painting, files, steps):
    """The run as its last checkpoint has it."""
    if files.checkpoint.exists() or checkpoints.previous(files.checkpoint).exists():
        painting.load(files.checkpoint)
    if painting.over:
        raise ShapeError(f"this run has come to its end: {painting.stopped}. Begin a new one.")
    if painting.i >= steps:
        raise ShapeError(f"this run has {painting.i} steps already. Give more of them in all: --steps {painting.i + 100}.")
    files.go_on(painting)
    print(f"going on after step {painting.i}")


# ------------------------------------------------------------------------------------------------------ before the run


def _network(arguments, fill):
    """The network, and a line that says where its parameters come from. With `fill`, options that hang on it get their defaults."""
    pool = arguments.pool or (PRESETS[arguments.preset].pool if arguments.preset else "max")
    if arguments.weights:
        name = arguments.network or (arguments.weights if arguments.weights in MODELS else "vgg19")
        if name not in MODELS:
            raise ShapeError(f"--network {name} takes no --weights. Those that do: {', '.join(MODELS)}.")
        weights = weights_cache.find(arguments.weights)
        net, source, defaults = MODELS[name](weights, pool), f"{name} of {weights}", TRAINED
    elif arguments.network in (None, "small_vgg"):
        if arguments.pool == "avg":
            raise ShapeError("small_vgg was trained with max pooling and has no other. --pool avg is for vgg19 and vgg16.")
        if pool == "avg":
            print("The preset's avg pooling is max pooling here, with which small_vgg was trained.")
        net, source, defaults, arguments.pool = small_vgg(), SMALL, TRAINED, "max"
    elif arguments.network == "random_filters":
        net, source, defaults = random_filters(arguments.seed or 0), "a small VGG of random filters", UNTRAINED
    else:
        net = MODELS[arguments.network](None, pool, arguments.seed or 0)
        source, defaults = f"{arguments.network}, its filters drawn at random: they know no shapes", TRAINED
    if fill:
        style_options.fill(arguments, defaults)
    if arguments.preset:
        net = PRESETS[arguments.preset].prepared(net)
    return net.astype(arguments.precision), source


def _pictures(arguments):
    """C, (1, n_H, n_W, 3) in [0, 1], and the styles, [Style]."""
    size = arguments.size if isinstance(arguments.size, int) else None              # a form of its own is cut from the whole
    C = images.load(arguments.content, size) if arguments.content else images.sample_photograph(size)
    C = (C if size else images.middle(C, arguments.size)).astype(arguments.precision)
    paths, longer = arguments.style or [None], max(C.shape[1:3])
    weights, masks, sizes = ([None] * len(paths) if given is None else given for given in (arguments.style_weights, arguments.mask,
                                                                                        arguments.style_size))
    sizes = sizes * len(paths) if len(sizes) == 1 else sizes
    for name, given in (("--style-weights", weights), ("--mask", masks), ("--style-size", sizes)):
        if len(given) != len(paths):
            raise ShapeError(f"{name} has {len(given)} values for {len(paths)} style{'s' * (len(paths) > 1)}; expected one for each.")
    cut = not isinstance(arguments.size, int)
    return C, [style.Style(_painting_of(path, size or longer, arguments.seed), 1.0 if weight is None else weight, _mask(mask, C, cut))
               for path, weight, mask, size in zip(paths, weights, masks, sizes)]


def _painting_of(path, size, seed):
    return images.load(path, size) if path else swirling_sky(math.ceil(size * 3 / 4), size, seed)


def _mask(path, C, cut):
    """(n_H, n_W) of the size of C, in [0, 1], from a picture's brightness; None for everywhere. It lies over the photograph: where that
    was cut, so is the mask."""
    if path in (None, "-"):
        return None
    mask = images.middle(images.load(path), C.shape[1:3]) if cut else images.load(path, C.shape[1:3])
    return mask.mean(axis=(0, 3))


def _settings(arguments, net, C, styles):
    """What TotalCost takes, checked before anything is written; strips where the picture needs them."""
    lam = total_cost.check_layers(net, arguments.content_layer, arguments.style_layers)
    deepest = max((arguments.content_layer, *lam), key=net.names.index)
    for name, picture in (("C", C), *(("S", one.picture) for one in styles)):
        total_cost.check_size(net, deepest, picture.shape, name)
    if arguments.gram:
        _expect_channels(net, C, *arguments.gram)
    if getattr(arguments, "strip", None) is None:
        arguments.strip = _strip(arguments, net, C, styles)
    return dict(content_layer=arguments.content_layer, lam=lam, alpha=arguments.alpha, beta=arguments.beta, normalise=arguments.normalise,
                tv=arguments.tv, strip=arguments.strip or None)


def _expect_channels(net, C, layer, pairs):
    """Raises ShapeError for what --gram asks for and there is not."""
    total_cost.check_size(net, net.known(layer), C.shape, "C")
    n_C = net.summary(C.shape, layer).rows[-1].shape[-1]
    for channel in (channel for pair in pairs or () for channel in pair if channel >= n_C):
        raise ShapeError(f"--gram {layer}:{','.join(map(str, pairs[0]))}: {layer} has channels 0 to {n_C - 1}; there is no {channel}.")


def _strip(arguments, net, C, styles):
    """Rows of a strip, 0 when C goes through as a whole."""
    free = forecast.available()
    limit = arguments.memory * 2 ** 30 if arguments.memory else free and ROOM * free
    return (limit and forecast.strip_within(limit, net, C.shape, **counted(arguments, styles))) or 0


def _folder(arguments):
    """A folder that can be written, found out before the long work. Raises ShapeError when it holds another run."""
    folder = run_folder.named(arguments.out, "style")
    if not arguments.resume and (folder / "run.json").exists() and not arguments.overwrite:
        raise ShapeError(f"'{folder}' holds a run of {run_folder.made(folder / 'run.json')}. Take another --out, go on with it by "
                         f"--resume {folder}, or replace it by --overwrite.")
    return run_folder.writable(folder)


def _painting(arguments, net, C, styles, settings):
    """The run, at its start."""
    start = arguments.start if arguments.start in style.STARTS else images.load(arguments.start)
    own = {"history": arguments.history} if arguments.optimizer == "lbfgs" else {"learning_rate": arguments.learning_rate}
    keep = KEEP[arguments.colours]
    given = [keep.before(C, one.picture) for one in styles]
    styles = [style.Style(S, one.weight, one.mask) for (_, S), one in zip(given, styles)]
    clip = PRESETS[arguments.preset].clip if arguments.preset and arguments.optimizer != "lbfgs" else None
    optimizer = OPTIMIZERS[arguments.optimizer](**own, **arguments.rates)
    return style.Painting(net, given[0][0], styles, start, arguments.mix, arguments.seed, arguments.noise, optimizer, arguments.scales,
                          arguments.per_scale, arguments.balance, clip, **settings)
