"""One number of J turned at a time and everything else left as it was: three sheets of paintings, with what each of them costs.

    python -m benchmarks.sweeps --out DIR [--data FOLDER] [--weights FILE] [--size 224] [--steps 100] [--sheets ratio ...]

    ratio.png     alpha/beta over five decades
    lambda.png    lambda on one layer after the other, and on all
    halves.png    beta = 0, the content alone, and alpha = 0, the style alone, beside C and S

The pictures of a sheet have one start and one number of steps, of L-BFGS, which has no rate that would suit one better than
another. All are measured alike, whatever they were painted for: J_content = ||a_C - a_G||^2 / ||a_C||^2 at relu4_2, J_style the
mean over relu1_1 ... relu5_1 of ||G_S - G_G||^2 / ||G_S||^2. What a sheet should show is then asserted. C and S are the portrait
that ships with matplotlib and a drawn sky, or, with --data, pictures/content/tubingen.jpg and pictures/style/starry_night.jpg of
FOLDER; the network is the one that ships, or, with --weights, VGG-19.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scratchnet import datasets, images, models, plots, style
from scratchnet.optimizers import LBFGS
from scratchnet.plots import page

SIZE, STEPS = 224, 100
DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)        # of alpha, beta being 1
WITHIN = 0.02                                         # by so much a number may go the wrong way: descent has not quite arrived


@dataclass(frozen=True)
class Sweep:
    """A sheet: what all of its pictures share, and {title: what only one of them has}."""

    title: str
    shared: dict
    single: dict


PHOTOGRAPH, NOISE = dict(start="content", tv=0.2), dict(start="noise", seed=0, tv=0.5)         # tv: against grain that no layer sees
SWEEPS = {
    "ratio":  Sweep("α/β over five decades", {**PHOTOGRAPH, "beta": 1}, {f"α/β = {alpha:g}": dict(alpha=alpha) for alpha in DECADES}),
    "lambda": Sweep("λ on one layer after the other", {**PHOTOGRAPH, "alpha": 0.3, "beta": 1},
                    {**{f"λ on {l} alone": dict(lam={l: 1.0}) for l in style.STYLE_LAYERS}, "λ = 1/5 on all five": {}}),
    "halves": Sweep("Content alone and style alone", NOISE, {"β = 0": dict(alpha=1.0, beta=0.0), "α = 0": dict(alpha=0.0, beta=1.0)}),
}


def paint(net, C, S, steps, sweep):
    """{title: the picture painted with these settings}, clipped as a file would be."""
    painted = {}
    for title, settings in sweep.single.items():
        run = style.transfer(net, C, S, steps, optimizer=LBFGS(), **sweep.shared, **settings)
        for step in tqdm(run, total=steps + 1, desc=title, leave=False):
            pass
        painted[title] = np.clip(step.G, 0, 1)
    return painted


# ------------------------------------------------------------------------------------------------- what each should show


def check_ratio(found, before):
    """The more alpha, the nearer to the content and the farther from the style; at the ends, most of the way."""
    content, of_style = ([getattr(step, name) for step in found.values()] for name in ("J_content", "J_style"))
    expect(goes_down(content), f"J_content falls as alpha rises: {line(content)}")
    expect(goes_down(of_style[::-1]), f"J_style falls as beta rises: {line(of_style[::-1])}")
    expect(content[-1] < 0.05 * content[0], "at the largest alpha J_content is below a twentieth of that at the smallest")
    expect(of_style[0] < 0.2 * before.J_style, "at the smallest alpha J_style is below a fifth of the photograph's")
    expect(of_style[-1] > 0.8 * before.J_style, "at the largest it is above four fifths of it")


def check_lambda(found, before):
    """Of the pictures painted for one layer each is nearest to S at its own; in the mean of all layers, the one painted for all is."""
    table = np.array([[step.per_layer[l] for l in style.STYLE_LAYERS] for step in found.values()])
    print(f"{'J_style at':30}" + "".join(f"{l:>10}" for l in style.STYLE_LAYERS))
    for title, row in zip(["the photograph", *found], [list(before.per_layer.values()), *table]):
        print(f"{title:30}" + "".join(f"{J_l:10.4f}" for J_l in row))
    for k, l in enumerate(style.STYLE_LAYERS):
        expect(table[:-1, k].argmin() == k, f"of the pictures painted for one layer, nearest to S at {l} is that of {l}")
    expect(table.mean(axis=1).argmin() == len(table) - 1, "nearest to S in the mean of all layers is the picture painted for all")


def check_halves(found, before):
    """Content alone knows nothing of S, and style alone nothing of C."""
    content, of_style = found.values()
    expect(content.J_content < 0.2 * before.J_content, "without beta J_content falls to a fifth of what it is for noise")
    expect(of_style.J_style < 0.2 * content.J_style, "without alpha J_style falls to a fifth of what it is without beta")
    expect(of_style.J_content > 3 * content.J_content, "without alpha J_content stays at three times what it is without beta")


CHECKS = {"ratio": check_ratio, "lambda": check_lambda, "halves": check_halves}


def expect(holds, words):
    """Says it, or raises AssertionError."""
    assert holds, f"not so: {words}"
    print(f"  {words}")


def goes_down(numbers):
    """Whether each number is at most WITHIN above the one before."""
    return all(b <= (1 + WITHIN) * a for a, b in zip(numbers, numbers[1:]))


def line(numbers):
    return " ".join(f"{J:.3g}" for J in numbers)


# ------------------------------------------------------------------------------------------------------------- the sheet


def draw(path, C, S, painted, found, sweep, steps, network):
    """C and S, then the pictures, each with its numbers."""
    start = "the same noise" if sweep.shared["start"] == "noise" else "C"
    titles = [f"{title}\nJ_content {page.short(found[title].J_content)}\nJ_style {page.short(found[title].J_style)}" for title in painted]
    alpha, beta = sweep.shared.get("alpha", "α"), "" if sweep.shared.get("beta") == 1 else "β "
    subtitle = (f"J = {alpha} J_content + {beta}J_style + {sweep.shared['tv']} J_tv;   {network}, all from {start}, "
                f"{steps} steps of L-BFGS")
    plots.contact_sheet(path, [C, S, *painted.values()], ["content, C", "style, S", *titles], columns=4, heading=(sweep.title, subtitle))


def main():
    """Paints, draws and checks one sheet after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the sheets")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where pictures/ are (default: pictures that need no files)")
    parser.add_argument("--weights", metavar="FILE", help="a file of VGG-19, or vgg19 (default: the network that ships)")
    parser.add_argument("--size", type=int, default=SIZE, help=f"longer side in pixels (default: {SIZE})")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of each picture (default: {STEPS})")
    parser.add_argument("--sheets", nargs="+", choices=[*SWEEPS], default=[*SWEEPS], help="which (default: all)")
    arguments = parser.parse_args()
    if arguments.data:
        C = images.load(arguments.data / "pictures/content/tubingen.jpg", arguments.size)
        S = images.load(arguments.data / "pictures/style/starry_night.jpg", arguments.size)
    else:
        C, S = images.sample_photograph(arguments.size), datasets.swirling_sky(arguments.size * 3 // 4, arguments.size)
    net = (models.vgg19(arguments.weights) if arguments.weights else models.small_vgg()).freeze(until="relu5_1")
    arguments.out.mkdir(parents=True, exist_ok=True)
    cost = style.TotalCost(net, C, S)
    for name in arguments.sheets:
        sweep = SWEEPS[name]
        painted = paint(net, C, S, arguments.steps, sweep)
        found = {title: cost.step(G, arguments.steps) for title, G in painted.items()}
        path = arguments.out / f"{name}.png"
        draw(path, C, S, painted, found, sweep, arguments.steps, "VGG-19" if arguments.weights else "the network that ships")
        print(path)
        CHECKS[name](found, cost.step(style.starting_picture(C, sweep.shared["start"], seed=0), 0))


if __name__ == "__main__":
    main()
