"""What verify and identify share: which network looks, from where on two pictures show two people, and the box to cut from a picture.

No face is looked for: the network sees the largest centred part of each picture, or of its box, with the sides in its own proportion.
"""

import argparse
import difflib
import math

from scratchnet import faces, models, readers, weights_cache
from scratchnet.cli.options import number
from scratchnet.errors import ShapeError

DEFAULT = "face_encoder"                              # which ships with scratchnet
NETWORKS = {                                          # name: what builds it, of a file and of what is noted in the file
    "face_encoder":  lambda weights, notes: models.face_encoder(weights),
    "mobilefacenet": lambda weights, notes: models.mobilefacenet(weights),
    "nn4_small2":    lambda weights, notes: models.nn4_small2(weights),
    "siamese":       lambda weights, notes: models.siamese_encoder(notes.get("size", 64)).load(weights),
}


def add_options(parser):
    """--network, --weights, --tau, --figure."""
    add = parser.add_argument
    add("--network", choices=NETWORKS, metavar="NAME",
        help=f"{', '.join(NETWORKS)} (default: the one that --weights says it is, else {DEFAULT}, which ships)")
    add("--weights", metavar="FILE", help="its parameters: a file, such as the encoder.npz of `train`, or a name such as mobilefacenet")
    add("--tau", type=number(0, what="a squared distance"), metavar="D",
        help="one person when the squared distance d <= tau (default: the network's own)")
    add("--figure", metavar="FILE", help="draw the pictures as the network sees them, with d under them")


def network(arguments):
    """The network and its tau, as the options want them; says in a line or two which it is, and what that means for the pictures."""
    name, weights, notes = arguments.network, arguments.weights, {}
    if weights is None and name not in (None, DEFAULT):
        weights = name                                # a name in the cache, or help in getting it there
    if weights is not None:
        file = weights_cache.find(weights)
        notes = readers.read_notes(file)
        name = name or _named(weights, notes)
        weights = file
    name = name or DEFAULT
    net = NETWORKS[name](weights, notes)
    tau = faces.expect_tau(net, notes.get("tau") if arguments.tau is None else arguments.tau)
    size = getattr(net.layers.get("input"), "size", None)
    seen = f"its largest centred part, brought to {size[0]}x{size[1]} (n_H x n_W)" if size else "all of it"
    print(f"network {name}{f' of {weights}' if weights else ', which ships with scratchnet'}: {faces.ABOUT[name]}.\n"
          f"No face is looked for: of each picture, or of the box to cut, the network sees {seen}.")
    return net, tau


def _named(weights, notes):
    """Which network a file is for: it is a name itself, or says so. Raises ShapeError otherwise."""
    for name in (weights, notes.get("network")):
        if isinstance(name, str) and name in NETWORKS:
            return name
    near = difflib.get_close_matches(str(weights), NETWORKS, 1)
    raise ShapeError(f"--weights {weights} does not say which network it is for. Add --network "
                     f"{near[0] if near else 'NAME'}, one of {', '.join(NETWORKS)}.")


def figure(path, pairs, tau):
    """Pairs of pictures (1, n_H, n_W, 3) with their d, [(picture_1, picture_2, d, title)], in a file."""
    from scratchnet import plots                      # matplotlib only once there is something to draw
    plots.pair_sheet(path, [(one[0], two[0], d, title) for one, two, d, title in pairs], tau)
    print(path)


def verdict(d, tau):
    """d <= tau or d > tau, in numbers."""
    return f"d = {d:.3f} {'<=' if d <= tau else '>'} tau = {tau:.3g}"


def box(text):
    """'l,t,r,b' -> four numbers of pixels, as argparse wants it."""
    try:
        left, top, right, bottom = sides = tuple(float(side) for side in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected left,top,right,bottom in pixels, such as 67,49,183,184.5") from None
    if not (0 <= left < right < math.inf and 0 <= top < bottom < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r}: expected left,top,right,bottom from the upper left corner, 0 <= left < right and "
                                         "0 <= top < bottom")
    return sides
