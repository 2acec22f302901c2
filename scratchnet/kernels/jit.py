"""One decorator that compiles a kernel, so that how kernels compile is decided once.

Compiled code is kept on disk (beside the source, or in NUMBA_CACHE_DIR), so only a machine's first run waits.
Where nothing can be written the kernel compiles without the disk, and one line says so. SCRATCHNET_NO_CACHE=1
switches the disk off: use it while editing a kernel, because the cache does not notice edits in other files.
"""

import functools
import os
import warnings

import numba

KERNELS = {}                   # every kernel of this package, {"gemm.im2col": the kernel}


def kernel(function):
    """function -> the same, compiled at its first call. Serial, without the GIL, bounds not checked: callers checked."""
    compiled = _compiled(function)
    package, _, module = function.__module__.rpartition(".")
    if package == __package__:
        KERNELS[f"{module}.{function.__name__}"] = compiled
    return compiled


def _compiled(function):
    if os.environ.get("SCRATCHNET_NO_CACHE"):
        return numba.njit(nogil=True)(function)
    try:
        return _forgiving(numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:                              # numba: "no locator available", nothing is writable
        warnings.warn("compiled kernels cannot be kept here, so every start compiles them again: "
                      "set NUMBA_CACHE_DIR to a folder that can be written")
        return numba.njit(nogil=True)(function)


def _forgiving(compiled):
    """The kernel itself. A full disk or a damaged file would end the run inside numba; a kernel can do without both."""
    cache = getattr(compiled, "_cache", None)
    for method in ("load_overload", "save_overload"):
        if hasattr(cache, method):
            setattr(cache, method, _or_without(getattr(cache, method), cache.cache_path))
    return compiled


def _or_without(method, folder):
    @functools.wraps(method)
    def or_without(*args):
        try:
            return method(*args)
        except Exception as e:                        # whatever pickle makes of damaged bytes
            warnings.warn(f"compiled kernels in '{folder}' cannot be used ({type(e).__name__}: {e}), so every start compiles them "
                          "again: python -m scratchnet doctor --clear-cache")
    return or_without


def inlined(function):
    """A helper that is copied into the kernels of its own file that call it, so that its constant arguments stay constants
    there: only then does the compiler see that rows of a buffer do not overlap, and use vector instructions."""
    return numba.njit(nogil=True, inline="always")(function)
