"""Photographs of people lie in folders, one a person; this file says who is on which, and opens none before it is asked to.

    folder(path)       one subfolder a person, any kind of picture    -> names, labels, paths
    orl(path)          the same as AT&T laid it out: s1 ... s40, ten pictures each
    lfw(path)          the same with pairs.csv (first, second, same)  -> people, first, second, same
    load(paths, size)  the pictures themselves, (m, n_H, n_W, 3)

Names and numbers come in the order of people, s2 before s10, whatever the disk says.
"""

import csv
import os
import re
from typing import NamedTuple

import numpy as np

from scratchnet import images
from scratchnet.errors import ImageError, ShapeError

LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini")  # besides files whose name begins with a dot


class People(NamedTuple):
    """Who is on which picture: paths[i] shows names[labels[i]]."""
    names: list
    labels: np.ndarray                          # (m,), 0 ... len(names) - 1, in blocks
    paths: list


class Pairs(NamedTuple):
    """Pairs of pictures: people.paths[first[i]] and people.paths[second[i]] show one person where same[i]."""
    people: People
    first: np.ndarray                           # (n,) numbers of pictures
    second: np.ndarray
    same: np.ndarray                            # (n,) bool


def folder(path, limit=None, only=None):
    """A folder with one subfolder a person -> People. Names of files are looked at, their contents are not.

    limit  at most so many pictures of each person, the first by name; None: all
    only   names of subfolders to take, in this order; None: all, sorted

    Hidden files are passed over, and so are other files beside the people's folders (a list, a licence) unless they are pictures.
    Raises FileNotFoundError, NotADirectoryError, ImageError for a folder without people, a person without pictures, a picture beside
    the people and a file among pictures that is none, each named, and ShapeError for a limit below 1.
    """
    path = os.path.expanduser(os.fsdecode(path))
    if limit is not None and limit < 1:
        raise ShapeError(f"limit={limit}: expected 1 picture of each person or more, or None for all of them.")
    entries = _entries(path)
    names = [name for name in entries if os.path.isdir(os.path.join(path, name))]
    loose = [name for name in entries if name not in set(names) and _is_picture(name)]
    if loose:
        raise ImageError(f"'{os.path.join(path, loose[0])}' ({len(loose)} in all) lies beside the people, so nobody knows who it shows. "
                         "Expected one subfolder a person; move it into one.")
    if not names:
        raise ImageError(f"'{path}' holds no people. Expected one subfolder a person, with pictures in it: {path}/Ada/1.jpg.")
    if only is not None:
        missing = [name for name in only if name not in set(names)]
        if missing:
            raise FileNotFoundError(f"'{path}' has no subfolder '{missing[0]}' ({len(missing)} of {len(only)} are missing). "
                                    f"It holds {len(names)}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}.")
        names = list(only)
    each = [_pictures_of(os.path.join(path, name))[:limit] for name in names]
    labels = np.repeat(np.arange(len(names)), [len(some) for some in each])
    return People(names, labels, [picture for some in each for picture in some])


def orl(path, numbers=range(1, 41), limit=None):
    """The ORL faces (AT&T Laboratories Cambridge): 40 people s1 ... s40, or s01 ..., ten pictures each -> People

    numbers  which people, 1 to 40: range(1, 31) to train with, range(31, 41) to be judged by
    Raises what `folder` raises; a number that is not there is a FileNotFoundError.
    """
    path = os.path.expanduser(os.fsdecode(path))
    there = {int(name[1:]): name for name in _entries(path) if re.fullmatch(r"s\d+", name)}
    return folder(path, limit, [there.get(number, f"s{number}") for number in numbers])


def lfw(path):
    """A part of Labeled Faces in the Wild with its pairs.csv (first, second, same) -> Pairs

    first and second are paths inside the folder, as Ann_Lee/Ann_Lee_0001.jpg, and same is 1 or 0.
    Raises what `folder` raises, FileNotFoundError for a missing pairs.csv, and ImageError for a line that has another form, names
    a picture that is not there, or says same of two people (or not of one), with the number of the line.
    """
    people = folder(path)
    root, listed = os.path.expanduser(os.fsdecode(path)), os.path.join(os.path.expanduser(os.fsdecode(path)), "pairs.csv")
    number = {os.path.relpath(picture, root).replace(os.sep, "/"): i for i, picture in enumerate(people.paths)}
    rows = []
    with open(listed, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        head = [word.strip().lower() for word in next(lines, [])]
        if head != ["first", "second", "same"]:
            raise ImageError(f"'{listed}' begins with {','.join(head)!r}; expected the head first,second,same.")
        for line in lines:
            if line:
                rows.append(_pair([word.strip() for word in line], number, people.labels, f"'{listed}', line {lines.line_num}"))
    if not rows:
        raise ImageError(f"'{listed}' lists no pairs. Expected lines such as Ann_Lee/1.jpg,Ann_Lee/2.jpg,1 under its head.")
    first, second, same = np.array(rows).T
    return Pairs(people, first, second, same.astype(bool))


def load(paths, size=None):
    """The pictures at these paths -> (m, n_H, n_W, 3), RGB, float32 in [0, 1]; grey becomes three equal channels.

    size  (n_H, n_W) for all of them; None: as they are stored, all of one size
    One batch of paths at a time keeps memory small: 64 x 64 pixels are 48 KiB a picture.
    Raises what images.load raises, with the path, and ShapeError for no paths, for a size that is not a pair, and for pictures that
    differ in size when none is given.
    """
    if not len(paths):
        raise ShapeError("load got no paths; give at least 1 picture.")
    if size is not None and not isinstance(size, tuple):
        raise ShapeError(f"size={size!r}: expected (n_H, n_W), the same for every picture, so that they fit in one array.")
    pictures = []
    for path in paths:
        picture = images.load(path, size)
        if pictures and picture.shape != pictures[0].shape:
            (_, h, w, _), (_, n_H, n_W, _) = picture.shape, pictures[0].shape
            raise ShapeError(f"'{path}' is {h}x{w} pixels (height x width) and '{paths[0]}' is {n_H}x{n_W}; one array holds one size. "
                             f"Give size, for example size=({n_H}, {n_W}).")
        pictures.append(picture)
    return np.concatenate(pictures)


def _pair(line, number, labels, where):
    """One line of pairs.csv -> the two pictures' numbers, and 1 or 0."""
    if len(line) != 3 or line[2] not in ("0", "1"):
        raise ImageError(f"{where}: {','.join(line)!r}; expected first,second,same with same 1 or 0.")
    for name in line[:2]:
        if name not in number:
            raise ImageError(f"{where}: there is no picture '{name}' in this folder. Paths start at the person's subfolder.")
    first, second, same = number[line[0]], number[line[1]], int(line[2])
    if (labels[first] == labels[second]) != bool(same):
        truth = "one person's folder" if not same else "the folders of two people"
        raise ImageError(f"{where}: same is {same}, but the two pictures lie in {truth}. Correct the line or move the picture.")
    return first, second, same


def _pictures_of(person):
    """The pictures in one person's folder, in order; anything else there is refused by name."""
    names = _entries(person)
    for name in names:
        if not _is_picture(name) or os.path.isdir(os.path.join(person, name)):
            raise ImageError(f"'{os.path.join(person, name)}' is no picture. Expected only pictures in a person's folder "
                             f"({', '.join(sorted(images.READABLE)[:4])}, ...); move it away, or convert it to PNG or JPEG.")
    if not names:
        raise ImageError(f"'{person}' holds no picture. Every person needs at least one; add one or remove the folder.")
    return [os.path.join(person, name) for name in names]


def _entries(path):
    """What lies in a folder, in natural order, without what systems leave there. Python's own errors for no folder."""
    names = [name for name in os.listdir(path) if not name.startswith(".") and name.lower() not in LEFT_BY_SYSTEMS]
    return sorted(names, key=natural)


def natural(name):
    """The key by which names sort as people count: s2 before s10."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"([0-9]+)", name) if part], name


def _is_picture(name):
    return name.lower().endswith(images.READABLE)
