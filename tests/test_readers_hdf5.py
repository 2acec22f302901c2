"""Keras's files from strangers: arrays are read as h5py wrote them; links, bombs, damage and everything else are refused in words.

The ids in the names of the tests are those of the table of fault cases.
"""

import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from scratchnet.readers import apart
from tests.test_readers import outcome

KERAS = Path(__file__).with_name("reference") / "formats" / "vgg_keras.h5"
KERNEL = np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.h5"


def write(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def test_every_dataset_under_its_own_name():
    arrays = readers.read(KERAS)
    with h5py.File(KERAS) as file:
        assert list(arrays) == [f"{layer}/{name}" for layer in file for name in file[layer]]
        assert all(np.array_equal(file[name], array) for name, array in arrays.items())
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)} and readers.read_notes(KERAS) == {}


@pytest.mark.parametrize("name", ["weights", "weights.bin", "net.hdf5", "net.pth", "net.npz"])
def test_it_is_known_by_its_first_bytes_under_another_name(tmp_path, name):
    (tmp_path / name).write_bytes(KERAS.read_bytes())
    assert readers.read(tmp_path / name).keys() == readers.read(KERAS).keys()


@pytest.mark.parametrize("how", [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}, {"chunks": (2, 3, 3, 1)},
                                 {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (2, 2, 2, 2)}])
def test_plain_and_packed_arrays(path, how):
    write(path, lambda file: file.create_dataset("layer/kernel:0", data=KERNEL, **how))
    assert np.array_equal(readers.read(path)["layer/kernel:0"], KERNEL)


def test_what_cannot_be_packed_is_stored_plain_by_hdf5_and_read(path):
    noise = np.random.default_rng(0).standard_normal(5000)
    write(path, lambda file: file.create_dataset("x", data=noise, compression="gzip"))
    assert np.array_equal(readers.read(path)["x"], noise)


@pytest.mark.parametrize("array", [np.float32(2.5), np.zeros((0, 3), np.float32), np.ones((1, 1, 1, 1))])
def test_a_number_alone_and_an_empty_array_keep_their_shape(path, array):
    write(path, lambda file: file.create_dataset("x", data=array))
    assert readers.read(path)["x"].shape == np.shape(array)


@pytest.mark.parametrize("stored, read", [("<f2", "float32"), (">f4", "float32"), ("<f8", "float64"), (">f8", "float64")])
def test_w15_kinds_of_float_are_converted(path, stored, read):
    write(path, lambda file: file.create_dataset("W", data=np.array([1.5, -2], stored)))
    W = readers.read(path)["W"]
    assert W.tolist() == [1.5, -2] and W.dtype == read and W.dtype.isnative and W.flags.writeable


@pytest.mark.parametrize("array", [np.array([1, 2]), np.array([1j]), np.array([True]), np.zeros(2, [("a", "<f4")]), np.zeros(2, "S3")],
                         ids=["whole", "complex", "truth", "record", "text"])
def test_w15_other_kinds_of_number_are_refused(path, array):
    write(path, lambda file: file.create_dataset("W", data=array))
    with pytest.raises(WeightsError, match="net.h5': 'W' is of .*; parameters are float16, float32 or float64"):
        readers.read(path)


def test_w15_whole_numbers_where_they_are_asked_for(path):
    write(path, lambda file: file.create_dataset("t", data=np.array([1, 2])))
    assert readers.read(path, kinds="fiu")["t"].tolist() == [1, 2]


@pytest.mark.parametrize("fill", [
    lambda file: file.create_dataset("W", data=["a", "b"]),
    lambda file: file.create_dataset("W", (2,), h5py.ref_dtype),
    lambda file: file.create_dataset("W", (2,), h5py.vlen_dtype(np.float32)),
    lambda file: file.create_dataset("W", data=h5py.Empty("f"))], ids=["text", "references", "lengths that vary", "no shape"])
def test_w2_what_is_no_plain_array_is_refused(path, fill):
    write(path, fill)
    with pytest.raises(WeightsError, match="'W' is of .*not an array of numbers"):
        readers.read(path)


def test_w23b_a_models_description_is_never_acted_on(path):
    """A whole saved model: its class names and Lambda layers lie in attributes, what its optimiser remembers in a group."""
    def fill(file):
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAA", null, null]}}'
        file["model_weights/conv/kernel:0"] = KERNEL
        file["optimizer_weights/iteration:0"] = np.int64(7)
    assert list(readers.read(write(path, fill))) == ["model_weights/conv/kernel:0"]


def soft(file):
    file["W"], file["again"] = KERNEL, h5py.SoftLink("/W")


def external(file):
    file["layer/W"] = h5py.ExternalLink("/etc/hostname", "/x")


def virtual(file):
    layout = h5py.VirtualLayout((3, 3, 3, 2), np.float32)
    layout[:] = h5py.VirtualSource("elsewhere.h5", "W", (3, 3, 3, 2))
    file.create_virtual_dataset("W", layout)


def outside(file):
    file.create_dataset("W", (4,), np.float32, external=[("/etc/hostname", 0, 16)])


def circle(file):
    file["a/W"] = KERNEL
    file["a/b"] = file["a"]


def tree_of_twins(file):
    """Sixty groups, each held twice by the one above: 2^60 ways to walk."""
    group = file
    for _ in range(60):
        below = group.create_group("left")
        group["right"] = below
        group = below


@pytest.mark.parametrize("fill, words", [
    (soft, "'again' is a link to elsewhere .SoftLink."), (external, "'layer/W' is a link to elsewhere .ExternalLink."),
    (virtual, "'W' lies in another file"), (outside, "'W' lies in another file"),
    (circle, "the group 'a/b/' is held twice"), (tree_of_twins, "is held twice, or too deep")])
def test_w11_what_is_not_wholly_in_the_file_is_refused(path, fill, words):
    write(path, fill)
    with pytest.raises(WeightsError, match=words):
        readers.read(path)


def test_w7_more_than_is_expected_is_refused_before_memory_is_taken(path):
    write(path, lambda file: file.create_dataset("W", (1000, 1000, 100), np.float32, chunks=(1000, 1000, 1), compression="gzip"))
    assert _peak(path, "says it holds 381 MB; at most 1 MB", expect={"W": (10, 10)}) < 2 ** 20


@pytest.mark.parametrize("how", [{}, {"chunks": (100,)}, {"chunks": (100,), "compression": "gzip"}])
def test_w7_more_than_is_stored(path, how):
    """HDF5 fills in zeros for what was never written."""
    write(path, lambda file: file.create_dataset("W", (1_000_000,), np.float32, **how))
    assert _peak(path, "'W' claims shape .1000000,., which is not what is stored") < 2 ** 20


def test_w8_a_bomb_in_a_chunk(path):
    """A chunk that says 4 kB and unpacks to 3 MB: HDF5 itself would follow it to its end."""
    def fill(file):
        dataset = file.create_dataset("W", (1000,), np.float32, chunks=(1000,), compression="gzip")
        dataset.id.write_direct_chunk((0,), zlib.compress(bytes(3 * 10 ** 6), 9))
    write(path, fill)
    assert _peak(path, "'W' unpacks to more than it claims") < 2 ** 20


def test_w8_a_chunk_far_longer_than_it_should_be(path):
    def fill(file):
        dataset = file.create_dataset("W", (1000,), np.float32, chunks=(1000,), compression="gzip")
        dataset.id.write_direct_chunk((0,), bytes(10 ** 6))
    write(path, fill)
    assert _peak(path, "'W' has a part of 1000000 bytes where 4000 are expected") < 2 ** 20


def test_w8_a_way_of_packing_that_is_not_checked_here(path):
    write(path, lambda file: file.create_dataset("W", data=KERNEL, compression="lzf"))
    with pytest.raises(WeightsError, match="'W' is packed in a way that is not read here"):
        readers.read(path)


def _peak(path, words, **options):
    """The memory that the refusal took."""
    tracemalloc.start()
    with pytest.raises(WeightsError, match=words):
        readers.read(path, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", ["vgg_19.ckpt", "model.ckpt-1000.index", "model.ckpt.data-00000-of-00001"])
def test_w23b_a_checkpoint_of_tensorflow_is_named_with_a_way_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x00\x0a\x08\x01\x12\x04")
    with pytest.raises(WeightsError, match=f"'{name}' looks like a checkpoint of TensorFlow, .*save_weights"):
        readers.read(tmp_path / name)


def test_w3_a_web_page(path):
    path.write_bytes(b"<!DOCTYPE html><html>")
    with pytest.raises(WeightsError, match="'net.h5' is not an HDF5 file .it starts with b'<!DOCTYPE html>'"):
        readers.read(path)


def test_w4_an_empty_file(path):
    path.touch()
    with pytest.raises(WeightsError, match="'net.h5' is empty .0 bytes."):
        readers.read(path)


def test_w5_cut_off_anywhere(path):
    whole = KERAS.read_bytes()
    for length in (1, 8, 100, 600, *range(2000, len(whole), 3001), len(whole) - 1):            # few: each takes a process
        path.write_bytes(whole[:length])
        assert outcome(readers.read, path) == "refused", length


def test_w6_flipped_bits_are_read_or_refused(path):
    whole, rng, other = KERAS.read_bytes(), np.random.default_rng(0), {}
    for _ in range(30):                                               # few: each takes a process
        flipped = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        found = outcome(readers.read, path)
        if found not in ("read", "refused"):
            other[found.split(":")[0]] = found
    assert not other, other


def test_w16_numbers_that_are_none_are_counted(path):
    write(path, lambda file: file.create_dataset("a/W", data=np.array([1, np.nan, np.inf])))
    with pytest.raises(WeightsError, match="'a/W' has 2 non-finite values"):
        readers.read(path)


# ---- the process that reads ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("child", ["import os; os.abort()", "print('hello')", "print('[1]' * 30000)", "print([1])", "", "raise OSError",
                                   """print('{"name": "W", "shape": [1000], "dtype": "<f4", "stored": "<f4"}\\nxyz')"""])
def test_w5_a_library_that_crashes_takes_nobody_with_it(monkeypatch, child):
    monkeypatch.setattr(apart, "CHILD", child)
    with pytest.raises(WeightsError, match="'vgg_keras.h5' is damaged .the HDF5 library crashed over it, or did not come to an end"):
        readers.read(KERAS)


def test_w5_a_library_that_does_not_come_to_an_end_is_stopped(monkeypatch):
    monkeypatch.setattr(apart, "CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(apart, "SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(WeightsError, match="or did not come to an end"):
        readers.read(KERAS)
    assert time.monotonic() - start < 20


def test_w8_arrays_that_were_never_announced_are_not_taken_from_it(monkeypatch):
    monkeypatch.setattr(apart, "CHILD", """print('{"name": "W", "shape": [1000000000], "dtype": "<f8", "stored": "<f8"}')""")
    assert _peak(KERAS, "says it holds 7629 MB", max_bytes=2 ** 20) < 2 ** 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on memory")
def test_w8_memory_beyond_the_arrays_is_refused_by_the_system():
    code = ("from scratchnet.readers.apart import little_memory; import numpy as np; little_memory(2 ** 20); np.ones(2 ** 22)\n"
            "try: np.ones(2 ** 27)\nexcept MemoryError: print('refused')")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "refused"


def test_w23_without_h5py_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match=r"^reading 'vgg_keras.h5' needs h5py: pip install 'scratchnet\[weights\]'$"):
        readers.read(KERAS)
