"""What is this unit looking for? Show it thousands of pictures and keep the nine patches that it answered to most.

    found = strongest(net, pictures, "relu3_1")            over any number of pictures, of any sizes
    found.patches(17)                                      unit 17: picture, position, value and box, strongest first

All units of a layer are searched at once, and several layers in one pass: a picture goes through the network once. Of each picture
a unit gets one place at most, its strongest (the first in reading order among equals), so that nine patches are nine pictures.
Nine is just 3x3 pictures on a page. What is kept does not grow with the number of pictures.

Pictures are numbered in their order, and of two that drive a unit equally the earlier one stands first. So the result hangs on
nothing but the pictures, and parts of a search, each over its own stretch of them, can be put together in any order: merge.
Source: course 4, week 4, what are deep ConvNets learning; Zeiler & Fergus 2013, sec. 4 and fig. 2, which too show one patch a picture.
"""

import json
import math
import os
from dataclasses import dataclass, replace

import numpy as np

from scratchnet import images, kernels, readers
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.kernels import threads
from scratchnet.receptive_field import edges

ARRAYS = {"value": (), "picture": (), "position": (2,), "box": (4,), "size": (2,)}      # what stands beyond (n_C, n)
ALONE = 2 ** 18                # pixels of a picture that has all cores to itself


@dataclass(frozen=True)
class Strongest:
    """The strongest places of every unit (channel) of one layer; strongest first, n = min(k, pictures searched).

    value     the activation                                           (n_C, n)
    picture   number of the picture in the order of the search         (n_C, n)
    position  i, j in the layer                                        (n_C, n, 2)
    box       top, left, bottom, right: what it sees of the picture    (n_C, n, 4)     see receptive_field.box
    size      n_H, n_W of the picture                                  (n_C, n, 2)
    names     {number: name} of the pictures that stand in `picture`
    seen      numbers of the pictures searched, as stretches ((first, last + 1), ...)
    """

    layer: str
    k: int
    value: np.ndarray
    picture: np.ndarray
    position: np.ndarray
    box: np.ndarray
    size: np.ndarray
    names: dict
    seen: tuple

    def patches(self, unit):
        """[{unit, picture, value, position, box, size}, ...] of one unit, strongest first; picture is its name. Raises ShapeError."""
        if not 0 <= unit < len(self.value):
            raise ShapeError(f"unit = {unit}: {self.layer!r} has {len(self.value)} units; expected 0 to {len(self.value) - 1}.")
        return [dict(unit=int(unit), picture=self.names[int(self.picture[unit, n])], value=float(self.value[unit, n]),
                     **{name: getattr(self, name)[unit, n].tolist() for name in ("position", "box", "size")})
                for n in range(self.value.shape[1])]


def strongest(net, pictures, layer, k=9):
    """The k strongest places of every unit of a layer over all pictures -> Strongest; for a list of layers {layer: Strongest}

    pictures  an iterable, read once, of pictures or paths or (name, picture): each (n_H, n_W, 3) or (1, n_H, n_W, 3) in [0, 1], each of
              its own size; or an array (m, n_H, n_W, 3). A picture without a name is called by its number, one from a path by the path
    Raises ShapeError for an unknown layer, no pictures, or a picture too small; ImageError as images.load and expect_picture do;
    NumericsError for an activation that is no number.
    """
    layers, found = [layer] if isinstance(layer, str) else list(layer), None
    for found in search(net, pictures, layers, k):
        pass
    if not found:
        raise ShapeError("strongest got no pictures; give at least 1.")
    return found[layer] if isinstance(layer, str) else found


def search(net, pictures, layers, k=9, first=0, found=None):
    """strongest as a generator: yields {layer: Strongest} of all so far after every picture, so that it can be watched, saved, stopped.

    first  number of the first picture: where this part of the pictures begins
    found  what an earlier part has found; the search goes on from there, and `first` is where it ended
    (name, picture) may hold a path, or a function that makes the picture; they are read on all cores. A picture None counts and is
    passed over: a file that could not be read.
    """
    if not (isinstance(k, int) and k >= 1 and layers):
        raise ShapeError(f"k = {k!r}, layers = {layers!r}: expected 1 or more patches of 1 or more layers.")
    deepest = max(layers, key=lambda layer: net.names.index(net.known(layer)))
    net = net if net.frozen else net.freeze(until=deepest)
    found = found or {layer: None for layer in layers}
    for best in found.values():
        first = max(first, best.seen[-1][1]) if best else first
    for group in _groups(enumerate(_named(pictures, first), first)):
        for (number, (name, _)), look in zip(group, _looks(net, group, deepest, found)):
            if isinstance(look, Exception):
                raise look
            if look is not None:
                found = {layer: _taken_up(found[layer] or _nothing(layer, k, places, first, number), number, name, *places)
                         for layer, places in look.items()}
            found = {layer: best and replace(best, seen=_joined(best.seen, ((number, number + 1),))) for layer, best in found.items()}
            if all(found.values()):
                yield found


def merge(a, b):
    """Two parts of a search, over different pictures, as one. Associative, and a merge of parts is what one pass finds, to the bit.

    Raises ShapeError for another layer, k or number of units, and for pictures that both have searched.
    """
    for what, mine, theirs in (("layer", a.layer, b.layer), ("k", a.k, b.k), ("the number of units", len(a.value), len(b.value))):
        if mine != theirs:
            raise ShapeError(f"{what} is {mine!r} in one part and {theirs!r} in the other; parts of one search agree in it.")
    for first, last in a.seen:
        for other_first, other_last in b.seen:
            if first < other_last and other_first < last:
                raise ShapeError(f"both parts have searched picture {max(first, other_first)}; give parts over different pictures.")
    arrays = _first_k({name: np.concatenate([getattr(a, name), getattr(b, name)], axis=1) for name in ARRAYS}, a.k)
    return replace(a, **arrays, names=_needed({**a.names, **b.names}, arrays["picture"]), seen=_joined(a.seen, b.seen))


def save(path, found, notes=None):
    """{layer: Strongest} into one .npz, complete or not at all; `notes` (a dict) as JSON text beside the arrays."""
    arrays = {f"{layer}.{name}": getattr(best, name) for layer, best in found.items() for name in ARRAYS}
    names = json.dumps({layer: best.names for layer, best in found.items()}).encode()      # as bytes: notes must stay short
    about = {"strongest": {layer: {"k": best.k, "seen": best.seen} for layer, best in found.items()}}
    readers.save(path, {**arrays, "names": np.frombuffer(names, np.uint8)}, {**(notes or {}), **about})


def load(path):
    """What save wrote -> {layer: Strongest}. The notes: readers.read_notes(path). Raises what readers.read raises, and ShapeError."""
    arrays, about = readers.read(path, kinds="fiu"), readers.read_notes(path).get("strongest")
    found = {}
    try:
        names = json.loads(arrays["names"].tobytes())
        for layer, said in about.items():
            own = {name: arrays[f"{layer}.{name}"] for name in ARRAYS}
            if any(array.shape != own["value"].shape + ARRAYS[name] for name, array in own.items()):
                raise KeyError(layer)
            numbered = {int(number): name for number, name in names[layer].items()}
            found[layer] = Strongest(layer, said["k"], **own, names=numbered, seen=tuple(map(tuple, said["seen"])))
    except (KeyError, ValueError, AttributeError, TypeError) as e:
        raise ShapeError(f"'{path}' holds no strongest patches as strongest.save writes them. Give the file of a search.") from e
    return found


# ------------------------------------------------------------------------------------------------------- one more picture


def _named(pictures, first):
    """(name, picture) of whatever an item is."""
    for number, item in enumerate(pictures, first):
        if isinstance(item, (str, os.PathLike)):
            yield os.fspath(item), item
        else:
            yield item if isinstance(item, tuple) else (number, item)


def _groups(numbered):
    """Pictures that are looked at side by side, each by one core from end to end: so reading them, and whatever in a network is not
    shared out, keeps no core waiting. A large one has all cores to itself, since two at a time would take twice the memory."""
    group, most = [], 8 * threads.threads()
    for item in numbered:
        large = _pixels(item[1][1]) > ALONE
        if group and (large or len(group) == most):
            yield group
            group = []
        if large:
            yield [item]
        else:
            group.append(item)
    if group:
        yield group


def _pixels(picture):
    """How many a picture has, as far as that can be told before it is made."""
    if isinstance(picture, (str, os.PathLike)):
        return math.prod(images.stored_sides(picture))
    return 0 if picture is None or callable(picture) else np.size(picture) // 3


def _looks(net, group, deepest, found):
    """_look at each picture of a group. What goes wrong with one is returned in its place, so that those before it still count."""
    looks = [None] * len(group)

    def look(n):
        try:
            looks[n] = _look(net, *group[n][1], deepest, found)
        except Exception as e:
            looks[n] = e

    if len(group) == 1:
        look(0)                                        # not as a part of anything: its kernels have all threads
    else:
        threads.run(look, range(len(group)))
    return looks


def _look(net, name, picture, deepest, found):
    """{layer: _places} of one picture; None if there is none."""
    if callable(picture):
        picture = picture()
    elif isinstance(picture, (str, os.PathLike)):
        picture = images.load(picture)
    if picture is None:
        return None
    x = images.expect_picture(picture, f"picture {name!r}")
    a, _ = net.forward(x, until=deepest, keep=list(found), params=False)
    return {layer: _places(net, layer, best, name, a[layer], x.shape[1:3]) for layer, best in found.items()}


def _places(net, layer, best, name, a, size):
    """Units that this picture drives more than their weakest in `best`, and where: (units, value, position, box, size)."""
    a = a if a.ndim == 4 else a[:, None, None]         # behind Flatten there is one place
    value, place = (array[0] for array in kernels.max_place(a))
    if not np.isfinite(value).all():
        unit = int(np.flatnonzero(~np.isfinite(value))[0])
        raise NumericsError(f"unit {unit} of {layer!r} is {value[unit]} on picture {name!r}; expected numbers. Look at the weights.")
    units = np.arange(len(value)) if best is None else np.flatnonzero(_moves(best, slice(None), value))
    i, j = np.divmod(place[units], a.shape[2])
    (rows, at_i), (columns, at_j) = np.unique(i, return_inverse=True), np.unique(j, return_inverse=True)
    rows, columns = edges(net, layer, rows, columns, size)
    rows, columns = rows[at_i], columns[at_j]
    box = np.stack([rows[:, 0], columns[:, 0], rows[:, 1], columns[:, 1]], axis=1)
    return units, value[units], np.stack([i, j], axis=1), box, np.tile(size, (len(units), 1))


def _moves(best, units, value):
    """Where a value comes in among the k strongest. Of equals the earlier picture stays, so it must be larger than the last."""
    return np.full(value.shape, True) if best.value.shape[1] < best.k else value > best.value[units, -1]


def _nothing(layer, k, places, first, number):
    """Before picture `number`, the first that could be searched; those from `first` on before it count as seen."""
    units, value = places[:2]
    empty = {name: np.zeros((len(units), 0, *more), value.dtype if name == "value" else np.int32) for name, more in ARRAYS.items()}
    return Strongest(layer, k, **empty, names={}, seen=((first, number),))


def _taken_up(best, number, name, units, value, position, box, size):
    """`best` after one more picture, whose places these are."""
    moves = _moves(best, units, value)                 # pictures of the same group may have come in meanwhile
    if not moves.any():
        return best
    units = units[moves]
    one = {"value": value[moves], "picture": np.full(len(units), number), "position": position[moves], "box": box[moves],
           "size": size[moves]}
    arrays = {key: np.concatenate([getattr(best, key)[units], array[:, None].astype(getattr(best, key).dtype)], axis=1)
              for key, array in one.items()}
    arrays = _first_k(arrays, best.k)
    if best.value.shape[1] == best.k:
        for key, rows in arrays.items():
            arrays[key] = getattr(best, key).copy()
            arrays[key][units] = rows
    return replace(best, **arrays, names=_needed({**best.names, number: name}, arrays["picture"]))


def _first_k(arrays, k):
    """The k strongest of each row, strongest first, of equals the earlier picture first: an order in which no two are equal."""
    order = np.lexsort((arrays["picture"], -arrays["value"]), axis=-1)[:, :k]
    return {name: np.take_along_axis(array, order.reshape(order.shape + (1,) * (array.ndim - 2)), axis=1) for name, array in arrays.items()}


def _needed(names, picture):
    """The names of those pictures that are still among the strongest."""
    return {number: names[number] for number in np.unique(picture).tolist()}


def _joined(some, others):
    """Stretches of numbers, in order, those that touch made one."""
    joined = []
    for first, last in sorted((*some, *others)):
        if joined and joined[-1][1] == first:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return tuple(joined)
