"""A unit carried back to its pixels: by hand, against PyTorch's hooks, and as a gradient; maps of what speaks for a score."""

from pathlib import Path

import numpy as np
import pytest

from scratchnet import attribution, gradcheck, models
from scratchnet.activations import ReLU, Sigmoid, Softmax
from scratchnet.attribution import RULES, back_to_pixels, grad_cam, occlusion_map, saliency, why_same
from scratchnet.errors import ImageError, ShapeError
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


def test_five_by_five_forward_as_the_page_prints_it():
    a, _ = five_by_five().forward(X, keep=["conv1", "pool1", "relu2"])
    assert a["conv1"][0, :, :, 0].tolist() == [[-4, 0, -1, -2, 1], [0, 2, -2, 2, -1], [-2, -2, -1, -1, -1], [-3, -1, -1, -3, 0], [1, 0, 1, 0, 6]]
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
        back = back_to_pixels(vgg19(dtype), (REFERENCE["vgg19/x"] / 255.0).astype(dtype), layer, int(REFERENCE[f"{at}/unit"]), rule, start=1)
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
