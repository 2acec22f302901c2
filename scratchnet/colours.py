"""A photograph painted like a starry night need not turn blue: three ways to keep its colours and take only the strokes.

    keep = KEEP["luminance"]            or "linear", "histogram"; "style" keeps nothing
    C_painted, S_painted = keep.before(C, S)      what style transfer is given in place of C and S
    G = keep.after(G, C)                          what is shown in place of G; C is the photograph as it was

    name         S becomes                                                    C                 G
    "style"      itself                                                       itself            itself
    "luminance"  its luminance, with mean and spread of C's                   its luminance     its luminance, with C's colours
    "linear"     A S + b: its colours have mean and covariance of C's         itself            itself
    "histogram"  the same, then bent until its colours are spread as C's are  itself            itself

Luminance is the better keeper of places, for every pixel has its own colour again; the other two let strokes run across the edges
of things, in colours that the photograph has somewhere. A picture is (1, n_H, n_W, 3), RGB, in [0, 1]; C and S may differ in size.
Source: Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving color in neural artistic style transfer".
"""

from typing import Callable, NamedTuple

import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.images import expect_picture

RED, GREEN, BLUE = 0.299, 0.587, 0.114                # of luminance, Rec. 601: the Y of YIQ, YUV and YCbCr
FAINT = 1 / 255                                       # colours that spread less than this, one grey level, are noise to be left alone
ROUNDS = 12                                           # of turned axes


class Keep(NamedTuple):
    """One way: words for it; match(S, C), S as it is painted from but not yet clipped to [0, 1]; whether to paint in grey.

    All three methods raise ImageError for what is no picture in [0, 1], `after` ShapeError for two sizes.
    """

    words: str
    match: Callable
    grey: bool = False

    def before(self, C, S):
        """(C, S) -> the two that style transfer is given, in [0, 1], each of its own dtype."""
        C, S = expect_picture(C, "C"), expect_picture(S, "S")
        return grey(C) if self.grey else C, np.clip(self.match(S, C), 0, 1)

    def after(self, G, C):
        """(G, C) -> G as it is shown."""
        return with_colours(expect_picture(G, "G"), expect_picture(C, "C")) if self.grey else G

    def clipped(self, C, S):
        """The share of S's values that `before` has to clip: they would have to be blacker than black, or whiter than white."""
        matched = self.match(expect_picture(S, "S"), expect_picture(C, "C"))
        return float(np.mean((matched < 0) | (matched > 1)))


def luminance(x):
    """Y = 0.299 R + 0.587 G + 0.114 B: how light a pixel is to the eye.   (1, n_H, n_W, 3) -> (1, n_H, n_W, 1)"""
    return RED * x[..., 0:1] + GREEN * x[..., 1:2] + BLUE * x[..., 2:3]


def grey(x):
    """The picture in grey: its luminance three times."""
    return np.repeat(luminance(x), 3, axis=-1)


def with_colours(G, C):
    """The luminance of G with the colours of C, pixel by pixel; both of one size.

    Y_G + (C - Y_C): YIQ's I and Q are sums of differences from Y, and so are YUV's and YCbCr's; to carry any of them over is to carry
    C - Y_C. Where the sum would leave [0, 1], at light and dark places, the colour is made paler until it fits: luminance and hue stay,
    which clipping, as in the source, would change.
    """
    if G.shape != C.shape:
        raise ShapeError(f"G has shape {G.shape} and C {C.shape}; every pixel of G takes the colour of C there, so give C of G's size.")
    Y, colour = luminance(G), C - luminance(C)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(colour > 0, (1 - Y) / colour, np.where(colour < 0, -Y / colour, np.inf))
    return np.clip(Y + np.clip(room.min(axis=-1, keepdims=True), 0, 1) * colour, 0, 1).astype(G.dtype, copy=False)


# ---- S in the colours of C, not yet clipped ----------------------------------------------------------------------------------

def match_luminance(S, C):
    """Y_S moved and stretched to the mean and spread of Y_C, three times.   Gatys et al. 2016, eq. 10"""
    Y_S, Y_C = luminance(S).astype(float), luminance(C).astype(float)
    spread = Y_S.std()
    stretched = (Y_S - Y_S.mean()) * (Y_C.std() / spread if spread > FAINT else 0) + Y_C.mean()
    return np.repeat(stretched, 3, axis=-1).astype(S.dtype)


def match_linear(S, C):
    """A S + b at every pixel, with A = cov_C^(1/2) cov_S^(-1/2): the colours have the mean and the covariance of C's.

    Both roots are symmetric. Along an axis in which S does not spread (a grey picture has one that does), there is nothing to stretch:
    A is 0 there, and the covariance is C's only as far as S reaches.   Gatys et al. 2016, eq. 5 and A_IA; Hertzmann et al. 2001.
    """
    s, c = _pixels(S), _pixels(C)
    A = _power(np.cov(c.T, bias=True), 1 / 2) @ _power(np.cov(s.T, bias=True), -1 / 2, FAINT)
    return ((s - s.mean(axis=0)) @ A.T + c.mean(axis=0)).reshape(S.shape).astype(S.dtype)


def match_histogram(S, C, rounds=ROUNDS):
    """The colours of S moved until they are spread as C's are, along every axis: the three histograms, and what they say together.

    Begins as match_linear. Then, along three axes at right angles, turned anew each round, the k-th smallest of S's numbers becomes
    the k-th smallest of C's. Equal colours stay equal; but where S is flat and C is not, as on plain paper, colours that hardly differ
    are driven apart, and the ground becomes patchy: match_linear leaves it calm.
    Source: Pitie, Kokaram & Dahyot 2005, "N-dimensional probability density function transfer". The first axes are C's principal
    ones, the others are drawn from a fixed seed.
    """
    s, c, rng = _pixels(match_linear(S, C)), _pixels(C), np.random.default_rng(0)
    axes = np.linalg.eigh(np.cov(c.T, bias=True))[1]
    for _ in range(rounds):
        s = np.stack([_as_spread(along_s, along_c) for along_s, along_c in zip((s @ axes).T, (c @ axes).T)], axis=1) @ axes.T
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    return s.reshape(S.shape).astype(S.dtype)


def _as_spread(s, c):
    """The k-th smallest of s becomes the k-th smallest of c, and equal ones the one in their middle.   (n,), (m,) -> (n,)"""
    _, place, count = np.unique(s, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / len(s)
    return np.interp(middle * len(c) - .5, np.arange(len(c)), np.sort(c))[place.ravel()]


def _pixels(x):
    """(1, n_H, n_W, 3) -> (n_H n_W, 3) in float64"""
    return x.reshape(-1, 3).astype(float)


def _power(cov, p, least=0):
    """A symmetric power of a covariance, 0 along axes that spread no more than `least`. Rounding makes variances of 0 negative."""
    variances, axes = np.linalg.eigh(cov)
    some = variances > least ** 2
    return (axes * np.where(some, np.where(some, variances, 1) ** p, 0)) @ axes.T


KEEP = {
    "style":     Keep("the colours of the style", lambda S, C: S),
    "luminance": Keep("the colours of the content, pixel by pixel", match_luminance, grey=True),
    "linear":    Keep("the colours of the content, by mean and covariance", match_linear),
    "histogram": Keep("the colours of the content, by their histogram", match_histogram),
}
