"""Torch state files written opcode by opcode, so that they can say what PyTorch would never write; and what reading a file comes to."""

import struct
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

from scratchnet import readers
from scratchnet.errors import WeightsError

REFERENCE = Path(__file__).parent / "reference"        # files by PyTorch itself, see make_torch_files_reference.py

FALSE, TRUE, NONE, EMPTY_TUPLE, EMPTY_LIST, BUILD = b"\x89", b"\x88", b"N", b")", b"]", b"b"


def whole(number):
    """A whole number, as LONG1."""
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + struct.pack("B", len(data)) + data


def text(letters):
    return b"X" + struct.pack("<I", len(letters.encode())) + letters.encode()


def name(module, letters):
    """The opcode that asks for a global."""
    return f"c{module}\n{letters}\n".encode()


def many(*items):
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def table(items):
    """A dict from {text: opcodes}, or from pairs of opcodes."""
    pairs = [(text(key), value) for key, value in items.items()] if isinstance(items, dict) else items
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(function, *arguments):
    return function + many(*arguments) + b"R"


def storage(key="0", count=6, kind="FloatStorage", *view):
    """The place of numbers that are kept outside the pickle."""
    return many(text("storage"), name("torch", kind), text(key), text("cpu"), whole(count), *view) + b"Q"


def tensor(place=None, offset=0, shape=(2, 3), strides=(3, 1), *metadata):
    """A tensor over a storage, (2, 3) over six numbers unless something else is said."""
    return call(name("torch._utils", "_rebuild_tensor_v2"), place or storage(), whole(offset), many(*map(whole, shape)),
                many(*map(whole, strides)), FALSE, call(name("collections", "OrderedDict")), *metadata)


def pickled(body, protocol=2):
    return b"\x80" + struct.pack("B", protocol) + body + b"."


SIX = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
MACHINE = table([(text("protocol_version"), whole(1001)), (text("little_endian"), TRUE)])


def write_zip(path, body, numbers={"0": SIX}, members={}, folder="net", packed=zipfile.ZIP_STORED):
    """The form since torch 1.6. body: the opcodes of what is saved."""
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr(f"{folder}/data.pkl", pickled(body))
        for key, data in {"version": b"3\n", **{f"data/{key}": data for key, data in numbers.items()}, **members}.items():
            archive.writestr(f"{folder}/{key}", data)
    return path


def write_stream(path, body, numbers={"0": SIX}, protocol=1001, machine=MACHINE, keys=None, counts={}):
    """The form before."""
    keys = b"](" + b"".join(text(key) for key in (numbers if keys is None else keys)) + b"e"
    parts = [pickled(part) for part in (whole(0x1950a86a20f9469cfc6c), whole(protocol), machine, body, keys)]
    parts += [struct.pack("<q", counts.get(key, len(data) // 4)) + data for key, data in numbers.items()]
    path.write_bytes(b"".join(parts))
    return path


FORMS = {"zip": write_zip, "stream": write_stream}


def outcome(path, **options):
    """What reading comes to: "read", "refused", or the name of an error that should not get out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            readers.read(path, **options)
        return "read"
    except WeightsError as e:
        return "refused" if path.name in str(e) else f"words without the file's name: {e}"
    except BaseException as e:                         # the panic of a library in Rust is no Exception
        return f"{type(e).__name__}: {e}"


def cost(path, **options):
    """What reading comes to, the most memory it took meanwhile in MB, and the seconds."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        return outcome(path, **options), tracemalloc.get_traced_memory()[1] / 2 ** 20, time.perf_counter() - start
    finally:
        tracemalloc.stop()
