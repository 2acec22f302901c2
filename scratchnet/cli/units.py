"""What ConvNets learn: the patches of photographs that drive each unit of a layer most, nine a unit, on sheets.

  python -m scratchnet units                                        pictures that are here already, and drawn textures
  python -m scratchnet units PHOTOS --layer relu3_1                 a folder of photographs, searched with the folders inside
  python -m scratchnet units PHOTOS --layer relu3_1 --unit 17 --weights vgg19
  python -m scratchnet units PHOTOS --layer relu1_1,relu4_1         several layers in one pass, and the lecture's page of them
  python -m scratchnet units --layer relu3_1 --views PHOTO.jpg      and what the layer keeps of one picture, painted from noise
  python -m scratchnet units PHOTOS --shard 2/8 --out part2         one of eight parts, for another process or machine
  python -m scratchnet units --merge part1 part2 ... --out all      the parts put together: the same as one search

The folder of a search holds units.json, sheets, and found.npz, from which --resume goes on with a search that was stopped. Where
several processes share a processor, SCRATCHNET_THREADS=1 keeps them out of each other's way.
"""

import argparse
import functools
import hashlib
import json
import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scratchnet import __version__, datasets, drawn_faces, images, models, people, readers, strongest, weights_cache
from scratchnet.atomic import replacing
from scratchnet.cli import run_folder
from scratchnet.cli.options import whole
from scratchnet.errors import ImageError, ShapeError
from scratchnet.models import MODELS
from scratchnet.summary import Summary

SHIPPED = {"small_vgg": models.small_vgg, "random_filters": models.random_filters}
LAYER = "relu3_1"
K = 9                                                 # nine is 3x3 patches on a page
A_SHEET = 16                                          # units
VIEWED = 128                                          # longer side of the picture of --views: 2 x 96 steps a layer in seconds
SAVE_EVERY = 30                                       # seconds
NAMED = 100                                           # of the pictures that were passed over; of all, how many
FOUND = "found.npz"
DRAWN = "drawn textures and pictures that are here already"
SETTINGS = ("layers", "size", "parameters", "pictures")      # in which parts of one search agree, wherever they run

SAID = ("network", "photos", "of", "skipped", "skipped_names")


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    add = parser.add_argument
    add("photos", nargs="?", metavar="PHOTOS", type=Path, help=f"folder of photographs (default: {DRAWN})")
    add("--layer", type=_layers, metavar="NAME[,NAME...]", help=f"whose units (default: {LAYER})")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--unit", type=whole(0), metavar="K", help="only this one, counted from 0")
    which.add_argument("--units", type=_units, metavar="A-B", help="only these, such as 0-15, or all (default: all in units.json, "
                       f"the first {A_SHEET} on a sheet)")
    add("--weights", metavar="FILE", help="a trained network: a file, or a name such as vgg19 (default: small_vgg, which ships)")
    add("--network", choices=[*MODELS, *SHIPPED], metavar="NAME",
        help=f"which network --weights is for: {', '.join(MODELS)} (default: the name it gives, else vgg19); without: {', '.join(SHIPPED)}")
    add("--size", type=whole(16), default=512, metavar="PIXELS", help="longer side; larger photographs are made smaller (default: 512)")
    add("--views", metavar="PHOTO", type=Path, help="also draw, for each layer, its strongest channels for this picture, and what it keeps "
        f"of it: repainted from noise by its content alone, and by its style alone (at {VIEWED} pixels; default: no)")
    add("--out", metavar="DIR", type=Path, help="folder of the search (default: the next free out/units-N)")
    add("--resume", action="store_true", help="go on with the search that --out holds; its settings must be the same")
    add("--overwrite", action="store_true", help="replace the search that --out holds")
    add("--shard", type=_shard, metavar="S/N", help="search only part S of N, for --merge")
    add("--merge", nargs="+", metavar="DIR", type=Path, help="put the parts in these folders together")


def run(arguments):
    """Searches, and fills the folder. -> exit code; 130 after Ctrl-C, with all finished pictures saved."""
    if arguments.views and (arguments.merge or arguments.shard):
        raise ShapeError("--views is drawn at the end of a whole search; give it without --shard and --merge.")
    if arguments.merge:
        return _merge(arguments)
    items, net, source = _items(arguments.photos), *_network(arguments)
    layers = arguments.layer or [LAYER]
    deepest = max(layers, key=lambda layer: net.names.index(net.known(layer)))
    net = net.freeze(until=deepest)
    channels = {row.layer: row.shape[-1] for row in Summary(net.layers, (1, 512, 512, 3)).rows}
    for layer in layers:
        _chosen(arguments, layer, channels[layer])
    viewed = _viewed(arguments, net, layers)
    first, last = _stretch(arguments.shard, len(items))
    folder = _folder(arguments)
    search = _Search(folder, first, dict(layers=layers, size=arguments.size, parameters=_fingerprint(net), pictures=_listing(items),
                                         network=source, photos=os.fspath(arguments.photos or ""), of=len(items),
                                         skipped=0, skipped_names=[]))
    if arguments.resume:
        search.go_on(last)
    print(f"{last - first} pictures, units of {', '.join(layers)}; network {source}. "
          "(The first run on a machine compiles its kernels at the first picture.)", flush=True)
    stopped = search.run(net, items[:last], layers)
    search.say_what_was_skipped()
    if stopped and search.found is None:
        print("stopped before the first picture was done; nothing is kept.", file=sys.stderr)
        return 130
    if stopped:
        print(f"stopped at {search.next - first} of {last - first} pictures. Go on with: python -m scratchnet {_again(folder)}",
              file=sys.stderr)
        return 130
    if search.found is None:
        raise ImageError(f"none of the {last - first} pictures could be searched.")
    if arguments.shard:
        part, parts = arguments.shard
        print(f"{folder / FOUND}  (part {part} of {parts}; all of them together: python -m scratchnet units --merge DIR DIR ...)")
        return 0
    _finish(folder, search.found, search.notes, dict(items), arguments, net, viewed)
    return 0


def _merge(arguments):
    """The parts of one search -> a folder as one search would have filled it."""
    parts = [strongest.load(folder.expanduser() / FOUND) for folder in arguments.merge]
    notes, *others = [readers.read_notes(folder.expanduser() / FOUND) for folder in arguments.merge]
    for folder, other in zip(arguments.merge[1:], others):
        _refuse_other_settings(folder, other, arguments.merge[0], notes)
        notes["skipped"] += other["skipped"]
        notes["skipped_names"] += other["skipped_names"]
    found = {layer: functools.reduce(strongest.merge, [part[layer] for part in parts]) for layer in notes["layers"]}
    for layer, best in found.items():
        _chosen(arguments, layer, len(best.value))
    items = dict(_items(arguments.photos or (Path(notes["photos"]) if notes["photos"] else None)))
    folder = _folder(arguments)
    strongest.save(folder / FOUND, found, notes)
    ends = [0, *[end for stretch in found[notes["layers"][0]].seen for end in stretch], notes["of"]]
    for last, first in zip(ends[::2], ends[1::2]):
        if first > last:
            print(f"note: pictures {last + 1} to {first} of {notes['of']} are in none of these parts.", file=sys.stderr)
    _finish(folder, found, notes, items, arguments)
    return 0


# ------------------------------------------------------------------------------------------------------ before the search


def _items(photos):
    """[(name, what makes the picture), ...] in their order: a path, or a function."""
    if photos is None:
        return _drawn()
    root = photos.expanduser()
    if not root.is_dir():
        raise NotADirectoryError(f"'{root}' is {'no folder' if root.exists() else 'not there'}; give a folder of photographs.")
    names = sorted((os.path.relpath(os.path.join(folder, name), root) for folder, inside, files in os.walk(root)
                    for name in files if not name.startswith(".") and name.lower().endswith(images.READABLE)), key=people.natural)
    if not names:
        raise ImageError(f"'{root}' holds no pictures ({', '.join(sorted(images.READABLE)[:4])}, ...), nor do the folders inside.")
    return [(name, root / name) for name in names]


def _drawn():
    """What needs no folder: the textures, drawn faces, a drawn sky, and the portrait that ships with matplotlib, the one photograph
    that comes with any package that this one needs."""
    faces = [(f"drawn face {seed}", functools.partial(_face, seed)) for seed in range(12)]
    return [*datasets.textures().items(), *faces, ("drawn sky", functools.partial(datasets.swirling_sky, 192, 256)),
            ("portrait of Grace Hopper", functools.partial(images.sample_photograph, 256))]


def _face(seed):
    return drawn_faces.draw(drawn_faces.identity(seed), np.random.default_rng(seed), size=96)[None]


def _network(arguments):
    """The network, and a line that says where its parameters come from."""
    if arguments.weights:
        name = arguments.network or (arguments.weights if arguments.weights in MODELS else "vgg19")
        if name not in MODELS:
            raise ShapeError(f"--network {name} takes no --weights. Those that do: {', '.join(MODELS)}.")
        return MODELS[name](weights_cache.find(arguments.weights)), f"{name} of {arguments.weights}"
    name = arguments.network or "small_vgg"
    if name in MODELS:
        raise ShapeError(f"--network {name} needs --weights: a file, or a name in the cache. See: python -m scratchnet weights")
    return SHIPPED[name](), f"{name}, which ships with scratchnet" if name == "small_vgg" else "a small VGG of random filters"


def _fingerprint(net):
    """Sixteen letters that are others for any other parameters."""
    digest = hashlib.sha256()
    for name, array in net.params.items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:16]


def _listing(items):
    """How many pictures, and letters that are others for any other names or lengths of files."""
    sizes = [(name, os.path.getsize(source) if isinstance(source, Path) else 0) for name, source in items]
    return f"{len(items)} ({hashlib.sha256(json.dumps(sizes).encode()).hexdigest()[:16]})"


def _stretch(shard, n):
    """First and last + 1 of the pictures of a part, one after the other, so that what has been searched is easily said."""
    part, parts = shard or (1, 1)
    first, last = (part - 1) * n // parts, part * n // parts
    if first == last:
        raise ShapeError(f"part {part} of {parts} of {n} pictures is empty; give at most {n} parts.")
    return first, last


def _folder(arguments):
    """A folder that can be written, found out before the long work. Raises ShapeError when it holds another search."""
    if arguments.out is None and arguments.resume:
        raise ShapeError("--resume needs --out DIR, the folder of the search to go on with.")
    folder = run_folder.named(arguments.out, "units")
    there = (folder / FOUND).exists()
    if there and not (arguments.overwrite or arguments.resume):
        raise ShapeError(f"'{folder}' holds a search of {run_folder.made(folder / FOUND)}. Take another --out, --resume to go on with it, "
                         "or --overwrite to replace it.")
    if arguments.resume and not there:
        raise ShapeError(f"'{folder}' holds no search to go on with. Leave --resume out to begin one.")
    run_folder.writable(folder)
    if arguments.overwrite:
        (folder / "units.json").unlink(missing_ok=True)      # if this search is stopped, it must not pass for its result
    return folder


def _refuse_other_settings(folder, theirs, other, ours):
    """Raises ShapeError with the first setting in which a search differs from another."""
    for key in SETTINGS:
        if theirs.get(key) != ours[key]:
            raise ShapeError(f"'{folder}' was searched with {key} {theirs.get(key)}, {other} with {ours[key]}. Parts of one search agree "
                             "in it; for another search take another --out.")


# --------------------------------------------------------------------------------------------------------- during, after


class _Search:
    """What has been found so far, in memory and in the folder."""

    def __init__(self, folder, first, notes):
        self.folder, self.next, self.notes, self.found, self.passed_over = folder, first, notes, None, {}

    def go_on(self, last):
        """From what the folder holds. Raises ShapeError if it was another search."""
        file, first = self.folder / FOUND, self.next
        notes = readers.read_notes(file)
        _refuse_other_settings(self.folder, notes, "this search", self.notes)
        self.found, self.notes = strongest.load(file), notes
        (begun, self.next), *more = next(iter(self.found.values())).seen
        if begun != first or self.next > last or more:
            raise ShapeError(f"'{self.folder}' holds another part of the search, which began at picture {begun + 1}. Give its --shard.")

    def run(self, net, items, layers):
        """Every picture from the next on, under a bar, kept twice a minute. -> whether Ctrl-C came"""
        saved, first = time.monotonic(), self.next
        bar = tqdm(total=len(items), initial=first, unit="picture", dynamic_ncols=True)
        pictures = ((name, functools.partial(self._opened, net, number, name, source, bar))
                    for number, (name, source) in enumerate(items[first:], first))
        try:
            for self.found in strongest.search(net, pictures, layers, K, first, self.found):
                self.next = next(iter(self.found.values())).seen[-1][1]
                bar.update(self.next - bar.n)
                if time.monotonic() - saved > SAVE_EVERY:
                    self.save()
                    saved = time.monotonic()
            self.next = len(items)
        except KeyboardInterrupt:
            return True
        finally:
            bar.close()
            self.save()
            self.notes, self.passed_over = self._said(), {}
        return False

    def _opened(self, net, number, name, source, bar):
        """The picture; None for one that cannot be read or is too small, which is said and no reason to stop."""
        try:
            picture = _picture(source, self.notes["size"])
            Summary(net.layers, picture.shape)
            return picture
        except (ImageError, ShapeError, OSError) as e:
            bar.write(f"note: passed over '{name}': {e}", file=sys.stderr)
            self.passed_over[number] = name

    def _said(self):
        """The notes, with the pictures passed over among those that are done: others may be read ahead."""
        names = [name for number, name in sorted(self.passed_over.items()) if number < self.next]
        return {**self.notes, "skipped": self.notes["skipped"] + len(names), "skipped_names": (self.notes["skipped_names"] + names)[:NAMED]}

    def save(self):
        if self.found:
            strongest.save(self.folder / FOUND, self.found, self._said())

    def say_what_was_skipped(self):
        n, names = self.notes["skipped"], self.notes["skipped_names"]
        if n:
            print(f"note: {n} picture{'s were' if n > 1 else ' was'} passed over: {', '.join(names[:5])}{', ...' * (n > 5)}",
                  file=sys.stderr)


def _picture(source, size):
    """(1, n_H, n_W, 3) of a path, its longer side at most `size`, or of what draws it."""
    if callable(source):
        return source()
    return images.load(source, size if max(images.stored_sides(source)) > size else None)


def _again(folder):
    """The words that go on with this search."""
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--overwrite")]
    named = any(word == "--out" or word.startswith("--out=") for word in words)
    return shlex.join([*words, *([] if named else ["--out", str(folder)]), "--resume"])


def _viewed(arguments, net, layers):
    """The picture of --views, if every layer has places for it, found out before the long work; None without."""
    if arguments.views is None:
        return None
    from scratchnet import layer_views                # with matplotlib, which a search alone does not need
    picture = _picture(arguments.views.expanduser(), min(VIEWED, arguments.size))
    for layer in layers:
        layer_views.expect_places(net, layer, picture)
    return picture


def _finish(folder, found, notes, sources, arguments, net=None, viewed=None):
    """units.json, then the sheets, which take longer; those that ask the network once more are left out where there is none, by --merge."""
    photos = arguments.photos or Path(notes["photos"])
    patches = [dict(layer=layer, **{**patch, "picture": _where(patch["picture"], sources, photos)})
               for layer, best in found.items() for unit in _chosen(arguments, layer, len(best.value)) for patch in best.patches(unit)]
    seen = found[notes["layers"][0]].seen
    card = dict(command=shlex.join(sys.argv[1:]), **{key: notes[key] for key in (*SETTINGS, *SAID)},
                k=K, searched=sum(last - first for first, last in seen), versions=dict(scratchnet=__version__))
    lines = ",\n".join(f"  {json.dumps(patch)}" for patch in patches)
    with replacing(folder / "units.json") as file:
        file.write(f'{json.dumps(card, indent=1)[:-2]},\n "patches": [\n{lines}\n ]\n}}\n'.encode())
    sheets = [_sheet(folder, best, units, sources, notes["size"])
              for layer, best in found.items() for units in _pages(arguments, layer, len(best.value))]
    if net is not None:
        sheets += _views(folder, net, found, arguments.unit, lambda name: _picture(sources[name], notes["size"]))
    if viewed is not None:
        from scratchnet import layer_views
        print(f"painting what {', '.join(found)} keep{'s' * (len(found) == 1)} of {arguments.views}, from noise", flush=True)
        sheets += [layer_views.layer_sheet(folder / f"{layer}-views.png", net, layer, viewed) for layer in found]
    print(f"{folder / 'units.json'}  (and {len(sheets)} sheet{'s' * (len(sheets) != 1)} beside it: {sheets[0].name}"
          f"{', ...' * (len(sheets) > 1)})")


def _where(name, sources, photos):
    """A file as it can be opened from here; a drawn picture by its name."""
    return os.fspath(photos / name) if isinstance(sources.get(name), Path) else name


def _sheet(folder, best, units, sources, size):
    """Sixteen units at most, each with its strongest patches, cut from the pictures by their boxes; places where it is silent left out."""
    from scratchnet import plots, unit_views          # matplotlib only once there is something to draw
    rows = list(zip(units, unit_views.patches([(best, unit) for unit in units], lambda name: _picture(sources[name], size))))
    path = folder / f"{best.layer}-{units[0]}{f'-{units[-1]}' if len(units) > 1 else ''}.png"
    plots.patch_sheet(path, rows, f"{best.layer}: the patches that drive each unit most")
    return path


def _views(folder, net, found, unit, open):
    """Of several layers the lecture's page, nine units of each, from shallow to deep; of one unit all there is to see of it."""
    from scratchnet import unit_views
    if unit is not None:
        return [unit_views.unit_sheet(folder / f"{layer}-unit{unit}.png", net, best, unit, open) for layer, best in found.items()]
    by_depth = {layer: found[layer] for layer in sorted(found, key=net.names.index)}
    return [unit_views.layer_page(folder / "layers.png", net, by_depth, open)] if len(found) > 1 else []


def _chosen(arguments, layer, n):
    """The units that were asked for, of n. Raises ShapeError for one that there is not."""
    units = [arguments.unit] if arguments.unit is not None else arguments.units or range(n)
    if max(units) >= n:
        raise ShapeError(f"unit {max(units)}: {layer} has {n} units; expected 0 to {n - 1}.")
    return list(units)


def _pages(arguments, layer, n):
    """The units of each sheet: of those asked for, or the first few of all."""
    asked = arguments.unit is not None or arguments.units is not None
    units = _chosen(arguments, layer, n)[:None if asked else A_SHEET]
    return [units[first:first + A_SHEET] for first in range(0, len(units), A_SHEET)]


# ------------------------------------------------------------------------------------------------------- words, numbers


def _layers(text):
    """'relu1_1,relu2_1' -> their names."""
    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        problem = "nothing" if "" in names else "a layer twice"
        raise argparse.ArgumentTypeError(f"{text!r} names {problem}; expected a layer, or some with commas: relu1_1,relu2_1")
    return names


def _units(text):
    """'0-15' -> range(16); 'all' -> range(0), which stands for all."""
    first, dash, last = text.partition("-")
    if text == "all":
        return range(0)
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected A-B, such as 0-15, or all")
    return range(int(first), int(last) + 1)


def _shard(text):
    """'2/8' -> (2, 8)."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected S/N with 1 <= S <= N, such as 2/8")
    return int(part), int(parts)
