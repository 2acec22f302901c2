"""Keras keeps its weights in HDF5: groups for layers, datasets for arrays. The arrays are all that is taken.

Such a file may also describe a model, in attributes, and point to other files: neither is looked at. A dataset that is
not wholly in the file itself (behind a soft or external link, virtual, stored outside) is refused.
"""

import math
import zlib

from scratchnet.errors import WeightsError
from scratchnet.readers import apart
from scratchnet.readers.arrays import check_kind, check_total, damage_in, every, finished, needed

MAGIC = b"\x89HDF\r\n\x1a\n"
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
PACKINGS = [(*before, *packed, *after) for before in ((), (SHUFFLE,)) for packed in ((), (DEFLATE,)) for after in ((), (FLETCHER32,))]
DEEPEST = 16                                          # groups within groups; Keras nests four
OF_THE_OPTIMISER = "optimizer_weights"                # beside the weights in a whole saved model


def read(path, max_bytes, kinds="f", wanted=every):
    """{"block1_conv1/block1_conv1_W_1:0": array}: every dataset that is wanted, under the path that it has in the file; and [note]."""
    needed(path, "h5py")
    with open(path, "rb") as file:
        start = file.read(15)
    if not start.startswith(MAGIC):
        raise WeightsError(f"'{path.name}' is not an HDF5 file (it starts with {start!r}). "
                           "A download may have saved a web page; get the file again.")
    return apart.read("hdf5", path, max_bytes, kinds, wanted)


def arrays(path, max_bytes, kinds, limit):
    """(name, array, dtype in the file), one after the other, in this very process. limit(n) is told how much memory they will take."""
    h5py = needed(path, "h5py")
    limit(0)
    with damage_in(f"'{path.name}'"), h5py.File(path, "r", locking=False) as file:
        yield from numbers(path, dict(_datasets(h5py, path, file)), max_bytes, kinds, limit)


def numbers(path, datasets, max_bytes, kinds, limit):
    """(name, array, dtype in the file) of {name: dataset}, after every check that needs no reading."""
    largest = 0
    for name, dataset in datasets.items():
        _check_claims(f"'{path.name}': {name!r}", dataset, kinds)
        largest = max(largest, _size(dataset), _chunk(dataset))
    check_total(f"'{path.name}'", max(largest, sum(map(_size, datasets.values()))), max_bytes)
    limit(4 * largest)                                 # as it is stored, converted, checked, and packed
    for name, dataset in datasets.items():
        _check_stored(f"'{path.name}': {name!r}", dataset)
    for name, dataset in datasets.items():
        where = f"'{path.name}': {name!r}"
        with damage_in(where):
            array = finished(where, dataset[()])
        yield name, array, dataset.dtype


def _datasets(h5py, path, group, prefix="", seen=None):
    """(name, dataset) of everything below a group. Raises WeightsError for links, and for a group that is met twice."""
    seen = set() if seen is None else seen
    address = h5py.h5o.get_info(group.id).addr
    if address in seen or prefix.count("/") > DEEPEST:
        raise WeightsError(f"'{path.name}': the group {prefix!r} is held twice, or too deep within others. Refused.")
    seen.add(address)
    for name in group:
        full = prefix + name
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise WeightsError(f"'{path.name}': {full!r} is a link to elsewhere ({type(link).__name__}), no array of this file. Refused.")
        if not name.isprintable():
            raise WeightsError(f"'{path.name}' holds {full!r}, which is no array's name. Refused.")
        kind = group.get(name, getclass=True)
        if kind is h5py.Dataset:
            yield full, group[name]
        elif kind is h5py.Group and full != OF_THE_OPTIMISER:
            yield from _datasets(h5py, path, group[name], full + "/", seen)


def _size(dataset):
    return math.prod(dataset.shape) * dataset.dtype.itemsize


def _chunk(dataset):
    return math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize


def _packing(dataset):
    plan = dataset.id.get_create_plist()
    return tuple(plan.get_filter(i)[0] for i in range(plan.get_nfilters()))


def _check_claims(where, dataset, kinds):
    """Raises WeightsError for a dataset that is no plain array, or not in this file."""
    if dataset.shape is None or dataset.dtype.hasobject or dataset.dtype.subdtype:
        raise WeightsError(f"{where} is of {dataset.dtype}, not an array of numbers. Refused.")
    check_kind(where, dataset.dtype, kinds)
    if dataset.is_virtual or dataset.id.get_create_plist().get_external_count():
        raise WeightsError(f"{where} lies in another file. Refused; give one file that holds all of its arrays.")
    if _packing(dataset) not in PACKINGS:
        raise WeightsError(f"{where} is packed in a way that is not read here (HDF5 filters {_packing(dataset)}). "
                           "Save it anew, plain or with gzip.")


def _check_stored(where, dataset):
    """Raises WeightsError for a dataset of which less is there than it claims: HDF5 would fill in the rest."""
    stored = dataset.id.get_storage_size() if dataset.chunks is None else _unpacked(where, dataset)
    if _size(dataset) > stored:
        raise WeightsError(f"{where} claims shape {dataset.shape}, which is not what is stored. The file is damaged.")


def _unpacked(where, dataset):
    """The bytes in all chunks of a dataset, each unpacked once under a limit: HDF5 itself would follow a bomb to its end."""
    chunks, chunk, packing = [], _chunk(dataset), _packing(dataset)
    dataset.id.chunk_iter(chunks.append)
    for info in chunks:
        if info.size > 1.01 * chunk + 1024:            # what cannot be packed grows by less
            raise WeightsError(f"{where} has a part of {info.size} bytes where {chunk} are expected. The file is damaged.")
        if DEFLATE in packing and not info.filter_mask >> packing.index(DEFLATE) & 1:
            _, packed = dataset.id.read_direct_chunk(info.chunk_offset)
            if len(zlib.decompressobj().decompress(packed, chunk + 5)) > chunk + 4:    # 4 for a checksum
                raise WeightsError(f"{where} unpacks to more than it claims. Refused.")
    return len(chunks) * chunk
