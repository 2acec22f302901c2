"""Files of parameters from strangers: damaged, planted, lying about their size. They are read, or refused in words; nothing else.

The ids in the names of the tests are those of the table of fault cases.
"""

import io
import json
import os
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from scratchnet.readers import npz

ARRAYS = {"conv1.W": np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2), "conv1.b": np.array([0.5, -0.5]), "größe": np.ones(2, np.float32)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


def npy(array):
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array))
    return file.getvalue()


def claim(shape, descr="'<f4'", data=b"", header=None):
    """A .npy whose header says whatever we like."""
    header = (header or f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def write(path, members, compression=zipfile.ZIP_STORED):
    """An .npz from {member: bytes}, or pairs of them."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, data)
    return path


def outcome(read, path):
    """What reading comes to: "read", "refused", or the name of an error that should not get out."""
    try:
        read(path)
        return "read"
    except WeightsError as e:
        return "refused" if path.name in str(e) and "pickle" not in str(e) else f"words without the file's name, or with bad advice: {e}"
    except Exception as e:
        return f"{type(e).__name__}: {e}"


# ---- what is good --------------------------------------------------------------------------------------------------------

def test_what_is_saved_is_read(path):
    readers.save(path, ARRAYS)
    arrays = readers.read(path)
    assert arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(arrays[name], array) and arrays[name].dtype == array.dtype for name, array in ARRAYS.items())


def test_what_is_saved_is_an_npz_that_numpy_reads(path):
    readers.save(path, ARRAYS, {"made for": "pictures"})
    with np.load(path) as file:
        assert np.array_equal(file["conv1.W"], ARRAYS["conv1.W"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saves_is_read(path, save):
    save(path, **ARRAYS)
    arrays = readers.read(path)
    assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 1, 1, 1)])
def test_a_number_alone_and_an_empty_array_keep_their_shape(path, shape):
    readers.save(path, {"x": np.ones(shape)})
    assert readers.read(path)["x"].shape == shape


def test_notes_travel_with_the_arrays_and_are_none_of_them(path):
    readers.save(path, ARRAYS, {"order": "BGR", "mean": [1.5, 2]})
    assert readers.read_notes(path) == {"format": 1, "order": "BGR", "mean": [1.5, 2]}
    assert readers.read(path).keys() == ARRAYS.keys()


def test_a_file_of_others_has_no_notes(path):
    np.savez(path, **ARRAYS)
    assert readers.read_notes(path) == {}


@pytest.mark.parametrize("name", ["file", "self", "args", "arr_0"])
def test_w19_no_name_is_reserved_by_numpy(path, name):
    readers.save(path, {name: np.ones(2)})
    assert list(readers.read(path)) == [name]


def test_w19_the_name_of_the_notes_is_not_lost_in_silence(path):
    try:
        readers.save(path, {npz.NOTES: np.ones(2)})
    except WeightsError:
        return
    assert npz.NOTES in readers.read(path)


def test_w15_whole_numbers_are_stored_and_read_only_where_they_are_asked_for(path):
    readers.save(path, {"t": np.array(7), "x": np.ones(2)})
    arrays = readers.read(path, kinds="fiu")
    assert arrays["t"] == 7 and arrays["t"].shape == () and arrays["t"].dtype == np.int64
    with pytest.raises(WeightsError, match="'t' is of int64; parameters are"):
        readers.read(path)


@pytest.mark.parametrize("stored, read", [("<f4", "float32"), (">f4", "float32"), ("<f2", "float32"),
                                          ("<f8", "float64"), (">f8", "float64")])
def test_w15_kinds_of_float_are_converted(path, stored, read):
    write(path, {"W.npy": npy(np.array([1.5, -2], stored))})
    W = readers.read(path)["W"]
    assert W.tolist() == [1.5, -2] and W.dtype == read and W.dtype.isnative


def test_w15_fortran_order_comes_out_right(path):
    W = np.asfortranarray(ARRAYS["conv1.W"])
    np.savez(path, W=W)
    assert np.array_equal(readers.read(path)["W"], W) and readers.read(path)["W"].flags.c_contiguous


# ---- what is refused -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("array", [np.array([1, 2]), np.array([1j]), np.array([True]), np.array(["a"]), np.zeros(2, [("a", "<f4")])],
                         ids=["whole", "complex", "truth", "text", "record"])
def test_w15_other_kinds_of_number_are_refused(path, array):
    write(path, {"W.npy": npy(array)})
    with pytest.raises(WeightsError, match="net.npz': 'W' is of .*; parameters are float16, float32 or float64"):
        readers.read(path)


def test_w15_a_long_double_that_fits_no_float64_is_refused(path):
    write(path, {"W.npy": npy(np.array([np.finfo(np.longdouble).max]))})
    assert outcome(readers.read, path) == "refused"


class Planted:
    """Leaves a mark when it is unpickled."""

    mark = "was_run"

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
def test_w2_a_planted_object_is_refused_and_never_run(path, monkeypatch, read):
    monkeypatch.chdir(path.parent)
    planted = np.empty(1, object)
    planted[0] = Planted()
    write(path, {"W.npy": npy(planted), f"{npz.NOTES}.npy": npy(planted)})
    assert outcome(read, path) == "refused" and not os.path.exists(Planted.mark)


def test_w2_the_member_with_objects_is_named(path):
    write(path, {"W.npy": npy(np.array([{}]))})
    with pytest.raises(WeightsError, match="'W' holds Python objects.*nothing was run"):
        readers.read(path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"version https://git-lfs.github.com/spec/v1", b"P", b"\x93NUMPY"])
def test_w3_what_is_no_archive_is_named_by_its_first_bytes(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="'net.npz' is not an .npz archive .it starts with") as refused:
        readers.read(path)
    assert repr(content[:15]) in str(refused.value) and "allow_pickle" not in str(refused.value)


def test_w4_an_empty_file(path):
    path.touch()
    with pytest.raises(WeightsError, match="'net.npz' is empty .0 bytes.: an interrupted save or download"):
        readers.read(path)


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
def test_w5_cut_off_anywhere(path, read):
    readers.save(path, ARRAYS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert outcome(read, path) == "refused", length


def test_w5_cut_off_says_so(path):
    readers.save(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WeightsError, match="'net.npz' is cut off"):
        readers.read(path)


def test_w6_a_damaged_member_is_named(path):
    readers.save(path, ARRAYS)
    damaged = path.read_bytes().replace(ARRAYS["conv1.W"].tobytes()[40:80], bytes(40))
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="'conv1.W' is damaged"):
        readers.read(path)


SAVES = {"ours": lambda path: readers.save(path, ARRAYS, {"order": "BGR"}), "numpy's": lambda path: np.savez(path, **ARRAYS),
         "compressed": lambda path: np.savez_compressed(path, **ARRAYS)}


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
@pytest.mark.parametrize("save", SAVES)
def test_w6_flipped_bits_are_read_or_refused(path, save, read):
    SAVES[save](path)
    whole, rng, other = path.read_bytes(), np.random.default_rng(0), {}
    for _ in range(200):
        flipped = bytearray(whole)
        for place in rng.integers(len(whole), size=rng.integers(1, 4)):
            flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        found = outcome(read, path)
        if found not in ("read", "refused"):
            other[found.split(":")[0]] = found
    assert not other, other


@pytest.mark.parametrize("byte, meaning", [(6, "encrypted"), (8, "packed by an unknown method")])
@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
def test_w6_members_that_need_a_password_or_another_unpacker(path, read, byte, meaning):
    readers.save(path, ARRAYS)
    whole = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", byte), (b"PK\x01\x02", byte + 2)):       # every local and every central header
        start = whole.find(signature)
        while start >= 0:
            whole[start + at] |= 1 if byte == 6 else 99
            start = whole.find(signature, start + 4)
    path.write_bytes(whole)
    assert outcome(read, path) == "refused", meaning


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_w8_ways_of_packing_that_unpack_without_a_limit_are_refused(path, compression):
    write(path, {"W.npy": npy(np.ones(2))}, compression)
    with pytest.raises(WeightsError, match="'W' is encrypted, or packed in a way that NumPy never uses"):
        readers.read(path)


HEADERS = {
    "w7 more than is stored": claim("(1000000000, 1000000)"), "w7 a little more": claim("(3,)", data=bytes(8)),
    "w7 a little less": claim("(1,)", data=bytes(8)), "w9 negative": claim("(-1,)"), "w9 negative and empty": claim("(0, -1)"),
    "w9 overflowing": claim("(4294967296, 4294967296)"), "w9 empty and overflowing": claim(f"(0, {10 ** 30})"),
    "shape of truth values": claim("(True,)", data=bytes(4)), "shape of floats": claim("(1.0,)", data=bytes(4)),
    "no numpy": b"hello", "nothing": b"", "version 9": b"\x93NUMPY\x09\x00" + bytes(20), "not a dict": claim(0, header="[1, 2]"),
    "other keys": claim(0, header="{1: 1, 'a': 2}"), "keys that are none": claim(0, header="{[]: 1}"),
    "a key more": claim(0, header="{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'a': 1}", data=bytes(4)),
    "an order that is none": claim(0, header="{'descr': '<f4', 'fortran_order': [1], 'shape': (1,)}", data=bytes(4)),
    "parentheses": claim(0, header="(" * 9000), "signs": claim(0, header="-" * 9000 + "1"),
    "short parentheses": claim(0, header="(" * 4000), "short signs": claim(0, header="-" * 4000 + "1"),
    "a header beyond numpy's limit": claim(0, header="{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" + 20000 * " "),
    "a kind that is none": claim("(1,)", descr="[[]]", data=bytes(4)), "a huge kind": claim("(1,)", descr=f"('<f4', (2, {10 ** 30}))"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_lie_are_refused_before_memory_is_taken(path, case):
    write(path, {"W.npy": HEADERS[case]})
    tracemalloc.start()
    found = outcome(readers.read, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == "refused" and peak < 50 * 2 ** 20


NOTES = {
    "a bomb": claim("(1000000000, 1000000)", descr="'<U1'"), "empty and overflowing": claim(f"(0, {10 ** 30})", descr="'<U1'"),
    "no json": npy(np.array("{")), "deeply nested": npy(np.array("[" * 100_000)), "no dict": npy(np.array("[1]")),
    "numbers": npy(np.ones(3)), "no format": npy(np.array("{}")), "w22 a newer format": npy(np.array('{"format": 3}')),
    "too long": npy(np.array("x" * 2 ** 19)), "parentheses": claim(0, header="(" * 9000), "nothing": b"",
}


@pytest.mark.parametrize("case", NOTES)
def test_notes_that_are_none_are_refused(path, case):
    write(path, {"W.npy": npy(np.ones(2)), f"{npz.NOTES}.npy": NOTES[case]})
    assert outcome(readers.read_notes, path) == "refused"


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
def test_w22_a_newer_format_says_so(path, read):
    write(path, {f"{npz.NOTES}.npy": npy(np.array(json.dumps({"format": 3})))})
    with pytest.raises(WeightsError, match="'net.npz' has format 3, this version reads up to 1: upgrade scratchnet"):
        read(path)


def test_w8_a_zip_bomb_is_refused_before_it_is_unpacked(path):
    write(path, {"W.npy": npy(np.zeros(20_000_000, np.float32))}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"says it holds 76 MB; at most 1 MB are taken. Refused before reading"):
        readers.read(path, expect={"W": (10, 10)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 ** 20


def test_w8_what_the_network_needs_may_be_in_float64(path):
    readers.save(path, {"W": np.ones((1000, 1000))})
    assert readers.read(path, expect={"W": (1000, 1000)})["W"].dtype == np.float64
    with pytest.raises(WeightsError, match="at most 7 MB"):
        readers.read(path, max_bytes=7 * 2 ** 20)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_w7_an_entry_longer_than_the_file_is_refused_before_memory_is_taken(path, compression):
    write(path, {"W.npy": claim("(400000000,)", data=bytes(100))}, compression)
    whole = bytearray(path.read_bytes())
    at = whole.find(b"PK\x01\x02")
    whole[at + 20:at + 28] = struct.pack("<II", 1_600_000_000, 1_600_000_000)
    path.write_bytes(whole)
    tracemalloc.start()
    found = outcome(readers.read, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == "refused" and peak < 2 ** 20


def test_w10_a_member_twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        write(path, [("W.npy", npy(np.ones(2))), ("W.npy", npy(np.zeros(2)))])
    with pytest.raises(WeightsError, match="holds 'W' twice"):
        readers.read(path)


@pytest.mark.parametrize("member", ["../../evil.npy", "/etc/evil.npy", "a/b.npy", "..\\evil.npy", "a\\b.npy",
                                    "W.txt", "W", ".npy", "folder/"])
def test_w11_members_that_are_no_arrays_names(path, member):
    write(path, {member: npy(np.ones(2)) if not member.endswith("/") else b""})
    with pytest.raises(WeightsError, match="which is no array's name"):
        readers.read(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_w16_numbers_that_are_none_are_counted(path, bad):
    readers.save(path, {"conv4_1.W": np.array([1, bad, bad, 2, bad])})
    with pytest.raises(WeightsError, match="'conv4_1.W' has 3 non-finite values"):
        readers.read(path)


@pytest.mark.parametrize("read", [readers.read, readers.read_notes])
def test_a_missing_file_a_folder_and_an_unknown_kind(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="No weights at '.*nothing.npz' .looked in"):
        read(tmp_path / "nothing.npz")
    with pytest.raises(WeightsError, match="is a folder; give one file"):
        read(tmp_path)
    (tmp_path / "net.xyz").write_bytes(b"hello")
    with pytest.raises(WeightsError, match="'net.xyz' is not of a known kind; readable are .npz"):
        read(tmp_path / "net.xyz")


# ---- saving --------------------------------------------------------------------------------------------------------------

def test_w20_a_file_is_written_exactly_where_it_was_asked_for(tmp_path):
    readers.save(tmp_path / "new folder" / "weights.bin", ARRAYS)
    assert os.listdir(tmp_path / "new folder") == ["weights.bin"]


@pytest.mark.parametrize("name", ["weights.bin", "weights", "weights.NPZ", "weights.npz.old"])
def test_w20_a_file_is_known_by_its_first_bytes_whatever_it_is_called(tmp_path, name):
    readers.save(tmp_path / name, ARRAYS, {"order": "BGR"})
    assert readers.read(tmp_path / name).keys() == ARRAYS.keys()
    assert readers.read_notes(str(tmp_path / name))["order"] == "BGR"


@pytest.mark.parametrize("name", ["stage1/conv.W", "a\\b", "..", "", "a\0b", "\ud800", 7])
def test_w11_a_name_that_could_not_be_read_again_is_not_saved(path, name):
    with pytest.raises(WeightsError, match="cannot name an array"):
        readers.save(path, {name: np.ones(2)})
    assert os.listdir(path.parent) == []


def test_notes_too_long_to_be_read_again_are_not_saved(path):
    with pytest.raises(WeightsError, match="too long"):
        readers.save(path, ARRAYS, {"layers": "x" * 2 ** 19})


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array([True]), np.array([{}])])
def test_what_could_not_be_read_again_is_not_saved(path, array):
    with pytest.raises(WeightsError, match="'W' is of .* which is not saved"):
        readers.save(path, {"W": array})
    assert os.listdir(path.parent) == []


def test_d5_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(path):
    umask = os.umask(0o022)
    try:
        readers.save(path, ARRAYS)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        path.chmod(0o600)
        readers.save(path, ARRAYS)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(umask)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_w21_a_save_that_is_interrupted_leaves_the_old_file(path, monkeypatch, error):
    readers.save(path, ARRAYS)
    before, write_array, calls = path.read_bytes(), np.lib.format.write_array, []

    def fails_at_the_second(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise error
        return write_array(*args, **options)

    monkeypatch.setattr(np.lib.format, "write_array", fails_at_the_second)
    with pytest.raises(error):
        readers.save(path, {"a": np.zeros(1000), "b": np.zeros(1000)})
    assert path.read_bytes() == before and os.listdir(path.parent) == ["net.npz"]


FULL_DISK = """
import resource, signal, sys
import numpy as np
from scratchnet import readers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    readers.save(sys.argv[1], {"W": np.zeros(10_000)})
except OSError:
    print("refused")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_w21_a_full_disk_leaves_the_old_file(path):
    readers.save(path, ARRAYS)
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True)
    assert run.stdout.strip() == "refused", run.stderr
    assert path.read_bytes() == before and os.listdir(path.parent) == ["net.npz"]


def test_objects_are_not_saved_and_leave_nothing_behind(path):
    with pytest.raises(ValueError):
        readers.save(path, {"W": np.array([{}])})
    assert os.listdir(path.parent) == []
