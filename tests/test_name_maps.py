"""The same network out of every kind of file: PyTorch's own answers, by parameters that it, h5py and SciPy have written.

The fixtures are those of reference/make_formats_reference.py. The ids in the names of the tests are those of the table of fault cases.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchnet import models, readers
from scratchnet.errors import ShapeError, WeightsError
from scratchnet.models import name_maps, vgg
from scratchnet.models.name_maps import loaded
from tests.peak_memory import numbers_of

alexnet = importlib.import_module("scratchnet.models.alexnet")        # the package has the function under this name

FORMATS = Path(__file__).with_name("reference") / "formats"
with np.load(FORMATS / "answers.npz") as file:
    ANSWERS = {name: file[name] for name in file.files}

FILES = {"vgg_torch.pth": "vgg_torch", "vgg_torch_stream.pth": "vgg_torch", "vgg_torch.npz": "vgg_torch",
         "vgg_torch.safetensors": "vgg_torch", "vgg_caffe.npz": "vgg_caffe", "vgg_keras.h5": "vgg_caffe",
         "vgg_matconvnet.mat": "vgg_caffe", "vgg_matconvnet_meta.mat": "vgg_caffe",
         "alexnet_torch.pth": "alexnet_torch", "alexnet_torch_stream.pth": "alexnet_torch", "alexnet_torch.npz": "alexnet_torch"}
VGG_FILES = [name for name in FILES if name.startswith("vgg")]


def family(name, **changes):
    """The tables of the tiny networks in the fixtures."""
    if name.startswith("alexnet"):
        return alexnet._family(**{"classes": 5, "channels": (4, 6, 5, 7, 3), "units": 8, "map": (2, 3), **changes})
    return vgg._family("vgg19", **{"classes": 7, "blocks": ((1, 4), (2, 6)), "units": 8, "map": (3, 4), **changes})


def tiny(name, dense=True, path=None, **changes):
    return loaded(family(name, **changes), path or FORMATS / name, 0, dense)


def picture(answers):
    return ANSWERS[f"{answers.partition('_')[0]}_x"][None] / 255.0


def arrays_of(name):
    return dict(readers.read(FORMATS / name))


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


# ---- the answers are PyTorch's -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FILES)
def test_the_prediction_is_pytorchs(name, dtype):
    """Through the dense layers: they see a map of 3x4 or 2x3, unrolled in another order in every kind of file."""
    net, answers = tiny(name).astype(dtype), FILES[name]
    tolerance = 1e-5 if dtype == np.float32 else 1e-7 if "meta" in name else 1e-9            # that file's mean is float32
    a, _ = net.forward(picture(answers).astype(dtype), keep=["fc8", "prob"])
    assert relative(a["fc8"], ANSWERS[f"{answers}/fc8"]) < tolerance
    z = ANSWERS[f"{answers}/fc8"]
    assert relative(a["prob"], np.exp(z) / np.exp(z).sum()) < tolerance


@pytest.mark.parametrize("name", FILES)
def test_the_convolutions_alone_leave_the_dense_layers_in_the_file(name):
    net, answers = tiny(name, dense=False), FILES[name]
    assert net.names[-1].startswith("pool") and not any(layer.startswith("fc") for layer in net.names)
    relu = "relu5" if name.startswith("alexnet") else "relu2_2"
    a, _ = net.forward(picture(answers).astype(np.float32), keep=[relu])
    assert relative(a[relu], ANSWERS[f"{answers}/{relu}"]) < 1e-5


@pytest.mark.parametrize("name", FILES)
def test_a_dense_layer_in_the_wrong_order_would_show(name):
    """What torch unrolls channels first, taken as if it were channels last, and the other way round: another prediction."""
    net, answers = tiny(name), FILES[name]
    net.params["fc6.W"][:] = _turned(net.params["fc6.W"], family(name).flattened)
    a, _ = net.forward(picture(answers).astype(np.float32), keep=["fc8"])
    assert relative(a["fc8"], ANSWERS[f"{answers}/fc8"]) > 0.05


def _turned(W, map):
    return W.reshape(*map, -1).transpose(2, 0, 1, 3).reshape(W.shape)


@pytest.mark.parametrize("name, order, scale", [("vgg_torch.pth", "RGB", 1), ("vgg_torch.npz", "RGB", 1), ("vgg_caffe.npz", "BGR", 255),
                                                ("vgg_keras.h5", "BGR", 255), ("vgg_matconvnet.mat", "RGB", 255),
                                                ("alexnet_torch.pth", "RGB", 1)])
def test_w14_the_map_says_how_pictures_are_prepared(name, order, scale):
    input = tiny(name).layers["input"]
    assert (input.order, input.scale) == (order, scale)


@pytest.mark.parametrize("name", VGG_FILES)
def test_a_network_saved_after_it_was_read_needs_no_map(tmp_path, name):
    net = tiny(name)
    net.save(tmp_path / "ours.npz")
    again = tiny(name, path=tmp_path / "ours.npz")
    assert again.layers["input"].describe() == net.layers["input"].describe()
    assert all(np.array_equal(again.params[key], array) for key, array in net.params.items())
    convolutions = tiny(name, dense=False, path=tmp_path / "ours.npz")
    assert convolutions.params.keys() == {key for key in net.params if key.startswith("conv")}


def test_matconvnets_average_picture_is_the_mean(tmp_path):
    arrays = arrays_of("vgg_matconvnet.mat")
    arrays["normalization.averageImage"] = np.tile([[[100.0, 110, 120]], [[102.0, 112, 122]]], (1, 5, 1))
    assert tiny_of(tmp_path, arrays).layers["input"].mean == (101, 111, 121)
    arrays["normalization.averageImage"] = np.full((224, 224, 3), (123.68, 116.779, 103.939), np.float32)
    assert np.allclose(tiny_of(tmp_path, arrays).layers["input"].mean, (123.68, 116.779, 103.939), rtol=1e-7)
    arrays["normalization.averageImage"] = np.ones((1, 2))
    with pytest.raises(WeightsError, match="averageImage has shape .1, 2.; expected a picture"):
        tiny_of(tmp_path, arrays)
    del arrays["normalization.averageImage"]
    assert tiny_of(tmp_path, arrays).layers["input"].mean == (123.68, 116.779, 103.939)


def test_matconvnets_older_names_are_known(tmp_path):
    arrays = {name.replace("weights{1}", "filters").replace("weights{2}", "biases"): array
              for name, array in arrays_of("vgg_matconvnet.mat").items()}
    a, _ = tiny_of(tmp_path, arrays).forward(picture("vgg_caffe"), keep=["fc8"])
    assert relative(a["fc8"], ANSWERS["vgg_caffe/fc8"]) < 1e-5


@pytest.mark.parametrize("change", [
    lambda name: name.replace("_W_1:0", "/kernel:0").replace("_b_1:0", "/bias:0").replace("/block", "/x/block"),
    lambda name: "model_weights/" + name,
    lambda name: f"model_weights/vgg19/{name.split('/')[0]}/{'kernel' if 'W_1' in name else 'bias'}:0"])
def test_kerass_other_names_are_known(tmp_path, change):
    import h5py
    with h5py.File(tmp_path / "net.h5", "w") as file:
        for name, array in arrays_of("vgg_keras.h5").items():
            file[change(name)] = array
    a, _ = tiny("vgg", path=tmp_path / "net.h5").forward(picture("vgg_caffe"), keep=["fc8"])
    assert relative(a["fc8"], ANSWERS["vgg_caffe/fc8"]) < 1e-5


def test_dense_layers_that_nobody_asked_for_are_not_even_read(tmp_path):
    arrays = arrays_of("vgg_torch.npz")
    arrays["classifier.0.weight"][:] = np.nan
    tiny_of(tmp_path, arrays, dense=False)
    with pytest.raises(WeightsError, match="'classifier.0.weight' has 576 non-finite values"):
        tiny_of(tmp_path, arrays)


@pytest.mark.skipif(sys.platform == "win32", reason="the system counts there in another way")
def test_a_network_in_the_making_takes_little_more_memory_than_its_arrays(tmp_path):
    """Nothing is drawn first, and axes are turned array by array."""
    table = TABLES["vgg19"]
    shapes = {f"{theirs}.{part}": table.shapes()[f"{ours}.{letter}"] for ours, theirs in name_maps._numbered(table).items()
              if ours.startswith("conv") for part, letter in (("weight", "W"), ("bias", "b"))}
    np.savez(tmp_path / "net.npz", **{name: np.zeros(shape[::-1], np.float32) for name, shape in shapes.items()})
    before, after, arrays = numbers_of("from scratchnet import models; before = peak(); net = models.vgg19(sys.argv[1]); "
                                       "print(before, peak(), sum(array.nbytes for array in net.params.values()) / 2 ** 20)",
                                       tmp_path / "net.npz")
    assert arrays > 76 and after - before < 1.3 * arrays, (before, after)


# ---- what is refused -----------------------------------------------------------------------------------------------------

def tiny_of(tmp_path, arrays, name="vgg", **options):
    """The tiny network of these arrays, through a file."""
    np.savez(tmp_path / "net.npz", **arrays)
    return tiny(name, path=tmp_path / "net.npz", **options)


def test_w12_all_that_is_missing_and_unknown_in_one_message_by_the_files_own_names(tmp_path):
    arrays = arrays_of("vgg_torch.npz")
    del arrays["features.3.bias"], arrays["classifier.6.weight"]
    arrays |= {"features.1.running_mean": np.ones(4), "step": np.ones(1)}
    with pytest.raises(WeightsError, match="net.npz', read as torchvision's, does not fit this vgg19. "
                       "missing: features.3.bias, classifier.6.weight; unexpected: features.1.running_mean, step$"):
        tiny_of(tmp_path, arrays)


def test_w12_missing_names_of_the_other_maps(tmp_path):
    for name, missing in (("vgg_caffe.npz", "conv2_1.b"), ("vgg_matconvnet.mat", r"conv2_1.weights\{2\}")):
        arrays = {key: array for key, array in arrays_of(name).items() if not key.startswith("conv2_1") or key.endswith(("W", "{1}"))}
        with pytest.raises(WeightsError, match=f"missing: {missing}$"):
            tiny_of(tmp_path, arrays)


def test_w12_dense_layers_that_are_asked_for_must_be_there(tmp_path):
    arrays = {name: array for name, array in arrays_of("vgg_torch.npz").items() if name.startswith("features")}
    tiny_of(tmp_path, arrays, dense=False)
    with pytest.raises(WeightsError, match="missing: classifier.0.weight, classifier.0.bias, classifier.3.weight"):
        tiny_of(tmp_path, arrays)


def test_w12_extra_names_are_refused_by_the_convolutions_alone(tmp_path):
    arrays = arrays_of("vgg_torch.npz") | {"classifier.9.weight": np.ones((2, 2))}
    with pytest.raises(WeightsError, match="unexpected: classifier.9.weight$"):
        tiny_of(tmp_path, arrays, dense=False)


def test_w12_the_file_of_another_vgg_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="does not fit this vgg19. unexpected: features.5.weight, features.5.bias"):
        tiny("vgg_torch.npz", dense=False, blocks=((1, 4), (1, 6)))


def test_w10_two_names_for_one_array_are_refused(tmp_path):
    import h5py
    with h5py.File(tmp_path / "net.h5", "w") as file:
        for name, array in arrays_of("vgg_keras.h5").items():
            file[name] = file["model_weights/" + name] = array
    with pytest.raises(WeightsError, match="twice: block1_conv1/block1_conv1_W_1:0 and model_weights/block1_conv1/"):
        tiny("vgg", path=tmp_path / "net.h5")


def test_w13_shapes_are_told_as_the_file_has_them(tmp_path):
    arrays = arrays_of("vgg_torch.npz")
    arrays["features.3.weight"], arrays["classifier.0.weight"] = np.ones((6, 4, 5, 5)), np.ones((8, 71))
    arrays["features.0.bias"] = np.ones((2, 2))
    with pytest.raises(WeightsError) as refused:
        tiny_of(tmp_path, arrays)
    for words in ("features.3.weight has shape (6, 4, 5, 5), expected (6, 4, 3, 3)",
                  "classifier.0.weight has shape (8, 71), expected (8, 72)", "features.0.bias has shape (2, 2), expected (4,)"):
        assert words in str(refused.value)


def test_w13_another_number_of_classes(tmp_path):
    with pytest.raises(WeightsError, match=r"classifier.6.weight has shape .7, 8., expected .10, 8.; classifier.6.bias has shape"):
        tiny("vgg_torch.npz", classes=10)
    tiny("vgg_torch.npz", classes=10, dense=False)                    # of no concern to the convolutions


BARE = {"conv1_1.W": np.ones((3, 3, 3, 64)), "conv1_1.b": np.ones(64), "conv1_2.W": np.ones((3, 3, 64, 64))}


@pytest.mark.parametrize("arrays", [
    BARE, {"features.0.weight": np.ones((3, 3, 3, 64))}, {"conv1_1.weight": np.ones((64, 3, 3, 3))}, {"W": np.ones((3, 3, 64, 64))}, {}],
    ids=["bare", "torchvision's names, others' axes", "names of another torch", "nothing known", "nothing"])
def test_w14_no_known_layout_lists_the_maps(tmp_path, arrays):
    np.savez(tmp_path / "net.npz", **arrays)
    with pytest.raises(WeightsError) as refused:
        models.vgg19(tmp_path / "net.npz")
    for words in ("net.npz", "torchvision's, with features.0.weight (64, 3, 3, 3)", "Keras's", "(3, 3, 3, 64)", "MatConvNet's",
                  "converted from Caffe, with conv1_1.W (64, 3, 3, 3)"):
        assert words in str(refused.value)


def test_w14_keras_files_with_theanos_kernels_are_refused(tmp_path):
    import h5py
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["block1_conv1/block1_conv1_W_1:0"], file["block1_conv1/block1_conv1_b_1:0"] = np.ones((64, 3, 3, 3)), np.ones(64)
    with pytest.raises(WeightsError, match="nothing says how such filters lie"):
        models.vgg19(tmp_path / "net.h5")


def test_w14_alexnet_knows_torchvisions_file_only():
    with pytest.raises(WeightsError, match=r"no kind of file of alexnet that is known here. Known are: torchvision's, with "
                       r"features.0.weight .64, 3, 11, 11..$"):
        models.alexnet(FORMATS / "vgg_caffe.npz")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_w15_kinds_of_float_become_float32(tmp_path, dtype):
    net = tiny_of(tmp_path, {name: array.astype(dtype) for name, array in arrays_of("vgg_torch.npz").items()})
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_w15_whole_numbers_are_no_parameters(tmp_path):
    with pytest.raises(WeightsError, match="'features.0.num_batches_tracked' is of int64"):
        tiny_of(tmp_path, arrays_of("vgg_torch.npz") | {"features.0.num_batches_tracked": np.array(3)})


def test_w16_numbers_that_are_none(tmp_path):
    arrays = arrays_of("vgg_torch.npz")
    arrays["features.3.weight"][0, 0] = np.nan
    with pytest.raises(WeightsError, match="'features.3.weight' has 9 non-finite values"):
        tiny_of(tmp_path, arrays)


def test_w8_a_file_larger_than_the_network_is_refused_before_it_is_read(tmp_path):
    arrays = arrays_of("vgg_torch.npz") | {"features.9.weight": np.zeros(10 ** 6)}
    with pytest.raises(WeightsError, match="says it holds 8 MB; at most 2 MB are taken"):
        tiny_of(tmp_path, arrays)


# ---- the tables ----------------------------------------------------------------------------------------------------------

TABLES = {"vgg19": vgg._family("vgg19"), "vgg16": vgg._family("vgg16"), "alexnet": alexnet._family()}


@pytest.mark.parametrize("name, all_of_them, convolutions", [
    ("vgg19", 143_667_240, 20_024_384), ("vgg16", 138_357_544, 14_714_688), ("alexnet", 61_100_840, 2_469_696)])
def test_as_many_parameters_as_published(name, all_of_them, convolutions):
    table = TABLES[name]
    assert sum(int(np.prod(shape)) for shape in table.shapes().values()) == all_of_them
    assert sum(int(np.prod(shape)) for shape in table.shapes(dense=False).values()) == convolutions


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
@pytest.mark.parametrize("dense", [True, False])
def test_a_table_knows_the_shapes_of_its_network(name, dense):
    table = family(name)
    net = loaded(table, dense=dense)
    assert table.shapes(dense) == {key: array.shape for key, array in net.params.items()}
    assert net.names == ["input", *table.names(dense)]


@pytest.mark.parametrize("name, numbers", [
    ("vgg19", {"conv1_1": 0, "conv2_1": 5, "conv3_1": 10, "conv4_1": 19, "conv4_2": 21, "conv5_4": 34, "fc6": 0, "fc7": 3, "fc8": 6}),
    ("vgg16", {"conv5_3": 28, "fc6": 0, "fc8": 6}),
    ("alexnet", {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10, "fc6": 1, "fc7": 4, "fc8": 6})])
def test_torchvisions_numbers(name, numbers):
    theirs = name_maps._numbered(TABLES[name])
    assert {layer: theirs[layer] for layer in numbers} == {
        layer: f"{'classifier' if layer.startswith('fc') else 'features'}.{number}" for layer, number in numbers.items()}


def test_alexnet_at_224_pixels_leaves_nothing_to_average():
    net = models.alexnet()
    rows = {row.layer: row.shape[1:] for row in net.summary((1, 224, 224, 3)).rows}
    assert (rows["conv1"], rows["pool1"], rows["conv2"], rows["pool2"], rows["pool5"]) == (
        (55, 55, 64), (27, 27, 64), (27, 27, 192), (13, 13, 192), (6, 6, 256))


@pytest.mark.parametrize("name", ["vgg_torch.npz", "alexnet_torch.npz"])
def test_a_picture_of_another_size_is_refused_in_words(name):
    with pytest.raises(ShapeError, match="Dense: a_prev has shape .*; expected .*Behind Flatten.* depends on the picture"):
        tiny(name).forward(np.zeros((1, 200, 200, 3), np.float32))


@pytest.mark.parametrize("classes", [0, -1, 2.5])
def test_classes_are_counted_from_one(classes):
    with pytest.raises(ShapeError, match="Dense: n = "):
        loaded(family("vgg", classes=classes), dense=True)


@pytest.mark.parametrize("make", models.MODELS.values(), ids=list(models.MODELS))
def test_every_model_takes_a_pool_and_refuses_another(make):
    with pytest.raises(ShapeError, match="pool = 'sum'; expected"):
        make(pool="sum")
