"""A zip from a stranger, looked at before anything in it is unpacked: .npz and PyTorch's files are both such archives."""

import contextlib
import io
import os
import zipfile

from scratchnet.errors import WeightsError
from scratchnet.readers.arrays import damage_in

MAX_DIRECTORY = 2 ** 20       # of the list of members at the end, some 100 bytes each; zipfile reads it whole, however long it is


class _Frugal(io.BufferedReader):
    """A file that gives no more than MAX_DIRECTORY bytes at a time."""

    def read(self, size=-1):
        left = os.fstat(self.fileno()).st_size - self.tell()
        if (left if size is None or size < 0 else min(size, left)) > MAX_DIRECTORY:
            raise WeightsError(f"'{os.path.basename(self.raw.name)}' lists more members than the file of any network. "
                               "Refused before reading.")
        return super().read(size)


def names(path):
    """The names of the members, to see what kind of file a zip is; none of a damaged one."""
    try:
        with _Frugal(io.FileIO(path)) as file:
            return zipfile.ZipFile(file).namelist()
    except Exception:                                  # whoever reads the file will say what is wrong with it
        return []


@contextlib.contextmanager
def opened(path, name_of, expected):
    """The zip and its members, {name: zip entry}, after every check that needs no unpacking.

    name_of   what a member is to be called, from its name in the archive; None refuses it
    expected  what a refused member should have been, for the message
    Raises WeightsError: cut off, two members of one name, encrypted, packed in unusual ways, longer than the file.
    """
    with _Frugal(io.FileIO(path)) as file:
        with damage_in(f"'{path.name}'"):
            if not zipfile.is_zipfile(file):
                raise WeightsError(f"'{path.name}' is cut off (no zip directory at its end). Get it again.")
            archive = zipfile.ZipFile(file)
        yield archive, _members(path, archive, os.fstat(file.fileno()).st_size, name_of, expected)


def _members(path, archive, size, name_of, expected):
    """{name: zip entry}, each of them believable."""
    members = {}
    for info in archive.infolist():
        name = name_of(info.filename)
        if name is None:
            raise WeightsError(f"'{path.name}' holds {info.filename!r}, which is no {expected}. Refused.")
        if name in members:
            raise WeightsError(f"'{path.name}' holds {name!r} twice. Refused: which one is meant?")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WeightsError(f"'{path.name}': {name!r} is encrypted, or packed in a way that NumPy never uses, nor PyTorch. Refused.")
        if info.file_size > 1040 * info.compress_size or info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
            raise WeightsError(f"'{path.name}': {name!r} is damaged: its two sizes do not fit each other. Get the file again.")
        members[name] = info
    if sum(info.compress_size for info in members.values()) > size:
        raise WeightsError(f"'{path.name}' is damaged: its arrays are longer than the file. Get it again.")
    return members
