"""Files of parameters in, as {name: array}; nothing in a file is ever run, and nothing is saved half.

    read(path, expect=None, max_bytes=..., kinds="f")   the arrays of a file, after every check
    read_notes(path)                                    what save put beside them
    save(path, arrays, notes)                           one .npz, complete or not there
"""

import math
import os
from pathlib import Path

from scratchnet.errors import WeightsError
from scratchnet.readers import npz
from scratchnet.readers.npz import save

READERS = {".npz": npz}
MAX_BYTES = 2 * 2 ** 30

__all__ = ["read", "read_notes", "save"]


def read(path, expect=None, max_bytes=MAX_BYTES, kinds="f"):
    """Every array of a file, {name: array}, as float32 or float64.

    expect     {name: shape} where the caller knows them: the file may then hold little more than these, in float64
    max_bytes  what it may hold otherwise; both are checked before anything is allocated
    kinds      NumPy's letters of what may be inside. "fiu" lets whole numbers in, the steps that an optimiser counts
    Raises FileNotFoundError, or WeightsError naming the file, the array and what to do.
    """
    path, reader = _door(path)
    if expect is not None:
        max_bytes = 1.1 * 8 * sum(math.prod(shape) for shape in expect.values()) + 2 ** 20
    return reader.read(path, max_bytes, kinds)


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make. Raises what read raises."""
    path, reader = _door(path)
    return reader.read_notes(path)


def _door(path):
    """The path and who reads it: by its suffix, or by its first bytes under a name that says nothing."""
    path = Path(os.path.expanduser(os.fsdecode(path)))
    if not path.exists():
        raise FileNotFoundError(f"No weights at '{path}' (looked in {Path.cwd()}).")
    if not path.is_file():
        raise WeightsError(f"'{path}' is {'a folder' if path.is_dir() else 'no ordinary file'}; give one file of weights.")
    with open(path, "rb") as file:
        start = file.read(15)
    if not start:
        raise WeightsError(f"'{path.name}' is empty (0 bytes): an interrupted save or download. Get it again.")
    kind = ".npz" if path.suffix not in READERS and start.startswith(b"PK") else path.suffix
    if kind not in READERS:
        raise WeightsError(f"'{path.name}' is not of a known kind; readable are {', '.join(READERS)}. It starts with {start!r}.")
    return path, READERS[kind]
