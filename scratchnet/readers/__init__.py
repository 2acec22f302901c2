"""Files of parameters in, as {name: array}; nothing in a file is ever run, and nothing is saved half.

    read(path, expect=None, max_bytes=...)   the arrays of a file, after every check
    save(path, arrays, notes)                one .npz, complete or not there
"""

import math
from pathlib import Path

from scratchnet.errors import WeightsError
from scratchnet.readers import npz
from scratchnet.readers.npz import read_notes, save

READERS = {".npz": npz.read}
MAX_BYTES = 2 * 2 ** 30

__all__ = ["read", "read_notes", "save"]


def read(path, expect=None, max_bytes=MAX_BYTES):
    """Every array of a file, {name: array}, as float32 or float64.

    expect     {name: shape} where the caller knows them: the file may then hold little more than these, in float64
    max_bytes  what it may hold otherwise; both are checked before anything is allocated
    Raises FileNotFoundError, or WeightsError naming the file, the array and what to do.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"No weights at '{path}' (looked in {Path.cwd()}).")
    if path.is_dir():
        raise WeightsError(f"'{path}' is a folder; give one file of weights.")
    if path.suffix not in READERS:
        raise WeightsError(f"'{path.name}' is not of a known kind; readable are {', '.join(READERS)}.")
    if expect is not None:
        max_bytes = 1.1 * 8 * sum(math.prod(shape) for shape in expect.values()) + 2 ** 20
    return READERS[path.suffix](path, max_bytes)
