"""OpenFace's nn4.small2 is handed out as a folder: one .csv file for each array, its numbers in a row, its shape nowhere.

So the caller says the shape. Source: the files of Keras-OpenFace, such as conv1_w.csv (64 · 3 · 7 · 7 numbers) and bn1_b.csv.
"""

import io
import math

import numpy as np

from scratchnet.errors import WeightsError
from scratchnet.readers.arrays import check_total, damage_in, every, finished

LONGEST = 32                                           # letters of one number, with its comma, at most
MOST = 10_000                                          # files


def is_one(path):
    """Whether a folder holds any .csv file."""
    return any(path.glob("*.csv"))


def read(path, max_bytes, expect=None, wanted=every):
    """{"conv1_w": array}: the .csv files of the folder that are wanted, in float64, in the shape that `expect` has, else (n,); and []."""
    files = sorted(file for file in path.glob("*.csv") if file.is_file() and wanted(file.stem))
    if len(files) > MOST:
        raise WeightsError(f"'{path.name}' holds {len(files)} .csv files; at most {MOST} are read.")
    sizes = [file.stat().st_size for file in files]
    check_total(f"'{path.name}'", sum(sizes) * 8 / LONGEST, max_bytes)
    arrays, total = {}, 0
    for file, size in zip(files, sizes):
        where = f"'{path.name}': '{file.name}'"
        if not size:
            raise WeightsError(f"{where} is empty (0 bytes): an interrupted save or download. Get it again.")
        with damage_in(where), open(file, encoding="ascii") as opened:
            text = opened.read(size).strip(" \r\n,")
        if not text:
            raise WeightsError(f"{where} holds nothing but commas and spaces. Get it again.")
        count = text.count(",") + text.count("\n") + 1
        total += 8 * count
        check_total(f"'{path.name}'", total, max_bytes)
        shape = (expect or {}).get(file.stem, (count,))
        if math.prod(shape) != count:
            raise WeightsError(f"{where} holds {count} numbers, expected {math.prod(shape)}, of shape {tuple(shape)}.")
        with damage_in(where):
            arrays[file.stem] = finished(where, np.loadtxt(io.StringIO(text), delimiter=",", comments=None, ndmin=1).reshape(shape))
    return arrays, []
