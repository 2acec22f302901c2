# %%
"""Lesson 0: layers and gradients                                  零 · 层与梯度

A convolution, a pooling and a dense layer, there and back again, by hand.
The question: a backward pass gives you some numbers. How do you know that they are right?
Take a pencil. All of parts 1 to 4 fits on one sheet of paper.
"""
print(__doc__)

# %% `python -m lessons 0 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. Four axes: let every number be its own address
import numpy as np

a = np.array([[[[100 * i + 10 * j + k for k in range(2)] for j in range(3)] for i in range(2)]])
right, wrong = a.reshape(-1, 2), a.reshape(2, -1)
print(f"1. Four axes\n   a has shape {a.shape}: (m, n_H, n_W, n_C), one picture, 2 x 3 positions, 2 channels.")
print(f"   Each number says where it lives: {a[0, 1, 2, 1]} is at row 1, column 2, in channel 1.")
print(f"   a.reshape(-1, n_C)[:, 0] = {right[:, 0]}   all end in 0: channel 0")
print(f"   a.reshape(n_C, -1)[0]    = {wrong[0]}         right size, no error, no channel")
assert set(right[:, 0] % 10) == {0} and set(wrong[0] % 10) == {0, 1}

# %% 2. Convolution: lay the filter on the picture, multiply number by number, add up
x = np.array([[0, 0, 3, 3, 4],              # dark on the left, light on the right, a little dirt
              [0, 0, 4, 3, 3],
              [0, 0, 4, 3, 3],
              [0, 1, 3, 3, 4],
              [0, 0, 3, 3, 4]], float)
W = np.array([[-1, 1], [-1, 1]], float)     # right minus left: it answers to a vertical edge
predict("\n2. Convolution\n   Predict: a 5 x 5 picture, a 2 x 2 filter, stride 1, no padding. How large is z?")
n = (5 + 2 * 0 - 2) // 1 + 1
print(f"   n_H = floor((n_H_prev + 2p - f) / s) + 1 = {n}: z is {n} x {n}. Without the + 1: 3.")
z = np.array([[np.sum(x[i:i + 2, j:j + 2] * W) for j in range(n)] for i in range(n)])
print("   z[1, 1] = (-1)*0 + 1*4 + (-1)*0 + 1*4 = 8: number times number, then the sum.")
print(f"   The matrix product, x[1:3, 1:3] @ W, sums to {np.sum(x[1:3, 1:3] @ W):g} here. Use *, not @.")
print(f"   To learn: {W.size} weights and 1 bias. Units: {z.size}, and all of them share those 5 numbers.")
assert z.shape == (4, 4) and z[1, 1] == 8

# %% 3. Pooling, dense, cost
winners = [(1, 1), (0, 3), (2, 1), (3, 3)]                    # where each 2 x 2 window of z has its largest number
pooled, w, b, y = np.array([z[i, j] for i, j in winners]), np.array([1, 2, -2, 1.]), 1, 3
y_hat = pooled @ w + b
print(f"\n3. Pooling, dense, cost\n   The largest number of each 2 x 2 window of z: {pooled.astype(int)}. Remember where it was.")
print(f"   y_hat = 8*1 + 1*2 + 6*(-2) + 2*1 + 1 = {y_hat:g}; it should be y = {y}.")
print(f"   J = 1/2 (y_hat - y)^2 = {(y_hat - y) ** 2 / 2:g}")
assert np.array_equal(pooled.reshape(2, 2), z.reshape(2, 2, 2, 2).max(axis=(1, 3))) and y_hat == 1

# %% 4. And back
predict("\n4. And back\n   Predict: dJ/dx has 25 numbers, one for each pixel. How many of them are not zero?")
dy = y_hat - y
d_pooled, dz, dW, dx = dy * w, np.zeros_like(z), np.zeros_like(W), np.zeros_like(x)
for (i, j), d in zip(winners, d_pooled):
    dz[i, j] = d                                              # pooling: all of it to the winner, nothing to the others
    dW += d * x[i:i + 2, j:j + 2]                             # what the filter saw there, times what came back
    dx[i:i + 2, j:j + 2] += d * W                             # the filter, stamped into the picture
print(f"   dense    dJ/dy_hat = y_hat - y = {dy:g}; times w: {d_pooled.astype(int)}")
print("   pooling  each of these goes to the winner of its window; the other three get 0")
print("   filter   what it saw, times what came back:")
print("            dW[0, 0] = 0*(-2) + 3*(-4) + 0*4 + 3*(-2) = -18")
print("   picture  each winner stamps the filter into it, times its number; overlaps add up")
print(f"   So {np.count_nonzero(dx)} of 25: four stamps of four pixels, and two pixels got two stamps.")
assert dW[0, 0] == -18 and np.count_nonzero(dx) == 14

from scratchnet import plots

plots.grid(out / "l00_there_and_back.png", [x, W, z, pooled.reshape(2, 2), d_pooled.reshape(2, 2), dz, dx],
           ["x", "W", "z", "max", "d max", "dz", "dx"], ["*", "=", "→", "→", "→", "→"])

# %% 5. The layers of the package, and a mistake made on purpose
from scratchnet.gradcheck import check, error_curve
from scratchnet.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Network

start = {"x": x.reshape(1, 5, 5, 1), "conv.W": W.reshape(2, 2, 1, 1), "conv.b": np.zeros(1),
         "dense.W": w.reshape(4, 1), "dense.b": np.ones(1)}


def network(pool):
    return {"conv": Conv2D(1, 1, f=2, pad=0), "pool": pool, "flatten": Flatten(), "dense": Dense(4, 1)}


def cost(p, layers):
    """J and its gradient for everything in p: the picture x, and the parameters."""
    net = Network(layers).with_params(p)
    a, caches = net.forward(p["x"], keep=["dense"])
    dx, grads = net.backward({"dense": a["dense"] - y}, caches)
    return np.sum((a["dense"] - y) ** 2) / 2, {"x": dx, **grads}


class ForgetfulPool(MaxPool2D):
    """Its forward is right. Its backward forgets who won: every place of a window gets the whole gradient."""

    def backward(self, da, cache):
        return da.repeat(2, axis=1).repeat(2, axis=2), {}


J, ours = cost(start, network(MaxPool2D()))
forgetful = cost(start, network(ForgetfulPool()))[1]
assert J == 2 and np.array_equal(ours["x"][0, :, :, 0], dx) and np.array_equal(ours["conv.W"][:, :, 0, 0], dW)
print(f"\n5. A mistake, on purpose\n   The package's layers find dW[0, 0] = {ours['conv.W'].flat[0]:g}, like our pencil.")
print(f"   A pooling that forgets who won finds {forgetful['conv.W'].flat[0]:g}, and nothing complains.")
print("   The check: move a number by a hair, see how far J moves, compare with backward.")
predict("   Predict: which of the five rows will be wrong?\n")
report = check(lambda p: cost(p, network(ForgetfulPool())), start)
print(report)
print("\n   Gradients flow backwards: behind the pooling all is well, before it nothing is.")
print("   (The hint guesses from numbers alone. A window has 4 places, and each got it all.)\n")
assert [row.name for row in report.rows if row.passed] == ["dense.W", "dense.b"]
report = check(lambda p: cost(p, network(MaxPool2D())), start)
print(report)
assert report.passed

# %% 6. How far is a hair?
from scratchnet.activations import Tanh

smooth = {"conv": Conv2D(1, 1, f=2, pad=0), "tanh": Tanh(), "flatten": Flatten(), "dense": Dense(16, 1)}
rng = np.random.default_rng(0)
bent = {**start, "x": start["x"] / 8, "dense.W": rng.standard_normal((16, 1))}       # tanh: a J that bends, without corners
predict("\n6. How far is a hair?\n   Predict: which h is best in float64, 1e-2, 1e-5 or 1e-12? And in float32?")
curves = {d.__name__: error_curve(lambda p: cost(p, smooth), bent, dtype=d) for d in (np.float64, np.float32)}
best = {name: min(curve, key=lambda point: point[1]) for name, curve in curves.items()}
for name, (h, error) in best.items():
    print(f"   {name}: h = {h:.0e}, with an error of {error:.0e}")
print("   Larger: the bend of J is in the way. Smaller: rounding is. So, to check, float64.")
plots.error_curve(out / "l00_error_curve.png", curves)
assert best["float64"][0] == 1e-5 and best["float64"][1] < 1e-9 < 1e-6 < best["float32"][1]

# %% 7. What no check sees
predict("\n7. What no check sees\n   Predict: a slip builds in AvgPool2D where MaxPool2D was meant. Will the check notice?")
report = check(lambda p: cost(p, network(AvgPool2D())), start)
print(f"   No. It is {report.worst.word}, though J is {report.J:.2f} and not 2: backward fits forward, as it should.")
print("   Whether forward is the formula you meant, only the pencil can tell. Keep it.")
assert report.passed and report.J > 5

# %% 8. One for you
predict("\n8. One for you\n   Make x[0, 4] = 3. Now z[0, 3] = z[1, 3] = 0: two winners in one window, a corner in J.\n"
        "   At how many of the 25 pixels has J no slope any more? Which pixels move the two apart?")
tied = {**start, "x": start["x"].copy()}
tied["x"][0, 0, 4, 0] = 3
row = check(lambda p: cost(p, network(MaxPool2D())), tied)["x"]
print(f"   The check leaves out {row.kinks}. Six pixels touch the winners; x[1, 3] and x[1, 4] touch both\n"
      "   and move them together, so there is no corner there.\n")
print(f"   Pictures: {out}/l00_there_and_back.png, {out}/l00_error_curve.png")
assert row.kinks == 4 and np.isnan(row.errors[0, 0, 3, 0]) and not np.isnan(row.errors[0, 1, 3:5, 0]).any()
