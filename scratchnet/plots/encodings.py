"""Encodings as points, for the triplet loss is geometry: what it pulls, what it pushes, and from where on it is content."""

import numpy as np
from matplotlib.patches import Circle, Polygon
from matplotlib.patheffects import withStroke

from scratchnet.errors import ShapeError
from scratchnet.mining import KINDS, kinds_of
from scratchnet.plots import page
from scratchnet.similarity import squared_euclidean

KIND_LOOKS = {                                  # of negatives; told apart without colours too
    "easy":      dict(color="#9aa3ae", marker="o", s=26),
    "semi-hard": dict(color=page.ORANGE, marker="^", s=52),
    "hard":      dict(color=page.VERMILION, marker="X", s=58),
}
OWN_LOOKS = dict(color=page.BLUE, marker="o", s=44)
SAYS = {"easy": "d_AP + margin ≤ d_AN: the loss is 0", "semi-hard": "d_AP < d_AN < d_AP + margin", "hard": "d_AN ≤ d_AP: nearer than P"}
MARKERS = {"o": 34, "s": 32, "^": 36, "D": 26, "v": 36, "P": 42, "X": 40, "*": 70, "<": 36, ">": 36, "p": 40, "h": 40}      # and sizes
PEOPLE = len(MARKERS)                           # that have a marker and a colour of their own


# ---------------------------------------------------------------------------------------------------------------- one anchor

@page.styled
def triplet_plane(path, f, labels, A, P, margin, N=None, title="What one anchor sees of its batch"):
    """The batch around an anchor: the ring of its positive, the ring a margin beyond, and in which of the three a negative lies.

    f       encodings of the batch                 (m, n_f)
    labels  who is in each picture                 (m,)
    A, P    indices of the anchor and its positive; N that of the negative that was chosen, None: none is drawn
    margin  that of the loss, on squared distances: the rings have the radii sqrt(d_AP) and sqrt(d_AP + margin)
    Two dimensions are drawn as they are.  Of more, each point keeps its distance from A, so that the rings hold; its direction is
    that of its projection to the plane of the batch's first two principal components; other distances are not true.
    Kinds are those of mining, computed in all dimensions.   Raises ShapeError, NumericsError.   Lecture: triplet loss.
    """
    f, labels, margin = _expect_triplet(f, labels, A, P, N, margin)
    d = squared_euclidean(f[A], f)                                                  # (m,)
    negative = labels != labels[A]
    kinds = np.where(negative, kinds_of(d[P], d, margin), -1)
    at = f if f.shape[1] == 2 else _around(f, A, d)
    subtitle = "the encodings as they are, in 2 dimensions" if f.shape[1] == 2 else \
        f"n_f = {f.shape[1]}: distances to A are true, directions are those of PCA"

    side, words = 560, _key(d, kinds, negative, P, margin, N)
    column = max(page.text_width(text, weight) for text, _, _, weight in words)
    fig = page.figure(max(92 + side + 32 + 30 + int(column) + 24, page.heading_width(title, subtitle)), 84 + side + 48)
    page.heading(fig, title, subtitle)
    ax = page.axes(fig, 92, 84, side, side)
    _plane(ax, at, at[A], np.sqrt([d[P], d[P] + margin]), f.shape[1] == 2)
    ax.scatter(*at[~negative].T, **OWN_LOOKS, linewidth=0, zorder=3)
    for kind, name in enumerate(KINDS):
        ax.scatter(*at[kinds == kind].T, **KIND_LOOKS[name], linewidth=0, zorder=3)
    ax.scatter(*at[[A, P]].T, **OWN_LOOKS, linewidth=.8, edgecolor="white", zorder=4)              # never hidden by others
    if N is not None:
        ax.scatter(*at[N], **KIND_LOOKS[KINDS[kinds[N]]], linewidth=.8, edgecolor="white", zorder=4)
        ax.add_patch(Polygon(at[[A, P, N]], closed=True, fill=False, edgecolor=page.INK, linewidth=1.2, zorder=2.5))
    _letters(fig, ax, at, {"A": A, "P": P, **({} if N is None else {"N": N})})
    _write_key(fig, 92 + side + 32, 96, words)
    return page.save(fig, path)


def _around(f, A, d):
    """(m, n_f) -> (m, 2) around A at 0, each point at its true distance sqrt(d), in the direction of its principal components."""
    away = (f - f[A]) @ principal(f)[1].T
    length = np.linalg.norm(away, axis=1, keepdims=True)
    direction = np.divide(away, length, out=np.tile([1., 0.], (len(f), 1)), where=length > 0)
    return direction * np.sqrt(d)[:, None]


def _plane(ax, at, A, radii, plain):
    """Rings around A at both radii, the band between them tinted, and room for all points."""
    ax.add_patch(Circle(A, radii[1], color=page.ORANGE, alpha=.13, linewidth=0, zorder=.5))
    ax.add_patch(Circle(A, radii[0], color="white", linewidth=0, zorder=.6))
    ax.add_patch(Circle(A, radii[0], color=page.VERMILION, alpha=.10, linewidth=0, zorder=.7))
    for radius, dashes in zip(radii, ("-", (0, (5, 3)))):
        ax.add_patch(Circle(A, radius, fill=False, edgecolor=page.INK, linewidth=1.2, linestyle=dashes, zorder=1))
    low, high = np.min([*at, A - radii[1]], axis=0), np.max([*at, A + radii[1]], axis=0)
    middle, half = (low + high) / 2, ((high - low).max() / 2 or 1) * 1.06
    ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    ax.set(xlabel="f_1", ylabel="f_2") if plain else ax.set(xlabel="from A, along component 1", ylabel="from A, along component 2")
    ax.grid(False)
    ax.locator_params(nbins=6)
    ax.xaxis.set_major_formatter(page.short)
    ax.yaxis.set_major_formatter(page.short)


def _letters(fig, ax, at, named):
    """A, P and N beside their points, each on the first free side: no letter on another."""
    taken = list(ax.transData.transform(at[list(named.values())]))
    sides = [(1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)]
    for letter, i in named.items():
        point = ax.transData.transform(at[i])
        places = [point + out * np.array(side) for out in (12, 22, 32) for side in sides]
        place = max(places, key=lambda place: min(15, *(np.hypot(*(place - other)) for other in taken)))        # the first of equals
        taken.append(place)
        left, top = place[0], fig.bbox.height - place[1]
        page.write(fig, left, top, letter, ha="center", va="center_baseline", weight="bold", size=12, zorder=9,
                   path_effects=[withStroke(linewidth=3, foreground="white")])


def _key(d, kinds, negative, P, margin, N):
    """What stands beside the plane: (words, what to draw before them, colour, weight) line by line."""
    ring = lambda value: f"radius √{page.short(value)} = {page.short(np.sqrt(value))}"
    lines = [("Rings, at squared distances d from A", None, page.INK, "bold"),
             (f"d_AP = {page.short(d[P])}: {ring(d[P])}", "-", page.INK, "normal"),
             (f"d_AP + margin = {page.short(d[P] + margin)}: {ring(d[P] + margin)}", (0, (5, 3)), page.INK, "normal"),
             ("", None, page.INK, "normal"),
             (f"Negatives, other people: {np.count_nonzero(negative)}", None, page.INK, "bold")]
    for kind, name in enumerate(KINDS):
        lines.append((f"{np.count_nonzero(kinds == kind)} {name}", KIND_LOOKS[name], page.INK, "normal"))
        lines.append((SAYS[name], None, page.GREY, "normal"))
    lines += [("", None, page.INK, "normal"),
              (f"{np.count_nonzero(~negative)} of the anchor's person, A and P among them", OWN_LOOKS, page.INK, "normal")]
    if N is not None:
        L = max(d[P] - d[N] + margin, 0)
        lines += [("", None, page.INK, "normal"), ("The chosen triplet", None, page.INK, "bold"),
                  (f"d_AN = {page.short(d[N])}: N is {KINDS[kinds[N]]}", None, page.INK, "normal"),
                  (f"L = max(d_AP − d_AN + margin, 0) = {page.short(L)}", None, page.INK, "normal")]
    return lines


def _write_key(fig, left, top, lines):
    ax = page.picture_axes(fig, left, top - 16, 22, 20 * len(lines))
    ax.set(xlim=(0, 22), ylim=(len(lines), 0))
    for k, (text, mark, colour, weight) in enumerate(lines):
        if isinstance(mark, dict):
            ax.scatter(11, k + .5, linewidth=0, **mark)
        elif mark is not None:
            ax.plot([1, 21], [k + .5, k + .5], linestyle=mark, color=page.INK, linewidth=1.2)
        page.write(fig, left + (0 if weight == "bold" else 30), top - 6 + 20 * k, text, va="center_baseline", color=colour, weight=weight)


# ---------------------------------------------------------------------------------------------------------------- the whole batch

@page.styled
def encodings_over_time(path, stages, title="Encodings as training goes"):
    """All encodings in the plane, a panel for each stage: people gather, and part from each other.

    stages  [(epoch, f, labels), ...], f (m, n_f) with one n_f for all, labels (m,)
    All panels show one plane on equal axes, that of the last stage's two principal components, so that they compare; encodings of
    two dimensions are drawn as they are.  The first twelve people have a colour and a shape each, others are grey.
    Under each panel: mean squared distances in all dimensions, over pairs of one person and of two.
    Raises ShapeError, NumericsError.
    """
    stages = _expect_stages(stages)
    n_f = stages[-1][1].shape[1]
    mean, axes = (np.zeros(2), np.eye(2)) if n_f == 2 else principal(stages[-1][1])
    flat = [(f - mean) @ axes.T for _, f, _ in stages]
    people = list(dict.fromkeys(who for _, _, labels in stages for who in np.unique(labels).tolist()))
    whole = stages[-1][1].var(axis=0).sum()
    shown = f", which shows {page.percent(flat[-1].var(axis=0).sum() / whole)} of its variance" if whole else ""
    subtitle = "the encodings as they are, in 2 dimensions" if n_f == 2 else f"n_f = {n_f}, in the plane of the last panel's PCA{shown}"

    side, gap, most = (250, 28, 4) if len(stages) <= 12 else (200, 44, 6)
    rows = -(-len(stages) // most)
    across = -(-len(stages) // rows)
    names = [page.shorten(str(who), 160) for who in people[:PEOPLE]]
    more = [f"{len(people) - PEOPLE} more"] if len(people) > PEOPLE else []
    key = 24 + int(max(map(page.text_width, names + more)))
    height = 84 + max(rows * (side + 70), 20 * len(names + more) + 30)
    fig = page.figure(max(24 + across * (side + gap) + key + 24, page.heading_width(title, subtitle)), height)
    page.heading(fig, title, subtitle)
    middle, half = _frame(np.concatenate(flat))
    for k, ((epoch, f, labels), at) in enumerate(zip(stages, flat)):
        row, column = divmod(k, across)
        left, top = 24 + column * (side + gap), 108 + row * (side + 70)
        page.write(fig, left, top - 8, f"epoch {epoch}", va="baseline", weight="bold")
        ax = page.axes(fig, left, top, side, side)
        ax.set(xticks=[], yticks=[], xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(page.HAIR)
        _people(ax, at, labels, people)
        page.write(fig, left, top + side + 18, _distances(f, labels), va="baseline", color=page.GREY, size=8.5)
    _name_people(fig, 24 + across * (side + gap), 108, names, more)
    return page.save(fig, path)


def principal(f):
    """The mean (n_f,) and the first two principal components (2, n_f) of encodings, from the SVD of what is left without the mean.

    A component's sign is free: here its largest entry is positive, so that figures repeat.  One dimension has a second of zeros.
    """
    mean = f.mean(axis=0)
    V = np.linalg.svd(f - mean, full_matrices=False)[2][:2]
    V = V * np.sign(V[np.arange(len(V)), np.argmax(abs(V), axis=1)])[:, None]
    return mean, np.concatenate([V, np.zeros((2 - len(V), f.shape[1]))])


def _frame(at):
    """Middle and half side of the square around all points."""
    low, high = at.min(axis=0), at.max(axis=0)
    return (low + high) / 2, 1.08 * ((high - low).max() / 2 or 1)


def person_looks(k):
    """Colour and shape of the k-th person, grey from the thirteenth on."""
    if k >= PEOPLE:
        return dict(color="#b9c0c8", marker=".", s=30, zorder=2, linewidth=0)
    marker, size = list(MARKERS.items())[k]
    return dict(color=page.SEVERAL[k % len(page.SEVERAL)], marker=marker, s=size, zorder=3, edgecolor="white", linewidth=.4)


def _people(ax, at, labels, people):
    for k, who in enumerate(people):
        ax.scatter(*at[labels == who].T, **person_looks(k))


def _distances(f, labels):
    """Mean squared distances of pairs, in words that fit under a panel."""
    same, different = ("–" if d is None else page.short(d) for d in mean_distances(f, labels))
    return f"mean d: same {same}, different {different}"


def mean_distances(f, labels):
    """Mean of ||f_i - f_j||^2 over pairs of one person, and over pairs of two; None without such pairs.

    Without the pairs: over all ordered pairs of m points the sum is 2 m sum_i ||f_i - mean||^2.
    """
    around = lambda f: 2 * len(f) * np.sum((f - f.mean(axis=0)) ** 2)
    groups = [f[labels == who] for who in np.unique(labels)]
    same, n_same = sum(map(around, groups)), sum(len(group) * (len(group) - 1) for group in groups)
    n_different = len(f) * (len(f) - 1) - n_same
    return same / n_same if n_same else None, max(around(f) - same, 0) / n_different if n_different else None


def _name_people(fig, left, top, names, more):
    ax = page.picture_axes(fig, left, top, 20, 20 * len(names + more))
    ax.set(xlim=(0, 20), ylim=(len(names + more), 0))
    for k, name in enumerate(names + more):
        ax.scatter(8, k + .5, **person_looks(k))
        page.write(fig, left + 20, top + 20 * k + 10, name, va="center_baseline", color=page.GREY if k >= PEOPLE else page.INK)


# ---------------------------------------------------------------------------------------------------------------- what may come in

def _expect_batch(f, labels, name):
    f, labels = page.expect_numbers(f, name, ndim=2), np.asarray(labels)
    if labels.shape != f.shape[:1]:
        raise ShapeError(f"{name} has shape {f.shape} and its labels {labels.shape}; expected (m, n_f) and (m,), a label for each encoding")
    return f, labels


def _expect_triplet(f, labels, A, P, N, margin):
    f, labels = _expect_batch(f, labels, "f")
    margin = float(page.expect_numbers(margin, "margin", ndim=0))
    for name, i in {"A": A, "P": P, **({} if N is None else {"N": N})}.items():
        if not isinstance(i, (int, np.integer)) or not 0 <= i < len(f):
            raise ShapeError(f"{name} = {i!r}; expected the index of one of {len(f)} encodings")
    if margin < 0:
        raise ShapeError(f"margin = {page.short(margin)}; expected 0 or more, for squared distances")
    if A == P or labels[A] != labels[P] or N is not None and labels[N] == labels[A]:
        shown = f"A = {A} shows {labels[A]}, P = {P} {labels[P]}" + ("" if N is None else f", N = {N} {labels[N]}")
        raise ShapeError(f"{shown}; expected two pictures of one person as A and P, and another person as N")
    return f, labels, margin


def _expect_stages(stages):
    stages = [(epoch, *_expect_batch(f, labels, f"f of epoch {epoch}")) for epoch, f, labels in stages]
    if not stages:
        raise ShapeError("there are no stages to draw; give one or more, (epoch, f, labels)")
    widths = sorted({f.shape[1] for _, f, _ in stages})
    if len(widths) > 1:
        raise ShapeError(f"the stages have encodings of {' and '.join(map(str, widths))} numbers; expected one n_f for all")
    return stages
