# %%
"""Lesson 1: one-shot learning                                     一 · One-Shot学习

You have one picture of each person, and somebody is at the door. So do not learn people; learn a distance:

    d(img1, img2) = ||f(img1) - f(img2)||^2

The question: a new person joins. How many numbers of the network have to change?
"""
print(__doc__)

# %% `python -m lessons 1 --quick --ask --out DIR` sets these; cell by cell you get the defaults
from pathlib import Path

quick, out, predict = globals().get("settings", (False, Path("out"), print))
out.mkdir(parents=True, exist_ok=True)

# %% 1. d and tau
import numpy as np

from scratchnet.similarity import all_pairs, cosine_similarity, euclidean, jaccard, squared_euclidean

ada, ben, door = np.array([.6, .8]), np.array([1., 0.]), np.array([.8, .6])       # three encodings f(x), two numbers each
d_ada, d_ben = squared_euclidean(ada, door), squared_euclidean(ben, door)
print("1. d and tau\n   Encodings: Ada (0.6, 0.8), Ben (1, 0). At the door: (0.8, 0.6).\n"
      "   Ada: d = 0.2^2 + 0.2^2 = 0.08.   Ben: d = 0.2^2 + 0.6^2 = 0.4.   One person when d <= tau.")
predict("   Predict: who is at the door, if tau = 0.5? If tau = 0.1? If tau = 0.05?")
print("   0.5: both are near enough, and Ada is nearer. 0.1: Ada. 0.05: nobody we know, and that is an answer, too.\n"
      f"   The trap: some leave the square out. Ben's plain distance is sqrt(0.4) = {euclidean(ben, door):.2f}, beyond 0.5: he stays\n"
      "   outside. Whoever hands you a tau, the famous 0.7 for example: ask whether it is for squares.")
assert np.allclose([d_ada, d_ben], [.08, .4]) and .05 < d_ada < .1 < d_ben < .5 < euclidean(ben, door)

# %% 2. Near, but in which sense?
x, three = np.array([3., 3, 3, 3]), {"A": np.array([2., 4, 2, 4]), "B": np.array([6., 6, 6, 6]), "C": np.array([3., 3, 3, 0])}
print("\n2. Near, but in which sense?\n   x = (3, 3, 3, 3)   A = (2, 4, 2, 4)   B = (6, 6, 6, 6)   C = (3, 3, 3, 0)")
predict("   Predict: which is most like x by Euclid? By cosine (the angle)?\n"
        "   By Jaccard, the sum of the smaller numbers over the sum of the larger?")
winners = {}
measures = ("d", squared_euclidean, min), ("cosine", cosine_similarity, max), ("Jaccard", jaccard, max), ("x . f", np.dot, max)
for name, measure, best in measures:
    values = {who: float(measure(x, f)) for who, f in three.items()}
    winners[name] = best(values, key=values.get)
    print(f"   {name:8}" + "".join(f"{who} {value:<7.3g}" for who, value in values.items()) + f" -> {winners[name]}")
print("   Three senses, three winners. Jaccard of C, by hand: (3 + 3 + 3 + 0) / (3 + 3 + 3 + 3) = 9/12.\n"
      f"   The bare product is no sense: x . x = {x @ x:g}, so B would be more like x than x is. It rewards length.")
assert winners == {"d": "A", "cosine": "B", "Jaccard": "C", "x . f": "B"} and x @ three["B"] > x @ x and jaccard(x, three["C"]) == .75

# %% 3. Encodings of length 1: two senses become one.  And the common mistake
E = np.array([[3., 4.], [4., 3.]])
right, wrong = E / np.linalg.norm(E, axis=1, keepdims=True), E / np.linalg.norm(E, ord=2)
d_right, d_wrong = (squared_euclidean(*f) for f in (right, wrong))
print("\n3. Encodings of length 1\n   ||f - f'||^2 = f.f - 2 f.f' + f'.f' = 2 - 2 cos. Euclid and cosine now agree about everybody.\n"
      "   Two pictures gave (3, 4) and (4, 3), each of length 5. Divided by 5: d = 2 * (1/5)^2 = 0.08.")
predict("   Predict: somebody divides the batch E by np.linalg.norm(E, ord=2). What is d now?")
print(f"   {d_wrong:.3f}. For one picture that call is its length. For a batch it is the largest singular value of all,\n"
      f"   here {np.linalg.norm(E, ord=2):g}. Each row wants its own length: axis=1, keepdims=True.")
assert np.isclose(d_right, .08) and np.isclose(d_right, 2 - 2 * cosine_similarity(*E)) and np.isclose(d_wrong, 2 / 49)
assert np.isclose(np.linalg.norm(E[:1], ord=2), 5)

# %% 4. d can be learned: it has a gradient, through the length, down to whatever made the encoding
from scratchnet.gradcheck import check
from scratchnet.normalisation import L2Normalise


def cost(v, layer=L2Normalise()):
    """d(v / ||v||, Ada's encoding), and its gradient in v."""
    f, cache = layer.forward(v)
    return squared_euclidean(f[0], ada), layer.backward(2 * (f - ada), cache)[0]


v = np.array([[4., 3.]])
report, dv = check(cost, v), cost(v)[1]
print(f"\n4. The gradient of d at v = (4, 3), f = v / ||v||\n{report}")
predict("   Predict: going down this gradient, does v get longer, shorter, or does it turn?")
print(f"   dv = ({dv[0, 0]:.4f}, {dv[0, 1]:.4f}), and v . dv = 4*0.0672 - 3*0.0896 = 0: a right angle. It turns, towards Ada.")
assert report.passed and abs(np.sum(v * dv)) < 1e-12 and np.allclose(dv, [[.0672, -.0896]]) and cost(v - dv)[0] < cost(v)[0]

# %% 5. The other way: learn the people. A softmax with an output for each of ten
from scratchnet import drawn_faces, faces, models, plots
from scratchnet.errors import ImageError
from scratchnet.optimizers import Adam
from scratchnet.train import Classifier, Training

FACE, NAMES = (8, 6, 56, 62), "Ada Ben Cleo Dan Eva Finn Gina Hugo Ida Jan Kim".split()    # FACE: the box to cut
shown = drawn_faces.faces(11, 10, seed=1, amount=.4)[0].reshape(11, 10, 64, 64, 3)           # people who do not exist
small = np.stack([faces.cut(models.siamese_encoder(32), picture, FACE)[0] for picture in shown[:, 0]])


def softmax_for(people):
    """Trained on one picture of each -> a function from pictures to the number of a person, and all parameters."""
    net = models.siamese_encoder(32, channels=(16, 32, 64))
    run = Training(net, small[:people], np.arange(people), Classifier(), Adam(1e-3), batches_per_epoch=8)
    for _ in run.epochs(10):
        pass
    return lambda x: (faces.encode(run.net, x, crop=FACE) @ run.head["W"] + run.head["b"]).argmax(axis=1), run.params


ask_ten, ten = softmax_for(10)
softmax_right = np.mean(ask_ten(shown[:10, 1:].reshape(-1, 64, 64, 3)) == np.repeat(np.arange(10), 9))
print(f"\n5. The other way: a softmax, one output for each of ten drawn people, trained on one picture of each\n"
      f"   On nine new pictures of each it is right {softmax_right:.0%} of the time. Now Kim joins, the eleventh.")
predict("   Predict: what does it say to nine pictures of Kim? And what does it take to teach it her name?")
says = [NAMES[n] for n in ask_ten(shown[10, 1:])]
eleven = softmax_for(11)[1]
changed = sum(np.sum(new[..., :10] != ten[name]) if "head" in name else np.sum(new != ten[name]) for name, new in eleven.items())
total, added = sum(p.size for p in ten.values()), sum(p.size for p in eleven.values()) - sum(p.size for p in ten.values())
print(f"   {', '.join(says)}. It knows ten names, and no 'nobody'.\n"
      f"   One output more: {added} new numbers. And a new training: of the {total} others {changed / total:.0%} are different now.")
assert added == 33 and changed > .9 * total and "Kim" not in says

# %% 6. One-shot: a gallery
net = models.face_encoder()
gallery = faces.Gallery(net)                                           # tau = 0.7 belongs to this network; d is squared
for name, picture in zip(NAMES[:10], shown[:10, 0]):
    gallery.add(name, picture, crop=FACE)
names = lambda who: [gallery.identify(picture, crop=FACE).name for picture in shown[who, 1:]]
right = np.mean([[name == NAMES[who] for name in names(who)] for who in range(10)])
print("\n6. A gallery: the encoder that ships, and one encoding of each. Nobody here was in its training; it learned\n"
      f"   a distance, from many photographs of other people. It is right {right:.0%} of the time.")
as_uint8 = (shown[10, 0] * 255).astype(np.uint8)
x = faces.cut(net, as_uint8, FACE)
f = faces.encode(net, x)
print(f"   A picture's way: {as_uint8.dtype} {as_uint8.shape}, / 255, cut {x.shape}, encoded {f.shape} of length {np.linalg.norm(f):.0f}.")
for wrong in (shown[10, 0].transpose(2, 0, 1), as_uint8.astype(float)):       # as old notebooks have it; and / 255 forgotten
    try:
        raise AssertionError(f"encoded {faces.encode(net, [wrong]).shape}")
    except ImageError as refusal:
        print(f"   Refused: {refusal}")
predict("   Kim joins. Predict: what does the gallery say to her before? After? And how many parameters change?")
before, fingerprint, parameters = names(10), faces.fingerprint(net), sum(p.size for p in net.params.values())
gallery.add("Kim", shown[10, 0], crop=FACE)
after = names(10)
print(f"   Before: {before.count(None)} of 9 times 'nobody I know'. After one picture: {after.count('Kim')} of 9 times Kim.\n"
      f"   Stored: {f.size} numbers. Of {parameters} parameters changed: 0. The fingerprint is still {faces.fingerprint(net)}.\n"
      "   So training takes many pictures of some people, use takes one of others. (Was 'nobody' luck? Lesson 3.)")
assert right > softmax_right and min(before.count(None), after.count("Kim")) >= 5 and faces.fingerprint(net) == fingerprint
asked = shown[10, 3]
d = squared_euclidean(faces.encode(net, [asked], crop=FACE)[0], faces.encode(net, list(shown[:, 0]), crop=FACE))
plots.identify_sheet(out / "l01_who_is_it.png", asked, list(zip(NAMES, d, shown[:, 0])), gallery.tau)

# %% 7. One for you
predict("\n7. One for you\n   A colleague's program says 'one person when the cosine is 0.7 or more'. Which tau for d gives the same\n"
        "   answers, always? And which for the plain distance? (Part 3 has what you need.)")
f = faces.encode(net, shown[:, :4].reshape(-1, 64, 64, 3), crop=FACE)
theirs, ours, plain = (all_pairs(measure, f) for measure in (cosine_similarity, squared_euclidean, euclidean))
print(f"   d <= 2 - 2 * 0.7 = 0.6, and plain: sqrt(0.6) = {np.sqrt(.6):.3f}. Of {theirs.size} pairs all three say the same.\n\n"
      f"   Pictures: {out}/l01_who_is_it.png")
assert ((theirs >= .7) == (ours <= .6)).all() and ((ours <= .6) == (plain <= np.sqrt(.6))).all()
