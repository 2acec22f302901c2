"""What a student has done so far: one small file in the cache folder, read again at every turn and always written whole.

    {"format": 1, "exercises": {"gram": {"tries": 3, "hints": 1, "solved": "2025-11-26"}}}

A file that is damaged is said to be, is kept aside as exercises.json.corrupt, and counting begins anew.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import date

from scratchnet import atomic, weights_cache

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """Of one exercise: how often it was checked, how many hints were asked for, and the day it was right first."""

    tries: int = 0
    hints: int = 0
    solved: str = ""


def path():
    """Where it is kept. Raises WeightsError where the user has no home folder."""
    return weights_cache.folder() / "exercises.json"


def load():
    """{name: Record}, and a sentence to say, or "".

    Raises OSError for a file that cannot be read, or kept aside; ValueError for one that a newer scratchnet has written.
    """
    file = path()
    try:
        return _records(json.loads(file.read_bytes())), ""
    except FileNotFoundError:
        return {}, ""
    except NewerFormat:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as e:
        aside = _aside(file)
        return {}, (f"'{file}' is damaged ({type(e).__name__}: {e}), so which exercises were done is not known any more. "
                    f"It is kept as '{aside}', and counting begins anew.")


def note(name, checked=False, right=False, hints=None):
    """Writes down what happened to one exercise   -> its Record, and a sentence to say, or "".   Raises as load, and OSError."""
    records, said = load()
    record = records.get(name, Record())
    record = replace(record, tries=record.tries + checked, hints=record.hints if hints is None else max(record.hints, hints),
                     solved=record.solved or (date.today().isoformat() if right else ""))
    records[name] = record
    with atomic.replacing(path()) as file:
        file.write(json.dumps({"format": FORMAT, "exercises": {key: asdict(value) for key, value in records.items()}}, indent=1).encode())
    return record, said


class NewerFormat(ValueError):
    """The file is whole, but of a time to come: it is left alone."""


def _records(found):
    if found["format"] != FORMAT:
        if isinstance(found["format"], int) and found["format"] > FORMAT:
            raise NewerFormat(f"'{path()}' is of format {found['format']}, made by a newer scratchnet; this one writes {FORMAT}.")
        raise ValueError(f"format = {found['format']!r}")
    records = {name: Record(**record) for name, record in found["exercises"].items()}
    for name, record in records.items():
        for field, kind in (("tries", int), ("hints", int), ("solved", str)):
            if type(getattr(record, field)) is not kind:
                raise ValueError(f"{name}: {field} = {getattr(record, field)!r}")
    return records


def _aside(file):
    """The damaged file under its next free name."""
    aside, n = file.with_name(file.name + ".corrupt"), 2
    while aside.exists():
        aside, n = file.with_name(f"{file.name}.corrupt{n}"), n + 1
    os.replace(file, aside)
    return aside
