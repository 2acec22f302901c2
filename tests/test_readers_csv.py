"""A folder of .csv files, one array each: as OpenFace's nn4.small2 is handed out, and as strangers may have filled it.

The ids in the names of the tests are those of the table of fault cases.
"""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from tests.test_readers import outcome

FORMATS = Path(__file__).with_name("reference") / "formats"
with np.load(FORMATS / "answers.npz") as file:
    ARRAYS = {name.removeprefix("nn4/"): file[name] for name in file.files if name.startswith("nn4/")}
SHAPES = {name: array.shape for name, array in ARRAYS.items()}


def folder(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def test_the_shape_is_the_callers():
    arrays = readers.read(FORMATS / "nn4", SHAPES)
    assert sorted(arrays) == sorted(ARRAYS) and readers.read_notes(FORMATS / "nn4") == {}
    assert all(np.array_equal(arrays[name].astype(np.float32), array) for name, array in ARRAYS.items())


def test_without_a_shape_arrays_are_flat():
    arrays = readers.read(FORMATS / "nn4")
    assert all(np.array_equal(arrays[name].astype(np.float32), array.ravel()) for name, array in ARRAYS.items())


@pytest.mark.parametrize("text", ["1,2.5,-3e-2", "1,2.5,-3e-2\n", "1, 2.5, -3e-2 ,\r\n", "1\n2.5\n-3e-2\n"])
def test_a_row_or_a_column(tmp_path, text):
    assert readers.read(folder(tmp_path, W=text))["W"].tolist() == [1, 2.5, -0.03]


def test_other_files_and_folders_are_none_of_it(tmp_path):
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "more.csv").mkdir()
    assert list(readers.read(folder(tmp_path, W="1"))) == ["W"]


def test_w12_a_missing_file_is_missing(tmp_path):
    assert list(readers.read(folder(tmp_path, a="1"), {"a": (1,), "b": (1,)})) == ["a"]


def test_w13_another_number_of_numbers(tmp_path):
    with pytest.raises(WeightsError, match=r"'conv1_w.csv' holds 3 numbers, expected 4, of shape \(2, 2\)"):
        readers.read(folder(tmp_path, conv1_w="1,2,3"), {"conv1_w": (2, 2)})


def test_w7_more_numbers_than_are_expected_are_not_read(tmp_path):
    folder(tmp_path, W="0," * 1_000_000 + "0")
    tracemalloc.start()
    with pytest.raises(WeightsError, match="says it holds 8 MB; at most 1 MB"):
        readers.read(tmp_path, {"W": (10,)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2 ** 20                                        # the text, not the numbers


def test_w8_long_texts_are_refused_unopened(tmp_path):
    with open(tmp_path / "W.csv", "wb") as file:
        file.truncate(2 ** 33)                                        # 8 GB of nothing
    tracemalloc.start()
    with pytest.raises(WeightsError, match="says it holds 2048 MB; at most 1 MB"):
        readers.read(tmp_path, {"W": (10,)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 ** 20


@pytest.mark.parametrize("text", ["<!DOCTYPE html>", "1,,2", "1,x", "1,2\n3", "1;2", b"\xff\xfe1", b"PK\x03\x04", "None", "1,2,0x10", ","])
def test_w3_what_is_no_row_of_numbers_is_refused_by_name(tmp_path, text):
    with pytest.raises(WeightsError, match="'W.csv' is damaged|holds nothing"):
        readers.read(folder(tmp_path, W=text))


def test_w4_an_empty_file(tmp_path):
    with pytest.raises(WeightsError, match="'W.csv' is empty .0 bytes."):
        readers.read(folder(tmp_path, W=""))


def test_w5_cut_off_shows_when_the_shape_is_known(tmp_path):
    whole = (FORMATS / "nn4" / "conv1_w.csv").read_text()
    for length in range(1, len(whole) - 20, 101):
        folder(tmp_path, conv1_w=whole[:length])
        assert outcome(lambda path: readers.read(path, SHAPES), tmp_path) == "refused"


@pytest.mark.parametrize("text", ["1,nan", "inf,2", "1,1e999"])
def test_w16_numbers_that_are_none(tmp_path, text):
    with pytest.raises(WeightsError, match="'W.csv' has 1 non-finite values"):
        readers.read(folder(tmp_path, W=text))


def test_a_folder_without_such_files_is_no_file(tmp_path):
    with pytest.raises(WeightsError, match="is a folder; give one file of weights, or a folder of .csv files"):
        readers.read(tmp_path)
