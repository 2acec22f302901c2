"""A few pictures of a person teach like many, when each time they are turned, shifted, lit and hidden in part a little otherwise.

    vary(pictures, rng)      pictures (m, n_H, n_W, n_C) in [0, 1] -> as many, each changed in its own way

What is changed must not change who is seen: so nothing here stretches a face out of its shape. Both train.py and whoever
wants to look at it call the one function; LIMITS says how far each change may go.
"""

import numpy as np

from scratchnet.shapes import expect_batch

LIMITS = {
    "turn":  12.0,            # degrees to either side
    "zoom":  0.10,            # logarithm of the scale: 0.1 is a tenth larger or smaller
    "shift": 0.06,            # of the picture's side, in each direction
    "gamma": 0.4,             # logarithm of the exponent that makes mid greys darker or lighter
    "lamp":  0.35,            # how much brighter it is on one side than in the middle, and darker on the other
    "grain": 0.04,            # standard deviation of noise at most
    "patch": 0.3,             # how often a part is hidden behind a grey rectangle
}


def vary(pictures, rng, mirror=True, **limits):
    """Pictures of the same people under other circumstances.   (m, n_H, n_W, n_C) -> the same shape and dtype

    pictures  in [0, 1]; the result may leave [0, 1] a little
    rng       a NumPy Generator                     mirror  whether half of them are mirrored, left for right
    limits    other numbers than those of LIMITS, by name; 0 leaves a change out
    Raises ShapeError for another rank, TypeError for a limit that has no such name.
    """
    unknown = limits.keys() - LIMITS.keys()
    if unknown:
        raise TypeError(f"vary has no limit {sorted(unknown)[0]!r}; expected {', '.join(LIMITS)}.")
    pictures, most = expect_batch(pictures, "pictures"), {**LIMITS, **limits}
    varied = _moved(pictures, *_ways(len(pictures), rng, mirror, most))
    varied = _lit(varied, rng, most)
    varied += _each(rng.uniform(0, most["grain"], len(varied)), varied) * rng.standard_normal(varied.shape, np.float32)
    _hide(varied, rng, most["patch"])
    return varied.astype(pictures.dtype, copy=False)


def _ways(m, rng, mirror, most):
    """For each picture the turn and scale, as a matrix (m, 2, 2), and the shift (m, 2), in halves of the picture's height; x before y."""
    turn, scale = np.radians(rng.uniform(-most["turn"], most["turn"], m)), np.exp(rng.uniform(-most["zoom"], most["zoom"], m))
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    side = np.where(rng.random(m) < 0.5, -1, 1) if mirror else np.ones(m)
    return np.moveaxis(np.array([[side * cos, -sin], [side * sin, cos]]), -1, 0), 2 * rng.uniform(-most["shift"], most["shift"], (m, 2))


def _moved(pictures, ways, shift):
    """Each picture looked at through its own turn, scale and shift, between pixels in straight lines; beyond the edge, the edge."""
    m, n_H, n_W, _ = pictures.shape
    y, x = np.meshgrid((2 * np.arange(n_H) + 1) / n_H - 1, ((2 * np.arange(n_W) + 1) / n_W - 1) * n_W / n_H, indexing="ij")
    at = np.einsum("mab,bhw->mahw", ways, np.stack([x, y])) + shift[:, :, None, None] * np.array([n_W / n_H, 1])[:, None, None]
    column = np.clip((at[:, 0] * n_H + n_W - 1) / 2, 0, n_W - 1)
    row = np.clip((at[:, 1] * n_H + n_H - 1) / 2, 0, n_H - 1)
    left, top = np.minimum(column.astype(int), n_W - 2), np.minimum(row.astype(int), n_H - 2)
    right_share, low_share = ((a - b).astype(pictures.dtype)[..., None] for a, b in ((column, left), (row, top)))
    i = np.arange(m)[:, None, None]

    def line(row):
        return pictures[i, row, left] * (1 - right_share) + pictures[i, row, left + 1] * right_share

    return line(top) * (1 - low_share) + line(top + 1) * low_share


def _lit(pictures, rng, most):
    """Mid greys darker or lighter, and a lamp on one side."""
    m, n_H, n_W, _ = pictures.shape
    gamma = np.exp(rng.uniform(-most["gamma"], most["gamma"], m))
    angle, strength = rng.uniform(0, 2 * np.pi, m), rng.uniform(0, most["lamp"], m)
    y, x = np.linspace(-1, 1, n_H)[:, None, None], np.linspace(-1, 1, n_W)[:, None]
    lamp = 1 + _each(strength * np.cos(angle), pictures) * x + _each(strength * np.sin(angle), pictures) * y
    return np.clip(pictures, 1e-3, 1) ** _each(gamma, pictures) * lamp.astype(pictures.dtype)


def _hide(pictures, rng, often):
    """In place: a grey rectangle over some, from 15 to 40 % of each side."""
    _, n_H, n_W, _ = pictures.shape
    for i in np.flatnonzero(rng.random(len(pictures)) < often):
        height, width = (int(n * rng.uniform(0.15, 0.4)) for n in (n_H, n_W))
        top, left = rng.integers(0, n_H - height + 1), rng.integers(0, n_W - width + 1)
        pictures[i, top:top + height, left:left + width] = rng.random()


def _each(numbers, pictures):
    """One number for each picture, to multiply with."""
    return numbers.astype(pictures.dtype)[:, None, None, None]
