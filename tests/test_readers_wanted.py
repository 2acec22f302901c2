"""Arrays that nobody wants stay in the file, of whatever kind it is: they are not given, take no memory, and are not looked at.
Those that are wanted take what they say they take, and little beside.
"""

import h5py
import numpy as np
import pytest
import scipy.io
from safetensors.numpy import save_file

from scratchnet import readers
from tests.torch_files import FORMS, REFERENCE, cost, storage, table, tensor

FILES = {"torch_zip.pth": "features.0.weight", "torch_stream.pth": "features.0.weight", "torch_wrapped.pth": "features.0.weight",
         "torch.safetensors": "features.0.weight", "formats/vgg_torch.npz": "features.0.weight", "formats/nn4": "conv1_w",
         "formats/vgg_keras.h5": "block1_conv1/block1_conv1_W_1:0", "formats/vgg_matconvnet.mat": "conv1_1.weights{1}"}


@pytest.mark.parametrize("file, name", FILES.items())
@pytest.mark.filterwarnings("ignore:.*(half precision|its one dict of tensors)")
def test_what_is_not_wanted_stays_in_the_file(file, name):
    everything, some = readers.read(REFERENCE / file), readers.read(REFERENCE / file, wanted=lambda each: each == name)
    assert list(some) == [name] and len(everything) > 1 and np.array_equal(some[name], everything[name])
    assert readers.read(REFERENCE / file, wanted=lambda each: False) == {}


def write_torch(form):
    def write(path, arrays):
        numbers = {name: array.tobytes() for name, array in arrays.items()}
        tensors = {name: tensor(storage(name, len(array)), 0, (len(array),), (1,)) for name, array in arrays.items()}
        FORMS[form](path, table(tensors), numbers)
    return write


WRITERS = {"net.npz": lambda path, arrays: readers.save(path, arrays), "net.safetensors": lambda path, arrays: save_file(arrays, path),
           "zip.pth": write_torch("zip"), "stream.pth": write_torch("stream")}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_not_wanted_takes_no_memory_and_may_be_damaged(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path, {"small": np.ones(3, np.float32), "large": np.full(4 * 10 ** 6, np.nan, np.float32)})
    assert cost(path)[0] == "refused"
    found, peak, _ = cost(path, expect={"small": (3,)}, wanted=lambda each: each == "small")
    assert found == "read" and peak < 4                # MB; the large one has 16


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")


ALL_WRITERS = {**WRITERS, "packed.npz": lambda path, arrays: np.savez_compressed(path, **arrays), "net.h5": write_h5,
               "net.mat": lambda path, arrays: scipy.io.savemat(path, arrays, do_compression=True)}


@pytest.mark.parametrize("name", ALL_WRITERS)
def test_promise_1_a_good_file_takes_its_arrays_and_one_of_them_twice(tmp_path, name):
    """Of files that are not good, every test of W6 to W9, W26 and W27 measures the same."""
    path, arrays = tmp_path / name, {f"conv{i}": np.ones(10 ** 6, np.float32) for i in range(4)}
    ALL_WRITERS[name](path, arrays)
    found, peak, _ = cost(path, expect={each: array.shape for each, array in arrays.items()})
    assert found == "read" and 15 < peak < 16 + 4 + 4, peak            # MB: four arrays, the copy of one, the largest limit on a list
