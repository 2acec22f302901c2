"""What every reader owes its caller, whatever the file: finite real numbers in this machine's order, no more of them than asked for."""

import contextlib
import errno
import importlib

import numpy as np

from scratchnet.errors import WeightsError


def needed(path, package):
    """A package that only some files need. Raises WeightsError naming the command that brings it; nothing else is tried."""
    whole = package.partition(".")[0]
    try:
        importlib.import_module(whole)
        return importlib.import_module(package)
    except ImportError as e:
        raise WeightsError(f"reading '{path.name}' needs {whole}: pip install 'scratchnet[weights]'") from e


def is_number(dtype, kinds):
    """Whether a file may hold this kind. A long double differs from machine to machine, so 64 bits are the end."""
    return dtype.kind in kinds and dtype.itemsize <= 8


def check_kind(where, dtype, kinds):
    """Raises WeightsError for what is no parameter, before it is read."""
    if not is_number(dtype, kinds):
        raise WeightsError(f"{where} is of {dtype}; parameters are float16, float32 or float64.")


def check_total(path, total, max_bytes):
    """Raises WeightsError when a file says it holds more than is taken, before anything is allocated."""
    if total > max_bytes:
        raise WeightsError(f"'{path.name}' says it holds {total / 2 ** 20:.0f} MB; at most {max_bytes / 2 ** 20:.0f} MB "
                           "are taken. Refused before reading.")


def finished(where, array):
    """The array C-contiguous, in this machine's byte order, halves as float32. Raises WeightsError for NaN and infinity."""
    dtype = array.dtype.newbyteorder("=")
    wanted = np.promote_types(dtype, np.float32) if dtype.kind == "f" else dtype
    array = array.astype(wanted, order="C", copy=not array.flags.writeable)
    if not np.all(np.isfinite(array)):
        raise WeightsError(f"{where} has {np.sum(~np.isfinite(array))} non-finite values.")
    return array


@contextlib.contextmanager
def damage_in(where):
    """Whatever the libraries raise at damaged bytes, as one WeightsError; a failing disk stays an OSError."""
    try:
        yield
    except (WeightsError, MemoryError):
        raise
    except Exception as e:
        if isinstance(e, OSError) and e.errno not in (None, errno.EINVAL):   # EINVAL: a damaged offset, before the file's start
            raise
        raise WeightsError(f"{where} is damaged ({e or type(e).__name__}). Get the file again.") from e
