"""Who is it?  A picture becomes an encoding f(x), and two pictures show one person when their encodings lie close together.

    encode(net, pictures)        f(x) of each picture                         -> (m, n_f)
    verify(net, img1, img2)      one person or two?  1 : 1                     -> same, d, tau
    Gallery(net)                 a database of people, one picture enough      add, remove, save, load
            .identify(picture)   who of them, or none?  1 : K                  -> name, d, runner_up, runner_up_d, nearest
    one_shot(f, labels, N, ...)  how often is the right one of N found?        -> accuracy, chance

    d(img1, img2) = ||f(img1) - f(img2)||^2, and the same person when d <= tau

Nobody here looks for the face in a picture. Give pictures that are cut to the face as the network's training pictures were, or
the box to cut, crop=(left, top, right, bottom) in pixels. Of that box, or of the whole picture, the largest centred part with the
sides in the proportion of the network's is taken and brought to its size: one rule for all pictures, of any size, colour or grey.
The same network must encode all that is compared, and a newcomer needs no training: adding a person changes no parameter.
Source: course 4, week 4: one-shot learning, Siamese network, face verification and face recognition.
"""

import difflib
import hashlib
import json
import os
from typing import NamedTuple

import numpy as np

from scratchnet import images, readers
from scratchnet.errors import NumericsError, ShapeError, WeightsError
from scratchnet.similarity import expect_encodings, ratio, squared_euclidean

# The threshold of each network that is known by name, and what its user must know. None: not measured yet.
TAU = {
    "face_encoder":  0.7,                             # from people held out of training: models/face_encoder.md
    "mobilefacenet": 1.38,                            # the fewest mistakes on LFW's first fold, faces cut as in benchmarks/faces.py
    "nn4_small2":    0.99,                            # OpenFace's own: the mean over the ten folds of LFW
}
ABOUT = {
    "face_encoder":  "95 % of ten strangers known from one picture; for learning how it is done, never for deciding about people",
    "mobilefacenet": "99.3 % of LFW's pairs, say its authors; their file states no licence: for trying, never for deciding about people",
    "nn4_small2":    "OpenFace's, 92.9 % of LFW's pairs, say its authors, aligned their way; never for deciding about people",
    "siamese":       "trained by `python -m scratchnet train`; it knows faces like those of its folder, in pictures like theirs",
}


class Verified(NamedTuple):
    """One person (d <= tau) or two?"""
    same: bool
    d: float
    tau: float


class Identified(NamedTuple):
    """Who it is, None when nobody of the gallery is near enough; the nearest person anyway, and the next one, None where there is none.

    d and runner_up_d are the squared distances to those two, inf where there is nobody.
    """
    name: str | None
    d: float
    runner_up: str | None
    runner_up_d: float
    nearest: str | None


class OneShot(NamedTuple):
    """The share of trials in which the right one of N was nearest, and what guessing gives, 1 / N."""
    accuracy: float
    chance: float


# ---- pictures to encodings -------------------------------------------------------------------------------------------------

def encode(net, pictures, batch=16, flip=False, crop=None):
    """f(x) of every picture: the output of the network's last layer.   m pictures -> (m, n_f), in the precision of its parameters

    pictures  (m, n_H, n_W, 3) in [0, 1]; or a list of paths and arrays of any sizes, colour or grey, (n_H, n_W) and (n_H, n_W, 1) too
    batch     how many go through the network at a time; memory, and the last bits of f, depend on it, nothing else does
    flip      True: f(x) + f(mirrored x), scaled to length 1: more exact, twice the time
    crop      (left, top, right, bottom) in pixels, the same box for every picture
    Without training: Dropout and BatchNorm are as in use, and the network is left as it was. Our face networks end in L2Normalise; there
    a picture that means nothing to them becomes zeros, with a warning.
    Raises ImageError and OSError for pictures and boxes, with their name; ShapeError for none, and for a network that ends in no vector.
    """
    pictures = _as_list(pictures)
    if not pictures or not batch >= 1:
        raise ShapeError(f"encode got {len(pictures)} pictures and batch = {batch!r}; expected 1 or more of either.")
    net, last = net if net.frozen else net.freeze(fold=True), net.names[-1]
    dtype = next((array.dtype for array in net.params.values()), np.dtype(np.float32))
    f = []
    for start in range(0, len(pictures), batch):
        some = [cut(net, picture, crop, _name_of(picture, start + k)) for k, picture in enumerate(pictures[start:start + batch])]
        _expect_one_size(some, start)
        x = np.concatenate(some).astype(dtype, copy=False)
        f.append(_through(net, last, x))
        if flip:
            f[-1] = f[-1] + _through(net, last, np.ascontiguousarray(x[:, :, ::-1]))
            f[-1] = ratio(f[-1], np.linalg.norm(f[-1], axis=1, keepdims=True))
    return np.concatenate(f)


def cut(net, picture, crop=None, name="the picture"):
    """The picture as the network sees it: a path or an array -> (1, n_H, n_W, 3) in [0, 1], by the rule at the head of this file.

    A network says its size in its input layer. One that takes any size gets pictures as they are, or as large as the box.
    A picture of the right size passes unchanged.
    """
    x = images.load(picture) if isinstance(picture, (str, os.PathLike)) else images.expect_picture(_coloured(picture), name)
    n_H, n_W = x.shape[1:3]
    left, top, right, bottom = images.expect_box((0, 0, n_W, n_H) if crop is None else crop, n_H, n_W, name)
    size = getattr(net.layers.get("input"), "size", None) or (max(1, round(bottom - top)), max(1, round(right - left)))
    if (right - left, bottom - top) == (n_W, n_H) and size == (n_H, n_W):
        return x
    width  = min(right - left, (bottom - top) * size[1] / size[0])
    height = min(bottom - top, (right - left) * size[0] / size[1])
    left, top = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    return images.resize(x, tuple(size), (left, top, min(left + width, n_W), min(top + height, n_H)))


def _as_list(pictures):
    """A path alone is one picture; an array must be a batch, for (n_H, n_W, 3) could be many grey ones."""
    if isinstance(pictures, (str, os.PathLike)):
        return [pictures]
    if isinstance(pictures, np.ndarray) and pictures.ndim != 4:
        raise ShapeError(f"pictures have shape {pictures.shape}; expected (m, n_H, n_W, 3), or a list of pictures. For one use x[None].")
    return list(pictures)


def _name_of(picture, number):
    return f"'{os.fsdecode(picture)}'" if isinstance(picture, (str, os.PathLike)) else f"picture {number}"


def _coloured(picture):
    """Grey, (n_H, n_W) or (n_H, n_W, 1), as three equal channels; all else as it is."""
    x = np.asarray(picture)
    x = x[..., None] if x.ndim == 2 else x
    return np.repeat(x, 3, axis=-1) if x.ndim == 3 and x.shape[-1] == 1 else x


def _expect_one_size(some, start):
    for k, x in enumerate(some):
        if x.shape != some[0].shape:
            raise ShapeError(f"picture {start + k} is {x.shape[1]}x{x.shape[2]} and picture {start} {some[0].shape[1]}x{some[0].shape[2]} "
                             "(n_H x n_W), and this network does not say which size it expects. Bring them to one size.")


def _through(net, last, x):
    f = net.forward(x, keep=[last], params=False)[0][last]
    if f.ndim != 2:
        raise ShapeError(f"the network's last layer, {last!r}, gives {f.shape}; an encoding is (m, n_f). "
                         "End the network in Flatten or Dense, and L2Normalise.")
    return f


# ---- one person or two -----------------------------------------------------------------------------------------------------

def verify(net, img1, img2, tau=None, crop=None):
    """Do two pictures show one person?  d(img1, img2) <= tau   -> Verified(same, d, tau)

    tau   None: that of a network that is known by name (TAU); threshold.best_tau finds one from pairs of your own
    crop  the same box for both pictures
    Raises ShapeError when no tau is known, NumericsError for a picture whose encoding is zero: it would be near to every other
    such picture; and what encode raises.   Lecture: one-shot learning.
    """
    tau = expect_tau(net, tau)
    f = _expect_something(encode(net, [img1, img2], crop=crop), [img1, img2])
    d = float(squared_euclidean(f[0], f[1]))
    return Verified(d <= tau, d, tau)


def expect_tau(net, tau=None):
    """The threshold as given, or the one that belongs to the network. Raises ShapeError when there is none, or it is no distance."""
    if tau is None:
        tau = TAU.get(net.name)
        if tau is None:
            raise ShapeError(f"no threshold is known for {net.name or 'this network'}; give tau. threshold.best_tau(d, same) chooses it "
                             "from pairs whose answers you know.")
    if isinstance(tau, bool) or not isinstance(tau, (int, float, np.integer, np.floating)) or not 0 <= tau < np.inf:
        raise ShapeError(f"tau = {tau!r}; expected a squared distance, a number from 0 up.")
    return float(tau)


def _expect_something(f, pictures):
    """The encodings, unless one is zero or no number."""
    expect_encodings(f, "f")
    for i in np.flatnonzero(~f.any(axis=1))[:1]:
        raise NumericsError(f"the encoding of {_name_of(pictures[i], i)} is zero: the network sees nothing in it, and would take it for "
                            "whoever else it sees nothing in. Look at the picture; is it blank?")
    return f


# ---- who of them -----------------------------------------------------------------------------------------------------------

class Gallery:
    """The people one knows: each by the encodings of one picture or more, computed once and kept.

    net  any network that ends in an encoding        tau  None: the network's own, as in verify
    """

    def __init__(self, net, tau=None):
        self.tau, self.net, self.network = expect_tau(net, tau), net.freeze(fold=True), fingerprint(net)
        self.people = {}                              # {name: (how many pictures, n_f)}

    @property
    def names(self):
        """Everybody, in the order in which they came."""
        return list(self.people)

    def __len__(self):
        return len(self.people)

    def add(self, name, picture, crop=None):
        """Someone by one picture, or by a list of them. A name that is there already gets these pictures as well.

        No parameter changes. Raises ShapeError for a name that is no text, NumericsError for an encoding of zeros, what encode raises;
        the gallery is then as it was.
        """
        if not isinstance(name, str) or not name:
            raise ShapeError(f"name = {name!r}; expected the person's name, a text that is not empty.")
        f = self._encoded(list(picture) if isinstance(picture, (list, tuple)) else [picture], crop)
        self.people[name] = np.concatenate([self.people[name], f]) if name in self.people else f

    def remove(self, name):
        """All that is known of someone. Raises ShapeError for a name that is not there, with the nearest one."""
        if name not in self.people:
            near = difflib.get_close_matches(str(name), self.people, 1)
            raise ShapeError(f"nobody is called {name!r} here{f'; did you mean {near[0]!r}?' if near else '.'} "
                             f"The gallery holds {len(self)} people.")
        del self.people[name]

    def identify(self, picture, crop=None):
        """Who is it?  The person with the nearest picture, when d <= tau   -> Identified(name, d, runner_up, runner_up_d, nearest)

        name is None for someone who is not in the database; an empty gallery knows nobody. The runner-up is the nearest other person.
        Of two equally near the first who came is taken. K people are K chances of a mistake: threshold.false_alarm.
        """
        f = self._encoded([picture], crop)[0]
        if not self.people:
            return Identified(None, np.inf, None, np.inf, None)
        rows = [len(known) for known in self.people.values()]
        d = squared_euclidean(f, np.concatenate(list(self.people.values())))
        d = np.minimum.reduceat(d, np.cumsum([0, *rows[:-1]]))                        # of each person the nearest picture
        order = [(self.names[i], float(d[i])) for i in np.argsort(d, kind="stable")[:2]]
        (nearest, d), (runner_up, runner_up_d) = (*order, (None, np.inf))[:2]
        return Identified(nearest if d <= self.tau else None, d, runner_up, runner_up_d, nearest)

    def save(self, path):
        """The encodings, names, tau, and which network made them, as one .npz, complete or not at all. No picture is in it."""
        f = list(self.people.values())
        readers.save(path, {"f": np.concatenate(f) if f else np.empty((0, 0), np.float32),
                            "person": np.repeat(np.arange(len(f)), [len(known) for known in f]),
                            "names": np.frombuffer(json.dumps(self.names).encode(), np.uint8)},
                     {"gallery_of": self.net.name, "network": self.network, "tau": self.tau})

    @classmethod
    def load(cls, path, net, tau=None):
        """A gallery that save has written, for the same network. tau  None: the one in the file.

        Raises WeightsError for a file that is no whole gallery, and for one that another network made: its encodings mean nothing here.
        """
        notes = readers.read_notes(path)
        if "gallery_of" not in notes:
            raise WeightsError(f"'{path}' is no gallery. Expected a file made by Gallery.save or by identify --gallery.")
        gallery = cls(net, notes.get("tau") if tau is None else tau)
        if notes.get("network") != gallery.network:
            theirs, ours = (name or "a network without a name" for name in (notes["gallery_of"], net.name))
            raise WeightsError(f"'{path}' was made by {theirs} ({notes.get('network')}), this is {ours} ({gallery.network}): encodings of "
                               "two networks cannot be compared. Load it with the network that made it, or make it again from pictures.")
        gallery.people = _read_people(path, readers.read(path, kinds="fiu"))
        return gallery

    def _encoded(self, pictures, crop):
        f = _expect_something(encode(self.net, pictures, crop=crop), pictures)
        for known in list(self.people.values())[:1]:
            if known.shape[1] != f.shape[1]:
                raise ShapeError(f"this picture's encoding has {f.shape[1]} numbers, those of the gallery {known.shape[1]}: this network's "
                                 "depends on the size of the picture. Bring all to one size.")
        return f


def fingerprint(net):
    """Twelve letters that tell one network from another: of its parameters, state and preparation of pictures, as float32."""
    digest = hashlib.sha256()
    for name, array in sorted({**net.params, **net.state}.items()):
        digest.update(f"{name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array, "<f4"))
    for name, layer in net.layers.items():
        digest.update(f"{name}:{type(layer).__name__}{layer.describe() if hasattr(layer, 'describe') else ''}".encode())
    return digest.hexdigest()[:12]


def _read_people(path, arrays):
    """The three arrays of a file -> {name: encodings}, after every check."""
    try:
        f, person, names = arrays["f"], arrays["person"], json.loads(arrays["names"].tobytes())
        whole = (f.ndim == 2 and f.dtype.kind == "f" and person.shape == (len(f),) and person.dtype.kind in "iu"
                 and isinstance(names, list) and all(isinstance(name, str) and name for name in names)
                 and len(set(names)) == len(names) and np.array_equal(np.unique(person), np.arange(len(names))))
    except (KeyError, ValueError, RecursionError) as e:
        raise WeightsError(f"'{path}' is no whole gallery ({e}). Make it again from the pictures.") from e
    if not whole:
        raise WeightsError(f"'{path}' is no whole gallery: names and encodings do not fit each other. Make it again from the pictures.")
    return {name: f[person == k] for k, name in enumerate(names)}


# ---- how well --------------------------------------------------------------------------------------------------------------

def one_shot(f, labels, N, trials=1000, rng=0):
    """N-way one-shot trials: N people with one picture each, a further picture of one of them; is the right one nearest?  -> OneShot

    f  encodings (m, n_f), of encode        labels  who is on each (m,)        rng  a generator or a seed
    Each trial draws the person asked for (among those with two pictures or more), both pictures, and the N - 1 others with one each.
    Where k are equally near, the right one among them, the trial counts 1 / k: an encoder that gives everybody the same has chance.
    Source: Lake et al. 2015; Koch et al. 2015, sec. 4.3, who draw theirs within an alphabet.
    """
    f, labels = expect_encodings(f, "f", ndim=(2,)), np.asarray(labels)
    if labels.shape != (len(f),):
        raise ShapeError(f"f has shape {f.shape} and labels {labels.shape}; expected ({len(f)},), a label for each encoding.")
    pictures = [np.flatnonzero(labels == who) for who in np.unique(labels)]
    asked = [who for who, own in enumerate(pictures) if len(own) >= 2]
    if not asked or not 2 <= N <= len(pictures) or trials < 1:
        raise ShapeError(f"N = {N}, trials = {trials}, with {len(pictures)} people of whom {len(asked)} have two pictures or more; "
                         "expected N from 2 to the number of people, one trial at least, and somebody with two pictures.")
    rng, right = np.random.default_rng(rng), 0.0
    for _ in range(trials):
        who = rng.choice(asked)
        known, question = rng.choice(pictures[who], 2, replace=False)
        others = rng.choice(np.delete(np.arange(len(pictures)), who), N - 1, replace=False)
        gallery = [known, *(rng.choice(pictures[other]) for other in others)]
        d = squared_euclidean(f[question], f[gallery])
        right += (d[0] == d.min()) / np.sum(d == d.min())
    return OneShot(float(right / trials), 1 / N)
