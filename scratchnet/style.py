"""Neural style transfer: the content of one picture, painted in the style of another, by gradient descent on pixels.

    J(G) = alpha J_content(C, G) + beta J_style(S, G)          G := G - learning_rate dJ/dG, in [0, 1]

The weights of the network stay as they are; what is trained is the picture.

    for step in transfer(net, C, S, steps=200):               # a generator: bars, files and curves are the listener's
        print(step.i, step.J)

    run = Painting(net, C, S)                                 # the same, to be kept in a file and gone on with
    for step in run.steps(200): ...
    run.save("run.npz"); Painting(net, C, S).load("run.npz").steps(400)

Source: course 4, week 4: neural style transfer, cost function. Gatys, Ecker & Bethge 2016; coarse to fine: Gatys et al. 2017.
"""

import copy
import inspect
from dataclasses import dataclass, replace

import numpy as np

from scratchnet import checkpoints, images
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.optimizers import LBFGS, Adam
from scratchnet.starts import NOISE, STARTS, starting_picture
from scratchnet.total_cost import CONTENT_LAYER, LAM, STYLE_LAYERS, Step, Style, TotalCost, as_styles, balanced, expect_styles

__all__ = ["CONTENT_LAYER", "LAM", "LEARNING_RATE", "NOISE", "STARTS", "STYLE_LAYERS", "Painting", "Step", "Style", "TotalCost", "transfer"]

LEARNING_RATE = 0.03                                  # of Adam, in pixels of [0, 1]: 8 of 255 grey levels
PER_SCALE = 100                                       # steps at each of the coarse scales
RISE, WITHIN = 10, 20                                 # J that grew so many times over so many steps, and still does not fall, explodes
UNSAID = {name: said.default for name, said in inspect.signature(TotalCost).parameters.items() if said.default is not said.empty}


def transfer(net, C, S, steps=200, **settings):
    """Paints C in the style of S. A generator of Step 0 (the start) to Step `steps`; settings are those of Painting.

    Raises ShapeError for bad settings at once, NumericsError when J explodes or stops being a number; the last Step yielded is good.
    """
    return Painting(net, C, S, **settings).steps(steps)


@dataclass(frozen=True)
class _At:
    """Where a run is.   lam: those that `balance` has found for this scale; best: the Step with the lowest J of this scale"""

    i: int
    G: np.ndarray
    optimizer: dict
    history: list
    lam: dict | None = None
    best: Step | None = None


class Painting:
    """A run of style transfer: what goes on from step to step, in memory, in a file and back.

    net, C, S    as for TotalCost, which also takes **settings: content_layer, lam, alpha, beta, normalise, tv, strip
    start        "content": G begins as C;  "noise";  "mix": mix noise + (1 - mix) C;  "style";  "grey";  or a picture. See starts.py
    seed, noise  of the noise: its seed, and which kind
    optimizer    anything with step(f, x); None: Adam(learning_rate=0.03). A copy is taken, and it begins anew at each scale
    scales       longer sides of C to paint at first, from coarse to fine, per_scale steps each: strokes grow larger. S and masks
                 shrink with C. Nothing here hangs on how many steps there will be, so that a run can always be prolonged
    balance      True: lambda^[l] is chosen at the start of each scale so that all layers of the style pull equally hard
    clip         True: after each step the pixels are brought back into [0, 1]. False: only where a picture is saved. None: True, but
                 False with L-BFGS, whose memory of slopes it would spoil
    The costs of a Step are those of its own G.
    Raises ShapeError for what does not fit, before any long work.
    """

    def __init__(self, net, C, S, start="content", mix=0.6, seed=0, noise="white", optimizer=None, scales=(), per_scale=PER_SCALE,
                 balance=False, clip=None, **settings):
        self.net, self.C, self.styles = net, images.expect_picture(C, "C"), as_styles(S)
        expect_styles(self.styles, self.C)
        self.sides, self.per_scale = _expect_scales(scales, per_scale, max(self.C.shape[1:3])), int(per_scale)
        self.balance, self.cost_settings = balance, settings
        self.optimizer = Adam(LEARNING_RATE) if optimizer is None else copy.deepcopy(optimizer)
        self.clip = not isinstance(self.optimizer, LBFGS) if clip is None else clip
        if self.clip and isinstance(self.optimizer, LBFGS):
            raise ShapeError("clip = True does not go with L-BFGS, whose memory of slopes it would spoil; pixels are clipped when saved.")
        self._fresh, self._known = self.optimizer.state(), None
        C, styles = self.pictures(self.sides[0])
        G = starting_picture(C, start, mix, seed, images.expect_picture(styles[0].picture, "S"), noise)
        self._settings = {"start": start if isinstance(start, str) else f"a picture, hash {checkpoints.fingerprint(np.asarray(start))}",
                          "mix": mix, "seed": seed, "noise": noise, "optimizer": checkpoints.optimizer_settings(self.optimizer),
                          "scales": self.sides, "per_scale": per_scale, "balance": balance, "clip": self.clip}
        self._at = _At(0, G, self._fresh, [])
        self._enter(C, styles)

    @property
    def i(self):
        """How many updates G has had."""
        return self._at.i

    @property
    def history(self):
        """{"i", "J", "J_content", "J_style", "per_layer", "J_tv"} of every Step so far."""
        return self._at.history

    @property
    def best(self):
        """The Step with the lowest J at the last scale that has one; None before the first Step."""
        return self._at.best

    @property
    def stopped(self):
        """Why the optimiser goes no further, in words; "" while it does."""
        return getattr(self.optimizer, "stopped", "")

    @property
    def over(self):
        """Whether it has come to its end at the finest scale, however many steps were asked for."""
        return bool(self.stopped) and self._scale() == len(self.sides) - 1

    # --------------------------------------------------------------------------------------------------------- the steps

    def steps(self, to):
        """Goes on until G has had `to` updates in all: a generator of a Step for each that there was not yet, the last one included.

        It ends early when the optimiser goes no further: `stopped` says why. Where a step was interrupted, the next call begins
        from the last finished one.   Raises NumericsError when J explodes, or is no number: then with the layer that made it so.
        """
        if not isinstance(to, (int, np.integer)) or to < 0:
            raise ShapeError(f"steps = {to!r}; expected a whole number from 0 up.")
        return self._steps(to)

    def _steps(self, to):
        self.optimizer.load_state(self._at.optimizer)  # an interrupted step may have left it halfway
        self._enter()
        while self.i < to and not self.stopped:
            step, G = self._update()
            if self._finish(step, G):
                yield step
            self._enter()
        step = self._costs_of(self._at.G)
        if self._finish(step):
            yield step

    def _update(self):
        """Step i at G, and the next G; G itself when the optimiser goes no further."""
        i, G, tried = self.i, self._at.G, []

        def f(x):
            step, dx = self.cost(x, i)
            tried.append((x, step))                    # a line search asks at several places; two of them are G and the next G
            return step.J, dx

        try:
            G_next, _ = self.optimizer.step(f, G)
        except NumericsError as e:
            raise NumericsError(self._where_it_broke(G) or str(e)) from e
        step = next((step for x, step in tried if x is G), None) or self._costs_of(G)
        self._known = next(((x, step) for x, step in tried if x is G_next), None)
        return step, np.clip(G_next, 0, 1) if self.clip else G_next

    def _costs_of(self, G):
        """Step i at G, through the network only where no line search has been there already."""
        if self._known and self._known[0] is G:
            return replace(self._known[1], i=self.i)
        return self.cost.step(G, self.i)

    def _finish(self, step, G=None):
        """The run moves on, to the next G if there is one, all in one go. -> whether this Step is a new one."""
        at, new = self._at, not self.history or self.history[-1]["i"] < step.i
        if new:
            row = {name: value for name, value in vars(step).items() if name != "G"}
            better = at.best is None or at.best.G.shape != step.G.shape or step.J < at.best.J
            at = replace(at, history=[*at.history, row], best=step if better else at.best)
        if G is not None and G is not at.G:
            at = replace(at, i=at.i + 1, G=G)
        elif G is not None and self._scale() < len(self.sides) - 1:
            at = replace(at, i=self.per_scale * (self._scale() + 1))       # nothing more to gain here: on to the next scale
        self._at = replace(at, optimizer=self.optimizer.state())
        self._expect_no_explosion(step.i)
        return new

    def _expect_no_explosion(self, i):
        J = [row["J"] for row in self.history[-WITHIN - 1:] if self._scale(row["i"]) == self._scale(i)]
        if len(J) > WITHIN and J[-1] > RISE * J[0] and J[-1] >= J[-WITHIN // 2]:
            rate = getattr(self.optimizer, "learning_rate", None)
            raise NumericsError(f"J rose from {J[0]:.3g} to {J[-1]:.3g} over {WITHIN} steps: "
                                f"lower learning_rate{'' if rate is None else f' (now {rate:g})'}.")

    def _where_it_broke(self, G):
        """Which layer made a number of G that is none, in words; "" when none did."""
        try:
            self.net.forward(G, until=self.cost.keep[-1], keep=self.cost.keep, params=False, check=True)
        except NumericsError as e:
            return f"J is no number at step {self.i}: {e}"
        return ""

    # ----------------------------------------------------------------------------------------------------- coarse to fine

    def _scale(self, i=None):
        """Which of the scales update i belongs to."""
        return min((self.i if i is None else i) // self.per_scale, len(self.sides) - 1)

    def _enter(self, C=None, styles=None):
        """The cost of the scale that the next update belongs to. Where that is a new one, G is resized and descent begins anew."""
        side, at = self.sides[self._scale()], self._at
        if C is None and at.G.shape == self.cost.shape and max(self.cost.shape[1:3]) == side:
            return
        if C is None:
            C, styles = self.pictures(side)
        if at.G.shape != C.shape:
            G = images.resize(np.clip(at.G, 0, 1), C.shape[1:3])
            at = replace(at, G=G, optimizer=self._fresh, lam=None)
        settings = self.cost_settings
        if self.balance:
            lam = at.lam or balanced(TotalCost(self.net, C, styles, **settings), at.G)
            at, settings = replace(at, lam=lam), {**settings, "lam": lam}
        self.cost = TotalCost(self.net, C, styles, **settings)
        self.optimizer.load_state(at.optimizer)
        self._at = at

    def pictures(self, side=None):
        """C and the styles at one scale; None: at the finest."""
        longer = max(self.C.shape[1:3])
        if side in (None, longer):
            return self.C, self.styles
        C, styles = images.resize(self.C, side), []
        for one in self.styles:
            S = images.expect_picture(one.picture, "S")
            mask = one.mask if one.mask is None else _resized(one.mask, C.shape[1:3])
            styles.append(Style(images.resize(S, max(1, round(max(S.shape[1:3]) * side / longer))), one.weight, mask))
        return C, styles

    # ------------------------------------------------------------------------------------------------------ files and back

    def save(self, path):
        """The last finished step into one .npz, whole or not at all; the file that was there stays beside it as NAME.previous.npz."""
        at, history = self._at, self._at.history
        arrays = {"G": at.G, **{f"optimizer:{name}": array for name, array in at.optimizer.items()}}
        arrays.update({name: np.array([row[name] for row in history]) for name in ("i", "J", "J_content", "J_style", "J_tv")})
        layers = history[0]["per_layer"] if history else ()
        arrays.update({f"layer:{l}": np.array([row["per_layer"][l] for row in history]) for l in layers})
        if at.best is not None:
            arrays.update({"best": at.best.G, "best_i": np.array(at.best.i)})
        checkpoints.save(path, arrays, {"done": f"step {at.i}", "at": at.i, "lam": at.lam, "settings": self.settings()})

    def load(self, path):
        """Goes on from a file of save, to the bit as if never stopped. -> self

        A damaged file is put aside as NAME.npz.corrupt and the previous one taken, with a warning. Raises FileNotFoundError, and
        WeightsError where no file is whole or where the file's run had other settings, pictures or network, each named.
        """
        arrays, notes = checkpoints.load(path, self.settings(), "painting")
        layers = {name.partition(":")[2]: array.tolist() for name, array in arrays.items() if name.startswith("layer:")}
        history = [dict(i=i, J=J, J_content=J_content, J_style=J_style, per_layer={l: J_l[k] for l, J_l in layers.items()}, J_tv=J_tv)
                   for k, (i, J, J_content, J_style, J_tv) in enumerate(zip(*(arrays[name].tolist() for name in
                                                                              ("i", "J", "J_content", "J_style", "J_tv"))))]
        optimizer = {name.partition(":")[2]: array for name, array in arrays.items() if name.startswith("optimizer:")}
        best = [Step(**row, G=arrays["best"]) for row in history if "best" in arrays and row["i"] == int(arrays["best_i"])]
        self._at, self._known = _At(notes["at"], arrays["G"], optimizer, history, notes["lam"], best[0] if best else None), None
        self._enter()
        return self

    def settings(self):
        """What a resumed run must share with the one that was saved, {name: text or number}."""
        if "network" not in self._settings:
            masks = [f", mask {checkpoints.fingerprint(np.asarray(one.mask))}" if one.mask is not None else "" for one in self.styles]
            self._settings.update(
                {"network": f"{self.net.names}, parameters {checkpoints.fingerprint(*self.net.params.values())}",
                 "content": f"{self.C.shape}, hash {checkpoints.fingerprint(self.C)}",
                 "style": [f"{np.shape(one.picture)}, hash {checkpoints.fingerprint(np.asarray(one.picture))}, weight {one.weight:g}{mask}"
                           for one, mask in zip(self.styles, masks)],
                 **UNSAID, **self.cost_settings, "lam": self.cost_settings.get("lam") or LAM})
        return checkpoints.as_kept(self._settings)


def _expect_scales(scales, per_scale, longer):
    """The longer sides of all scales, from coarse to fine, that of C included."""
    if not isinstance(per_scale, (int, np.integer)) or per_scale < 1:
        raise ShapeError(f"per_scale = {per_scale!r}; expected a whole number of steps from 1 up.")
    sides = [*scales, longer]
    if any(not isinstance(side, (int, np.integer)) or side < 1 for side in sides) or sorted(set(sides)) != sides:
        raise ShapeError(f"scales = {scales!r}; expected whole numbers of pixels, from coarse to fine, below {longer}, C's longer side.")
    return sides


def _resized(mask, sides):
    """A mask (n_H, n_W) at the sides of C, by the way of pictures."""
    return images.resize(np.repeat(np.asarray(mask)[..., None], 3, axis=2), sides)[0, ..., 0]
