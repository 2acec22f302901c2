# %%
"""Lesson 7: the cost function                                     七 · 代价函数

    J(G) = alpha J_content(C, G) + beta J_style(S, G)          G := G - learning_rate dJ/dG

Two wishes, one number, and a step downhill, again and again. G begins as white noise.
The question: where does G come to rest, and how does it get there?
"""
print(__doc__)

# %% `python -m lessons 7 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. A picture of one pixel
import numpy as np

from scratchnet.gradcheck import check

pixel = lambda G, alpha=1, beta=2: (np.sum(alpha / 2 * (G - 8) ** 2 + beta / 2 * (G - 2) ** 2), alpha * (G - 8) + beta * (G - 2))


def walk(slope, learning_rate, steps, G=0):
    """G := G - learning_rate dJ/dG   -> the pixel before the first step and after each"""
    path = [G]
    for _ in range(steps):
        path.append(path[-1] - learning_rate * slope(path[-1]))
    return path


down = lambda learning_rate, steps, G=0, **weights: walk(lambda G: pixel(G, **weights)[1], learning_rate, steps, G)
print("1. A picture of one pixel\n   C wants 8 there: J_content = 1/2 (G - 8)^2. S wants 2: J_style = 1/2 (G - 2)^2. alpha = 1, beta = 2.")
predict("   Predict: G begins at 0. Where does it come to rest? And what is J there?")
print("   dJ/dG = (G - 8) + 2 (G - 2) = 3 (G - 4), so at 4. J = 1/2 4^2 + 2/2 2^2 = 12, not 0: a bargain.")
predict("   Predict: now alpha = 10, beta = 20. Where does it rest? And which learning rate keeps the path?")
path, same = down(.1, 3), down(.01, 3, alpha=10, beta=20)
print(f"   At 4 again: only the ratio counts. A tenth of the rate makes the same steps: {', '.join(f'{G:.2f}' for G in same)}.")
assert abs(down(.1, 99)[-1] - 4) < 1e-9 and pixel(4)[0] == 12 and np.allclose(path, same) and np.allclose(same, [0, 1.2, 2.04, 2.628])

# %% 2. The common mistake
forgetful = lambda G: (pixel(G)[0], (G - 8) + (G - 2))
predict("\n2. The common mistake: alpha and beta stand in J, and are forgotten in dJ/dG\n   Predict: where does G rest now?")
wrong = walk(lambda G: forgetful(G)[1], .1, 99)[-1]
print(f"   At {wrong:.0f}, halfway, whatever alpha and beta are. J = {pixel(wrong)[0]:.1f}: it has gone down from 36, nothing complains.")
for name, f in (("forgetful", forgetful), ("right", pixel)):
    row = check(lambda G: f(G), np.array([7.])).worst
    print(f"   The check, at G = 7, {name + ':':11} dJ/dG = {row.analytic:g}, measured {row.numerical:.4g}: {row.word}")
    assert row.passed == (name == "right")
assert abs(wrong - 5) < 1e-6 and abs(pixel(wrong)[0] - 13.5) < 1e-6 and pixel(0)[0] == 36

# %% 3. How long a step? And a cost that rises
predict("\n3. How long a step?\n   Each step multiplies the distance to 4 by (1 - 3 learning_rate).\n"
        "   Predict: G = 0, rates of 1/3, 2/3 and 1, three steps each. Where is it?")
for learning_rate, word in ((1 / 3, "there at once"), (2 / 3, "to and fro for ever"), (1, "it explodes")):
    print(f"   {learning_rate:.2f}   {', '.join(f'{G:.0f}' for G in down(learning_rate, 3)):16} {word}")
assert np.allclose([down(rate, 3) for rate in (1 / 3, 2 / 3, 1)], [[0, 4, 4, 4], [0, 8, 0, 8], [0, 12, -12, 36]])
predict("   Predict: G begins at C, at 8, and J falls. What does J_content do? And what if beta = 0?")
print(f"   J falls from {pixel(8)[0]:g} to 12, and J_content rises from 0 to {pixel(4, 1, 0)[0]:g}: it had no other way. Who looks at J\n"
      "   alone never sees it. With beta = 0, G is where it wants to be: nothing moves.")
assert pixel(8)[0] == 36 and pixel(8, 1, 0)[0] == 0 and pixel(4, 1, 0)[0] == 8 and set(down(.1, 9, 8, beta=0)) == {8}

# %% 4. The same with 30 000 numbers
import hashlib

from scratchnet import images, models, plots, total_cost
from scratchnet.datasets import swirling_sky
from scratchnet.optimizers import Adam, GradientDescent, Momentum

net = models.small_vgg().freeze()
C, S = images.resize(images.sample_photograph()[:, :400, 56:456], (100, 100)), swirling_sky(150, 150)
layers = dict(content_layer="relu4_2", lam={f"relu{block}_1": 1 / 5 for block in (1, 2, 3, 4, 5)}, normalise="lecture")
weigh = lambda alpha, beta: total_cost.TotalCost(net, C, S, alpha=alpha, beta=beta, **layers)          # cost(G) -> Step, dJ/dG
fingerprint = lambda: hashlib.sha256(b"".join(W.tobytes() for W in net.params.values())).hexdigest()[:12]
noise = np.float32(.35) + np.float32(.3) * np.random.default_rng(0).random(C.shape, dtype=np.float32)
cost, before = weigh(1, 1e6), fingerprint()
step, dG = cost(noise)
print(f"\n4. The same with {C.size} numbers: a picture of 100 x 100 x 3, and both costs with the lecture's constants\n"
      f"   White noise has J_content = {step.J_content:.0f}, J_style = {step.J_style:.3f}: alpha = 1, beta = 1000000 make them equals.")
predict("   Predict: what shape has dJ/dG? And when we ask at C, then at the noise again: the same J as before?")
at_C, again = cost(C)[0], cost(noise)[0]
print(f"   {dG.shape}, a slope for each number of G. J: noise {step.J:.0f}, C {at_C.J:.0f}, noise {again.J:.0f}.\n"
      "   G is an argument. No picture is 'in' the network, so there is nothing to assign and to forget.\n"
      "   (G is a picture; the style matrices G[l](S) and G[l](G) are called G_S and G_G.)")
assert dG.shape == C.shape and again.J == step.J != at_C.J and total_cost.left_over(net, "relu5_1", C.shape) == (4, 4)

# %% 5. From noise to a picture
G, history, learning_rate, five, n, shown = noise, [], 6e-4, 3e-3, *((20, [0, 1, 4, 16, 20]) if quick else (40, [0, 4, 16, 64, 300]))
print(f"\n5. From noise to a picture: G := G - {learning_rate:g} dJ/dG, and back into [0, 1]")
for i in range(shown[-1] + 1):
    step, dG = cost(G, i)
    history.append(step)
    if i in shown:
        print(f"   step {i:3}   J {step.J:6.0f}   alpha J_content {step.J_content:5.0f}   beta J_style {1e6 * step.J_style:6.0f}")
    G = np.clip(G - learning_rate * dG, 0, 1)
print(f"   The network was {before} and is {fingerprint()}. What is trained is the picture, pixel by pixel.\n"
      "   (A position of relu5_1 stands for 16 x 16 pixels. 100 = 6 * 16 + 4: the last 4 are pulled less.)")
assert fingerprint() == before and step.J < history[0].J / (2 if quick else 6)

# %% 6. Other ways down, and one that goes up


def descend(optimizer, steps, cost):
    """-> [Step 0, ..., Step `steps`], from the noise"""
    G, way = noise, []

    def f(G):
        step, dG = cost(G, len(way))
        way.append(step)
        return step.J, dG

    for _ in range(steps):
        G = np.clip(optimizer.step(f, G)[0], 0, 1)
    f(G)
    return way


louder = descend(GradientDescent(learning_rate / 16), 5, weigh(16, 16e6))[-1].G
print("\n6. Other ways down\n   alpha and beta 16 times, the rate a 16th: after 5 steps the same picture, to the last bit.")
predict(f"   Predict: a rate five times larger, {five:g}. Five times as fast? With momentum? And Adam?")
ways = {"plain, 5 x the rate": descend(GradientDescent(five), n, cost), f"plain, {learning_rate:g}": history[:n + 1],
        "momentum, 5 x the rate": descend(Momentum(five), n, cost), "Adam, 0.04": descend(Adam(.04), n, cost)}
print("\n".join(f"   {name:23} J = {way[-1].J:8.0f} after {n} steps" for name, way in ways.items()))
gone, plain, *better = (way[-1] for way in ways.values())
wild = np.mean((gone.G == 0) | (gone.G == 1))
print(f"   The first explodes: {wild:.0%} of its numbers are 0 or 1. Count them when colours look wild.\n"
      "   Momentum lives with that rate: to and fro average out. Adam divides each slope by its usual size.")
plots.training_curves(out / "l07_ways_down.png", range(n + 1), {name: [step.J for step in way] for name, way in ways.items()},
                      "J on three ways down, and on one up")
assert np.array_equal(louder, history[5].G) and gone.J > 20 * history[0].J and all(end.J < plain.J for end in better) and wild > .9

# %% 7. alpha / beta
predict("\n7. alpha / beta\n   Predict: 1e-4, 1e-5, 1e-6, 1e-7, by Adam. In which do you know the face? Where is only sky?")
ends = {beta: descend(Adam(.04), 8 if quick else 60, weigh(1, beta))[-1] for beta in (1e4, 1e5, 1e6, 1e7)}
print("\n".join(f"   {1 / beta:.0e}   J_content {end.J_content:6.0f}   J_style {end.J_style:.4f}" for beta, end in ends.items()))
print("   The last row of l07_stages.png: the face gives way, from left to right, until only strokes are left.")
assert all(ends[b].J_content < ends[10 * b].J_content and ends[b].J_style > ends[10 * b].J_style for b in (1e4, 1e5, 1e6))
cells = {"content, C": C, "style, S": S, **{f"step {i}": history[i].G for i in shown}, "5 x the rate": gone.G,
         **{f"alpha / beta {1 / beta:.0e}": end.G for beta, end in ends.items()}}
plots.contact_sheet(out / "l07_stages.png", [images.resize(x, (200, 200)) for x in cells.values()], cells, columns=4)

# %% 8. One for you
predict("\n8. One for you\n   One pixel, alpha = 3, beta = 1. Where does it rest? At which rate does it go to and fro for ever?")
way, up = down(.5, 3, alpha=3, beta=1), descend(GradientDescent(learning_rate), 5, weigh(1, 1e7))
print(f"   At (3*8 + 1*2) / 4 = 6.5, and at 2 / (3 + 1) = 0.5: {', '.join(f'{G:g}' for G in way)}. The larger the weights, the smaller\n"
      f"   the rate must be: with beta = 1e7, the rate of part 5 takes J from {up[0].J:.2g} to {up[-1].J:.2g}. Try it.\n\n"
      f"   Pictures: {out}/l07_stages.png (twice their size), {out}/l07_ways_down.png")
assert way == [0, 13, 0, 13] and abs(down(.1, 99, alpha=3, beta=1)[-1] - 6.5) < 1e-9 and up[-1].J > up[0].J
