"""NumPy's archive of arrays, read without trusting it: sizes are checked before memory is taken, and no object is built.

An .npz is a zip of .npy files, one array each. NumPy reads it lazily and would load whatever the headers claim; here all
members are looked at first.
"""

import contextlib
import json
import math
import zipfile
from pathlib import Path

import numpy as np

from scratchnet.atomic import replacing
from scratchnet.errors import WeightsError

FORMAT = 1
NOTES = "scratchnet"          # the member that holds what is not an array, as JSON text
MAX_NOTES = 2 ** 20


def read(path, max_bytes):
    """{name: array} of an .npz that holds at most max_bytes of them."""
    with _opened(path) as archive:
        members = _members(path, archive, max_bytes)
        members.pop(NOTES, None)
        return {name: _array(path, archive, info, name) for name, info in members.items()}


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make."""
    path = Path(path).expanduser()
    with _opened(path) as archive:
        if NOTES + ".npy" not in archive.namelist():
            return {}
        info = archive.getinfo(NOTES + ".npy")
        if info.file_size > MAX_NOTES:
            raise WeightsError(f"'{path.name}': its notes are {info.file_size} bytes long, more than any network's.")
        try:
            with archive.open(info) as member:
                notes = json.loads(str(np.lib.format.read_array(member, allow_pickle=False)))
        except (ValueError, EOFError, zipfile.BadZipFile) as e:
            raise WeightsError(f"'{path.name}' is damaged: its notes cannot be read. Get the file again.") from e
    if not isinstance(notes, dict) or not isinstance(notes.get("format"), int):
        raise WeightsError(f"'{path.name}': its notes are not those of a scratchnet file.")
    if notes["format"] > FORMAT:
        raise WeightsError(f"'{path.name}' has format {notes['format']}, this version reads up to {FORMAT}: upgrade scratchnet.")
    return notes


def save(path, arrays, notes=None):
    """{name: array} into exactly this path, as .npz. The old file stays whole until the new one is complete."""
    text = json.dumps({"format": FORMAT, **(notes or {})})
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {**arrays, NOTES: np.array(text)}.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


@contextlib.contextmanager
def _opened(path):
    """The zip, or a WeightsError that says what the file is instead."""
    size = path.stat().st_size
    if size == 0:
        raise WeightsError(f"'{path.name}' is empty (0 bytes): an interrupted save or download. Get it again.")
    with open(path, "rb") as file:
        start = file.read(15)
    if not start.startswith(b"PK"):
        raise WeightsError(f"'{path.name}' is not an .npz archive (it starts with {start!r}). "
                           "A download may have saved a web page; get the file again.")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as e:
        raise WeightsError(f"'{path.name}' is cut off (no zip directory at its end). Get it again.") from e
    with archive:
        yield archive


def _members(path, archive, max_bytes):
    """{array name: zip entry}, after every check that needs no reading."""
    members = {}
    for info in archive.infolist():
        name, dot, suffix = info.filename.rpartition(".")
        if suffix != "npy" or "/" in name or "\\" in name or ".." in name or not name:
            raise WeightsError(f"'{path.name}' holds {info.filename!r}, which is no array's name. Refused.")
        if name in members:
            raise WeightsError(f"'{path.name}' holds {name!r} twice. Refused: which one is meant?")
        members[name] = info
    total = sum(info.file_size for info in members.values())
    if total > max_bytes:
        raise WeightsError(f"'{path.name}' says it holds {total / 2 ** 20:.0f} MB; at most {max_bytes / 2 ** 20:.0f} MB "
                           "are taken. Refused before reading.")
    return members


def _array(path, archive, info, name):
    """One array: header first, then, if it claims what is stored, the numbers."""
    where = f"'{path.name}': {name!r}"
    try:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
            if header is None:
                raise WeightsError(f"{where} is of .npy version {version}, which is unknown here.")
            declared, _, dtype = header(member)
            if dtype.hasobject:
                raise WeightsError(f"{where} holds Python objects, not numbers. Refused; nothing was run.")
            if dtype.kind != "f":
                raise WeightsError(f"{where} is of {dtype}; parameters are float16, float32 or float64.")
            if min(declared, default=1) < 0 or math.prod(declared) * dtype.itemsize != info.file_size - member.tell():
                raise WeightsError(f"{where} claims shape {declared}, which is not what is stored. The file is damaged.")
        with archive.open(info) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError) as e:
        if isinstance(e, WeightsError):
            raise
        raise WeightsError(f"{where} is damaged ({e}). Get the file again.") from e
    if not np.all(np.isfinite(array)):
        raise WeightsError(f"{where} has {np.sum(~np.isfinite(array))} non-finite values.")
    return np.ascontiguousarray(array, np.float64 if dtype.itemsize > 4 else np.float32)
