"""The HDF5 library believes what it reads: a few flipped bits crash it, or have it take all memory there is.

So it works in a process of its own, which may die. Arrays come back through a pipe, one after the other: a line of JSON,
{"name", "shape", "dtype", "stored"}, then the bytes; at the end {"end": true}, or {"refused": "words"}.
"""

import contextlib
import importlib
import json
import math
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers.arrays import check_total, said_of_halves

CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from scratchnet.readers import apart; apart.answer(*sys.argv[2:])"
SECONDS, BYTES_A_SECOND = 30, 5e6                      # a slow disk is faster than this
SPARE = 2 ** 28                                        # memory that the library may take beside the arrays
LONGEST = 2 ** 16                                      # of a line


def read(reader, path, max_bytes, kinds, wanted):
    """{name: array}: what `arrays` of that module, hdf5 or mat73, yields in another process; what is not wanted is let go here.
    And what is to be said of them, [text].

    Raises WeightsError for what it refuses, and when it dies or does not come to an end.
    """
    arguments = [sys.executable, "-c", CHILD, json.dumps(sys.path), reader, str(path.absolute()), repr(float(max_bytes)), kinds]
    seconds = SECONDS + path.stat().st_size / BYTES_A_SECOND
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        clock = threading.Timer(seconds, child.kill)
        clock.daemon = True
        clock.start()
        try:
            collected = _collected(child.stdout, path, max_bytes, wanted)
        finally:
            clock.cancel()
            child.kill()
    if collected is None:
        raise WeightsError(f"'{path.name}' is damaged (the HDF5 library crashed over it, or did not come to an end). Get the file again.")
    return collected


def _collected(pipe, path, max_bytes, wanted):
    """{name: array} out of the pipe, and the notes; None when it ends too early."""
    arrays, dtypes, total = {}, [], 0
    while line := pipe.readline(LONGEST):
        try:
            said = json.loads(line)
            if "end" in said:
                return arrays, said_of_halves(dtypes)
            if "refused" in said:
                raise WeightsError(said["refused"])
            name, shape, dtype, stored = said["name"], tuple(said["shape"]), np.dtype(said["dtype"]), np.dtype(said["stored"])
        except (json.JSONDecodeError, TypeError, KeyError):
            return None
        total += math.prod(shape) * dtype.itemsize
        check_total(f"'{path.name}'", total, 2 * max_bytes)        # halves have become singles
        array = np.empty(shape, dtype)
        if array.size and pipe.readinto(memoryview(array.reshape(-1)).cast("B")) < array.nbytes:
            return None
        if wanted(name):
            arrays[name] = array
            dtypes.append(stored)
    return None


# ---- the other process ---------------------------------------------------------------------------------------------------

def answer(reader, path, max_bytes, kinds):
    """Reads, and says what it finds to the one who asked."""
    path, pipe = Path(path), sys.stdout.buffer
    module = importlib.import_module(f"scratchnet.readers.{reader}")
    try:
        for name, array, stored in module.arrays(path, float(max_bytes), kinds, little_memory):
            line = {"name": name, "shape": array.shape, "dtype": array.dtype.str, "stored": stored.str}
            pipe.write(json.dumps(line).encode() + b"\n")
            pipe.write(array.tobytes() if array.size < 2 else memoryview(array.reshape(-1)).cast("B"))
        said = {"end": True}
    except WeightsError as e:
        said = {"refused": str(e)}
    except MemoryError:
        said = {"refused": f"'{path.name}' is damaged (it takes more memory than its arrays need). Get the file again."}
    pipe.write(json.dumps(said).encode() + b"\n")
    pipe.flush()


def little_memory(n):
    """From here on no more than n bytes and something to spare, where the system has such limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE + n, hard))
