"""Exercises of section 0: a filter at every position, a maximum in every window, and the way back through both."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratchnet import shapes
from scratchnet.attribution import RULES
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.kernels import loops

# The kernels as plain Python: for arrays of this size there is nothing to gain by compiling, and a first check need not wait for it.
CONV2D, CONV2D_DA, CONV2D_DW, CONV2D_DB, MAX_POOL, MAX_POOL_DA = (getattr(kernel, "py_func", kernel) for kernel in (
    loops.conv2d, loops.conv2d_da_prev, loops.conv2d_dW, loops.conv2d_db, loops.max_pool, loops.max_pool_da_prev))


# ---- sizes -----------------------------------------------------------------------------------------------------------------

def output_size(n_prev, f, stride, pad):
    """n = floor((n_prev + 2 pad - f) / stride) + 1

    n_prev, f, stride, pad  side of the picture, side of the filter, its stride, pixels of padding on each side: whole numbers
    Returns n, how many places the filter has along that side, a whole number.
    """
    return shapes.output_size(n_prev, f, stride, pad, pad)


OUTPUT_SIZE = Exercise(
    0, "how many places a filter has", output_size, returns="n",
    cases={"a filter with places to spare": (8, 3, 2, 0), "the network of the slide (Zeiler & Fergus), layer 1": (224, 7, 2, 1),
           "a filter as large as the picture": (5, 5, 3, 0), "stride 4": (12, 2, 4, 1)},
    mistakes=(
        Mistake("you padded one side only", "there is padding before and after", lambda n, f, s, p: (n + p - f) // s + 1),
        Mistake("you left the 1 out", "steps are counted, and the place of the first is one more", lambda n, f, s, p: (n + 2 * p - f) // s),
        Mistake("you rounded up", "a filter that does not fit as a whole has no place", lambda n, f, s, p: -(-(n + 2 * p - f) // s) + 1),
        Mistake("you did not round at all", "there is no half place", lambda n, f, s, p: (n + 2 * p - f) / s + 1),
        Mistake("you divided f alone by the stride", "the division is that of the whole way the filter can go: brackets",
                lambda n, f, s, p: n + 2 * p - f // s + 1),
        Mistake("you forgot the stride", "with stride 2 every other place is left out", lambda n, f, s, p: n + 2 * p - f + 1),
        Mistake("you forgot that the filter has a size itself", "its last place is where its far edge meets the picture's",
                lambda n, f, s, p: (n + 2 * p) // s + 1),
    ),
    steps=("how far the filter's first corner can go", "how many strides are in that, and how many places that makes"),
    hints=("Draw 8 boxes, and lay a filter of 3 on the first three. How far can it go?", "With stride 2 it stands at 0, 2, 4. At 6 it "
           "would reach beyond the end: so what becomes of the half in (8 - 3) / 2?", "Whole division, //, rounds down."))


# ---- convolution -----------------------------------------------------------------------------------------------------------

def conv_forward(a_prev, W, b, stride, pad):
    """z_mijk = b_k + sum over u, v, c of a_prev_{m, i stride + u - pad, j stride + v - pad, c} W_uvck;   outside the picture is 0

    a_prev       pictures                           (m, n_H_prev, n_W_prev, n_C_prev), channels last
    W, b         n_C filters, and one bias each     (f, f, n_C_prev, n_C), (n_C,)
    stride, pad  whole numbers; pad rows and columns of zeros on each of the four sides
    Returns z                                       (m, n_H, n_W, n_C), n_H = floor((n_H_prev + 2 pad - f) / stride) + 1
    """
    return CONV2D(a_prev, W, b, stride, (pad,) * 4)


def _padded(a, before, after):
    return np.pad(a, ((0, 0), (before, after), (before, after), (0, 0)))


def _conv(a_prev, W, b, stride, pad):
    """The right answer, by windows: what mistakes are made of."""
    windows = sliding_window_view(_padded(a_prev, *np.broadcast_to(pad, 2)), W.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("mijcuv,uvck->mijk", windows, W) + b


def _no_strides(a_prev, W, b, stride, pad):
    _, n_H, n_W, _ = _conv(a_prev, W, b, stride, pad).shape
    return _conv(a_prev, W, b, 1, pad)[:, :n_H, :n_W]


def _first_channel(W):
    return W * (np.arange(W.shape[2]) == 0)[:, None]


PICTURE = np.array([1., 2, 0, 1, 3, 1, 1, 0, 2, 0, 1, 3]).reshape(1, 3, 4, 1)
EDGES = np.array([1., 0, -1, 2]).reshape(2, 2, 1, 1)
TWO = np.array([1., 0, 2, 1, 0, 3, 1, 1, 0, 2, 2, 0]).reshape(1, 3, 2, 2)
FILTERS = np.array([1., 0, 2, 1, 0, 1, -1, 2, 1, 1, 0, 3, 2, 0, 1, -1]).reshape(2, 2, 2, 2)

CONV_FORWARD = Exercise(
    0, "a convolution", conv_forward, returns="z",
    cases={
        "one channel, one filter of 2 x 2": (PICTURE, EDGES, np.array([0.5]), 1, 0),
        "two channels, two filters, stride 2, padding 1": (TWO, FILTERS, np.array([1., -2]), 2, 1),
        "two pictures": (np.concatenate([PICTURE, PICTURE[:, ::-1] + 1]), EDGES, np.array([0.]), 2, 0),
    },
    mistakes=(
        Mistake("you turned the filter around", "mathematicians do, networks do not: u, v run the same way in the picture "
                "and in the filter",
                lambda a, W, b, s, p: _conv(a, W[::-1, ::-1], b, s, p)),
        Mistake("you exchanged rows and columns of the filter", "u belongs to the rows, i, and v to the columns, j",
                lambda a, W, b, s, p: _conv(a, W.swapaxes(0, 1), b, s, p)),
        Mistake("you left b out", "every place of channel k gets b_k", lambda a, W, b, s, p: _conv(a, W, 0 * b, s, p)),
        Mistake("you added b for every channel of the input", "a filter has one bias, whatever it looks at",
                lambda a, W, b, s, p: _conv(a, W, b * W.shape[2], s, p)),
        Mistake("you added b at every product, in the innermost loop", "the sum is over u, v, c, and b stands outside it",
                lambda a, W, b, s, p: _conv(a, W, b * W[..., 0].size, s, p)),
        Mistake("you did not pad", "pad rows and columns of zeros lie around the picture on all four sides",
                lambda a, W, b, s, p: _conv(a, W, b, s, 0)),
        Mistake("you padded above and to the left only", "half of the zeros lie below and to the right",
                lambda a, W, b, s, p: _conv(a, W, b, s, (2 * p, 0))),
        Mistake("your windows step by 1, whatever the stride", "the size of z knows the stride; the place where a window begins must too",
                _no_strides),
        Mistake("you looked at the first channel of the input only", "a filter reaches through all channels: c is summed over",
                lambda a, W, b, s, p: _conv(a, _first_channel(W), b, s, p)),
        Mistake("you used the first filter for every channel of z", "channel k of z comes from W[:, :, :, k]",
                lambda a, W, b, s, p: _conv(a, W[..., :1], b, s, p)),
        Mistake("you took the mean over the window", "a convolution is a sum of products",
                lambda a, W, b, s, p: _conv(a, W / W[..., 0].size, b, s, p)),
    ),
    steps=("pad the pictures with zeros", "the size of z, and an array for it", "four loops: which picture, which row, which column, "
           "which filter; in them, the sum over a window"),
    hints=("Do z[0, 0, 0, 0] of the first case by hand: lay the filter on the upper left corner, multiply what lies on each other, add.",
           "Where does the window of z[m, i, j] begin in the padded picture? The answer has i, j and the stride in it, nothing else.",
           "A window and a filter W[..., k] have the same shape, (f, f, n_C_prev). np.sum of their product, and then the bias."))


def conv_backward(dz, a_prev, W, stride, pad):
    """da_prev, dW, db of a convolution z: what J gains when a pixel, a filter or a bias grows.

    dz           dJ/dz                              (m, n_H, n_W, n_C)
    a_prev, W    what the convolution was given     (m, n_H_prev, n_W_prev, n_C_prev), (f, f, n_C_prev, n_C)
    stride, pad  as in the convolution
    da_prev   sum over every place (i, j, k) and (u, v) that read that pixel, of dz_mijk W_uvck     the shape of a_prev
    dW_uvck   sum over m, i, j of dz_mijk times the pixel that W_uvc lay on there                   the shape of W
    db_k      sum over m, i, j of dz_mijk                                                           (n_C,)
    Returns da_prev, dW, db.
    """
    (f_H, f_W, *_), (_, n_H_prev, n_W_prev, _) = W.shape, a_prev.shape
    return (CONV2D_DA(dz, W, stride, (pad,) * 4, n_H_prev, n_W_prev), CONV2D_DW(a_prev, dz, stride, (pad,) * 4, f_H, f_W), CONV2D_DB(dz))


def _back(dz, a_prev, W, stride, pad, keep_da=1, keep_dW=1, step=None, cut=None):
    """The right answer, place by place; and, by the options, wrong ones."""
    padded, f, step = _padded(a_prev, pad, pad), len(W), step or stride
    da, dW = np.zeros_like(padded), np.zeros_like(W)
    for m, i, j in np.ndindex(dz.shape[:3]):
        window = m, slice(i * step, i * step + f), slice(j * step, j * step + f)
        da[window] = keep_da * da[window] + W @ dz[m, i, j]
        dW = keep_dW * dW + padded[window][..., None] * dz[m, i, j]
    first = pad if cut is None else cut
    return da[:, first:first + a_prev.shape[1], first:first + a_prev.shape[2]], dW, dz.sum(axis=(0, 1, 2))


def _but(change, dz, a_prev, W, stride, pad):
    return change(*_back(dz, a_prev, W, stride, pad))


CONV_BACKWARD = Exercise(
    0, "the way back through a convolution", conv_backward, returns="da_prev, dW, db",
    cases={
        "one channel, windows that overlap": (np.array([1., 2, 0, 1, -1, 3]).reshape(1, 2, 3, 1), PICTURE, EDGES, 1, 0),
        "two channels, two filters, stride 2, padding 1": (np.array([1., 0, 2, 1, -1, 1, 0, 2]).reshape(1, 2, 2, 2), TWO, FILTERS, 2, 1),
        "two pictures, stride 1, padding 1": (np.arange(-7., 9).reshape(2, 4, 2, 1), np.array([1., 0, 2, 1, 1, 3]).reshape(2, 3, 1, 1),
                                              EDGES, 1, 1),
    },
    mistakes=(
        Mistake("you wrote da_prev anew at every place (=, not +=)", "a pixel lies in several windows, and each of them sends "
                "something back",
                lambda *case: _back(*case, keep_da=0)),
        Mistake("you wrote dW anew at every place (=, not +=)", "one filter is used at all places: what they ask of it adds up",
                lambda *case: _back(*case, keep_dW=0)),
        Mistake("you turned the filter around in da_prev", "place by place, what went through W_uvc comes back through W_uvc",
                lambda dz, a, W, s, p: (_back(dz, a, W[::-1, ::-1], s, p)[0], *_back(dz, a, W, s, p)[1:])),
        Mistake("your windows step by 1, whatever the stride", "the way back reads the places that the way there has read",
                lambda *case: _back(*case, step=1)),
        Mistake("you left the padding on da_prev", "nobody asked about the zeros around the picture: da_prev has a_prev's shape",
                lambda dz, a, W, s, p: (_back(dz, _padded(a, p, p), W, s, 0)[0], *_back(dz, a, W, s, p)[1:])),
        Mistake("you cut the padding of da_prev off at the far ends only", "it lies on all four sides", lambda *case: _back(*case, cut=0)),
        Mistake("you divided dW and db by m", "J may be a mean, but then dz knows that already",
                lambda dz, *case: _but(lambda da, dW, db: (da, dW / len(dz), db / len(dz)), dz, *case)),
        Mistake("you took the mean in db", "a bias is read at every place, and the gradients of all places add up",
                lambda dz, *case: _but(lambda da, dW, db: (da, dW, db / dz[..., 0].size), dz, *case)),
        Mistake("you took the last place only for db", "a bias is read at every place: += in the loop",
                lambda dz, *case: _but(lambda da, dW, db: (da, dW, dz[-1, -1, -1]), dz, *case)),
        Mistake("you exchanged dW and da_prev, in order", "they come back as da_prev, dW, db",
                lambda *case: _but(lambda da, dW, db: (dW, da, db), *case)),
    ),
    steps=("zeros in the shape of the padded a_prev, of W, and of b", "at every place of dz: what it sends to its window, and to its "
           "filter", "take the padding off again"),
    hints=("Take the loops of the convolution as they are. At each place z += a W happened; what has each of the two factors to do with z?",
           "A product sends to each of its factors dz times the other one. Windows overlap, and filters are used again: all adds up.",
           "With window a view of the padded da: window += dz[m, i, j, k] * W[..., k]. dW[..., k] goes so too, with the other factor."))


# ---- ReLU and pooling ------------------------------------------------------------------------------------------------------

def relu_backward(da, z):
    """dz = da where z > 0, else 0 (also at z = 0);   a = max(z, 0)

    da, z  dJ/da, and what the ReLU was given; any shape, the same for both
    Returns dz, of that shape.
    """
    return da * RULES["gradient"](da, z > 0)


RELU_BACKWARD = Exercise(
    0, "the way back through a ReLU", relu_backward, returns="dz",
    cases={"five numbers": (np.array([1., -2, 3, 4, -5]), np.array([2., 1, -1, 0, -3]))},
    mistakes=(
        Mistake("you let everything through", "where z was below 0, a stays 0 however z moves a little", lambda da, z: da + 0),
        Mistake("you let z = 0 through", "at the corner the slope is 0 here, by agreement", lambda da, z: da * (z >= 0)),
        Mistake("you asked for the sign of da", "the mask is that of the way there, z > 0; the deconvnet asks da, and is no gradient",
                lambda da, z: np.maximum(da, 0)),
        Mistake("you asked for the signs of z and of da", "that is guided backpropagation, which makes fine pictures and is no gradient",
                lambda da, z: da * ((z > 0) & (da > 0))),
        Mistake("you multiplied by a", "the slope of a = z is 1, not z", lambda da, z: da * np.maximum(z, 0)),
        Mistake("you turned the mask around", "what is above 0 passes", lambda da, z: da * (z <= 0)),
        Mistake("you returned the slope alone", "it is multiplied by what comes from above, da", lambda da, z: (z > 0) * 1.),
    ),
    steps=("where may a gradient pass?", "what passes there, and zero elsewhere"),
    hints=("For each of the five: move z a little. Does a move?", "A comparison gives an array of True and False, which count 1 and 0 in a "
           "product.", "The mask comes from z alone; da is what passes or does not."))


def max_pool_backward(da, a_prev, f, stride):
    """da_prev: each da_mijk goes to the largest entry of its window, to the first one in reading order where several are largest.

    da      dJ/da, a the maxima of all windows     (m, n_H, n_W, n_C)
    a_prev  what the pooling was given             (m, n_H_prev, n_W_prev, n_C);   f, stride  of its windows; no padding
    Returns da_prev, of a_prev's shape. Where windows overlap, an entry may win several times.
    """
    _, winner = MAX_POOL(a_prev, f, f, stride, (0,) * 4)
    return MAX_POOL_DA(da, winner, f, f, stride, (0,) * 4, *a_prev.shape[1:3])


def _unpool(share, da, a_prev, f, stride, keep=1, step=None):
    """Each da times share(window), which has the window's shape, (f, f)."""
    da_prev, step = np.zeros_like(a_prev), step or stride
    for m, i, j, k in np.ndindex(da.shape):
        window = m, slice(i * step, i * step + f), slice(j * step, j * step + f), k
        da_prev[window] = keep * da_prev[window] + share(a_prev[window]) * da[m, i, j, k]
    return da_prev


def _first(window):
    return (np.arange(window.size) == np.argmax(window)).reshape(window.shape) * 1.


def _largest(window):
    return (window == window.max()) * 1.


MAX_POOL_BACKWARD = Exercise(
    0, "the way back through a max-pooling", max_pool_backward, returns="da_prev",
    cases={
        "3 x 3, windows of 2 x 2 that overlap": (np.array([1., 2, 3, 4]).reshape(1, 2, 2, 1),
                                                 np.array([1., 0, 2, 0, 5, 1, 1, 0, 3]).reshape(1, 3, 3, 1), 2, 1),
        "two windows, two channels, with a draw": (np.array([1., 10, 2, 20]).reshape(1, 1, 2, 2),
                                                   np.array([3., 0, 3, 1, 1, 7, 4, 7, 2, 2, 0, 4, 1, 5, 6, 7]).reshape(1, 2, 4, 2), 2, 2),
    },
    mistakes=(
        Mistake("you wrote anew where windows overlap (=, not +=)", "an entry that wins twice gets both gradients",
                lambda *case: _unpool(_first, *case, keep=0)),
        Mistake("you gave all of da to each of several largest entries", "only one of them passed through: the first in reading order",
                lambda *case: _unpool(_largest, *case)),
        Mistake("you shared da among several largest entries", "the first in reading order gets it all",
                lambda *case: _unpool(lambda window: _largest(window) / _largest(window).sum(), *case)),
        Mistake("you took the last of several largest entries", "by agreement it is the first: the comparison with the best so far is >, "
                "not >=", lambda *case: _unpool(lambda window: _first(window[::-1, ::-1])[::-1, ::-1], *case)),
        Mistake("you gave every entry its part, 1 / f^2", "that is the way back of an average; a maximum heeds only one",
                lambda *case: _unpool(lambda window: np.full_like(window, 1 / window.size), *case)),
        Mistake("you gave da to every entry of the window", "those that are not the largest could move without changing the maximum",
                lambda *case: _unpool(np.ones_like, *case)),
        Mistake("your windows step by 1, whatever the stride", "the way back reads the windows that the way there has read",
                lambda *case: _unpool(_first, *case, step=1)),
        Mistake("you gave the winner its own value, not da", "the slope of a maximum at its winner is 1; times da",
                lambda da, *case: _unpool(lambda window: _first(window) * window.max(), np.ones_like(da), *case)),
    ),
    steps=("zeros in the shape of a_prev", "for every window its winner", "da goes there, and adds to what is there"),
    hints=("In the first case the 5 in the middle lies in all four windows. How often does it win, and what does it get in all?",
           "np.argmax of a window counts along its rows, and takes the first of equals. np.unravel_index makes i, j of that.",
           "Four loops as in the convolution, with a channel k in place of the filter: each channel has winners of its own."))


EXERCISES = (OUTPUT_SIZE, CONV_FORWARD, CONV_BACKWARD, RELU_BACKWARD, MAX_POOL_BACKWARD)
