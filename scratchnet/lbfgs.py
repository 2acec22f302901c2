"""L-BFGS: a way down that learns the curvature as it goes, and asks at several lengths before it takes a step.

    opt = LBFGS()
    while not opt.stopped:
        x, J = opt.step(f, x)          f(x) -> (J, gradient); the old x is left as it was, and J is the cost of the old one
    print(opt.stopped)                 why, in words

Used like every optimiser, and the one that Gatys et al. paint with. Vectors are dicts {name: array} inside; a plain array is called "x".
Source: Nocedal & Wright 2006, chapters 3, 6 and 7. Hager & Zhang 2005.
"""

import math
from typing import NamedTuple

import numpy as np

from scratchnet import line_search
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.line_search import Trial

ROUNDING = 10                  # J, slopes and s.y are known to so many times the float's epsilon: 1.2e-6 for float32, 2.2e-15 for float64
FIRST = 0.01                   # of the largest entry of x: how far the first trial moves the entry that is steepest
BLOCK = 4096                   # numbers that BLAS adds up at once: longer sums it shares out among threads, and their number would show


class LBFGS:
    """x := x + a d,   d = -H dJ/dx: Newton's way down, H being a guess at the inverse of the curvature from the last steps.

    Every step teaches one pair: s = x_new - x, and y = g_new - g, what the gradient g = dJ/dx did on the way. H begins as I s.y / y.y,
    of the last pair; then each pair in turn, the oldest first, makes it such that H y = s, and changes it as little as it can:

        H := (I - rho s y^T) H (I - rho y s^T) + rho s s^T,      rho = 1 / s.y                                       BFGS

    H would be a matrix of n x n. `direction` multiplies by it without ever writing it down: that is the L, limited memory.
    One step is one iteration. Its line search tries a = 1 first, which is Newton's own. The very first step, which knows no curvature,
    first moves the steepest entry of x by 0.01 of the largest: in a picture 2.5 of 255 grey levels, whatever the scale of J and however
    many pixels there are, and from there a longer a is found in few trials. (1 / ||g||_1, which is common, depends on both.)
    There is no clipping: a clipped s does not belong to its y. Clip when you save.

    history          how many pairs are remembered; each takes twice the memory of x
    c1, c2           of the strong Wolfe conditions, see line_search
    max_evaluations  how often a line search may call f
    tolerance        the run is over when J changed by less than this share of itself in each of the last `patience` steps;
                     None: what J is rounded by, 1.2e-6 for float32, 2.2e-15 for float64
    Raises ShapeError for settings out of range.

    evaluations      how often f was called, in all               t         steps taken
    stopped          why it does not go on, in words; "" while it does. step then returns x as it is, until it is given another
    restarts         how often the memory was emptied, because nothing along d lowered J: the step is tried again down the gradient
    Source: Nocedal & Wright 2006, algorithms 7.4 and 7.5.  First length: Hager & Zhang 2005, section 4.
    """

    def __init__(self, history=100, c1=1e-4, c2=0.9, max_evaluations=20, tolerance=None, patience=10):
        for name, value in (("history", history), ("max_evaluations", max_evaluations), ("patience", patience)):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ShapeError(f"{name} = {value!r}; expected a whole number from 1 up.")
        if not 0 < c1 < c2 < 1 or not c1 < 0.5:
            raise ShapeError(f"c1 = {c1}, c2 = {c2}; expected 0 < c1 < c2 < 1 and c1 < 1/2: no step could be accepted.")
        if tolerance is not None and not 0 <= tolerance < 1:
            raise ShapeError(f"tolerance = {tolerance}; expected a share of J, from 0 to 1, or None.")
        self.history, self.c1, self.c2, self.max_evaluations = int(history), float(c1), float(c2), int(max_evaluations)
        self.tolerance, self.patience, self.memory = tolerance, int(patience), _Memory()

    t           = property(lambda self: self.memory.t)
    evaluations = property(lambda self: self.memory.evaluations)
    restarts    = property(lambda self: self.memory.restarts)
    stopped     = property(lambda self: self.memory.stopped)

    def step(self, f, x):
        """One step down f from x. Returns the new x and J = f(x), the cost of the old one.

        f must be the same function at every step (no mini-batches), and is called once at every point: J and the gradient at the x
        that comes back are remembered, and that x is the very object that f was called with there. Pass it on as it is.
        Any other x is evaluated anew. Where J or the gradient is not finite at a trial, the trial was too far.
        Raises NumericsError, with x and the memory as they were, when J or the gradient at x itself is not finite.
        """
        named = isinstance(x, dict)
        calls, xs, memory = 0, x if named else {"x": x}, self.memory

        def value(xs):
            nonlocal calls
            calls += 1
            return _value(f, xs, named)

        if memory.at is None or not _same(xs, memory.at.x):
            memory = self._begun(value(xs))
        elif memory.stopped:
            return x, memory.at.J
        at, new = memory.at, self._moved(value, memory)
        self.memory = new._replace(evaluations=memory.evaluations + calls)          # all at once: a step that is broken off leaves no trace
        return (x if new.at is at else new.at.x if named else new.at.x["x"]), at.J

    def _begun(self, at):
        """The memory, at an x that no step led to."""
        if not math.isfinite(at.J):
            raise NumericsError(f"J or its gradient is not finite at step {self.t}, at the x that L-BFGS was given: give it another.")
        return self.memory._replace(at=at, quiet=0, steepest=_largest(at.g))

    def _moved(self, value, memory):
        """The memory after one step from memory.at, or with the reason why there is none."""
        at = memory.at
        epsilon = float(max(np.finfo(array.dtype).eps for array in at.x.values()))
        rounding = ROUNDING * epsilon
        if _largest(at.g) <= epsilon * memory.steepest:
            return memory._replace(stopped=f"the gradient is zero to rounding: its largest entry is {_largest(at.g):.2g}, and was "
                                           f"{memory.steepest:.2g} at the x that was given")
        trial = self._search(value, at, memory.pairs, rounding)
        if trial.at is at and memory.pairs:
            memory = memory._replace(pairs=(), restarts=memory.restarts + 1)
            trial = self._search(value, at, (), rounding)
        if trial.at is at:
            return memory._replace(stopped=f"no step along the direction lowers J = {at.J:.6g} any more, not even one down the gradient, "
                                           f"whose largest entry is {_largest(at.g):.2g}")
        pairs = (*memory.pairs, *_pair(at, trial.at, rounding))[-self.history:]
        tolerance = rounding if self.tolerance is None else self.tolerance
        quiet = memory.quiet + 1 if abs(at.J - trial.J) <= tolerance * abs(at.J) else 0
        stopped = f"J changed by less than {tolerance:.2g} of itself in each of the last {quiet} steps" if quiet >= self.patience else ""
        return memory._replace(t=memory.t + 1, at=trial.at, pairs=pairs, quiet=quiet, stopped=stopped)

    def _search(self, value, at, pairs, rounding):
        """The Trial along the direction that is taken; the one at `at` itself if there is none."""
        d = direction(at.g, pairs)
        start = Trial(0.0, at.J, _dot(at.g, d), at)

        def phi(a):
            x = {name: array + a * d[name] for name, array in at.x.items()}
            if _same(x, at.x):
                return None
            there = value(x)
            return Trial(a, there.J, _dot(there.g, d) if math.isfinite(there.J) else math.nan, there)

        if not start.slope < 0:                        # d leads up: rounding has the better of H
            return start
        return line_search.strong_wolfe(phi, start, 1.0 if pairs else _first_length(at), self.c1, self.c2,
                                        rounding * abs(at.J), self.max_evaluations)

    def state(self):
        """Everything a resumed run needs, as arrays: s0, y0 is the oldest pair. References: no array is ever changed in place."""
        memory = self.memory
        state = {name: np.array(getattr(memory, name)) for name in _NUMBERS}
        state["stopped"] = np.array(list(memory.stopped.encode()), np.uint8)
        if memory.at is not None:
            state["J"] = np.array(memory.at.J)
            vectors = {"x": memory.at.x, "g": memory.at.g}
            for k, pair in enumerate(memory.pairs):
                vectors |= {f"s{k}": pair.s, f"y{k}": pair.y}
            state |= {f"{vector}.{name}": array for vector, arrays in vectors.items() for name, array in arrays.items()}
        return state

    def load_state(self, state):
        """The reverse of state()."""
        vectors = {}
        for key, array in state.items():
            vector, dot, name = key.partition(".")
            if dot:
                vectors.setdefault(vector, {})[name] = np.asarray(array)
        pairs = [(vectors[f"s{k}"], vectors[f"y{k}"]) for k in range(len(vectors) // 2 - 1)]
        self.memory = _Memory(at=_Point(vectors["x"], float(state["J"]), vectors["g"]) if vectors else None,
                              pairs=tuple(_Pair(s, y, _dot(s, y)) for s, y in pairs),
                              stopped=bytes(state["stopped"]).decode(), **{name: state[name].item() for name in _NUMBERS})


def direction(g, pairs):
    """-H g by the two-loop recursion, from the newest pair to the oldest and back. Nocedal & Wright 2006, algorithm 7.4.

    g {name: array}, pairs from the oldest to the newest -> {name: array}.   Without pairs H = I: straight down.
    """
    q, alphas = {name: -array for name, array in g.items()}, []
    for s, y, s_y in reversed(pairs):
        alphas.append(_dot(s, q) / s_y)
        _add(q, -alphas[-1], y)
    if pairs:
        _, y, s_y = pairs[-1]
        scale = s_y / _dot(y, y)
        q = {name: scale * array for name, array in q.items()}
    for s, y, s_y in pairs:
        beta = _dot(y, q) / s_y
        _add(q, alphas.pop() - beta, s)
    return q


class _Point(NamedTuple):
    """x, and J and the gradient there; J is inf where either is not finite."""

    x: dict
    J: float
    g: dict


class _Pair(NamedTuple):
    s: dict
    y: dict
    s_y: float


class _Memory(NamedTuple):
    """All that L-BFGS carries from step to step."""

    at: _Point = None          # where the last step ended
    pairs: tuple = ()          # from the oldest to the newest
    t: int = 0
    evaluations: int = 0
    restarts: int = 0
    quiet: int = 0             # steps in a row that hardly changed J
    steepest: float = 0.0      # largest entry of the gradient at the last x that no step led to
    stopped: str = ""


_NUMBERS = ("t", "evaluations", "restarts", "quiet", "steepest")


def _value(f, xs, named):
    """f at xs, checked; the gradient in the dtype of x."""
    for name, array in xs.items():
        if array.dtype.kind != "f":
            raise ShapeError(f"{name} is of {array.dtype}; expected float32 or float64.")
    J, gradient = f(xs if named else xs["x"])
    g = gradient if named else {"x": gradient}
    shapes, expected = ({name: np.shape(array) for name, array in arrays.items()} for arrays in (g, xs))
    if shapes != expected:
        raise ShapeError(f"f returned a gradient of shape {shapes}; expected that of x, {expected}.")
    g = {name: np.asarray(g[name], xs[name].dtype) for name in xs}
    finite = math.isfinite(J) and all(np.isfinite(array).all() for array in g.values())
    return _Point(xs, float(J) if finite else math.inf, g)


def _first_length(at):
    """The entry that is steepest moves by FIRST of the largest. At x = 0: J would fall by FIRST of itself, were the slope to stay."""
    if largest := _largest(at.x):
        return FIRST * largest / _largest(at.g)
    return FIRST * abs(at.J) / _dot(at.g, at.g) or 1.0


def _pair(at, new, rounding):
    """[what a step teaches], or [] where s.y is not above its rounding: H would no longer lead down."""
    s, y = ({name: b[name] - a[name] for name in a} for a, b in ((at.x, new.x), (at.g, new.g)))
    s_y = _dot(s, y)
    return [_Pair(s, y, s_y)] if s_y > rounding * math.sqrt(_dot(s, s) * _dot(y, y)) else []


def _same(a, b):
    """Whether all names, dtypes and numbers are equal."""
    return a.keys() == b.keys() and all(a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name]) for name in a)


def _largest(a):
    return max(float(np.max(np.abs(array), initial=0)) for array in a.values())


def _dot(a, b):
    """a . b: products added up in blocks of their own dtype, the blocks in float64."""
    total = 0.0
    for name in a:
        u, v = a[name].reshape(-1), b[name].reshape(-1)
        whole = u.size // BLOCK * BLOCK
        blocks = np.matmul(u[:whole].reshape(-1, 1, BLOCK), v[:whole].reshape(-1, BLOCK, 1))
        total += float(blocks.sum(dtype=np.float64)) + float(u[whole:] @ v[whole:])
    return total


def _add(q, times, a):
    for name, array in q.items():
        array += times * a[name]
