"""One decorator that compiles a kernel, so that how kernels compile is decided once.

Compiled code is kept on disk (beside the source, or in NUMBA_CACHE_DIR), so only a machine's first run waits.
Where nothing can be written the kernel compiles without the disk, and one line says so. SCRATCHNET_NO_CACHE=1
switches the disk off: use it while editing a kernel, because the cache does not notice edits in other files.
"""

import os
import warnings

import numba


def kernel(function):
    """function -> the same, compiled at its first call. Serial, without the GIL, bounds not checked: callers checked."""
    if os.environ.get("SCRATCHNET_NO_CACHE"):
        return numba.njit(nogil=True)(function)
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:                              # numba: "no locator available", nothing is writable
        warnings.warn("compiled kernels cannot be kept here, so every start compiles them again: "
                      "set NUMBA_CACHE_DIR to a folder that can be written")
        return numba.njit(nogil=True)(function)


def inlined(function):
    """A helper that is copied into the kernels of its own file that call it, so that its constant arguments stay constants
    there: only then does the compiler see that rows of a buffer do not overlap, and use vector instructions."""
    return numba.njit(nogil=True, inline="always")(function)
