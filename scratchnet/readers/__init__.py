"""Files of parameters in, as {name: array}; nothing in a file is ever run, and nothing is saved half.

    read(path, expect=None, max_bytes=..., kinds="f", wanted=every, into=None)   the arrays of a file, after every check
    read_notes(path)                                                             what save put beside them
    save(path, arrays, notes)                                                    one .npz, complete or not there
"""

import contextlib
import math
import os
import re
import warnings
from pathlib import Path

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers import csv_folder, hdf5, mat, npz, pytorch, safetensors, zips
from scratchnet.readers.arrays import are, every
from scratchnet.readers.npz import save

READERS = {".npz": npz, ".pth": pytorch, ".pt": pytorch, ".safetensors": safetensors, ".h5": hdf5, ".hdf5": hdf5, ".mat": mat}
PICKLES = (".pkl", ".pickle")                         # what is under these names is refused, unless PyTorch wrote it
MAX_BYTES = 2 * 2 ** 30

__all__ = ["read", "read_notes", "save"]


def read(path, expect=None, max_bytes=MAX_BYTES, kinds="f", wanted=every, into=None):
    """Every array of a file, or of a folder of .csv files, {name: array}, as float32 or float64.

    expect     {name: shape} where the caller knows them: the file may then hold little more than these, in float64.
               A .csv file does not know its shape and takes the one that stands here
    max_bytes  what it may hold otherwise; both are checked before anything is allocated
    kinds      NumPy's letters of what may be inside. "fiu" lets whole numbers in, the steps that an optimiser counts. Without them
               PyTorch's num_batches_tracked is left out, and any other whole number is refused
    wanted     name -> whether to take that array; the others are left in the file
    into       dtype of the network that they are for, so that rounding to float32 is spoken of; nothing is rounded here
    The names are the file's own, without the 'module.' that PyTorch's DataParallel puts in front of all of them. What had to be
    chosen or converted is said in one warning, of a file that save did not make. Raises FileNotFoundError, or WeightsError naming
    the file, the array and what to do.
    """
    if expect is not None:
        max_bytes = 1.1 * 8 * sum(math.prod(shape) for shape in expect.values()) + 2 ** 20
    path = _as_typed(path)
    with _naming_what_lies_beside(path):
        reader = _door(path)
        arrays, said = reader.read(path, max_bytes, expect if reader is csv_folder else kinds, wanted)
    doubles = sum(array.dtype == np.float64 for array in arrays.values())
    if doubles and into == np.float32 and reader is not csv_folder:             # decimals, read in float64
        said = [*said, f"{doubles} of its arrays {are(doubles)} in double precision, rounded to the network's float32"]
    if said and not read_notes(path):
        warnings.warn(f"'{path.name}': {'; '.join(said)}.", stacklevel=2)
    return arrays


def read_notes(path):
    """What save put beside the arrays, a dict; empty for a file that scratchnet did not make. Raises what read raises."""
    path = _as_typed(path)
    with _naming_what_lies_beside(path):
        reader = _door(path)
        return npz.read_notes(path) if reader is npz else {}


@contextlib.contextmanager
def _naming_what_lies_beside(path):
    """To a refusal the file that may serve instead: a copy called .bak, or the one with the next smaller number in its name."""
    try:
        yield
    except WeightsError as e:
        other = None if isinstance(e.__cause__, ImportError) else _beside(path)
        if other is None:
            raise
        raise WeightsError(f"{e} Beside it lies '{other.name}', which may be whole.") from e


def _beside(path):
    """net.npz.bak or net.bak of net.npz, checkpoint_0200.npz of checkpoint_0300.npz; None where there is no such file."""
    for copy in (path.with_name(path.name + ".bak"), path.with_suffix(".bak")):
        if copy.is_file() and copy != path:
            return copy
    own = re.fullmatch(r"(.*[-_.])(\d+)", path.stem)
    if own is None:
        return None
    name, numbers = re.compile(re.escape(own[1]) + r"(\d+)" + re.escape(path.suffix)), {}
    with contextlib.suppress(OSError):                 # a folder that cannot be listed
        numbers = {int(found[1]): file for file in path.parent.iterdir() if (found := name.fullmatch(file.name))}
    return numbers.get(max((number for number in numbers if number < int(own[2])), default=None))


def _as_typed(path):
    """A path as people write it (~, bytes, text) -> Path."""
    return Path(os.path.expanduser(os.fsdecode(path)))


def _door(path):
    """Who reads a file: by what it holds where its first bytes tell, or by its suffix."""
    if not path.exists():
        raise FileNotFoundError(f"No weights at '{path}' (looked in {Path.cwd()}).")
    if path.is_dir() and csv_folder.is_one(path):
        return csv_folder
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
    return reader


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
