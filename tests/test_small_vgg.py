"""The network that ships: what it is made of, its file, and (with real data) how near it comes to VGG-19."""

import numpy as np
import pytest

from scratchnet import images, models, readers
from scratchnet.models.small_vgg import FILE, MATCHED

WIDTHS = {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu4_2": 512, "relu5_1": 512}


def test_the_matched_layers_have_the_names_and_shapes_of_vgg19():
    shapes = [{row.layer: row.shape for row in net.summary((1, 96, 128, 3), until="relu5_1").rows if row.layer in MATCHED}
              for net in (models.small_vgg(), models.vgg19())]
    assert shapes[0] == shapes[1] and {l: shape[3] for l, shape in shapes[0].items()} == WIDTHS


def test_the_file_is_small_whole_and_says_how_pictures_are_prepared():
    assert FILE.stat().st_size <= 5 * 10 ** 6
    net = models.small_vgg()
    arrays = readers.read(FILE)
    assert arrays.keys() == net.params.keys() and all(np.array_equal(net.params[name], array) for name, array in arrays.items())
    assert readers.read_notes(FILE)["preprocess"] == net.layers["input"].describe()
    assert sum(array.size for array in arrays.values()) == 2268384
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_it_answers_in_units_of_the_root_mean_square():
    """The recipe gives every matched layer of VGG-19 unit size over photographs; on one photograph it is of that order."""
    a, _ = models.small_vgg().forward(images.sample_photograph(128), keep=MATCHED)
    assert all(0.3 < np.sqrt(np.mean(a[l] ** 2)) < 3 for l in MATCHED)


@pytest.mark.real
def test_it_imitates_vgg19_channel_by_channel(data_folder):
    """On photographs at full contrast; a scale for each layer is fitted, because units differ."""
    teacher = models.vgg19(data_folder / "weights/vgg19_conv.npz").freeze(until="relu5_1")
    student = models.small_vgg().freeze()
    squares = {l: np.zeros(3) for l in MATCHED}
    for path in sorted((data_folder / "photos").glob("*.jpg"))[::125]:
        x = images.load(path, size=192)
        theirs, ours = (net.forward(x, keep=MATCHED, until="relu5_1")[0] for net in (teacher, student))
        for l in MATCHED:
            squares[l] += np.vdot(ours[l], ours[l]), np.vdot(ours[l], theirs[l]), np.vdot(theirs[l], theirs[l])
    error = {l: 1 - both ** 2 / (own * truth) for l, (own, both, truth) in squares.items()}
    assert all(error[l] < limit for l, limit in zip(MATCHED, LIMITS)), error


LIMITS = (0.01, 0.05, 0.2, 0.3, 0.45, 0.7)            # relative squared error left at each matched layer
