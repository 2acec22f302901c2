"""What reading says beside the arrays: one note a file on what was converted, and after a refusal which file may serve instead."""

import sys
import warnings

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from scratchnet import models, readers
from scratchnet.errors import WeightsError
from scratchnet.layers import Dense
from scratchnet.network import Network


def save_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


OTHERS = {".npz": lambda path, arrays: np.savez(path, **arrays), ".h5": save_h5,
          ".safetensors": lambda path, arrays: save_file(arrays, path)}
MIXED = {"a": np.ones(3, np.float16), "b": np.ones(2, np.float64), "c": np.ones((2, 2), np.float32), "d": np.zeros(4, np.float64)}


def said(function, *args, **options):
    """(what it returns, [its warnings' texts])"""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        result = function(*args, **options)
    return result, [str(note.message) for note in noted]


# ---- W15: what was converted ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix", OTHERS)
def test_w15_one_note_a_file_says_all_that_is_converted(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    OTHERS[suffix](path, MIXED)
    arrays, notes = said(readers.read, path, into=np.dtype(np.float32))
    assert notes == [f"'net{suffix}': 1 of its arrays is in half precision, read as float32; "
                     "2 of its arrays are in double precision, rounded to the network's float32."]
    assert {name: array.dtype.name for name, array in arrays.items()} == {"a": "float32", "b": "float64", "c": "float32", "d": "float64"}


@pytest.mark.parametrize("suffix", OTHERS)
def test_w15_nothing_is_said_where_nothing_is_converted(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    OTHERS[suffix](path, {name: array for name, array in MIXED.items() if name != "a"})
    assert said(readers.read, path)[1] == said(readers.read, path, into=np.dtype(np.float64))[1] == []
    assert said(readers.read, path, into=np.dtype(np.float32), wanted=lambda name: name == "c")[1] == []


def test_w15_the_note_points_to_who_asked(tmp_path):
    np.savez(tmp_path / "net.npz", **MIXED)
    with pytest.warns(UserWarning, match="half precision") as noted:
        readers.read(tmp_path / "net.npz")
    assert [note.filename for note in noted] == [__file__]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_w15_a_network_says_so_of_a_users_file_and_not_of_its_own(tmp_path, dtype):
    net = Network({"fc": Dense(3, 2)})
    arrays = {name: array.astype(dtype) for name, array in net.params.items()}
    np.savez(tmp_path / "theirs.npz", **arrays)
    readers.save(tmp_path / "ours.npz", arrays)
    _, notes = said(net.load, tmp_path / "theirs.npz")
    assert len(notes) == 1 and notes[0].startswith("'theirs.npz': 2 of its arrays are in ")
    assert said(net.load, tmp_path / "ours.npz")[1] == []
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}


def test_w15_a_network_in_double_precision_rounds_nothing(tmp_path):
    net = Network({"fc": Dense(3, 2)}).astype(np.float64)
    np.savez(tmp_path / "net.npz", **net.params)
    assert said(net.load, tmp_path / "net.npz")[1] == []


def test_w15_of_the_network_that_ships_nothing_is_said():
    assert said(models.small_vgg)[1] == []


def test_w15_decimals_in_texts_are_no_double_precision(tmp_path):
    (tmp_path / "conv1_b.csv").write_text("0.5,1\n")
    assert said(readers.read, tmp_path, into=np.dtype(np.float32))[1] == []


# ---- W5: what may serve instead ------------------------------------------------------------------------------------------

def cut_off(path, length=200):
    """A whole file that lost its end."""
    readers.save(path, MIXED)
    path.write_bytes(path.read_bytes()[:length])
    return path


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
@pytest.mark.parametrize("length", [0, 200])
@pytest.mark.parametrize("name, others, named", [
    ("net.npz", ["net.npz.bak"], "net.npz.bak"), ("net.npz", ["net.bak", "old.npz"], "net.bak"),
    ("net_300.npz", ["net_100.npz", "net_200.npz", "net_400.npz", "net_250.pth", "other_250.npz"], "net_200.npz"),
    ("ck-0010.npz", ["ck-0009.npz", "ck-0002.npz"], "ck-0009.npz"), ("ck-10.npz", ["ck-9.npz", "ck-10.npz.bak"], "ck-10.npz.bak")])
def test_w5_a_copy_or_the_checkpoint_before_is_named(tmp_path, read, length, name, others, named):
    path = cut_off(tmp_path / name, length)
    for other in others:
        readers.save(tmp_path / other, MIXED)
    with pytest.raises(WeightsError, match=f"'{name}' is (cut off|empty).* Beside it lies '{named}', which may be whole.$"):
        read(path)
    assert readers.read(tmp_path / named).keys() == MIXED.keys()


@pytest.mark.parametrize("name, others", [("net.npz", ["other.npz.bak"]), ("vgg19.npz", ["vgg16.npz"]), ("net_1.npz", ["net_2.npz"]),
                                          ("net.bak", []), ("net_2.npz", ["net_x1.npz"])])
def test_w5_another_network_is_no_earlier_one(tmp_path, name, others):
    for other in others:
        readers.save(tmp_path / other, MIXED)
    with pytest.raises(WeightsError, match=f"'{name}' is cut off") as refused:
        readers.read(cut_off(tmp_path / name))
    assert "Beside" not in str(refused.value)


def test_w5_a_missing_package_is_no_reason_for_another_file(tmp_path, monkeypatch):
    save_h5(tmp_path / "net.h5", MIXED)
    readers.save(tmp_path / "net.h5.bak", MIXED)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match="needs h5py.*'$"):
        readers.read(tmp_path / "net.h5")
