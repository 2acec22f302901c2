"""Do two pictures show one person?  d = ||f(img1) - f(img2)||^2 of their encodings, and one person when d <= tau.

There is no face detector here: give pictures that are cut to the face, or --crop. The answer is in the words; the exit code is 0 for
either answer.
"""

from scratchnet import faces
from scratchnet.cli.face_network import add_options, box, figure, network, verdict
from scratchnet.errors import ShapeError


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    parser.add_argument("img1", metavar="a.jpg", help="a picture of a face")
    parser.add_argument("img2", metavar="b.jpg", help="another")
    parser.add_argument("--crop", type=box, action="append", metavar="L,T,R,B",
                        help="left,top,right,bottom of the face in pixels, in both pictures; given twice, first in a.jpg, then in b.jpg")
    add_options(parser)


def run(arguments):
    """Compares, and says what came of it."""
    crops = arguments.crop or [None]
    if len(crops) > 2:
        raise ShapeError(f"--crop is given {len(crops)} times; expected once for both pictures, or twice, a box for each.")
    paths = arguments.img1, arguments.img2
    net, tau = network(arguments)
    pictures = [faces.cut(net, path, crop, f"'{path}'") for path, crop in zip(paths, (crops[0], crops[-1]))]
    answer = faces.verify(net, *pictures, tau)
    print(f"{paths[0]} and {paths[1]}: {'the same person' if answer.same else 'two different people'}, {verdict(answer.d, tau)}")
    if arguments.figure:
        figure(arguments.figure, [(*pictures, answer.d, "the same person" if answer.same else "two different people")], tau)
    return 0
