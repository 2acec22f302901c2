"""How the network that ships was trained: it learns to give VGG-19's activations, from photographs, with this package alone.

    python -m benchmarks.train_small_vgg --photos FOLDER --teacher vgg19_conv.npz --out FIRST [--steps 3800]
    python -m benchmarks.train_small_vgg --photos FOLDER --teacher vgg19_conv.npz --out SECOND --start FIRST/small_vgg.npz --steps 2000
    python -m benchmarks.train_small_vgg --photos FOLDER --teacher vgg19_conv.npz --out THIRD --start SECOND/small_vgg.npz --steps 1300

Crops of photographs go through VGG-19 and through the small network; at the six matched layers the relative error

    J = sum_l w[l] ||a^[l] - t^[l]||^2 / ||t^[l]||^2          t = VGG-19's activation, of unit root mean square per layer

is minimised by Adam. It steps W / s, with s the spread that He's rule gives the layer's filters: so a step changes every layer by
the same share, where steps of W itself are too small for the first layer and too large for the last. The learning rate is 0.06
after a short rise, then a cosine to zero.

Each matched layer learns first from its own error alone: in the first half of the steps no gradient passes backward through a matched
layer, in the second half a quarter of it. When all of it passed from the start, the errors of the deep layers, large and
noisy at first, kept the shallow ones from learning (relu1_1 stood at 0.64 after 200 steps; alone it is at 0.05).

Crops are scaled, flipped, recoloured, mixed and made noisy, because the pictures that style transfer makes on its way are no
photographs. They are no recoloured photographs either: descent on pixels finds just those pictures in which the small network errs.
So the other two commands, which go on from what the one before has made (--start), let the network paint while it learns,
photographs in the style of other photographs or of drawn skies, and put crops of what it painted, half-finished stages among them,
into every batch. That brought the style distance from 0.143 to 0.124 and the content distance from 0.56 to 0.45
(benchmarks/shipped_network.py, then at alpha 0.35 without total variation). In OUT: checkpoint.npz (every few minutes; the same
command goes on from it, as if never stopped), log.csv, curve.png, and at the end small_vgg.npz in float16.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from scratchnet import models, plots, readers, style
from scratchnet.datasets import swirling_sky
from scratchnet.models.small_vgg import MATCHED, small_vgg, untrained
from scratchnet.network import Network
from scratchnet.optimizers import Adam

BATCH, SIDE = 6, 112
WEIGHTS = {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.5, "relu4_2": 2.0, "relu5_1": 1.0}
LEARNING_RATE, WARM_UP = 0.06, 100
AGAIN = 0.02                  # the learning rate with --start: most is learned already
CARRY = 0.25                  # of the gradient that arrives at a matched layer from behind, in the second half
CHECKPOINT = 300              # seconds
CANVAS, STAGES, EVERY = 160, (5, 15, 40, 80), 12      # of a painting: its side, the steps that are kept, and how often there is a new one
PAINTED, KEPT = 3, 200        # crops of paintings in a batch, and stages in store


class Crops:
    """Batches of crops, (BATCH, SIDE, SIDE, 3) in [0, 1], float32; the generator's state and the paintings are all that a resumed
    run needs."""

    def __init__(self, folder, seed):
        self.rng, self.photos, self.paintings = np.random.default_rng(seed), [], []
        for path in tqdm(sorted(Path(folder).glob("*.jpg")), desc="photographs"):
            with Image.open(path) as photo:
                self.photos.append(photo.convert("RGB").copy())

    def batch(self):
        painted = PAINTED if self.paintings else 0
        crops = np.stack([self._of_painting() for _ in range(painted)] + [self._crop(SIDE) for _ in range(BATCH - painted)])
        if self.rng.random() < 0.15:                   # two scenes at once
            crops = (crops + crops[::-1]) / 2
        for crop in crops[painted:]:
            self._disturb(crop)
        return np.clip(crops, 0, 1, out=crops)

    def _crop(self, to):
        """A square from 0.85 to 2.2 times `to`, at random, resized to `to`; half of them mirrored."""
        photo = self.photos[self.rng.integers(len(self.photos))]
        side = min(int(to * self.rng.uniform(0.85, 2.2)), *photo.size)
        left, top = (self.rng.integers(0, size - side + 1) for size in photo.size)
        crop = photo.resize((to, to), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
        crop = np.asarray(crop, np.float32) / 255
        return crop[:, ::-1] if self.rng.random() < 0.5 else crop

    def _of_painting(self):
        painting = self.paintings[self.rng.integers(len(self.paintings))]
        top, left = self.rng.integers(0, CANVAS - SIDE + 1, 2)
        return painting[top:top + SIDE, left:left + SIDE].astype(np.float32) / 255

    def paint(self, net):
        """One more painting by the network as it is now: some of its stages come into store, the oldest leave it."""
        C, S = self._crop(CANVAS)[None], self._crop(CANVAS)[None]
        if self.rng.random() < 0.4:
            S = swirling_sky(CANVAS, CANVAS, seed=int(self.rng.integers(2 ** 31)))
        alpha = self.rng.uniform(0.1, 0.6)
        for step in style.transfer(net.freeze(), C, S, steps=STAGES[-1], alpha=alpha):
            if step.i in STAGES:
                self.paintings.append(np.round(255 * step.G[0]).astype(np.uint8))
        del self.paintings[:-KEPT]

    def _disturb(self, crop):
        """In place: other colours for some, noise for some."""
        if self.rng.random() < 0.35:
            crop *= self.rng.uniform(0.5, 1.5, 3).astype(np.float32)
            crop += self.rng.uniform(-0.25, 0.25, 3).astype(np.float32)
        if self.rng.random() < 0.25:
            noise = self.rng.standard_normal(crop.shape, dtype=np.float32)
            crop += np.float32(self.rng.uniform(0, 0.15)) * noise


class Teacher:
    """VGG-19's activations at the matched layers, each layer divided by its root mean square over the first batches."""

    def __init__(self, weights, crops):
        self.net = models.vgg19(weights).freeze(until=MATCHED[-1])
        squares = {l: [] for l in MATCHED}
        for _ in range(8):
            for l, a in self._activations(crops.batch()).items():
                squares[l].append(np.mean(a ** 2, dtype=np.float64))
        self.rms = {l: np.float32(np.sqrt(np.mean(s))) for l, s in squares.items()}

    def _activations(self, x):
        return self.net.forward(x, until=MATCHED[-1], keep=MATCHED, params=False)[0]

    def __call__(self, x):
        targets = self._activations(x)
        for l, t in targets.items():
            t /= self.rms[l]
        return targets


def spread(net):
    """{parameter: s}: sqrt(2 / n_in) for the filters of a layer, a tenth for its bias."""
    return {name: np.float32(np.sqrt(2 / np.prod(array.shape[:3])) if array.ndim == 4 else 0.1) for name, array in net.params.items()}


def segments(net):
    """The network cut behind each matched layer: [(layer, Network), ...]."""
    cut, begun = [], {}
    for name, layer in net.layers.items():
        begun[name] = layer
        if name in MATCHED:
            cut.append((name, Network(begun)))
            begun = {}
    return cut


def step_down(net, s, x, targets, carry, errors):
    """f for the optimiser, of params / s: J and its gradients. The relative error of each layer goes into `errors`."""
    def f(params):
        a, way_back = x, []
        for l, segment in segments(net.with_params({name: s[name] * array for name, array in params.items()})):
            out, caches = segment.forward(a, keep=[l], training=True)
            a, target = out[l], targets[l]
            difference = a - target
            square = float(np.vdot(target, target))
            errors[l] = float(np.vdot(difference, difference)) / square
            difference *= np.float32(2 * WEIGHTS[l] / square)
            way_back.append((l, segment, caches, difference))
        dx, grads = None, {}
        for l, segment, caches, da in reversed(way_back):
            if dx is not None:
                da += np.float32(carry) * dx
            dx, own = segment.backward({l: da}, caches, to_x=carry > 0 and l != MATCHED[0], release=True)
            grads.update(own)
        return sum(WEIGHTS[l] * errors[l] for l in MATCHED), {name: s[name] * grads[name] for name in params}
    return f


def learning_rate(i, steps, highest):
    """Up in a straight line, then half a cosine down to zero."""
    return highest * min(1, (i + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * i / steps))


class Run:
    """All that goes on from step to step, in a file and back."""

    def __init__(self, folder, net, crops, teacher):
        self.path, self.net, self.crops, self.teacher = folder / "checkpoint.npz", net, crops, teacher
        self.i, self.s, self.adam, self.log = 0, spread(net), Adam(LEARNING_RATE), []
        self.params = {name: array / self.s[name] for name, array in net.params.items()}

    def save(self):
        arrays = {f"params:{name}": array for name, array in self.params.items()}
        arrays |= {f"adam:{name}": array for name, array in self.adam.state().items()}
        arrays |= {f"rms:{l}": rms for l, rms in self.teacher.rms.items()} | {"log": np.array(self.log)}
        arrays |= {f"painting:{k:04}": painting for k, painting in enumerate(self.crops.paintings)}
        readers.save(self.path, arrays, {"i": self.i, "rng": self.crops.rng.bit_generator.state})

    def load(self):
        arrays, notes = readers.read(self.path, kinds="fiu"), readers.read_notes(self.path)

        def part(prefix):
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        self.i, self.params, self.log = notes["i"], part("params:"), arrays["log"].tolist()
        self.adam.load_state(part("adam:"))
        self.teacher.rms = {l: np.float32(rms) for l, rms in part("rms:").items()}
        self.crops.rng.bit_generator.state = notes["rng"]
        self.crops.paintings = list(part("painting:").values())

    def network(self):
        """The network as it is now."""
        return self.net.with_params({name: self.s[name] * array for name, array in self.params.items()})

    def finish(self, folder):
        """The log as a table and a picture, and the network in float16."""
        with open(folder / "log.csv", "w", newline="") as file:
            csv.writer(file).writerows([("step", *MATCHED), *self.log])
        steps, *errors = zip(*self.log)
        plots.training_curves(folder / "curve.png", steps, dict(zip(MATCHED, errors)), "Relative squared error at each matched layer")
        self.network().astype(np.float16).save(folder / "small_vgg.npz")


def main():
    """Trains, or goes on training, and writes what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--teacher", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--start", metavar="FILE", help="go on from this network, and let it paint")
    parser.add_argument("--steps", type=int, default=3800)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    crops = Crops(arguments.photos, arguments.seed)
    net = small_vgg(arguments.start) if arguments.start else untrained(np.random.default_rng(arguments.seed))
    run = Run(arguments.out, net, crops, Teacher(arguments.teacher, crops))   # the same seed, the same units of the teacher
    if run.path.exists():
        run.load()
    saved, recent = time.monotonic(), []
    bar = tqdm(range(run.i, arguments.steps), initial=run.i, total=arguments.steps, desc="training", mininterval=10)
    for i in bar:
        if arguments.start and i % EVERY == 0:
            crops.paint(run.network())
        x, errors, carry = crops.batch(), {}, CARRY if arguments.start or 2 * i >= arguments.steps else 0
        run.adam.learning_rate = learning_rate(i, arguments.steps, AGAIN if arguments.start else LEARNING_RATE)
        run.params, J = run.adam.step(step_down(run.net, run.s, x, run.teacher(x), carry, errors), run.params)
        run.i = i + 1
        recent.append([errors[l] for l in MATCHED])
        if len(recent) == 50:
            run.log.append([run.i, *np.mean(recent, axis=0)])
            bar.set_postfix_str(" ".join(f"{error:.3f}" for error in run.log[-1][1:]))
            recent = []
        if time.monotonic() - saved > CHECKPOINT:
            run.save()
            saved = time.monotonic()
    run.save()
    run.finish(arguments.out)


if __name__ == "__main__":
    main()
