""".safetensors, a JSON list of arrays and then their numbers: nothing in such a file can be run, but it can lie about its size.

    8 bytes: length of the list | the list: {name: {"dtype", "shape", "data_offsets"}} | the numbers, from the first offset on

The safetensors library (an extra) opens it, and refuses gaps and overlaps. It would take lists of up to 100 MB whatever the caller
wants, and the last of two arrays of one name; so the list is read here before, and held against the file's length and the caller's
limit. It knows no bfloat16 for NumPy, and maps the whole file beside its arrays; so the numbers go from the offsets checked
straight into their arrays, of every kind in the same way.
"""

import json
import math
import os
from collections import Counter

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers.arrays import (BFLOAT16, MAX_AXES, bytes_read, check_kind, check_total, damage_in, every, finished,
                                       is_left_out, needed, raw, said_of_halves, stored)

MAX_HEADER = 2 ** 20          # an array takes some 100 bytes of it
KINDS = {**{name: np.dtype(kind) for name, kind in {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "C64": "<c8"}.items()}, "BF16": BFLOAT16}


def read(path, max_bytes, kinds="f", wanted=every):
    """{name: array} of the wanted ones of a .safetensors file, halves as float32; and what is to be said, [text]. Raises WeightsError."""
    safe_open = needed(path, "safetensors").safe_open
    entries, start = _entries(path)
    entries = {name: entry for name, entry in entries.items() if wanted(name) and not is_left_out(name, entry[0], kinds)}
    for name, (dtype, _, _) in entries.items():
        check_kind(f"'{path.name}': {name!r}", dtype, kinds)
    check_total(f"'{path.name}'", sum(bytes_read(shape, dtype) for dtype, shape, _ in entries.values()), max_bytes)
    with damage_in(f"'{path.name}'"), safe_open(path, framework="np"), open(path, "rb") as file:
        arrays = {}
        for name, (dtype, shape, offset) in entries.items():
            where = f"'{path.name}': {name!r}"
            file.seek(start + offset)
            array = raw(where, file, math.prod(shape) * stored(dtype).itemsize).view(stored(dtype)).reshape(shape)
            arrays[name] = finished(where, array, dtype)
    return arrays, said_of_halves(dtype for dtype, _, _ in entries.values())


def _entries(path):
    """{name: (dtype, shape, first byte)} of the list, and where the numbers begin, after every check that needs none of them."""
    with open(path, "rb") as file:
        size, start = os.fstat(file.fileno()).st_size, file.read(15)
        length = int.from_bytes(start[:8], "little")
        if start[8:9] != b"{" or length > MAX_HEADER:
            raise WeightsError(f"'{path.name}' is not a .safetensors file of a network (it starts with {start!r}: a list of {length} "
                               f"bytes, at most {MAX_HEADER} are read). A download may have saved a web page; get the file again.")
        if 8 + length > size:
            raise WeightsError(f"'{path.name}' is cut off inside its list of arrays. Get it again.")
        file.seek(8)
        text = file.read(length)
    with damage_in(f"'{path.name}': its list of arrays"):
        listed = json.loads(text.decode(), object_pairs_hook=lambda pairs: _once(path, pairs))
    listed.pop("__metadata__", None)
    return {name: _entry(f"'{path.name}': {name!r}", entry, size - 8 - length) for name, entry in listed.items()}, 8 + length


def _once(path, pairs):
    """A dict of its pairs; JSON lets a name come twice."""
    name, times = max(Counter(name for name, _ in pairs).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise WeightsError(f"'{path.name}' holds {name!r} twice. Refused: which one is meant?")
    return dict(pairs)


def _entry(where, entry, size):
    """(dtype, shape, first byte) of an array whose numbers lie within the `size` bytes that there are."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"{where} is listed in an unknown way. The file is damaged, get it again.")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise WeightsError(f"{where} is of {str(kind)[:40]}; parameters are float16, float32 or float64, or bfloat16.")
    if not all(isinstance(numbers, list) and len(numbers) <= MAX_AXES and all(type(n) is int and n >= 0 for n in numbers)
               for numbers in (shape, offsets)):
        raise WeightsError(f"{where} has a shape or offsets that are none. The file is damaged, get it again.")
    size_of_it = math.prod(shape) * stored(KINDS[kind]).itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != size_of_it:
        raise WeightsError(f"{where} of shape {shape} needs {size_of_it} bytes, which is not what its offsets {offsets} hold. "
                           "The file is damaged, get it again.")
    if offsets[1] > size:
        raise WeightsError(f"{where} ends at byte {offsets[1]} of {size}: the file is cut off. Get it again.")
    return KINDS[kind], shape, offsets[0]
