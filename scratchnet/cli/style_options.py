"""What `style` can be told, and what it takes where nothing was said: the preset's word first, then the network's, then everybody's.

Every option is None until it was given, so that a preset, a network or the run that is resumed can tell what the user has said.
"""

import argparse
import json
import os
from pathlib import Path

from scratchnet import style
from scratchnet.cli.options import number, whole
from scratchnet.colours import KEEP
from scratchnet.errors import ShapeError, WeightsError
from scratchnet.models import MODELS
from scratchnet.optimizers import OPTIMIZERS
from scratchnet.presets import PRESETS
from scratchnet.style_costs import CONTENT

RATE_PER_PIXEL = {"gd": 1 / 4, "momentum": 1 / 2}      # of the longer side: found by trying, 48 to 256 pixels, --normalise relative
EVERYBODYS = dict(size=256, steps=100, optimizer="adam", beta=1.0, normalise="relative", mix=0.6, noise="white", seed=0, pool="max",
                  per_scale=style.PER_SCALE, colours="style", balance=False, every=25, precision="float32")
COARSEST = 512                                        # above it a picture is painted coarse to fine, by halves down to at most this
FEW_PAIRS, MANY_PAIRS, MANY_PIXELS = 10, 100, 500_000          # of L-BFGS, in pictures above and below half a megapixel
PATHS = {"content": (), "style": (), "mask": ("-",), "start": style.STARTS, "weights": MODELS}     # what may be files, but for these words
LOOKS = ("gif", "gradients", "gram", "reconstruct")             # drawn when the run is over
OF_THIS_CALL = ("steps", "every", "resume", "debug", "memory", *LOOKS)             # may differ when a run is resumed


def add_arguments(parser):
    """The options, in groups, with what happens when one is left out."""
    add = parser.add_argument_group("pictures").add_argument
    add("--content", metavar="FILE", help="the photograph, C (default: the portrait that ships with matplotlib)")
    add("--style", metavar="FILE", nargs="+", action="extend", help="the painting, S, or several (default: a swirling sky, drawn here)")
    add("--style-weights", type=_numbers, metavar="W,...", help="weights of several styles; only ratios count (default: all alike)")
    add("--mask", metavar="FILE", nargs="+", action="extend",
        help="for each style where it is painted: a picture over C, white there and black elsewhere; '-' for everywhere")
    add("--size", type=_size, metavar="PIXELS", help="longer side of the picture, or HEIGHTxWIDTH cut from its middle (default: 256)")
    add("--style-size", type=whole(16), metavar="PIXELS", nargs="+", action="extend",
        help="longer side of the painting, or of each: the larger, the larger its strokes (default: as --size)")
    add("--colours", choices=[*KEEP], help="whose colours G has: the style's, or the photograph's in one of three ways (default: style)")

    add = parser.add_argument_group("what G is asked to be").add_argument
    add("--preset", choices=[*PRESETS], metavar="NAME",
        help=f"a well-known version with all its settings; an option given overrides its own: {', '.join(PRESETS)}")
    add("--alpha", type=number(0), help="weight of the content cost (default: 0.15; 0.02 with random filters)")
    add("--beta", type=number(0), help="weight of the style cost (default: 1)")
    add("--tv", type=number(0), help="weight of the total variation per pixel, against grain (default: 0.2; 0 with random filters, "
                                      "and with another --normalise, where 0.2 may be much or nothing)")
    add("--content-layer", metavar="NAME", help="l of the content cost (default: relu4_2; relu2_1 with random filters)")
    add("--style-layers", type=_layers, metavar="NAME[=LAMBDA],...",
        help="layers of the style cost and their lambda (default: all of relu1_1, relu2_1, ... equally)")
    add("--balance", action="store_true", default=None, help="choose lambda so that all layers pull equally hard at the start")
    add("--normalise", choices=sorted(CONTENT), help="constants of the costs, see style_costs.py (default: relative)")

    add = parser.add_argument_group("the network").add_argument
    add("--weights", metavar="FILE", help="a trained network: a file, or a name such as vgg19 (default: small_vgg, which ships)")
    add("--network", choices=[*sorted(MODELS), "small_vgg", "random_filters"], metavar="NAME",
        help="which network --weights is for (default: the name it gives, else vgg19); without --weights: small_vgg (the default), "
             "or random_filters, which paint textures and know no shapes")
    add("--pool", choices=("max", "avg"), help="how blocks of a VGG end (default: max, as it was trained)")
    add("--precision", choices=("float32", "float64"), help="of all numbers; float64 takes twice the memory (default: float32)")

    add = parser.add_argument_group("the way down").add_argument
    add("--start", metavar="START",
        help=f"what G begins as: {', '.join(style.STARTS)}, or a FILE (default: content; noise with random filters)")
    add("--mix", type=number(0, 1), help="share of noise in --start mix (default: 0.6)")
    add("--noise", choices=[*style.NOISE], help="kind of noise (default: white)")
    add("--seed", type=int, help="of the noise and of random filters (default: 0)")
    add("--optimizer", choices=[*OPTIMIZERS], help="gradient descent, momentum, Adam or L-BFGS (default: adam)")
    add("--learning-rate", type=number(0), help=f"default: {style.LEARNING_RATE} for adam (0.1 with random filters), "
                                                "a quarter of the longer side for gd, half of it for momentum; lbfgs has none")
    add("--history", type=whole(1), metavar="PAIRS",
        help=f"pairs of steps that lbfgs remembers (default: {MANY_PAIRS}; {FEW_PAIRS} above half a megapixel)")
    add("--steps", type=whole(0), metavar="N", help="updates of the picture, in all (default: 100, and 100 more for each coarse scale)")
    add("--scales", type=_scales, metavar="PIXELS,...",
        help=f"longer sides to paint at first, coarse to fine, or 'none' (default: of a picture above {COARSEST}, half, a quarter, ...)")
    add("--per-scale", type=whole(1), metavar="N", help=f"steps at each coarse scale (default: {style.PER_SCALE})")

    add = parser.add_argument_group("the run").add_argument
    add("--out", metavar="DIR", type=Path, help="folder of the run (default: the next free out/style-N)")
    add("--overwrite", action="store_true", help="replace the run that --out holds")
    add("--resume", metavar="DIR", type=Path, help="go on with the run in this folder, to --steps N in all; its settings stay")
    add("--every", type=whole(1), metavar="N", help="keep the picture and a checkpoint every N steps (default: 25)")
    add("--memory", type=number(0.2), metavar="GB",
        help="at most so much memory: a picture that needs more is painted in strips (default: what is free)")
    add("--gradients", action="store_true", default=None,
        help="also draw what each term of J wants to change in the picture, at three steps: gradients.png")
    add("--gram", type=_gram, metavar="LAYER[:K,K2]",
        help="also draw the style matrices of a layer, and what the pair of channels K, K2 (default: three pairs that tell) finds in the "
             "pictures: gram_LAYER*.png")
    add("--reconstruct", action="store_true", default=None,
        help="also draw what each layer keeps of C's content and of S's style alone: reconstructions.png (ten small paintings more)")
    add("--gif", action="store_true", default=None, help="also write generated.gif, the stages as a film")


# -------------------------------------------------------------------------------------------------------- filling in


def fill(arguments, of_network):
    """Every option that was not given, from the preset, the network's own defaults, and everybody's; but not yet what hangs on the size
    of C. Changes `arguments`."""
    later = ("alpha", "style_layers", "tv", "learning_rate") if arguments.preset else ("tv", "learning_rate")
    preset = {"scales": [], **PRESETS[arguments.preset].options()} if arguments.preset else {}
    arguments.rates, arguments.of_network = {}, of_network
    for source in (preset, of_network, EVERYBODYS):
        for name, value in source.items():
            if getattr(arguments, name, None) is None and name not in later:
                setattr(arguments, name, value)
    if arguments.tv is None and not arguments.preset:
        arguments.tv = of_network.get("tv", 0.0) if arguments.normalise == "relative" else 0.0
    if arguments.optimizer == "lbfgs" and arguments.learning_rate is not None:
        raise ShapeError(f"--learning-rate {arguments.learning_rate:g}: lbfgs finds its step itself. Leave it out.")
    if arguments.history is not None and arguments.optimizer != "lbfgs":
        raise ShapeError(f"--history {arguments.history}: only lbfgs remembers pairs. Leave it out, or take --optimizer lbfgs.")


def fill_from_sizes(arguments, n_H, n_W, units):
    """What hangs on the size of C: a preset's weights and rates, coarse scales and how many steps they take, how many pairs L-BFGS keeps.

    units  of the network's layers, where it is no VGG-19 but imitates one; see presets.Preset.fitted.   Changes `arguments`.
    """
    longer = max(n_H, n_W)
    if arguments.preset:
        preset = PRESETS[arguments.preset].fitted((1, n_H, n_W, 3), units)
        rates = preset.rates if preset.optimizer == arguments.optimizer else {}
        arguments.rates = {name: value for name, value in rates.items() if name != "learning_rate"}
        for name, value in {**preset.options(), "learning_rate": rates.get("learning_rate")}.items():
            if getattr(arguments, name) is None:
                setattr(arguments, name, value)
    if arguments.learning_rate is None and arguments.optimizer == "adam":
        arguments.learning_rate = arguments.of_network.get("learning_rate")
    del arguments.of_network
    if arguments.learning_rate is None and arguments.optimizer != "lbfgs":
        arguments.learning_rate = longer * RATE_PER_PIXEL.get(arguments.optimizer, 0) or style.LEARNING_RATE
    if arguments.scales is None:
        arguments.scales = [longer // 2 ** k for k in range(12, 0, -1) if longer // 2 ** (k - 1) > COARSEST]
    if arguments.scales and arguments.scales[-1] >= longer:
        raise ShapeError(f"--scales {','.join(map(str, arguments.scales))}: expected sizes below {longer}, the longer side of C.")
    coarse = len(arguments.scales) * arguments.per_scale
    if arguments.history is None and arguments.optimizer == "lbfgs":
        arguments.history = FEW_PAIRS if n_H * n_W > MANY_PIXELS else MANY_PAIRS
    if arguments.steps is None:
        arguments.steps = EVERYBODYS["steps"] + coarse
    if coarse and arguments.steps <= coarse:
        scales = ", ".join(map(str, arguments.scales))
        raise ShapeError(f"--steps {arguments.steps}: the coarse scales {scales} take {coarse} of them, so that the picture would end at "
                         f"one of these. Give more steps, a smaller --per-scale (now {arguments.per_scale}), or --scales none.")


# ------------------------------------------------------------------------------------------------------- a run gone on with


def kept(arguments):
    """The settings as run.json keeps them: numbers, texts, lists; files by their absolute paths."""
    return {name: _absolute(name, value) for name, value in vars(arguments).items() if name not in ("resume", "overwrite", "debug")}


def resumed(arguments):
    """The settings of the run that --resume names, with what this call may change. Refuses, by name, what a resumed run cannot change."""
    path = arguments.resume.expanduser() / "run.json"
    if not path.exists():
        raise ShapeError(f"'{arguments.resume}' holds no run: there is no run.json. Give the folder of a run, such as out/style-1.")
    if arguments.out is not None or arguments.overwrite:
        raise ShapeError("a resumed run stays in its folder: leave out --out and --overwrite.")
    try:
        made = json.loads(path.read_text())["settings"]
        made["size"] = tuple(made["size"]) if isinstance(made["size"], list) else made["size"]
    except (ValueError, KeyError, TypeError) as e:
        raise WeightsError(f"'{path}' is damaged ({e}), so that its settings are lost. Begin a new run; the picture is still there.") from e
    given = {name: value for name, value in vars(arguments).items() if value is not None and name not in (*OF_THIS_CALL, "overwrite")}
    other = [f"--{name.replace('_', '-')} {made.get(name)}, now {value}" for name, value in given.items()
             if _absolute(name, value) != _absolute(name, made.get(name))]
    if other:
        raise ShapeError(f"'{arguments.resume}' was begun with {'; '.join(other)}. A run can only be resumed as it was begun; "
                         "leave these out, or begin a new run.")
    for name in ("steps", "every", "memory", *LOOKS):
        made[name] = made.get(name) if getattr(arguments, name) is None else getattr(arguments, name)
    return argparse.Namespace(**{**made, "out": arguments.resume, "resume": arguments.resume, "overwrite": False})


def _absolute(name, value):
    """A file's absolute path, for whoever resumes elsewhere; any other value as JSON would give it back."""
    if isinstance(value, (list, tuple)):
        return [_absolute(name, one) for one in value]
    if isinstance(value, Path) or name in PATHS and isinstance(value, str) and value not in PATHS[name] and os.path.exists(value):
        return os.path.abspath(value)
    return value


# ------------------------------------------------------------------------------------------------------- words, numbers


def _layers(text):
    """'relu1_1=0.5,relu2_1=0.5' -> {layer: lambda}; names alone share the weight equally."""
    pairs = [part.strip().partition("=") for part in text.split(",")]
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a layer twice")
    return {name: number(0)(weight) if equals else 1 / len(pairs) for name, equals, weight in pairs}


def _numbers(text):
    return [number(0)(part) for part in text.split(",")]


def _scales(text):
    return [] if text == "none" else [whole(16)(part) for part in text.split(",")]


def _gram(text):
    """'relu3_1' -> ('relu3_1', None);  'relu3_1:110,139' -> ('relu3_1', [(110, 139)])."""
    layer, colon, pair = text.partition(":")
    channels = [whole(0)(part) for part in pair.split(",")] if colon else []
    if colon and len(channels) != 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a layer, or a layer and two channels such as relu3_1:110,139")
    return layer, [tuple(channels)] if colon else None


def _size(text):
    """'300' -> 300;  '100x100' -> (100, 100), n_H and n_W."""
    sides = [whole(16)(side) for side in text.split("x")]
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected the longer side, or HEIGHTxWIDTH such as 100x100")
    return sides[0] if len(sides) == 1 else tuple(sides)
