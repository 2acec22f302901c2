"""What a painting begins as: the photograph, noise, something between the two, or another picture.

Where one starts decides where descent arrives: from the photograph its edges stay crisp, from noise strokes are free to form.
Pictures here are (1, n_H, n_W, 3), RGB in [0, 1]; what programs for pixels of 0 to 255 do is converted, with the factor shown.
Source: course 4, week 4: neural style transfer, cost function ("initiate G randomly"), and the programs named below.
"""

import numpy as np

from scratchnet.errors import ShapeError

MEAN_COLOUR = (123.68, 116.779, 103.939)              # R, G, B, 0 to 255, over ImageNet: what VGG's preparation subtracts


def _white(C, rng):
    """Uniform in [0, 1], every channel of every pixel by itself: the lecture's "white noise"."""
    return rng.random(C.shape)


def _course_1(C, rng):
    """The mean colour + U(-20, 20), divided by 255: a brownish grey. The assignment, first edition, mixes 0.6 of it with 0.4 of C."""
    return (np.asarray(MEAN_COLOUR) + rng.uniform(-20, 20, C.shape)) / 255


def _course_2(C, rng):
    """C + U(-0.25, 0.25), brought back into [0, 1]: the assignment in its present edition."""
    return np.clip(C + rng.uniform(-0.25, 0.25, C.shape), 0, 1)


def _gatys(C, rng):
    """The mean colour + N(0, 1), divided by 255. Source: leongatys/PytorchNeuralStyleTransfer, the line it calls "random init"."""
    return (np.asarray(MEAN_COLOUR) + rng.standard_normal(C.shape)) / 255


def _neural_style(C, rng):
    """The mean colour + 0.001 N(0, 1), divided by 256, that program's white: all but flat. Source: jcjohnson/neural-style, -init random."""
    return (np.asarray(MEAN_COLOUR) + 0.001 * rng.standard_normal(C.shape)) / 256


NOISE = {"white": _white, "course-1": _course_1, "course-2": _course_2, "gatys": _gatys, "neural-style": _neural_style}
STARTS = ("content", "noise", "mix", "style", "grey")


def starting_picture(C, start="content", mix=0.6, seed=0, S=None, noise="white"):
    """G before the first step, the shape and dtype of C; always a new array.

    start  "content"  C itself                          "noise"  drawn by np.random.default_rng(seed)
           "mix"      mix noise + (1 - mix) C           "grey"   0.5 everywhere
           "style"    S, its middle cut to the shape of C and resized: strokes are not stretched
           an array   a picture, resized to C as a whole: it is a G of before, whose every pixel has its place over C
    noise  a kind from NOISE
    Raises ShapeError for what is none of these, ImageError for an array that is no picture.
    """
    if noise not in NOISE:
        raise ShapeError(f"noise = {noise!r}; expected one of {', '.join(NOISE)}.")
    if not isinstance(start, str):
        return _resized(start, C)
    if start not in STARTS:
        raise ShapeError(f"start = {start!r}; expected one of {', '.join(STARTS)}, or a picture.")
    if start == "style" and S is None:
        raise ShapeError("start = 'style' needs the style picture; pass S.")
    if not 0 <= mix <= 1:
        raise ShapeError(f"mix = {mix}; expected a share of noise from 0 to 1.")
    if start == "grey":
        return np.full_like(C, 0.5)
    if start == "style":
        return _resized(S, C, cut=True)
    share = {"content": 0.0, "noise": 1.0, "mix": float(mix)}[start]
    return share * NOISE[noise](C, np.random.default_rng(seed)).astype(C.dtype) + (1 - share) * C


def _resized(picture, C, cut=False):
    """A picture with the sides and dtype of C.   cut  True: only its middle, of the aspect ratio of C"""
    from scratchnet import images                     # Pillow, wanted for this alone

    picture = images.expect_picture(picture, "the starting picture").astype(C.dtype)
    if picture.shape == C.shape:
        return picture.copy()
    return images.middle(picture, C.shape[1:3]) if cut else images.resize(picture, C.shape[1:3])
