"""How far to go along a direction: far enough to be worth it, not so far that J rises again.

Along d, J is a function of one number, phi(a) = J(x + a d), with slope phi'(a) = dJ/dx . d. A length a is taken when the strong
Wolfe conditions hold:

    phi(a) <= phi(0) + c1 a phi'(0)        J fell, by some share of what the slope at the start promised
    |phi'(a)| <= c2 |phi'(0)|              and it is much flatter there: going on would not have brought much more

The second makes a quasi-Newton method work: it keeps s.y > 0, so that every step teaches a curvature above zero.
Near a minimum the first cannot be seen any more: J of a float32 picture is known to some 1e-7 of itself, and falls by less. Many an
optimiser ends there "for no reason". So where phi(a) is within `noise` of phi(0), the slopes decide, which are still known well:

    phi'(a) <= (2 c1 - 1) phi'(0)          what the first condition says of a parabola through both slopes

Source: Nocedal & Wright 2006, algorithms 3.5 and 3.6, in one loop here. Hager & Zhang 2005, section 4: approximate Wolfe conditions,
the secant. Different from Nocedal & Wright: a length at which both conditions hold is taken even if J was lower at `low`.
"""

import math
from typing import NamedTuple

FARTHER = (2.0, 10.0)          # where J still falls: the next length is so many times the last
INSIDE = 0.1                   # of an interval: a length inside it keeps so far from both ends, so that it shrinks each time


class Trial(NamedTuple):
    """One length that was tried: phi(a) = J, phi'(a) = slope; `at` is for the caller. Where J is not finite: J = inf, slope = nan."""

    a: float
    J: float
    slope: float
    at: object = None


def strong_wolfe(phi, start, a, c1=1e-4, c2=0.9, noise=0.0, evaluations=20):
    """The first Trial at which the strong Wolfe conditions hold, up to `noise` in J.

    phi          a -> Trial, or None when a is so short that x + a d is x again
    start        the Trial at a = 0, with slope < 0
    a            the length to try first
    evaluations  of phi, at most. When they are used up: the lowest Trial at which at least J fell enough, or `start` when there is none
    The minimum that is looked for lies between `low` and `high`: J falls from low towards high, and has risen again, or is not a
    number any more, before high. As long as there is no high, J is still falling and the next length is longer.
    """
    low, high, before = start, None, start
    for _ in range(evaluations):
        trial = phi(a)
        if trial is None:
            break
        fell = _fell(trial, start, c1, noise)
        if fell and abs(trial.slope) <= -c2 * start.slope:
            return trial
        if not fell or trial.J > low.J + noise:
            high = trial._replace(at=None)             # two large arrays, which nobody will ask for
        else:
            if trial.slope * (1.0 if high is None else high.a - low.a) >= 0:       # it rises from here on: the minimum lies behind
                high = low._replace(at=None)
            before, low = low._replace(at=None), trial
        a = _beyond(before, low, noise) if high is None else _between(low, high, noise)
    return low if low.J < start.J else start           # what is as steep and no lower has nothing to show but rounding


def _fell(trial, start, c1, noise):
    if trial.J <= start.J + c1 * trial.a * start.slope:
        return True
    return abs(trial.J - start.J) <= noise and trial.slope <= (2 * c1 - 1) * start.slope


def _beyond(before, low, noise):
    """The next length while J is still falling."""
    nearest, farthest = (times * low.a for times in FARTHER)
    a = valley(before, low, noise)
    return min(max(a, nearest), farthest) if a > low.a else farthest


def _between(low, high, noise):
    """The next length inside an interval; a tenth of it where J at its far end is no number."""
    width = high.a - low.a
    share = (valley(low, high, noise) - low.a) / width if math.isfinite(high.J) else INSIDE
    return low.a + width * (min(max(share, INSIDE), 1 - INSIDE) if math.isfinite(share) else 0.5)


def valley(p, q, noise=0.0):
    """Where the cubic through two trials, with their slopes, is lowest; nan where it has no minimum. Nocedal & Wright, eq. 3.59.

    When the two J differ by no more than their noise, where the straight line through both slopes is zero.
    """
    if abs(p.J - q.J) <= noise:
        numerator, denominator = q.slope, q.slope - p.slope
    else:
        d1 = p.slope + q.slope - 3 * (p.J - q.J) / (p.a - q.a)
        inner = d1 * d1 - p.slope * q.slope
        d2 = math.copysign(math.sqrt(inner), q.a - p.a) if inner >= 0 else math.nan
        numerator, denominator = q.slope + d2 - d1, q.slope - p.slope + 2 * d2
    return q.a - (q.a - p.a) * numerator / denominator if denominator else math.nan
