"""The face networks against PyTorch's encodings, stored by reference/make_face_networks_reference.py; and every way of their files.

Their numbers are drawn (tests/drawn_weights.py) as the script drew them, so that the architecture is tested to rounding, without the
trained file; the ids W... are those of the table of fault cases.
"""

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from scratchnet import models, readers
from scratchnet.__main__ import main
from scratchnet.errors import ShapeError, WeightsError
from scratchnet.face_losses import pair_loss
from scratchnet.models.face_name_maps import OPENFACE, PYTORCH, expected
from scratchnet.models.mobilefacenet import theirs as theirs_of_mobilefacenet
from scratchnet.models.openface import theirs as theirs_of_openface
from tests.drawn_weights import drawn, pictures
from tests.torch_files import storage, table, tensor, whole, write_zip

with np.load(Path(__file__).with_name("reference") / "face_networks.npz") as file:
    REFERENCE = {key: file[key] for key in file.files}

COUNTER = {"conv1.bn.num_batches_tracked": np.array(7)}


@pytest.fixture(scope="module")
def torch_arrays():
    """A file of MobileFaceNet, {PyTorch's name: array}."""
    return drawn({array.theirs: array.file_shape for array in expected(models.mobilefacenet(), PYTORCH, theirs_of_mobilefacenet)}, seed=5)


@pytest.fixture(scope="module")
def torch_file(torch_arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "faces.npz"
    np.savez(path, **{key: array.astype(np.float32) for key, array in torch_arrays.items()}, **COUNTER)
    return path


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory):
    """The folder of nn4.small2, as Torch's csvigo writes it: an array's numbers in a row, with commas between."""
    folder = tmp_path_factory.mktemp("weights") / "nn4"
    folder.mkdir()
    shapes = {array.theirs: array.file_shape for array in expected(models.nn4_small2(), OPENFACE, theirs_of_openface)}
    for key, array in drawn(shapes, seed=6).items():
        (folder / f"{key}.csv").write_text(",".join(map(str, array.ravel().tolist())) + "\n")
    return folder


@pytest.fixture(scope="module")
def openface(csv_folder):
    return models.nn4_small2(csv_folder)


def encodings(net, x, raw):
    """The raw numbers and the encoding, of a network in float64."""
    a, _ = net.astype(np.float64).forward(x, keep=[raw, "encoding"])
    return a[raw], a["encoding"]


def assert_agrees(net, x, raw, case, tolerance):
    """To a share of the largest number."""
    for ours, what in zip(encodings(net, x, raw), ("raw", "encoding")):
        theirs = REFERENCE[f"{case}/{what}"]
        assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max(), what


def same(net, other):
    arrays, others = {**net.params, **net.state}, {**other.params, **other.state}
    return arrays.keys() == others.keys() and all(np.array_equal(array, others[key]) for key, array in arrays.items())


# ---- what PyTorch says -----------------------------------------------------------------------------------------------------

def test_mobilefacenet_agrees_with_pytorch(torch_file):
    net = models.mobilefacenet(torch_file)
    assert_agrees(net, pictures(3, 112, 96, seed=1), "raw", "mobilefacenet_drawn", 1e-9)
    assert net.params["conv1.W"].dtype == np.float32


def test_nn4_small2_agrees_with_pytorch(openface):
    assert_agrees(openface, pictures(3, 96, 96, seed=2), "dense", "nn4_small2_drawn", 1e-9)


@pytest.mark.real
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fold", [False, True], ids=["as it is", "folded"])
def test_mobilefacenet_as_it_was_trained_agrees_with_pytorch(data_folder, dtype, fold):
    net = models.mobilefacenet(data_folder / "weights/mobilefacenet_casia.npz").astype(dtype).freeze(fold=fold)
    a, _ = net.forward(pictures(3, 112, 96, seed=1).astype(dtype), keep=["raw", "encoding"])
    assert np.abs(a["raw"] - REFERENCE["mobilefacenet_casia/raw"]).max() <= 1e-5
    assert np.abs(a["encoding"] - REFERENCE["mobilefacenet_casia/encoding"]).max() <= 1e-6
    assert a["encoding"].dtype == dtype and np.allclose(np.linalg.norm(a["encoding"], axis=1), 1, rtol=1e-6)


# ---- what they are ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make, size, parameters, arrays", [        # arrays: what a file holds
    (models.mobilefacenet, (112, 96), 999_552, 283), (models.nn4_small2, (96, 96), 3_733_968, 224)])
def test_their_parameters_are_as_many_as_their_makers_count(make, size, parameters, arrays):
    net = make()
    assert net.summary((1, *size, 3)).parameters == parameters and len({**net.params, **net.state}) == arrays
    assert net.layers["input"].size == size and same(make(), net) and not same(make(seed=1), net)
    with pytest.raises(ShapeError, match=rf"pictures of \(n_H, n_W\) = \({size[0]}, {size[1]}\) only"):
        net.forward(np.zeros((1, 64, 64, 3), np.float32))


def test_maps_of_nn4_small2_shrink_as_openface_says(openface):
    rows = {row.layer: row.shape[1:] for row in openface.summary((1, 96, 96, 3)).rows}
    sizes = {"3a": (12, 12, 256), "3b": (12, 12, 320), "3c": (6, 6, 640), "4a": (6, 6, 640), "4e": (3, 3, 1024),
             "5a": (3, 3, 736), "5b": (3, 3, 736)}
    assert {key: rows[f"inception_{key}"] for key in sizes} == sizes


@pytest.mark.parametrize("kind", ["mobilefacenet", "nn4_small2"])
def test_gradients_go_all_the_way(kind, torch_file, openface):
    """Along one direction in the pixels, and one in all parameters: too many numbers for a check one by one."""
    net, x = {"mobilefacenet": (models.mobilefacenet(torch_file), pictures(1, 112, 96, seed=1)),
              "nn4_small2": (openface, pictures(1, 96, 96, seed=2))}[kind]
    net, rng, h = net.astype(np.float64), np.random.default_rng(0), 1e-8                # so small, because there are a million kinks
    R = rng.standard_normal((1, 128))
    J = lambda net, x: np.sum(net.forward(x)[0]["encoding"] * R)
    dx, grads = net.backward({"encoding": R}, net.forward(x)[1])
    d = rng.standard_normal(x.shape)
    assert np.sum(dx * d) == pytest.approx((J(net, x + h * d) - J(net, x - h * d)) / (2 * h), rel=1e-5)
    d = {key: 0.1 * rng.standard_normal(array.shape) for key, array in net.params.items()}
    ahead, back = (net.with_params({key: array + sign * h * d[key] for key, array in net.params.items()}) for sign in (1, -1))
    assert sum(np.sum(grads[key] * d[key]) for key in d) == pytest.approx((J(ahead, x) - J(back, x)) / (2 * h), rel=1e-5)


@pytest.mark.parametrize("kind", ["mobilefacenet", "nn4_small2"])
def test_folded_they_give_the_same_encodings_without_batch_norms(kind, torch_file, openface):
    net, x = {"mobilefacenet": (models.mobilefacenet(torch_file), pictures(3, 112, 96, seed=1)),
              "nn4_small2": (openface, pictures(3, 96, 96, seed=2))}[kind]
    folded = net.freeze(fold=True)
    assert not folded.state and not any(key.endswith("gamma") for key in folded.params)
    want, got = (each.forward(x.astype(np.float32))[0]["encoding"] for each in (net, folded))
    assert np.abs(got - want).max() <= 1e-5


def test_kochs_network_has_the_sizes_of_its_paper_and_goes_with_pair_loss():
    net = models.koch()
    table = net.summary((2, 105, 105, 3))
    rows = {row.layer: row.shape[1:] for row in table.rows}
    assert [rows[key] for key in ("conv1", "conv2", "conv3", "conv4", "flatten", "encoding")] == [
        (96, 96, 64), (42, 42, 128), (18, 18, 128), (6, 6, 256), (9216,), (4096,)]
    assert table.parameters == 38_947_648 and net.layers["input"].size == (105, 105)
    f = net.forward(pictures(2, 105, 105, seed=3).astype(np.float32))[0]["encoding"]
    assert f.min() > 0 and f.max() < 1 and np.ptp(f) > 0.1
    J, grads = pair_loss(f[:1], f[1:], np.zeros(4096, np.float32), np.float32(0), same=np.array([True]))
    assert J == pytest.approx(np.log(2)) and grads[0].shape == (1, 4096)


# ---- their files -----------------------------------------------------------------------------------------------------------

def as_pth(path, arrays):
    """The state file that a training loop writes: wrapped, beside the number of the step."""
    numbers = {str(i): array.astype("<f4").tobytes() for i, array in enumerate(arrays.values())}
    strides = lambda shape: [int(np.prod(shape[i + 1:])) for i in range(len(shape))]
    state = {key: tensor(storage(str(i), array.size), 0, array.shape, strides(array.shape))
             for i, (key, array) in enumerate(arrays.items())}
    state["conv1.bn.num_batches_tracked"] = tensor(storage("counter", 1, "LongStorage"), 0, (), ())
    return write_zip(path, table({"iters": whole(68), "net_state_dict": table(state)}), {**numbers, "counter": struct.pack("<q", 7)})


FORMS = {
    "safetensors": lambda path, arrays: save_file({**arrays, **COUNTER}, path),
    "pth": as_pth,
    "npz of float64": lambda path, arrays: np.savez(path, **arrays),
    "npz, big-endian": lambda path, arrays: np.savez(path, **{key: array.astype(">f4") for key, array in arrays.items()}),
}


@pytest.mark.filterwarnings("ignore")                 # what a file holds beside the parameters is said
@pytest.mark.parametrize("form", FORMS)
def test_w15_w29_the_same_network_from_every_form_of_file(form, torch_arrays, torch_file, tmp_path):
    path = tmp_path / f"faces.{form[:11].split()[0]}".replace(",", "")
    FORMS[form](path, torch_arrays)
    assert same(models.mobilefacenet(path), models.mobilefacenet(torch_file))


def test_w30_halves_become_float32(torch_arrays, torch_file, tmp_path):
    np.savez(tmp_path / "halves.npz", **{key: array.astype(np.float16) for key, array in torch_arrays.items()})
    with pytest.warns(UserWarning, match="half precision, read as float32"):
        net = models.mobilefacenet(tmp_path / "halves.npz")
    assert net.params["conv1.W"].dtype == np.float32
    assert np.allclose(net.params["conv1.W"], models.mobilefacenet(torch_file).params["conv1.W"], rtol=1e-3)


def test_w12_w13_all_that_does_not_fit_is_in_one_message(torch_arrays, tmp_path):
    wrong = dict(torch_arrays, extra=np.zeros(3))
    wrong["conv1.conv.weight"] = wrong["conv1.conv.weight"].transpose(2, 3, 1, 0)
    del wrong["blocks.3.conv.4.running_var"], wrong["linear1.bn.bias"]
    np.savez(tmp_path / "wrong.npz", **wrong)
    with pytest.raises(WeightsError, match=r"read as PyTorch's, does not fit this mobilefacenet\. "
                       r"missing: (blocks\.3\.conv\.4\.running_var, linear1\.bn\.bias|linear1.*); unexpected: extra; "
                       r"conv1\.conv\.weight has shape \(3, 3, 3, 64\), expected \(64, 3, 3, 3\)$"):
        models.mobilefacenet(tmp_path / "wrong.npz")


def test_w14_a_file_of_another_kind_is_told_what_is_known(tmp_path, torch_file):
    np.savez(tmp_path / "other.npz", W1=np.zeros(3), W2=np.zeros(3))
    with pytest.raises(WeightsError, match=r"holds W1, W2.*PyTorch's names, such as conv1\.conv\.weight \(64, 3, 3, 3\).*Network\.save"):
        models.mobilefacenet(tmp_path / "other.npz")
    with pytest.raises(WeightsError, match=r"Keras-OpenFace's names, such as conv1_w \(64, 3, 7, 7\)"):
        models.nn4_small2(tmp_path / "other.npz")
    with pytest.raises(WeightsError, match="at most"):  # of a vgg, say: more numbers than this network has
        np.savez(tmp_path / "big.npz", W=np.zeros(2_000_000))
        models.mobilefacenet(tmp_path / "big.npz")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_w16_what_is_not_finite_is_refused(bad, torch_arrays, tmp_path):
    wrong = {key: array.copy() for key, array in torch_arrays.items()}
    wrong["conv2.bn.running_mean"][:3] = bad
    np.savez(tmp_path / "wrong.npz", **wrong)
    with pytest.raises(WeightsError, match="'conv2.bn.running_mean' has 3 non-finite values"):
        models.mobilefacenet(tmp_path / "wrong.npz")


def test_w12_of_a_folder_what_is_missing_is_said_and_other_files_are_left_with_a_warning(csv_folder, tmp_path):
    folder = tmp_path / "nn4"
    folder.mkdir()
    for file in csv_folder.glob("*.csv"):
        (folder / file.name).symlink_to(file)
    (folder / "pairs.csv").write_text("name,name\n")
    with pytest.warns(UserWarning, match="1 other .csv files, which are not read: pairs.csv"):
        assert same(models.nn4_small2(folder), models.nn4_small2(csv_folder))
    (folder / "bn2_v.csv").unlink()
    with pytest.raises(WeightsError, match=r"Keras-OpenFace's, does not fit this nn4_small2\. missing: bn2_v$"), pytest.warns(UserWarning):
        models.nn4_small2(folder)
    (folder / "bn2_v.csv").write_text("1,2,3")
    with pytest.raises(WeightsError, match=r"'bn2_v\.csv' holds 3 numbers, expected 64"), pytest.warns(UserWarning):
        models.nn4_small2(folder)


@pytest.mark.parametrize("kind", ["mobilefacenet", "nn4_small2"])
def test_they_are_imported_with_one_command_and_then_known_by_name(kind, torch_file, csv_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "home"))
    source, parameters = {"mobilefacenet": (torch_file, "999,552"), "nn4_small2": (csv_folder, "3,733,968")}[kind]
    make = models.FACE_NETWORKS[kind]
    assert main(["weights", "import", str(source), "--as", kind]) == 0
    said = capsys.readouterr().out
    assert f"models.{kind}('{kind}')" in said and "-m scratchnet style" not in said and f"{parameters} parameters" in said
    net = make(kind)
    assert same(net, make(source))
    assert net.layers["input"].describe() == make(source).layers["input"].describe() and net.layers["input"].size
    assert readers.read_notes(tmp_path / "home" / f"{kind}.npz")["source"] == source.name
    assert main(["weights"]) == 0 and f"{kind}: in the cache" in capsys.readouterr().out


def test_a_name_that_is_not_in_the_cache_says_how_to_import_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="weights import FILE --as mobilefacenet"):
        models.mobilefacenet("mobilefacenet")


def test_a_file_of_our_own_of_another_network_is_refused(tmp_path):
    models.nn4_small2().save(tmp_path / "nn4.npz")
    with pytest.raises(WeightsError, match="at most|does not fit"):
        models.mobilefacenet(tmp_path / "nn4.npz")
