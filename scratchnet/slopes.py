"""How steep is J?  Answered from values of J alone: this file never sees a gradient, so none can mislead it.

    dJ/dx_i  =  (J(x + h e_i) - J(x - h e_i)) / 2h   +   O(h^2)          the central difference, D(h)

The step.  Two errors pull at h: what the formula leaves out, h^2 |J'''| / 6, and the round-off of J, about eps |J| / h.
For values near 1 they meet at h = eps^(1/3) = 6.1e-6 in float64, with an error near 1e-11. An entry x_i moves by
h max(1, |x_i|), so that a large one moves at all.

Kinks.  Across the corner of a ReLU, a max or a hinge, D is a mean of two slopes. Values at half the step betray it:
    odd  = |D(h) - D(h/2)|                                           smooth: O(h^2), corner: comparable with the slope
    even = |J(+h) + J(-h) - 4 J(+h/2) - 4 J(-h/2) + 6 J| / 2h        smooth: O(h^3), corner: comparable with the slope
The first is blind to a corner exactly at x, the second to one at h/3 from x; together they miss none. On suspicion the
step shrinks to h/30; if the corner is still within, the slope is nan.

Zeros.  How much J trembles by round-off is measured before, by moving x in steps far too small to matter. So every slope
comes with its uncertainty; and where round-off would spoil it, the step grows to 100 h.

Sources: Nocedal and Wright, Numerical Optimization, section 8.1 (the step); More and Wild, "Estimating computational
noise", SIAM J. Sci. Comput. 33(3), 2011; Squire and Trapp, SIAM Review 40(1), 1998 (complex step).
"""

from collections import namedtuple

import numpy as np

from scratchnet.errors import NumericsError, ShapeError

EPS = np.finfo(np.float64).eps
H = EPS ** (1 / 3)
NARROW, WIDE = 1 / 30, 100

# Every measurement moves one array along a line: x[name].flat[where] + t v, with t = step * h. An entry is a short line.
Line = namedtuple("Line", "name where v step")


def entry(name, x, i):
    """The line of one entry."""
    return Line(name, np.array([i]), 1.0, max(1.0, abs(x.flat[i])))


def direction(name, where, v):
    """The line along v: all entries `where` move at once, each the less the more there are, so that few corners are met."""
    return Line(name, where, v / np.sqrt(where.size), 1.0)


def moved(cost, x, line, t):
    """cost(x) with x[line.name] moved by t v, and put back whatever happens."""
    flat = x[line.name].reshape(-1)                     # a view: the arrays are contiguous copies
    kept = flat[line.where]
    try:
        flat[line.where] = kept + t * line.v
        return cost(x)
    finally:
        flat[line.where] = kept


def number(J):
    """J as a float, after a look at its shape."""
    if np.ndim(J) != 0:
        raise ShapeError(f"J has shape {np.shape(J)}; expected one number. Sum or average over the batch.")
    return float(J)


class Walk:
    """J as ground to walk on: how steep it is along a line, how sure that is, and where it has a corner.

    cost(x) -> J for x, a dict of contiguous float64 arrays that are moved and put back; J at x; h and the tolerance that the
    slopes are to be compared with.  `evaluations` counts the calls; `trembles` tells of a J that is no smooth function.
    """

    def __init__(self, cost, x, J, h=H, tolerance=1e-6):
        self.cost, self.x, self.J, self.h, self.tolerance = cost, x, J, h, tolerance
        self.noise, self.evaluations, self.steepest = EPS * abs(J), 0, 0.0
        self.moves, self.float32 = False, True

    def look(self, J):
        """Count a value of J, and watch whether any has more digits than float32 holds."""
        J = number(J)
        self.evaluations += 1
        self.moves, self.float32 = self.moves or J != self.J, self.float32 and J == float(np.float32(J))
        return J

    def at(self, line, t):
        """J at a distance of t along the line."""
        J = self.look(moved(self.cost, self.x, line, t))
        if not np.isfinite(J):
            index = [int(i) for i in np.unravel_index(line.where[0], self.x[line.name].shape)]
            what = f"{line.name}{index} moves" if line.where.size == 1 else f"{line.name} moves along a random direction"
            raise NumericsError(f"J is {J} when {what} by {t:.1e}; it was finite before, so x sits at the edge of where J is "
                                "defined (log, sqrt, division). Check at another x.")
        self.steepest = max(self.steepest, abs(J - self.J) / abs(t))
        return J

    @property
    def trembles(self):
        """Round-off hides slopes of a thousandth of J, or of its steepest slope: it comes from float32, or an iteration."""
        return 2 * self.noise / self.h > 1e-3 * max(abs(self.J), self.steepest)

    def measure_noise(self, rng):
        """Third differences over steps of 1e-10: every smooth part of J is gone from them, its round-off is left."""
        v = {key: rng.choice([-1e-10, 1e-10], array.shape) * np.maximum(1, np.abs(array)) for key, array in self.x.items()}
        J = [self.look(self.cost({key: self.x[key] + t * v[key] for key in v})) for t in range(1, 13)]
        sigma = np.median(np.abs(np.diff(J, 3))) / (0.67 * np.sqrt(20))       # 20 = 1 + 9 + 9 + 1; the median forgives a corner
        self.noise += 3 * sigma

    def slope(self, line, factor=1):
        """D(h), its uncertainty, the part of that which is round-off, and the doubt that J is smooth here."""
        h = factor * self.h * line.step
        J_p, J_m, half_p, half_m = (self.at(line, t) for t in (h, -h, h / 2, -h / 2))
        D         = (J_p - J_m) / (2 * h)
        odd       = D - (half_p - half_m) / h
        even      = abs(J_p + J_m - 4 * (half_p + half_m) + 6 * self.J) / (2 * h)
        round_off = 2 * (self.noise + EPS * max(abs(J_p), abs(J_m))) / h
        if abs(odd) > round_off:            # strong curvature: three quarters of the h^2 error stand in `odd` (Richardson)
            D -= 4 / 3 * odd
        return D, 2 * round_off + abs(odd) / 100, round_off, max(abs(odd), even)

    def slopes(self, lines):
        """Slopes and their uncertainties, nan where a corner is in the way.   k lines -> (k,), (k,)"""
        D, unsure, round_off, doubt = np.array([self.slope(line) for line in lines]).T
        scale = np.abs(D).max()

        # A corner that causes an error e raises a doubt of e/3 or more: below a third of the tolerance none matters.
        # The doubt itself is blurred by up to four times the round-off of D.
        def smooth(doubt, round_off):
            return doubt <= self.tolerance / 3 * scale + 4 * round_off

        suspects = ~smooth(doubt, round_off)
        for i in np.flatnonzero(suspects):
            D[i], unsure[i], round_off_i, doubt_i = self.slope(lines[i], NARROW)
            # Strong curvature looks like a corner too, but its doubt has shrunk 900 times by now; that of a corner, 4 at most.
            if not smooth(doubt_i, round_off_i) and doubt_i > doubt[i] / 100:
                D[i] = unsure[i] = np.nan
        for i in np.flatnonzero(~suspects & (round_off > self.tolerance / 10 * scale)):
            D_i, unsure_i, round_off_i, doubt_i = self.slope(lines[i], WIDE)
            if smooth(doubt_i, round_off_i) and unsure_i < unsure[i]:
                D[i], unsure[i] = D_i, unsure_i
        return D, unsure


def complex_slopes(cost, x, lines):
    """Im J(x + i h v) / h with h = 1e-20: nothing is subtracted, so nothing cancels.   k lines -> (k,), (k,)"""
    z, h = {key: array.astype(np.complex128) for key, array in x.items()}, 1e-20
    D = np.empty(len(lines))
    for k, line in enumerate(lines):
        J = np.asarray(moved(cost, z, line, 1j * h))
        if J.dtype.kind != "c":
            raise NumericsError(f"J is {J.dtype} though {line.name} is complex; expected a complex J: abs, .real, norm or astype has "
                                "dropped the imaginary part, which carries the slope. Use analytic operations, or `check`.")
        D[k] = J.imag.item() / h
    return D, np.full(len(lines), 4 * EPS * max(abs(J), np.abs(D).max()))
