"""The same network has other names, other axes and other pictures in every file: here is what each kind of file means by its own.

    kind                    names in the file                          filters                    pictures
    torchvision             features.0.weight, classifier.6.bias       (n_C, n_C_prev, f, f)      RGB, [0, 1], mean and std
    Keras, TensorFlow axes  block1_conv1/block1_conv1_W_1:0            (f, f, n_C_prev, n_C)      BGR, 0-255 minus the mean
    MatConvNet              conv1_1.weights{1}, conv1_1.weights{2}     (f, f, n_C_prev, n_C)      RGB, 0-255 minus the file's mean
    converted from Caffe    conv1_1.W, conv1_1.b                       (n_C, n_C_prev, f, f)      BGR, 0-255 minus the mean
    scratchnet's own        conv1_1.W, conv1_1.b                       (f, f, n_C_prev, n_C)      said in the file

A dense layer is a filter as large as the map that it sees, so one rule brings both over: what arrives at the first dense
layer is unrolled channels first in torch and Caffe, and (4096, 512 · 7 · 7) is reshaped to (4096, 512, 7, 7) before its axes
are put in our order and unrolled again. Dense layers of a Keras file are unrolled channels last, as ours are.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from scratchnet import readers, weights_cache
from scratchnet.errors import WeightsError
from scratchnet.layers import UNFILLED
from scratchnet.normalisation import Preprocess

CAFFE       = dict(order="BGR", scale=255.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0))
TORCHVISION = dict(order="RGB", scale=1.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
MATCONVNET  = dict(order="RGB", scale=255.0, mean=(123.68, 116.779, 103.939), std=(1.0, 1.0, 1.0))

OUT_FIRST, OUT_LAST = (2, 3, 1, 0), (0, 1, 2, 3)       # where in the file's filters our axes (f_H, f_W, n_C_prev, n_C) are


# ---- how each kind of file calls our layers ------------------------------------------------------------------------------

def _numbered(family):
    """torchvision numbers its modules from 0, once up to the flattening and once behind it, as our tables list them."""
    names, flatten = family.names(), family.names().index("flatten")
    return {name: f"features.{i}" if i < flatten else f"classifier.{i - flatten - 1}" for i, name in enumerate(names)}


def _blocks(family):
    """conv1_1 is block1_conv1; the dense layers are counted from 1, and the last has a name of its own."""
    dense = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
    return {name: dense.get(name) or f"block{name[4]}_conv{name[6:]}" for name in family.filters()}


def _same(family):
    return {name: name for name in family.filters()}


@dataclass(frozen=True, eq=False)
class NameMap:
    """One kind of file.

    title       how messages call it
    families    which networks come in such files
    theirs      Family -> {our layer: the file's layer}
    pattern     of a name in the file; its groups are the file's layer, and W where it is not b
    W, b        how such a name is written in a message
    axes        where in the file's filters our axes are
    unrolled    whether dense weights lie flat, (n, n_prev) or (n_prev, n); else they are filters of four axes
    preprocess  how pictures are prepared; None where the file says it
    mean        names under which a file may bring its own mean
    """

    title: str
    families: tuple
    theirs: object
    pattern: str
    W: str
    b: str
    axes: tuple
    unrolled: bool = True
    preprocess: dict | None = None
    mean: tuple = ()

    def key(self, name):
        """(the file's layer, "W" or "b") of a name in the file; (None, None) for a name of another kind."""
        found = re.fullmatch(self.pattern, name)
        return (found["layer"], "W" if found["W"] else "b") if found else (None, None)

    def shape(self, filter, dense=False):
        """The shape in the file of a filter that is (f_H, f_W, n_C_prev, n_C) here."""
        shape = tuple(filter[self.axes.index(axis)] for axis in range(4))
        if not (dense and self.unrolled):
            return shape
        return (shape[0], math.prod(shape[1:])) if self.axes == OUT_FIRST else (math.prod(shape[:3]), shape[3])

    def ours(self, array, filter, dense=False):
        """The file's array as our layer has it: (f, f, n_C_prev, n_C), or (n_prev, n) for a dense layer."""
        array = array.reshape(self.shape(filter)).transpose(self.axes)
        return np.ascontiguousarray(array.reshape(-1, filter[3]) if dense else array)


VGG = ("vgg16", "vgg19")
OURS = NameMap("scratchnet's own", (*VGG, "alexnet"), _same, r"(?P<layer>[^.]+)\.((?P<W>W)|b)", "{}.W", "{}.b", OUT_LAST)
MAPS = (
    NameMap("torchvision's", (*VGG, "alexnet"), _numbered, r"(?P<layer>(features|classifier)\.\d+)\.((?P<W>weight)|bias)",
            "{}.weight", "{}.bias", OUT_FIRST, preprocess=TORCHVISION),
    NameMap("Keras's, TensorFlow kernels", VGG, _blocks,
            r"(.+/)?(?P<layer>block\d_conv\d|fc[12]|predictions)/(.+[/_])?((?P<W>kernel|W)|bias|b)(_\d+)?(:0)?",
            "{}/kernel", "{}/bias", OUT_LAST, preprocess=CAFFE),
    # Loaders disagree whether MatConvNet's filters are (f_H, f_W, ...) or (f_W, f_H, ...). They are (f_H, f_W, ...): its own
    # utils/import-caffe.py turns Caffe's (n_C, n_C_prev, f_H, f_W) round, to (f_W, f_H, n_C_prev, n_C), and then swaps the first
    # two ("in a sane MATLAB format"), and the first filters that people have printed from imagenet-vgg-verydeep-19.mat are
    # Caffe's upright, with red and blue exchanged. The text of vl_nnconv, "FW x FH x FC x K", is where the other opinion is from.
    NameMap("MatConvNet's", VGG, _same, r"(?P<layer>[^.]+)\.((?P<W>weights\{1\}|filters)|weights\{2\}|biases)",
            "{}.weights{{1}}", "{}.weights{{2}}", OUT_LAST, unrolled=False, preprocess=MATCONVNET,
            mean=("normalization.averageImage", "meta.normalization.averageImage")),
    NameMap("converted from Caffe", VGG, _same, OURS.pattern, "{}.W", "{}.b", OUT_FIRST, preprocess=CAFFE),
)


# ---- from a file to a network --------------------------------------------------------------------------------------------

def loaded(family, weights=None, seed=0, dense=False):
    """The network of a table, with a file's parameters, whichever kind of file it is; without one, drawn at random.

    weights  a path, or a name in the cache, as weights_cache.find takes it
    dense    whether the dense layers belong to the network; those of a file are left in it otherwise
    Raises WeightsError for a file of no known kind, and one message for all that is missing, unknown or misshapen.
    """
    weights = weights_cache.find(weights)
    net = family.network(dense, np.random.default_rng(seed) if weights is None else UNFILLED)
    if weights is None:
        return net
    notes = readers.read_notes(weights)
    most = 1.1 * 8 * sum(map(math.prod, family.shapes().values())) + 2 ** 21       # in float64, with an average picture
    arrays = readers.read(weights, max_bytes=most, wanted=_wanted(family, dense), into=np.float32)
    name_map = OURS if notes else _recognised(weights, arrays, family)
    net.fill(_renamed(weights, name_map, family, dense, arrays), f"'{weights}'", copy=False)
    net.layers["input"] = _preprocess(weights, name_map, notes, arrays)
    return net


def _wanted(family, dense):
    """name -> whether to read it: dense layers that nobody asked for, most of a file, stay there, whatever kind of file it is."""
    left = family.filters().keys() - family.filters(dense).keys()
    known = [name_map for name_map in (OURS, *MAPS) if family.name in name_map.families]
    theirs = {name_map: {name_map.theirs(family)[layer] for layer in left} for name_map in known}
    return lambda name: not any(name_map.key(name)[0] in theirs[name_map] for name_map in known)


def _recognised(source, arrays, family):
    """The kind of a file, by its names and the shape of its first filter. Raises WeightsError listing the kinds we have."""
    known = {name_map: [name for name in arrays if name_map.key(name)[0] in name_map.theirs(family).values()]
             for name_map in MAPS if family.name in name_map.families}
    name_map = max(known, key=lambda name_map: len(known[name_map]))
    layer, filter = next(iter(family.filters().items()))
    kinds = "; ".join(f"{each.title}, with {each.W.format(each.theirs(family)[layer])} {each.shape(filter)}" for each in known)
    if not known[name_map]:
        some = ", ".join(list(arrays)[:3]) or "nothing"
        raise WeightsError(f"'{source}' holds {some}: names of no kind of file of {family.name} that is known here. Known are: {kinds}.")
    for name in known[name_map]:
        shape = arrays[name].shape
        if (name_map.key(name) == (name_map.theirs(family)[layer], "W") and shape != name_map.shape(filter)
                and sorted(shape) == sorted(filter)):
            raise WeightsError(f"'{source}' holds {name} {shape}, and nothing says how such filters lie and how pictures were "
                               f"prepared for them. Known are: {kinds}; and files that Network.save made.")
    return name_map


def _preprocess(source, name_map, notes, arrays):
    """The input layer that the file's parameters want."""
    if name_map is OURS:
        return prepared_as(notes.get("preprocess"), source)
    for name in name_map.mean:
        if name in arrays:
            image = arrays[name]
            mean = image.reshape(-1, 3).mean(axis=0, dtype=np.float64) if image.shape[-1:] == (3,) else image.ravel()
            if mean.shape != (3,):
                raise WeightsError(f"'{source}': {name} has shape {image.shape}; expected a picture (n_H, n_W, 3), or three numbers.")
            return Preprocess(**{**name_map.preprocess, "mean": tuple(map(float, mean))})
    return Preprocess(**name_map.preprocess)


def prepared_as(fields, source):
    """The input layer that one of our own files asks for. Raises WeightsError when what it says is no such layer."""
    try:
        return Preprocess(fields["order"], float(fields["scale"]), tuple(map(float, fields["mean"])), tuple(map(float, fields["std"])),
                          tuple(map(int, fields["size"])) if "size" in fields else None)
    except (TypeError, ValueError, KeyError) as e:
        raise WeightsError(f"'{source}' says that pictures are prepared by {fields!r}; expected order, scale, mean and std. "
                           "Save a network that has an input layer (Network.save).") from e


def _renamed(source, name_map, family, dense, arrays):
    """{our name: array as ours} of {the file's name: array}, which are taken out of `arrays` one by one: never two copies of all.

    Raises one WeightsError for all that does not fit.
    """
    theirs, filters, convolutions = name_map.theirs(family), family.filters(dense), family.filters(dense=False)
    layers, names, problems = {theirs[layer]: layer for layer in filters}, {}, []
    for name in arrays:
        layer, part = name_map.key(name)
        if layer in layers:
            names.setdefault((layers[layer], part), []).append(name)
        elif name not in name_map.mean:
            problems.append(name)
    problems = [f"unexpected: {', '.join(problems)}"] if problems else []
    missing = [getattr(name_map, part).format(theirs[layer]) for layer in filters for part in "Wb" if (layer, part) not in names]
    problems = [f"missing: {', '.join(missing)}"] * bool(missing) + problems
    problems += [f"twice: {' and '.join(double)}" for double in names.values() if len(double) > 1]
    for (layer, part), (name, *_) in names.items():
        shape = arrays[name].shape
        if part == "b":
            expected, fits = filters[layer][3:], math.prod(shape) == filters[layer][3] == max(shape, default=0)
        else:                                          # MATLAB drops the last axes where they are 1
            expected = name_map.shape(filters[layer], layer not in convolutions)
            fits = shape + (1,) * (len(expected) - len(shape)) == expected
        problems += [] if fits else [f"{name} has shape {shape}, expected {expected}"]
    if problems:
        raise WeightsError(f"'{source}', read as {name_map.title}, does not fit this {family.name}. " + "; ".join(problems))
    renamed = {}
    for (layer, part), (name,) in names.items():
        array = arrays.pop(name)
        renamed[f"{layer}.{part}"] = array.ravel() if part == "b" else name_map.ours(array, filters[layer], layer not in convolutions)
    return renamed
