"""A long run is kept in a file to go on from: whole or not at all, the one before beside it, and only for the run it belongs to.

    save(path, arrays, notes)          NAME.npz, and what was there becomes NAME.previous.npz
    load(path, ours, what)             arrays and notes; a damaged file is put aside as NAME.npz.corrupt and the one before it taken

What makes two runs the same run is a dict of settings, compared name by name; there is no force.
"""

import hashlib
import inspect
import json
import os
import secrets
import shutil
import warnings
from pathlib import Path

import numpy as np

from scratchnet import readers
from scratchnet.atomic import STAGED, replacing
from scratchnet.errors import WeightsError


def save(path, arrays, notes):
    """{name: array} and notes, a dict with "settings" and "done", into one .npz; the file that was there stays as the previous one."""
    path = Path(path).expanduser()
    if path.exists():
        _keep(path, previous(path))
    readers.save(path, arrays, notes)


def _keep(path, before):
    """The file under a second name, which costs nothing; a copy where the file system knows no second names."""
    staged = before.with_name(f"{STAGED}{secrets.token_hex(8)}.tmp")
    try:
        os.link(path, staged)
        os.replace(staged, before)
    except OSError:
        with open(path, "rb") as old, replacing(before) as kept:
            shutil.copyfileobj(old, kept)


def load(path, ours, what):
    """-> ({name: array}, notes) of a run with the settings `ours`, {name: text or number}; `what` names such a run in messages.

    Raises FileNotFoundError, and WeightsError where no file is whole or where the file's run had other settings, each named.
    """
    path = Path(path).expanduser()
    arrays, notes = _read(path)
    made = notes.get("settings")
    if not isinstance(made, dict) or "done" not in notes:
        raise WeightsError(f"'{path}' is no checkpoint of a {what}. Give one that was saved by such a run.")
    other = [f"{name} {where_they_part(made.get(name), ours.get(name))}" for name in {**made, **ours} if made.get(name) != ours.get(name)]
    if other:
        raise WeightsError(f"'{path}' was made with other settings: {'; '.join(other)}. A run can only be resumed as it was begun; "
                           "begin a new one elsewhere.")
    return arrays, notes


def previous(path):
    """Where the checkpoint before this one is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _read(path):
    """Arrays and notes of a checkpoint; where it is damaged, those of the one before it."""
    def whole(path):                                   # arrays are stored as they are: a file holds no more than it is long
        return readers.read(path, kinds="fiu", max_bytes=path.stat().st_size if path.exists() else 0), readers.read_notes(path)

    try:
        return whole(path)
    except (WeightsError, FileNotFoundError) as e:
        if not previous(path).exists():
            raise
        arrays, notes = whole(previous(path))
        if path.exists():
            os.replace(path, path.with_name(path.name + ".corrupt"))
        warnings.warn(f"{e} Going on from '{previous(path).name}', after {notes.get('done')}.", stacklevel=4)
        return arrays, notes


def as_kept(settings):
    """A dict as a file gives it back: NumPy's numbers are Python's, tuples are lists."""
    return json.loads(json.dumps(settings, default=lambda number: number.item()))


def optimizer_settings(optimizer, leave_out=()):
    """'Adam(learning_rate=0.03, beta1=0.9, ...)': what the optimiser was made with, not what it remembers of the way."""
    names = [name for name in inspect.signature(type(optimizer)).parameters if name not in leave_out]
    return f"{type(optimizer).__name__}({', '.join(f'{name}={getattr(optimizer, name, None)!r}' for name in names)})"


def fingerprint(*arrays):
    """A hash of numbers and shapes: the same text for the same pictures, labels, parameters."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        for some in np.array_split(array, max(1, len(array) // 256)) if array.ndim else [array]:
            digest.update(np.ascontiguousarray(some))
    return digest.hexdigest()


def where_they_part(made, ours, around=60):
    """'this, now that', of long texts only what surrounds the first difference."""
    made, ours = str(made), str(ours)
    start = max(0, len(os.path.commonprefix([made, ours])) - around)
    return ", now ".join("... " * (start > 0) + text[start:start + 2 * around] + " ..." * (len(text) > start + 2 * around)
                         for text in (made, ours))
