"""Train an encoder on a folder of people, one subfolder a person: pictures of one person near each other, those of two apart.

The folder of a run holds encoder.npz (for verify and identify), curves.png, run.json, and checkpoint.npz, from which --resume goes on
exactly as if it had never stopped. Of 20 people or more every tenth is kept apart, and the encoder is judged by them.
"""

import json
import platform
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scratchnet import __version__, faces, people, threshold
from scratchnet.atomic import replacing
from scratchnet.augment import vary
from scratchnet.cli import run_folder
from scratchnet.cli.options import number, whole
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.mining import KINDS
from scratchnet.models import siamese_encoder
from scratchnet.models.face_encoder import untrained
from scratchnet.optimizers import Adam
from scratchnet.similarity import all_pairs, squared_euclidean
from scratchnet.train import Classifier, Siamese, Training, Triplet

NETWORKS = {                                          # name: what builds it untrained, of a size and a seed; the side it likes best
    "face_encoder": (lambda size, seed: untrained(np.random.default_rng(seed)), None),
    "siamese":      (lambda size, seed: siamese_encoder(size, seed=seed), 64),
}
LOSSES = {                                            # name: the objective, of the options and the number of people; its own margin
    "triplet":     (lambda options, n: Triplet(options.margin, options.rule, P=min(20, n), K=4), 0.2),
    "contrastive": (lambda options, n: Siamese("contrastive", options.margin), 1.0),
    "classifier":  (lambda options, n: Classifier(), None),
}
RULES = ("semi-hard", "batch-hard", "violator", "random", "all", "hardest", "distance-weighted")
LEARNING_RATE, HALF = 2e-3, 20                        # of Adam, and after how many epochs it is half, a third after twice as many
CHECKPOINT = 180                                      # seconds
LEAST_BATCHES = 16                                    # in an epoch, so that few people make no epochs of a single step


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    add = parser.add_argument
    add("folder", metavar="FOLDER_OF_PEOPLE", type=Path, help="one subfolder a person, with pictures cut to the face in it")
    add("--out", metavar="DIR", type=Path, help="folder of the run (default: the next free out/train-N)")
    add("--epochs", type=whole(1), default=80, help="how many, those before --resume included (default: 80)")
    add("--loss", choices=LOSSES, default="triplet", help="what the encoder is trained for (default: triplet)")
    add("--rule", choices=RULES, help="which triplets of a batch to take (default: semi-hard)")
    add("--margin", type=number(0), help="of the loss (default: 0.2 between squared distances; contrastive: 1)")
    add("--network", choices=NETWORKS, default="face_encoder", help="what is trained, from random filters on (default: face_encoder)")
    add("--size", type=whole(16), metavar="PIXELS", help="side of the pictures for siamese (default: 64); face_encoder has its own")
    add("--seed", type=int, default=0, help="of first parameters, batches and triplets (default: 0)")
    add("--resume", action="store_true", help="go on with the run that --out holds; its settings must be the same")


def run(arguments):
    """Trains, and fills the folder. -> exit code; 130 after Ctrl-C, with the last finished epoch saved."""
    _fill_in(arguments)
    build, _ = NETWORKS[arguments.network]
    net, crowd = build(arguments.size, arguments.seed), people.folder(arguments.folder)
    if _able(crowd) < 2:
        raise ShapeError(f"{len(crowd.names)} people, {_able(crowd)} of them with two pictures or more; expected at least 2 such people: "
                         "what one person's pictures have in common is learnt from two of them. Add pictures.")
    folder = _folder(arguments)
    known, others = _split(crowd)
    pictures = _load(net, known.paths)
    objective, _ = LOSSES[arguments.loss]
    training = Training(net, pictures, known.labels, objective(arguments, _able(known)), Adam(), vary, _slower,
                        seed=arguments.seed, batches_per_epoch=max(LEAST_BATCHES, -(-len(pictures) // 32)))
    if arguments.resume:
        training.load(folder / "checkpoint.npz")
    print(f"{training.objective}\n{net.name}, {sum(p.size for p in net.params.values()):,} parameters, pictures of "
          f"{'x'.join(map(str, net.layers['input'].size))}; epochs of {training.batches_per_epoch} batches, to be found in {folder}")
    stopped = _listen(training, arguments.epochs, folder)
    if training.i == 0:
        print("stopped before the first epoch was done; nothing is kept.", file=sys.stderr)
        return 130
    training.save(folder / "checkpoint.npz")
    if stopped:
        print(f"stopped after epoch {training.i} of {arguments.epochs}, J = {training.history[-1].J:.4g}. Go on with: "
              f"python -m scratchnet {_again(folder)}", file=sys.stderr)
        _draw(training, folder)
        return 130
    _finish(training, folder, arguments, (pictures, known), others)
    return 0


# ------------------------------------------------------------------------------------------------------ before the run


def _fill_in(arguments):
    """Defaults that hang on other options; what fits no loss is refused."""
    own = LOSSES[arguments.loss][1]
    if arguments.margin is not None and own is None:
        raise ShapeError(f"--margin {arguments.margin:g}: {arguments.loss} has none. Leave it out, or take --loss triplet.")
    if arguments.rule is not None and arguments.loss != "triplet":
        raise ShapeError(f"--rule {arguments.rule} chooses triplets, and --loss {arguments.loss} has none. Leave it out.")
    arguments.margin = own if arguments.margin is None else arguments.margin
    arguments.rule = arguments.rule or "semi-hard"
    side = NETWORKS[arguments.network][1]
    if arguments.size is not None and side is None:
        raise ShapeError(f"--size {arguments.size}: {arguments.network} has a size of its own. Leave it out, or take --network siamese.")
    arguments.size = arguments.size or side


def _slower(done):
    """The learning rate after so many epochs. No end is in it, so that a run can be prolonged."""
    return LEARNING_RATE / (1 + done / HALF)


def _folder(arguments):
    """A folder that can be written, found out before the long work. Raises ShapeError when it holds another run, or none to resume."""
    if arguments.out is None and arguments.resume:
        raise ShapeError("--resume without --out: which run? Give its folder, --out out/train-1.")
    folder = run_folder.named(arguments.out, "train")
    if folder.resolve().is_relative_to(arguments.folder.expanduser().resolve()):
        raise ShapeError(f"'{folder}' lies among the people and would be taken for one of them. Take an --out elsewhere.")
    there = [name for name in ("checkpoint.npz", "checkpoint.previous.npz") if (folder / name).exists()]
    if there and not arguments.resume:
        raise ShapeError(f"'{folder}' holds a run of {run_folder.made(folder / there[0])}. --resume goes on with it; for a new one "
                         "take another --out.")
    if arguments.resume and not there:
        raise ShapeError(f"'{folder}' holds no checkpoint.npz, so there is nothing to resume. Give the folder of a run.")
    return run_folder.writable(folder)


def _able(crowd):
    """How many have two pictures or more."""
    return int(np.sum(np.bincount(crowd.labels) >= 2))


def _split(crowd):
    """The people to train on and those to be judged by, None when they are few; said in words."""
    counts = np.bincount(crowd.labels)
    able = np.flatnonzero(counts >= 2)
    apart = able[9::10]
    if len(apart) < 2:
        print(f"{len(counts)} people, {len(crowd.paths)} pictures. Too few to keep some apart (20 with two pictures would do): what is "
              "measured at the end is how well it knows those it was trained on.")
        return crowd, None
    names = ", ".join(crowd.names[who] for who in apart[:5]) + (", ..." if len(apart) > 5 else "")
    is_apart = np.isin(np.arange(len(counts)), apart)
    known, others = _only(crowd, ~is_apart), _only(crowd, is_apart)
    print(f"{len(known.names)} people, {len(known.paths)} pictures to train on; kept apart, to judge by: {len(apart)} people, "
          f"{len(others.paths)} pictures ({names}).")
    return known, others


def _only(crowd, chosen):
    """The people chosen, (number of people,) booleans -> People, numbered anew."""
    labels = np.cumsum(chosen) - 1
    rows = np.flatnonzero(chosen[crowd.labels])
    return people.People([name for name, is_in in zip(crowd.names, chosen) if is_in], labels[crowd.labels[rows]],
                         [crowd.paths[i] for i in rows])


def _load(net, paths):
    """Pictures as the network sees them, cut by the rule of faces.cut, in bytes: a quarter of the memory of floats."""
    return np.concatenate([np.rint(faces.cut(net, path) * 255).astype(np.uint8) for path in tqdm(paths, "pictures", leave=False)])


# --------------------------------------------------------------------------------------------------------- during, after


def _listen(training, epochs, folder):
    """Runs to the end under a bar, with a checkpoint every few minutes. -> whether Ctrl-C came"""
    saved, said = time.monotonic(), set()
    bar = tqdm(total=epochs, initial=training.i, unit="epoch", dynamic_ncols=True)
    try:
        for epoch in training.epochs(epochs - training.i):
            bar.set_postfix_str(_in_a_line(epoch), refresh=False)
            bar.update()
            for sentence in epoch.said:
                if sentence.partition(":")[0] not in said:             # once, not at every epoch that it lasts
                    bar.write(f"epoch {epoch.i}: {sentence}", file=sys.stderr)
            said = {sentence.partition(":")[0] for sentence in epoch.said}
            if time.monotonic() - saved > CHECKPOINT:
                training.save(folder / "checkpoint.npz")
                _draw(training, folder)
                saved = time.monotonic()
    except KeyboardInterrupt:
        return True
    except NumericsError:
        if training.i:
            training.save(folder / "checkpoint.npz")
        raise
    finally:
        bar.close()
    return False


def _in_a_line(epoch):
    """What the bar shows: J, and how much there is to learn from."""
    scores = epoch.scores
    if "triplets" in scores:
        easy, there = scores["there easy"], sum(scores[f"there {kind}"] for kind in KINDS)
        return f"J {epoch.J:.4g}, {scores['active']} active triplets; {1 - easy / there:.1%} of all could teach"
    return f"J {epoch.J:.4g}, right {scores['accuracy']:.0%}"


def _again(folder):
    """The words that go on with this run."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    named = any(word == "--out" or word.startswith("--out=") for word in words)
    return shlex.join([*words, *([] if named else ["--out", str(folder)]), "--resume"])


def _draw(training, folder):
    """The curves of the run, over its steps."""
    from scratchnet import plots                      # matplotlib only once there is something to draw
    history = training.history
    steps = [epoch.i * training.batches_per_epoch for epoch in history]
    curves = {"J": [epoch.J for epoch in history], "spread": [epoch.scores["spread"] for epoch in history]}
    for key, name in (("d_same", "d, one person"), ("d_different", "d, two people")):
        if key in history[0].scores:
            curves[name] = [epoch.scores[key] for epoch in history]
    if "triplets" in history[0].scores:
        curves["active triplets a batch"] = [epoch.scores["active"] / training.batches_per_epoch for epoch in history]
    plots.training_curves(folder / "curves.png", steps, curves, "Training: cost, distances, and what is left to learn from")


def _finish(training, folder, arguments, known, others):
    """The encoder, its score in words, the curves, and the numbers of all epochs."""
    net = training.net
    pictures, crowd = known if others is None else (_load(net, others.paths), others)
    judged_on = "people that it was trained on" if others is None else "people it never saw"
    score = _score(faces.encode(net, pictures, batch=64), crowd)
    net.save(folder / "encoder.npz", {"network": arguments.network, "size": arguments.size, "tau": score["tau"], "made_by": __version__})
    card = dict(command=shlex.join(sys.argv[1:]), network=net.name, epochs=training.i, judged_on=judged_on, score=score,
                settings={key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()},
                versions=dict(scratchnet=__version__, numpy=np.__version__, python=platform.python_version()),
                history=[dict(i=epoch.i, J=epoch.J, **epoch.scores) for epoch in training.history])
    with replacing(folder / "run.json") as file:
        file.write(json.dumps(card, indent=1).encode())
    _draw(training, folder)
    print(f"On {score['people']} {judged_on}: AUC {score['auc']:.3f}; one picture of each known, another goes to the right one "
          f"{score['one_shot']:.0%} of the time (chance {1 / score['people']:.0%}). The threshold with the fewest mistakes on their pairs "
          f"is tau = {score['tau']:.3g}.")
    print(f"{folder / 'encoder.npz'}  (and curves.png, run.json, checkpoint.npz beside it)")


def _score(f, crowd):
    """AUC and the best threshold over all pairs, and one-shot accuracy among all of these people."""
    i, j = np.triu_indices(len(f), 1)
    d, same, n = all_pairs(squared_euclidean, f)[i, j], crowd.labels[i] == crowd.labels[j], len(crowd.names)
    return dict(people=n, pictures=len(f), auc=float(threshold.auc(d, same)), tau=float(threshold.best_tau(d, same)),
                one_shot=faces.one_shot(f, crowd.labels, n).accuracy)
