"""PyTorch's files of parameters without PyTorch: the zip that it writes since 1.6 (2020), and the stream of pickles before that.

zip       a folder with data.pkl (the dict, whose tensors speak of storages by key), data/<key> (the numbers), byteorder, version
stream    five pickles: a magic number, 1001, the machine, the dict, the keys; then per key a count in 8 bytes, and the numbers
tar       what 2016 wrote, until February 2017: refused by name

pickles.py reads the pickles and can make nothing but containers and records of tensors. Here every record is held against what the
file has, and what the caller will take, before a number is read. Source: torch/serialization.py, torch/_utils.py.
"""

import contextlib
import io
import os
import zipfile

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers import pickles, zips
from scratchnet.readers.arrays import (bytes_read, check_kind, check_total, damage_in, every, finished, is_left_out, raw,
                                       said_of_halves, stored)
from scratchnet.readers.pickles import Tensor

MAGIC, PROTOCOL = 0x1950a86a20f9469cfc6c, 1001
AS_LONG = MAGIC.to_bytes(10, "little")                # how every pickle protocol writes it
NO_STATE = "not a torch state file (a dict of tensors). scratchnet does not open it. " \
           "Save `model.state_dict()`, or an .npz or .safetensors file."


def read(path, max_bytes, kinds="f", wanted=every):
    """{name: array} of the one dict of tensors that a .pth or .pt file holds, of those that are wanted; and what is to be said, [text].

    Views of one storage become arrays of their own; halves become float32. Raises WeightsError.
    """
    with _opened(path) as (saved, numbers_of):
        state, notes = _state(path, saved)
        tensors = {name: tensor for name, tensor in state.items()
                   if wanted(name) and not is_left_out(name, tensor.storage.dtype, kinds)}
        users = _users(path, tensors, kinds)
        _check_sizes(path, tensors, max_bytes)
        arrays = dict.fromkeys(tensors)
        for names in users.values():
            arrays.update(_arrays(path, {name: tensors[name] for name in names}, numbers_of))
    notes += said_of_halves(tensor.storage.dtype for tensor in tensors.values())
    shared = sum(len(names) for names in users.values() if len(names) > 1)
    notes += [f"{shared} of its arrays share numbers with others, and become arrays of their own"] * (shared > 0)
    return arrays, notes


# ---- the dict ------------------------------------------------------------------------------------------------------------

def _state(path, saved):
    """The one dict of tensors in what was saved, and what has to be said about the choice -> ({name: Tensor}, [note])."""
    notes = []
    if not _is_state(saved):
        values = saved.items() if isinstance(saved, dict) else ()
        found = {id(value): key for key, value in values if isinstance(value, dict)}      # a dict under two keys is one
        found = {key: saved[key] for key in found.values() if _is_state(saved[key])}
        if len(found) != 1:
            what = f"no dict of tensors, but {_kinds(saved)}" if not found else f"{len(found)} dicts of tensors: {_some(found)}"
            raise WeightsError(f"'{path.name}' holds {what}. Save the one `model.state_dict()` that is meant.")
        (key, chosen), = found.items()
        notes.append(f"took {key!r}, its one dict of tensors, and left {_some(set(saved) - {key}) or 'nothing else'}")
        saved = chosen
    if all(name.startswith("module.") for name in saved):
        notes.append("took 'module.' (DataParallel) off every name")
        saved = {name.removeprefix("module."): tensor for name, tensor in saved.items()}
    return saved, notes


def _is_state(saved):
    return isinstance(saved, dict) and len(saved) > 0 and all(
        type(name) is str and isinstance(tensor, Tensor) for name, tensor in saved.items())


def _kinds(saved):
    """What a file holds in place of tensors, for a message."""
    if not isinstance(saved, dict):
        return f"a {type(saved).__name__}"
    return _some([f"{str(key)[:40]} ({type(value).__name__})" for key, value in saved.items()], str) or "nothing"


def _some(names, show=repr):
    """The first few names."""
    shown = sorted(map(show, names))
    return ", ".join(name[:60] for name in shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


# ---- what is believed before it is read ----------------------------------------------------------------------------------

def _users(path, tensors, kinds):
    """{storage key: names of its tensors}, after each tensor was found to be of numbers, and inside its storage."""
    users = {}
    for name, (storage, offset, shape, strides) in tensors.items():
        check_kind(f"'{path.name}': {name!r}", storage.dtype, kinds)
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
        if 0 not in shape and last >= storage.length:
            raise WeightsError(f"'{path.name}': {name!r} of shape {shape}, strides {strides} reaches number {last} of a storage that has "
                               f"{storage.length}. The file is damaged.")
        users.setdefault(storage.key, []).append(name)
    return users


def _check_sizes(path, tensors, max_bytes):
    """Refuses more than max_bytes, and arrays that are much larger than the file: stride 0, or one storage under many names."""
    total, size = sum(bytes_read(tensor.shape, tensor.storage.dtype) for tensor in tensors.values()), path.stat().st_size
    check_total(f"'{path.name}'", total, max_bytes)
    if total > 4 * size + 2 ** 20:
        raise WeightsError(f"'{path.name}' has {size / 2 ** 20:.1f} MB and would fill {total / 2 ** 20:.0f}: its tensors repeat their "
                           "numbers (stride 0, or one storage under many names). Refused before reading.")


# ---- the numbers ---------------------------------------------------------------------------------------------------------

def _arrays(path, tensors, numbers_of):
    """{name: array} of all tensors of one storage, which is read once and let go."""
    storage = next(iter(tensors.values())).storage
    numbers = numbers_of(storage)
    arrays = {}
    for name, (view, offset, shape, strides) in tensors.items():
        where, size = f"'{path.name}': {name!r}", numbers.itemsize
        with damage_in(where):                         # NumPy checks once more that nothing reaches beyond the buffer
            start, steps = (view.first + offset) * size, [stride * size if n > 1 else size for n, stride in zip(shape, strides)]
            array = np.ndarray(shape, numbers.dtype, numbers, start, steps) if 0 not in shape else np.empty(shape, numbers.dtype)
            if len(tensors) > 1 or array.size < numbers.size:
                array = array.copy()                   # else a small array would keep the whole storage, or share it
            arrays[name] = finished(where, array, storage.dtype)
    return arrays


# ---- the containers: each gives what was saved, and a function Storage -> its numbers -------------------------------------

def _opened(path):
    """The container by the file's first bytes."""
    with open(path, "rb") as file:
        start = file.read(512)
    if start.startswith(b"PK"):
        return _zip(path)
    if start.startswith(b"\x80") and AS_LONG in start[:40]:
        return _stream(path)
    if start[257:262] == b"ustar":
        raise WeightsError(f"'{path.name}' is in the tar form that PyTorch wrote until February 2017, which is not read here. "
                           "Load it with PyTorch and save its state again.")
    if start.startswith(b"\x80") or path.suffix in (".pkl", ".pickle"):
        raise WeightsError(f"'{path.name}' is a Python pickle, {NO_STATE}")
    raise WeightsError(f"'{path.name}' is not a torch state file (it starts with {start[:15]!r}). "
                       "A download may have saved a web page; get the file again.")


@contextlib.contextmanager
def _zip(path):
    """The zip of torch >= 1.6."""
    where = f"'{path.name}'"
    with zips.opened(path, _member_name, "member of a torch state file") as (archive, members):
        pickle_of = {name.split("/")[0] for name in members if name.split("/")[1:] == ["data.pkl"]}
        if len(pickle_of) != 1 or {name.split("/")[0] for name in members} != pickle_of:
            raise WeightsError(f"{where} is a zip, but {NO_STATE}")
        folder, = pickle_of
        if any(name.startswith((f"{folder}/code/", f"{folder}/constants.pkl")) for name in members):
            raise WeightsError(f"{where} is a TorchScript archive, {NO_STATE}")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise WeightsError(f"{where} was packed again, which PyTorch never does. Unpacked numbers could be of any size; refused.")

        def bytes_of(name, most):
            info = members[f"{folder}/{name}"]
            if info.file_size > most:
                raise WeightsError(f"{where}: {name!r} has {info.file_size} bytes, at most {most} are read. Refused.")
            with damage_in(f"{where}: {name!r}"), archive.open(info) as member:
                return raw(f"{where}: {name!r}", member, info.file_size)

        def numbers_of(storage):
            info, size = members.get(f"{folder}/data/{storage.key}"), storage.count * stored(storage.dtype).itemsize
            if info is None or info.file_size != size:
                raise WeightsError(f"{where}: data/{storage.key} should have {size} bytes and has "
                                   f"{'none' if info is None else info.file_size}. The file is damaged, get it again.")
            return bytes_of(f"data/{storage.key}", size).view(stored(storage.dtype))

        if f"{folder}/byteorder" in members and bytes(bytes_of("byteorder", 16)) != b"little":
            raise WeightsError(f"{where} has its numbers in big-endian order; little-endian ones are read.")
        yield pickles.load(where, io.BytesIO(bytes_of("data.pkl", pickles.MAX_BYTES)))[0], numbers_of


def _member_name(name):
    """The name itself; None of a path that leads out of its folder."""
    return name if name.isprintable() and "\\" not in name and not set(name.split("/")) & {"", ".", ".."} else None


@contextlib.contextmanager
def _stream(path):
    """The five pickles and the numbers after them."""
    where = f"'{path.name}'"
    with open(path, "rb") as file:
        saved, storages, keys, place = _five_pickles(where, file)
        places = {}
        for key in keys:
            places[key], place = place, place + 8 + storages[key].count * stored(storages[key].dtype).itemsize
        size = os.fstat(file.fileno()).st_size
        if place > size:
            raise WeightsError(f"{where} is cut off: {place} bytes were to come, {size} are there. Get the file again.")

        def numbers_of(storage):
            file.seek(places[storage.key])
            count = int.from_bytes(file.read(8), "little")
            if count != storage.count:
                raise WeightsError(f"{where}: storage {storage.key} should have {storage.count} numbers and has {count}. "
                                   "The file is damaged, get it again.")
            return raw(where, file, count * stored(storage.dtype).itemsize).view(stored(storage.dtype))

        yield saved, numbers_of


def _five_pickles(where, file):
    """What was saved, its storages, their keys in the order of their numbers, and where these begin."""
    head = io.BytesIO(file.read(pickles.MAX_BYTES))
    (magic, _), (protocol, _), (machine, _) = (pickles.load(where, head) for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL:
        raise WeightsError(f"{where} is of a protocol of PyTorch ({protocol if type(protocol) is int else 'none'}) that is not "
                           f"known; {PROTOCOL} is.")
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise WeightsError(f"{where} has its numbers in big-endian order; little-endian ones are read.")
    (saved, storages), (keys, _) = pickles.load(where, head), pickles.load(where, head)
    if not isinstance(keys, list) or not all(type(key) is str for key in keys) or sorted(keys) != sorted(storages):
        raise WeightsError(f"{where}: the storages that it lists are not those that its tensors need. The file is damaged.")
    return saved, storages, keys, head.tell()
