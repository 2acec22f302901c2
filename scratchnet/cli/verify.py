"""Do two pictures show one person?  d = ||f(img1) - f(img2)||^2 of their encodings, and one person when d <= tau.

There is no face detector here: give pictures that are cut to the face, or --crop. The answer is in the words; the exit code is 0 for
either answer. --why draws on which places of the two pictures the answer rests, whichever it is.
"""

import sys

from scratchnet import attribution, faces
from scratchnet.cli.face_network import add_options, box, figure, network, verdict
from scratchnet.errors import ShapeError


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    parser.add_argument("img1", metavar="a.jpg", help="a picture of a face")
    parser.add_argument("img2", metavar="b.jpg", help="another")
    parser.add_argument("--crop", type=box, action="append", metavar="L,T,R,B",
                        help="left,top,right,bottom of the face in pixels, in both pictures; given twice, first in a.jpg, then in b.jpg")
    add_options(parser)
    parser.add_argument("--why", metavar="FILE", help='why did it say "same", or two? draws on both pictures what brings them nearer and '
                        "what drives them apart: Grad-CAM, and how d grows when a square of grey hides each place")


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
    if arguments.why:
        why(arguments.why, net, pictures, tau)
    return 0


def why(path, net, pictures, tau):
    """Two pictures (1, n_H, n_W, 3) with what speaks for one person and what for two, see plots.pair_maps, in a file.

    The square's side is a quarter of the shorter side of a picture, and a third of that its stride: 12 and 4 of 56x48, 120 forward
    passes for each picture. Grad-CAM is drawn with both signs, that of -d less that of d, and by place, for the
    network that ships ends in Flatten and Dense.
    """
    from scratchnet import plots                      # matplotlib only once there is something to draw
    side = max(1, min(min(picture.shape[1:3]) for picture in pictures) // 4)
    answer = attribution.why_same(net, *pictures, side=side, stride=max(1, side // 3), by_place=True)
    f_1, f_2 = faces.encode(net, pictures)
    apart = [attribution.grad_cam(net, picture, cam.layer, attribution.distance(other), by_place=True)
             for picture, cam, other in zip(pictures, answer.cams, (f_2, f_1))]
    maps = [{f"Grad-CAM by place, {cam.layer}": cam.on_picture - far.on_picture, f"hidden by {side}x{side} of grey": hidden.on_picture}
            for cam, far, hidden in zip(answer.cams, apart, answer.occlusions)]
    for number, (cam, far) in enumerate(zip(answer.cams, apart), 1):
        if cam.reason and far.reason:
            print(f"note: on picture {number} Grad-CAM is empty: {cam.reason}", file=sys.stderr)
    plots.pair_maps(path, *pictures, *maps, answer.d, tau)
    print(path)
