"""The real VGG-19 out of every kind of file: one network, laid down as torchvision, Keras and MatConvNet lay theirs, must answer alike."""

import h5py
import numpy as np
import pytest
import scipy.io

from scratchnet import models
from scratchnet.models.name_maps import CAFFE
from scratchnet.normalisation import Preprocess

pytestmark = pytest.mark.real

UNTIL = "relu5_1"
NUMBERS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)        # of torchvision's convolutions in `features`
MEAN, TORCH_MEAN, TORCH_STD = np.array((123.68, 116.779, 103.939)), np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))

# The first filter of imagenet-vgg-verydeep-19.mat, [:, :, RGB, 0], as a page of 2017 prints what SciPy reads from the file:
# blog.csdn.net/u011239443/article/details/73721903
PRINTED = np.array([
    [[0.39416704,  0.46418372,  0.34119523], [0.37740308,  0.41810837,  0.33999205], [-0.04594866, -0.04806903, -0.04484424]],
    [[0.2671299,   0.30511212,  0.23215917], [0.09986369,  0.10385381,  0.08978214], [-0.34100872, -0.37314063, -0.30331427]],
    [[-0.07573577, -0.07646758, -0.07260918], [-0.28034249, -0.31070709, -0.246675],   [-0.41602272, -0.46453714, -0.33683276]]])


@pytest.fixture(scope="module")
def caffe(data_folder):
    """The file as it is, and its arrays, channels first, blue first."""
    path = data_folder / "weights" / "vgg19_conv.npz"
    with np.load(path) as file:
        return path, {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def x():
    """Noise, of no size that a power of two divides."""
    return np.random.default_rng(4).random((1, 71, 93, 3))


@pytest.fixture(scope="module")
def expected(caffe, x):
    return answer(caffe[0], x)


def answer(path, x):
    """a["relu5_1"] in float64."""
    net = models.vgg19(path).astype(np.float64).freeze()
    return net.forward(x, until=UNTIL, keep=[UNTIL], params=False)[0][UNTIL]


def layers(arrays):
    return [name.removesuffix(".W") for name in arrays if name.endswith(".W")]


def test_matconvnets_filters_are_height_before_width(caffe):
    """What was printed from MatConvNet's file are Caffe's numbers, upright, with red and blue exchanged."""
    W = caffe[1]["conv1_1.W"][0].transpose(1, 2, 0)[:, :, ::-1]
    assert np.allclose(W, PRINTED, atol=1e-7) and not np.allclose(W.swapaxes(0, 1), PRINTED, atol=0.1)


@pytest.mark.parametrize("newer", [False, True])
def test_matconvnet(caffe, x, expected, tmp_path, newer):
    cells = []
    for name in layers(caffe[1]):
        W, b = caffe[1][f"{name}.W"].transpose(2, 3, 1, 0), caffe[1][f"{name}.b"]
        cell = np.empty((1, 2), object)
        cell[0, 0], cell[0, 1] = W[:, :, ::-1] if name == "conv1_1" else W, b[:, None] if newer else b[None]
        cells += [{"name": name, "type": "conv", "weights": cell}, {"type": "relu", "name": f"relu{name[4:]}"}]
    image = MEAN.reshape(1, 1, 3) if newer else np.tile(MEAN, (224, 224, 1))
    normalization = {"normalization": {"averageImage": image}}
    rest = {"meta": normalization} if newer else normalization
    scipy.io.savemat(tmp_path / "vgg.mat", {"layers": np.array(cells).reshape(1, -1), **rest}, do_compression=newer)
    assert relative(answer(tmp_path / "vgg.mat", x), expected) < 1e-9


def test_keras(caffe, x, expected, tmp_path):
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        for name in layers(caffe[1]):
            theirs = f"block{name[4]}_conv{name[6]}"
            file[f"{theirs}/{theirs}_W_1:0"] = caffe[1][f"{name}.W"].transpose(2, 3, 1, 0)
            file[f"{theirs}/{theirs}_b_1:0"] = caffe[1][f"{name}.b"]
    assert relative(answer(tmp_path / "vgg.h5", x), expected) < 1e-9


def test_torchvision_names_and_axes(caffe, x, expected, tmp_path):
    """All that torchvision's map does but its pictures: these are prepared as Caffe's here."""
    np.savez(tmp_path / "vgg.npz", **torchvision(caffe[1]))
    net = models.vgg19(tmp_path / "vgg.npz")
    net.layers["input"] = Preprocess(**CAFFE)
    a, _ = net.astype(np.float64).freeze().forward(x, until=UNTIL, keep=[UNTIL], params=False)
    assert relative(a[UNTIL], expected) < 1e-9


def test_torchvision_pictures(caffe, x, tmp_path):
    """With its own pictures too, the first filters scaled and the mean gone over to the biases. What is 0 at the padded edges is
    another colour then, so the middle is compared, of a layer that does not see the edges from there."""
    arrays, W = torchvision(caffe[1]), caffe[1]["conv1_1.W"][:, ::-1].astype(np.float64)                  # red first
    arrays["features.0.weight"] = W * (255 * TORCH_STD)[:, None, None]
    arrays["features.0.bias"] = caffe[1]["conv1_1.b"] + (W * (255 * TORCH_MEAN - MEAN)[:, None, None]).sum(axis=(1, 2, 3))
    np.savez(tmp_path / "vgg.npz", **arrays)
    a, b = (models.vgg19(path).astype(np.float64).freeze().forward(x, until="relu2_2", params=False)[0]["relu2_2"][:, 5:-5, 5:-5]
            for path in (tmp_path / "vgg.npz", caffe[0]))
    assert relative(a, b) < 1e-5


def torchvision(arrays):
    """The arrays under torchvision's names."""
    return {f"features.{number}.{theirs}": arrays[f"{name}.{ours}"] for name, number in zip(layers(arrays), NUMBERS, strict=True)
            for ours, theirs in (("W", "weight"), ("b", "bias"))}


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()
