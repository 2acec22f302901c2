# %%
"""Lesson 2: Siamese network                                       二 · Siamese 网络

The slide shows two pictures and two networks "with the same parameters". Then the distance of what comes out:

    d(x^(1), x^(2)) = ||f(x^(1)) - f(x^(2))||^2

The question: how many networks are there, and what happens if you really build two?
"""
print(__doc__)

# %% `python -m lessons 2 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. One network, two calls
import numpy as np

from scratchnet.gradcheck import check
from scratchnet.layers import Dense
from scratchnet.network import Network

x_1, x_2 = np.array([[1., 2.]]), np.array([[3., 1.]])                     # two pictures of one person, two pixels each
net = Network({"f": Dense(2, 1)}).with_params({"f.W": np.ones((2, 1)), "f.b": np.zeros(1)})
f = lambda net, x: net.forward(x)[0]["f"].item()


def two_calls(net):
    """d, and its gradient in the parameters: from the first call, from the second."""
    (a_1, cache_1), (a_2, cache_2) = net.forward(x_1), net.forward(x_2)      # what backward needs comes along; the net keeps nothing
    df = 2 * (a_1["f"] - a_2["f"])
    return np.sum((a_1["f"] - a_2["f"]) ** 2), net.backward({"f": df}, cache_1)[1], net.backward({"f": -df}, cache_2)[1]


d, first, second = two_calls(net)
dW = first["f.W"] + second["f.W"]
print("1. One network, two calls\n   f(x) = x W, W = (1, 1). Two pictures of one person: x1 = (1, 2), x2 = (3, 1).\n"
      "   f(x1) = 3, f(x2) = 4, d = (3 - 4)^2 = 1.   dd/df1 = 2 (3 - 4) = -2, dd/df2 = +2.")
predict("   Predict: dW, how d changes with W. Each call sends a gradient back to the same W.")
print("   first call    -2 * (1, 2) = (-2, -4)\n   second call   +2 * (3, 1) = ( 6,  2)\n   together, dW = dW1 + dW2 = ( 4, -2)")
assert d == 1 and first["f.W"].ravel().tolist() == [-2, -4] and second["f.W"].ravel().tolist() == [6, 2]
step = lambda dW: net.with_params({**net.params, "f.W": net.params["f.W"] - .1 * dW})
print(f"   A step, W - 0.1 dW = (0.6, 1.2): f(x1) = f(x2) = 3, and d is {two_calls(step(dW))[0]:.0f}. One person.")
assert np.allclose(step(dW).params["f.W"].ravel(), [.6, 1.2]) and two_calls(step(dW))[0] < 1e-20

# %% 2. The common mistake: two networks
print("\n2. The common mistake: really two networks, equal at first. Each takes the step of its own gradient:\n"
      "   W1 = (1, 1) - 0.1 (-2, -4) = (1.2, 1.4).   W2 = (1, 1) - 0.1 (6, 2) = (0.4, 0.8).")
predict("   Predict: x1 goes through both. How far is this picture from itself?")
apart = f(step(first["f.W"]), x_1) - f(step(second["f.W"]), x_1)
print(f"   1.2 + 2.8 = 4 and 0.4 + 1.6 = 2: d = {apart ** 2:.0f}. You are no longer yourself. One network: d(x, x) = 0, always.\n"
      "   The second box on the slide is a second call. It adds no parameter, only a second gradient.")
both = lambda p: (lambda d, first, second: (d, {k: first[k] + second[k] for k in first}))(*two_calls(net.with_params(p)))
start = {"f.W": np.array([[1.], [1.]]), "f.b": np.array([.5])}
forgot, report = check(lambda p: two_calls(net.with_params(p))[:2], start), check(both, start)
print(f"   And whoever forgets the second call? The gradient check: {forgot['f.W'].word}: {forgot['f.W'].analytic:g} where the slope is "
      f"{forgot['f.W'].numerical:.0f}.\n"
      f"   With both (b moves both encodings alike, so d does not feel it):\n{report}")
assert f(net, x_1) == f(net, x_1) and np.isclose(apart ** 2, 4) and report.passed and not forgot.passed

# %% 3. Contrastive loss: near for one person, a margin for two
from scratchnet.face_losses import contrastive_loss, contrastive_terms

f_1, f_2, same = np.zeros((3, 2)), np.array([[.6, 0], [0, .6], [.9, 1.2]]), np.array([True, False, False])
terms = contrastive_terms(f_1, f_2, same=same, margin=1)
J, (df_1, df_2) = contrastive_loss(f_1, f_2, same=same, margin=1)
print("\n3. Contrastive loss. d has no square here; the loss squares it.\n"
      "   one person: 1/2 d^2         two people: 1/2 max(margin - d, 0)^2         margin = 1")
predict("   Predict: L of one person at d = 0.6, of two people at 0.6, of two at 1.5? Who is moved, and where to?")
for d, L, s, g in zip(terms.d, terms.L, same, df_2):
    print(f"   {'one person' if s else 'two people'}   d = {d:.1f}   L = {L:.2f}   "
          + ("pulled together" if s else "pushed apart" if g.any() else "left alone: far enough. That is what the max is for"))
print(f"   J, the mean: 0.26 / 3 = {J:.4f}")
assert np.allclose(terms.d, [.6, .6, 1.5]) and np.allclose(terms.L, [.18, .08, 0])
assert df_2[0] @ f_2[0] > 0 > df_2[1] @ f_2[1] and not df_2[2].any()      # down the gradient: nearer, farther, nowhere
predict("   The paper labels one person Y = 0, most programs 1. Predict: J, if one's labels meet the other's loss?")
J_swapped, _ = contrastive_loss(f_1, f_2, same=~same, margin=1)
words = [check(lambda f_1, f_2: contrastive_loss(f_1, f_2, same=s), f_1 + .1, f_2).worst.word for s in (same, ~same)]
print(f"   (0.08 + 0.18 + 1/2 1.5^2) / 3 = {J_swapped:.4f}. No error, and a gradient check says '{words[0]}' of the right one\n"
      f"   and '{words[1]}' of the wrong one. So here it is no 0 or 1: you must write same=.")
assert np.isclose(J_swapped, (.08 + .18 + 1.125) / 3) and words == ["happy", "happy"]

# %% 4. Train it: distances part
import itertools

from scratchnet import drawn_faces, faces, models, plots, threshold
from scratchnet.objectives import distances
from scratchnet.optimizers import Adam
from scratchnet.similarity import all_pairs, squared_euclidean
from scratchnet.train import Siamese, Training

people, epochs = (16, 2) if quick else (60, 16)
known = drawn_faces.faces(people, 8, seed=2, size=32)                     # people who do not exist; 8 pictures each
strangers, who = drawn_faces.faces(20, 8, seed=1, size=32)                # others, never trained on
i, j = np.triu_indices(len(who), 1)
pairs = lambda f: (all_pairs(squared_euclidean, f)[i, j], who[i] == who[j])
encoder = models.siamese_encoder(32, channels=(16, 32, 64))
run = Training(encoder, *known, Siamese("contrastive", margin=1), Adam(1e-3), batches_per_epoch=15)
print(f"\n4. Train: three convolutions and a dense layer, {sum(p.size for p in encoder.params.values())} parameters, once. "
      f"{people} drawn people to learn\n   from, 20 others to be asked about. All distances below are squared, and those of the others.")
predict("   Predict: it learns people A, B, C. Will the distances of people X, Y, Z part as well?")
stages, aucs = [], []
for epoch in itertools.chain([None], run.epochs(epochs)):                 # None: before the first
    if (n := epoch.i if epoch else 0) in (0, 1, 4, epochs):
        f = faces.encode(run.net, strangers)
        seen = distances(f, who)
        stages, aucs = stages + [(n, f[:64], who[:64])], aucs + [threshold.auc(*pairs(f))]     # the picture has 8 of the 20
        print(f"   epoch {n:2}   one person {seen['d_same']:.2f}   two people {seen['d_different']:.2f}   "
              f"nearer when one person: {aucs[-1]:.0%}", flush=True)
pixels = threshold.auc(*pairs(strangers.reshape(len(who), -1)))
print(f"   The last column asks: a pair of one person and a pair of two, which is nearer? Raw pixels know it {pixels:.0%} of\n"
      "   the time; a coin would 50%. It has not learned those people. It has learned what to look at.")
plots.encodings_over_time(out / "l02_distances_part.png", stages, "Eight people it never saw")
plots.distance_histograms(out / "l02_histograms.png", *pairs(f))
assert aucs[-1] > aucs[0] + .03 and aucs[-1] > pixels and (quick or aucs[-1] > .88 > pixels + .15)

# %% 5. The swapped labels, trained on purpose


class Swapped(Siamese):
    """One's labels, the other's loss."""

    def cost(self, f, labels, head, rng):
        f_1, f_2 = np.split(f, 2)
        J, df = contrastive_loss(f_1, f_2, same=np.not_equal(*np.split(labels, 2)), margin=self.margin)
        return J, np.concatenate(df), {}, distances(f, labels)


predict("\n5. Now with the labels swapped, on purpose. A' is a second picture of A.\n"
        "   Predict: A far from A', but A near B, and B near A': can that be? And where will J stand?")
run = Training(encoder, *known, Swapped(margin=1), Adam(1e-3), batches_per_epoch=15)
history = list(run.epochs(2 if quick else 8))
J, d = history[-1].J, history[-1].scores
print(f"   It cannot: both are near B, and so near each other. What is left is a bad peace, half the margin for all:\n"
      f"   1/2 0.5^2 = margin^2 / 8 = 0.125 for either kind. J stands at {J:.3f}, squared distances at {d['d_same']:.2f} and "
      f"{d['d_different']:.2f},\n   and 0.5^2 is 0.25. Where a contrastive loss stands at margin^2 / 8, look at the labels.")
assert abs(J - .125) < (.04 if quick else .02) and .12 < d["d_same"] < .4 and .12 < d["d_different"] < .4

# %% 6. One for you
predict("\n6. One for you\n   One picture is in the data twice. By mistake that pair is labelled once as one person, once as two.\n"
        "   Predict: what does each label cost? And which way does each pull?")
f_1, f_2 = (np.repeat(encoder.forward(known[0][:1])[0]["encoding"], 2, axis=0) for call in (1, 2))
L, df = contrastive_terms(f_1, f_2, same=[1, 0], margin=1).L, contrastive_loss(f_1, f_2, same=[1, 0], margin=1)[1]
print(f"   {L[0]:g}, and 1/2 (1 - 0)^2 = {L[1]:g}, the most that two people can cost. Neither pulls: equal encodings have no\n"
      "   direction to part in. J will show this mistake for ever, and no step can mend it.\n\n"
      f"   Pictures: {out}/l02_distances_part.png, {out}/l02_histograms.png")
assert L.tolist() == [0, .5] and not np.any(df)
