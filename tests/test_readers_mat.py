"""MATLAB's files from strangers: MatConvNet's layers are read; lies about sizes, objects, functions and damage are refused in words.

The ids in the names of the tests are those of the table of fault cases. Files that no program would write are put together
here element by element: a tag (kind, bytes), then the data, to a multiple of eight bytes.
"""

import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from scratchnet import readers
from scratchnet.errors import WeightsError
from tests.test_readers import outcome

FORMATS = Path(__file__).with_name("reference") / "formats"
OLDER, NEWER = FORMATS / "vgg_matconvnet.mat", FORMATS / "vgg_matconvnet_meta.mat"
LAYERS = ("conv1_1", "conv2_1", "conv2_2", "fc6", "fc7", "fc8")
FILTERS = np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.mat"


# ---- files by hand -------------------------------------------------------------------------------------------------------

def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind, shape, content, name=b"", flags=0):
    """An array of any class and any claim about its shape, around whatever content."""
    head = element(6, struct.pack("<II", kind | flags, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + content)


def single(shape=(1, 2), numbers=2, name=b"W", flags=0):
    return matrix(7, shape, element(7, bytes(4 * numbers)), name, flags)


def save(path, *variables):
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(variables))
    return path


def packed(variable):
    data = zlib.compress(variable, 9)
    return struct.pack("<II", 15, len(data)) + data                  # the one kind of element that is not filled up to eight bytes


# ---- what is good --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, mean", [(OLDER, "normalization.averageImage"), (NEWER, "meta.normalization.averageImage")])
def test_layers_by_their_names_and_the_average_picture(path, mean):
    arrays = readers.read(path)
    assert list(arrays) == [*(f"{layer}.weights{{{k}}}" for layer in LAYERS for k in (1, 2)), mean]
    with np.load(FORMATS / "vgg_caffe.npz") as file:
        W = file["conv2_1.W"].transpose(2, 3, 1, 0)
        assert np.array_equal(arrays["conv2_1.weights{1}"], W) and arrays["conv2_1.weights{1}"].flags.c_contiguous
        assert np.array_equal(arrays["conv2_1.weights{2}"].ravel(), file["conv2_1.b"])
    assert readers.read_notes(path) == {}


@pytest.mark.parametrize("name", ["weights", "net.pth", "net.h5"])
def test_it_is_known_by_its_first_bytes_under_another_name(tmp_path, name):
    (tmp_path / name).write_bytes(OLDER.read_bytes())
    assert readers.read(tmp_path / name).keys() == readers.read(OLDER).keys()


@pytest.mark.parametrize("packing", [False, True])
def test_plain_arrays_have_their_own_names(path, packing):
    content = {"W": FILTERS, "b": np.ones((2, 1)), "note": "hello", "cell": np.array([1, "a"], object)}
    scipy.io.savemat(path, content, do_compression=packing)
    arrays = readers.read(path)
    assert list(arrays) == ["W", "b"] and np.array_equal(arrays["W"], FILTERS) and arrays["W"].dtype == np.float32


def test_what_is_written_here_by_hand_is_what_scipy_reads(path):
    for variable in (single(), packed(single())):
        save(path, variable)
        assert readers.read(path)["W"].tolist() == scipy.io.loadmat(path)["W"].tolist() == [[0, 0]]


def test_doubles_that_matlab_stored_as_small_numbers_are_doubles(path):
    save(path, matrix(6, (1, 3), element(2, bytes([1, 2, 3])), b"W"))
    W = readers.read(path)["W"]
    assert W.tolist() == [[1, 2, 3]] and W.dtype == np.float64


def test_layers_without_a_name_are_counted(path):
    layers = np.array([{"type": "relu"}, {"type": "conv", "filters": FILTERS, "biases": np.ones((1, 2))}]).reshape(1, -1)
    scipy.io.savemat(path, {"layers": layers})
    assert list(readers.read(path)) == ["layers{2}.filters", "layers{2}.biases"]


# ---- MATLAB 7.3 ----------------------------------------------------------------------------------------------------------

def newest(path, change=lambda file: None):
    """A 7.3 file as MATLAB lays it out: its own header first, cells as references, texts as numbers, axes backwards."""
    with h5py.File(path, "w", userblock_size=512) as file:
        def cell(at, objects):
            dataset = at.create_dataset("layers" if at is file else "weights", (len(objects), 1), h5py.ref_dtype)
            dataset[:, 0] = [each.ref for each in objects]

        groups = []
        for i, layer in enumerate(("conv1_1", "relu1_1")):
            group = file.create_group(f"#refs#/{i}")
            group["name"] = np.array([[ord(letter)] for letter in layer], np.uint16)
            if layer == "conv1_1":
                file["#refs#/W"], file["#refs#/b"] = FILTERS.T, np.ones((2, 1), np.float32)
                cell(group, [file["#refs#/W"], file["#refs#/b"]])
            groups.append(group)
        cell(file, groups)
        file["meta/normalization/averageImage"], file["A"], file["n"] = np.ones((3, 1, 1)), np.arange(6.0).reshape(2, 3), np.int64(1)
        change(file)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def test_w23b_version_7_3_is_hdf5_inside_and_read_with_h5py(path):
    arrays = readers.read(newest(path))
    assert {name: array.shape for name, array in arrays.items()} == {
        "A": (3, 2), "conv1_1.weights{1}": (3, 3, 3, 2), "conv1_1.weights{2}": (1, 2), "meta.normalization.averageImage": (1, 1, 3)}
    assert np.array_equal(arrays["conv1_1.weights{1}"], FILTERS)


def test_w23b_version_7_3_without_matlabs_header_is_known_by_its_name(tmp_path):
    for name, shape in (("net.mat", (3, 2)), ("net.h5", (2, 3))):
        with h5py.File(tmp_path / name, "w") as file:
            file["A"] = np.arange(6.0).reshape(2, 3)
        assert readers.read(tmp_path / name)["A"].shape == shape


def test_w23b_version_7_3_as_matlab_itself_wrote_it():
    """SciPy carries a file of MATLAB's for its own tests, where it has them."""
    path = Path(scipy.io.__file__).parent / "matlab/tests/data/testhdf5_7.4_GLNX86.mat"
    if not path.exists():
        pytest.skip("this SciPy came without its tests")
    assert np.allclose(readers.read(path)["testdouble"], np.arange(9)[None] * np.pi / 4)


def test_w11_links_in_version_7_3_are_refused(path):
    newest(path, lambda file: file.__setitem__("B", h5py.ExternalLink("/etc/hostname", "/x")))
    with pytest.raises(WeightsError, match="'B' is a link to elsewhere .ExternalLink."):
        readers.read(path)


def test_w8_cells_that_all_stand_for_one_large_array(path):
    def change(file):
        file["#refs#/large"] = np.zeros(2 ** 18)
        del file["#refs#/0/weights"]
        file["#refs#/0"].create_dataset("weights", (1000, 1), h5py.ref_dtype)[:, 0] = [file["#refs#/large"].ref] * 1000
    with pytest.raises(WeightsError, match="says it holds 2000 MB; at most 1024 MB"):
        readers.read(newest(path, change), max_bytes=2 ** 30)


def test_w23_version_7_3_needs_h5py(path, monkeypatch):
    newest(path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"^reading 'net.mat' needs h5py: pip install 'scratchnet\[weights\]'$"):
        readers.read(path)


# ---- what is refused -----------------------------------------------------------------------------------------------------

def nested(depth):
    return matrix(1, (1, 1), nested(depth - 1)) if depth else single(name=b"")


def a_cell(content, name=b"layers"):
    return matrix(1, (1, 1), content, name)


LIES = {
    "w7 more than is stored": single((1_000_000, 1_000_000)), "w7 a little more": single((1, 3)), "w7 a little less": single((1, 1)),
    "w9 negative": single((-1, 2)), "w9 overflowing": single((2 ** 31 - 1,) * 4), "w9 one axis": single((2,)),
    "w9 too many axes": single((1,) * 40), "w9 no axes": single(()),
    "w8 cells": matrix(1, (2 ** 20, 2 ** 9), b"", b"layers"), "w8 cells within cells": a_cell(matrix(1, (2 ** 31 - 1, 1), b"")),
    "w8 structs": matrix(2, (2 ** 20, 2 ** 9), element(5, struct.pack("<i", 8)) + element(1, b"weights\0"), b"layers"),
    "w8 a field's name of no letters": matrix(2, (1, 1), element(5, struct.pack("<i", 0)) + element(1, b""), b"layers"),
    "w8 text": a_cell(matrix(4, (1, 2 ** 30), element(16, b""))), "w8 deeply nested": a_cell(nested(200)),
    "w8 a hundred thousand cells": packed(matrix(1, (1, 200_000), element(14, b"") * 200_000, b"layers")),
    "w8 a name": matrix(7, (1, 2), element(7, bytes(8)), bytes(2 ** 20)),
    "an inner length that lies": a_cell(single(name=b"").replace(struct.pack("<I", 56), struct.pack("<I", 48), 1)),
    "no matrix": element(9, bytes(16)), "no matrix inside": packed(element(9, bytes(16))), "nothing inside": packed(b""),
    "not packed": element(15, b"hello, world"), "no cell inside": a_cell(element(9, bytes(8))),
    "w15 complex": single(flags=0x800), "w10 twice": single() + single(),
}


@pytest.mark.parametrize("case", LIES)
def test_lies_are_refused_before_memory_is_taken(path, case):
    save(path, LIES[case])
    tracemalloc.start()
    found = outcome(readers.read, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == "refused" and peak < 4 * 2 ** 20


def test_w8_a_bomb_is_refused_after_a_walk_that_keeps_nothing(path):
    save(path, packed(single((1, 10_000_000), 10_000_000)))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(WeightsError, match="says it holds 38 MB; at most 1 MB are taken"):
        readers.read(path, expect={"W": (10, 10)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 ** 20


@pytest.mark.parametrize("kind, what", [(3, "object"), (5, "sparse"), (16, "function"), (17, "opaque")])
def test_w23b_objects_and_functions_among_the_weights_are_refused_untouched(path, kind, what):
    save(path, a_cell(matrix(kind, (1, 1), element(1, b"evil") * 4)))
    with pytest.raises(WeightsError, match=f"holds a matrix of class {kind} .sparse, an object or a function., .* it was not touched"):
        readers.read(path)


def test_w23b_objects_elsewhere_are_passed_over(path):
    save(path, matrix(3, (1, 1), element(1, b"evil") * 4, b"object"), single())
    assert list(readers.read(path)) == ["W"]


@pytest.mark.parametrize("array", [np.array([1, 2]), np.array([True])], ids=["whole", "truth"])
def test_w15_other_kinds_of_number_are_refused(path, array):
    scipy.io.savemat(path, {"W": array})
    with pytest.raises(WeightsError, match="net.mat': 'W' is of .*; parameters are float16, float32 or float64"):
        readers.read(path)


def test_weights_that_are_no_numbers_are_refused(path):
    cell = np.empty((1, 1), object)
    cell[0, 0] = "a text"
    scipy.io.savemat(path, {"layers": np.array([{"name": "conv", "weights": cell}]).reshape(1, -1)})
    with pytest.raises(WeightsError, match=r"'conv.weights\{1\}' is of .U6; parameters are"):
        readers.read(path)


def test_w10_two_layers_of_one_name(path):
    layer = {"name": "conv", "filters": FILTERS}
    scipy.io.savemat(path, {"layers": np.array([layer, layer]).reshape(1, -1)})
    with pytest.raises(WeightsError, match="holds 'conv.filters' twice"):
        readers.read(path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"MATLAB", b"MATLAB 5.0 MAT-file".ljust(128), b"\0" * 200])
def test_w3_what_is_no_such_file_is_named_by_its_first_bytes(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="'net.mat' is not a MATLAB 5 file .it starts with") as refused:
        readers.read(path)
    assert repr(content[:15]) in str(refused.value)


@pytest.mark.parametrize("file", [OLDER, NEWER])
def test_w5_cut_off_anywhere(path, file):
    """Behind a variable the file may end, and then it has fewer of them: their absence is the name map's to tell."""
    whole = file.read_bytes()
    for length in range(1, len(whole), 97):
        path.write_bytes(whole[:length])
        assert outcome(readers.read, path) == "refused" or len(readers.read(path)) < 13, length


@pytest.mark.parametrize("file", [OLDER, NEWER])
def test_w6_flipped_bits_are_read_or_refused(path, file):
    whole, rng, other = file.read_bytes(), np.random.default_rng(0), {}
    for _ in range(300):
        flipped = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        found = outcome(readers.read, path)
        if found not in ("read", "refused"):
            other[found.split(":")[0]] = found
    assert not other, other


def test_w16_numbers_that_are_none_are_counted(path):
    scipy.io.savemat(path, {"W": np.array([1, np.nan, np.inf])})
    with pytest.raises(WeightsError, match="'W' has 2 non-finite values"):
        readers.read(path)


def test_w23_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(WeightsError, match=r"^reading 'vgg_matconvnet.mat' needs scipy: pip install 'scratchnet\[weights\]'$"):
        readers.read(OLDER)
