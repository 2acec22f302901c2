"""A file is complete or it is not there: a full disk, a Ctrl-C, a power cut leave the old one or the new one, never half."""

import contextlib
import glob
import os
import secrets
import shutil
import time

STAGED = ".scratchnet-"                               # how files in the making are named, in the folder of their target


@contextlib.contextmanager
def replacing(path):
    """A binary file to write into; it takes the place of `path` when the block ends without an error.

    The folder is made when missing, a link is followed, and the old file's permissions pass to the new one.
    Raises OSError as the file system does, with what was there intact; nothing is left behind.
    """
    path = os.path.realpath(os.path.expanduser(os.fsdecode(path)))
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    _sweep(folder)
    staged = os.path.join(folder, f"{STAGED}{secrets.token_hex(8)}.tmp")
    try:
        with open(staged, "xb") as file:               # a plain open gives 0666 & ~umask; tempfile would give 0600
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, staged)
        os.replace(staged, path)
    except BaseException as error:
        size = os.path.getsize(staged) if os.path.exists(staged) else 0
        with contextlib.suppress(OSError):
            os.remove(staged)
        if isinstance(error, OSError) and error.errno:
            message = f"{error.strerror} writing '{path}' ({size / 1e6:.1f} MB done); what was there is intact"
            raise OSError(error.errno, message) from error
        raise


def _sweep(folder):
    """Files that a killed run left here more than an hour ago; a younger one may belong to a run at work."""
    for old in glob.glob(os.path.join(glob.escape(folder), STAGED + "*.tmp")):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(old) > 3600:
                os.remove(old)
