"""Files of parameters in, as {name: array}; nothing in a file is ever run, and nothing is saved half.

    read(path, expect=None, max_bytes=..., kinds="f", wanted=every)   the arrays of a file, after every check
    read_notes(path)                                                  what save put beside them
    save(path, arrays, notes)                                         one .npz, complete or not there
"""

import math
import os
from pathlib import Path

from scratchnet.errors import WeightsError
from scratchnet.readers import csv_folder, hdf5, mat, npz, pytorch, safetensors, zips
from scratchnet.readers.arrays import every
from scratchnet.readers.npz import save

READERS = {".npz": npz, ".pth": pytorch, ".pt": pytorch, ".safetensors": safetensors, ".h5": hdf5, ".hdf5": hdf5, ".mat": mat}
PICKLES = (".pkl", ".pickle")                         # what is under these names is refused, unless PyTorch wrote it
MAX_BYTES = 2 * 2 ** 30

__all__ = ["read", "read_notes", "save"]


def read(path, expect=None, max_bytes=MAX_BYTES, kinds="f", wanted=every):
    """Every array of a file, or of a folder of .csv files, {name: array}, as float32 or float64.

    expect     {name: shape} where the caller knows them: the file may then hold little more than these, in float64.
               A .csv file does not know its shape and takes the one that stands here
    max_bytes  what it may hold otherwise; both are checked before anything is allocated
    kinds      NumPy's letters of what may be inside. "fiu" lets whole numbers in, the steps that an optimiser counts. Without them
               PyTorch's num_batches_tracked is left out, and any other whole number is refused
    wanted     name -> whether to take that array; the others are left in the file
    The names are the file's own, without the 'module.' that PyTorch's DataParallel puts in front of all of them. What had to be
    chosen or converted is said in a warning. Raises FileNotFoundError, or WeightsError naming the file, the array and what to do.
    """
    path, reader = _door(path)
    if expect is not None:
        max_bytes = 1.1 * 8 * sum(math.prod(shape) for shape in expect.values()) + 2 ** 20
    return reader.read(path, max_bytes, expect if reader is csv_folder else kinds, wanted)


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make. Raises what read raises."""
    path, reader = _door(path)
    return npz.read_notes(path) if reader is npz else {}


def _door(path):
    """The path and who reads it: by what the file holds where its first bytes tell, or by its suffix."""
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
    reader = _by_content(path, start) or READERS.get(path.suffix)
    if reader is None and ".ckpt" in path.name:
        raise WeightsError(f"'{path.name}' looks like a checkpoint of TensorFlow, which is not read here. In TensorFlow, save its arrays "
                           "by numpy.savez, or a Keras model by save_weights('net.h5').")
    if reader is None:
        raise WeightsError(f"'{path.name}' is not of a known kind; readable are {', '.join(READERS)}. It starts with {start!r}.")
    return path, reader


def _by_content(path, start):
    """The reader of what the file begins like, whatever it is called; None where that says nothing."""
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= safetensors.MAX_HEADER:
        return safetensors                             # before pickles: the length of its list may begin with their byte
    if start.startswith(b"PK"):
        names = zips.names(path)
        if any(name.endswith("/data.pkl") for name in names):
            return pytorch
        return npz if path.suffix not in READERS or any(name.endswith(".npy") for name in names) else None
    if start.startswith(hdf5.MAGIC):                   # MATLAB's newest files may begin so too, and only their name tells
        return mat if path.suffix == ".mat" else hdf5
    if start.startswith(mat.MAGIC):
        return mat
    return pytorch if start.startswith(b"\x80") or path.suffix in PICKLES else None
