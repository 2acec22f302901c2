"""How the face encoder that ships was trained: by triplets of real people, with this package alone.

    python -m benchmarks.train_face_encoder --data FOLDER --out FOLDER [--epochs 200] [--held-out]

FOLDER holds faces/orl (AT&T Laboratories Cambridge; of its 40 people s01 ... s30 are trained on, the last ten never) and
faces/lfw_fold1 (807 pictures of 435 people of Labeled Faces in the Wild; of most there is one picture, which is taken twice, because no
two variations of it are alike). A batch is ten people of the one and ten of the other, up to four pictures each, every time varied anew
(augment.vary); the lecture's triplet loss with margin 0.2, semi-hard negatives. An epoch is 10 batches. Adam, 0.002
after a short rise, then a cosine to zero.

--held-out keeps s21 ... s30 and every fifth person of LFW out of training and says how well these are known: with it, settings were
chosen, so that s31 ... s40 stay unseen until the last number. In OUT: checkpoint.npz (the same command goes on from it, as if never
stopped), curves.png, and at the end face_encoder.npz in float16.
"""

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.data_folder import add_data
from benchmarks.faces import score
from scratchnet import faces, people, plots, threshold
from scratchnet.augment import vary
from scratchnet.mining import people_batches
from scratchnet.models.face_encoder import untrained
from scratchnet.similarity import squared_euclidean
from scratchnet.train import Training, Triplet

LFW_BOX = (67, 49, 183, 184.5)                        # left, top, right, bottom: the face in LFW's aligned pictures of 250 x 250
P, K, BATCHES = 10, 4, 10
LEARNING_RATE, RISE = 0.002, 5                        # RISE in epochs
CHECKPOINT = 120                                      # seconds


@dataclass(frozen=True)
class FromBoth(Triplet):
    """Triplet batches with P people of ORL and P of LFW, so that the many of LFW do not crowd out ORL's ten pictures each.

    first_of_lfw  labels below are ORL's         An epoch is BATCHES batches.
    """

    first_of_lfw: int = 30

    def batches(self, labels, rng):
        groups = [np.flatnonzero(labels < self.first_of_lfw), np.flatnonzero(labels >= self.first_of_lfw)]
        for both in itertools.islice(zip(*(self._without_end(labels[group], rng) for group in groups)), BATCHES):
            yield np.concatenate([group[index] for group, index in zip(groups, both)])

    def _without_end(self, labels, rng):
        """One order of people after the other."""
        while True:
            yield from people_batches(labels, self.P, self.K, rng)


def pictures_of(some, box=None):
    """The pictures of a People, cut and brought to the encoder's size, (m, 56, 48, 3) uint8."""
    net = untrained()
    return np.concatenate([np.round(255 * faces.cut(net, path, box)).astype(np.uint8) for path in some.paths])


def training_set(data, held_out):
    """-> pictures, labels (0 ... 29 are ORL's, the others LFW's), and a mask of those who are held out."""
    orl = people.orl(data / "faces/orl", range(1, 31))
    lfw = people.lfw(data / "faces/lfw_fold1").people
    x = np.concatenate([pictures_of(orl), pictures_of(lfw, LFW_BOX)])
    labels = np.concatenate([orl.labels, len(orl.names) + lfw.labels])
    left_out = np.where(labels < len(orl.names), labels >= 20, labels % 5 == 0)
    return x, labels, left_out if held_out else np.zeros(len(x), bool)


def trained_on(labels, left_out):
    """Which pictures, by number: all that are not held out, and a person's only picture twice."""
    known = np.flatnonzero(~left_out)
    return np.concatenate([known, known[np.bincount(labels)[labels[known]] == 1]])


def judged(net, x, labels, left_out):
    """How well those are known who were held out -> {"identified", "auc", "lfw_auc"}"""
    orl, lfw = left_out & (labels < 30), left_out & (labels >= 30)
    known = score(faces.encode(net, x[orl], batch=64), labels[orl] - labels[orl].min())
    f, who = faces.encode(net, x[lfw], batch=64), labels[lfw]
    i, j = np.triu_indices(len(f), 1)
    return {**known, "lfw_auc": threshold.auc(squared_euclidean(f[i], f[j]), who[i] == who[j])}


def learning_rate(epochs):
    """Up in a straight line, then half a cosine down to zero; of the epochs done so far."""
    return lambda done: LEARNING_RATE * min(1, (done + 0.1) / RISE) * 0.5 * (1 + np.cos(np.pi * min(1, done / epochs)))


def main():
    """Trains, or goes on training, and writes what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    x, labels, left_out = training_set(arguments.data, arguments.held_out)
    known = trained_on(labels, left_out)
    run = Training(untrained(np.random.default_rng(arguments.seed)), x[known], labels[known],
                   FromBoth(margin=0.2, rule="semi-hard", P=P, K=K, first_of_lfw=20 if arguments.held_out else 30), augment=vary,
                   learning_rate=learning_rate(arguments.epochs), seed=arguments.seed)
    checkpoint, saved = arguments.out / "checkpoint.npz", time.monotonic()
    if checkpoint.exists():
        run.load(checkpoint)
    bar = tqdm(run.epochs(arguments.epochs - run.i), initial=run.i, total=arguments.epochs, desc="training", mininterval=5)
    for epoch in bar:
        bar.set_postfix_str(f"J {epoch.J:.4f}, {epoch.scores['active']} of {epoch.scores['triplets']} active")
        if arguments.held_out and epoch.i % 20 == 0:
            scores = judged(run.net, x, labels, left_out)
            tqdm.write(f"epoch {epoch.i}: " + ", ".join(f"{name} {value:.4f}" for name, value in scores.items()))
        for sentence in epoch.said:
            tqdm.write(f"epoch {epoch.i}: {sentence}")
        if time.monotonic() - saved > CHECKPOINT:
            run.save(checkpoint)
            saved = time.monotonic()
    run.save(checkpoint)
    plots.triplet_curves(arguments.out / "curves.png", run.history)
    run.net.astype(np.float16).save(arguments.out / "face_encoder.npz")


if __name__ == "__main__":
    main()
