# %%
"""Lesson 4: triplet loss                                           四 · Triplet 损失

An anchor A, a positive P of the same person, a negative N of another. P shall be nearer, by a margin alpha:

    L(A, P, N) = max(||f(A) - f(P)||^2 - ||f(A) - f(N)||^2 + alpha, 0)
    J = sum L(A, P, N)

The question: if it is that simple, why does it matter so much which triplets you show?
"""
print(__doc__)

# %% `python -m lessons 4 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. Three triplets, by hand
import numpy as np

from scratchnet.face_losses import triplet_loss, triplet_terms

f_A, f_P, f_N = np.zeros((3, 2)), np.array([[1., 0], [0, 1], [2, 0]]), np.array([[1., 1], [0, 0], [1, 0]])
print("1. Three triplets, by hand. A = (0, 0) in all, alpha = 0.5, in code margin: the lecture has two alphas.\n"
      "   P = (1, 0), (0, 1), (2, 0)      N = (1, 1), (0, 0), (1, 0)")
predict("   Predict: L of each? And J?")
J, (df_A, df_P, df_N) = triplet_loss(f_A, f_P, f_N, margin=.5)
terms = triplet_terms(f_A, f_P, f_N, margin=.5)
for d_AP, d_AN, L, active in zip(*terms):
    print(f"   d(A, P) = {d_AP:g}   d(A, N) = {d_AN:g}   {d_AP:g} - {d_AN:g} + 0.5 = {d_AP - d_AN + .5:4.1f}   L = {L:3.1f}   "
          + ("active" if active else "easy: its gradient is 0, it teaches nothing"))
print(f"   J = {J}")
assert terms.L.tolist() == [0, 1.5, 3.5] and J == 5 and not any(df[0].any() for df in (df_A, df_P, df_N)) and df_P[1:].any()

# %% 2. The common mistake, and its relatives
x, d = terms.d_AP - terms.d_AN, lambda f, axis: np.sum((f_A - f) ** 2, axis=axis)
wrong = {"max of the sum, not sum of the maxima": max(np.sum(x + .5), 0),
         "np.sum without an axis: all triplets at once": max(d(f_P, None) - d(f_N, None) + .5, 0),
         "axis=0, over the triplets": np.sum(np.maximum(d(f_P, 0) - d(f_N, 0) + .5, 0)),
         "no square": triplet_loss(f_A, f_P, f_N, .5, distance="plain")[0],
         "P and N swapped": triplet_loss(f_A, f_N, f_P, .5)[0],
         "A and P swapped: d(P, N) = 1, 1, 1": triplet_loss(f_P, f_A, f_N, .5)[0],
         "- alpha": np.sum(np.maximum(x - .5, 0)),
         "the mean, not the sum": triplet_loss(f_A, f_P, f_N, .5, over="mean")[0]}
predict("\n2. The common mistake: first add up all three, then take the max. Predict: what comes out instead of 5?")
for name, value in wrong.items():
    print(f"   {value:.4f}   {name}")
print("   In the first, the easy triplet (-0.5) pays a part of the others' debt. Without an easy one it comes out\n"
      "   right, so a test may well pass. Eight mistakes, seven numbers: yours nearly tells which it was.")
assert [round(float(value), 4) for value in wrong.values()] == [4.5, 3.5, 4, 3.0858, 1.5, 4.5, 3, 1.6667]
assert max(np.sum(x[1:] + .5), 0) == triplet_loss(f_A[1:], f_P[1:], f_N[1:], .5)[0] == 5

# %% 3. What alpha is for, and what max is for
predict("\n3. What alpha is for\n   A lazy network gives everybody the same encoding.\n"
        "   Predict: J of our three triplets with alpha = 0? With 0.5? And the gradient?")
lazy = {margin: triplet_loss(*np.ones((3, 3, 2)), margin) for margin in (0, .5)}
print(f"   alpha = 0: J = {lazy[0][0]:g}, a perfect score for knowing nobody. alpha = 0.5: 3 * 0.5 = {lazy[.5][0]:g}. It does not pay.\n"
      "   But the gradient there is 0, whatever alpha: 2 (f(N) - f(P)) = 0. Who falls in stays in: part 6.")
assert lazy[0][0] == 0 and lazy[.5][0] == 1.5 and not any(np.any(df) for J, df in lazy.values())
predict("   And max? Predict: without it, how does a network make the easy triplet, N = (1, 1), as cheap as can be?")
no_max = [1 - np.sum((s * f_N[0]) ** 2) + .5 for s in (1, 10, 100)]
print(f"   Push N away for ever. N, 10 N, 100 N cost {no_max[0]:g}, {no_max[1]:g}, {no_max[2]:g}, and the hard triplets are forgotten.")
assert no_max == [-.5, -198.5, -19998.5]

# %% 4. Its gradient, and a trap at distance 0
from scratchnet.gradcheck import check

report = check(lambda f_A, f_P, f_N: triplet_loss(f_A, f_P, f_N, .5), *np.random.default_rng(0).standard_normal((3, 5, 4)))
print(f"\n4. The gradient, five triplets of four numbers\n{report}")
with np.errstate(invalid="ignore"):
    naive = (f_A - f_N)[1] / np.linalg.norm((f_A - f_N)[1])
plain = triplet_loss(f_A, f_P, f_N, .5, distance="plain")[1]
predict("   Predict: in triplet 2, N = A. Without the square the gradient is (A - N) / ||A - N||. What is that?")
print(f"   0 / 0 = {naive}, and a nan spoils all it is added to. The square has no such corner: 2 (A - N) = 0.\n"
      f"   This package gives 0 there, too: df_N = {plain[2][1]}")
assert report.passed and np.isnan(naive).all() and np.isfinite(plain).all() and not plain[2][1].any()

# %% 5. Random triplets, or hard ones?
from scratchnet import drawn_faces, faces, models, plots
from scratchnet.mining import mine_triplets
from scratchnet.objectives import distances
from scratchnet.optimizers import Adam
from scratchnet.train import Training, Triplet

people, epochs = (16, 2) if quick else (60, 12)
known, (strangers, who) = drawn_faces.faces(people, 8, seed=2, size=32), drawn_faces.faces(20, 8, seed=1, size=32)
encoder = models.siamese_encoder(32, channels=(16, 32, 64))


class Random(Triplet):
    """11 triplets to a batch, A, P and N drawn from everybody; the batch is all A, all P, all N."""

    def batches(self, labels, rng):
        where = [np.flatnonzero(labels == person) for person in np.unique(labels)]
        for _ in range(15):
            two = [rng.permutation(len(where))[:2] for _ in range(11)]
            yield np.array([(*rng.permutation(where[i])[:2], rng.choice(where[j])) for i, j in two]).T.ravel()

    def cost(self, f, labels, head, rng):
        J, df = triplet_loss(*np.split(f, 3), self.margin, over="mean")
        active = int(triplet_terms(*np.split(f, 3), self.margin).active.sum())
        return J, np.concatenate(df), {}, {"active": active, "triplets": 11, "there easy": 11 - active, **distances(f, labels)}


def train(objective, epochs):
    """-> its epochs, with the 20-way one-shot accuracy on strangers among the scores, and the network."""
    run = Training(encoder, *known, objective, Adam(1e-3), batches_per_epoch=15)
    for epoch in run.epochs(epochs):
        epoch.scores["accuracy"] = faces.one_shot(faces.encode(run.net, strangers), who, 20).accuracy
    return run.history, run.net


print(f"\n5. Random triplets, or hard ones? The same network twice, {people} drawn people, 8 pictures each, alpha = 0.2.\n"
      "   random      a batch is 11 triplets drawn from everybody, 33 pictures\n"
      "   semi-hard   a batch is 8 people, 4 pictures each; N with d(A, P) < d(A, N) < d(A, P) + alpha")
predict("   Predict: which ends with the smaller J? And which will know 20 strangers better, from one picture each?")
(random, _), (semi_hard, net) = train(Random(), epochs), train(Triplet(rule="semi-hard"), epochs)
for name, run in (("random", random), ("semi-hard", semi_hard)):
    print(f"   {name:9}   " + "   ".join(f"epoch {e.i}: {e.scores['active']}/{e.scores['triplets']} active" for e in (run[0], run[-1]))
          + f"   J {run[-1].J:.3f}   strangers {run[-1].scores['accuracy']:.0%} (chance: 5%)")
print("   The smaller J belongs to the worse network! Most of its triplets are easy by now: easy questions.\n"
      "   A J near 0 is no success before you have counted the active triplets.")
assert random[-1].J < semi_hard[-1].J and random[-1].scores["active"] < semi_hard[-1].scores["active"]
assert quick or semi_hard[-1].scores["accuracy"] > random[-1].scores["accuracy"] + .03 and random[-1].scores["active"] < 165 / 2
f = faces.encode(net, strangers)
A, P, N = (int(index[0]) for index in mine_triplets(f, who, .2, "semi-hard", 0))
plots.triplet_plane(out / "l04_one_anchor.png", f, who, A, P, .2, N, "What one anchor sees of 20 strangers, 8 pictures each")

# %% 6. Then take the hardest? Collapse, on purpose
predict("\n6. Then take the hardest: the farthest P with the nearest N\n   Predict: J, after some epochs? (Part 3 knows.)")
hardest, _ = train(Triplet(rule="batch-hard"), 2 if quick else 8)
first, last, kept = hardest[0].scores, hardest[-1].scores, semi_hard[-1].scores["spread"]
print(f"   J stands at {hardest[-1].J:.4f}, and alpha is 0.2. Active: {last['active']} of {last['triplets']}, and no help.\n"
      f"   Two pictures lie {last['spread']:.2f} apart, with semi-hard {kept:.2f}: nearly one point. Strangers {last['accuracy']:.0%}.\n"
      f"   In the first epoch N was nearer than P in {first['chosen hard']} of {first['triplets']}. Then L > alpha, and giving up all\n"
      "   distances costs alpha only. A J that stands at alpha has collapsed. The way out: begin with semi-hard.")
plots.triplet_curves(out / "l04_curves.png", {"random": random, "semi-hard": semi_hard, "batch-hard": hardest})
assert abs(hardest[-1].J - .2) < (.1 if quick else .005) and last["active"] == last["triplets"] < 1.25 * first["chosen hard"]
assert last["spread"] < kept / (3 if quick else 10)

# %% 7. One for you
predict("\n7. One for you\n   A batch has 8 people, 4 pictures each. How many triplets (A, P, N) are in it? How many pictures must\n"
        "   be encoded for them? And if each triplet had its own, as in 'random'?")
mined = mine_triplets(np.random.default_rng(0).standard_normal((32, 2)), np.repeat(np.arange(8), 4), .2, "all", 0)
print(f"   32 * 3 * 28 = {len(mined.anchor)}, from 32 pictures. Else 3 * 2688 = 8064. To choose in a batch is cheaper, too.\n\n"
      f"   Pictures: {out}/l04_one_anchor.png, {out}/l04_curves.png")
assert len(mined.anchor) == 2688 == sum(mined.there.values())
