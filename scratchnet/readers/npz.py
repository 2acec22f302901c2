"""NumPy's archive of arrays, read without trusting it: sizes are checked before memory is taken, and no object is built.

An .npz is a zip of .npy files, one array each. NumPy reads it lazily, would load whatever the headers claim, and tells
whoever holds a damaged file to trust it; so all members are looked at first, and their headers are read here.
"""

import ast
import json
import math
import zipfile

import numpy as np

from scratchnet.atomic import replacing
from scratchnet.errors import WeightsError
from scratchnet.readers import zips
from scratchnet.readers.arrays import check_kind, check_total, damage_in, every, finished, is_number, raw, said_of_halves

FORMAT = 1
NOTES = "scratchnet"          # the member that holds what is not an array, as JSON text
MAX_NOTES = 2 ** 20
MAX_HEADER = 2 ** 12          # NumPy's own are 128 bytes long
LENGTHS = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}     # how a .npy starts: bytes of its header's length


def read(path, max_bytes, kinds="f", wanted=every):
    """{name: array} of those arrays of an .npz that are wanted, at most max_bytes of them, and what is to be said of them, [text]."""
    with _opened(path) as (archive, members):
        _notes(path, archive, members)                 # a file of a newer format is refused here as well
        members = {name: info for name, info in members.items() if name != NOTES and wanted(name)}
        total = sum(info.file_size for info in members.values())
        check_total(f"'{path.name}'", total, max_bytes)
        dtypes = []
        arrays = {name: _numbers(f"'{path.name}': {name!r}", archive, info, kinds, dtypes) for name, info in members.items()}
    return arrays, said_of_halves(dtypes)


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make."""
    with _opened(path) as (archive, members):
        return _notes(path, archive, members)


def save(path, arrays, notes=None):
    """{name: array} into exactly this path, as .npz. The old file stays whole until the new one is complete.

    Raises WeightsError for what read would refuse: a name that is a path, an array that is not of real numbers.
    """
    text = np.array(json.dumps({**(notes or {}), "format": FORMAT}))
    if text.nbytes > MAX_NOTES:
        raise WeightsError(f"notes of {text.nbytes} bytes are too long to be read again; at most {MAX_NOTES}.")
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if not _is_name(name) or name == NOTES:
            raise WeightsError(f"{name!r} cannot name an array in a file: no '/', '\\', '..', and not '{NOTES}'. Rename the layer.")
        if not is_number(array.dtype, "fiu"):
            raise WeightsError(f"{name!r} is of {array.dtype}, which is not saved; give floats of at most 64 bits, or whole numbers.")
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {**arrays, NOTES: text}.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


# ---- the zip -------------------------------------------------------------------------------------------------------------

def _is_name(name):
    """No path, no control characters: what may stand in front of .npy."""
    return isinstance(name, str) and name != "" and name.isprintable() and not any(part in name for part in ("/", "\\", ".."))


def _array_name(member):
    """W of W.npy; None of what is no array's name."""
    name = member.removesuffix(".npy")
    return name if name != member and _is_name(name) else None


def _opened(path):
    """The zip and its arrays' entries by name, or a WeightsError that says what the file is instead."""
    with open(path, "rb") as file:
        start = file.read(15)
    if not start.startswith(b"PK"):
        raise WeightsError(f"'{path.name}' is not an .npz archive (it starts with {start!r}). "
                           "A download may have saved a web page; get the file again.")
    return zips.opened(path, _array_name, "array's name")


# ---- one member ----------------------------------------------------------------------------------------------------------

def _numbers(where, archive, info, kinds, dtypes):
    """One array of finite numbers, C-contiguous, in this machine's byte order, halves as float32. What it was goes into dtypes."""
    def check(shape, dtype):
        check_kind(where, dtype, kinds)
        dtypes.append(dtype)

    return finished(where, _array(where, archive, info, check))


def _notes(path, archive, members):
    """The notes, {} where there are none. Raises WeightsError for those of a newer scratchnet, and of anything else."""
    if NOTES not in members:
        return {}

    def check(shape, dtype):
        if shape != () or dtype.kind != "U" or dtype.itemsize > MAX_NOTES:
            raise WeightsError(f"'{path.name}': its notes are of shape {shape}, {dtype}; expected a text of at most 1 MB.")

    text = _array(f"'{path.name}': '{NOTES}'", archive, members[NOTES], check)
    with damage_in(f"'{path.name}': '{NOTES}'"):
        notes = json.loads(str(text))
    if not isinstance(notes, dict) or not isinstance(notes.get("format"), int):
        raise WeightsError(f"'{path.name}': its notes are not those of a scratchnet file.")
    if notes["format"] > FORMAT:
        raise WeightsError(f"'{path.name}' has format {notes['format']}, this version reads up to {FORMAT}: upgrade scratchnet.")
    return notes


def _array(where, archive, info, check):
    """One array as it is stored: its header, what the caller says of it, and only then the numbers."""
    with damage_in(where), archive.open(info) as member:
        shape, order, dtype = _header(where, member)
        if dtype.hasobject:
            raise WeightsError(f"{where} holds Python objects, not numbers. Refused; nothing was run.")
        check(shape, dtype)
        size = math.prod(shape) * dtype.itemsize
        if size != info.file_size - member.tell():
            raise WeightsError(f"{where} claims shape {shape}, which is not what is stored. The file is damaged.")
        return np.ndarray(shape, dtype, raw(where, member, size), order=order)


def _header(where, member):
    """(shape, order, dtype) of a .npy file, as its first bytes have them."""
    start = member.read(8)
    length = int.from_bytes(member.read(LENGTHS.get(start, 0)), "little")
    if start not in LENGTHS or length > MAX_HEADER:
        raise WeightsError(f"{where} is no .npy array that is known here (it starts with {start!r}, its header has {length} bytes).")
    text = member.read(length).decode("latin1")
    try:
        header = ast.literal_eval(text)
        if header.keys() != {"descr", "fortran_order", "shape"}:
            raise ValueError(f"other keys: {', '.join(map(str, header))}")
        shape, order, dtype = header["shape"], {False: "C", True: "F"}[header["fortran_order"]], np.dtype(header["descr"])
    except Exception as e:                             # the tokenizer, the parser and NumPy have a dozen kinds
        raise WeightsError(f"{where} has a header that is not NumPy's. The file is damaged, get it again.") from e
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise WeightsError(f"{where} claims shape {shape}, which is none. The file is damaged.")
    return shape, order, dtype
