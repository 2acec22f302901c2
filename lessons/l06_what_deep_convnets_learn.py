# %%
"""Lesson 6: what are deep ConvNets learning                       六 · 深度卷积网络学习什么

Nobody told a network what to look for; it was shown pictures, and its filters became what they are.
The question: how do you find out what a unit deep inside is looking for?
"""
print(__doc__)

# %% `python -m lessons 6 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. What is a unit?
print("1. What is a unit?\n   The network of the slide (Zeiler & Fergus) takes 224 x 224 pixels. Its first layer has 96 filters\n"
      "   of 7 x 7 x 3, stride 2, padding 1.")
predict("   Predict: how many units is that: 96? And how many numbers does it learn?")
n = (224 + 2 * 1 - 7) // 2 + 1
print(f"   n = floor((224 + 2 - 7) / 2) + 1 = {n}. A unit is one (i, j, k): {n} * {n} * 96 = {n * n * 96}.\n"
      f"   All units of a channel k share one filter: (7 * 7 * 3 + 1) * 96 = {(7 * 7 * 3 + 1) * 96} numbers are learned.\n"
      "   So all look for the same thing, and 'unit 17' is short for channel 17, wherever it is strongest.")
assert n == 110 and n * n * 96 == 1161600 and (7 * 7 * 3 + 1) * 96 == 14208

# %% 2. What does it see?  And the common mistake
import numpy as np

from scratchnet import models
from scratchnet.layers import AvgPool2D, Conv2D
from scratchnet.network import Network
from scratchnet.receptive_field import box, table

predict("\n2. What does a unit see?\n   Predict: conv 3x3, pool 2x2 with stride 2, conv 3x3. How many pixels move a unit at the end?")
print("   conv1  3 x 3, neighbours 1 pixel apart\n   pool   3 + (2 - 1) * 1 = 4, and now neighbours are 2 pixels apart\n"
      "   conv2  4 + (3 - 1) * 2 = 8")
net = Network({"conv1": Conv2D(3, 1), "pool": AvgPool2D(), "conv2": Conv2D(1, 1)})
net = net.with_params({name: np.ones(W.shape) for name, W in net.params.items()})      # all weights 1: nothing cancels
x, moved = np.zeros((1, 16, 16, 3)), 0
unit = lambda x: net.forward(x, keep=["conv2"])[0]["conv2"][0, 4, 4, 0]
for i, j in np.ndindex(16, 16):
    changed = x.copy()
    changed[0, i, j, 0] = 1
    moved += unit(changed) != unit(x)
last = box(net, "conv2", 0, 0, (16, 16))[2] - 1
print("   The common mistake forgets that the pool moved the neighbours apart: 4 + 2 = 6, so 36 pixels.\n"
      f"   Ask the pixels, change each in turn: {moved} of them move the unit, 8 x 8.\n"
      f"   At a border it sees less: unit (0, 0) sees rows 0 to {last} and columns 0 to {last}.")
assert moved == 64 and last == 4 and table(net)["conv2"].size == 8 and box(net, "conv2", 4, 4, (16, 16)) == (5, 5, 13, 13)
fields = {layer: field.size for layer, field in table(models.alexnet()).items()}
print("   torchvision's AlexNet: conv1 11 x 11, stride 4; pool1 3 x 3, stride 2; conv2 5 x 5. By hand: 11,\n"
      f"   11 + 2 * 4 = 19, 19 + 4 * 8 = {fields['conv2']}. And then " + ", ".join(f"{fields[f'conv{l}']}" for l in (3, 4, 5)) + ".")
assert fields["pool1"] == 19 and fields["conv2"] == 51

# %% 3. "The largest activation": of what?
print("\n3. Nine patches that drive a unit most: what is 'most'?\n"
      "   One channel on three pictures:   A: 9 0 0 0   B: 4 4 4 4   C, twice as large: 3 3 3 3 3 3 3 3")
predict("   Predict: which picture drives it most, by its largest activation? By the sum? By the mean?")
channel = {"A": [9, 0, 0, 0], "B": [4] * 4, "C": [3] * 8}
for name, rule in (("max", max), ("sum", sum), ("mean", np.mean)):
    order = sorted(channel, key=lambda picture: -rule(channel[picture]))
    print(f"   {name:4}   " + " > ".join(f"{picture} {rule(channel[picture]):g}" for picture in order))
print("   Three rules, three orders. The lecture's is the largest: it belongs to one place, and so to one patch.\n"
      "   At most one patch a picture, or nine neighbours would be shown. Why nine? 3 x 3 fits a page.")
assert [max(channel, key=lambda p: rule(channel[p])) for rule in (max, sum, np.mean)] == ["A", "C", "B"]

# %% 4. Layer by layer, with the network that ships
from scratchnet import datasets, drawn_faces, images, unit_views
from scratchnet.strongest import strongest

net = models.small_vgg().freeze()
draw = dict(list(datasets.textures().items())[::8 if quick else 2])            # {name: function that draws it}
draw.update({f"face {n}": lambda n=n: drawn_faces.draw(drawn_faces.identity(n), np.random.default_rng(n), 96)[None] for n in range(9)})
draw.update({"sky": lambda: datasets.swirling_sky(128, 160), "portrait": lambda: images.sample_photograph((160, 144))})
found = strongest(net, ((name, make()) for name, make in draw.items()), [f"relu{block}_1" for block in (1, 2, 3, 4, 5)])
one = found["relu1_1"].patches(5)[0]
print(f"\n4. {len(draw)} pictures: edges, stripes, dots, checks and rings in ten pairs of colours, drawn faces, a sky, a portrait\n"
      f"   Unit 5 of relu1_1 is strongest, {one['value']:.2f}, in '{one['picture']}' at (i, j) = {tuple(one['position'])}.\n"
      f"   It saw rows {one['box'][0]} to {one['box'][2] - 1}, columns {one['box'][1]} to {one['box'][3] - 1}.")
predict("   Predict: what will units of layer 1 like? Of layer 5? Look only then.")
unit_views.layer_page(out / "l06_layers.png", net, found, lambda name: draw[name](), columns=3, side=28)
sizes = [table(net)[layer].size for layer in found]
print(f"   l06_layers.png: they see {', '.join(f'{size} x {size}' for size in sizes)} pixels. First an edge of one\n"
      "   direction, or a colour; then edges between two colours; then stripes, dots and checks; rings; faces.")
faces = sum(str(patch["picture"]).startswith("face") for patch in found["relu5_1"].patches(184))
print(f"   Of unit 184's nine pictures, in relu5_1, {faces} are faces; of all {len(draw)}, 9 are.")
assert sizes == [3, 10, 24, 60, 132] and faces > 3

# %% 5. Nine pictures suggest. An experiment tells
a = lambda x, l, k: net.forward(x, until=l, keep=[l])[0][l][0, ..., k].max()
flat = [a(np.full((1, 9, 9, 3), colour, np.float32), "relu1_1", 12) for colour in ((.9, .1, .1), (.1, .7, .2), (.1, .2, .8))]
k, bands = 14, datasets.stripes(96, 96, 0, 12, datasets.PAIRS["red and green"])
grey = np.repeat(bands @ np.float32([[.299], [.587], [.114]]), 3, axis=3)
print("\n5. Nine pictures suggest. An experiment tells\n   Unit 12 of relu1_1 seems to look for green. Shown red, green, blue:  "
      + "  ".join(f"{value:.2f}" for value in flat))
predict(f"   Unit {k} of relu3_1 likes bands of red and green. Predict: what is left when they are turned grey?")
print(f"   {a(bands, 'relu3_1', k):.2f} before, {a(grey, 'relu3_1', k):.2f} after. Bands are not enough: it looks for red beside green.")
assert flat[1] > 5 * max(flat[0], flat[2]) and a(grey, "relu3_1", k) < .1 * a(bands, "relu3_1", k)

# %% 6. Back to the pixels: three rules, and one of them is the gradient
from scratchnet.activations import ReLU
from scratchnet.attribution import back_to_pixels
from scratchnet.gradcheck import check
from scratchnet.layers import MaxPool2D

x = np.array([[0, 3, 0, 2, 0], [1, 0, 2, 2, 1], [0, 0, 0, 1, 3], [3, 2, 2, 0, 3], [1, 2, 3, 3, 3]], float).reshape(1, 5, 5, 1)
filters = {"conv1": [[0, 1, 0], [1, 0, -1], [0, -1, 0]], "conv2": [[2, -1], [1, -2]]}
tiny = Network({"conv1": Conv2D(1, 1), "relu1": ReLU(), "pool1": MaxPool2D(), "conv2": Conv2D(1, 1, f=2, pad=0), "relu2": ReLU()})
tiny = tiny.with_params({name: np.zeros(1) if name.endswith("b") else np.array(filters[name[:5]], float)[:, :, None, None]
                         for name in tiny.params})
print("\n6. Back to the pixels\n   conv1 = [[0 1 0] [1 0 -1] [0 -1 0]], a ReLU, a 2x2 max-pool, conv2 = [[2 -1] [1 -2]], a ReLU.\n"
      "   After the pool: [[2 2] [0 0]].  a = 2*2 - 1*2 = 2.  The four windows get a * conv2 = [[4 -2] [2 -4]].")
predict("   Predict: a ReLU stands in the way. Which of 4, -2, 2, -4 pass: those where z > 0? those above 0? both?")
back = {rule: back_to_pixels(tiny, x, "relu2", 0, rule).dx for rule in ("gradient", "deconv", "guided")}
for rule, passes in (("gradient", "z > 0: 4 and -2"), ("deconv", "da > 0: 4 and 2"), ("guided", "both: 4 alone")):
    row = " ".join(f"{number:2.0f}" for number in back[rule][0, 1, :, 0])
    verdict = check(lambda x: (tiny.forward(x)[0]["relu2"].item() ** 2 / 2, back_to_pixels(tiny, x, "relu2", 0, rule).dx), x)
    print(f"   {rule:9} {passes:17} second row of dx: {row}   checked as d(a^2 / 2)/dx: {verdict.worst.word}")
    assert verdict.passed == (rule == "gradient")
print("   All three draw what a unit answers to; only one is a gradient. The deconvnet does not ask where z was > 0.")
assert back["gradient"][0, 1, :, 0].tolist() == [4, 0, -6, 0, 2] and back["deconv"][0, 1, :, 0].tolist() == [6, 0, -4, 0, 0]

# %% 7. One unit from every side
unit_views.unit_sheet(out / "l06_unit.png", net, found["relu3_1"], k, lambda name: draw[name](), steps=16 if quick else 64)
print(f"\n7. l06_unit.png: unit {k} of relu3_1: where its patches are, the three ways back, what drives it up from noise,\n"
      "   and the channels that are active where it is: the row of the style matrix that lesson 9 is about.")

# %% 8. One for you
predict("\n8. One for you\n   Predict: which sees more of a picture, a unit of conv2_2 or one of conv3_1?\n"
        "   And what would conv2_2, the fourth conv of 3x3, see if pool1 were left out?")
sizes = table(net)["conv2_2"].size, table(net)["conv3_1"].size
print(f"   {sizes[0]} and {sizes[1]}. Without pool1, 1 + 4 * 2 = 9: it is strides that let deep units see much.\n\n"
      f"   Pictures: {out}/l06_layers.png, {out}/l06_unit.png")
assert sizes == (14, 24)
