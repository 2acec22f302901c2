"""Good files with a few bits flipped, bytes changed, or pieces moved: read or refused in words, quickly, and without much memory.

The seed is fixed, so that a failure comes again. pytest -m long runs the same by the ten thousand.
"""

import numpy as np
import pytest

from tests.torch_files import REFERENCE, cost, outcome

FILES = ["torch_zip.pth", "torch_stream.pth", "torch_2017.pth", "torch_wrapped.pth", "torch_parameters.pth", "torch.safetensors",
         "torch_files.npz", "torch_model.pth", "torch_script.pt"]
HEAD = {"torch_stream.pth": 3000, "torch_2017.pth": 2800, "torch.safetensors": 1900}       # beyond it there are only numbers


def flipped(data, rng, end):
    """A few single bits, as a bad disk leaves them."""
    for place in rng.integers(end, size=rng.integers(1, 4)):
        data[place] ^= 1 << int(rng.integers(8))


def changed(data, rng, end):
    """A run of bytes replaced by others of the same file, or by ones that mean something to a length or a pickle."""
    place, length = int(rng.integers(end)), int(rng.integers(1, 9))
    other = int(rng.integers(end))
    data[place:place + length] = [data[other:other + length], b"\xff" * length, b"\x00" * length, b"\x80" * length][rng.integers(4)]


def moved(data, rng, end):
    """A piece cut out, or put in a second time."""
    start, stop = sorted(map(int, rng.integers(end, size=2)))
    stop = min(stop, start + 200)
    data[start:stop] = data[start:stop] * int(rng.choice([0, 2]))


def fuzz(path, file, number, seed):
    """Every outcome that should not be, {outcome: how often}, and the largest cost in MB and seconds of every tenth."""
    good, rng, wrong, most = (REFERENCE / file).read_bytes(), np.random.default_rng(seed), {}, [0, 0]
    path = path / file
    for i in range(number):
        data = bytearray(good)
        [flipped, changed, moved][rng.integers(3)](data, rng, HEAD.get(file, len(data)) if rng.random() < 0.8 else len(data))
        path.write_bytes(data)
        found, *used = cost(path) if i % 10 == 0 else (outcome(path), 0, 0)
        most = np.maximum(most, used)
        if found not in ("read", "refused"):
            wrong[found] = wrong.get(found, 0) + 1
    return wrong, most


@pytest.mark.parametrize("file", FILES)
def test_w6_damaged_files_are_read_or_refused(tmp_path, file):
    wrong, (peak, seconds) = fuzz(tmp_path, file, 300, seed=6)
    assert not wrong, wrong
    assert peak < 2 * (REFERENCE / file).stat().st_size / 2 ** 20 + 3 and seconds < 5, (peak, seconds)     # 2 MB: a buffer for pickles


@pytest.mark.long
@pytest.mark.parametrize("file", FILES)
def test_w6_damaged_files_by_the_ten_thousand(tmp_path, file):
    wrong, (peak, seconds) = fuzz(tmp_path, file, 10_000, seed=7)
    assert not wrong, wrong
    assert peak < 2 * (REFERENCE / file).stat().st_size / 2 ** 20 + 3 and seconds < 5, (peak, seconds)
