# %%
"""Lesson 0: layers and gradients                                         零 · 层与梯度

A convolution, a pooling and a dense layer by hand: there, and back again.
The question: a backward pass gives you some numbers. How do you know that they are right?
Have paper ready. Everything until the first picture can be done with a pencil.
"""
print(__doc__)

# %% What `python -m lessons 0 --quick --ask --out DIR` would set; an editor that runs cells takes these
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out/lessons"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. Four axes: give every number its own address
import numpy as np

a = np.array([[[[100 * i + 10 * j + k for k in range(2)] for j in range(3)] for i in range(2)]])
print(f"1. FOUR AXES. a has shape {a.shape}: (m, n_H, n_W, n_C), one picture of 2 x 3 positions, 2 channels.")
print(f"   Each number says where it lives: a[0, 1, 2, 1] = {a[0, 1, 2, 1]}, row 1, column 2, channel 1.")
right, wrong = a.reshape(-1, 2), a.reshape(2, -1)
print(f"   a.reshape(-1, n_C)[:, 0] = {right[:, 0]}    all end in 0: that is channel 0")
print(f"   a.reshape(n_C, -1)[0]    = {wrong[0]}    no error, right size, and no channel at all\n")
assert set(right[:, 0] % 10) == {0} and set(wrong[0] % 10) == {0, 1}

# %% 2. Convolution: lay the filter on the picture, multiply number by number, add up
x = np.array([[0, 0, 3, 3, 4],              # dark on the left, light on the right, and a little dirt
              [0, 0, 4, 3, 3],
              [0, 0, 4, 3, 3],
              [0, 1, 3, 3, 4],
              [0, 0, 3, 3, 4]], float)
W = np.array([[-1, 1], [-1, 1]], float)     # right minus left: it answers to a vertical edge
predict("2. CONVOLUTION. Predict: a 5 x 5 picture, a 2 x 2 filter, stride 1, no padding. How large is z?")
n = (5 + 2 * 0 - 2) // 1 + 1
print(f"   n_H = floor((n_H_prev + 2p - f) / s) + 1 = {n}. Without the + 1, the usual slip, one row is lost.")
z = np.array([[np.sum(x[i:i + 2, j:j + 2] * W) for j in range(n)] for i in range(n)])
print("   z[1, 1] = -1*0 + 1*4  -1*0 + 1*4 = 8: number by number (*), then the sum.")
print(f"   With @ in place of *, a matrix product: {np.sum(x[1:3, 1:3] @ W):g}. Here it is 0 at every position.")
print(f"   W and b are {W.size} + 1 numbers to learn; z has {z.size} units, which all share them.\n")
assert z.shape == (4, 4) and z[1, 1] == 8

# %% 3. Pooling, dense, cost
winners = [(1, 1), (0, 3), (2, 1), (3, 3)]                    # where each 2 x 2 window of z has its largest number
pooled, w, b, y = np.array([z[i, j] for i, j in winners]), np.array([1, 2, -2, 1.]), 1, 3
y_hat = pooled @ w + b
print(f"3. POOLING keeps the largest of each window: {pooled.astype(int)}. Which place won is remembered.")
print(f"   DENSE: y_hat = 8*1 + 1*2 - 6*2 + 2*1 + 1 = {y_hat:g}; it should be {y}.")
print(f"   J = 1/2 (y_hat - y)^2 = {(y_hat - y) ** 2 / 2:g}\n")
assert y_hat == 1

# %% 4. Back again
predict("4. BACK. Predict: dJ/dx has one number for each of the 25 pixels. How many of them are not zero?")
dy = y_hat - y
d_pooled, dz, dW, dx = dy * w, np.zeros_like(z), np.zeros_like(W), np.zeros_like(x)
for (i, j), d in zip(winners, d_pooled):
    dz[i, j] = d                                              # pooling: all of it to the winner, nothing to the others
    dW += d * x[i:i + 2, j:j + 2]                             # what the filter saw there, times what was asked of it
    dx[i:i + 2, j:j + 2] += d * W                             # the filter, stamped into the picture
print(f"   dense    dJ/dy_hat = y_hat - y = {dy:g};  times w: {d_pooled.astype(int)}")
print("   pooling  each number goes to the winner of its window, the other three get 0")
print("   filter   dW[0, 0] = 0*(-2) + 3*(-4) + 0*4 + 3*(-2) = -18    what it saw, times what came back")
print("   picture  each winner stamps the filter into it; where two stamps overlap they add up")
print(f"   Not zero: {np.count_nonzero(dx)} of 25. Four stamps of 4 pixels, two pixels shared.\n")
assert dW[0, 0] == -18 and np.count_nonzero(dx) == 14

from scratchnet import plots

plots.grid(out / "l00_there_and_back.png", [x, W, z, pooled.reshape(2, 2), d_pooled.reshape(2, 2), dz, dx],
           ["x", "W", "z", "max", "d max", "dz", "dx"], ["*", "=", "→", "⇒", "←", "←"])

# %% 5. The same with the package's layers, and the mistake everybody makes once
from scratchnet.gradcheck import check, error_curve
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network

start = {"x": x.reshape(1, 5, 5, 1), "conv.W": W.reshape(2, 2, 1, 1), "conv.b": np.zeros(1),
         "dense.W": w.reshape(4, 1), "dense.b": np.ones(1)}


def network(pool):
    return {"conv": Conv2D(1, 1, f=2, pad=0), "pool": pool, "flatten": Flatten(), "dense": Dense(4, 1)}


def cost(p, layers):
    """J and dJ/dp for everything in p: the picture x, and the parameters."""
    net = Network(layers).with_params(p)
    a, caches = net.forward(p["x"], keep=["dense"])
    dx, grads = net.backward({"dense": a["dense"] - y}, caches)
    return np.sum((a["dense"] - y) ** 2) / 2, {"x": dx, **grads}


class ForgetfulPool(MaxPool2D):
    """Forward is right. Backward forgets who won, and gives every place of the window the whole gradient."""

    def backward(self, da, cache):
        return da.repeat(2, axis=1).repeat(2, axis=2), {}


J, grads = cost(start, network(MaxPool2D()))
assert J == 2 and np.array_equal(grads["x"][0, :, :, 0], dx) and np.array_equal(grads["conv.W"][:, :, 0, 0], dW)
forgetful = cost(start, network(ForgetfulPool()))[1]
print(f"5. A MISTAKE, on purpose. The layers of the package find J = {J:g} and dW[0, 0] = {grads['conv.W'].flat[0]:g}, as we did.")
print(f"   A pooling that forgets who won finds dW[0, 0] = {forgetful['conv.W'].flat[0]:g}, and no error message.")
predict("   Predict: move each number by 0.000006, see how J moves, compare. Which rows will be wrong?\n")
report = check(lambda p: cost(p, network(ForgetfulPool())), start)
print(report)
print("   Right are only the rows behind the pooling: gradients flow backwards, so look at the LAST wrong layer.\n")
assert not report.passed and report["dense.W"].passed and not report["conv.W"].passed
print(check(lambda p: cost(p, network(MaxPool2D())), start), "\n")

# %% 6. Which h?
from scratchnet.activations import Tanh

