"""Exercises of sections 2 and 3: one network called twice, and from two encodings to the answer, one person or two."""

import numpy as np

from scratchnet import face_losses, threshold
from scratchnet.exercises.exercise import Exercise, Mistake
from scratchnet.layers import Dense
from scratchnet.similarity import ratio


def _square(f_1, f_2):
    return np.sum((f_1 - f_2) ** 2, axis=-1)


# ---- 2: one network, two calls ----------------------------------------------------------------------------------------------

def l2_normalise(f):
    """f_i / ||f_i||: every encoding on the unit sphere. An encoding of zeros stays zeros.

    f  encodings (m, n_f)  ->  the same shape
    """
    return f * ratio(np.ones_like(f), np.linalg.norm(f, axis=1, keepdims=True))


L2_NORMALISE = Exercise(
    2, "encodings of length 1", l2_normalise, returns="f",
    cases={"three encodings": (np.array([[3., 4], [0, 2], [1, -1]]),), "one of them zero": (np.array([[0., 0, 0], [2, 1, 2]]),)},
    mistakes=(
        Mistake("you divided all rows by one length, that of the whole batch", "each encoding has a length of its own",
                lambda f: f / np.linalg.norm(f)),
        Mistake("you divided by the spectral norm, np.linalg.norm(f, ord=2) of a matrix", "it is the length only where m = 1; with more "
                "rows NumPy needs the axis", lambda f: f / np.linalg.norm(f, ord=2)),
        Mistake("you divided columns by their lengths", "the encodings are the rows: which axis is k?",
                lambda f: f * ratio(np.ones_like(f), np.linalg.norm(f, axis=0))),
        Mistake("you divided by the square of the length", "a length is the root of the sum of squares",
                lambda f: f * ratio(np.ones_like(f), np.sum(f ** 2, axis=1, keepdims=True))),
        Mistake("you divided by the sum of the entries", "a length is the root of the sum of squares; this one can be 0, or below",
                lambda f: f * ratio(np.ones_like(f), np.sum(f, axis=1, keepdims=True))),
        Mistake("you divided by the sum of |f_k|", "a length is the root of the sum of squares",
                lambda f: f * ratio(np.ones_like(f), np.sum(np.abs(f), axis=1, keepdims=True))),
        Mistake("you divided by the largest entry", "then the largest entry is 1; here the length shall be",
                lambda f: f * ratio(np.ones_like(f), np.max(np.abs(f), axis=1, keepdims=True))),
        Mistake("you divided zero by zero", "an encoding of zeros has no direction: it stays as it is",
                lambda f: f / np.linalg.norm(f, axis=1, keepdims=True)),
    ),
    steps=("the length of each row: shape (m, 1), so that it divides the rows", "what about a length of 0?"),
    hints=("[3, 4] has length 5. What should the first row become?", "keepdims=True keeps the axis that was summed over, with length 1.",
           "np.where(length > 0, length, 1) can be divided by."))


def siamese_gradient(x_1, x_2, W):
    """dW of J = sum over i of ||f(x_1_i) - f(x_2_i)||^2, where both pictures go through the same network, f(x) = x W.

    x_1, x_2  two batches of pictures, as vectors    (m, n_x)
    W         the one set of parameters              (n_x, n_f)
    Returns dW, of W's shape.
    """
    layer = Dense(*W.shape)
    layer.params = {"W": W, "b": np.zeros(W.shape[1], W.dtype)}
    (f_1, cache_1), (f_2, cache_2) = layer.forward(x_1), layer.forward(x_2)
    (_, first), (_, second) = layer.backward(2 * (f_1 - f_2), cache_1), layer.backward(2 * (f_2 - f_1), cache_2)
    return first["W"] + second["W"]


def _branches(x_1, x_2, W, one=1., two=-1., factor=2):
    return factor * (one * x_1 + two * x_2).T @ (x_1 @ W - x_2 @ W)


SIAMESE_GRADIENT = Exercise(
    2, "one network, called twice", siamese_gradient, returns="dW",
    cases={"one pair": (np.array([[1., 2, 0]]), np.array([[0., 1, 1]]), np.array([[1., 0], [0, 1], [2, 1]])),
           "three pairs": (np.array([[1., 0], [2, 1], [0, -1]]), np.array([[0., 1], [1, 1], [2, 0]]), np.array([[1., 2, 0], [-1, 0, 3]]))},
    mistakes=(
        Mistake("you let the gradient through the first call only", "W was used twice, so two gradients arrive at it and add up",
                lambda *case: _branches(*case, two=0)),
        Mistake("you let the gradient through the second call only", "W was used twice, so two gradients arrive at it and add up",
                lambda *case: _branches(*case, one=0)),
        Mistake("you took the mean of the two calls", "one W, used twice: what both want of it adds up",
                lambda *case: _branches(*case, factor=1) * 1.0),
        Mistake("you gave both calls the same sign", "f(x_2) stands behind the minus", lambda *case: _branches(*case, two=1)),
        Mistake("you took the difference of encodings the wrong way round", "a gradient points to where J grows",
                lambda *case: -_branches(*case)),
        Mistake("you divided by m", "this J is a sum over the pairs", lambda x_1, *rest: _branches(x_1, *rest) / len(x_1)),
        Mistake("you returned dW transposed", "a gradient has the shape of its parameter", lambda *case: _branches(*case).T),
    ),
    steps=("f(x_1) and f(x_2), by the same W", "dJ/df(x_1) and dJ/df(x_2)", "what each call sends to W; and W is one"),
    hints=("How would dW look if the second picture had a network of its own, W'? And dW'?", "dJ/df(x_1) = 2 (f(x_1) - f(x_2)); what is "
           "dJ/df(x_2)?", "f = x W sends x^T df to W. It is called twice, with x_1 and with x_2."))


def contrastive_loss(f_1, f_2, same, margin):
    """J = 1/m sum over i of  1/2 d_i^2 where same_i,  1/2 max(margin - d_i, 0)^2 where not,   d_i = ||f_1_i - f_2_i||, plain distance

    f_1, f_2  encodings of the two pictures of each pair    (m, n_f)
    same      True where both show one person               (m,), booleans;   margin  a number
    Returns J, one number; or J, (df_1, df_2), each gradient of the shape of its encodings.
    """
    return face_losses.contrastive_loss(f_1, f_2, same=same, margin=margin)


def _pairs(f_1, f_2, same, margin, pull=lambda d: d ** 2 / 2, push=lambda d, m: np.maximum(m - d, 0) ** 2 / 2, over=np.mean):
    d = np.sqrt(_square(f_1, f_2))
    return over(np.where(same, pull(d), push(d, margin)))


def _contrast(change, f_1, f_2, same, margin):
    J, slopes = contrastive_loss(f_1, f_2, same, margin)
    return J, change(*slopes, same[:, None])


CONTRASTIVE_LOSS = Exercise(
    2, "the contrastive loss", contrastive_loss, slopes="f_1, f_2",
    cases={
        "one person near, two people too near": (np.array([[0., 0], [1, 1]]), np.array([[3., 4], [1, 2.5]]), np.array([True, False]), 2.0),
        "and two people far apart": (np.array([[1., 0, 0], [0, 2, 0], [0, 0, 1], [1, 1, 1]]),
                                     np.array([[1., 1, 0], [0, 2, 3], [2, 1, 3], [1, 0, 1]]), np.array([True, False, True, False]), 2.5),
    },
    mistakes=(
        Mistake("you exchanged the labels", "True means one person here: pull those together. In the paper of 2006 Y = 0 does",
                lambda f, g, same, m: _pairs(f, g, ~same, m)),
        Mistake("you did not square the hinge", "both halves are squares, so that the push fades as d nears the margin",
                lambda *case: _pairs(*case, push=lambda d, m: np.maximum(m - d, 0) / 2)),
        Mistake("you compared the squared distance with the margin", "the margin of this loss is a plain distance; that of the triplet "
                "loss is a squared one", lambda *case: _pairs(*case, push=lambda d, m: np.maximum(m - d ** 2, 0) ** 2 / 2)),
        Mistake("you squared margin and distance each by itself", "the hinge is squared as a whole",
                lambda *case: _pairs(*case, push=lambda d, m: np.maximum(m ** 2 - d ** 2, 0) / 2)),
        Mistake("you left the maximum out", "two people beyond the margin are far enough: pulling them back costs where nothing should",
                lambda *case: _pairs(*case, push=lambda d, m: (m - d) ** 2 / 2)),
        Mistake("you left the 1/2 out", "it is there so that the slope is d, not 2 d; the value needs it too",
                lambda *case: 2 * _pairs(*case)),
        Mistake("you summed over the pairs", "this J is their mean", lambda *case: _pairs(*case, over=np.sum)),
        Mistake("you forgot to square the distance of one person", "d is the plain distance, and its half square counts",
                lambda *case: _pairs(*case, pull=lambda d: d / 2)),
        Mistake("you counted the pairs of one person only", "two people who are too near cost as well",
                lambda *case: _pairs(*case, push=lambda d, m: 0 * d)),
        Mistake("you gave df_2 the sign of df_1", "what moves one encoding to the right moves the other to the left",
                lambda *case: _contrast(lambda a, b, same: (a, a), *case)),
        Mistake("your gradient pulls two people together", "the hinge falls as d grows: its slope is negative",
                lambda *case: _contrast(lambda a, b, same: (np.where(same, a, -a), np.where(same, b, -b)), *case)),
        Mistake("your gradient lacks the 1/m of the mean", "every pair has 1/m of a say in J",
                lambda *case: _contrast(lambda a, b, same: (len(a) * a, len(b) * b), *case)),
    ),
    steps=("the plain distance of each pair: shape (m,)", "what a pair costs when it is one person, and when it is two", "the mean"),
    hints=("The first pair of the case has d = 5, the second d = 1.5. What does each cost?", "Compute both halves for all pairs, and let "
           "np.where choose by `same`.",
           "A pair beyond the margin: margin - d is negative, and its square would not be 0. What must come first?"))


# ---- 3: face verification as a binary question -----------------------------------------------------------------------------

def pair_head(f_1, f_2, w, b):
    """yhat_i = sigma(sum over k of w_k |f_1_ik - f_2_ik| + b),   sigma(z) = 1 / (1 + e^-z)

    f_1, f_2  encodings of the two pictures of each pair    (m, n_f)
    w, b      parameters of the logistic unit               (n_f,), a number
    Returns yhat, how surely one person                     (m,)
    """
    return face_losses.pair_probability(f_1, f_2, w, b)


def _sigma(z):
    return 1 / (1 + np.exp(-z))


PAIR_F = np.array([[1., 2, 0], [1, 2, 0], [0, 1, 3]]), np.array([[1., 2, 0], [2, 0, 0], [1, 1, 1]])
HEAD = np.array([-1., -0.5, -0.25]), 2.

PAIR_HEAD = Exercise(
    3, "one person or two, as a logistic unit", pair_head, returns="yhat",
    cases={"three pairs, the first of identical pictures": (*PAIR_F, *HEAD),
           "one pair": (np.array([[0., 3]]), np.array([[2., 1]]), np.array([0.5, -1.5]), 1.)},
    mistakes=(
        Mistake("you left sigma out", "a probability lies between 0 and 1", lambda f, g, w, b: np.abs(f - g) @ w + b),
        Mistake("you left the absolute value out", "who comes first must not matter: |f - f'|", lambda f, g, w, b: _sigma((f - g) @ w + b)),
        Mistake("you squared the difference", "this head takes |f - f'|; the chi^2 form is another exercise",
                lambda f, g, w, b: _sigma((f - g) ** 2 @ w + b)),
        Mistake("you left b out", "without it identical pictures always get 1/2", lambda f, g, w, b: _sigma(np.abs(f - g) @ w)),
        Mistake("you added b for every entry", "there is one b, outside the sum",
                lambda f, g, w, b: _sigma(np.abs(f - g) @ w + len(w) * b)),
        Mistake("you left w out", "each entry has a weight of its own", lambda f, g, w, b: _sigma(np.sum(np.abs(f - g), axis=1) + b)),
        Mistake("you took the absolute value of the sum", "the weights have signs, and each stands before its own |f_k - f'_k|",
                lambda f, g, w, b: _sigma(np.abs((f - g) @ w) + b)),
        Mistake("you returned the probability of two people", "yhat is near 1 for one person",
                lambda f, g, w, b: 1 - pair_head(f, g, w, b)),
        Mistake("your sigma lacks the minus, 1 / (1 + e^z)", "it has to rise with z", lambda f, g, w, b: _sigma(-np.abs(f - g) @ w + b)),
    ),
    steps=("the sum for each pair: shape (m,)", "sigma of it"),
    hints=("Two identical pictures: what is left of the sum? So what is yhat of the first pair?", "Differences of both signs must not "
           "cancel, so the absolute value comes first, then the weights.", "(m, n_f) @ (n_f,) is a sum over k for each row."))


def chi2_head(f_1, f_2, w, b):
    """yhat_i = sigma(sum over k of w_k chi_ik + b),   chi_ik = (f_1_ik - f_2_ik)^2 / (f_1_ik + f_2_ik), and 0 where that is 0 / 0

    f_1, f_2  encodings without negative entries    (m, n_f)
    w, b      parameters of the logistic unit       (n_f,), a number
    Returns yhat                                    (m,)
    """
    return face_losses.pair_probability(f_1, f_2, w, b, difference="chi2")


def _chi(f, g, w, b, above=lambda f, g: (f - g) ** 2, below=lambda f, g: f + g):
    return _sigma(ratio(above(f, g), below(f, g)) @ w + b)


CHI2_HEAD = Exercise(
    3, "the same with chi^2", chi2_head, returns="yhat",
    cases={"three pairs, the first of identical pictures": (*PAIR_F, *HEAD),
           "one pair": (np.array([[0., 3]]), np.array([[2., 1]]), np.array([0.5, -1.5]), 1.)},
    mistakes=(
        Mistake("you divided zero by zero", "where both entries are 0 they are equal, and the term is 0",
                lambda f, g, w, b: _sigma((f - g) ** 2 / (f + g) @ w + b)),
        Mistake("you forgot the square above", "then a term has a sign, and who comes first matters",
                lambda *case: _chi(*case, above=lambda f, g: f - g)),
        Mistake("you took |f - f'| above", "above stands the square", lambda *case: _chi(*case, above=lambda f, g: np.abs(f - g))),
        Mistake("you squared the sum below", "below stands f + f' itself", lambda *case: _chi(*case, below=lambda f, g: (f + g) ** 2)),
        Mistake("you summed above and below before dividing", "each entry k has a quotient of its own, and its own w_k",
                lambda f, g, w, b: _sigma((f - g) ** 2 @ w / np.sum(f + g, axis=1) + b)),
        Mistake("you halved chi^2", "statisticians often do; the lecture's form has no 1/2", lambda f, g, w, b: chi2_head(f, g, w / 2, b)),
        Mistake("you left out sigma", "a probability lies between 0 and 1",
                lambda f, g, w, b: ratio((f - g) ** 2, f + g) @ w + b),
        Mistake("you left b out", "without it identical pictures always get 1/2", lambda f, g, w, b: chi2_head(f, g, w, 0.)),
    ),
    steps=("chi for each pair and entry: shape (m, n_f); mind 0 / 0", "the weighted sum, and sigma"),
    hints=("In the first case the third entry of the second pair is 0 in both pictures. What is its term?", "Divide by something that is "
           "never 0, such as np.where(sum > 0, sum, 1): what is above is 0 there anyway.", "All in (m, n_f) until the product with w."))


def far_frr(d, same, tau):
    """The two ways to be wrong at a threshold: FAR, the share of pairs of two people that are accepted, d <= tau;
    FRR, the share of pairs of one person that are rejected, d > tau.

    d     distance of each pair       (m,);   same  True where the pair is one person (m,);   tau  the threshold, a number
    Returns far, frr, two numbers from 0 to 1.
    """
    return threshold.far_frr(d, same, tau)


FAR_FRR = Exercise(
    3, "what a threshold gets wrong", far_frr, returns="far, frr",
    cases={"eight pairs": (np.array([0.1, 0.4, 0.5, 0.7, 1.2, 0.3, 0.9, 1.5]),
                           np.array([True, True, True, True, True, False, False, False]), 0.6),
           "one of them at the threshold": (np.array([0.2, 0.8, 0.8, 0.5, 1.1]), np.array([True, True, False, False, False]), 0.8)},
    mistakes=(
        Mistake("you exchanged the two", "false ACCEPTance: two people taken for one", lambda d, same, tau: far_frr(d, same, tau)[::-1]),
        Mistake("you divided by the number of all pairs", "each is a share of its own kind: of the pairs of two people, of those of one",
                lambda d, same, tau: (np.mean(~same & (d <= tau)), np.mean(same & (d > tau)))),
        Mistake("you rejected d = tau", "d <= tau is accepted", lambda d, same, tau: (np.mean(d[~same] < tau), np.mean(d[same] >= tau))),
        Mistake("you counted what is right", "these are the two shares of mistakes",
                lambda d, same, tau: (1 - far_frr(d, same, tau)[0], 1 - far_frr(d, same, tau)[1])),
        Mistake("you returned numbers of pairs", "a rate is a share",
                lambda d, same, tau: (np.sum(~same & (d <= tau)), np.sum(same & (d > tau)))),
        Mistake("you divided by the accepted, and by the rejected", "then it says how far an answer can be trusted; FAR is a share of the "
                "pairs of two people", lambda d, same, tau: (np.mean(~same[d <= tau]), np.mean(same[d > tau]))),
    ),
    steps=("the distances of pairs of two people, and of pairs of one", "the share that is on the wrong side of tau, of each"),
    hints=("Three pairs of the first case are two people. Which of them have d <= 0.6?", "d[~same] are the distances of two people.",
           "np.mean of booleans is a share."))


EXERCISES = (L2_NORMALISE, SIAMESE_GRADIENT, CONTRASTIVE_LOSS, PAIR_HEAD, CHI2_HEAD, FAR_FRR)
