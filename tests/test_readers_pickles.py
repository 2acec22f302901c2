"""Pickles that would run code, or fill the memory, or never end: no opcode of them has an effect, and the refusal names what was asked.

The ids in the names of the tests are those of the table of fault cases.
"""

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from scratchnet.readers import pickles
from tests.torch_files import (BUILD, EMPTY_LIST, EMPTY_TUPLE, FORMS, NONE, REFERENCE, TRUE, call, cost, many, name, outcome, pickled,
                               storage, table, tensor, text, whole, write_stream, write_zip)

HASH_BOMB = b"}" + EMPTY_TUPLE + b"\x85" * 100_000 + NONE + b"s"          # a tuple nested in itself, as a key


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)                        # what a planted command would leave behind is looked for here
    return tmp_path / "vgg.pth"


def load(body):
    return pickles.load("'vgg.pth'", io.BytesIO(pickled(body)))[0]


class Planted:
    """Leaves a mark when it is unpickled by the general way."""

    def __reduce__(self):
        return os.mkdir, ("was_run",)


# ---- W1: what is asked for by name ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("module, letters", [
    ("posix", "system"), ("os", "system"), ("builtins", "eval"), ("__builtin__", "eval"), ("builtins", "getattr"), ("builtins", "set"),
    ("_codecs", "encode"), ("copyreg", "_reconstructor"), ("torch", "load"), ("torch._utils", "_rebuild_sparse_tensor"),
    ("torch.hub", "load"), ("torch.jit._pickle", "restore_type_tag"), ("numpy.core.multiarray", "scalar"), ("torch", "Float Storage"),
    ("collections", "OrderedDict.update"), ("collections", "defaultdict"), ("scratchnet.readers.pickles", "load"), ("", "")])
def test_w1_any_other_global_is_refused_by_its_name(path, write, module, letters):
    write(path, table({"W": tensor(), "x": call(name(module, letters), text("mkdir was_run"))}))
    with pytest.raises(WeightsError) as refused:
        readers.read(path)
    asked = f"'{module}.{letters}'".replace(" ", ".")
    assert str(refused.value).startswith(f"'vgg.pth' asks for {asked}, which a file of weights never needs. Refused; nothing was run.")
    assert os.listdir() == ["vgg.pth"]


@pytest.mark.parametrize("where", ["the whole", "a value", "an argument", "a key", "a size", "metadata", "the machine", "the keys"])
def test_w1_wherever_it_stands(path, where):
    attack = call(name("posix", "system"), text("mkdir was_run"))
    body = {"the whole": attack, "a value": table({"W": tensor(), "b": attack}), "a key": table([(attack, tensor())]),
            "an argument": table({"W": tensor(attack)}),
            "a size": table({"W": call(name("torch._utils", "_rebuild_tensor"), storage(), attack)}),
            "metadata": call(name("collections", "OrderedDict")) + table({"_metadata": attack}) + BUILD}.get(where, table({"W": tensor()}))
    write_stream(path, body, **{"machine": attack} if where == "the machine" else {})
    if where == "the keys":
        path.write_bytes(path.read_bytes().replace(b"](" + text("0"), b"](" + attack))
    assert outcome(path) == "refused" and os.listdir() == ["vgg.pth"]
    with pytest.raises(WeightsError, match="'vgg.pth' asks for 'posix.system'"):
        readers.read(path)


@pytest.mark.parametrize("write", [lambda path, data: path.write_bytes(data), None], ids=["bare", "zip"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_w1_what_python_pickles_is_not_run_in_any_protocol(path, write, protocol):
    planted = pickle.dumps({"W": Planted()}, protocol)
    if write:
        write(path, planted)
    else:
        write_zip(path, b"")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", planted)
    assert outcome(path) == "refused" and os.listdir() == ["vgg.pth"]


def test_w1_nothing_falls_back_on_pythons_unpickler(path, monkeypatch):
    def forbidden(*args, **options):
        raise AssertionError("the general unpickler")
    for general in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, general, forbidden)
    assert readers.read(REFERENCE / "torch_parameters.pth").keys() >= {"classifier.weight"}
    write_stream(path, table({"W": call(name("posix", "system"), text("mkdir was_run"))}))
    assert outcome(path) == "refused"


def test_w1_pytorch_is_neither_needed_nor_imported():
    code = "import sys; sys.modules['torch'] = None; from scratchnet import readers; print(len(readers.read(sys.argv[1])))"
    run = subprocess.run([sys.executable, "-c", code, str(REFERENCE / "torch_parameters.pth")], capture_output=True, text=True)
    assert run.stdout.strip() == "8", run.stderr


@pytest.mark.parametrize("file", ["torch_zip.pth", "torch_stream.pth", "torch_2017.pth"])
@pytest.mark.parametrize("called", ["weights.ckpt", "weights", "weights.npz", "weights.pkl", "weights.safetensors", "weights.bin"])
def test_w1_a_state_file_under_another_name_is_read(tmp_path, file, called):
    (tmp_path / called).write_bytes((REFERENCE / file).read_bytes())
    with pytest.warns(UserWarning):
        assert len(readers.read(tmp_path / called)) == 20
    assert readers.read_notes(tmp_path / called) == {}


# ---- W1b: other pickles --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("suffix, protocol", [
    *[(suffix, protocol) for suffix in (".pkl", ".pickle", ".pth", ".npz", ".xyz") for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)],
    (".pkl", 0), (".pkl", 1), (".pickle", 0)])
def test_w1b_any_other_pickle_is_named(tmp_path, suffix, protocol):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(pickle.dumps({"W": [1.5, 2]}, protocol))
    with pytest.raises(WeightsError) as refused:
        readers.read(path)
    assert str(refused.value) == (f"'x{suffix}' is a Python pickle, not a torch state file (a dict of tensors). scratchnet does not open "
                                  "it. Save `model.state_dict()`, or an .npz or .safetensors file.")


def test_w1b_a_whole_model_is_refused_by_its_class():
    with pytest.raises(WeightsError, match="asks for 'torch.nn.modules.conv.Conv2d'.*nothing was run.*save `model.state_dict"):
        readers.read(REFERENCE / "torch_model.pth")


def test_w1b_a_torchscript_archive_is_named():
    with pytest.raises(WeightsError, match="'torch_script.pt' is a TorchScript archive, not a torch state file"):
        readers.read(REFERENCE / "torch_script.pt")


# ---- W25: other protocols ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5, 9])
def test_w25_a_pickle_of_another_protocol_is_refused_by_its_number(path, protocol):
    write_stream(path, table({"W": tensor()}))
    path.write_bytes(b"\x80" + bytes([protocol]) + path.read_bytes()[2:])
    with pytest.raises(WeightsError, match=f"'vgg.pth' is pickled by protocol {protocol}; PyTorch's own is 2"):
        readers.read(path)


@pytest.mark.parametrize("body, opcode", [
    (name("torch", "FloatStorage") + EMPTY_TUPLE + b"\x81", "NEWOBJ"), (b"\x8f", "EMPTY_SET"), (b"V1\n", "UNICODE"), (b"2", "DUP"),
    (b"(ios\nsystem\n", "INST"), (b"\x82\x01", "EXT1"), (b"P1\n", "PERSID"), (b"\x8b\0\0\0\0", "LONG4"),
    (text("os") + text("system") + b"\x93", "STACK_GLOBAL")])
def test_w1_opcodes_that_state_files_do_not_need_are_refused_by_name(body, opcode):
    with pytest.raises(WeightsError, match=f"'vgg.pth' uses the pickle opcode {opcode}, which a file of weights never needs"):
        load(body)


# ---- W27: bombs ----------------------------------------------------------------------------------------------------------

HUGE = 2 ** 32 - 1
PAIRS = b"](" + b"".join(many(whole(i), NONE) for i in range(20_000)) + b"e"
BOMBS = {
    "a memo index": b"Nr" + struct.pack("<I", 2 ** 24),
    "a huge memo index": b"Nr" + struct.pack("<I", HUGE),
    "a text longer than the file": b"X" + struct.pack("<I", HUGE) + b"a",
    "a number longer than the file": b"\x8a\xff\x01",
    "empty lists": EMPTY_LIST * 2 ** 21, "marks": b"(" * 2 ** 21, "nothings": NONE * 2 ** 21, "empty dicts": b"}" * 2 ** 20,
    "keys that collide": table([(whole(k * (2 ** 61 - 1)), NONE) for k in range(1, 40_000)]),
    "a tuple nested in itself": HASH_BOMB, "tuples in a long row": b"(" + EMPTY_TUPLE * 2 ** 20 + b"t",
    "one list of pairs, called again and again": PAIRS + b"q\0" + (name("collections", "OrderedDict") + b"h\0\x85R") * 50_000,
    "one shape of many axes, used again and again": many(*[whole(1)] * 50_000) + b"q\0" + call(
        name("torch._utils", "_rebuild_tensor"), storage(), whole(0), b"h\0", b"h\0") * 5_000,
    "a list that holds itself": EMPTY_LIST + b"q\0h\0a",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_w27_bombs_cost_little_memory_and_time(path, bomb):
    write_stream(path, table({"W": tensor(), "bomb": BOMBS[bomb]}))
    found, peak, seconds = cost(path)
    assert found == "refused" and peak < 40 and seconds < 20, (peak, seconds)         # tracing makes it several times slower


def test_w27_the_memo_index_alone_is_no_harm():
    assert load(BOMBS["a huge memo index"]) is None


@pytest.mark.parametrize("key", [EMPTY_TUPLE, NONE, TRUE, b"G" + bytes(8), whole(2 ** 63), tensor(), name("torch", "FloatStorage")])
def test_w27_keys_are_texts_or_whole_numbers(path, key):
    with pytest.raises(WeightsError, match="has a key .* that is neither text nor a whole number"):
        load(table([(key, NONE)]))


def test_w27_a_pickle_of_more_bytes_than_any_network_needs(path):
    write_zip(path, table({"W": tensor(), "x": text("a" * pickles.MAX_BYTES)}))
    with pytest.raises(WeightsError, match=f"'data.pkl' has .* bytes, at most {pickles.MAX_BYTES} are read"):
        readers.read(path)
    write_stream(path, table({"W": tensor(), "x": text("a" * pickles.MAX_BYTES)}))
    with pytest.raises(WeightsError, match=f"inside its pickle .or has one of more than {pickles.MAX_BYTES} bytes"):
        readers.read(path)


def test_w27_room_for_a_network_of_five_thousand_arrays(path):
    tensors = {f"layers.block_{i}.convolution.weight": tensor(storage(str(i), 1), shape=(1,), strides=(1,)) for i in range(5000)}
    write_stream(path, table(tensors), {str(i): struct.pack("<f", i) for i in range(5000)})
    assert readers.read(path)["layers.block_77.convolution.weight"] == 77


# ---- W28: state for what find_class returned -----------------------------------------------------------------------------

STATE = table({"__kwdefaults__": table({"x": whole(1)}), "name": text("posix.system"), "__class__": NONE})


@pytest.mark.parametrize("target", [
    name("torch._utils", "_rebuild_tensor_v2"), name("torch", "FloatStorage"), name("collections", "OrderedDict"),
    name("torch.nn.parameter", "Parameter"), tensor(), storage(), EMPTY_LIST, b"}", text("a"), NONE, TRUE])
@pytest.mark.parametrize("state", [STATE, many(NONE, STATE), NONE])
def test_w28_state_is_refused_by_everything_but_an_ordered_dict(target, state):
    with pytest.raises(WeightsError, match="gives state to an object of type .*nothing was run"):
        load(target + state + BUILD)


def test_w28_what_an_ordered_dict_is_given_is_dropped():
    made = load(call(name("collections", "OrderedDict")) + table({"_metadata": STATE, "update": NONE}) + BUILD)
    assert made == {} and not vars(made) and callable(made.update)


def test_w28_the_flags_of_an_old_parameter_are_dropped_and_nothing_else():
    parameter = call(name("torch.nn.parameter", "Parameter"), tensor())
    assert load(parameter + many(TRUE, TRUE, NONE) + BUILD) == load(parameter)
    with pytest.raises(WeightsError, match="gives state"):
        load(parameter + many(storage(), whole(0), many(), many()) + BUILD)          # the form of 2016, which would move the tensor


def test_w28_two_files_share_nothing():
    a, b = (load(call(name("collections", "OrderedDict"))) for _ in range(2))
    a["x"] = 1
    assert b == {} and load(name("torch", "FloatStorage")) is not load(name("torch", "FloatStorage"))


@pytest.mark.parametrize("body", [call(name("torch", "FloatStorage"), whole(9)), call(text("eval"), text("1")), call(tensor()),
                                  name("collections", "OrderedDict") + EMPTY_LIST + b"R", EMPTY_LIST + text("a") + NONE + b"s",
                                  b"}" + NONE + b"a", text("a") + b"Q", many(text("module"), name("torch", "FloatStorage")) + b"Q"])
def test_what_cannot_be_called_appended_to_or_fetched_is_refused(body):
    with pytest.raises(WeightsError, match="'vgg.pth'"):
        load(body)


@pytest.mark.parametrize("body", [b"", b"t", b"s", b"R", b"u", b"h\x05", b"\x85", b"}(" + text("a") + b"u", b"q\0", b"\xff"])
def test_a_pickle_that_makes_no_sense_is_damaged(body):
    with pytest.raises(WeightsError, match="'vgg.pth'.*(damaged|cut off)"):
        load(body)
