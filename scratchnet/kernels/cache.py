"""Where compiled kernels are kept, what lies there, and how to be rid of it: the folder also holds what is not ours.

    gemm.im2col-47.py311.nbi       numba's index of one kernel: module.kernel-line.python
    gemm.im2col-47.py311.1.nbc     that kernel, compiled for one kind of arguments

Which folder it is, numba decides at import: NUMBA_CACHE_DIR, else __pycache__ beside the source, else the user's own.
"""

import contextlib
import re
import sys
import tempfile
from pathlib import Path

from scratchnet.kernels.jit import KERNELS


def folder():
    """The folder, a Path; None where nothing is kept."""
    paths = [kernel.stats.cache_path for kernel in KERNELS.values() if hasattr(kernel, "stats")]
    return Path(paths[0]) if paths and paths[0] else None


def writable():
    """Whether a new file can be made there now."""
    with contextlib.suppress(OSError):
        if folder():
            tempfile.TemporaryFile(dir=folder()).close()
            return True
    return False


def files():
    """Every file of this package's kernels in the folder, of any Python and of earlier versions of the source too."""
    if folder() is None or not folder().is_dir():
        return []
    modules = "|".join(sorted({name.partition(".")[0] for name in KERNELS}))
    ours = re.compile(rf"({modules})\.[\w.]+-\d+\.py\d+[a-z]*(\.\d+\.nbc|\.nbi)")
    return sorted(path for path in folder().iterdir() if ours.fullmatch(path.name) and path.is_file())


def kept():
    """{name of a kernel: its files}, of those that this Python finds compiled from the source as it is now."""
    found, there = {}, files()
    for name, kernel in KERNELS.items():
        version = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}."
        begin = f"{name}-{getattr(kernel, 'py_func', kernel).__code__.co_firstlineno}.{version}"
        own = [path for path in there if path.name.startswith(begin)]
        if any(path.suffix == ".nbc" for path in own):
            found[name] = own
    return found


def clear():
    """Removes `files()` and nothing else. -> how many, and their bytes. Raises OSError as the file system does."""
    there = files()
    size = size_of(there)
    for path in there:
        path.unlink(missing_ok=True)
    return len(there), size


def size_of(paths):
    """Bytes of these files; one that another process has just removed counts nothing."""
    size = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size
    return size
