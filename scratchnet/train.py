"""One loop trains every network here: draw a batch, encode it once, ask the objective what that costs, step down the slope.

    run = Training(net, pictures, labels, Triplet(rule="semi-hard"), optimizer=Adam(1e-3))
    for epoch in run.epochs(20):                      # a generator: bars, files and curves are the listener's
        print(epoch.i, epoch.J, epoch.scores, *epoch.said)
    run.net.save("encoder.npz")

What is asked of the encodings is in `objectives`: Classifier, Siamese, Triplet. A run is exact: what a seed gives it gives again, and
a run that was saved and resumed goes on, to the bit, as if it had never stopped.
"""

import copy
from dataclasses import dataclass, field

import numpy as np

from scratchnet import checkpoints
from scratchnet.errors import ShapeError
from scratchnet.objectives import OBJECTIVES, Classifier, Siamese, Triplet
from scratchnet.optimizers import Adam

__all__ = ["OBJECTIVES", "Classifier", "Epoch", "Siamese", "Training", "Triplet", "batch_cost"]

HEAD = "head:"                                        # before the names of an objective's own parameters, beside the network's
PROBES = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)   # epochs at which two learning-rate schedules are compared


@dataclass
class Epoch:
    """One epoch: its number from 1 on, the mean J of its batches, its scores, and in words what is wrong with it.

    scores  {"spread": ..., "active": ..., ...}: whole numbers are sums over the epoch's batches, the others means
    said    sentences, for a collapse or for triplets that have run out; empty when there is nothing to say
    """

    i: int
    J: float
    scores: dict
    said: list = field(default_factory=list)


def batch_cost(net, objective, x, labels, seed, seen=None):
    """f(params) -> (J, gradients) for an optimiser or for the checker: one batch, as a function of all parameters.

    x, labels  pictures (m, n_H, n_W, n_C) and who is in each (m,)
    seed       of whatever is drawn at random on the way (dropout, triplets), so that f is a function
    seen       a dict that f fills with the objective's "scores" and the network's new "state", if given
    params are the network's, and with "head:" in front of their names the objective's own.
    """
    last = net.names[-1]

    def f(params):
        rng = np.random.default_rng(seed)
        at = net.with_params(params)
        a, caches = at.forward(x, keep=[last], training=True, rng=rng)
        J, df, d_head, scores = objective.cost(a[last], labels, _head(params), rng)
        if seen is not None:
            seen.update(scores=scores, state=at.new_state(caches))
        grads = at.backward({last: df}, caches, to_x=False, release=True)[1]
        return J, {**grads, **{HEAD + name: g for name, g in d_head.items()}}
    return f


class Training:
    """A run of training: what goes on from epoch to epoch, in memory, in a file and back.

    net               a Network that gives encodings (m, n_f); it stays as it is, the trained one is `run.net`
    pictures, labels  (m, n_H, n_W, n_C), uint8 or floats in [0, 1], and who is in each, (m,)
    objective         Classifier(...), Siamese(...) or Triplet(...)
    optimizer         anything with step(f, x); None: Adam(0.001). A copy is taken
    augment           augment(pictures of a batch, rng) -> pictures, or None
    learning_rate     a function of the epochs done so far, fractions of an epoch included; None: the optimiser's own, all along
    batches_per_epoch  None: what the objective calls an epoch
    Raises ShapeError for what does not fit, before any work.
    """

    def __init__(self, net, pictures, labels, objective, optimizer=None, augment=None, learning_rate=None, seed=0, batches_per_epoch=None):
        self.pictures, self.labels = _expect_pictures(pictures, labels)
        self.objective, self.augment, self.learning_rate, self.seed = objective, augment, learning_rate, seed
        if batches_per_epoch is not None and (not isinstance(batches_per_epoch, (int, np.integer)) or batches_per_epoch < 1):
            raise ShapeError(f"batches_per_epoch = {batches_per_epoch!r}; expected a whole number from 1 up, or None.")
        if net.frozen:
            raise ShapeError("this network is frozen; training changes its parameters. Build it anew and load its file.")
        self.batches_per_epoch = batches_per_epoch
        self.optimizer = Adam() if optimizer is None else copy.deepcopy(optimizer)
        self.rng = np.random.default_rng(seed)
        self._settings = {"network": repr(net), "objective": repr(objective),
                          "optimizer": checkpoints.optimizer_settings(self.optimizer, ("learning_rate",) if learning_rate else ()),
                          "learning rate": _schedule(learning_rate),
                          "augment": _named(augment), "seed": repr(seed), "batches_per_epoch": batches_per_epoch}
        self._net = net
        n_f = self._expect_encodings()
        head = objective.params(n_f, len(np.unique(self.labels)), np.random.default_rng(seed))
        dtype = self._dtype()
        self.params = {**net.params, **{HEAD + name: np.asarray(array, dtype) for name, array in head.items()}}
        self.state = net.state
        self._finished = self._snapshot([])

    @property
    def i(self):
        """How many epochs are finished."""
        return len(self.history)

    @property
    def history(self):
        """Every finished Epoch."""
        return self._finished["history"]

    @property
    def net(self):
        """The network as it is now, its parameters and BatchNorm's state."""
        return self._net.with_params(self.params, self.state)

    @property
    def head(self):
        """What the objective has learnt besides the network, {"w": array, "b": array}; empty where it has no head."""
        return _head(self.params)

    # -------------------------------------------------------------------------------------------------------- the loop

    def epochs(self, n):
        """n more epochs: a generator that yields an Epoch each.

        Where one was interrupted, the next call begins from the last finished epoch. Raises NumericsError when J stops being finite;
        run.net is then that of the last finished step.
        """
        for _ in range(n):
            self._restore(self._finished)
            yield self._epoch()

    def _epoch(self):
        costs, seen = [], []
        batches = self._batches()
        for k, index in enumerate(batches):
            if self.learning_rate is not None:
                self.optimizer.learning_rate = float(self.learning_rate(self.i + k / len(batches)))
            J, scores = self._step(index)
            costs.append(float(J))
            seen.append(scores)
        scores = _gathered(seen)
        before = self.history[-1].scores if self.history else None
        epoch = Epoch(self.i + 1, float(np.mean(costs)), scores, self.objective.said(scores, before))
        self._finished = self._snapshot([*self.history, epoch])
        return epoch

    def _step(self, index):
        """One batch -> J and its scores; parameters and state move on."""
        x, seed, seen = self._batch(index, self.rng), self.rng.integers(2 ** 63), {}
        f = batch_cost(self.net, self.objective, x, self.labels[index], seed, seen)
        self.params, J = self.optimizer.step(f, self.params)
        self.state = seen["state"]
        return J, seen["scores"]

    def _batches(self):
        """The index arrays of one epoch; the objective's own epoch, repeated or cut where batches_per_epoch says so."""
        wanted = self.batches_per_epoch
        batches = list(self.objective.batches(self.labels, self.rng))
        while wanted is not None and len(batches) < wanted:
            batches += self.objective.batches(self.labels, self.rng)
        return batches[:wanted]

    def _batch(self, index, rng):
        """Pictures of a batch as floats of the network's precision, varied if so wished."""
        x = self.pictures[index]
        x = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x
        x = x if self.augment is None else self.augment(x, rng)
        return np.asarray(x).astype(self._dtype(), copy=False)

    def _dtype(self):
        return next(iter(self._net.params.values())).dtype

    def _expect_encodings(self):
        """n_f, after one batch was drawn and one picture encoded: what does not fit shall be known before the long work."""
        index = next(iter(self.objective.batches(self.labels, np.random.default_rng(self.seed))))
        last = self._net.names[-1]
        f = self._net.forward(self._batch(index[:1], np.random.default_rng(self.seed)), keep=[last], params=False)[0][last]
        if f.ndim != 2:
            raise ShapeError(f"the network ends in {last!r} with shape {f.shape}; expected encodings (m, n_f). "
                             "Put Flatten() and a Dense layer at its end.")
        return f.shape[1]

    # ------------------------------------------------------------------------------------------------- files and back

    def _snapshot(self, history):
        """All that goes on from epoch to epoch. Arrays are never changed in place here, so references are enough."""
        return dict(params=self.params, state=self.state, optimizer=self.optimizer.state(), rng=self.rng.bit_generator.state,
                    history=history)

    def _restore(self, at):
        self._finished = at
        self.params, self.state = at["params"], at["state"]
        self.optimizer.load_state(at["optimizer"])
        self.rng.bit_generator.state = at["rng"]

    def save(self, path):
        """The last finished epoch into one .npz, whole or not at all; the file that was there stays beside it as NAME.previous.npz."""
        at = self._finished
        arrays = {f"{part}:{name}": array for part in ("params", "state", "optimizer") for name, array in at[part].items()}
        arrays["J"] = np.array([epoch.J for epoch in at["history"]])
        for name in dict.fromkeys(name for epoch in at["history"] for name in epoch.scores):
            arrays[f"score:{name}"] = np.array([epoch.scores[name] for epoch in at["history"]])
        checkpoints.save(path, arrays, {"done": f"epoch {self.i}", "rng": at["rng"], "settings": self.settings()})

    def load(self, path):
        """Goes on from a file of save, to the bit as if never stopped. -> self

        A damaged file is put aside as NAME.corrupt and the previous one taken, with a warning. Raises FileNotFoundError, and
        WeightsError where no file is whole or where the file's run had other settings, pictures or network, each named.
        """
        arrays, notes = checkpoints.load(path, self.settings(), "training")
        parts = {part: {} for part in ("params", "state", "optimizer", "score")}
        for name, array in arrays.items():
            part, colon, key = name.partition(":")
            if colon:
                parts[part][key] = array
        history = []
        for k, J in enumerate(arrays["J"].tolist()):
            scores = {name: values[k].item() for name, values in parts["score"].items()}
            history.append(Epoch(k + 1, J, scores, self.objective.said(scores, history[-1].scores if history else None)))
        self._restore({**{part: parts[part] for part in ("params", "state", "optimizer")}, "rng": notes["rng"], "history": history})
        return self

    def settings(self):
        """What a resumed run must share with the one that was saved, {name: text or number}."""
        if "pictures" not in self._settings:
            self._settings["pictures"] = f"{self.pictures.shape}, hash {checkpoints.fingerprint(self.pictures, self.labels)}"
        return checkpoints.as_kept(self._settings)


def _head(params):
    return {name.removeprefix(HEAD): array for name, array in params.items() if name.startswith(HEAD)}


def _gathered(seen):
    """Scores of batches -> of the epoch: whole numbers added up, others averaged over the batches that have them."""
    scores = {}
    for name in dict.fromkeys(name for batch in seen for name in batch):
        values = [batch[name] for batch in seen if name in batch]
        scores[name] = sum(values) if isinstance(values[0], int) else float(np.mean(values))
    return scores


# ---- what makes two runs the same run ---------------------------------------------------------------------------------------

def _named(function):
    """A function's name, for its code cannot be compared; its settings too, where it shows them: functools.partial, a dataclass."""
    if function is None:
        return None
    if hasattr(function, "func"):
        return f"{_named(function.func)}({function.args}, {function.keywords})"
    own = type(function).__repr__ is not object.__repr__ and not hasattr(function, "__qualname__")
    return repr(function) if own else getattr(function, "__qualname__", type(function).__qualname__)


def _schedule(learning_rate):
    """A schedule by its values, because a function cannot be compared."""
    return None if learning_rate is None else [float(learning_rate(t)) for t in PROBES]


def _expect_pictures(pictures, labels):
    """Pictures as they are, labels as 0 ... people - 1."""
    pictures, labels = np.asarray(pictures), np.asarray(labels)
    if pictures.ndim != 4 or labels.shape != pictures.shape[:1] or not len(pictures):
        raise ShapeError(f"pictures have shape {pictures.shape} and labels {labels.shape}; expected (m, n_H, n_W, n_C) and (m,), m > 0.")
    if pictures.dtype not in (np.uint8, np.float32, np.float64):
        raise ShapeError(f"pictures are of {pictures.dtype}; expected uint8, or float32 or float64 in [0, 1].")
    return pictures, np.unique(labels, return_inverse=True)[1]
