"""A file is complete or it is not there: whatever happens while it is written, the old one stays whole until then."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A binary file to write into; it takes the place of `path` when the block ends without an error.

    It is staged in the same folder, which is made if need be, and gets the old file's permissions, or the usual ones.
    Raises OSError as the file system does; nothing is left behind.
    """
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    handle, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(staged, mode)
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)
        raise


def _umask():
    """The process's mask for new files; it can only be read by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask
