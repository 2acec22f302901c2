"""PyTorch's own files, read without PyTorch in both of their forms, and files that claim what they do not hold.

The ids in the names of the tests are those of the table of fault cases. What a pickle may do is in test_readers_pickles.py.
"""

import pickle
import struct
import tarfile
import warnings
import zipfile

import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from tests.torch_files import (EMPTY_LIST, FALSE, FORMS, MACHINE, NONE, REFERENCE, SIX, TRUE, call, cost, many, name, outcome, storage,
                               table, tensor, text, whole, write_stream, write_zip)

STATES = ["torch_zip.pth", "torch_stream.pth", "torch_2017.pth"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vgg.pth"


@pytest.fixture(params=FORMS)
def write(request):
    return FORMS[request.param]


@pytest.fixture(scope="module")
def truth():
    """{name: array} as PyTorch sees it."""
    with np.load(REFERENCE / "torch_files.npz") as file:
        return dict(file)


def read_in_silence(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return readers.read(path, **options)


# ---- what is good --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("file", STATES)
def test_w25_both_forms_and_that_of_2017_hold_what_pytorch_says(file, truth):
    arrays = read_in_silence(REFERENCE / file)
    assert list(arrays) == list(truth)
    for key, array in arrays.items():
        assert array.dtype == truth[key].dtype and array.shape == truth[key].shape and np.array_equal(array, truth[key]), key


@pytest.mark.parametrize("file", STATES)
def test_w30_every_array_is_contiguous_writable_and_its_own(file):
    arrays = read_in_silence(REFERENCE / file)
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32"), np.dtype("float64")}
    for key, array in arrays.items():
        assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned, key
        assert not any(np.shares_memory(array, other) for name, other in arrays.items() if name != key), key


@pytest.mark.parametrize("file", STATES)
def test_w30_what_was_converted_is_said_once(file):
    with pytest.warns(UserWarning) as noted:
        readers.read(REFERENCE / file)
    assert [str(note.message) for note in noted] == [f"'{file}': 3 of its arrays are in half precision, read as float32; 3 of its arrays "
                                                     "share numbers with others, and become arrays of their own."]
    assert noted[0].filename == __file__


def test_parameters_are_read_as_tensors_are(truth):
    arrays = readers.read(REFERENCE / "torch_parameters.pth")
    assert len(arrays) == 8 and all(np.array_equal(array, truth[key]) for key, array in arrays.items())


def test_w29_of_a_checkpoint_the_one_state_dict_is_taken_and_that_is_said(truth):
    with pytest.warns(UserWarning, match="'torch_wrapped.pth': took 'state_dict', its one dict of tensors, and left 'arch', "
                                         "'best_acc1', 'epoch', 'optimizer'; took 'module.' .DataParallel. off every name"):
        arrays = readers.read(REFERENCE / "torch_wrapped.pth")
    assert len(arrays) == 8 and all(np.array_equal(array, truth[key]) for key, array in arrays.items())


@pytest.mark.parametrize("file", STATES)
def test_w15_the_counter_of_batches_comes_only_with_whole_numbers(file):
    assert not any("num_batches" in key for key in read_in_silence(REFERENCE / file))
    arrays = read_in_silence(REFERENCE / file, kinds="fiu")
    counter = arrays["features.1.num_batches_tracked"]
    assert len(arrays) == 21 and counter == 1 and counter.dtype == np.int64 and counter.shape == ()


def test_python_2s_pickles_have_texts_of_bytes_and_the_items_of_a_dict_in_its_call(path):
    def old(letters):
        return b"U" + struct.pack("B", len(letters.encode())) + letters.encode()

    place = many(old("storage"), name("torch", "FloatStorage"), old("0"), old("cpu"), whole(6), NONE) + b"Q"
    rebuilt = call(name("torch._utils", "_rebuild_tensor"), place, whole(0), many(whole(2), whole(3)), many(whole(3), whole(1)))
    items = EMPTY_LIST + b"(" + EMPTY_LIST + b"(" + old("größe") + rebuilt + b"e" + b"e"
    write_stream(path, call(name("collections", "OrderedDict"), items), machine=MACHINE)
    assert readers.read(path)["größe"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("kind, code, dtype", [("Double", "<d", "float64"), ("Float", "<f", "float32"), ("Half", "<e", "float32")])
def test_w15_kinds_of_float(path, kind, code, dtype):
    write_zip(path, table({"x": tensor(storage("0", 1, f"{kind}Storage"), 0, (), ())}), {"0": struct.pack(code, -1.5)})
    x = read_in_silence(path)["x"]
    assert x == -1.5 and x.dtype == dtype and x.shape == ()


@pytest.mark.parametrize("bits", [0x0000, 0x8000, 0x3f80, 0xbfc0, 0x0001, 0x7f7f, 0x4049])
def test_w30_a_bfloat16_is_the_upper_half_of_a_float32(path, bits):
    write_zip(path, table({"x": tensor(storage("0", 1, "BFloat16Storage"), 0, (1,), (1,))}), {"0": struct.pack("<H", bits)})
    assert read_in_silence(path)["x"].tobytes() == struct.pack("<HH", 0, bits)


@pytest.mark.parametrize("offset, shape, strides, want", [
    (0, (3, 2), (2, 1), [[0, 1], [2, 3], [4, 5]]), (0, (3, 2), (1, 3), [[0, 3], [1, 4], [2, 5]]), (1, (2,), (3,), [1, 4]),
    (5, (), (), 5), (0, (2, 2), (1, 1), [[0, 1], [1, 2]]), (2, (2, 3), (0, 0), [[2, 2, 2], [2, 2, 2]]), (5, (1, 1), (99, 2 ** 70), [[5]]),
    (0, (0, 7), (7, 1), []), (6, (0,), (1,), [])])
def test_w26_views_inside_their_storage(path, write, offset, shape, strides, want):
    write(path, table({"x": tensor(None, offset, shape, strides)}))
    x = readers.read(path)["x"]
    assert x.tolist() == want and x.shape == shape and x.flags.c_contiguous


@pytest.mark.parametrize("kind, size", [("Float", 4), ("Half", 2), ("BFloat16", 2)])
def test_reading_takes_little_more_memory_than_the_file_and_its_arrays(path, write, kind, size):
    n = 8 * 2 ** 20
    write(path, table({"W": tensor(storage("0", n, f"{kind}Storage"), 0, (n,), (1,))}), {"0": bytes(size * n)},
          **{"counts": {"0": n}} if write is write_stream else {})
    found, peak, _ = cost(path)
    assert found == "read" and peak < 1.3 * (32 if size == 4 else 32 + 16)             # halves are there twice for a moment


def test_files_without_a_suffix_of_pytorchs_are_known_by_what_they_hold(tmp_path):
    np.savez(tmp_path / "arrays.npz", W=np.ones(2))
    (tmp_path / "arrays.npz").rename(tmp_path / "arrays.pth")
    assert list(readers.read(tmp_path / "arrays.pth")) == ["W"]


# ---- W29: which dict -----------------------------------------------------------------------------------------------------

STATE = table({"W": tensor()})


@pytest.mark.parametrize("body, what", [
    (table({"model": STATE, "ema": table({"W": tensor(), "b": tensor()})}), "2 dicts of tensors: 'ema', 'model'"),
    (table({"W": tensor(), "epoch": whole(7)}), "no dict of tensors, but W (Tensor), epoch (int)"),
    (table({"state": table({"deeper": STATE})}), "no dict of tensors, but state (dict)"), (b"}", "no dict of tensors, but nothing"),
    (table({"state_dict": b"}"}), "no dict of tensors, but state_dict (dict)"), (table([(whole(1), tensor())]), "but 1 (Tensor)"),
    (tensor(), "no dict of tensors, but a Tensor"), (EMPTY_LIST + tensor() + b"a", "but a list"), (NONE, "but a NoneType")])
def test_w29_none_or_several_are_refused_with_their_keys(path, write, body, what):
    write(path, body, {"0": SIX} if b"storage" in body else {})
    with pytest.raises(WeightsError) as refused:
        readers.read(path)
    assert what in str(refused.value) and "'vgg.pth' holds " in str(refused.value)


def test_w29_one_dict_under_two_keys_is_one(path, write):
    write(path, b"}(" + text("model") + STATE + b"q\0" + text("state_dict") + b"h\0" + b"u")
    assert list(read_in_silence(path)) == ["W"]


def test_w29_module_is_taken_off_only_when_all_names_have_it(path, write):
    write(path, table({"module.W": tensor(), "W": tensor()}))
    assert list(read_in_silence(path)) == ["module.W", "W"]


@pytest.mark.parametrize("body", [b"}" + 2 * (text("W") + tensor() + b"s"), table([(text("W"), tensor())] * 2)])
def test_w30_a_name_twice_is_refused(path, write, body):
    write(path, body)
    with pytest.raises(WeightsError, match="'vgg.pth' holds 'W' twice. Refused: which one is meant"):
        readers.read(path)


# ---- W26, W7-W9: what is claimed -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("offset, shape, strides", [
    (0, (7,), (1,)), (1, (6,), (1,)), (6, (), ()), (0, (2, 3), (4, 1)), (0, (2,), (6,)), (2 ** 62, (1,), (1,)), (0, (2,), (2 ** 62,)),
    (0, (2 ** 40,), (1,)), (10 ** 30, (), ())])
def test_w26_a_tensor_that_reaches_outside_its_storage(path, write, offset, shape, strides):
    write(path, table({"W": tensor(None, offset, shape, strides)}))
    with pytest.raises(WeightsError, match="'vgg.pth': 'W' of shape .* reaches number .* of a storage that has 6. The file is damaged"):
        readers.read(path)


@pytest.mark.parametrize("offset, shape, strides", [
    (-1, (2,), (1,)), (0, (-2,), (1,)), (5, (2,), (-1,)), (0, (2, 3), (1,)), (0, (), (1,)), (0, (1,) * 33, (1,) * 33)])
def test_w9_w26_numbers_that_are_no_offset_shape_or_strides(path, write, offset, shape, strides):
    write(path, table({"W": tensor(None, offset, shape, strides)}))
    with pytest.raises(WeightsError, match="'vgg.pth' holds a tensor of"):
        readers.read(path)


@pytest.mark.parametrize("wrong", [TRUE, text("2"), b"G" + struct.pack(">d", 2.0), NONE, table({})])
def test_w26_a_size_that_is_no_whole_number(path, write, wrong):
    write(path, table({"W": call(name("torch._utils", "_rebuild_tensor"), storage(), whole(0), many(wrong), many(whole(1)))}))
    assert outcome(path) == "refused"


def test_a_view_that_is_negated_when_read_is_refused(path, write):
    write(path, table({"W": tensor(None, 0, (2, 3), (3, 1), table({"neg": TRUE}))}))
    with pytest.raises(WeightsError, match="tensor of an unknown kind"):
        readers.read(path)


@pytest.mark.parametrize("shape", [(2 ** 28,), (2 ** 15, 2 ** 15), (2 ** 62,), (2 ** 40, 2 ** 40, 2 ** 40), (10 ** 30,)])
def test_w26_a_bomb_of_stride_0(path, write, shape):
    write(path, table({"W": tensor(None, 0, shape, (0,) * len(shape))}))
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
    with pytest.raises(WeightsError, match="Refused before reading"):
        readers.read(path)


def test_w26_a_bomb_of_one_storage_under_many_names(path, write):
    write(path, b"}(" + text("W") + tensor(storage("0", 10_000), 0, (10_000,), (1,)) + b"q\0" +
          b"".join(text(f"W{i}") + b"h\0" for i in range(5000)) + b"u", {"0": bytes(40_000)})
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 10
    with pytest.raises(WeightsError, match="has 0.1 MB and would fill 191: its tensors repeat their numbers"):
        readers.read(path)


def test_w7_w8_no_more_than_the_caller_expects(path, write):
    write(path, table({"W": tensor(storage("0", 10 ** 6), 0, (10 ** 6,), (1,))}), {"0": bytes(4 * 10 ** 6)})
    with pytest.raises(WeightsError, match="'vgg.pth' says it holds 4 MB; at most 1 MB are taken. Refused before reading"):
        readers.read(path, expect={"W": (10,)})
    assert readers.read(path, expect={"W": (10 ** 6,)})["W"].shape == (10 ** 6,)


@pytest.mark.parametrize("count", [7, 10 ** 9, 2 ** 62, 10 ** 30, 0])
def test_w7_a_storage_that_claims_other_than_it_has(path, write, count):
    write(path, table({"W": tensor(storage("0", count), 0, (count,), (1,))}))
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4


def test_w7_a_storage_that_claims_more_than_the_rest_of_the_file_in_both_places(path):
    write_stream(path, table({"W": tensor(storage("0", 2 ** 40), 0, (1,), (1,))}), counts={"0": 2 ** 40})
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 10


@pytest.mark.parametrize("change", [dict(keys=["1"]), dict(keys=["0", "1"]), dict(keys=["0", "0"]), dict(keys=[]),
                                    dict(counts={"0": 5}), dict(counts={"0": -1}), dict(numbers={"0": SIX[:-1]}), dict(numbers={"0": b""})])
def test_w25_w7_storages_that_are_not_those_listed(path, change):
    write_stream(path, STATE, **change)
    assert outcome(path) == "refused"


@pytest.mark.parametrize("numbers", [{}, {"1": SIX}, {"0": SIX[:-4]}, {"0": SIX + bytes(4)}])
def test_w7_w25_a_storage_that_is_not_in_the_zip(path, numbers):
    write_zip(path, STATE, numbers)
    with pytest.raises(WeightsError, match="'vgg.pth': data/0 should have 24 bytes and has"):
        readers.read(path)


@pytest.mark.parametrize("second", [storage("0", 6, "HalfStorage"), storage("0", 5)])
def test_w26_one_storage_of_two_kinds(path, write, second):
    write(path, table({"W": tensor(), "b": tensor(second, 0, (1,), (1,))}))
    with pytest.raises(WeightsError, match="storage '0' is of two kinds or lengths"):
        readers.read(path)


@pytest.mark.parametrize("first, length", [(5, 2), (-1, 2), (7, 0), (0, 7), (0, -1)])
def test_w26_a_view_that_leaves_its_storage(path, first, length):
    write_stream(path, table({"W": tensor(storage("0", 6, "FloatStorage", many(text("v"), whole(first), whole(length))), 0, (0,), (1,))}))
    with pytest.raises(WeightsError, match="storage '0' claims 6 numbers"):
        readers.read(path)


def test_w26_a_tensor_that_leaves_its_view(path):
    view = storage("0", 6, "FloatStorage", many(text("v"), whole(1), whole(3)))
    write_stream(path, table({"W": tensor(view, 1, (2,), (1,))}))
    assert readers.read(path)["W"].tolist() == [2, 3]
    write_stream(path, table({"W": tensor(view, 2, (2,), (1,))}))
    with pytest.raises(WeightsError, match="reaches number 3 of a storage that has 3"):
        readers.read(path)


# ---- W15, W16 ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, size, dtype", [("Long", 8, "int64"), ("Int", 4, "int32"), ("Byte", 1, "uint8"), ("Bool", 1, "bool"),
                                               ("ComplexFloat", 8, "complex64")])
def test_w15_other_kinds_of_number_are_refused(path, write, kind, size, dtype):
    write(path, table({"W": tensor(storage("0", 1, f"{kind}Storage"), 0, (1,), (1,))}), {"0": bytes(size)})
    with pytest.raises(WeightsError, match=f"'vgg.pth': 'W' is of {dtype}; parameters are float16, float32 or float64"):
        readers.read(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind, bits", [("Float", lambda x: struct.pack("<f", x)), ("Half", lambda x: struct.pack("<e", x)),
                                        ("BFloat16", lambda x: struct.pack("<f", x)[2:])])
def test_w16_numbers_that_are_none_are_counted(path, write, bad, kind, bits):
    write(path, table({"conv4_1.W": tensor(storage("0", 4, f"{kind}Storage"), 0, (4,), (1,))}),
          {"0": b"".join(map(bits, (1, bad, 2, bad)))}, **{"counts": {"0": 4}} if write is write_stream else {})
    with pytest.raises(WeightsError, match="'vgg.pth': 'conv4_1.W' has 2 non-finite values"):
        readers.read(path)


# ---- W3-W6, W8, W10, W11, W25: the containers ----------------------------------------------------------------------------

@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"version https://git-lfs.github.com/spec/v1", b"P", b"\x89PNG\r\n\x1a\n"])
def test_w3_what_is_no_state_file_is_named_by_its_first_bytes(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="'vgg.pth' is not a torch state file .it starts with.*get the file again") as refused:
        readers.read(path)
    assert repr(content[:15]) in str(refused.value)


def test_w4_an_empty_file(path):
    path.touch()
    with pytest.raises(WeightsError, match="'vgg.pth' is empty .0 bytes."):
        readers.read(path)


@pytest.mark.parametrize("file", STATES + ["torch_wrapped.pth"])
def test_w5_cut_off_anywhere(path, file):
    complete = (REFERENCE / file).read_bytes()
    for length in range(1, len(complete), 13):
        path.write_bytes(complete[:length])
        assert outcome(path) == "refused", length


def test_w5_cut_off_says_so(path, write):
    write(path, STATE)
    complete = path.read_bytes()
    for length in (len(complete) - 1, len(complete) - 15, 100):
        path.write_bytes(complete[:length])
        with pytest.raises(WeightsError, match="'vgg.pth' is cut off"):
            readers.read(path)


def test_w6_a_damaged_member_is_named(path):
    write_zip(path, STATE)
    path.write_bytes(path.read_bytes().replace(SIX, SIX[::-1]))
    with pytest.raises(WeightsError, match="'vgg.pth': 'data/0' is damaged .Bad CRC"):
        readers.read(path)


def test_w8_a_zip_that_was_packed_again_is_refused(path):
    write_zip(path, table({"W": tensor(storage("0", 10 ** 7), 0, (1,), (1,))}), {"0": bytes(4 * 10 ** 7)}, packed=zipfile.ZIP_DEFLATED)
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4 and path.stat().st_size < 10 ** 5


def test_w10_a_member_twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(write_zip(path, STATE), "a") as archive:
        archive.writestr("net/data/0", SIX)
    with pytest.raises(WeightsError, match="'vgg.pth' holds 'net/data/0' twice"):
        readers.read(path)


@pytest.mark.parametrize("member", ["../../evil", "data/../../evil", "/evil", "data//0", "data\\1", "./evil", "data/", "a\nb"])
def test_w11_members_whose_names_lead_elsewhere(path, member):
    write_zip(path, STATE, members={member: b""})
    with pytest.raises(WeightsError, match="'vgg.pth' holds .*, which is no member of a torch state file"):
        readers.read(path)


def test_w11_w1b_zips_of_other_things(path):
    for members in ({"a.txt": b"hello"}, {"a/data.pkl": b"", "b/data.pkl": b""}, {"net/data.pkl": b"", "evil": b""}, {"data.pkl": b""}):
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        with pytest.raises(WeightsError, match="'vgg.pth' is a zip, but not a torch state file"):
            readers.read(path)


@pytest.mark.parametrize("order", [b"big", b"middle", b"", b"little" * 9])
def test_w25_another_order_of_bytes_in_the_zip(path, order):
    write_zip(path, STATE, members={"byteorder": order})
    with pytest.raises(WeightsError, match="'vgg.pth'.*(big-endian|at most 16 are read)"):
        readers.read(path)


@pytest.mark.parametrize("machine", [table({"little_endian": FALSE}), table({}), NONE, table({"little_endian": whole(1)})])
def test_w25_another_order_of_bytes_in_the_stream(path, machine):
    write_stream(path, STATE, machine=machine)
    with pytest.raises(WeightsError, match="'vgg.pth' has its numbers in big-endian order"):
        readers.read(path)


def test_w25_another_protocol_is_refused_by_its_number(path):
    write_stream(path, STATE, protocol=1002)
    with pytest.raises(WeightsError, match="'vgg.pth' is of a protocol of PyTorch .1002. that is not known; 1001 is"):
        readers.read(path)


def test_w25_the_tar_of_2016_is_refused_by_name(path):
    (path.parent / "sys_info").write_bytes(pickle.dumps({"little_endian": True}, 2))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(path.parent / "sys_info", "sys_info")
    with pytest.raises(WeightsError, match="'vgg.pth' is in the tar form that PyTorch wrote until February 2017"):
        readers.read(path)
