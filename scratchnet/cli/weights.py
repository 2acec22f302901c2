"""Trained networks on this machine: what is known, what is here, and how to get more.

  python -m scratchnet weights                          the networks, their files, checksums, licences, and what is in the cache
  python -m scratchnet weights get vgg19                download, check, keep what style transfer needs, remove the rest
  python -m scratchnet weights import FILE --as vgg19   the same from a file, or a folder of .csv files, that you have
  python -m scratchnet weights remove vgg19             out of the cache

Then --weights vgg19 works by name, and in Python models.vgg19("vgg19"). The cache is the folder SCRATCHNET_HOME, or the user's
cache folder. A name wins over a file of the same name in the working folder; for the file write ./vgg19.
"""

import argparse
import difflib
import importlib
import warnings
from pathlib import Path

from scratchnet import download, readers, weights_cache
from scratchnet.errors import WeightsError
from scratchnet.models import FACE_NETWORKS, MODELS

NETWORKS = {**MODELS, **FACE_NETWORKS}                # those that a file can fill
PREFERRED = "the first of the list"
OPTIONS = {"alexnet": " --content-layer relu4 --style-layers relu1,relu2,relu3,relu4"}       # style's own layers are VGG's


def add_arguments(parser):
    """Four actions; none of them is the list."""
    actions = parser.add_subparsers(dest="action", metavar="get | import | remove", title="actions (default: the list)")
    get = actions.add_parser("get", help="download a network")
    get.add_argument("name", type=_known, metavar="NAME", help="of a network in the list")
    get.add_argument("--from", dest="by", metavar="WHOM", help=f"whose file, where there are several (default: {PREFERRED})")
    take = actions.add_parser("import", help="take a network from a file")
    take.add_argument("file", type=Path, metavar="FILE", help="as PyTorch, Keras or others publish it, an .npz, or a folder of .csv files")
    take.add_argument("--as", dest="name", type=_loadable, required=True, metavar="NAME",
                      help=f"which network it is: {', '.join(NETWORKS)}")
    remove = actions.add_parser("remove", help="delete a network from the cache")
    remove.add_argument("name", metavar="NAME")
    for action in (get, take, remove):
        action.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show the whole traceback of an error")


def run(arguments):
    """-> exit code."""
    return ACTIONS[arguments.action](arguments)


def _known(name):
    """argparse's check of a name that can be downloaded and that there is a network for."""
    if name not in weights_cache.names():
        near = difflib.get_close_matches(name, weights_cache.names(), 1)
        raise argparse.ArgumentTypeError(f"no network {name!r} in the list{f'; did you mean {near[0]!r}?' if near else '.'} "
                                         f"Known: {', '.join(weights_cache.names())}")
    for files in weights_cache.by_hand(name):
        raise argparse.ArgumentTypeError(f"{name} is not downloaded from here: no checksum of it is published. Get {files.file} from "
                                         f"{files.place}, then: python -m scratchnet weights import FILE --as {name}")
    return _loadable(name)


def _loadable(name):
    """argparse's check of a name that a network can be built for."""
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, 1)
        raise argparse.ArgumentTypeError(f"this version builds no network {name!r}{f'; did you mean {near[0]!r}?' if near else '.'} "
                                         f"It builds {', '.join(NETWORKS)}")
    return name


# --------------------------------------------------------------------------------------------------------------- the list


def _list(arguments):
    print(f"kept in {weights_cache.folder()}  (set SCRATCHNET_HOME for another folder)")
    for name in dict.fromkeys([*weights_cache.names(), *weights_cache.kept()]):
        print(f"\n{name}: {_state(name)}")
        for source in weights_cache.sources(name):
            print(f"  {source.by}: {source.file}, {source.size / 2 ** 20:.0f} MB, {download.in_words(source.checksum)}\n"
                  f"    {source.url}\n    {source.licence}")
        for files in weights_cache.by_hand(name):
            print(f"  {files.by}: {files.file}, by `weights import`\n    {files.place}\n    {files.licence}")
    print("\nGet one: python -m scratchnet weights get vgg19. From a file: python -m scratchnet weights import FILE --as vgg19")


def _state(name):
    """Whether it is in the cache, in words."""
    path = weights_cache.path(name)
    if not path.exists():
        return "not in the cache" + ("" if name in NETWORKS else ", and this version builds no such network")
    notes = _notes(path)
    if notes is None:
        return f"in the cache, but damaged ({path}); get or import it again"
    return f"in the cache, {path.stat().st_size / 2 ** 20:.1f} MB" + (f", from {notes['source']}" if "source" in notes else "")


def _notes(path):
    """What was noted when the file was kept; None when it cannot be read, or is not there."""
    try:
        return readers.read_notes(path)
    except (FileNotFoundError, WeightsError):
        return None


# ------------------------------------------------------------------------------------------------------------ in, and out


def _get(arguments):
    name, target = arguments.name, weights_cache.path(arguments.name)
    source = _choose(weights_cache.sources(name), arguments.by)
    if _notes(target) is not None:
        print(f"{name} is {_state(name)}: {target}\nTo get it anew: python -m scratchnet weights remove {name}, then get.")
        return _say_how(name)
    _need(source)
    with weights_cache.workshop() as folder:
        weights_cache.expect_room(source.size)
        print(f"{source.url}\n{source.licence}")
        instead = ("Everything that runs with the default network needs no download. With this file from elsewhere "
                   f"({download.in_words(source.checksum)}): python -m scratchnet weights import {source.file} --as {name}")
        print(download.fetch(source.url, folder / source.file, source.size, source.checksum, instead))
        _keep(name, folder / source.file, source)
    print(f"{source.file} is removed again.")
    return _say_how(name)


def _choose(sources, by):
    """The first, or the one that is asked for."""
    for source in sources:
        if by in (None, source.by):
            return source
    raise WeightsError(f"no file of {sources[0].name} from {by!r}; there are those from {', '.join(source.by for source in sources)}.")


def _need(source):
    """Found out before the download: the package that reads it."""
    try:
        if source.needs:
            importlib.import_module(source.needs)
    except ImportError as e:
        raise WeightsError(f"reading '{source.file}' needs {source.needs}: pip install 'scratchnet[weights]'") from e


def _import(arguments):
    name, file = arguments.name, arguments.file.expanduser()
    with weights_cache.workshop():                    # a cache that cannot be written is found out before the long reading
        source = _recognise(name, file) if file.is_file() else None
        _keep(name, file, source)
    print(f"'{file}' is not needed any more; it stays where it is.")
    return _say_how(name)


def _recognise(name, file):
    """The known source of a file by its checksum, or None; said either way, with a warning where only the name is right."""
    for source in weights_cache.sources(name):
        if file.stat().st_size != source.size and file.name != source.file:
            continue                                   # the checksum of a large file takes seconds
        found = download.digest(file, source.checksum.partition(":")[0])
        if download.fits(found, source.checksum):
            print(f"'{file.name}' is the {name} of {source.by}: {download.in_words(source.checksum)}\n{source.licence}")
            return source
        if file.name == source.file:
            warnings.warn(f"'{file.name}' has the name of {source.by}'s file, but not its checksum: expected "
                          f"{download.in_words(source.checksum)}, got {found}. If you made it yourself, all is well; "
                          "if it was downloaded, it may be damaged.")
    print(f"'{file.name}' is none of the files in the list, by its checksum; whether it is {name}, its names and shapes tell.")
    return None


def _keep(name, file, source):
    """Reads a file as the network of this name, and writes what that network holds into the cache."""
    net, target = NETWORKS[name](file), weights_cache.path(name)
    notes = {"source": f"{source.by}'s {source.file}", "licence": source.licence} if source else {"source": file.name}
    net.save(target, notes)
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in net.params))
    print(f"kept {len(layers)} layers, {layers[0]} to {layers[-1]}: {sum(array.size for array in net.params.values()):,} parameters")
    for layer in net.layers.values():
        if hasattr(layer, "describe"):
            mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (layer.mean, layer.std))
            print(f"pictures are prepared as {layer.order}, times {layer.scale:g}, minus ({mean}), over ({std})")
    print(f"{target}  ({target.stat().st_size / 2 ** 20:.1f} MB)")


def _remove(arguments):
    path = weights_cache.path(arguments.name)
    if arguments.name not in weights_cache.kept():
        raise WeightsError(f"no {arguments.name!r} in the cache, '{path.parent}'; there: {', '.join(weights_cache.kept()) or 'nothing'}.")
    path.unlink()
    print(f"removed {path}")


def _say_how(name):
    if name in FACE_NETWORKS:
        print(f"Use it: python -m scratchnet verify a.jpg b.jpg --network {name}\nin Python: models.{name}({name!r})")
        return 0
    print(f"Use it: python -m scratchnet style --weights {name} --content photo.jpg --style painting.jpg{OPTIONS.get(name, '')}\n"
          f"in Python: models.{name}({name!r})")
    return 0


ACTIONS = {None: _list, "get": _get, "import": _import, "remove": _remove}
