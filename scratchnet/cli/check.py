"""Check gradients against differences.

  python -m scratchnet check                          every layer, cost and loss of this package, a line each
  python -m scratchnet check my_file.py:my_function   your own function: my_function(*arrays) -> (J, gradient or gradients),
                                                      and in the same file example(rng) -> its arguments, float64 arrays

The exit code is 1 when a gradient is wrong.
"""

import importlib.util
import sys
import traceback
from pathlib import Path

import numpy as np

from scratchnet import activations, face_losses, gradcheck, layers, normalisation, style_costs, total_cost
from scratchnet.errors import ShapeError
from scratchnet.models import random_filters
from scratchnet.network import Branches, Network, Residual


def add_arguments(parser):
    """One optional function, and what to draw of it."""
    parser.add_argument("function", nargs="?", metavar="FILE.py:FUNCTION", help="your own function (default: everything in the package)")
    parser.add_argument("--curve", metavar="PNG", help="draw the error against the step h for your function")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default: 0)")


def run(arguments):
    """-> 0 when every gradient is right, else 1."""
    if arguments.function:
        return check_function(arguments.function, arguments.seed, arguments.curve)
    if arguments.curve:
        raise ShapeError("--curve draws one function: give FILE.py:FUNCTION before it.")
    return check_everything(arguments.seed)


# -------------------------------------------------------------------------------------------------------- the package's own


def _layer(make, *shape, **options):
    return lambda rng: gradcheck.check_layer(make(), rng.standard_normal(shape), rng=rng, **options)


def _cost(f, *shapes):
    return lambda rng: gradcheck.check(f, *(rng.standard_normal(shape) for shape in shapes))


def _content(normalise):
    def check(rng):
        a_C, a_G = rng.standard_normal((2, 1, 4, 5, 3))
        return gradcheck.check(lambda a_G: style_costs.content_cost(a_C, a_G, normalise), a_G)
    return check


def _style(normalise):
    def check(rng):
        a_S, a_G = rng.standard_normal((2, 1, 4, 5, 3))
        G_S = style_costs.gram(a_S, positions=20)
        return gradcheck.check(lambda a_G: style_costs.layer_style_cost(G_S, a_G, normalise), a_G)
    return check


def _gram(rng):
    a, R = rng.standard_normal((1, 4, 5, 3)), rng.standard_normal((3, 3))
    f = lambda a: (np.sum(style_costs.gram(a) * R), style_costs.through_gram(a, R + R.T))      # dJ/dG = R, twice its symmetric part
    return gradcheck.check(f, a)


def _whole_style(rng):
    G_S = {"relu1_1": np.eye(3), "relu2_1": np.ones((2, 2))}
    lam = {"relu1_1": 0.3, "relu2_1": 0.7}
    a = {"relu1_1": rng.standard_normal((1, 4, 4, 3)), "relu2_1": rng.standard_normal((1, 2, 2, 2))}
    return gradcheck.check(lambda a: style_costs.style_cost(G_S, a, lam), a)


def _total(rng):
    C, S, G = (rng.random((1, 8, n_W, 3)) for n_W in (8, 9, 8))
    net = random_filters(channels=(4, 5, 6))
    cost = total_cost.TotalCost(net, C, S, "relu2_1", {"relu1_1": 0.3, "relu3_1": 0.7}, tv=0.1)

    def f(G):
        step, dG = cost(G)
        return step.J, dG
    return gradcheck.check(f, G)


def _cross_entropy(rng):
    labels = np.array([0, 2, 1, 2])
    return gradcheck.check(lambda z: activations.softmax_cross_entropy(z, labels), rng.standard_normal((4, 3)))


def _contrastive(rng):
    same = np.array([True, False, True, False, True])
    return gradcheck.check(lambda f_1, f_2: face_losses.contrastive_loss(f_1, f_2, same=same, margin=3.0), *rng.standard_normal((2, 5, 4)))


def _triplet(distance, form):
    def check(rng):
        return gradcheck.check(lambda f_A, f_P, f_N: face_losses.triplet_loss(f_A, f_P, f_N, 1.0, distance, form), *rng.random((3, 5, 4)))
    return check


def _pair(difference):
    def check(rng):
        same = np.array([True, False, True, False, True])
        f = lambda f_1, f_2, w, b: face_losses.pair_loss(f_1, f_2, w, b, same=same, difference=difference)
        return gradcheck.check(f, *0.1 + rng.random((2, 5, 4)), rng.standard_normal(4), rng.standard_normal(()))
    return check


def _small_network(rng):
    net = Network({"input": normalisation.Preprocess("BGR", 2.0, (0.4, 0.5, 0.6), (0.5, 0.25, 1.0)),
                   "conv1_1": layers.Conv2D(3, 4, rng=rng), "relu1_1": activations.ReLU(), "pool1": layers.AvgPool2D(),
                   "conv2_1": layers.Conv2D(4, 5, rng=rng), "relu2_1": activations.ReLU()})
    return gradcheck.check_network(net, rng.random((1, 7, 8, 3)), layers=("relu1_1", "relu2_1"), rng=rng)


def _bottleneck():
    return Residual({"conv": layers.Conv2D(3, 3), "bn": normalisation.BatchNorm(3), "tanh": activations.Tanh()})


def _inception():
    return Branches({"1x1": {"conv": layers.Conv2D(3, 2, f=1)},
                     "3x3": {"reduce": layers.Conv2D(3, 2, f=1), "conv": layers.Conv2D(2, 4)},
                     "pool": {"pool": layers.AvgPool2D(3, 1, "same"), "conv": layers.Conv2D(3, 1, f=1)}})


CASES = {                                             # what is checked: a function of rng that returns a Report
    "Conv2D": _layer(lambda: layers.Conv2D(3, 4), 2, 5, 6, 3),
    "Conv2D, f = 5, stride 2, pad 1": _layer(lambda: layers.Conv2D(2, 3, f=5, stride=2, pad=1), 2, 7, 8, 2),
    "DepthwiseConv2D": _layer(lambda: layers.DepthwiseConv2D(3, stride=2), 2, 5, 6, 3),
    "MaxPool2D": _layer(lambda: layers.MaxPool2D(3, 2, 1), 2, 7, 6, 3),
    "AvgPool2D": _layer(lambda: layers.AvgPool2D(3, 2, 1), 2, 7, 6, 3),
    "L2Pool2D": _layer(lambda: layers.L2Pool2D(), 2, 6, 6, 3),
    "Dense": _layer(lambda: layers.Dense(6, 4), 5, 6),
    "Flatten": _layer(lambda: layers.Flatten(), 2, 3, 4, 2),
    "Dropout in training": _layer(lambda: layers.Dropout(0.4), 4, 10, training=True),
    "ZeroPad2D": _layer(lambda: layers.ZeroPad2D((1, 0, 2, 1)), 2, 3, 4, 2),
    "ReLU": _layer(lambda: activations.ReLU(), 4, 10),
    "PReLU": _layer(lambda: activations.PReLU(5), 4, 3, 3, 5),
    "Sigmoid": _layer(lambda: activations.Sigmoid(), 4, 10),
    "Tanh": _layer(lambda: activations.Tanh(), 4, 10),
    "Softmax": _layer(lambda: activations.Softmax(), 4, 10),
    "softmax_cross_entropy": _cross_entropy,
    "Preprocess": _layer(lambda: normalisation.Preprocess("BGR", 255.0, (104.0, 117.0, 124.0)), 1, 4, 5, 3),
    "Grey": _layer(lambda: normalisation.Grey(), 2, 4, 5, 3),
    "Standardise": _layer(lambda: normalisation.Standardise(), 3, 4, 5, 1),
    "BatchNorm": _layer(lambda: normalisation.BatchNorm(3), 4, 3, 3, 3),
    "BatchNorm in training": _layer(lambda: normalisation.BatchNorm(3), 4, 3, 3, 3, training=True),
    "LRN": _layer(lambda: normalisation.LRN(alpha=1.0), 2, 3, 3, 7),
    "L2Normalise": _layer(lambda: normalisation.L2Normalise(), 4, 6),
    "Residual": _layer(_bottleneck, 2, 4, 4, 3, training=True),
    "Branches": _layer(_inception, 2, 5, 5, 3),
    **{f"content_cost, {name}": _content(name) for name in style_costs.CONTENT},
    **{f"layer_style_cost, {name}": _style(name) for name in style_costs.STYLE},
    "gram, and through_gram": _gram,
    "style_cost": _whole_style,
    "total_variation": _cost(style_costs.total_variation, (1, 5, 6, 3)),
    "contrastive_loss": _contrastive,
    **{f"triplet_loss, {distance}, {form}": _triplet(distance, form) for distance in face_losses.DISTANCE for form in face_losses.FORM},
    **{f"pair_loss, {difference}": _pair(difference) for difference in face_losses.DIFFERENCE},
    "a small VGG, down to its pixels": _small_network,
    "TotalCost, down to the pixels": _total,
}


def check_everything(seed=0):
    """Every case in a line: verdict, worst relative error, how many entries, how many left out at a kink."""
    width, wrong = max(map(len, CASES)), []
    for name, case in CASES.items():
        report = case(np.random.default_rng(seed))
        entries, kinks = sum(row.entries for row in report.rows), sum(row.kinks for row in report.rows)
        print(f"{'right' if report.passed else 'WRONG'}  {name.ljust(width)}  error {report.error:7.1e}  "
              f"{entries:5d} entries{f', {kinks} at a kink left out' if kinks else ''}", flush=True)
        if not report.passed:
            wrong.append(report)
    for report in wrong:
        print(f"\n{report}")
    print(f"{len(CASES) - len(wrong)} of {len(CASES)} gradients are right.")
    return 1 if wrong else 0


# ------------------------------------------------------------------------------------------------------ a student's own


def check_function(place, seed=0, curve=None):
    """Checks `my_file.py:my_function` at the arguments that example(rng) of the same file returns, and prints the report."""
    path, colon, name = place.rpartition(":")
    if not colon or not name.isidentifier() or not path.endswith(".py"):
        raise ShapeError(f"{place!r}: expected FILE.py:FUNCTION, as in my_costs.py:content_cost.")
    module = _module(Path(path))
    for needed in (name, "example"):
        if not callable(getattr(module, needed, None)):
            there = ", ".join(n for n, value in vars(module).items() if callable(value) and not n.startswith("_")) or "none"
            what = "the function to check" if needed == name else "example(rng), which returns its arguments"
            raise ShapeError(f"'{path}' has no function {needed!r}, {what}. Functions there: {there}.")
    arrays = module.example(np.random.default_rng(seed))
    arrays = arrays if isinstance(arrays, tuple) else (arrays,)
    try:
        report = gradcheck.check(getattr(module, name), *arrays, rng=seed)
        if curve:
            from scratchnet import plots              # matplotlib only when there is something to draw
            plots.error_curve(curve, {name: gradcheck.error_curve(getattr(module, name), *arrays)})
    except (ShapeError, ArithmeticError, OSError):
        raise
    except Exception:                                 # the student's own error: their lines of the traceback, not ours
        _show_theirs(Path(path))
        return 1
    print(report)
    if curve:
        print(curve)
    return 0 if report.passed else 1


def _module(path):
    """The student's file, run as a module. Its own errors are shown with file and line."""
    if not path.is_file():
        raise FileNotFoundError(f"No file '{path}' (looked in {Path.cwd()}).")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as e:
        _show_theirs(path)
        raise ShapeError(f"'{path}' does not run ({type(e).__name__}); see above.") from e
    return module


def _show_theirs(path):
    """The traceback of the error at hand, from the first line that is in the student's file."""
    kind, error, trace = sys.exc_info()
    while trace is not None and Path(trace.tb_frame.f_code.co_filename).resolve() != path.resolve():
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)
