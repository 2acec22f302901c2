"""What every reader asks of an array before it lets it in, kept in one place so that no format is easier to deceive than another."""

import contextlib
import errno
import importlib
import math

import numpy as np

from scratchnet.errors import WeightsError

CHUNK = 2 ** 20
MAX_AXES = 32                       # of a shape that a file claims
COUNTER = "num_batches_tracked"     # PyTorch's BatchNorm counts its batches beside its parameters; prediction has no use for it
BFLOAT16 = "bfloat16"               # the upper half of a float32, which NumPy has no dtype for


def every(name):
    """What a reader is told to want when nothing is to be left in the file."""
    return True


@contextlib.contextmanager
def damage_in(where):
    """Whatever zipfile, zlib, json, NumPy and others raise at damaged bytes, as one WeightsError; a failing disk stays an OSError."""
    try:
        yield
    except (WeightsError, MemoryError):
        raise
    except Exception as e:
        if isinstance(e, OSError) and e.errno not in (None, errno.EINVAL):      # None: h5py's; EINVAL: an offset before the file's start
            raise
        raise WeightsError(f"{where} is damaged ({e or type(e).__name__}). Get the file again.") from e


def raw(where, file, size):
    """The next `size` bytes of a file as uint8, straight into the memory that they will stay in."""
    array, done = np.empty(size, np.uint8), 0
    while done < size:
        got = file.readinto(memoryview(array)[done:done + CHUNK])
        if not got:
            raise WeightsError(f"{where} is cut off: {size} bytes of numbers were to come, {done} are there. Get the file again.")
        done += got
    return array


def is_number(dtype, kinds):
    """Whether a dtype is of these kinds (NumPy's letters), and of a size that is the same on every machine."""
    return "f" in kinds if dtype is BFLOAT16 else dtype.kind in kinds and dtype.itemsize <= 8


def check_kind(where, dtype, kinds):
    """Refuses what is no number of the kinds asked for."""
    if not is_number(dtype, kinds):
        raise WeightsError(f"{where} is of {dtype}; parameters are float16, float32 or float64, or bfloat16.")


def is_left_out(name, dtype, kinds):
    """PyTorch's counter of batches, a whole number among parameters: left out unless whole numbers are asked for."""
    return name.split(".")[-1] == COUNTER and is_number(dtype, "iu") and not is_number(dtype, kinds)


def stored(dtype):
    """What a file holds: the bits of a bfloat16 are read as a whole number of 16 bits."""
    return np.dtype("<u2") if dtype is BFLOAT16 else dtype


def is_half(dtype):
    """Whether reading makes float32 of it."""
    return dtype is BFLOAT16 or dtype == np.float16


def said_of_halves(dtypes):
    """[the note on those of these dtypes that reading made float32 of], or []."""
    halves = sum(map(is_half, dtypes))
    return [f"{halves} of its arrays {are(halves)} in half precision, read as float32"] * (halves > 0)


def are(count):
    """1 is, 2 are."""
    return "is" if count == 1 else "are"


def bytes_read(shape, dtype):
    """What an array takes once it is read."""
    return math.prod(shape) * (4 if is_half(dtype) else dtype.itemsize)


def check_total(where, total, max_bytes):
    """Refuses a file of more numbers than the caller takes, before any of them is read."""
    if total > max_bytes:
        raise WeightsError(f"{where} says it holds {total / 2 ** 20:.0f} MB; at most {max_bytes / 2 ** 20:.0f} MB "
                           "are taken. Refused before reading.")


def finished(where, array, dtype=None):
    """The array C-contiguous, in this machine's byte order, halves as float32; without a copy where it is so already.

    dtype   BFLOAT16 where the array holds the bits of such numbers. Raises WeightsError for NaN and infinity, counted.
    """
    if dtype is BFLOAT16:
        array = array.astype(np.uint32, order="C")
        array <<= 16
        array = array.view(np.float32)
    dtype = array.dtype.newbyteorder("=")
    array = array.astype(np.promote_types(dtype, np.float32) if dtype.kind == "f" else dtype, order="C", copy=False)
    flat = array.reshape(-1)
    if not all(np.isfinite(flat[i:i + CHUNK]).all() for i in range(0, flat.size, CHUNK)):
        raise WeightsError(f"{where} has {np.sum(~np.isfinite(array))} non-finite values.")
    return array


def needed(path, package):
    """A package that only some files need. Raises WeightsError naming the command that brings it; nothing else is tried."""
    whole = package.partition(".")[0]
    try:
        importlib.import_module(whole)
        return importlib.import_module(package)
    except ImportError as e:
        raise WeightsError(f"reading '{path.name}' needs {whole}: pip install 'scratchnet[weights]'") from e
