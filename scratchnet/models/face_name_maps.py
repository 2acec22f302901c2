"""Networks with normalised convolutions, slopes and branches have more than W and b in a file: one table for each kind of file.

    kind                     names in the file                                        filters
    PyTorch's                conv1.bn.running_mean, conv1.prelu.weight                (n_C, n_C_prev, f, f); depthwise (n_C, 1, f, f)
    Keras-OpenFace's .csv    inception_3a_3x3_bn1_m.csv, conv1_w.csv, dense_b.csv     (n_C, n_C_prev, f, f), unrolled in a row
    scratchnet's own         as Network.params and Network.state have them            (f, f, n_C_prev, n_C)

A network's own module says which of the file's layers each of its layers is; this one says what such a layer's arrays are called,
and where their axes are. How a file is read does not matter: what has PyTorch's names may be a .pth, .npz or .safetensors.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scratchnet import readers, weights_cache
from scratchnet.errors import WeightsError
from scratchnet.models.name_maps import OUT_FIRST, prepared_as

CONVOLUTION, NORM = ("Conv2D", "DepthwiseConv2D"), ("gamma", "beta", "mean", "var")
COUNTER = "num_batches_tracked"                       # of PyTorch's BatchNorm; prediction has no use for it


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    title   how messages call it
    names   {(kind of layer, our array): the name in the file, with {} for the file's layer}
    """

    title: str
    names: dict


def _kind(title, W, b, norm, alpha=None):
    """The table of a kind of file, from its name for filters, biases, the four arrays of BatchNorm, and slopes."""
    filters = {(layer, key): name for layer in (*CONVOLUTION, "Dense") for key, name in (("W", W), ("b", b))}
    return Kind(title, {**filters, **{("BatchNorm", key): name for key, name in zip(NORM, norm)}, ("PReLU", "alpha"): alpha})


PYTORCH  = _kind("PyTorch's", "{}.weight", "{}.bias", ("{}.weight", "{}.bias", "{}.running_mean", "{}.running_var"), "{}.weight")
OPENFACE = _kind("Keras-OpenFace's", "{}_w", "{}_b", ("{}_w", "{}_b", "{}_m", "{}_v"))


@dataclass(frozen=True)
class _Array:
    """What one of our arrays is in a file: its name and shape there, and our shape."""

    ours: str
    theirs: str
    shape: tuple
    file_shape: tuple

    def from_file(self, array):
        """The file's array as our layer has it."""
        if self.shape == self.file_shape:
            return array
        axes = OUT_FIRST if array.ndim == 4 else (1, 0)
        return np.ascontiguousarray(array.transpose(axes).reshape(self.shape))


def _walk(layers, prefix=""):
    """(name, layer) of every layer, those inside of others too, named as their arrays are."""
    for name, layer in layers.items():
        if hasattr(layer, "networks"):
            for inner, network in layer.networks.items():
                yield from _walk(network.layers, f"{prefix}{name}.{inner}.")
        else:
            yield prefix + name, layer


def expected(net, kind, theirs):
    """[_Array, ...]: all that a file of this kind must hold.   theirs  our layer's name -> the file's"""
    arrays = []
    for name, layer in _walk(net.layers):
        what = type(layer).__name__
        for key, array in {**layer.params, **layer.state}.items():
            file_shape = array.shape
            if what in CONVOLUTION and key == "W":
                n_C_prev = array.shape[2] if what == "Conv2D" else 1
                file_shape = (array.shape[-1], n_C_prev, *array.shape[:2])
            elif key == "W":
                file_shape = array.shape[::-1]
            arrays.append(_Array(f"{name}.{key}", kind.names[what, key].format(theirs(name)), array.shape, file_shape))
    return arrays


def filled(net, weights, kind, theirs, name):
    """The network itself, filled from a file of this kind or of our own; as it is when weights is None.

    weights  a path, or a name in the cache, as weights_cache.find takes it
    theirs   our layer's name -> the file's
    name     of the network, for messages
    Raises WeightsError: one message for all that is missing, unexpected or of another shape.
    """
    weights = weights_cache.find(weights)
    if weights is None:
        return net
    notes, wanted = readers.read_notes(weights), expected(net, kind, theirs)
    if notes:
        own = {array.ours: array.shape for array in wanted}
        net.fill(readers.read(weights, own), f"'{weights}'", copy=False)
        net.layers["input"] = prepared_as(notes.get("preprocess"), weights)
        return net
    shapes = {array.theirs: array.file_shape for array in wanted}
    arrays = readers.read(weights, shapes, wanted=_left_out(weights, shapes))
    _refuse_mismatches(arrays, shapes, f"'{weights}', read as {kind.title}, does not fit this {name}", kind, wanted)
    net.fill({array.ours: array.from_file(arrays.pop(array.theirs)) for array in wanted}, f"'{weights}'", copy=False)
    return net


def _left_out(weights, shapes):
    """name -> whether to read it. In a folder lies what lies there: files of other names are left, and said to be."""
    folder = Path(weights)
    if not folder.is_dir():
        return lambda name: name.split(".")[-1] != COUNTER
    others = sorted(file.name for file in folder.glob("*.csv") if file.stem not in shapes)
    if others and any(file.stem in shapes for file in folder.glob("*.csv")):
        warnings.warn(f"'{folder}' holds {len(others)} other .csv files, which are not read: {', '.join(others[:5])}"
                      f"{', ...' if len(others) > 5 else ''}", stacklevel=4)
    return lambda name: name in shapes


def _refuse_mismatches(arrays, shapes, what, kind, wanted):
    """One WeightsError for all that does not fit."""
    if not arrays.keys() & shapes.keys():
        first = wanted[0]
        raise WeightsError(f"{what}: it holds {', '.join(list(arrays)[:3]) or 'nothing'}. Known are files with {kind.title} names, such as "
                           f"{first.theirs} {first.file_shape}, and files that Network.save made.")
    missing, extra = [name for name in shapes if name not in arrays], [name for name in arrays if name not in shapes]
    problems = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unexpected: {', '.join(extra)}"] * bool(extra)
    problems += [f"{name} has shape {arrays[name].shape}, expected {shape}" for name, shape in shapes.items()
                 if name in arrays and arrays[name].shape != shape]
    if problems:
        raise WeightsError(f"{what}. " + "; ".join(problems))
