"""Zips that lie about their members before any of them is opened, whether they call themselves .npz or PyTorch's.

The ids in the names of the tests are those of the table of fault cases. More of them, by format, are in test_readers*.py.
"""

import io
import struct
import zipfile

import numpy as np
import pytest

from scratchnet import readers
from scratchnet.errors import WeightsError
from tests.torch_files import cost, table, tensor, write_zip


@pytest.fixture(params=["net.npz", "net.pth"])
def path(request, tmp_path):
    return tmp_path / request.param


def write(path, packed=zipfile.ZIP_STORED):
    """A good file of either kind."""
    if path.suffix == ".pth":
        return write_zip(path, table({"W": tensor()}), packed=packed)
    member = io.BytesIO()
    np.save(member, np.ones((2, 3), np.float32))
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("W.npy", member.getvalue())
    return path


def test_both_are_good_as_they_are(path):
    assert readers.read(write(path))["W"].shape == (2, 3)


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_w7_a_member_of_a_size_that_no_packing_could_have_made_so_small(path, packed):
    write(path, packed)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")                     # the last entry of the directory: what the member has unpacked
    data[at + 24:at + 28] = struct.pack("<I", 1_600_000_000)
    path.write_bytes(data)
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
    with pytest.raises(WeightsError, match="is damaged: its two sizes do not fit"):
        readers.read(path)


def test_w8_a_directory_of_more_members_than_any_network_has(path):
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(12_000):
            archive.writestr(f"net/data/{i:040d}" if path.suffix == ".pth" else f"{i:050d}.npy", b"")
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
    with pytest.raises(WeightsError, match="lists more members than the file of any network. Refused before reading"):
        readers.read(path)


@pytest.mark.parametrize("size", [2 ** 31, 2 ** 32 - 2])
def test_w7_a_directory_that_is_longer_than_the_file(path, size):
    write(path)
    data = bytearray(path.read_bytes())
    data[-10:-6] = struct.pack("<I", size)
    path.write_bytes(data)
    found, peak, _ = cost(path)
    assert found == "refused" and peak < 4
