"""Where to draw the line between one person and two: distances by kind, and both errors at every threshold tau.

    FAR  false accept rate: of the pairs of two people, those with d <= tau        1 - TAR = FRR
    FRR  false reject rate: of the pairs of one person, those with d > tau         EER: where both are equal
"""

import numpy as np
from matplotlib.ticker import NullFormatter

from scratchnet.errors import ShapeError
from scratchnet.plots import page

BARS = 40


# ---------------------------------------------------------------------------------------------------------------- distances

@page.styled
def distance_histograms(path, d, same, tau=None, title="How far apart are one person's pictures, and two people's?"):
    """How often each distance occurs: of one person upwards, of two downwards; what tau judges wrongly is in full colour.

    d     distances of pairs                       (n,)
    same  True where both show one person          (n,)
    Bars are shares of their own kind, for pairs of two people are usually many more; tau lies between two bars.
    Raises ShapeError, NumericsError.
    """
    d = page.expect_numbers(d, "d")
    same = _expect_same(same, d)
    tau = page.expect_tau(tau)
    over = d > (np.inf if tau is None else tau)
    lines = [_counted("▲ one person", d[same], tau, over[same], "refused, d > τ: FRR"),
             _counted("▼ two people", d[~same], tau, ~over[~same], "accepted, d ≤ τ: FAR")]
    fig = page.figure(max(820, *(page.heading_width(title, line) for line in lines)), 520)
    page.heading(fig, title, lines[0])
    fig.texts[-1].set_color(page.dark(page.BLUE))
    page.write(fig, 24, 77, lines[1], va="baseline", color=page.dark(page.VERMILION))

    ax = page.axes(fig, 72, 116, fig.bbox.width - 72 - 32, 520 - 116 - 52)
    origin, width = _bars_at(ax, d, tau)
    for kind, sign, colour, wrong in ((same, 1, page.BLUE, over), (~same, -1, page.VERMILION, ~over)):
        for some, alpha in (kind & ~wrong, .38), (kind & wrong, 1):
            where, counts = np.unique(np.ceil((d[some] - origin) / width), return_counts=True)
            ax.bar(origin + (where - 1) * width, sign * counts / kind.sum(), .92 * width, align="edge", color=colour,
                   alpha=.38 if tau is None else alpha)
    ax.axhline(0, color=page.GREY, linewidth=.8)
    ax.margins(y=.06)
    ax.yaxis.set_major_formatter(lambda share, _: page.percent(abs(share)))
    ax.set(xlabel="distance d", ylabel="share of the pairs of a kind")
    page.mark_tau(fig, ax, tau)
    return page.save(fig, path)


def _bars_at(ax, d, tau):
    """Where bars begin and how wide they are: (origin + k width, origin + (k + 1) width], so that d = tau is left of an edge at tau."""
    origin = d.min() if tau is None or np.isinf(tau) else tau
    low, high = min(d.min(), origin), max(d.max(), origin)
    width = (high - low) / BARS or max(abs(high), 1) / BARS
    ax.set_xlim(low - 2 * width, high + 2 * width)
    return origin, width


def _counted(name, d, tau, wrong, words):
    """How many pairs of a kind there are, and how many of them tau judges wrongly, in words."""
    if not len(d):
        return f"{name}: no pairs"
    counted = f"{name}: {len(d)} {'pairs' if len(d) > 1 else 'pair'}, mean d = {page.short(d.mean())}"
    return counted if tau is None else f"{counted};   {wrong.sum()} {words} = {page.percent(wrong.mean())}"


# ---------------------------------------------------------------------------------------------------------------- all thresholds

@page.styled
def roc_curve(path, curves, log_x=False, title="ROC: every threshold τ at once"):
    """TAR over FAR, a point for each tau: how many of the right ones come in, if so many of the wrong ones do.

    curves  {name: (far, tar, auc)}, far and tar (t,) from 0 to 1 and rising together; auc a number or None
    log_x   FAR on a logarithmic axis, where what counts are low rates; FAR = 0 has no place there
    A dot is the equal error rate, FAR = 1 - TAR, on the straight line between two points, and leads to the curve's name.
    Raises ShapeError, NumericsError.
    """
    if not curves:
        raise ShapeError("there is no curve to draw; give one or more, {name: (far, tar, auc)}")
    curves = {str(name): _expect_curve(curve, str(name)) for name, curve in curves.items()}
    low = _low_end([far for far, _, _ in curves.values()]) if log_x else 0
    drawn, ends = [], []
    for k, (name, (far, tar, auc)) in enumerate(curves.items()):
        looks = dict(color=page.SEVERAL[k % len(page.SEVERAL)], linestyle=("-", "--", ":", "-.")[k // len(page.SEVERAL) % 4])
        e = equal_error(far, 1 - tar)
        facts = ([f"AUC {auc:.4g}"] if auc is not None else []) + ([f"EER {page.percent(e)}"] if e is not None else [])
        x, y = (far[-1], tar[-1]) if e is None else (e, 1 - e)
        ends.append(("   ".join([page.shorten(name, 240), *facts]), [max(x, low)], [y], looks))
        drawn.append((*(_on_log_axis(far, tar, low) if log_x else (far, tar)), looks, e))

    subtitle = "TAR: pairs of one person accepted.   FAR: pairs of two people accepted.   The dot: both errors are equal, FAR = 1 − TAR"
    side, wide = 480, 48 + int(max(page.text_width(name) for name, *_ in ends))
    fig = page.figure(max(76 + side + wide, page.heading_width(title, subtitle)), 88 + max(side, 17 * len(ends)) + 56)
    page.heading(fig, title, subtitle)
    ax = page.axes(fig, 76, 88, side, side)
    _rates(ax, low)
    for x, y, looks, e in drawn:
        ax.plot(x, y, **looks, marker="o" if len(x) == 1 else None, clip_on=False)
        if e is not None:
            ax.plot(max(e, low), 1 - e, "o", color=looks["color"], markersize=6, markeredgecolor="white", clip_on=False, zorder=4)
    page.name_ends(fig, ax, ends)
    return page.save(fig, path)


def _rates(ax, low):
    """An axis of FAR and one of TAR, with the line of mere chance."""
    ax.set(xlabel="FAR", ylabel="TAR", ylim=(0, 1), xlim=(low, 1))
    ax.set_xscale("log" if low else "linear")
    ax.xaxis.set_major_formatter(page.percent)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(page.percent)
    ax.grid(True, axis="both")
    chance = np.geomspace(low, 1, 99) if low else np.array([0, 1])
    ax.plot(chance, chance, color=page.GREY, linewidth=.8, linestyle=(0, (4, 4)))


def _low_end(fars):
    """The power of ten at or under the lowest FAR that is not zero."""
    lowest = min((rate for far in fars for rate in far if rate > 0), default=1)
    return min(.1, 10. ** np.floor(np.log10(lowest)))


def _on_log_axis(far, tar, low):
    """The curve from low on; its straight lines, which are bent on this axis, get points in between."""
    between = np.setdiff1d(np.geomspace(low, 1, 200), far)
    x, y = np.append(far, between), np.append(tar, np.interp(between, far, tar))
    order = np.lexsort((y, x))
    order = order[x[order] >= low]
    return x[order], y[order]


def equal_error(far, frr):
    """The rate at which FAR = FRR, on the line between the two points around it; None where the curve does not reach it."""
    above = far - frr
    k = int(np.argmax(above >= 0))
    if above[k] < 0 or (k == 0 and above[0] > 0):
        return None
    if above[k] == 0:
        return float(far[k])
    share = -above[k - 1] / (above[k] - above[k - 1])
    return float(far[k - 1] + share * (far[k] - far[k - 1]))


@page.styled
def far_frr(path, taus, far, frr, tau=None, title="Both errors, and the threshold between them"):
    """FAR and FRR over tau: whoever wants fewer of one kind of error has to take more of the other.

    taus, far, frr  (t,) each, taus rising; a first tau of -inf, where nobody is accepted, is left out
    tau             the threshold in use, marked with both its rates
    Raises ShapeError, NumericsError.
    """
    taus = np.asarray(taus)
    some = slice(1 if taus.ndim == 1 and len(taus) > 1 and taus[0] == -np.inf else 0, None)
    taus = page.expect_numbers(taus[some] if taus.ndim else taus, "taus")
    far, frr = (_expect_rates(np.asarray(rates)[some] if np.ndim(rates) else rates, name) for rates, name in ((far, "far"), (frr, "frr")))
    tau = page.expect_tau(tau)
    if not taus.shape == far.shape == frr.shape or (np.diff(taus) < 0).any():
        raise ShapeError(f"taus {taus.shape}, far {far.shape}, frr {frr.shape}; expected (t,) each, and taus in rising order")
    e = equal_error(far, frr)
    facts = [] if e is None else [f"the dot: equal error rate EER = {page.percent(e)}"]
    if tau is not None and np.isfinite(tau):
        # The rates change at the taus only, and hold up to the next.
        k = np.searchsorted(taus, tau, side="right") - 1
        at = (far[k], frr[k]) if k >= 0 else (0., 1.)
        facts.append(f"at τ = {page.short(tau)}: FAR = {page.percent(at[0])}, FRR = {page.percent(at[1])}")
    subtitle = ";   ".join(facts) or "FAR: two people accepted as one;   FRR: one person refused"

    names = ["FAR: two people accepted", "FRR: one person refused"]
    width = max(860, page.heading_width(title, subtitle))
    fig = page.figure(width, 500)
    page.heading(fig, title, subtitle)
    ax = page.axes(fig, 72, 92, width - 72 - 48 - int(max(map(page.text_width, names))), 500 - 92 - 52)
    ends = [(names[0], taus, far, dict(color=page.VERMILION)), (names[1], taus, frr, dict(color=page.BLUE))]
    for _, x, y, looks in ends:
        ax.plot(x, y, drawstyle="steps-post", marker="o" if len(x) == 1 else None, clip_on=False, **looks)
    ax.set(xlabel="threshold τ: the same person where d ≤ τ", ylim=(0, 1))
    ax.margins(x=.01)
    ax.yaxis.set_major_formatter(page.percent)
    if e is not None:
        ax.plot(taus[np.argmax(far >= frr)], e, "o", color=page.INK, markersize=6, markeredgecolor="white", zorder=4)
    page.mark_tau(fig, ax, tau)
    page.name_ends(fig, ax, ends)
    return page.save(fig, path)


# ---------------------------------------------------------------------------------------------------------------- what may come in

def _expect_same(same, d):
    same = np.asarray(same)
    if same.shape != d.shape or not np.isin(same, (0, 1)).all():
        raise ShapeError(f"same has shape {same.shape} of {same.dtype}, d {d.shape}; expected True or False for each distance")
    return same.astype(bool)


def _expect_rates(rates, name):
    rates = page.expect_numbers(rates, name)
    if rates.min() < 0 or rates.max() > 1:
        raise ShapeError(f"{name} goes from {page.short(rates.min())} to {page.short(rates.max())}; expected rates from 0 to 1")
    return rates


def _expect_curve(curve, name):
    """far, tar, auc of one curve, as float64."""
    if len(curve) != 3:
        raise ShapeError(f"curve {name!r} has {len(curve)} parts; expected (far, tar, auc), auc may be None")
    far, tar = _expect_rates(curve[0], f"far of {name!r}"), _expect_rates(curve[1], f"tar of {name!r}")
    if far.shape != tar.shape or (np.diff(far) < 0).any() or (np.diff(tar) < 0).any():
        raise ShapeError(f"curve {name!r} has far {far.shape} and tar {tar.shape}; expected (t,) both, rising together, in order of tau")
    return far, tar, None if curve[2] is None else float(page.expect_numbers(curve[2], f"auc of {name!r}", ndim=0))
