# %%
"""Lesson 3: face verification and binary classification           三 · 人脸验证与二分类

One person, yes or no: that is a question for a logistic unit, on the difference of two encodings.

    yhat = sigmoid(sum_k w_k |f_k - f'_k| + b)

The question: where does the line between yes and no come from?
"""
print(__doc__)

# %% `python -m lessons 3 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. The head, by hand
import numpy as np

from scratchnet.face_losses import pair_loss, pair_probability

f_1, f_2, w, b = np.array([[1., 4, 0, 0]]), np.array([[3., 4, 2, 0]]), -np.ones(4), np.array(3.)
y_hat = {kind: pair_probability(f_1, f_2, w, b, kind).item() for kind in ("absolute", "chi2")}
print("1. The head, by hand\n   f = (1, 4, 0, 0), f' = (3, 4, 2, 0), w = (-1, -1, -1, -1), b = 3.\n"
      "   |f - f'| = (2, 0, 2, 0).   The other form, chi^2, (f - f')^2 / (f + f') = (4/4, 0/8, 4/2, 0/0).")
predict("   Predict: yhat with the one, with the other? (0/0: nobody is there, so 0.) And why are the w negative?")
print(f"   |f - f'|: z = -2 - 2 + 3 = -1, yhat = {y_hat['absolute']:.3f}.   chi^2: z = -1 - 2 + 3 = 0, yhat = {y_hat['chi2']:.3f}.\n"
      "   A difference speaks against one person, so it must lower yhat. chi^2 asks: 2 apart, but on what level?\n"
      "   From 1 to 3 weighs 1, from 0 to 2 weighs 2. It wants numbers that are not negative, as behind a ReLU.")
assert np.isclose(y_hat["absolute"], 1 / (1 + np.e)) and y_hat["chi2"] == .5

# %% 2. Identical pictures.  And the common mistake
predict("\n2. The same picture twice\n   All differences are 0. Predict: yhat? And without b?")
same_twice, without_b = (pair_probability(f_1, f_1, w, bias).item() for bias in (b, np.array(0.)))
print(f"   yhat = sigmoid(b) = sigmoid(3) = {same_twice:.3f}, not 0: it is b that says yes. Without b: {without_b}, and that\n"
      "   is the most it ever says while w < 0. A head without b knows no yes.")
sigmoid = lambda z: 1 / (1 + np.exp(-z))
one_way, other_way = (sigmoid((p - q) @ w + b).item() for p, q in ((f_1, f_2), (f_2, f_1)))
predict("   The common mistake: f - f' without the bars. Predict: yhat of (img1, img2), and of (img2, img1)?")
print(f"   z = 2 + 2 + 3 = 7, {one_way:.3f}: one person. And z = -2 - 2 + 3 = -1, {other_way:.3f}: two. Who stands first decides.")
assert np.isclose(same_twice, sigmoid(3)) and without_b == .5 and one_way > .999 and np.isclose(other_way, y_hat["absolute"])
assert y_hat["absolute"] == pair_probability(f_2, f_1, w, b).item()

# %% 3. Its gradient
from scratchnet.gradcheck import check

rng = np.random.default_rng(0)
start = [rng.random((6, 4)), rng.random((6, 4)), *(rng.standard_normal(n) for n in (4, ()))]
for kind in ("absolute", "chi2"):
    report = check(lambda f_1, f_2, w, b: pair_loss(f_1, f_2, w, b, same=[1, 1, 0, 0, 1, 0], difference=kind), *start)
    print("\n3. The gradient of J = -y ln yhat - (1 - y) ln(1 - yhat)" if kind == "absolute" else "   And with chi^2:", report, sep="\n")
    assert report.passed
J, (_, _, dw, db) = pair_loss(*np.repeat([f_1, f_2], 2, axis=1), w, b, same=[1, 0])
predict("   The pair of part 1, yhat = 0.269, once as one person, once as two. Predict: dJ/db, the mean of yhat - y?")
print(f"   (0.269 - 1) / 2 + 0.269 / 2 = {db:.3f}. And dJ/dw_k is the same, times |f_k - f'_k| = 2: {dw[0]:.3f}.")
assert np.isclose(db, y_hat["absolute"] - .5) and np.allclose(dw, db * np.array([2, 0, 2, 0]))

# %% 4. Train the head: encodings once, then only w and b
from scratchnet import drawn_faces, faces, models, plots, threshold
from scratchnet.optimizers import Adam
from scratchnet.similarity import all_pairs, squared_euclidean

people, net = 20 if quick else 60, models.face_encoder().freeze(fold=True)
sets = []
for seed in (3, 9):                                        # one set to learn from, another to be judged by: people who do not exist
    pictures, who = drawn_faces.faces(people, 4, seed=seed, amount=.4)
    f, (i, j) = faces.encode(net, pictures, crop=(8, 6, 56, 62)).astype(float), np.triu_indices(len(who), 1)
    sets.append((f, i, j, who[i] == who[j], squared_euclidean(f[i], f[j]), pictures.reshape(len(who), -1)))
(f, i, j, same, d, _), (f_new, i_new, j_new, same_new, d_new, pixels) = sets
half = np.concatenate([np.flatnonzero(same), rng.choice(np.flatnonzero(~same), same.sum(), replace=False)])
FORM = {"absolute": lambda f: f, "chi2": lambda f: np.concatenate([np.maximum(f, 0), np.maximum(-f, 0)], axis=1)}   # no negatives in it


def train(f, kind):
    """w and b from as many pairs of one person as of two; the encodings stay as they are. -> head, J"""
    pairs = f[i[half]], f[j[half]]

    def cost(p):
        J, (_, _, dw, db) = pair_loss(*pairs, p["w"], p["b"], same=same[half], difference=kind)
        return J, {"w": dw, "b": np.asarray(db)}
    head, adam = {"w": np.full(f.shape[1], -1.), "b": np.array(1.)}, Adam(.1)
    for step in range(200):
        head, J = adam.step(cost, head)
    return head, J


print(f"\n4. Train the head\n   {people} drawn people, {same.sum()} pairs of one person, {np.sum(~same)} of two. "
      "As many other people to be judged by.\n   Each picture goes through the network once. The head learns w and b alone.\n"
      "   (For chi^2 each f_k becomes two, max(f_k, 0) and max(-f_k, 0): none is negative.)")
predict("   Predict: how many of the w are negative? What is yhat of identical pictures, sigmoid(b)?")
heads = {kind: train(form(f), kind) for kind, form in FORM.items()}
for kind, (head, J) in heads.items():
    negative, yes = np.mean(head["w"] < 0), sigmoid(head["b"])
    print(f"   {kind:8}   J {J:.2f}   {len(head['w'])} w, {negative:.0%} negative   b = {head['b']:.2f}, sigmoid(b) = {yes:.3f}")
    assert negative > .5 and yes > .95
head = heads["absolute"][0]
weighted = np.abs(f_new[i_new] - f_new[j_new]) @ -head["w"]
says_yes = pair_probability(f_new[i_new], f_new[j_new], head["w"], head["b"]) > .5
print("   yhat > 1/2 where sum_k (-w_k) |f_k - f'_k| < b. The head is a weighted distance, and b its tau, learned.")
assert np.array_equal(says_yes, weighted < head["b"])

# %% 5. And the tau of plain d?  From data, too; and here is the trap
few, fair = threshold.best_tau(d, same), threshold.best_tau(d, same, 1, np.sum(~same) / same.sum())
never = np.mean(~same)
print("\n5. And the tau of d = ||f - f'||^2? Take the one with the fewest mistakes on the pairs we have.")
predict(f"   There are {np.sum(~same) / same.sum():.0f} times as many pairs of two people. "
        "Predict: how good is a program that always says 'two'?")
print(f"   {never:.1%} right! The fewest mistakes, tau = {few:.2f}, are {threshold.accuracy(d, same, few):.1%} right, and refuse "
      f"{threshold.far_frr(d, same, few)[1]:.0%} of the friends.\n   So weigh both kinds alike. On the people it was not chosen by:")
rates = {}
for tau, name in ((few, "fewest mistakes"), (fair, "both kinds weigh alike"), (.7, "this network's own")):
    rates[tau] = threshold.far_frr(d_new, same_new, tau)
    print(f"   tau = {tau:.2f}, {name:23} strangers let in, FAR: {rates[tau][0]:5.1%}   friends refused, FRR: {rates[tau][1]:5.1%}")
print("   The last is from photographs, these are drawings: a tau belongs to pictures as much as to a network.")
assert never > .93 and rates[few][1] > .25 and max(rates[fair]) < .2 and rates[.7][0] > 1.5 * rates[fair][0]
curves = {"raw pixels": all_pairs(squared_euclidean, pixels)[i_new, j_new], "d, encoder": d_new, "head, |f − f'|": weighted}
g, head = FORM["chi2"](f_new), heads["chi2"][0]
curves["head, χ²"] = -pair_probability(g[i_new], g[j_new], head["w"], head["b"], "chi2")
aucs = {name: threshold.auc(values, same_new) for name, values in curves.items()}
plots.roc_curve(out / "l03_roc.png", {name: (*threshold.roc(values, same_new)[1:], aucs[name]) for name, values in curves.items()})
plots.distance_histograms(out / "l03_histograms.png", d_new, same_new, fair)
assert min(aucs.values()) == aucs["raw pixels"] < sorted(aucs.values())[1] - .02

# %% 6. Recognition: K people are K questions
D = all_pairs(squared_euclidean, f_new, f[::4])                         # strangers, against one picture of each person we know
p = 1 - np.mean(D <= fair)
print(f"\n6. Recognition: K people are K questions. One about a stranger is answered rightly {p:.1%} of the time.")
predict("   Predict: K = 20. How often is a stranger taken for somebody? (All K right: p^K, if independent.)")
measured = {}
for K in (1, 5, 20, people):
    measured[K] = np.mean([np.mean(D[:, rng.permutation(people)[:K]].min(axis=1) <= fair) for _ in range(50)])
    print(f"   K = {K:2}   measured {measured[K]:.0%}   1 - p^K = {threshold.false_alarm(p, K):.0%}")
print("   (Less than the formula: whoever resembles one resembles another.) And a program that names the nearest,\n"
      "   without a tau? 100%: it has no word for 'unknown'. So identify of this package may say None.")
assert measured[1] < measured[5] < measured[20] < threshold.false_alarm(p, 20) and measured[20] > 4 * measured[1]

# %% 7. One for you
predict("\n7. One for you\n   A door knows 100 people. A stranger may be let in once in 100 times. How right must one question be?\n"
        "   And how many pairs must a test see, without one mistake, before you may say so? (threshold.wilson)")
n = next(n for n in range(1000, 10 ** 6, 10) if threshold.wilson(n, n)[0] >= .9999)
print(f"   0.9999, for 0.9999^100 = 0.990. And {n} pairs: then the true rate is above 0.9999, with 95% confidence.\n"
      f"   Twelve pairs, all right, say only: above {threshold.wilson(12, 12)[0]:.2f}.\n\n"
      f"   Pictures: {out}/l03_roc.png, {out}/l03_histograms.png")
assert threshold.false_alarm(.9999, 100) < .01 < threshold.false_alarm(.9998, 100) and 38000 < n < 39000
