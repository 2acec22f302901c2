"""MATLAB's newest files, "7.3", are HDF5 inside: cells are lists of references to objects of the same file, axes run backwards.

Source: MathWorks, "MAT-File Versions"; h5py on references. What is taken is what mat.py takes.
"""

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers import apart
from scratchnet.readers.arrays import damage_in, every, needed
from scratchnet.readers.hdf5 import MAGIC, numbers

LONGEST = 64                                           # letters of a layer's name
MOST = 1000                                            # cells of a cell: layers, or the weights of one


def is_one(path):
    """Whether HDF5 begins behind MATLAB's own header, or at the very beginning."""
    with open(path, "rb") as file:
        start = file.read(520)
    return MAGIC in (start[:8], start[512:])


def read(path, max_bytes, kinds="f", wanted=every):
    """As mat.read."""
    needed(path, "h5py")
    return apart.read("mat73", path, max_bytes, kinds, wanted)


def arrays(path, max_bytes, kinds, limit):
    """As hdf5.arrays."""
    h5py = needed(path, "h5py")
    limit(0)
    with damage_in(f"'{path.name}'"), h5py.File(path, "r", locking=False) as file:
        for name, array, dtype in numbers(path, dict(_datasets(h5py, path, file)), max_bytes, kinds, limit):
            yield name, np.ascontiguousarray(array.T), dtype


def _datasets(h5py, path, file):
    """(name, dataset) of what is worth taking."""
    def inside(group, name, kind):
        """What a group holds under this name, if it is of this kind. Raises WeightsError for a link to elsewhere."""
        link = group.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise WeightsError(f"'{path.name}': {name!r} is a link to elsewhere ({type(link).__name__}), no array of this file. Refused.")
        found = None if link is None else group[name]
        return found if isinstance(found, kind) else None

    def cells(dataset):
        """What the references of a cell stand for; nothing for what is no cell."""
        if dataset is None or h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
            return []
        if dataset.size > MOST:
            raise WeightsError(f"'{path.name}' has a cell of {dataset.size} entries; at most {MOST} are looked at. Refused.")
        return [file[reference] for reference in dataset[()].ravel()]

    for name in file:
        dataset = inside(file, name, h5py.Dataset)
        if dataset is not None and dataset.dtype.kind == "f":
            yield name, dataset
    for i, layer in enumerate(cells(inside(file, "layers", h5py.Dataset)), 1):
        if isinstance(layer, h5py.Group):
            letters = inside(layer, "name", h5py.Dataset)
            known = letters is not None and letters.dtype.kind == "u" and letters.size <= LONGEST
            name = "".join(map(chr, letters[()].ravel())) if known else f"layers{{{i}}}"
            for k, weights in enumerate(cells(inside(layer, "weights", h5py.Dataset)), 1):
                yield f"{name}.weights{{{k}}}", weights
    for holder, at in ((file, "normalization"), (inside(file, "meta", h5py.Group), "meta.normalization")):
        normalization = inside(holder, "normalization", h5py.Group) if holder is not None else None
        image = inside(normalization, "averageImage", h5py.Dataset) if normalization is not None else None
        if image is not None:
            yield f"{at}.averageImage", image
