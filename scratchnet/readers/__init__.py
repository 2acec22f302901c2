"""Files of parameters in, as {name: array}; nothing in a file is ever run, and nothing is saved half.

    read(path, expect=None, max_bytes=..., kinds="f")   the arrays of a file, after every check
    read_notes(path)                                    what save put beside them
    save(path, arrays, notes)                           one .npz, complete or not there
"""

import math
import os
from pathlib import Path

from scratchnet.errors import WeightsError
from scratchnet.readers import csv_folder, hdf5, mat, npz
from scratchnet.readers.npz import save

READERS = {".npz": npz, ".h5": hdf5, ".hdf5": hdf5, ".mat": mat}
STARTS = {b"PK": ".npz", hdf5.MAGIC: ".h5", b"MATLAB ": ".mat"}        # the first bytes of files under a name that says nothing
MAX_BYTES = 2 * 2 ** 30

__all__ = ["read", "read_notes", "save"]


def read(path, expect=None, max_bytes=MAX_BYTES, kinds="f"):
    """Every array of a file, or of a folder of .csv files, {name: array}, as float32 or float64.

    expect     {name: shape} where the caller knows them: the file may then hold little more than these, in float64.
               A .csv file does not know its shape and takes the one that stands here
    max_bytes  what it may hold otherwise; both are checked before anything is allocated
    kinds      NumPy's letters of what may be inside. "fiu" lets whole numbers in, the steps that an optimiser counts
    Raises FileNotFoundError, or WeightsError naming the file, the array and what to do.
    """
    path, reader = _door(path)
    if expect is not None:
        max_bytes = 1.1 * 8 * sum(math.prod(shape) for shape in expect.values()) + 2 ** 20
    return reader.read(path, max_bytes, expect) if reader is csv_folder else reader.read(path, max_bytes, kinds)


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make. Raises what read raises."""
    path, reader = _door(path)
    return reader.read_notes(path) if reader is npz else {}


def _door(path):
    """The path and who reads it: by its suffix, or by its first bytes under a name that says nothing."""
    path = Path(os.path.expanduser(os.fsdecode(path)))
    if not path.exists():
        raise FileNotFoundError(f"No weights at '{path}' (looked in {Path.cwd()}).")
    if path.is_dir() and csv_folder.is_one(path):
        return path, csv_folder
    if not path.is_file():
        raise WeightsError(f"'{path}' is {'a folder' if path.is_dir() else 'no ordinary file'}; give one file of weights, "
                           "or a folder of .csv files.")
    with open(path, "rb") as file:
        start = file.read(15)
    if not start:
        raise WeightsError(f"'{path.name}' is empty (0 bytes): an interrupted save or download. Get it again.")
    kind = path.suffix if path.suffix in READERS else next((STARTS[magic] for magic in STARTS if start.startswith(magic)), None)
    if kind is None and ".ckpt" in path.name:
        raise WeightsError(f"'{path.name}' looks like a checkpoint of TensorFlow, which is not read here. In TensorFlow, save its arrays "
                           "by numpy.savez, or a Keras model by save_weights('net.h5').")
    if kind is None:
        raise WeightsError(f"'{path.name}' is not of a known kind; readable are {', '.join(READERS)}. It starts with {start!r}.")
    return path, READERS[kind]
