# %%
"""Lesson 8: the content cost                                      八 · 内容代价函数

    J_content(C, G) = 1/2 ||a^[l](C) - a^[l](G)||^2

G has the content of C when one layer of the network cannot tell the two apart. One layer: but which?
The question: what does layer l still know of a picture?
"""
print(__doc__)

# %% `python -m lessons 8 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. By hand, and two constants
import numpy as np

from scratchnet.style_costs import content_cost

a_C, a_G = np.arange(12.).reshape(1, 2, 2, 3), np.ones((1, 2, 2, 3))
print("1. By hand\n   a_C holds 0, 1, 2, ..., 11, as 2 x 2 positions of 3 channels. a_G is 1 everywhere.\n"
      "   J_content = 1/2 (1 + 0 + 1 + 4 + 9 + ... + 100) = 1/2 * 386 = 193, and dJ/da_G = a_G - a_C.")
predict("   Predict: the course's assignment has 1 / (4 n_H n_W n_C) = 1/48 for the 1/2. Is its G a better one?")
J, da = content_cost(a_C, a_G)
J_assignment, da_assignment = content_cost(a_C, a_G, "assignment")
print(f"   J is {J_assignment:.4f}, a 24th of 193, and so is every slope. The same direction: alpha makes up for it.")
assert J == 193 and np.isclose(24 * J_assignment, J) and np.allclose(24 * da_assignment, da) and np.array_equal(da, a_G - a_C)

# %% 2. The common mistake: unrolled in two ways
unrolled, other = a_C.reshape(3, 4), a_C.reshape(4, 3).T
print("\n2. The common mistake: unrolled in two ways\n   a.reshape(n_C, -1) mixes channels, said lesson 0.")
predict("   Predict: unroll a_C and a_G both so. Is J_content wrong? And if one is a.reshape(-1, n_C).T?")
alike, wrong = np.sum((unrolled - a_G.reshape(3, 4)) ** 2) / 2, np.sum((unrolled - other) ** 2) / 2
blind = np.sum((unrolled - a_G.reshape(4, 3).T) ** 2) / 2
print(f"   Both alike: {alike:g}, right. A sum of squares does not mind the order, and needs no unrolling at all.\n"
      f"   In two ways: {blind:g} again, for all of a_G is 1. But J(C, C) = {wrong:g}, where nothing differs.\n"
      "   So test a content cost on two equal pictures: J(C, C) = 0.")
assert alike == blind == 193 and wrong == 66 and content_cost(a_C, a_C)[0] == 0

# %% 3. The gradient, and whose is the mask?
from scratchnet.gradcheck import check

want, z = np.array([1., 2, 3]).reshape(1, 1, 1, 3), np.array([2., -1, 3.5]).reshape(1, 1, 1, 3)


def behind_relu(z, mask=True):
    """J_content of a = ReLU(z), and its gradient at z."""
    J, da = content_cost(want, np.maximum(z, 0))
    return J, da * (z > 0) if mask else da


print("\n3. Whose is the mask?\n   Three units: C has a = 1, 2, 3. G has z = 2, -1, 3.5, and behind the ReLU a = 2, 0, 3.5.\n"
      "   So dJ/da = a_G - a_C = 1, -2, 0.5.")
predict("   Predict: what is dJ/dz?")
for name, mask in (("mask forgotten", False), ("with the mask", True)):
    report = check(lambda z: behind_relu(z, mask), z)
    print(f"   {name:17} {', '.join(f'{d + 0:g}' for d in behind_relu(z, mask)[1].ravel()):11} {report.worst.word}")
    assert report.passed == mask
print("   The unit at z = -1 is off. A hair more, and it still is: J would like a 2 there, and nothing pulls.\n"
      "   Gatys writes the mask into dJ/da. Here it belongs to the ReLU below, and content_cost has none:")
report = check(lambda a_G: content_cost(a_C, a_G), a_G)
print(f"   the check of part 1, by da alone: {report.worst.word}, worst error {report.error:.0e}")
assert report.passed and behind_relu(z)[1].ravel().tolist() == [1, 0, .5]

# %% 4. A real layer: how large is alpha?
from scratchnet import datasets, images, layer_views, models, plots, style
from scratchnet.optimizers import Adam, GradientDescent
from scratchnet.receptive_field import table

net, side, layers = models.small_vgg().freeze(), 64 if quick else 128, ["relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"]
C, S = images.resize(images.sample_photograph()[:, :400, 56:456], (side, side)), datasets.swirling_sky(side * 3 // 2, side * 3 // 2)
activations = lambda x: net.forward(x, keep=layers, params=False)[0]
of_C = activations(C)
times = 2 * of_C["relu3_1"].size


def five_steps(normalise, alpha):
    """G after five steps from noise, towards relu3_1 of C."""
    return [step.G for step in style.transfer(net, C, S, steps=5, start="noise", optimizer=GradientDescent(1e-4), content_layer="relu3_1",
                                              lam={"relu1_1": 1}, alpha=alpha, beta=0, normalise=normalise)][::5]


print(f"\n4. A real layer\n   relu3_1 of {side} x {side} pixels is {' x '.join(map(str, of_C['relu3_1'].shape[1:]))}: "
      f"the assignment divides by {2 * times}, the lecture by 2.")
predict("   Predict: five steps, the lecture's constant, alpha = 1. Which alpha paints the same with the other?\n"
        "   And what does alpha = 1 paint with the other?")
(noise, lecture), (_, same), (_, weak) = five_steps("lecture", 1), five_steps("assignment", times), five_steps("assignment", 1)
moved, crept = abs(lecture - noise).max(), abs(weak - noise).max()
print(f"   {times}: the same picture, to the last bit. With 1 the pixels move by {crept:.0e} at most, and not by {moved:.2f}:\n"
      "   no error, and no picture. An alpha from another program means nothing without its constant.")
assert np.array_equal(lecture, same) and crept < 1e-5 < .02 < moved

# %% 5. Which layer?  Paint the photograph back
print(f"\n5. Which layer?  The picture itself has {C.size} numbers.\n   layer     a unit sees   positions   channels    numbers")
for l in layers:
    _, n_H, n_W, n_C = of_C[l].shape
    print(f"   {l:9} {table(net)[l].size:4} pixels  {n_H:4} x {n_W:<4} {n_C:7} {n_H * n_W * n_C:13}")
predict("   Predict: noise, and the content cost of one layer alone. Which layers can paint the photograph back?")
painted = {l: layer_views.paint(net, l, C, "inversion", steps=24 if quick else 64).G for l in layers}
away = {l: np.sqrt(np.mean((painted[l] - C) ** 2)) for l in layers}
judged = {l: [content_cost(of_C[m], a[m], "relative")[0] for m in layers] for l in layers for a in [activations(painted[l])]}
print(f"   painted   pixels are   J_content, as a part of ||a_C||^2, at\n   from      off by       {'  '.join(layers)}")
for l in layers:
    print(f"   {l:9} {away[l]:8.3f}     {'  '.join(f'{J:7.3f}' for J in judged[l])}")
print("   l08_layers.png. relu1_1 gives every pixel back, and so leaves no room for strokes. relu5_1 holds\n"
      "   fewer numbers than the picture: a head, a flag, about there. Read a row from its own layer to\n"
      "   the right: all small. What a layer has right, deeper ones have right, for they are made of it.\n"
      "   So one content layer will do. (Of style that is not true: lesson 9.)")
assert all(away[l] < away[deeper] for l, deeper in zip(layers, layers[1:]))
assert all(J < .1 for k, l in enumerate(layers) for J in judged[l][k:]) and judged["relu5_1"][0] > .6
assert away["relu1_1"] < .1 and of_C["relu5_1"].size < C.size

# %% 6. Is there a dog?
predict("\n6. 'Is there a dog?'\n   Predict: C moves two pixels to the right. What do relu1_1 and relu5_1 say? And to another picture?")
changes = {"moved by 2 pixels": np.roll(C, 2, axis=2), "by 4 pixels": np.roll(C, 4, axis=2),
           "another picture": datasets.swirling_sky(side, side)}
said = {name: [content_cost(of_C[l], a[l], "relative")[0] for l in layers] for name, x in changes.items() for a in [activations(x)]}
print("\n".join(f"   {name:18} {'  '.join(f'{J:7.3f}' for J in Js)}" for name, Js in said.items()))
print("   To relu1_1, two pixels are half as bad as another picture. relu5_1 hardly minds: still a dog.")
assert said["moved by 2 pixels"][0] > .5 * said["another picture"][0] and said["moved by 2 pixels"][4] < .15 * said["another picture"][4]

# %% 7. Too shallow, too deep
predict("\n7. Now with the style cost beside it\n"
        "   Predict: which of relu1_1, relu4_2, relu5_1 leaves room for strokes, and keeps the face?")
mixed = {}
for l in ("relu1_1", "relu4_2", "relu5_1"):
    *_, end = style.transfer(net, C, S, steps=24 if quick else 60, start="noise", optimizer=Adam(.06), content_layer=l, alpha=.5, tv=.1)
    off, a_G = np.sqrt(np.mean((end.G - C) ** 2)), activations(end.G)["relu4_2"]
    at_4_2 = content_cost(of_C["relu4_2"], a_G, "relative")[0]
    print(f"   {l}   pixels are off by {off:.3f}   J_content at relu4_2 {at_4_2:.3f}", flush=True)
    mixed[l] = off, at_4_2, end.G
print("   Too shallow: a photograph with scratches. Too deep: strokes eat the face. Between: a painting.")
shallow, between, deep = mixed.values()
assert shallow[0] < between[0] / 1.5 and between[1] < deep[1] / 1.5
cells = {"C": C, **{f"from {l}": painted[l] for l in layers}, "S": S, **{f"{l} and style": G for l, (_, _, G) in mixed.items()}}
plots.contact_sheet(out / "l08_layers.png", [images.resize(x, (192, 192)) for x in cells.values()], cells, columns=6)

# %% 8. One for you
predict("\n8. One for you\n   A program has the assignment's constant and alpha = 10, at a layer of 12 x 12 x 512.\n"
        "   Predict: you have the lecture's 1/2. Which alpha paints the same?")
alpha = 10 / (2 * 12 * 12 * 512)
a_C, a_G = np.random.default_rng(0).random((2, 1, 12, 12, 512))
print(f"   10 / (4 * 73728) = alpha / 2, so alpha = 10 / 147456 = {alpha:.3g}.\n\n   Picture: {out}/l08_layers.png")
assert np.isclose(10 * content_cost(a_C, a_G, "assignment")[0], alpha * content_cost(a_C, a_G)[0])
