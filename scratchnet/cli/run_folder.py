"""The folder of a run: the next free one where none is named, and known to be writable before the long work begins."""

import contextlib
import os
import time
from pathlib import Path

from scratchnet.atomic import replacing
from scratchnet.errors import ShapeError

try:
    import fcntl
except ImportError:                                   # Windows: two runs in one folder are not told apart there
    fcntl = None


def named(out, kind):
    """--out as a path; when it is None, out/KIND-1 or the next number that is free, made here: two runs begun at once have two folders."""
    while out is None:
        taken = [int(path.name[len(kind) + 1:]) for path in Path("out").glob(f"{kind}-*") if path.name[len(kind) + 1:].isdigit()]
        free = Path("out") / f"{kind}-{max(taken, default=0) + 1}"
        with contextlib.suppress(FileExistsError):
            free.mkdir(parents=True)
            out = free
    return out.expanduser()


def made(path):
    """When a file was written, for a message."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))


def writable(folder):
    """The folder itself, made if it was not there. Raises OSError, with what to do, when nothing can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / ".write-probe"):
            pass
        (folder / ".write-probe").unlink()
    except OSError as e:
        why = "it is a file" if folder.is_file() else e.strerror
        raise type(e)(f"'{folder}' cannot be the folder of a run: {why}. Give another by --out.") from e
    return folder


@contextlib.contextmanager
def mine(folder):
    """The folder for one run alone, while the block lasts or the process lives; gone at its end if nothing is in it.

    Raises ShapeError when another run is at work in it.
    """
    at = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            fcntl.flock(at, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ShapeError(f"another run is at work in '{folder}'. Wait until it ends, or take another --out.") from None
    finally:
        if fcntl:
            os.close(at)
        with contextlib.suppress(OSError):             # what is not empty stays
            folder.rmdir()
