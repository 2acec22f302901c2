"""The .safetensors files that the library writes, and files whose list of arrays lies.

The ids in the names of the tests are those of the table of fault cases.
"""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from scratchnet.readers.safetensors import MAX_HEADER
from tests.torch_files import REFERENCE, cost, outcome

FILE = REFERENCE / "torch.safetensors"
SIX = struct.pack("<6f", 0, 1, 2, 3, 4, 5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vgg.safetensors"


def entry(shape=(2, 3), offsets=(0, 24), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def write(path, entries, data=SIX, length=None):
    """A file from {name: entry}, or from the text of its list."""
    text = (entries if isinstance(entries, str) else json.dumps(entries)).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


# ---- what is good --------------------------------------------------------------------------------------------------------

def test_what_the_library_wrote_is_what_pytorch_says():
    with pytest.warns(UserWarning) as noted:
        arrays = readers.read(FILE)
    assert [str(note.message) for note in noted] == ["'torch.safetensors': 3 of its arrays are in half precision, read as float32."]
    with np.load(REFERENCE / "torch_files.npz") as truth:
        assert arrays.keys() == set(truth.files)
        for key, array in arrays.items():
            assert array.dtype == truth[key].dtype and array.shape == truth[key].shape and np.array_equal(array, truth[key]), key
            assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned, key


def test_w15_the_counter_of_batches_comes_only_with_whole_numbers():
    with pytest.warns(UserWarning):
        arrays = readers.read(FILE, kinds="fiu")
    assert len(arrays) == 21 and arrays["features.1.num_batches_tracked"] == 1


@pytest.mark.parametrize("called", ["weights", "weights.bin", "weights.pth", "weights.npz"])
def test_a_file_is_known_by_its_first_bytes(tmp_path, called):
    write(tmp_path / called, {"W": entry()})
    assert readers.read(tmp_path / called)["W"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert readers.read_notes(tmp_path / called) == {}


def test_a_list_whose_length_begins_like_a_pickle_is_a_list(path):
    text = json.dumps({"W": entry()}).ljust(0x280)
    write(path, text)
    assert path.read_bytes().startswith(b"\x80\x02") and list(readers.read(path)) == ["W"]


@pytest.mark.parametrize("bits", [0x0000, 0x8000, 0x3f80, 0xbfc0, 0x0001, 0x7f7f])
def test_w30_a_bfloat16_is_the_upper_half_of_a_float32(path, bits):
    write(path, {"x": entry((), (0, 2), "BF16")}, struct.pack("<H", bits))
    with pytest.warns(UserWarning, match="half precision"):
        assert readers.read(path)["x"].tobytes() == struct.pack("<HH", 0, bits)


# ---- W23 -----------------------------------------------------------------------------------------------------------------

def test_w23_without_the_library_its_extra_is_named_and_nothing_else_is_tried(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(WeightsError) as refused:
        readers.read(FILE)
    assert str(refused.value) == "reading 'torch.safetensors' needs safetensors: pip install 'scratchnet[weights]'"


def test_w23_the_library_is_imported_for_no_other_file():
    code = "import sys; from scratchnet import readers; readers.read(sys.argv[1]); print('safetensors' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, str(REFERENCE / "torch_parameters.pth")], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


# ---- what is refused -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [MAX_HEADER + 1, 10 ** 8, 2 ** 40, 2 ** 63, 2 ** 64 - 1])
def test_w7_a_header_bomb_is_refused_before_it_is_read(path, length):
    write(path, {"W": entry()}, length=length)
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
    with pytest.raises(WeightsError, match=f"'vgg.safetensors' is not a .safetensors file of a network .* a list of {length} bytes"):
        readers.read(path)


BOMBS = {"lists": '{"a":' + "[" * 900_000, "numbers": '{"a":' + "9" * 900_000, "dicts": '{"a":{' * 100_000,
         "empty lists": '{"a":[' + "[]," * 300_000 + "[]]}", "names": "{" + ",".join(f'"{i}":1' for i in range(90_000)) + "}",
         "axes": json.dumps({"W": entry([2] * 200_000)}), "one name": "{" + ",".join(['"a":1'] * 150_000) + "}",
         "two names, the last twice": "{" + ",".join(f'"{i}":1' for i in [*range(90_000), 89_999]) + "}"}


@pytest.mark.parametrize("bomb", BOMBS)
def test_w7_lists_of_a_megabyte_cost_little(path, bomb):
    assert len(BOMBS[bomb]) < MAX_HEADER
    write(path, BOMBS[bomb])
    found, peak, seconds = cost(path)
    assert found == "refused" and peak < 60 and seconds < 10, (peak, seconds)


@pytest.mark.parametrize("wrong, word", [
    (entry((2, 4)), "needs 32 bytes"), (entry((10 ** 9, 10 ** 6)), "needs 4000000000000000 bytes"), (entry((2 ** 62, 8)), "needs"),
    (entry((2, 3), (0, 25)), "needs 24 bytes"), (entry((2, 3), (24, 0)), "needs 24"), (entry((2, 3), (4, 28)), "ends at byte 28 of 24"),
    (entry((2, 3), (10 ** 30, 10 ** 30 + 24)), "ends at byte"), (entry((2, 3), ()), "needs 24"), (entry((2, 3), (0, 8, 24)), "needs 24"),
    (entry((-2, -3)), "a shape or offsets that are none"), (entry((2, 3), (-24, 0)), "a shape or offsets that are none"),
    (entry((2.0, 3)), "a shape or offsets that are none"), (entry((True, 6)), "a shape or offsets that are none"),
    (entry([1] * 33 + [6]), "a shape or offsets that are none"), (entry(more=1), "listed in an unknown way"),
    ({}, "listed in an unknown way"),
    (7, "listed in an unknown way"), (None, "listed in an unknown way"), ({**entry(), "shape": "23"}, "a shape or offsets that are none")])
def test_w7_w9_w26_entries_that_claim_what_is_not_there(path, wrong, word):
    write(path, {"W": wrong})
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
    with pytest.raises(WeightsError, match=f"'vgg.safetensors': 'W' .*{word}"):
        readers.read(path)


@pytest.mark.parametrize("entries, data", [
    ({"W": entry(), "b": entry()}, SIX), ({"W": entry((1,), (0, 4)), "b": entry((1,), (8, 12))}, SIX[:12]),
    ({"W": entry()}, SIX + bytes(4)), ({"W": entry((5,), (4, 24))}, SIX)])
def test_w26_arrays_that_overlap_or_leave_gaps_are_refused_by_the_library(path, entries, data):
    write(path, entries, data)
    with pytest.raises(WeightsError, match="'vgg.safetensors' is damaged .*Get the file again"):
        readers.read(path)


def test_w10_a_name_twice(path):
    write(path, f'{{"W": {json.dumps(entry())}, "W": {json.dumps(entry())}}}')
    with pytest.raises(WeightsError, match="'vgg.safetensors' holds 'W' twice. Refused: which one is meant"):
        readers.read(path)


def test_w8_no_more_than_the_caller_expects(path):
    write(path, {"W": entry((10 ** 6,), (0, 4 * 10 ** 6))}, bytes(4 * 10 ** 6))
    with pytest.raises(WeightsError, match="'vgg.safetensors' says it holds 4 MB; at most 1 MB are taken. Refused before reading"):
        readers.read(path, expect={"W": (10,)})
    assert readers.read(path, expect={"W": (10 ** 6,)})["W"].shape == (10 ** 6,)


@pytest.mark.parametrize("kind, size", [("I64", 8), ("I32", 4), ("U8", 1), ("BOOL", 1), ("C64", 8), ("F8_E4M3", 1), ("F128", 16),
                                        ("X" * 99, 1)])
def test_w15_other_kinds_of_number_are_refused(path, kind, size):
    write(path, {"W": entry((1,), (0, size), kind)}, bytes(size))
    with pytest.raises(WeightsError, match="'vgg.safetensors': 'W' is of .{1,40}; parameters are float16, float32 or float64"):
        readers.read(path)


@pytest.mark.parametrize("kind, code", [("F64", "d"), ("F32", "f"), ("F16", "e")])
def test_w16_numbers_that_are_none_are_counted(path, kind, code):
    data = struct.pack(f"<4{code}", 1, np.nan, -np.inf, 2)
    write(path, {"conv4_1.W": entry((4,), (0, len(data)), kind)}, data)
    with pytest.raises(WeightsError, match="'vgg.safetensors': 'conv4_1.W' has 2 non-finite values"):
        readers.read(path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"version https://git-lfs", b"P", b"\x00" * 20, b"12345678{"])
def test_w3_what_is_no_such_file_is_named_by_its_first_bytes(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="'vgg.safetensors' is (not a .safetensors file|cut off)"):
        readers.read(path)


def test_w5_cut_off_anywhere(path):
    complete = FILE.read_bytes()
    for length in range(1, len(complete), 7):
        path.write_bytes(complete[:length])
        assert outcome(path) == "refused", length
    with pytest.raises(WeightsError, match="the file is cut off. Get it again"):
        path.write_bytes(complete[:-1])
        readers.read(path)


def test_reading_takes_little_more_memory_than_the_arrays(path):
    write(path, {"W": entry((8 * 2 ** 20,), (0, 32 * 2 ** 20))}, bytes(32 * 2 ** 20))
    found, peak, _ = cost(path)
    assert found == "read" and peak < 1.3 * 32
