# %%
"""Lesson 9: the style cost                                        九 · 风格代价函数

    G^[l]_kk' = sum_ij a^[l]_ijk a^[l]_ijk'
    J_style^[l](S, G) = 1 / (2 n_H n_W n_C)^2 ||G^[l](S) - G^[l](G)||^2

Which channels are active together? Say it for every pair, forget where, and you have said the style.
The question: what does a style matrix know, and what not?
"""
print(__doc__)

# %% `python -m lessons 9 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. By hand
import numpy as np

from scratchnet.errors import ShapeError
from scratchnet.style_costs import content_cost, gram, layer_style_cost

a = np.arange(12.).reshape(1, 2, 2, 3)
print("1. By hand\n   Four positions, three channels: 0 3 6 9, 1 4 7 10, 2 5 8 11.")
predict("   Predict: G_01, channel 0 with channel 1? And G_10? Is a style matrix ever not symmetric?")
print(f"   0*1 + 3*4 + 6*7 + 9*10 = 144, both times, of the same products: never.\n   The whole: {gram(a).astype(int).tolist()}\n"
      "   (The lecture calls picture and matrix G. Here the picture is G, the matrices are G_S and G_G.)")
u, v = np.array([[3., 1, 3, 1], [1, 3, 1, 3]])
predict("   Predict: two channels, 3 1 3 1 and 1 3 1 3, never high together. Is their cell 0? Below 0?")
print(f"   {u @ v:g}. Their correlation is {np.corrcoef(u, v)[0, 1]:.0f}, but no mean is subtracted here. Nor is a cell a similarity:\n"
      "   (5 5).(5 5) = 50, (5 5).(10 10) = 100, one direction. It is cosine * length * length: loud counts.")
assert gram(a).tolist() == [[126, 144, 162], [144, 166, 188], [162, 188, 214]] and u @ v == 12 and np.isclose(np.corrcoef(u, v)[0, 1], -1)

# %% 2. The cost, and three wrong numbers
from scratchnet.gradcheck import check

mixed = lambda a: np.sum((a.reshape(3, 4) @ a.reshape(3, 4).T - 4) ** 2) / 576
ones, G_S, A, B = np.ones_like(a), gram(a), a.reshape(4, 3), np.ones((4, 3))
J, da = layer_style_cost(G_S, ones)
slips = {"a.reshape(n_C, -1)": mixed(a),
         "A A^T, positions with positions": np.sum((A @ A.T - B @ B.T) ** 2) / 576,
         "n_H n_W not squared": np.sum((A.T @ A - B.T @ B) ** 2) / (4 * 9 * 4)}
print("\n2. The cost: that a is S, and ones are G\n   G_G is 4 everywhere. (122^2 + 140^2 + ... + 210^2) / (2*2*2*3)^2 = 242068 / 576.")
predict("   Predict: how far off is J with the famous slip, a.reshape(n_C, -1)? Twice? A tenth? Less?")
print("\n".join(f"   {value:10.4f}   {name}" for name, value in {"right": J, **slips}.items()))
turned, right = mixed(a[:, ::-1]), layer_style_cost(gram(a[:, ::-1]), ones)[0]
print("   Half a percent: no curve will show it. Nor does the sum of the diagonal, 506 both times. But turn a\n"
      f"   upside down: the wrong one says {turned:.4f} then, the right one {right:.4f} as before.")
report = check(lambda a: layer_style_cost(G_S, a), ones)
print(f"   The gradient is A (G_G - G_S) / (n_H n_W n_C)^2: the 2^2 cancels, and is there for nothing else.\n"
      f"   The first entry: -(122 + 140 + 158) / 144 = {da[0, 0, 0, 0]:.4f}. The check: {report.worst.word}, at worst {report.error:.0e}.")
assert np.allclose([J, *slips.values(), turned], [420.2569, 422.3403, 425.5486, 1681.0278, 294.6736], atol=5e-5) and right == J
assert report.passed and np.trace(G_S) == np.trace(a.reshape(3, 4) @ a.reshape(3, 4).T) == 506 and np.isclose(da[0, 0, 0, 0], -420 / 144)

# %% 3. Twice as loud, twice as wide
predict("\n3. Twice as loud, twice as wide\n   Predict: all activations doubled, those of S and of G. By what factor does J_style grow?")
print("   constant         J   doubled   the beta that makes it equal to the lecture's")
for normalise in ("lecture", "assignment", "mean", "relative"):
    once, doubled = (layer_style_cost(gram(f * a), f * ones, normalise)[0] for f in (1, 2))
    print(f"   {normalise:10} {once:9.4f}   {doubled / once:3.0f} times   {J / once:.4f}")
    assert np.isclose(doubled / once, 1 if normalise == "relative" else 16)
wide = np.concatenate([a, a], axis=2)
predict("   Predict: S is G itself, twice beside each other: the same texture. What is J_style?")
J_wide, J_fair = layer_style_cost(gram(wide), a)[0], layer_style_cost(gram(wide, positions=4), a)[0]
print(f"   {J_wide:.4f}: twice the positions, twice the matrix. gram(a_S, positions=4), for the 4 of G, makes it {J_fair:g}.\n"
      "   A batch unrolled at once adds up the same way, one style for two pictures. So gram refuses a batch:")
try:
    gram(np.concatenate([a, a]))
except ShapeError as e:
    print(f"   {(refusal := str(e))}")
assert "holds 2 pictures" in refusal and J_fair == 0 and np.array_equal(gram(wide), 2 * G_S) and round(J_wide, 4) == 440.7569

# %% 4. Vertical stripes and orange
from scratchnet import datasets, images, models, plots, style
from scratchnet.network import Network
from scratchnet.optimizers import Adam

net, layers, side = models.small_vgg().freeze(), list(style.LAM), 64 if quick else 128
activations = lambda x: net.forward(x, keep=layers, params=False)[0]
flat = lambda colour: np.full((1, 64, 64, 3), .775, np.float32) * np.float32(colour)
grey = ((.55,) * 3, (1.,) * 3)
probes = {"up and down": datasets.stripes(64, 64, 90, 8, grey), "across": datasets.stripes(64, 64, 0, 8, grey), "grey": flat((1, 1, 1)),
          "orange": flat(datasets.FIRE[2]), "blue": flat(datasets.BLUE[3])}
mean = {name: activations(x)["relu2_1"].mean((0, 1, 2)) for name, x in probes.items()}
only = lambda one: int(np.argmax(mean[one] - np.max([mean[name] for name in mean if name != one], axis=0)))
red, yellow = only("up and down"), only("orange")
print(f"\n4. Vertical stripes and orange: the lecture's red and yellow channel, found in relu2_1\n   its mean for   {'   '.join(probes)}")
for name, k in (("red", red), ("yellow", yellow)):
    print(f"   {name:6} {k:5}     " + "   ".join(f"{mean[probe][k]:{len(probe)}.2f}" for probe in probes))
predict("   Two pictures: half of the patches striped, half of them orange, the same half or the other.\n"
        "   Predict: which cell of the style matrix tells them apart?")
patches = {name: datasets.striped_patches(128, 128, name == "together") for name in ("together", "apart")}
maps = {name: activations(x)["relu2_1"][..., [red, yellow]] for name, x in patches.items()}
for name, m in maps.items():
    cells, r = gram(m), np.corrcoef(m.reshape(-1, 2).T)[0, 1]
    print(f"   {name:9} red, red {cells[0, 0]:6.0f}   yellow, yellow {cells[1, 1]:5.0f}   "
          f"red, yellow {cells[0, 1]:5.0f}   correlation {r:+.2f}")
ratio = gram(maps["together"]) / gram(maps["apart"])
print(f"   red, yellow: {ratio[0, 1]:.0f} times. 'Where there are stripes there is orange' is one cell of the matrix.")
light = {name: np.concatenate([m[0], m[0].prod(2, keepdims=True)], axis=2) for name, m in maps.items()}         # red, yellow, product
top = np.max([m.max((0, 1)) for m in light.values()], axis=0)
grown = {name: np.kron((m / top)[..., None], np.ones((2, 2, 1, 3))) for name, m in light.items()}
plots.contact_sheet(out / "l09_together.png", [x for name in maps for x in (patches[name], *np.moveaxis(grown[name], 2, 0))],
                    [name + what for name in maps for what in ("", ": red", ": yellow", ": product")], columns=4)
assert ratio[0, 1] > 100 and max(ratio.diagonal()) < 3

# %% 5. It has no place. Almost
predict("\n5. It has no place\n   Predict: the positions of S at relu2_1 are dealt anew, like cards. What of the matrix there?\n"
        "   And of the matrix at relu3_1, computed from that? And if the pixels of S are dealt anew instead?")
rng, S = np.random.default_rng(0), datasets.swirling_sky(side, side)
of_S = activations(S)
deal = lambda x: rng.permutation(x.reshape(-1, x.shape[3])).reshape(x.shape)
onward = Network({l: net.layers[l] for l in net.names[net.names.index("relu2_1") + 1:net.names.index("relu3_1") + 1]})
dealt, of_shuffled = deal(of_S["relu2_1"]), activations(deal(S))
relative = lambda l, a: layer_style_cost(gram(of_S[l]), a, "relative")[0]
told = relative("relu2_1", dealt), relative("relu3_1", onward.forward(dealt)[0]["relu3_1"]), relative("relu2_1", of_shuffled["relu2_1"])
J_content = content_cost(of_S["relu2_1"], dealt, "relative")[0]
print(f"   J_style, as a part of ||G_S||^2: {told[0]:.0e}, {told[1]:.2f}, {told[2]:.2f}. J_content of the first: {J_content:.2f}.\n"
      "   A layer's matrix forgets where. But the next layer, and relu2_1 itself, are made of neighbours.")
assert told[0] < 1e-9 and min(told[1:]) > .05 and J_content > .5

# %% 6. lambda: one layer after the other, then all
predict("\n6. lambda\n   Predict: paint from noise with the style of one layer alone. What comes from relu1_1? From relu5_1?\n"
        "   In lesson 8, what one layer had right, deeper ones had. And here?")
run = dict(steps=24 if quick else 60, start="noise", alpha=0, tv=.1)
paint = lambda lam: [*style.transfer(net, S, S, optimizer=Adam(.1), lam=lam, **run)][-1].G
painted = {f"{l} alone": paint({l: 1}) for l in layers} | {"all, 1/5 each": paint(style.LAM)}
print(f"   painted from    J_style at {'  '.join(layers)}   (as a part of ||G_S||^2)")
judged = {name: [relative(l, a[l]) for l in layers] for name, x in painted.items() for a in [activations(x)]}
print("\n".join(f"   {name:23} {'  '.join(f'{J:7.3f}' for J in Js)}" for name, Js in judged.items()))
sheet = {"style, S": S, **painted}
plots.contact_sheet(out / "l09_lambda.png", [images.resize(x, (192, 192)) for x in sheet.values()], sheet, columns=4)
print("   l09_lambda.png. Shallow layers give colours and grain, deeper ones larger shapes, in wrong colours.\n"
      "   What is right at its own layer is wrong further off. Only the last row is right everywhere: that is\n"
      "   why style has many layers, and content one.")
rows = list(judged.values())
assert all(np.argmin(Js) == k and Js[k] < .1 < .15 < max(Js) for k, Js in enumerate(rows[:5])) and max(rows[5]) < .1
assert all(one[0] < deeper[0] for one, deeper in zip(rows, rows[1:5]))                     # wrong colours: J_style at relu1_1 grows

# %% 7. One for you
n = of_S["relu5_1"].shape[1] * of_S["relu5_1"].shape[2]
predict(f"\n7. One for you\n   relu5_1 has 512 channels, and here {n} positions.\n"
        "   Predict: how many different numbers does its style matrix hold? And what is its rank at most?")
rank = np.linalg.matrix_rank(gram(of_S["relu5_1"].astype(np.float64)))
print(f"   512 * 513 / 2 = {512 * 513 // 2}, for G_kk' = G_k'k. But it is a sum of {n} products, one for each position:\n"
      f"   rank {rank}. A small picture says little about the style of a deep layer. Let S be large.\n\n"
      f"   Pictures: {out}/l09_together.png, {out}/l09_lambda.png")
assert 0 < rank <= n < 512
