"""MatConvNet keeps its networks in MATLAB files: a cell `layers` of structs, each with a name and a cell of weights.

What is taken: the weights of `layers`, under the layers' names, the average picture of `normalization`, and plain arrays.
Everything else that MATLAB can store stays where it is; objects and functions are never built. A MATLAB 7.3 file is HDF5
inside, see mat73.py. Source: MatConvNet's utils/import-caffe.py and utils/tidy_ref_models.m, which wrote these files.
"""

import warnings

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers import mat73
from scratchnet.readers.arrays import check_kind, check_total, damage_in, every, finished, needed
from scratchnet.readers.mat_walk import walk

MAGIC = b"MATLAB "                                     # how the text at the beginning usually begins
STRUCTS = ("layers", "normalization", "meta")


def read(path, max_bytes, kinds="f", wanted=every):
    """{"conv1_1.weights{1}": filters, "conv1_1.weights{2}": biases, ..., "normalization.averageImage": ...}, shapes as in MATLAB.

    Older files have `filters` and `biases`: "conv1_1.filters". The arrays of a file without layers have their own names.
    Beside them, what is to be said of them: nothing, [], for MATLAB has no halves.
    """
    if mat73.is_one(path):
        return mat73.read(path, max_bytes, kinds, wanted)
    scipy_io = needed(path, "scipy.io")
    with open(path, "rb") as file, damage_in(f"'{path.name}'"):
        names, total = walk(path, file, lambda name, is_number: is_number and name.isidentifier() or name in STRUCTS)
        check_total(f"'{path.name}'", total, max_bytes)
        file.seek(0)
        variables = _loaded(scipy_io, file, names)
    arrays = {}
    for name, array in _arrays(variables):
        where = f"'{path.name}': {name!r}"
        if name in arrays:
            raise WeightsError(f"'{path.name}' holds {name!r} twice. Refused: which one is meant?")
        if wanted(name):
            check_kind(where, array.dtype, kinds)
            arrays[name] = finished(where, array)
    return arrays, []


def _loaded(scipy_io, file, names):
    """{name: array} as SciPy builds them: cells are arrays of objects, structs have named fields."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")                 # what SciPy only warns of is damage
        found = scipy_io.loadmat(file, variable_names=names, mat_dtype=True)
    return {name: found[name] for name in names}


def _arrays(variables):
    """(name, array) of what is worth taking."""
    for name, value in variables.items():
        if name == "layers":
            for i, layer in enumerate(value.ravel(), 1):
                yield from _weights(_struct(layer), i)
        elif name in STRUCTS:
            fields = _struct(value)
            normalization, at = (fields, name) if name == "normalization" else (_struct(fields.get("normalization")), "meta.normalization")
            if "averageImage" in normalization:
                yield f"{at}.averageImage", normalization["averageImage"]
        else:
            yield name, value


def _weights(layer, i):
    """(name, array) of one layer's weights; none for a layer without."""
    name = layer.get("name", np.array([])).ravel()
    name = str(name[0]) if name.size and name.dtype.kind == "U" else f"layers{{{i}}}"
    cell = layer.get("weights", np.array([]))
    for k, array in enumerate(cell.ravel() if cell.dtype == object else [], 1):
        yield f"{name}.weights{{{k}}}", array
    for field in ("filters", "biases"):
        if field in layer:
            yield f"{name}.{field}", layer[field]


def _struct(value):
    """The fields of a struct, {name: array}; of anything else, none."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.ravel()[0]                       # a cell around it
    if not isinstance(value, (np.ndarray, np.void)) or value.dtype.names is None or value.size != 1:
        return {}
    value = value.ravel()[0] if isinstance(value, np.ndarray) else value
    return {name: np.asarray(value[name]) for name in value.dtype.names}
