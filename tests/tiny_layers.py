"""Layers and costs as small as their formulas, each with a switch for its mistakes: what the gradient checker is tried on."""

import numpy as np


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


class Conv:
    """z[i, j] = sum W * a_prev[i:i+f, j:j+f] + b, stride 1, padding p; by the loops over the filter."""

    def __init__(self, f=3, n_C_prev=2, n_C=3, pad=1, bug=None):
        self.params = {"W": normal(f, f, n_C_prev, n_C, seed=1) / f, "b": normal(n_C, seed=2)}
        self.pad, self.bug = pad, bug

    def forward(self, a_prev, training=False, rng=None):
        W, b = self.params["W"], self.params["b"]
        f, p = len(W), self.pad
        a_pad = np.pad(a_prev, ((0, 0), (p, p), (p, p), (0, 0)))
        n_H, n_W = a_pad.shape[1] - f + 1, a_pad.shape[2] - f + 1
        z = b + sum(a_pad[:, i:i + n_H, j:j + n_W] @ W[i, j] for i in range(f) for j in range(f))
        return z, a_pad

    def backward(self, dz, a_pad):
        W, p = self.params["W"], self.pad
        f, (_, n_H, n_W, _) = len(W), dz.shape
        dW, da_pad = np.zeros_like(W), np.zeros_like(a_pad)
        for i in range(f):
            for j in range(f):
                dW[i, j] = np.einsum("mhwc,mhwd->cd", a_pad[:, i:i + n_H, j:j + n_W], dz)
                da_pad[:, i:i + n_H, j:j + n_W] += dz @ W[i, j].T
        if self.bug == "pad":           # the frame is cut off one pixel too far to the left
            da_pad = np.pad(da_pad, ((0, 0), (1, 0), (1, 0), (0, 0)))
        da_prev = da_pad[:, p:p + n_H + f - 1 - 2 * p, p:p + n_W + f - 1 - 2 * p]
        if self.bug == "border":        # the outer rows are forgotten
            da_prev = np.pad(da_prev[:, 1:-1, 1:-1], ((0, 0), (1, 1), (1, 1), (0, 0)))
        if self.bug == "flip":
            dW = dW[::-1, ::-1]
        if self.bug == "channel":
            dW[..., 1] = 0.9 * dW[..., 1]
        if self.bug == "in place":
            dz *= 2
        db = dz.sum((1, 2))[0] if self.bug == "first picture" else dz.sum((0, 1, 2))
        return da_prev, {"W": dW, "b": db} if self.bug != "no b" else {"W": dW}


class Dense:
    def __init__(self, n=4, k=4, bug=None):
        self.params, self.bug = {"W": normal(n, k, seed=3), "b": normal(k, seed=4)}, bug

    def forward(self, a_prev, training=False, rng=None):
        return a_prev @ self.params["W"] + self.params["b"], a_prev

    def backward(self, dz, a_prev):
        dW = a_prev.T @ dz
        dW = {"transpose": dW.T, "reshape": dW.T.reshape(dW.shape)}.get(self.bug, dW)
        return dz @ self.params["W"].T, {"W": dW, "b": dz.sum(0) / (len(dz) if self.bug == "m" else 1)}


class ReLU:
    def __init__(self, bug=None):
        self.params, self.bug = {}, bug

    def forward(self, a_prev, training=False, rng=None):
        return np.maximum(a_prev, 0), a_prev

    def backward(self, dz, a_prev):
        return dz * (1 if self.bug == "no mask" else a_prev > 0), {}


class MaxPool:
    """2 x 2, stride 2; the gradient goes to the first maximum in reading order."""

    params = {}

    def forward(self, a_prev, training=False, rng=None):
        m, n_H, n_W, n_C = a_prev.shape
        boxes = a_prev.reshape(m, n_H // 2, 2, n_W // 2, 2, n_C).transpose(0, 1, 3, 5, 2, 4).reshape(m, n_H // 2, n_W // 2, n_C, 4)
        return boxes.max(-1), boxes

    def backward(self, dz, boxes):
        m, n_H, n_W, n_C, _ = boxes.shape
        da = np.eye(4)[boxes.argmax(-1)] * dz[..., None]
        return da.reshape(m, n_H, n_W, n_C, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(m, 2 * n_H, 2 * n_W, n_C), {}


class Dropout:
    params = {}

    def forward(self, a_prev, training=False, rng=None):
        mask = (rng.random(a_prev.shape) < 0.5) * 2.0 if training else np.ones(a_prev.shape)
        return a_prev * mask, mask

    def backward(self, dz, mask):
        return dz * mask, {}


class BatchNorm:
    """The new running mean comes back in the cache. The bias `b_prev`, added before, has a true gradient of zero."""

    def __init__(self):
        self.params, self.state = {"b_prev": normal(3, seed=5)}, {"mean": np.zeros(3), "var": np.ones(3)}

    def forward(self, a_prev, training=False, rng=None):
        a = a_prev + self.params["b_prev"]
        mean, var = (a.mean(0), a.var(0)) if training else (self.state["mean"], self.state["var"])
        return (a - mean) / np.sqrt(var + 1e-8), (a, mean, var, training, {"mean": mean, "var": var})

    def backward(self, dz, cache):
        a, mean, var, training, _ = cache
        a_hat, s = (a - mean) / np.sqrt(var + 1e-8), 1 / np.sqrt(var + 1e-8)
        da = s * (dz - dz.mean(0) - a_hat * (dz * a_hat).mean(0)) if training else s * dz
        return da, {"b_prev": da.sum(0)}


class Network:
    """Layers one after another, as in the contract: named outputs, gradients poured in at several of them."""

    def __init__(self, layers, flat=None):
        self.layers, self.names = layers, list(layers)
        self.params = flat or {f"{name}.{k}": p for name, layer in layers.items() for k, p in layer.params.items()}

    def with_params(self, flat):
        return Network(self.layers, dict(flat))

    def forward(self, x, until=None, keep=None, params=True, training=False, rng=None):
        a, caches = {}, {}
        for name, layer in self.layers.items():
            layer.params = {k: self.params[f"{name}.{k}"] for k in layer.params}
            x, caches[name] = layer.forward(x, training=training, rng=rng)
            a[name] = x
            if name == until:
                break
        return {name: a[name] for name in keep}, caches

    def backward(self, da, caches):
        d, grads = None, {}
        for name in reversed(caches):
            if name in da:
                d = da[name] if d is None else d + da[name]
            if d is not None:
                d, g = self.layers[name].backward(d, caches[name])
                grads |= {f"{name}.{k}": v for k, v in g.items()}
        return d, grads


def content(a_C, count=lambda d: d.size):
    """J = sum (a_G - a_C)^2 / 4N; `count` is what the gradient divides by."""
    def f(a_G):
        d = a_G - a_C
        return np.sum(d ** 2) / (4 * d.size), d / (2 * count(d))
    return f


def triplet(f_A, f_P, f_N, margin=0.5, bug=None):
    hinge = np.sum((f_A - f_P) ** 2, -1) - np.sum((f_A - f_N) ** 2, -1) + margin
    active = hinge > 0
    if bug == "sum before max":
        active = np.full(len(f_A), hinge.sum() > 0)
    if bug == "no max":
        active = np.ones(len(f_A))
    active = active[:, None] * 2.0
    dA, dP, dN = active * (f_N - f_P), active * (f_P - f_A), active * (f_A - f_N)
    return np.sum(np.maximum(hinge, 0)), (dA, dN, dP) if bug == "order" else (dA, dP, dN)
