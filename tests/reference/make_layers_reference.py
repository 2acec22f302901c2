"""What PyTorch says about every layer on small odd shapes, written down so that our tests need no PyTorch.

    python tests/reference/make_layers_reference.py        (torch and NumPy, a second; writes layers.npz)

Everything is float64 and nothing here imports scratchnet. Torch keeps channels first, so each case goes there and back:
(m, n_H, n_W, n_C) <-> (m, n_C, n_H, n_W) for activations, (f, f, n_C_prev, n_C) <-> (n_C, n_C_prev, f, f) for filters.

Each case has a name "layer/settings" and holds its arrays under "layer/settings/array":

    a_prev, W, b, gamma, beta   what goes in: multiples of 1/256, so float32 holds them exactly
    z                           what comes out
    R                           a random array of the shape of z: the gradients are those of sum(z R)
    da_prev, dW, db, ...        these gradients, by autograd

Batch norm also has mean, var (running, before) and new_mean, new_var (after); the cost functions have J and no R.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

# f, stride, pad, (m, n_H_prev, n_W_prev, n_C_prev), n_C. Where the strides do not fit, torch too rounds down
CONVOLUTIONS = (
    (1, 1, 0, (2, 5, 7, 3), 4), (1, 2, 0, (1, 6, 5, 2), 3), (2, 1, 0, (2, 5, 6, 3), 2), (2, 2, 1, (1, 7, 4, 2), 3),
    (3, 1, 1, (2, 9, 7, 3), 5), (3, 1, 0, (1, 8, 11, 4), 3), (3, 1, 2, (1, 5, 4, 2), 3), (3, 2, 1, (2, 7, 10, 2), 3),
    (3, 3, 2, (1, 8, 6, 2), 2), (3, 1, 1, (1, 1, 13, 3), 2), (5, 1, 2, (1, 7, 9, 2), 3), (5, 2, 0, (1, 11, 8, 2), 2),
    (5, 3, 1, (2, 9, 12, 1), 2), (7, 1, 2, (1, 5, 8, 2), 2), (7, 2, 2, (1, 12, 9, 2), 2), (7, 3, 1, (1, 13, 10, 1), 3),
    ((3, 5), 1, 1, (1, 6, 9, 2), 3), ((1, 7), 1, 0, (1, 3, 9, 2), 2),
    (3, 2, "same", (1, 6, 9, 2), 3), (5, 3, "same", (1, 10, 7, 2), 2), (2, 1, "same", (1, 5, 4, 2), 3),
)
DEPTHWISE = (
    (3, 1, 1, (2, 7, 5, 4)), (3, 2, 1, (1, 8, 9, 3)), (5, 1, 2, (1, 6, 7, 2)), (2, 2, 0, (1, 5, 7, 3)), ((7, 6), 1, 0, (2, 7, 6, 5)),
)
POOLINGS = ((2, 2, 0, (2, 7, 9, 3)), (3, 2, 0, (1, 8, 6, 4)), (3, 2, 1, (1, 7, 10, 3)))

rng = np.random.default_rng(4)
out = {}


def draw(*shape, scale=1.0):
    """Normal numbers, rounded to multiples of 1/256."""
    return np.rint(256 * scale * rng.standard_normal(shape)) / 256


def draw_distinct(*shape):
    """Numbers between -2 and 2 of which no two are equal, so that a max-pool has no ties."""
    n = int(np.prod(shape))
    return (rng.permutation(n).reshape(shape) - n // 2) / 256


# ---- there and back: channels last outside, channels first inside ----

def first(a):
    return a.permute(0, 3, 1, 2) if a.ndim == 4 else a


def last(a):
    return a.permute(0, 2, 3, 1) if a.ndim == 4 else a


def filters(W):
    """(f, f, n_C_prev, n_C) -> (n_C, n_C_prev, f, f)"""
    return W.permute(3, 2, 0, 1)


def padded(x, f, stride, pad, value=0.0):
    """Padding put on by hand, since that of "same" (n = ceil(n_prev / stride), the odd pixel after) may be lopsided."""
    if pad == "same":
        sides = []
        for n_prev, f_side in zip(x.shape[2:], f):
            total = max((-(-n_prev // stride) - 1) * stride + f_side - n_prev, 0)
            sides.append((total // 2, total - total // 2))
        (top, bottom), (left, right) = sides
    else:
        top = bottom = left = right = pad
    return F.pad(x, (left, right, top, bottom), value=value)


# ---- a case: run, differentiate, keep ----

def record(name, function, inputs, fixed=None):
    """Runs z = function(**inputs) and keeps inputs, z, R and the gradients of sum(z R); `fixed` is kept and not differentiated."""
    tensors = {key: torch.from_numpy(value).requires_grad_() for key, value in inputs.items()}
    z = function(**tensors)
    R = draw(*z.shape)
    gradients = torch.autograd.grad((z * torch.from_numpy(R)).sum(), list(tensors.values()))
    keep(name, z=z, R=R, **inputs, **(fixed or {}), **{f"d{key}": g for key, g in zip(tensors, gradients)})


def keep(name, **arrays):
    for key, value in arrays.items():
        value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        out[f"{name}/{key}"] = np.array(value, order="C")


def settings(f, stride, pad, shape):
    """The part of a case's name that says how: "3x3 s2 p1 on 2x7x10x2". (Short: a zip file writes every name twice.)"""
    return f"{'x'.join(map(str, f))} s{stride} p{pad} on {'x'.join(map(str, shape))}"


# ---- the layers ----

def convolutions():
    for f, stride, pad, shape, n_C in CONVOLUTIONS:
        f = f if isinstance(f, tuple) else (f, f)

        def conv2d(a_prev, W, b):
            return last(F.conv2d(padded(first(a_prev), f, stride, pad), filters(W), b, stride))
        record(f"conv2d/{settings(f, stride, pad, shape)}", conv2d,
               {"a_prev": draw(*shape), "W": draw(*f, shape[3], n_C, scale=0.5), "b": draw(n_C)})


def depthwise():
    for f, stride, pad, shape in DEPTHWISE:
        f = f if isinstance(f, tuple) else (f, f)

        def depthwise_conv2d(a_prev, W, b):
            W = W.permute(2, 0, 1)[:, None]                           # (f, f, n_C) -> (n_C, 1, f, f)
            return last(F.conv2d(padded(first(a_prev), f, stride, pad), W, b, stride, groups=shape[3]))
        record(f"depthwise/{settings(f, stride, pad, shape)}", depthwise_conv2d,
               {"a_prev": draw(*shape), "W": draw(*f, shape[3], scale=0.5), "b": draw(shape[3])})


def poolings():
    for f, stride, pad, shape in POOLINGS:
        name = settings((f, f), stride, pad, shape)
        x = {"a_prev": draw_distinct(*shape)}
        record(f"max_pool/{name}", lambda a_prev: last(F.max_pool2d(first(a_prev), f, stride, pad)), x)
        record(f"avg_pool/{name}", lambda a_prev: last(F.avg_pool2d(first(a_prev), f, stride, pad, count_include_pad=True)), x)
        record(f"l2_pool/{name}",                                     # torch's has no padding: put it on by hand
               lambda a_prev: last(F.lp_pool2d(padded(first(a_prev), (f, f), stride, pad), 2, f, stride)), x)


def batch_norms():
    for shape in ((3, 4, 5, 6), (5, 7), (1, 3, 2, 4)):
        for training in (True, False):
            n_C = shape[-1]
            mean, var = draw(n_C), np.abs(draw(n_C)) + 0.5
            new_mean, new_var = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())       # torch writes into these

            def batch_norm(a_prev, gamma, beta):
                return last(F.batch_norm(first(a_prev), new_mean, new_var, gamma, beta, training, momentum=0.1, eps=1e-5))
            record(f"batch_norm/{'training' if training else 'inference'} on {'x'.join(map(str, shape))}", batch_norm,
                   {"a_prev": draw(*shape) + 0.5, "gamma": draw(n_C), "beta": draw(n_C)},
                   {"mean": mean, "var": var, "new_mean": new_mean, "new_var": new_var})


def dense_and_normalise():
    record("dense/on 4x6", lambda a_prev, W, b: a_prev @ W + b, {"a_prev": draw(4, 6), "W": draw(6, 3), "b": draw(3)})
    record("dense/on 1x11", lambda a_prev, W, b: a_prev @ W + b, {"a_prev": draw(1, 11), "W": draw(11, 2), "b": draw(2)})
    record("l2_normalise/on 5x8", lambda a_prev: F.normalize(a_prev, dim=-1), {"a_prev": draw(5, 8)})


def cross_entropies():
    """Mean over the batch; the second one has scores of which e^z overflows even float64."""
    for m, classes, scale in ((5, 7, 1.0), (3, 4, 800.0)):
        z = draw(m, classes, scale=scale)
        labels = rng.integers(0, classes, size=m)
        t = torch.from_numpy(z).requires_grad_()
        J = F.cross_entropy(t, torch.from_numpy(labels))
        dz, = torch.autograd.grad(J, t)
        keep(f"cross_entropy/on {m}x{classes} scale {scale:g}", z=z, labels=labels, J=J, dz=dz)


def prelus():
    for shape in ((4, 6), (2, 3, 4, 5)):
        record(f"prelu/on {'x'.join(map(str, shape))}", lambda a_prev, alpha: last(F.prelu(first(a_prev), alpha)),
               {"a_prev": draw(*shape), "alpha": draw(shape[-1])})


def lrns():
    """Windows over channels, alpha divided by their size; they reach over both ends of few channels. A large alpha matters more."""
    for n, alpha, beta, k, shape in ((5, 1.0, 0.75, 1.0, (2, 3, 4, 7)), (5, 1e-4, 0.75, 1.0, (1, 2, 3, 9)),
                                     (3, 2.0, 0.5, 2.0, (1, 3, 2, 2)), (4, 1.0, 0.75, 1.0, (1, 2, 3, 6))):
        record(f"lrn/{n} {alpha:g} {beta:g} {k:g} on {'x'.join(map(str, shape))}",
               lambda a_prev: last(F.local_response_norm(first(a_prev), n, alpha, beta, k)), {"a_prev": draw(*shape)})


# ---- the costs of style transfer, as Python says them aloud ----

def style_costs():
    """All four normalisations; S has 24 positions and G 35, so G_S is brought to G's number first.

                    J_content                                     J_style[l]
        lecture     1/2 ||a_C - a_G||^2                           ||G_S - G_G||^2 / (2 n_H n_W n_C)^2
        assignment  ||a_C - a_G||^2 / (4 n_H n_W n_C)             as lecture
        mean        ||a_C - a_G||^2 / (n_H n_W n_C)               ||(G_S - G_G) / (n_H n_W n_C)||^2 / n_C^2
        relative    ||a_C - a_G||^2 / ||a_C||^2                   ||G_S - G_G||^2 / ||G_S||^2
    """
    n_H, n_W, n_C = 5, 7, 4
    a_C, a_G, a_S = np.abs(draw(1, n_H, n_W, n_C)), np.abs(draw(1, n_H, n_W, n_C)), np.abs(draw(1, 6, 4, n_C))
    n = n_H * n_W * n_C
    keep("style_costs", a_C=a_C, a_S=a_S, a_G=a_G)
    for normalise in ("lecture", "assignment", "mean", "relative"):
        C, S, G = torch.from_numpy(a_C), torch.from_numpy(a_S), torch.from_numpy(a_G).requires_grad_()
        G_S = torch.einsum("mijk,mijl->kl", S, S) * (n_H * n_W) / 24
        G_G = torch.einsum("mijk,mijl->kl", G, G)
        apart, grams_apart = ((C - G) ** 2).sum(), ((G_S - G_G) ** 2).sum()
        J_content = {"lecture": apart / 2, "assignment": apart / (4 * n), "mean": apart / n,
                     "relative": apart / (C ** 2).sum()}[normalise]
        J_style   = {"lecture": grams_apart / (2 * n) ** 2, "assignment": grams_apart / (2 * n) ** 2,
                     "mean": grams_apart / n ** 2 / n_C ** 2, "relative": grams_apart / (G_S ** 2).sum()}[normalise]
        dcontent, = torch.autograd.grad(J_content, G)
        dstyle,   = torch.autograd.grad(J_style, G)
        keep(f"style_costs/{normalise}", J_content=J_content, da_content=dcontent, J_style=J_style, da_style=dstyle)
    keep("style_costs", G_S=G_S, G_G=G_G)


def main():
    for part in (convolutions, depthwise, poolings, batch_norms, dense_and_normalise, cross_entropies, style_costs, prelus, lrns):
        part()
    path = Path(__file__).with_name("layers.npz")
    np.savez_compressed(path, **out)
    print(f"{path.name}: {len(out)} arrays, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
