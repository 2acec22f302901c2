"""Which trained networks are known by name, where their files come from, and where they are kept on this machine.

A name, such as vgg19, stands for one file in the cache: vgg19.npz, written by Network.save. The folder is SCRATCHNET_HOME when
that is set, else the user's cache folder.

A name wins over a file of the same name in the working folder, so that "vgg19" means the same wherever it is typed. A name is a
bare word: with a folder or a suffix in it ("./vgg19", "vgg19.npz"), or as a pathlib.Path, it is a file.
"""

import contextlib
import difflib
import errno
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scratchnet.errors import WeightsError

OXFORD = "Simonyan & Zisserman (Visual Geometry Group, Oxford), CC BY 4.0"
TORCHVISION = "trained by torchvision (code BSD-3-Clause), which says only that terms may come with the data, here ImageNet"


@dataclass(frozen=True)
class Source:
    """One file of parameters, as its makers publish it.

    name      of the network, as in models.MODELS
    by        who made the file
    size      in bytes
    checksum  "algorithm:digits"; a sha256 may be given by its first digits only
    needs     the optional package that reads it
    """

    name: str
    by: str
    url: str
    size: int
    checksum: str
    licence: str
    needs: str = ""

    @property
    def file(self):
        return self.url.rpartition("/")[2]


PYTORCH = "https://download.pytorch.org/models/"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
MATCONVNET = "https://www.vlfeat.org/matconvnet/models/"

# The first source of a name is what `weights get` takes: of the VGGs Keras' files, Oxford's parameters without the dense layers.
# torchvision puts the first eight digits of a file's sha256 into its name; the rest, and the sizes, are as those who have the files
# publish them, all alike. Keras' md5 are in its source (applications/vgg19.py, applications/vgg16.py).
SOURCES = (
    Source("vgg19", "keras", KERAS + "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", 80_134_624,
           "md5:253f8cb515780f3b799900260a226db6", OXFORD, "h5py"),
    Source("vgg19", "torchvision", PYTORCH + "vgg19-dcbb9e9d.pth", 574_673_361,
           "sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", TORCHVISION),
    Source("vgg19", "matconvnet", MATCONVNET + "imagenet-vgg-verydeep-19.mat", 534_904_783,
           "sha256:abdb57167f82a2a1fbab1e1c16ad9373411883f262a1a37ee5db2e6fb0044695", OXFORD, "scipy"),
    Source("vgg16", "keras", KERAS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", 58_889_256,
           "md5:6d6bbae143d832006294945121d1f1fc", OXFORD, "h5py"),
    Source("vgg16", "torchvision", PYTORCH + "vgg16-397923af.pth", 553_433_881,
           "sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", TORCHVISION),
    Source("alexnet", "torchvision", PYTORCH + "alexnet-owt-7be5be79.pth", 244_408_911,
           "sha256:7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02", TORCHVISION),
)


@dataclass(frozen=True)
class ByHand:
    """Files that are taken by `weights import` only: nobody publishes a checksum that could be compared after a download.

    name, by, licence   as of a Source          file    what it is called there, or how many there are
    place               where people get it
    """

    name: str
    by: str
    file: str
    place: str
    licence: str


BY_HAND = (
    ByHand("mobilefacenet", "Xiaoccer", "068.ckpt (PyTorch)", "model/best of github.com/Xiaoccer/MobileFaceNet_Pytorch",
           "no licence stated; trained on CASIA-WebFace, which is given out for research"),
    ByHand("nn4_small2", "Keras-OpenFace", "a folder of 226 .csv files",
           "weights of github.com/iwantooxxoox/Keras-OpenFace; the course's face assignment",
           "OpenFace (Carnegie Mellon University), Apache-2.0; trained on FaceScrub and CASIA-WebFace"),
)

USUAL = {"win32": ("LOCALAPPDATA", "~/AppData/Local"), "darwin": ("", "~/Library/Caches")}      # of a user's caches, by platform
ELSEWHERE = ("XDG_CACHE_HOME", "~/.cache")
WORKSHOP = ".scratchnet-weights-"                     # how the folder of a download at work is named
OLD = 3600                                            # seconds: what a killed run left, not what another is writing


def names():
    """The names that files are known for, in the order of the table."""
    return list(dict.fromkeys(source.name for source in (*SOURCES, *BY_HAND)))


def sources(name):
    """The known files of one network that can be downloaded, the preferred first. Empty for a name that has none."""
    return [source for source in SOURCES if source.name == name]


def by_hand(name):
    """The known files of one network that are only imported."""
    return [files for files in BY_HAND if files.name == name]


def folder():
    """The cache folder, a Path; it need not exist yet. Raises WeightsError where the user has no home folder."""
    variable, usual = USUAL.get(sys.platform, ELSEWHERE)
    caches = os.environ.get(variable, "")              # a relative one is to be ignored, says the XDG specification
    try:
        if os.environ.get("SCRATCHNET_HOME"):
            return Path(os.environ["SCRATCHNET_HOME"]).expanduser().absolute()
        return Path(caches if os.path.isabs(caches) else usual).expanduser() / "scratchnet"
    except RuntimeError as e:
        raise WeightsError("no home folder is known for this user; set SCRATCHNET_HOME to the folder for weights.") from e


def path(name):
    """Where the network of this name is kept, whether it is there or not."""
    return folder() / f"{name}.npz"


def kept():
    """The names that are in the cache, sorted."""
    return sorted(file.stem for file in folder().glob("*.npz"))


def find(weights):
    """The file that `weights` means: a name's file in the cache; anything else as it was given.

    Raises FileNotFoundError for a known name that is not in the cache, and for a bare word that is neither a name nor a file.
    """
    if not isinstance(weights, str) or not re.fullmatch(r"[\w-]+", weights):
        return weights
    if path(weights).exists():
        return path(weights)
    here = Path(weights).exists()
    if weights in names():
        get = f"Download it: python -m scratchnet weights get {weights}; or take" if sources(weights) else "Take"
        raise FileNotFoundError(
            f"{weights} is not in the cache, '{folder()}'. {get} it from a file: python -m scratchnet weights import FILE --as {weights}."
            + (f" For what has that name here, write ./{weights}." if here else ""))
    if here:
        return weights
    near = difflib.get_close_matches(weights, [*names(), *kept()], 1)
    raise FileNotFoundError(f"No weights {weights!r}: no file of that name in '{Path.cwd()}', and no network"
                            f"{f'; did you mean {near[0]!r}?' if near else '.'} Names: {', '.join(dict.fromkeys([*names(), *kept()]))}")


@contextlib.contextmanager
def workshop():
    """A new folder inside the cache for large files on their way through; gone with all it holds when the block ends, however.

    Raises OSError when the cache cannot be written, which is so found out before the long work.
    """
    home = folder()
    try:
        home.mkdir(parents=True, exist_ok=True)
        own = Path(tempfile.mkdtemp(prefix=WORKSHOP, dir=home))
    except OSError as e:
        raise OSError(e.errno, f"{e.strerror}: weights are kept in '{home}', which cannot be written. "
                               "Set SCRATCHNET_HOME to a folder that can.") from e
    try:
        _sweep(home)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def expect_room(size):
    """Raises OSError when the disk of the cache has no room for so many bytes: better now than after an hour."""
    home = folder()
    free = shutil.disk_usage(home).free
    if free < size:
        raise OSError(errno.ENOSPC, f"not enough room in '{home}': {size / 2 ** 20:.0f} MB are needed, {free / 2 ** 20:.0f} MB are free. "
                                    "Set SCRATCHNET_HOME to a folder on another disk.")


def _sweep(home):
    """What killed runs left here: workshops in which nothing was written for an hour."""
    for old in home.glob(WORKSHOP + "*"):
        with contextlib.suppress(OSError):
            if time.time() - max(os.path.getmtime(file) for file in (old, *old.iterdir())) > OLD:
                shutil.rmtree(old)
