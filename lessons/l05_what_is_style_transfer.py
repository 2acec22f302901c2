# %%
"""Lesson 5: what is neural style transfer                         五 · 什么是神经风格迁移

C + S -> G: the content of a photograph C in the style of a painting S, a new picture G.
The question: what is trained when such a picture is painted?
"""
print(__doc__)

# %% `python -m lessons 5 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. Style, by hand: which channels are active together, wherever it is
import numpy as np

from scratchnet.gradcheck import check
from scratchnet.style_costs import content_cost, gram, layer_style_cost

a = np.array([[[[3, 1], [2, 2]], [[0, 1], [1, 0]]]], float)      # (1, 2, 2, 2): channel 0 sees whirls, channel 1 orange
print("1. Style, by hand\n   Four positions. Channel 0, the whirls: 3 2 0 1. Channel 1, the orange: 1 2 1 0.")
print("   The style matrix:  whirls with whirls  3*3 + 2*2 + 0*0 + 1*1 = 14")
print("                      orange with orange  1*1 + 2*2 + 1*1 + 0*0 =  6")
print("                      whirls with orange  3*1 + 2*2 + 0*1 + 1*0 =  7: they go together")
predict("   Predict: deal the four positions anew, like cards. What of the style matrix? J_content?")
dealt = a[:, ::-1, ::-1]
J_content, _ = content_cost(a, dealt)
print(f"   It is {gram(dealt).astype(int).tolist()}, as before: style has no place. J_content = {J_content:g}: content has.")
print("   (The lecture has two G. Here G is the picture, G_S and G_G are the style matrices.)")
assert np.array_equal(gram(a), [[14, 7], [7, 6]]) and np.array_equal(gram(dealt), gram(a)) and J_content == 10

# %% 2. The common mistake
wrong_gram = lambda a: a.reshape(2, -1) @ a.reshape(2, -1).T      # two rows, as wanted: but of two positions each


def wrong_cost(a):
    """||wrong_gram(a) - 1||^2, and a gradient with the same slip."""
    D = wrong_gram(a) - 1
    return np.sum(D ** 2), (4 * D @ a.reshape(2, -1)).reshape(a.shape)


print("\n2. The common mistake: a.reshape(n_C, -1), where a.reshape(-1, n_C) is meant")
wrong, right, wrong_dealt = (G_S.astype(int).tolist() for G_S in (wrong_gram(a), gram(a), wrong_gram(dealt)))
print(f"   Wrong {wrong}, right {right}. Right shape, symmetric, no error.")
predict("   Predict: what catches it? The sum of the diagonal, a gradient check, dealing anew?")
word = check(wrong_cost, a).worst.word
print(f"   The sums are {np.trace(wrong)} and {np.trace(right)}: blind. A gradient check, of a backward with the same slip:\n"
      f"   {word}. Dealt anew, the wrong one is {wrong_dealt}: it has a place. Caught.")
assert wrong == [[18, 3], [3, 2]] and np.trace(right) == 20 and word == "happy" and wrong_dealt != wrong

# %% 3. Twice as loud
ones = np.ones_like(a)
predict("\n3. Twice as loud\n   Predict: double all activations, of S and of G. By what factor does J_style grow?")
J, J_doubled = (layer_style_cost(gram(f * ones), f * a)[0] for f in (1, 2))
print(f"   From {J:.4f} to {J_doubled:.4f}, {J_doubled / J:g} times: products of two, then squared. So loud layers shout")
print('   down quiet ones. Below we divide by ||G_S||^2, normalise="relative": then the factor is 1.')
relative = [layer_style_cost(gram(f * ones), f * a, "relative")[0] for f in (1, 2)]
assert J == 122 / 256 and J_doubled == 16 * J and relative[0] == relative[1]

# %% 4. A network, and two pictures
import hashlib

from scratchnet import images, plots, style
from scratchnet.datasets import swirling_sky
from scratchnet.layers import Conv2D
from scratchnet.models import random_filters, small_vgg
from scratchnet.optimizers import Adam

fingerprint = lambda net: hashlib.sha256(b"".join(W.tobytes() for W in net.params.values())).hexdigest()[:12]
net = small_vgg().freeze()               # VGG in small; it ships with scratchnet, and was trained once and for all
C = images.sample_photograph((64, 48) if quick else (224, 192))
S = swirling_sky(*C.shape[1:3])                          # any size would do
terms = dict(content_layer="relu4_2", lam={f"relu{block}_1": 1 / 5 for block in (1, 2, 3, 4, 5)}, alpha=.35, beta=1)
before = fingerprint(net)
print(f"\n4. A network, and two pictures\n   {sum(W.size for W in net.params.values())} numbers in the network, fingerprint {before}. "
      f"{C.size} in the picture.")
predict("   Predict: how many of these and of those will have changed when the painting is done?")

# %% 5. Step 0, at the photograph itself
predict("\n5. Start at C\n   Predict: G = C, step 0. What is J_content? And its gradient?")
step, dG_content = style.TotalCost(net, C, S, **{**terms, "beta": 0})(C)
print(f"   J_content = {step.J_content:g} and ||dJ_content/dG|| = {np.linalg.norm(dG_content):g}. No bug: C has the content of C.")
step, dG = style.TotalCost(net, C, S, **terms)(C)
print(f"   J_style = {step.J_style:.3f}, ||dJ/dG|| = {np.linalg.norm(dG):.2g}: it is style that sets G in motion.")
assert step.J_content == 0 and not dG_content.any() and step.J_style > 0 and dG.any()

# %% 6. Is the gradient right, from two costs at four layers all the way to the pixels?
rng = np.random.default_rng(0)
tiny_C, tiny_S, tiny_G = (rng.random((1, 8, n_W, 3)) for n_W in (8, 9, 8))
tiny = style.TotalCost(random_filters(channels=(4, 5, 6, 7)), tiny_C, tiny_S, "relu2_1", {f"relu{block}_1": .25 for block in (1, 2, 3, 4)})


def cost(G):
    step, dG = tiny(G)
    return step.J, dG


report = check(cost, tiny_G)
print(f"\n6. The gradient, from the pixels through all layers to both costs, on a tiny network\n{report}")
assert report.passed

# %% 7. Paint. G begins as white noise
last, tv = 24 if quick else 96, .2
print("\n7. Paint: from white noise, down dJ/dG, pixel by pixel\n"
      f"   Beside the lecture's two costs J has {tv} times the total variation, against grain:\n"
      "   the sum of (a pixel - its neighbour)^2, per pixel.")
history, shown = [], [0, last // 24, last // 6, last // 3, last // 2, last]
for step in style.transfer(net, C, S, steps=last, start="noise", optimizer=Adam(learning_rate=.1), tv=tv, **terms):
    history.append(step)
    if step.i in shown:
        print(f"   step {step.i:3}   J {step.J:.4f}   J_content {step.J_content:.3f}   J_style {step.J_style:.4f}", flush=True)
G = history[-1].G
changed = np.count_nonzero(G != history[0].G)
print(f"   The network: {fingerprint(net)}, to the last bit as before. The picture: {changed} of {G.size}\n"
      "   numbers changed. What is trained is the picture, and nothing else.")
assert fingerprint(net) == before and history[-1].J < history[0].J / 5 and changed > .99 * G.size

plots.contact_sheet(out / "l05_stages.png", [C, S] + [history[i].G for i in shown],
                    ["content, C", "style, S"] + [f"G, step {i}" for i in shown], columns=4)
plots.cost_curves(out / "l05_curves.png", history, terms["alpha"], terms["beta"], terms["lam"], tv)
print("""   The network learned from photographs, long before: its filters tell an eye from a button,
   so all of an eye can be repainted, and it stays an eye. Filters drawn at random tell colours
   and grain; see what they paint: python -m scratchnet style --network random_filters""")

# %% 8. One for you
predict("\n8. One for you\n   Style has no place, said part 1. Now shuffle the PIXELS of S, like cards. Is J_style[relu1_1]\n"
        "   of S and the shuffled S zero? For which size f of the filters would it be?")
shuffled = rng.permutation(S.reshape(-1, 3)).reshape(S.shape)
for f in (3, 2, 1):
    a_S, a_G = (np.maximum(Conv2D(3, 32, f=f).forward(x - .5)[0], 0) for x in (S, shuffled))
    J, _ = layer_style_cost(gram(a_S), a_G, "relative")
    print(f"   f = {f}: {J:.1e}")
    assert J < 1e-9 if f == 1 else J > 1e-3
print("   A filter of one pixel has no neighbours to miss. The others see: the strokes are gone.\n"
      "   Style forgets where a pattern was, but the pattern itself is pixels in their places.\n\n"
      f"   Pictures: {out}/l05_stages.png, {out}/l05_curves.png")
