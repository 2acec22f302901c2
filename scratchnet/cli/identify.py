"""Who is it?  Each photo is compared with everybody in a folder of people, one picture a person being enough.

The nearest person answers when d <= tau; otherwise the photo's is not in the database. Nobody is trained and no parameter changes:
a newcomer is one more subfolder. There is no face detector here: give pictures that are cut to the face, or the boxes to cut.
The more people, the more chances of a mistake: right in 99 of 100 comparisons means a false alarm in 63 of 100 questions to 100 people.
"""

import os

from tqdm import tqdm

from scratchnet import faces, people
from scratchnet.cli.face_network import add_options, box, figure, network, verdict
from scratchnet.errors import ShapeError
from scratchnet.similarity import squared_euclidean


def add_arguments(parser):
    """The options, with what happens when one is left out."""
    add = parser.add_argument
    add("people", metavar="FOLDER_OF_PEOPLE", help="one subfolder a person, with pictures in it; or a gallery that --gallery has kept")
    add("photos", metavar="photo.jpg", nargs="+", help="who is it?")
    add("--crop", type=box, metavar="L,T,R,B", help="left,top,right,bottom of the face in the photos, in pixels")
    add("--people-crop", type=box, metavar="L,T,R,B", help="the same in the pictures of the folder")
    add("--gallery", metavar="FILE.npz", help="keep the people's encodings here, to be given in place of the folder the next time")
    add_options(parser)


def run(arguments):
    """Encodes the people, asks about each photo, and says what came of it."""
    known = _known(arguments)
    net, tau = network(arguments)
    photos = [faces.cut(net, photo, arguments.crop, f"'{photo}'") for photo in arguments.photos]
    gallery = faces.Gallery.load(arguments.people, net, arguments.tau) if known is None else _gallery(net, tau, known, arguments)
    answers = [gallery.identify(photo) for photo in photos]
    for path, answer in zip(arguments.photos, answers):
        print(f"{path}: {_in_words(answer, gallery.tau)}")
    if arguments.figure:
        _draw(arguments, net, gallery, known, photos, answers)
    return 0


def _known(arguments):
    """Who is in the folder; None when a gallery stands in its place, which has no pictures."""
    if not os.path.isfile(os.path.expanduser(arguments.people)):
        return people.folder(arguments.people)
    if not arguments.people.endswith(".npz"):
        raise ShapeError(f"'{arguments.people}' is a file; expected the folder of people first, then the photos.")
    given = [option for option in ("people_crop", "gallery", "figure") if getattr(arguments, option)]
    if given:
        raise ShapeError(f"--{given[0].replace('_', '-')} wants the people's pictures, and '{arguments.people}', a gallery, holds none. "
                         "Give their folder.")
    return None


def _gallery(net, tau, known, arguments):
    """Everybody in the folder, encoded once."""
    gallery = faces.Gallery(net, tau)
    for who, name in enumerate(tqdm(known.names, unit="person", disable=None)):
        gallery.add(name, [path for path, label in zip(known.paths, known.labels) if label == who], arguments.people_crop)
    print(f"{len(gallery)} people, {len(known.paths)} pictures")
    if arguments.gallery:
        gallery.save(arguments.gallery)
        print(f"{arguments.gallery}  (their encodings; give it in place of the folder)")
    return gallery


def _in_words(answer, tau):
    if answer.nearest is None:
        return "not in the database, which is empty"
    who = answer.name if answer.name is not None else f"not in the database; the nearest is {answer.nearest}"
    after = "nobody else is there" if answer.runner_up is None else f"then {answer.runner_up}, d = {answer.runner_up_d:.3f}"
    return f"{who}, {verdict(answer.d, tau)}; {after}"


def _draw(arguments, net, gallery, known, photos, answers):
    """Each photo beside the nearest picture of the nearest person, and beside that of the next."""
    pairs = []
    for path, photo, answer in zip(arguments.photos, photos, answers):
        f = faces.encode(net, photo)[0]
        for name, d in ((answer.nearest, answer.d), (answer.runner_up, answer.runner_up_d)):
            if name is not None:
                k = known.labels.searchsorted(known.names.index(name)) + squared_euclidean(f, gallery.people[name]).argmin()
                pairs.append((photo, faces.cut(net, known.paths[k], arguments.people_crop), d, f"{os.path.basename(path)}: {name}?"))
    figure(arguments.figure, pairs, gallery.tau)
