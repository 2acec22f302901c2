"""What a gradient check found: which entry is worst, what that is worth in words, and which mistake it looks like.

`slopes` measures, `gradcheck` compares, this file judges. The relative error of an entry is |analytic - numerical| over the
largest gradient of its array: an entry of size 1e-9 beside one of size 1 need not be right to seven digits of itself, and
a cost so small that all its gradients are near 1e-7 (where `allclose` with atol=1e-5 accepts anything, even zeros) is
judged like any other. The words follow the notes of Stanford's CS231n, "Gradient checks".
"""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

# Relative error up to which a word is used, in float64. The notes of CS231n call 1e-4 acceptable where there are kinks;
# here kinks are found and left out, so that 1e-4 is suspicious everywhere.
WORDS = ((1e-7, "happy"), (1e-6, "fine"), (1e-4, "suspicious"), (1e-2, "uncomfortable"), (np.inf, "wrong"))
TINY = 1e-8         # a largest gradient below this deserves a remark: it is often a cost divided by too much


@dataclass
class Row:
    """One array under check: its worst entry, and how much of it was really looked at."""

    name: str
    shape: tuple
    tolerance: float
    error: float            # the worst relative error; nan when nothing could be compared
    index: tuple            # of the worst entry; None when only a random direction shows the error
    analytic: float         # the two numbers there
    numerical: float
    scale: float            # the largest gradient, which errors are relative to
    unsure: float = 0.0     # how far the numerical gradient itself may be off
    entries: int = 0        # compared one by one
    directions: int = 0     # compared along random directions (large arrays only)
    kinks: int = 0          # left out: J has a corner within the step (ReLU, max, hinge)
    noisy: int = 0          # left out: the round-off of J hides the slope
    zero: bool = False      # no gradient could be told from round-off, neither numerical nor analytic
    hint: str = ""
    note: str = ""
    errors: np.ndarray = field(default=None, repr=False)        # relative error of every entry, nan where not compared

    @property
    def checked(self):
        """At least half of the entries that were tried could be compared."""
        return self.entries > 0 and self.kinks + self.noisy <= self.entries

    @property
    def passed(self):
        return self.checked and self.error <= self.tolerance

    @property
    def word(self):
        return next(word for limit, word in WORDS if self.error <= limit) if self.checked else "not checked"

    @property
    def place(self):
        return self.name + (" along a random direction" if self.index is None else str([int(i) for i in self.index]))

    @property
    def amount(self):
        """How much was seen, in words: "60 of 9216 entries, 5 directions, 2 on kinks"."""
        size = int(np.prod(self.shape))
        parts = [f"{self.entries} entries" if self.entries == size else f"{self.entries} of {size} entries"]
        parts += [f"{self.directions} directions"] * (self.directions > 0)
        parts += [f"{self.kinks} on kinks"] * (self.kinks > 0) + [f"{self.noisy} lost in round-off"] * (self.noisy > 0)
        return ", ".join(parts)


@dataclass
class Report:
    """The result of a check; `print(report)` is meant to be enough."""

    rows: list
    tolerance: float
    J: float
    notes: list = field(default_factory=list)
    evaluations: int = 0

    @property
    def passed(self):
        """Every array was checked, and none is off by more than the tolerance."""
        return all(row.passed for row in self.rows)

    @property
    def error(self):
        """The worst relative error of all arrays; nan, which is not below any number, when one could not be checked."""
        return float(max(row.error for row in self.rows)) if all(row.checked for row in self.rows) else np.nan

    @property
    def worst(self):
        """The row to look at first: one that could not be checked, else the one with the largest error."""
        return max(self.rows, key=lambda row: row.error if row.checked else np.inf)

    def __getitem__(self, name):
        return next(row for row in self.rows if row.name == name)

    def line(self, name):
        """One array in one line, for a table."""
        row = self[name]
        wide = max(len(r.name) for r in self.rows)
        shapes = max(len(str(r.shape)) for r in self.rows)
        return f"{row.name:<{wide}}  {str(row.shape):<{shapes}}  {row.error:8.1e}  {row.word:<13}  {row.amount}"

    def __str__(self):
        bad = sorted((row for row in self.rows if not row.passed), key=lambda row: -row.error if row.checked else -np.inf)
        state = "passed" if self.passed else f"FAILED for {', '.join(row.name for row in bad[:5])}{', ...' * (len(bad) > 5)}"
        lines = [f"gradient check {state}: {self.worst.word}, worst relative error {self.worst.error:.1e} "
                 f"(tolerance {self.tolerance:g})"]
        lines += ["  " + self.line(row.name) for row in self.rows]
        for row in bad[:3]:
            lines += [f"  {row.place}: analytic {row.analytic:.8g}, numerical {row.numerical:.8g}"] * (row.entries > 0)
            lines += [f"    hint: {row.hint}"] * bool(row.hint)
        lines += [f"  note: {row.name}: {row.note}" for row in self.rows if row.note]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


def relative_error(a, n, uncertainty, scale, tolerance):
    """|a - n| / scale, where the uncertainty of n itself excuses an error down to the tolerance, but no further.

    So a report never shows round-off as a mistake, and never shows better digits than it has.  (k,) and numbers -> (k,)
    """
    if scale == 0:
        return np.abs(0 * n)                            # both gradients are exactly zero; nan stays nan
    raw = np.abs(a - n) / scale
    return np.maximum(np.minimum(raw, tolerance), raw - uncertainty / scale)


def judge(name, a, entries, n, unsure, tolerance, largest):
    """The Row of an array of which some entries were measured.

    a        the gradient under check
    entries  flat indices of the measured entries          (k,)
    n        numerical slopes there, nan on a kink         (k,)
    unsure   how far each n may be off                     (k,)
    largest  gradient of all arrays under check: what is round-off beside it counts as zero
    """
    at, kinks = a.flat[entries], np.isnan(n)
    scale = max(np.abs(a).max(), np.nanmax(np.abs(n), initial=0))
    row = Row(name, a.shape, tolerance, np.nan, None, np.nan, np.nan, float(scale), float(np.nanmax(unsure, initial=0)))
    if not kinks.all():
        blur = np.maximum(unsure, 10 * np.nanmedian(unsure))        # one entry may know its round-off badly, all do not
        row.zero = bool(np.all(np.abs(n) <= blur, where=~kinks) and np.abs(a).max() <= max(1e-2 * row.unsure, 1e-9 * largest))
        row.unsure = float(np.nanmax(blur)) if row.zero else row.unsure
    errors = np.abs(0 * n) if row.zero else relative_error(at, n, unsure, scale, tolerance)
    if not row.zero:
        errors[unsure > 1e-2 * scale] = np.nan          # lost in round-off: not even two digits of n are known
    row.kinks, row.entries = int(kinks.sum()), int(np.isfinite(errors).sum())
    row.noisy = len(entries) - row.kinks - row.entries
    row.errors = np.full(a.shape, np.nan)
    row.errors.flat[entries] = errors
    if row.entries:
        worst = int(np.nanargmax(errors))
        row.error, row.analytic, row.numerical = float(errors[worst]), float(at[worst]) + 0.0, float(n[worst]) + 0.0     # no -0
        row.index = tuple(int(i) for i in np.unravel_index(entries[worst], a.shape))
    row.note = _note(row)
    return row


def _note(row):
    """What a reader of the row should know besides the error."""
    if not row.checked:
        if row.kinks > row.noisy:
            return "too many entries sit on kinks, or J is computed with few digits: check at another x"
        return f"the round-off of J hides the slopes: {row.unsure:.0e} beside a largest gradient of {row.scale:.0e}"
    if row.zero:
        return f"zero, as far as J can show (a gradient below {row.unsure:.0e} would drown in its round-off)"
    if row.scale < TINY:
        return f"the largest gradient is only {row.scale:.0e}: the check is relative, but is J divided by too much?"
    return ""


def doubt_zeros(report):
    """J trembles too much for a small gradient to be seen: what looks like zero counts as not checked."""
    for row in report.rows:
        if row.zero:
            row.entries, row.noisy, row.error = 0, row.noisy + row.entries, np.nan
            row.note = _note(row)


def explain(name, a, n, errors, tolerance):
    """A guess at the mistake, or "": what relation do the two gradients have?

    name    the array in question
    a, n    {name: analytic}, {name: numerical gradient, nan where not measured}
    errors  relative errors of this array, nan where not compared
    """
    shapes = {key: value.shape for key, value in a.items()}
    a, n, others = a[name], n[name], {key: value for key, value in n.items() if key != name}
    if not np.any(a):
        return "the analytic gradient is zero everywhere"
    return _factor(a, n, shapes) or _twin(a, n, others) or _wrong_entries(a, n, errors, tolerance)


def _factor(a, n, shapes):
    """Is a = r n, with the same r everywhere?"""
    loud = np.abs(n) > 1e-2 * np.nanmax(np.abs(n), initial=0)       # nan compares as False: only measured entries
    if not loud.any():
        return ""
    r = np.median(a[loud] / n[loud])
    if r == 0 or abs(r - 1) < 1e-4 or np.nanmax(np.abs(a - r * n)) > 1e-4 * np.abs(a).max():
        return ""
    if abs(r + 1) < 1e-4:
        return "analytic = -numerical: the sign is turned"
    k = max(abs(r), 1 / abs(r))
    sizes = [(length, f"the length of axis {i} of {key}") for key, shape in shapes.items() for i, length in enumerate(shape)]
    sizes += [(np.prod(shape), f"the number of entries of {key}") for key, shape in shapes.items()]
    sizes += [(np.prod(shape) ** 2.0, f"the square of the number of entries of {key}") for key, shape in shapes.items()]
    known = ["a square whose 2 is missing or there twice"] if abs(k - 2) < 1e-3 else []
    known += [words for size, words in sizes if size > 1 and abs(k / size - 1) < 1e-4][:2]
    times = f"{r:.6g}" if abs(r) > 1 else f"1/{1 / r:.6g}"
    if known:
        return f"analytic = {times} x numerical everywhere; {k:.6g}: {', or '.join(known)}?"
    return f"analytic = {times} x numerical everywhere: a constant factor" if loud.sum() > 2 else ""


def _twin(a, n, others):
    """Is a the right gradient in the wrong place: of another argument, transposed, flipped, shifted?"""
    def same(g, a=a):
        return (g.shape == a.shape and a.size > 1 and np.isfinite(g).all() and np.ptp(g) > 0
                and np.max(np.abs(a - g)) <= 1e-5 * np.max(np.abs(g)))

    twins = [(g, f"this is the gradient of {key}: the order of the gradients is mixed up") for key, g in others.items()]
    twins += [(n.swapaxes(i, j), f"transposed: axes {i} and {j} are exchanged") for i, j in combinations(range(n.ndim), 2)]
    twins += [(n.T.reshape(n.shape), "the transposed gradient, reshaped until it fits: transpose instead")]
    if n.ndim == 4:
        twins += [(n[::-1, ::-1], "flipped along axes 0 and 1: convolution and cross-correlation are mixed up")]
    for g, words in twins:
        if same(g):
            return words
    for axes in [(i,) for i in range(n.ndim)] + [(1, 2)] * (n.ndim == 4):
        ahead = tuple(slice(1, None)  if i in axes else slice(None) for i in range(n.ndim))
        behind = tuple(slice(None, -1) if i in axes else slice(None) for i in range(n.ndim))
        if same(n[behind], a[ahead]) or same(n[ahead], a[behind]):
            return f"shifted by one along axis {' and '.join(map(str, axes))}: is an offset or the padding off by one?"
    return ""


def _wrong_entries(a, n, errors, tolerance):
    """What do the wrong entries have in common?"""
    wrong = np.nan_to_num(errors) > tolerance
    where, right = np.argwhere(wrong), np.isfinite(errors) & ~wrong
    if not right.any():
        return ""
    if len(where) == 1:
        return f"the only wrong entry of {right.sum() + 1} compared"
    quiet = 1e-6 * max(np.abs(a).max(), np.nanmax(np.abs(n)))
    if np.all(np.abs(n[wrong]) < quiet):
        return f"{len(where)} entries should have no gradient at all: is a mask (ReLU, max, hinge) missing?"
    if np.all(np.abs(a[wrong]) < quiet):
        return f"{len(where)} entries get no gradient, but should"
    for axis, length in enumerate(a.shape):
        if length > 1 and np.all(where[:, axis] == where[0, axis]):
            return f"all {len(where)} wrong entries have index {where[0, axis]} along axis {axis}"
    if a.ndim == 4 and np.all(np.isin(where[:, 1], (0, a.shape[1] - 1)) | np.isin(where[:, 2], (0, a.shape[2] - 1))):
        return "wrong only at the border of the picture: the padding?"
    return ""
