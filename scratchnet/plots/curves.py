"""What goes down while something is learned: costs, errors and losses, each with its name at the end of its line."""

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import MaxNLocator

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.plots import page


@page.styled
def cost_curves(path, history, alpha, beta, lam, tv=0.0):
    """J, alpha J_content, every beta lambda[l] J_style[l] and tv J_tv over the steps, on one logarithmic axis.

    history  steps, objects or dicts, with i, J, J_content and per_layer, {l: J_style[l] before its weight}; J_tv if tv > 0
    lam      {l: lambda[l]}, from shallow to deep
    The percentages are shares of J at the last step.  A cost of zero has no place on the axis and is left out, as are NaN and
    infinity.   Raises ShapeError without steps or for a layer the history does not have, NumericsError if nothing is positive.
    """
    history = list(history)
    if not history:
        raise ShapeError("the history has no steps, so there is no curve; run one step or more")
    i, J, J_content, per_layer = ([_get(step, name) for step in history] for name in ("i", "J", "J_content", "per_layer"))
    for l in lam:
        if not all(l in costs for costs in per_layer):
            known = ", ".join(per_layer[0]) or "no layers"
            raise ShapeError(f"lam weighs layer {l}, but the history has {known}; give the lam of the same run")

    tints = colormaps["viridis"](np.linspace(.05, .78, max(2, len(lam))))            # dark is shallow, light is deep
    costs = [("α J_content", alpha * np.array(J_content, float), page.VERMILION)]
    for l, tint in zip(lam, tints):
        costs.append((f"β λ J_style[{l}]", beta * lam[l] * np.array([J_style[l] for J_style in per_layer], float), tint))
    if tv:
        costs.append(("tv J_tv", tv * np.array([_get(step, "J_tv") for step in history], float), page.GREY))
    curves = [(f"{name}  {_share(cost[-1], J[-1])}", i, cost, dict(color=tint)) for name, cost, tint in costs]
    curves.append((f"J = {page.short(J[-1])}", i, np.array(J, float), dict(color=page.INK, linewidth=3.4)))

    formula = (f"J = α J_content + β Σ λ[l] J_style[l]{' + tv J_tv' if tv else ''}     α = {alpha:g}   β = {beta:g}"
               f"{f'   tv = {tv:g}' if tv else ''}")
    fig, ax = _curves(900, 560, "The cost J(G) and its parts", formula, curves)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    ax.set_xlabel("step")
    return page.save(fig, path)


@page.styled
def error_curve(path, curves, title="How far the slope is from the gradient"):
    """The error of a gradient check over its step h, both logarithmic, h smaller to the right.

    curves  {label: [(h, error), ...]}.   An error of exactly zero has no place on the axis and is left out.
    Raises ShapeError without curves or points, NumericsError if nothing is positive.
    """
    empty = [str(label) for label, points in curves.items() if not len(points)]
    if empty or not curves:
        raise ShapeError(f"there is no {'point in ' + ', '.join(empty) if empty else 'curve'}; expected one (h, error) or more in each")
    drawn = []
    for k, (label, points) in enumerate(curves.items()):
        h, error = np.array(sorted(points, reverse=True), dtype=float).T
        drawn.append((str(label), h, error, dict(color=page.SEVERAL[k % len(page.SEVERAL)], marker="o", markersize=4)))
    reason = "error against h: where h is large the bend of J is in the way, where it is small, rounding"
    fig, ax = _curves(760, 500, title, reason, drawn, log_x=True)
    ax.set_xlabel("h, smaller to the right")
    return page.save(fig, path)


@page.styled
def training_curves(path, steps, curves, title="What is left to learn"):
    """What a training has left to learn, over its steps.   curves  {name: values}, a value for each of steps"""
    drawn = [(f"{name}  {page.short(values[-1])}", steps, np.array(values, float), dict(color=page.SEVERAL[k % len(page.SEVERAL)]))
             for k, (name, values) in enumerate(curves.items())]
    fig, ax = _curves(900, 560, title, "on a logarithmic axis, over the steps of the training", drawn)
    ax.set_xlabel("step")
    return page.save(fig, path)


PANELS = {"J": "J, the loss of a batch", "active": "active triplets", "accuracy": "one-shot accuracy"}


@page.styled
def triplet_curves(path, history, which=("J", "active", "accuracy"), title="What the triplets still teach"):
    """J, the active triplets and the one-shot accuracy by epoch, one over the other: a loss of 0 is no success if nothing was active.

    history  epochs, objects or dicts with i, J and scores, {"active": ..., "accuracy": ...}; or {name: epochs} to compare runs
    which    names of J or of scores, a panel each; one that no run has is left out, an epoch without it is skipped
    Axes begin at 0.   Raises ShapeError without epochs or panels, NumericsError for a panel of which nothing is finite.
    """
    runs = {str(name): list(run) for name, run in (history if isinstance(history, dict) else {"": history}).items()}
    if not runs or not all(runs.values()):
        raise ShapeError("a run has no epochs, so there is no curve; give one epoch or more")
    panels = {name: [_score(run, name) for run in runs.values()] for name in which}
    panels = {name: scores for name, scores in panels.items() if any(len(i) for i, _ in scores)}
    if not panels:
        raise ShapeError(f"no epoch has {' or '.join(which)}; name J, or scores that the epochs have")

    drawn = {panel: [(f"{page.shorten(name, 240)}  {page.short(y[-1])}".strip(), i, y, dict(color=page.SEVERAL[k % len(page.SEVERAL)]))
                     for k, (name, (i, y)) in enumerate(zip(runs, scores)) if len(i)] for panel, scores in panels.items()}
    names = 44 + int(max(page.text_width(name) for lines in drawn.values() for name, *_ in lines))
    tall = max(150, 17 * len(runs) - 20)
    subtitle = "by epoch; at the end of each line, its last value"
    fig = page.figure(max(76 + 520 + names, page.heading_width(title, subtitle)), 72 + len(panels) * (tall + 46) + 40)
    page.heading(fig, title, subtitle)
    epochs = np.concatenate([i for lines in drawn.values() for _, i, _, _ in lines])
    for k, (panel, lines) in enumerate(drawn.items()):
        top = 102 + k * (tall + 46)
        page.write(fig, 24, top - 12, PANELS.get(panel, panel), va="baseline", weight="bold")
        ax = page.axes(fig, 76, top, 520, tall)
        _from_zero(ax, lines, epochs.min(), epochs.max())
        ax.tick_params(labelbottom=k == len(drawn) - 1)
        page.name_ends(fig, ax, lines)
    ax.set_xlabel("epoch")
    return page.save(fig, path)


def _from_zero(ax, lines, first, last):
    """Lines on a plain axis that begins at zero, or below where they do."""
    for _, i, y, looks in lines:
        ax.plot(i, y, marker="o" if len(i) == 1 else None, clip_on=False, **looks)
    lowest, highest = (pick(pick(y) for _, _, y, _ in lines) for pick in (min, max))
    room = .02 * (last - first or 1)
    ax.set(xlim=(first - room, last + room), ylim=(min(0, 1.05 * lowest), max(0, 1.05 * highest) or 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.yaxis.set_major_formatter(page.short)


def _score(run, name):
    """The epochs that have a score, and the score: two arrays."""
    pairs = [(_get(epoch, "i"), _value(epoch, name)) for epoch in run]
    there = [(i, value) for i, value in pairs if value is not None]
    i, y = (np.array(column, float) for column in zip(*there)) if there else (np.empty(0), np.empty(0))
    if len(y) and not np.isfinite(y).any():
        raise NumericsError(f"{name} is NaN or infinite in all {len(y)} epochs; look for where it began")
    return i[np.isfinite(y)], y[np.isfinite(y)]


def _value(epoch, name):
    """J or a score of one epoch, None where it has none."""
    parts = epoch if isinstance(epoch, dict) else vars(epoch)
    return parts[name] if name in parts else parts.get("scores", {}).get(name)


def _curves(width, height, title, subtitle, curves, log_x=False):
    """Lines (name, x, y, looks) on a logarithmic axis, each with its name at its end -> figure, axes"""
    kept = [np.isfinite(y) & (y > 0) for _, _, y, _ in curves]
    curves = [(name, np.asarray(x)[some], y[some], looks) for (name, x, y, looks), some in zip(curves, kept) if some.any()]
    if not curves:
        raise NumericsError("nothing here is positive and finite, so a logarithmic axis has nothing to show; look at the numbers first")
    names = 44 + max(page.text_width(name, weight="bold") for name, *_ in curves)

    fig = page.figure(max(width, page.heading_width(title, subtitle)), height)
    page.heading(fig, title, subtitle)
    ax = page.axes(fig, 64, 84, width - 64 - names, height - 84 - 56)
    ax.set_yscale("log")
    if log_x:
        ax.set_xscale("log")
        ax.invert_xaxis()
    for _, x, y, looks in curves:
        ax.plot(x, y, **{"marker": "o" if len(x) == 1 else None, **looks})
    ax.margins(x=.02)
    if not log_x and len(x) == 1:
        ax.set_xlim(x[0] - 1, x[0] + 1)
    ax.autoscale_view()
    page.name_ends(fig, ax, curves)
    return fig, ax


def _share(part, whole):
    """A part of J in words: 38 %, < 1 %, or nothing where J is no number to divide by."""
    if not (np.isfinite(part) and np.isfinite(whole) and whole > 0):
        return ""
    return f"{100 * part / whole:.0f} %" if part == 0 or part >= .01 * whole else "< 1 %"


def _get(step, name):
    try:
        return step[name] if isinstance(step, dict) else getattr(step, name)
    except (KeyError, AttributeError):
        raise ShapeError(f"a step of the history has no {name}; expected i, J, J_content and per_layer") from None
