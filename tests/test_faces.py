"""Encodings, one person or two, a gallery: by hand, by a loop, to the file and back, and what is refused."""

import errno
import hashlib
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from scratchnet import faces, images, models, people, readers, threshold
from scratchnet.activations import ReLU
from scratchnet.errors import ImageError, NumericsError, ShapeError, WeightsError
from scratchnet.faces import Gallery, encode, one_shot, verify
from scratchnet.layers import Conv2D, Dense, Flatten
from scratchnet.network import Network
from scratchnet.normalisation import BatchNorm, L2Normalise, Preprocess

SIZE = (6, 4)


def network(seed=0, size=SIZE, name=None):
    """A small encoder with all that an encoder has: a size, BatchNorm whose state is not the first one, unit length."""
    rng = np.random.default_rng(seed)
    net = Network({"input": Preprocess(mean=(.5,) * 3, size=size), "conv": Conv2D(3, 4, 3, rng=rng), "bn": BatchNorm(4), "relu": ReLU(),
                   "flatten": Flatten(), "dense": Dense(4 * 24, 5, rng=rng), "encoding": L2Normalise()}, name=name)
    net.layers["bn"].state = {"mean": rng.random(4, np.float32), "var": 1 + rng.random(4, np.float32)}
    return net


class Mean(Flatten):
    """f(x) = the mean colour of the picture: a network by which every distance can be told by hand."""

    def forward(self, a_prev, training=False, rng=None, params=True):
        return a_prev.mean(axis=(1, 2)), a_prev.shape


def colour_network(name=None, size=SIZE):
    return Network({"input": Preprocess(size=size), "mean": Mean()}, name=name)


def colour(r, g=0., b=0.):
    return np.broadcast_to(np.float32([r, g, b]), (*SIZE, 3))


def pictures(m=5, seed=0, size=SIZE):
    return np.random.default_rng(seed).random((m, *size, 3), np.float32)


def digest(net):
    return {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in {**net.params, **net.state}.items()}


# ---- encode --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("batch", [1, 2, 16])
def test_an_encoding_is_the_output_of_the_last_layer(batch):
    net, x = network(), pictures()
    x.flags.writeable = False
    f = encode(net, x, batch=batch)
    assert f.shape == (5, 5) and f.dtype == np.float32
    assert np.allclose(f, net.forward(x, keep=["encoding"])[0]["encoding"], atol=1e-6)
    assert np.allclose(encode(net.freeze(), x), f, atol=1e-6)
    assert encode(net.astype(np.float64), x).dtype == np.float64


def test_lists_of_paths_grey_and_bytes_are_the_same_pictures(tmp_path):
    net, grey = network(), np.repeat(pictures(1)[0, ..., :1], 3, axis=-1)
    as_bytes = np.rint(grey * 255).astype(np.uint8)
    exact = as_bytes / np.float32(255)
    images.save(tmp_path / "a.png", exact)
    forms = [tmp_path / "a.png", str(tmp_path / "a.png"), as_bytes, exact, exact[None], exact[..., :1], exact[..., 0], as_bytes[..., 0],
             exact.astype(np.float64)]
    f = encode(net, forms)
    assert np.allclose(f, f[0], atol=1e-6) and f.dtype == np.float32
    for one in (str(tmp_path / "a.png"), tmp_path / "a.png", exact[None], exact[None, ..., :1]):
        assert np.allclose(encode(net, one), f[:1], atol=1e-6)


def test_flip_adds_the_mirrored_pictures_encoding():
    net, x = network(), pictures()
    f, mirrored = encode(net, x), encode(net, x[:, :, ::-1])
    both = f + mirrored
    assert np.allclose(encode(net, x, flip=True), both / np.linalg.norm(both, axis=1, keepdims=True), atol=1e-6)
    assert np.allclose(encode(net, x, flip=True), encode(net, x[:, :, ::-1], flip=True), atol=1e-6)
    with pytest.warns(UserWarning, match="encoding of image 0 is zero"):
        assert not encode(Network({"n": Mean(), "encoding": L2Normalise()}), np.zeros((1, 2, 2, 3)), flip=True).any()


def test_no_parameter_and_no_state_changes():
    net = network()
    before = digest(net)
    encode(net, pictures(), flip=True)
    gallery = Gallery(net, tau=1)
    for who, picture in zip("abcde", pictures()):
        gallery.add(who, picture)
    gallery.identify(pictures()[0])
    assert digest(net) == before and not net.frozen and all(array.flags.writeable for array in net.params.values())


# ---- the crop rule -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("n_H, n_W, box", [(12, 20, (6, 0, 14, 12)), (30, 8, (0, 9, 8, 21)), (9, 7, (.5, 0, 6.5, 9)),
                                           (12, 8, (0, 0, 8, 12))])
def test_the_largest_centred_part_in_the_networks_proportion(n_H, n_W, box):
    """A network of 6 x 4. A wide picture loses its sides, a high one its top and bottom, and the middle stays where it is."""
    x = pictures(1, size=(n_H, n_W))
    cut = faces.cut(colour_network(), x[0])
    assert cut.shape == (1, *SIZE, 3) and np.array_equal(cut, images.resize(x, SIZE, box))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_a_picture_of_any_size_fits_any_network(n_H, n_W, net_H, net_W):
    x = np.full((n_H, n_W, 3), .25, np.float32)
    cut = faces.cut(colour_network(size=(net_H, net_W)), x)
    assert cut.shape == (1, net_H, net_W, 3) and np.allclose(cut, .25, atol=1e-6)


def test_a_picture_of_the_right_size_passes_unchanged():
    x = pictures(1)[0]
    assert np.array_equal(faces.cut(network(), x)[0], x)
    assert np.array_equal(faces.cut(network(size=None), pictures(1, size=(3, 9))[0])[0], pictures(1, size=(3, 9))[0])


@pytest.mark.parametrize("crop, box", [((8, 4, 16, 16), (8, 4, 16, 16)), ((6, 4, 18, 16), (8, 4, 16, 16)),
                                       ((6, 1, 14, 20), (6, 4.5, 14, 16.5))])
def test_a_box_comes_first_then_the_same_rule(crop, box):
    x = pictures(1, size=(20, 20))
    assert np.array_equal(faces.cut(colour_network(), x[0], crop), images.resize(x, SIZE, box))
    assert np.allclose(encode(colour_network(), x, crop=crop), images.resize(x, SIZE, box).mean(axis=(1, 2)), atol=1e-6)


def test_a_box_of_fractions_takes_parts_of_pixels():
    ramp = np.broadcast_to(np.linspace(0, 1, 40, dtype=np.float32)[:, None], (40, 40))      # value = (row centre - .5) / 39
    for top in (10, 10.25, 10.5):
        cut = faces.cut(colour_network(), ramp, (10, top, 18, top + 12))
        assert np.allclose(cut[0, :, 0, 0], (top + 2 * np.arange(6) + .5) / 39, atol=2e-3)


def test_without_a_size_a_box_is_taken_as_large_as_it_is():
    x = pictures(1, size=(9, 9))[0]
    assert np.allclose(faces.cut(network(size=None), x, (2, 3, 5, 8))[0], x[3:8, 2:5], atol=1e-6)


@pytest.mark.parametrize("box", [(0, 0, 5, 6), (0, 0, 4, 6.5), (-1, 0, 3, 3), (3, 0, 3, 3), (0, 4, 4, 2), (0, 0, np.nan, 3), (0, 0, 3),
                                 "all"])
def test_a_box_outside_the_picture_is_refused_with_its_size(box, tmp_path):
    images.save(tmp_path / "small.png", np.zeros((*SIZE, 3)))
    words = "four numbers" if len(box) != 4 else r"does not lie inside '.*small\.png', which is 4 wide and 6 high"
    with pytest.raises(ImageError, match=words):
        encode(network(), [tmp_path / "small.png"], crop=box)


@pytest.mark.parametrize("wrong, words", [
    ([], "got 0 pictures"), (np.zeros((6, 4, 3)), r"shape \(6, 4, 3\).*x\[None\]"), ([np.zeros((6, 4, 4))], "picture 0 has shape"),
    ([np.zeros((6, 4, 3)), np.full((6, 4, 3), 255.)], "picture 1: values reach 255"), ([np.full((6, 4), np.nan)], "picture 0 has 72 NaN")])
def test_pictures_that_are_none_are_refused_by_number(wrong, words):
    with pytest.raises((ShapeError, ImageError), match=words):
        encode(network(), wrong)


def test_I1_I4_files_that_are_no_pictures(tmp_path):
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html>")
    for path, error in ((tmp_path / "none.jpg", FileNotFoundError), (tmp_path, IsADirectoryError), (tmp_path / "page.jpg", ImageError)):
        with pytest.raises(error):
            encode(network(), [path])


def test_networks_that_give_no_encoding_are_refused():
    with pytest.raises(ShapeError, match=r"last layer, 'relu', gives \(1, 6, 4, 4\); an encoding is \(m, n_f\)"):
        encode(network().freeze(until="relu"), pictures(1))
    with pytest.raises(ShapeError, match="picture 1 is 7x4 and picture 0 6x4"):
        encode(network(size=None), [np.zeros((6, 4)), np.zeros((7, 4))])
    with pytest.raises(ShapeError, match="batch = 0"):
        encode(network(), pictures(), batch=0)


# ---- verify --------------------------------------------------------------------------------------------------------------

def test_verify_by_hand_and_at_tau_itself():
    """Mean colours (1/2, 0, 0) and (0, 1/4, 0): d = 1/4 + 1/16."""
    one, two = colour(.5), colour(0, .25)
    assert verify(colour_network(), one, two, tau=.3) == (False, .3125, .3)
    assert verify(colour_network(), one, two, tau=.3125) == (True, .3125, .3125)
    answer = verify(colour_network(), one, one, tau=0)
    assert answer.same is True and type(answer.d) is type(answer.tau) is float


def test_tau_belongs_to_the_network_by_name(monkeypatch):
    monkeypatch.setitem(faces.TAU, "colours", .2)
    assert verify(colour_network("colours"), colour(.5), colour(.25)).same
    assert verify(colour_network("colours").freeze().astype(np.float32), colour(.5), colour(.75)).tau == .2
    assert Gallery(colour_network("colours")).tau == .2
    for net, who in ((colour_network(), "this network"), (colour_network("face_nobody"), "face_nobody"),
                     (colour_network("colours").freeze(until="input"), "this network")):
        with pytest.raises(ShapeError, match=f"no threshold is known for {who}; give tau.*best_tau"):
            verify(net, colour(.5), colour(.5))


def test_what_is_known_of_a_network_is_found_by_its_own_name():
    assert {models.nn4_small2().name, models.mobilefacenet().name} <= set(faces.TAU) <= set(faces.ABOUT)


@pytest.mark.parametrize("tau", [-1, np.nan, np.inf, "0.5", True, [1.]])
def test_tau_must_be_a_distance(tau):
    with pytest.raises(ShapeError, match="tau = .*expected a squared distance"):
        verify(colour_network(), colour(.5), colour(.5), tau=tau)


def test_a_picture_that_means_nothing_is_nobody():
    """Two blank pictures would be at a distance of 0, the same person as each other."""
    with pytest.raises(NumericsError, match="encoding of picture 1 is zero"):
        verify(colour_network(), colour(.5), colour(0), tau=1)
    gallery = Gallery(colour_network(), tau=1)
    with pytest.raises(NumericsError, match="zero"):
        gallery.add("nobody", colour(0))
    assert len(gallery) == 0


# ---- the gallery ---------------------------------------------------------------------------------------------------------

def family(tau=.05):
    gallery = Gallery(colour_network("colours"), tau)
    gallery.add("Ada", colour(1))
    gallery.add("Bo", [colour(0, 1), colour(0, .5)])
    gallery.add("李 / ..\\../x", colour(0, 0, 1))
    return gallery


def test_identify_by_hand():
    """(0.9, 0.1, 0) is 0.01 + 0.01 from Ada; the nearest of Bo's two is (0, 1/2, 0), 0.81 + 0.16 away."""
    found = family().identify(colour(.9, .1))
    assert found.name == found.nearest == "Ada" and found.runner_up == "Bo"
    assert found.d == pytest.approx(.02, abs=1e-6) and found.runner_up_d == pytest.approx(.97, abs=1e-6)


def test_someone_else_is_not_in_the_database():
    found = family().identify(colour(.6, .6, .6))
    assert found.name is None and found.nearest == "Bo" and found.d == pytest.approx(.36 + .01 + .36, abs=1e-6)


def test_the_runner_up_is_another_person_not_another_picture():
    gallery = family(tau=9)
    gallery.add("Bo", colour(0, .95))
    found = gallery.identify(colour(0, .96))
    assert (found.name, found.runner_up) == ("Bo", "Ada") and gallery.names == ["Ada", "Bo", "李 / ..\\../x"]


@given(st.integers(0, 10 ** 6), st.integers(1, 6))
def test_identify_is_a_loop_over_everybody(seed, K):
    rng = np.random.default_rng(seed)
    gallery, known = Gallery(colour_network(), tau=.05), []
    for who in range(K):
        own = [colour(*rng.integers(1, 5, 3) / 4) for _ in range(rng.integers(1, 4))]        # few colours, so that ties occur
        gallery.add(str(who), own)
        known += [(str(who), picture[0, 0]) for picture in own]
    asked = colour(*rng.integers(1, 5, 3) / 4)
    nearest = {}
    for who, encoding in known:
        d = float(np.sum((asked[0, 0] - encoding) ** 2))
        nearest[who] = min(d, nearest.get(who, np.inf))
    first = min(nearest, key=nearest.get)
    found = gallery.identify(asked)
    assert found.nearest == first and found.d == pytest.approx(nearest.pop(first), abs=1e-6)
    assert found.name == (first if found.d <= .05 else None)
    second = min(nearest, key=nearest.get, default=None)
    assert found.runner_up == second and found.runner_up_d == pytest.approx(nearest.get(second, np.inf), abs=1e-6)


def test_empty_and_lonely_galleries():
    gallery = Gallery(colour_network(), tau=1)
    assert gallery.identify(colour(.5)) == (None, np.inf, None, np.inf, None) and gallery.names == []
    gallery.add("Ada", colour(.5))
    assert gallery.identify(colour(.5)) == ("Ada", 0, None, np.inf, "Ada")
    gallery.remove("Ada")
    assert len(gallery) == 0


def test_remove_and_names_that_are_none():
    gallery = family()
    gallery.remove("Ada")
    assert gallery.names == ["Bo", "李 / ..\\../x"] and gallery.identify(colour(.9, .1)).nearest == "Bo"
    with pytest.raises(ShapeError, match="nobody is called 'Boo' here; did you mean 'Bo'.*holds 2 people"):
        gallery.remove("Boo")
    for name in ("", None, 7):
        with pytest.raises(ShapeError, match="the person's name"):
            gallery.add(name, colour(.5))


def test_encodings_of_two_lengths_do_not_meet():
    net = Network({"flatten": Flatten()})
    gallery = Gallery(net, tau=1)
    gallery.add("Ada", np.ones((2, 2, 3)))
    with pytest.raises(ShapeError, match="has 27 numbers, those of the gallery 12"):
        gallery.identify(np.ones((3, 3, 3)))


# ---- to a file and back ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [family, lambda: Gallery(colour_network("colours"), tau=.3)], ids=["family", "empty"])
def test_a_gallery_comes_back_as_it_was(make, tmp_path):
    gallery = make()
    gallery.save(tmp_path / "people.npz")
    again = Gallery.load(tmp_path / "people.npz", colour_network("colours"))
    assert again.names == gallery.names and again.tau == gallery.tau
    assert all(np.array_equal(again.people[name], gallery.people[name]) for name in gallery.names)
    assert again.identify(colour(.9, .1)) == gallery.identify(colour(.9, .1))
    assert Gallery.load(tmp_path / "people.npz", colour_network(), tau=.7).tau == .7
    assert sorted(np.load(tmp_path / "people.npz").files) == ["f", "names", "person", "scratchnet"]


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(), min_size=1), min_size=1, max_size=5, unique=True))
def test_W19_names_of_any_characters_come_back(tmp_path_factory, names):
    gallery, path = Gallery(colour_network(), tau=1), tmp_path_factory.mktemp("names") / "people.npz"
    for name in [*names, "file", "f", "../../etc/passwd"]:
        gallery.add(name, colour(.5))
    gallery.save(path)
    assert Gallery.load(path, colour_network()).names == gallery.names


def test_a_gallery_of_another_network_is_refused_by_name(tmp_path):
    gallery = Gallery(network(0, name="mine"), tau=1)
    gallery.add("Ada", pictures(1)[0])
    gallery.save(tmp_path / "people.npz")
    assert Gallery.load(tmp_path / "people.npz", network(0).freeze().astype(np.float64)).names == ["Ada"]
    other_state = network(0)
    other_state.layers["bn"].state = {**other_state.layers["bn"].state, "mean": np.ones(4, np.float32)}
    other_pictures = network(0)
    other_pictures.layers["input"] = Preprocess(size=SIZE)
    for net in (network(1), other_state, other_pictures):
        with pytest.raises(WeightsError, match=r"made by mine \(\w{12}\), this is a network without a name \(\w{12}\).*cannot be compared"):
            Gallery.load(tmp_path / "people.npz", net)


def test_files_that_are_no_gallery_are_refused(tmp_path):
    path, net = tmp_path / "x.npz", colour_network("colours")
    readers.save(path, {"f": np.ones((1, 3))})
    with pytest.raises(WeightsError, match="is no gallery"):
        Gallery.load(path, net)
    notes = {"gallery_of": "colours", "network": faces.fingerprint(net), "tau": 1}
    names = np.frombuffer(b'["Ada", "Bo"]', np.uint8)
    for arrays in ({"f": np.ones((2, 3))}, {"f": np.ones((2, 3)), "person": np.array([0, 2]), "names": names},
                   {"f": np.ones((3, 3)), "person": np.array([0, 1]), "names": names},
                   {"f": np.ones((2, 3)), "person": np.array([0, 1]), "names": names[:-1]},
                   {"f": np.ones((2, 3)), "person": np.array([0, 1]), "names": np.frombuffer(b'["Ada", "Ada"]', np.uint8)},
                   {"f": np.ones((2, 3)), "person": np.array([0, 1]), "names": np.frombuffer(b'["Ada", 7]', np.uint8)},
                   {"f": np.ones((2, 3)), "person": np.array([0, 1]), "names": np.frombuffer(b'{"Ada": 1}', np.uint8)}):
        readers.save(path, arrays, notes)
        with pytest.raises(WeightsError, match="is no whole gallery"):
            Gallery.load(path, net)
    readers.save(path, {"f": np.ones((2, 3)), "person": np.array([1, 0]), "names": names}, notes)
    assert Gallery.load(path, net).names == ["Ada", "Bo"]
    readers.save(path, {"f": np.full((2, 3), np.nan), "person": np.array([1, 0]), "names": names}, notes)
    with pytest.raises(WeightsError, match="f.* has 6 "):
        Gallery.load(path, net)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_K4_D1_a_save_that_fails_leaves_the_old_file(error, tmp_path, monkeypatch):
    gallery, path = family(), tmp_path / "people.npz"
    gallery.save(path)
    before = path.read_bytes()
    gallery.add("Eve", colour(.5))

    def fail(*_):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        gallery.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["people.npz"]


# ---- one-shot ------------------------------------------------------------------------------------------------------------

def test_a_perfect_encoder_is_always_right_and_a_blind_one_guesses():
    labels = np.repeat(np.arange(6), 3)
    assert one_shot(np.eye(6)[labels], labels, 5, trials=50) == (1, 1 / 5)
    assert one_shot(np.ones((18, 2)), labels, 5, trials=50) == (pytest.approx(1 / 5), 1 / 5)
    f, labels = np.random.default_rng(0).standard_normal((400, 8)), np.repeat(np.arange(200), 2)
    assert one_shot(f, labels, 3, trials=1000).accuracy == pytest.approx(1 / 3, abs=.1)


def test_one_shot_over_two_people_is_the_share_that_can_be_counted():
    """On a line: a at 0 and 3, b at 1 with one picture, so never asked. Asked 0 (knowing 3) or 3 (knowing 0): b is nearer."""
    f = np.array([[0.], [3], [1]])
    assert one_shot(f, ["a", "a", "b"], 2, trials=20).accuracy == 0
    f = np.array([[0.], [3], [4]])                                   # asked 0: 9 against 16, right; asked 3: 9 against 1, wrong
    assert one_shot(f, ["a", "a", "b"], 2, trials=400).accuracy == pytest.approx(.5, abs=.1)
    assert one_shot(f, ["a", "a", "b"], 2, rng=3) == one_shot(f, ["a", "a", "b"], 2, rng=np.random.default_rng(3))


@pytest.mark.parametrize("labels, N, trials", [([0, 1, 2], 2, 9), ([0, 0, 1], 3, 9), ([0, 0, 1], 1, 9), ([0, 0, 1], 2, 0)])
def test_trials_that_cannot_be_held_are_refused(labels, N, trials):
    with pytest.raises(ShapeError, match=f"N = {N}, trials = {trials}, with"):
        one_shot(np.ones((3, 2)), labels, N, trials)
    with pytest.raises(ShapeError, match=r"labels \(2,\)"):
        one_shot(np.ones((3, 2)), [0, 1], 2)


# ---- real people -----------------------------------------------------------------------------------------------------------

@pytest.mark.real
def test_mobilefacenet_knows_strangers_from_one_picture(data_folder):
    """Nine of ORL's people, which it never saw, from one picture each; the tenth, who is not in the gallery, is farther than they are."""
    net = models.mobilefacenet(data_folder / "weights/mobilefacenet_casia.npz")
    crowd = people.orl(data_folder / "faces/orl", range(31, 41), limit=3)
    gallery = Gallery(net)
    for who in range(9):
        gallery.add(crowd.names[who], crowd.paths[3 * who])
    found = [gallery.identify(path) for path in crowd.paths]
    right = [answer.nearest == crowd.names[k // 3] for k, answer in enumerate(found[:27])]
    assert np.mean(right) > .9 and all(answer.d < 1e-9 for answer in found[:27:3])
    assert min(answer.d for answer in found[27:]) > np.median([answer.d for answer in found[:27]])


@pytest.mark.real
def test_mobilefacenet_tells_pairs_of_lfw_apart(data_folder):
    fold = people.lfw(data_folder / "faces/lfw_fold1")
    net, some = models.mobilefacenet(data_folder / "weights/mobilefacenet_casia.npz"), np.arange(0, 600, 20)
    one, two = (encode(net, [fold.people.paths[k] for k in side[some]], crop=(68, 52, 184, 187.5)) for side in (fold.first, fold.second))
    d = np.sum((one - two) ** 2, axis=1)
    assert threshold.auc(d, fold.same[some]) > .99 and threshold.accuracy(d, fold.same[some], faces.TAU["mobilefacenet"]) > .9
