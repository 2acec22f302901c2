"""A unit carried back to its pixels: by hand, against PyTorch's hooks, and as a gradient; maps of what speaks for a score."""

from pathlib import Path

import numpy as np
import pytest

from scratchnet import attribution, models
from scratchnet.activations import ReLU, Softmax
from scratchnet.attribution import RULES, back_to_pixels, grad_cam, occlusion_map, saliency, why_same
from scratchnet.errors import ImageError, ShapeError
from scratchnet.gradcheck import check
from scratchnet.layers import AvgPool2D, Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.network import Branches, Network, Residual
from scratchnet.normalisation import L2Normalise, Preprocess

with np.load(Path(__file__).with_name("reference") / "attribution.npz") as file:
    REFERENCE = {key: file[key] for key in file.files}

EVERY_RULE = pytest.mark.parametrize("rule", RULES)


def filled(net, **arrays):
    """The network in float64 with these arrays, biases 0 where none is given."""
    net = net.astype(np.float64)
    net.fill({name: np.asarray(arrays.get(name.replace(".", "_"), np.zeros(p.shape)), float).reshape(p.shape)
              for name, p in net.params.items()})
    return net


def picture(seed=1, n_H=12, n_W=14, dtype=np.float64):
    return np.random.default_rng(seed).random((1, n_H, n_W, 3)).astype(dtype)


def classifier(rng=0, classes=4):
    """Convolutions, a pooling, dense layers, a softmax: for pictures of 12x14."""
    rng = np.random.default_rng(rng)
    return Network({"input": Preprocess(mean=(0.5,) * 3), "conv1": Conv2D(3, 6, rng=rng), "relu1": ReLU(), "pool1": MaxPool2D(),
                    "conv2": Conv2D(6, 8, rng=rng), "relu2": ReLU(), "flatten": Flatten(), "fc3": Dense(6 * 7 * 8, 10, rng=rng),
                    "relu3": ReLU(), "fc4": Dense(10, classes, rng=rng), "prob": Softmax()}).astype(np.float64)


def encoder(rng=1):
    """The same, ending in encodings of length 1."""
    layers = classifier(rng).layers
    return Network({**{name: layers[name] for name in layers if name != "prob"}, "unit": L2Normalise()})


# ---- the example of the module's page ------------------------------------------------------------------------------------

X = np.array([[0, 3, 0, 2, 0], [1, 0, 2, 2, 1], [0, 0, 0, 1, 3], [3, 2, 2, 0, 3], [1, 2, 3, 3, 3]], float)[None, :, :, None]
BY_HAND = {
    "gradient": [[0, 4, 0, -2, 0], [4, 0, -6, 0, 2], [0, -4, 0, 2, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    "deconv":   [[0, 4, 0, 0, 0], [6, 0, -4, 0, 0], [0, -6, 0, 0, 0], [-2, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    "guided":   [[0, 4, 0, 0, 0], [4, 0, -4, 0, 0], [0, -4, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
}


def five_by_five():
    return filled(Network({"conv1": Conv2D(1, 1, f=3, pad=1), "relu1": ReLU(), "pool1": MaxPool2D(), "conv2": Conv2D(1, 1, f=2, pad=0),
                           "relu2": ReLU()}),
                  conv1_W=[[0, 1, 0], [1, 0, -1], [0, -1, 0]], conv2_W=[[2, -1], [1, -2]])


@EVERY_RULE
@pytest.mark.parametrize("frozen", [False, True])
def test_five_by_five_by_hand_with_three_different_answers(rule, frozen):
    net = five_by_five().freeze() if frozen else five_by_five()
    back = back_to_pixels(net, X, "relu2", 0, rule)
    assert (back.value, back.position, back.relus) == (2, (0, 0), ["relu1", "relu2"])
    assert np.array_equal(back.dx[0, :, :, 0], BY_HAND[rule])


def test_where_an_array_is_wanted_it_is_dx():
    back = back_to_pixels(Network({"conv": Conv2D(3, 2), "relu": ReLU()}), np.ones((1, 4, 5, 3)), "relu", 1)
    assert np.array_equal(np.asarray(back), back.dx) and np.asarray(back, np.float32).dtype == np.float32


def test_five_by_five_forward_as_the_page_prints_it():
    a, _ = five_by_five().forward(X, keep=["conv1", "pool1", "relu2"])
    assert a["conv1"][0, :, :, 0].tolist() == [[-4, 0, -1, -2, 1], [0, 2, -2, 2, -1], [-2, -2, -1, -1, -1], [-3, -1, -1, -3, 0],
                                               [1, 0, 1, 0, 6]]
    assert a["pool1"][0, :, :, 0].tolist() == [[2, 2], [0, 0]] and a["relu2"].item() == 2


def test_the_page_prints_the_three_answers_that_are_tested():
    lines = attribution.__doc__.splitlines()
    first = next(i for i, line in enumerate(lines) if all(f'"{rule}" ' in line for rule in RULES))
    starts = [lines[first].index(f'"{rule}"') for rule in RULES]
    for rule, start, end in zip(RULES, starts, [*starts[1:], None]):           # a map stands between its label and the next one
        assert [line[start + len(rule) + 2:end].split() for line in lines[first:first + 5]] == [
            [str(number) for number in row] for row in BY_HAND[rule]]


# ---- against PyTorch -----------------------------------------------------------------------------------------------------

def reference_network():
    net = Network({"conv1": Conv2D(3, 6), "relu1": ReLU(), "pool1": MaxPool2D(), "conv2": Conv2D(6, 8), "relu2": ReLU(),
                   "pool2": MaxPool2D(), "flatten": Flatten(), "fc3": Dense(96, 10), "relu3": ReLU(), "fc4": Dense(10, 5)})
    net = net.astype(np.float64)
    net.fill({name: REFERENCE[f"small/{name}"] for name in net.params})
    return net


def relative(ours, theirs, largest=None):
    """The largest difference by the largest entry."""
    return np.abs(ours - theirs).max() / (np.abs(theirs).max() if largest is None else largest)


@EVERY_RULE
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("layer", REFERENCE["small/layers"].tolist())
def test_hooks_of_pytorch_on_a_small_network(layer, rule, frozen):
    net, at = reference_network(), f"small/{layer}"
    back = back_to_pixels(net.freeze() if frozen else net, REFERENCE["small/x"] / 255.0, layer, int(REFERENCE[f"{at}/unit"]), rule, start=1)
    assert back.value == pytest.approx(float(REFERENCE[f"{at}/value"]), rel=1e-12)
    assert back.position == tuple(REFERENCE[f"{at}/position"])
    assert relative(back.dx[0], REFERENCE[f"{at}/{rule}/dx"]) < 1e-12


def test_the_references_of_the_three_rules_are_three():
    """Or a rule that does nothing would pass."""
    for layer in ("pool2", "fc3", "fc4"):
        one, two, three = (REFERENCE[f"small/{layer}/{rule}/dx"] for rule in RULES)
        assert min(relative(one, two), relative(two, three), relative(one, three)) > 0.05


@pytest.mark.real
@EVERY_RULE
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-9), (np.float32, 1e-5)], ids=["float64", "float32"])
def test_hooks_of_pytorch_on_vgg19(vgg19, rule, dtype, tolerance):
    for layer in REFERENCE["vgg19/layers"].tolist():
        at = f"vgg19/{layer}"
        x, unit = (REFERENCE["vgg19/x"] / 255.0).astype(dtype), int(REFERENCE[f"{at}/unit"])
        back = back_to_pixels(vgg19(dtype), x, layer, unit, rule, start=1)
        assert back.dx.dtype == dtype and back.position == tuple(REFERENCE[f"{at}/position"])
        assert back.value == pytest.approx(float(REFERENCE[f"{at}/value"]), rel=tolerance)
        (top, left), crop, largest = (REFERENCE[f"{at}/{rule}/{name}"] for name in ("at", "crop", "largest"))
        dx = back.dx[0].astype(np.float64)
        assert relative(dx[top:top + crop.shape[0], left:left + crop.shape[1]], crop, largest) < tolerance, layer
        assert np.abs(dx).max() == pytest.approx(float(largest), rel=tolerance)
        squares = float(REFERENCE[f"{at}/{rule}/squares"])                     # what is not stored, through two sums
        assert (dx ** 2).sum() == pytest.approx(squares, rel=10 * tolerance)
        assert dx.sum() == pytest.approx(float(REFERENCE[f"{at}/{rule}/sum"]), abs=tolerance * np.sqrt(squares * dx.size))


@pytest.fixture(scope="module")
def vgg19(data_folder):
    net = models.vgg19(data_folder / "weights" / "vgg19_conv.npz").freeze(until="relu5_1")
    nets = {np.dtype(dtype): net.astype(dtype) for dtype in (np.float64, np.float32)}
    return lambda dtype: nets[np.dtype(dtype)]


# ---- the way back --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("layer, unit", [("relu2", 5), ("conv2", 1), ("pool1", 2), ("fc4", 3)])
def test_gradient_with_start_1_is_the_gradient(layer, unit):
    net, x = classifier(), picture()
    position = back_to_pixels(net, x, layer, unit, "gradient").position

    def f(x):
        back = back_to_pixels(net, x, layer, unit, "gradient", position, start=1)
        return back.value, back.dx

    report = check(f, x, max_entries=60)
    assert report.passed, report


@EVERY_RULE
def test_the_way_back_begins_with_the_activation_and_a_multiple_passes_as_the_multiple(rule):
    one, value = (back_to_pixels(classifier(), picture(), "relu2", 5, rule, start=start) for start in (1, None))
    assert value.value > 0 and np.allclose(value.dx, value.value * one.dx, rtol=1e-12)


def test_only_the_place_that_was_asked_for_counts():
    """A change outside what the unit sees there changes nothing: the whole gradient lies in that 8x8 box."""
    back = back_to_pixels(classifier(), picture(), "relu2", 5, "deconv", position=(3, 4), start=1)
    rows, columns = np.nonzero(np.abs(back.dx[0]).sum(-1))
    assert back.position == (3, 4)
    assert 3 <= rows.min() and rows.max() <= 10 and 5 <= columns.min() and columns.max() <= 12


def test_the_strongest_place_is_the_first_in_reading_order():
    net = filled(Network({"conv1": Conv2D(1, 1, f=1), "relu1": ReLU()}), conv1_W=[1])
    x = np.zeros((1, 3, 4, 1))
    x[0, 2, 1] = x[0, 1, 3] = 5
    assert back_to_pixels(net, x, "relu1", 0).position == (1, 3)


def test_a_dead_unit_has_no_picture():
    net = filled(Network({"conv1": Conv2D(1, 1, f=1), "relu1": ReLU()}), conv1_W=[-1])
    back = back_to_pixels(net, X, "relu1", 0, "deconv")
    assert back.value == 0 and not back.dx.any()


def nested():
    rng = np.random.default_rng(3)
    return Network({
        "conv1": Conv2D(3, 4, rng=rng), "relu1": ReLU(),
        "block": Branches({"one": {"conv": Conv2D(4, 3, f=1, rng=rng), "relu": ReLU()},
                           "two": {"conv": Conv2D(4, 2, rng=rng), "relu": ReLU()}}),
        "res": Residual({"conv": Conv2D(5, 5, rng=rng), "relu": ReLU()}), "conv4": Conv2D(5, 3, rng=rng), "relu4": ReLU(),
    }).astype(np.float64)


@pytest.mark.parametrize("frozen", [False, True])
def test_no_relu_is_missed_not_even_inside_blocks(frozen, monkeypatch):
    net, met = nested(), []
    net = net.freeze() if frozen else net
    for layer, count in (("relu4", 5), ("res", 4), ("conv1", 0)):
        back = back_to_pixels(net, picture(), layer, 1, "guided")
        assert len(back.relus) == count
    assert back_to_pixels(net, picture(), "relu4", 1).relus == ["relu1", "block.one.relu", "block.two.relu", "res.residual.relu", "relu4"]
    monkeypatch.setitem(RULES, "deconv", lambda da, positive: met.append(da.shape) or da > 0)
    back_to_pixels(net, picture(), "relu4", 1, "deconv")
    assert sorted(met) == sorted([(1, 12, 14, n_C) for n_C in (4, 3, 2, 5, 3)])


def test_the_network_itself_keeps_its_relus_and_its_answers():
    net, x = nested().freeze(), picture()
    before, kept = net.forward(x)[0]["relu4"], net.layers["block"]
    back_to_pixels(net, x, "relu4", 1, "deconv")
    assert net.layers["block"] is kept and type(kept.networks["one"].layers["relu"]) is ReLU
    assert type(net.layers["relu1"]) is ReLU and np.array_equal(net.forward(x)[0]["relu4"], before)


@EVERY_RULE
def test_the_picture_is_left_alone_and_its_dtype_kept(rule):
    for dtype in (np.float32, np.float64):
        x = picture(dtype=dtype)
        x.flags.writeable = False
        assert back_to_pixels(classifier(), x, "relu2", 0, rule).dx.dtype == dtype
        assert saliency(classifier(), x, "fc4", 0).dtype == dtype
    assert np.array_equal(x, picture(dtype=dtype))


def test_saliency_is_the_largest_gradient_of_the_colours():
    net, x = classifier(), picture()
    a, caches = net.forward(x, until="fc4", keep=["fc4"])
    dx, _ = net.backward({"fc4": np.eye(4)[None, 2]}, caches)
    assert np.allclose(saliency(net, x, "fc4", 2), np.abs(dx[0]).max(-1), rtol=1e-12)
    assert a["fc4"][0, 3] < 0 and saliency(net, x, "fc4", 3).max() > 0         # a negative logit has a saliency too


# ---- Grad-CAM ------------------------------------------------------------------------------------------------------------

def averaging(W, n_H=4, n_W=5):
    """A ReLU, the mean over all places, a dense layer: for this network Grad-CAM is the older CAM, and exact."""
    return filled(Network({"conv1": Conv2D(1, 2, f=1), "relu1": ReLU(), "pool": AvgPool2D((n_H, n_W), 1), "flatten": Flatten(),
                           "fc": Dense(2, 2), "prob": Softmax()}), conv1_W=[1, -1], conv1_b=[0, 3], fc_W=W)


def test_grad_cam_by_hand():
    """a_0 = x, a_1 = 3 - x. Class 0 has weights 20 and 0 over 20 places, so w = (1, 0): the heat is the picture. Class 1 the reverse."""
    x = np.arange(20.0).reshape(1, 4, 5, 1) / 10
    net = averaging([[20, -20], [0, 20]])
    zero, one = grad_cam(net, x, "relu1", 0), grad_cam(net, x, "relu1", 1)
    assert np.allclose(zero.heat, x[0, :, :, 0]) and zero.score == pytest.approx(19) and zero.reason is None
    assert np.allclose(one.heat, np.maximum(3 - 2 * x[0, :, :, 0], 0))
    assert zero.heat.sum() == pytest.approx(zero.score)                        # with nothing below 0, all of the logit is on the map


def test_the_layer_is_the_last_that_has_places_and_is_named():
    assert grad_cam(classifier(), picture()).layer == "relu2"
    assert grad_cam(averaging([[1, 1], [1, 1]]), np.ones((1, 4, 5, 1)), score=1).layer == "relu1"
    assert attribution.last_places(models.vgg19(), (1, 224, 224, 3)) == "relu5_4"
    assert grad_cam(models.small_vgg(), picture(n_H=32, n_W=48), score=9).layer == "relu5_1"


def test_the_score_is_the_logit_not_what_a_saturated_softmax_says():
    net = averaging([[2000, -2000], [0, 0]])                                   # the softmax is 1 and 0 to the last bit
    assert attribution.ends_in(net) == "fc"
    assert grad_cam(net, np.ones((1, 4, 5, 1)), "relu1", 0).heat.max() == pytest.approx(100)


def test_zeros_come_with_their_reason_and_never_as_0_by_0(recwarn):
    x = np.ones((1, 4, 5, 1))
    against = grad_cam(averaging([[-20, 1], [-20, 1]]), x, "relu1", 0)
    assert not against.heat.any() and "nowhere above 0 at 'relu1'" in against.reason
    unmoved = grad_cam(averaging([[0, 1], [0, 1]]), x, "relu1", 0)
    assert not unmoved.on_picture.any() and "dS/da is 0 at 'relu1'" in unmoved.reason
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


def test_by_place_a_channel_may_speak_for_the_score_here_and_against_it_there():
    net = filled(Network({"conv1": Conv2D(1, 1, f=1, pad=0), "relu1": ReLU(), "flatten": Flatten(), "fc": Dense(3, 1)}),
                 conv1_W=[1], fc_W=[2, -2, 0])                            # S = 2 a_00 - 2 a_01, of which the mean over places is 0
    x = np.array([3., 1, 5]).reshape(1, 1, 3, 1)
    assert not grad_cam(net, x, "relu1", 0).heat.any()
    cam = grad_cam(net, x, "relu1", 0, by_place=True)
    assert cam.heat.tolist() == [[6, 0, 0]] and cam.score == 4
    averaged, x = averaging([[1, -2], [3, 1]]), np.random.default_rng(3).random((1, 4, 5, 1))
    one, other = (grad_cam(averaged, x, "relu1", 0, by_place).heat for by_place in (False, True))
    assert one.any() and np.allclose(one, other, rtol=1e-12)              # before a mean over all places the two are one


def test_grad_cam_of_the_last_maps_themselves():
    """A network without a classifier: the mean of a channel, whose weight is one over the places."""
    net, x = models.small_vgg(), picture(n_H=32, n_W=48, dtype=np.float32)
    a = net.forward(x)[0]["relu5_1"]
    k = int(a.mean((0, 1, 2)).argmax())
    cam = grad_cam(net, x, "relu5_1", k)
    assert np.allclose(cam.heat, a[0, :, :, k] / 6, rtol=1e-5) and cam.score == pytest.approx(a[..., k].mean(), rel=1e-5)


def test_a_map_grows_to_the_picture_between_the_middles_of_its_places():
    heat = attribution.enlarged(np.array([[0.0, 4.0]]), 2, 8)
    assert np.allclose(heat, [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]] * 2)
    assert np.array_equal(attribution.enlarged(heat, 2, 8), heat) and grad_cam(classifier(), picture()).on_picture.shape == (12, 14)


# ---- occlusion -----------------------------------------------------------------------------------------------------------

def test_occlusion_by_hand():
    """The score is the sum of the picture: hiding 2x2 ones by 0.5 costs 2, and 6 where the corner of 5 is under it."""
    x = np.ones((1, 4, 6, 1))
    x[0, 3, 5] = 5
    found = occlusion_map(lambda pictures: pictures.sum((1, 2, 3)), x, side=2, stride=2)
    assert found.fall.tolist() == [[2, 2, 2], [2, 2, 6]] and found.score == 28
    assert found.boxes[0] == (0, 0, 2, 2) and found.boxes[-1] == (2, 4, 4, 6)
    assert np.array_equal(found.on_picture, np.repeat(np.repeat(found.fall, 2, 0), 2, 1))


def test_squares_cover_every_pixel_also_where_the_stride_does_not_fit():
    boxes = attribution.occlusion_boxes((1, 11, 8, 3), side=4, stride=3)
    seen = np.zeros((11, 8))
    for top, left, bottom, right in boxes:
        seen[top:bottom, left:right] += 1
        assert bottom - top == right - left == 4
    assert seen.min() == 1 and len(set(boxes)) == len(boxes) == 4 * 3 and boxes[-1] == (7, 4, 11, 8)
    assert attribution.occlusion_boxes((1, 4, 4, 3), 4, 2) == [(0, 0, 4, 4)]


def test_occlusion_is_a_loop_over_squares_whatever_the_batch():
    net, x = classifier(), picture()
    found = occlusion_map(net, x, 2, side=5, stride=4, fill=(0.2, 0.4, 0.6), batch=4)
    logit = lambda x: net.forward(x, keep=["fc4"])[0]["fc4"][0, 2]
    for (top, left, bottom, right), fall in zip(found.boxes, found.fall.ravel()):
        hidden = x.copy()
        hidden[0, top:bottom, left:right] = 0.2, 0.4, 0.6
        assert fall == pytest.approx(logit(x) - logit(hidden), rel=1e-9, abs=1e-12)
    assert np.allclose(occlusion_map(net, x, 2, side=5, stride=4, fill=(0.2, 0.4, 0.6)).fall, found.fall, atol=1e-12)
    assert np.array_equal(x, picture())
    inside = found.on_picture[0, 0]                                            # under the first square alone
    assert inside == pytest.approx(found.fall[0, 0])


# ---- faces ---------------------------------------------------------------------------------------------------------------

def test_the_slopes_of_the_scores():
    f, f_2 = np.random.default_rng(0).standard_normal((2, 6)), np.random.default_rng(1).standard_normal(6)
    for score in (attribution.distance(f_2), attribution.closeness(f_2), attribution.logit(4)):
        report = check(lambda f: (score(f)[0].sum(), score(f)[1]), f)
        assert report.passed, report
    maps = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    report = check(lambda f: (attribution.logit(4)(f)[0].sum(), attribution.logit(4)(f)[1]), maps)
    assert report.passed, report


def test_why_same_looks_at_both_pictures_with_the_other_one_standing_still():
    net, x_1, x_2 = encoder(), picture(1), picture(2)
    f_1, f_2 = (net.forward(x, keep=["unit"])[0]["unit"] for x in (x_1, x_2))
    why = why_same(net, x_1, x_2, side=5, stride=4)
    assert why.d == pytest.approx(np.sum((f_1 - f_2) ** 2), rel=1e-12)
    assert [cam.score for cam in why.cams] == pytest.approx([-why.d] * 2)
    assert [occlusion.score for occlusion in why.occlusions] == pytest.approx([-why.d] * 2)
    for i, (x, other) in enumerate([(x_1, f_2), (x_2, f_1)]):
        top, left, bottom, right = why.occlusions[i].boxes[3]
        hidden = x.copy()
        hidden[0, top:bottom, left:right] = 0.5
        d = np.sum((net.forward(hidden, keep=["unit"])[0]["unit"] - other) ** 2)
        assert why.occlusions[i].fall.ravel()[3] == pytest.approx(d - why.d, rel=1e-9)
        apart = grad_cam(net, x, "relu2", attribution.distance(other[0]))      # the same evidence, with the other sign
        assert not (apart.heat * why.cams[i].heat).any() and apart.heat.any() and why.cams[i].heat.any()


def test_two_equal_pictures_leave_grad_cam_nothing_to_say_and_occlusion_all():
    why = why_same(encoder(), picture(1), picture(1), side=5, stride=4)
    assert why.d == 0 and not any(cam.heat.any() for cam in why.cams) and "equal encodings" in why.cams[0].reason
    assert (why.occlusions[0].fall > 0).all()


# ---- what is refused -----------------------------------------------------------------------------------------------------

REFUSED = [
    (lambda net, x: back_to_pixels(net, x, "relu9", 0), "unknown layer 'relu9'; did you mean"),
    (lambda net, x: back_to_pixels(net, x, "relu2", 8), "unit = 8; expected a whole number from 0 to 7, a channel of relu2"),
    (lambda net, x: back_to_pixels(net, x, "relu2", -1), "unit = -1; expected"),
    (lambda net, x: back_to_pixels(net, x, "relu2", 1.5), "unit = 1.5; expected"),
    (lambda net, x: back_to_pixels(net, x, "relu2", 0, "relu"), "rule = 'relu'; expected one of 'gradient', 'deconv', 'guided'"),
    (lambda net, x: back_to_pixels(net, x, "relu2", 0, position=(6, 0)),
     r"position = \(6, 0\); expected one place of relu2, which has 6x7"),
    (lambda net, x: back_to_pixels(net, x, "fc4", 0, position=(0, 0)), "expected one place of fc4, which has none"),
    (lambda net, x: back_to_pixels(net, x[:, :1], "pool1", 0), r"'pool1' of a picture \(1, 1, 14, 3\): .*does not fit"),
    (lambda net, x: back_to_pixels(net, np.ones((2, 5, 5, 1)), "relu2", 0), r"picture holds 2 pictures; expected one: picture\[i:i\+1\]"),
    (lambda net, x: saliency(net, x, "fc4", 4), "unit = 4; expected a whole number from 0 to 3"),
    (lambda net, x: grad_cam(net, x, "fc3"), "'fc3' has output .*without places; give a layer before Flatten, such as 'relu2'"),
    (lambda net, x: grad_cam(net, x, "prob"), "'prob' comes after 'fc4', which the score reads"),
    (lambda net, x: grad_cam(net, x, score=7), "unit = 7; expected a whole number from 0 to 3, a channel of the last layer"),
    (lambda net, x: occlusion_map(net, x, side=13), "side = 13; expected 1 to 12 pixels, for a picture of 12x14"),
    (lambda net, x: occlusion_map(net, x, side=4, stride=5), "stride = 5; expected 1 to side = 4: a larger one leaves places"),
    (lambda net, x: occlusion_map(lambda x: 1.0, x, side=4, stride=4), r"scores of shape \(\); expected \(1,\)"),
    (lambda net, x: why_same(models.small_vgg(), picture(n_H=32, n_W=32), picture(n_H=32, n_W=32)),
     r"'relu5_1' has output \(1, 2, .*expected encodings"),
]


@pytest.mark.parametrize("ask, words", REFUSED, ids=range(len(REFUSED)))
def test_refused_in_one_sentence(ask, words):
    with pytest.raises(ShapeError, match=words):
        ask(classifier(), picture())


def test_a_picture_of_bytes_passed_as_floats_is_refused():
    with pytest.raises(ImageError, match="Divide by 255"):
        back_to_pixels(classifier(), 255 * picture(), "relu2", 0)


def test_a_picture_without_places_left_is_refused_by_grad_cam():
    net = Network({"conv1": Conv2D(3, 4, f=8, pad=0), "relu1": ReLU(), "flatten": Flatten(), "fc": Dense(4, 2)})
    with pytest.raises(ShapeError, match="no layer of this network has places left"):
        grad_cam(net, picture(n_H=8, n_W=8, dtype=np.float32))
