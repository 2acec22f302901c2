"""verify and identify as people meet them: the answers in words, and what a beginner types wrong, each said in a line."""

import numpy as np
import pytest

from scratchnet import attribution, faces, images, models, plots
from scratchnet.__main__ import main
from scratchnet.activations import ReLU
from scratchnet.cli import face_network
from scratchnet.layers import Conv2D, Flatten
from scratchnet.network import Network
from scratchnet.normalisation import L2Normalise, Preprocess
from tests.test_faces import colour, colour_network

TAU = .1


@pytest.fixture(autouse=True)
def a_network_of_colours(monkeypatch):
    """In the place of the network that ships stands one that sees the mean colour, so that every answer is known by hand."""
    monkeypatch.setattr(models, "face_encoder", lambda weights=None: colour_network("face_encoder"), raising=False)
    monkeypatch.setitem(faces.TAU, "face_encoder", TAU)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Ada is red, Bo is green twice, once nearly black; a.png and b.png are red, c.png is blue, tall.png red with blue above."""
    monkeypatch.chdir(tmp_path)
    for path, picture in {"people/Ada/1.png": colour(1), "people/Bo/1.png": colour(0, .2), "people/Bo/2.png": colour(0, 1),
                          "a.png": colour(1), "b.png": colour(.8), "c.png": colour(0, 0, 1)}.items():
        images.save(path, picture)
    tall = np.zeros((12, 4, 3), np.float32)
    tall[:6, :, 2], tall[6:, :, 0] = 1, 1
    images.save("tall.png", tall)
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html>")
    (tmp_path / "empty").mkdir()
    return tmp_path


def told(words, capsys, code=0):
    assert main(words) == code, capsys.readouterr().err
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


# ---- verify ------------------------------------------------------------------------------------------------------------------

def test_the_answer_in_words_and_numbers(folder, capsys):
    text = told(["verify", "a.png", "b.png"], capsys)
    assert "network face_encoder, which ships with scratchnet: " + faces.ABOUT["face_encoder"] in text
    assert "No face is looked for" in text and "6x4" in text
    assert "a.png and b.png: the same person, d = 0.040 <= tau = 0.1" in text
    assert "a.png and c.png: two different people, d = 2.000 > tau = 0.1" in told(["verify", "a.png", "c.png"], capsys)
    assert "two different people, d = 0.040 > tau = 0.03" in told(["verify", "a.png", "b.png", "--tau", "0.03"], capsys)


def test_a_box_for_both_or_for_each(folder, capsys):
    assert "different" in told(["verify", "tall.png", "a.png"], capsys)
    assert "the same person, d = 0.000" in told(["verify", "tall.png", "a.png", "--crop", "0,6.5,4,12", "--crop", "0,0,4,6"], capsys)
    assert "the same person" in told(["verify", "tall.png", "tall.png", "--crop", "0,0,4,6"], capsys)
    assert "3 times" in told(["verify", "a.png", "a.png", *3 * ["--crop", "0,0,1,1"]], capsys, 1)


def test_a_figure_on_request(folder, capsys):
    text = told(["verify", "a.png", "c.png", "--figure", "pair.png"], capsys)
    assert text.endswith("pair.png\n") and images.load("pair.png").std() > .01
    told(["identify", "people", "a.png", "c.png", "--figure", "who.png"], capsys)
    assert images.load("who.png").std() > .01


def test_the_figure_shows_the_nearest_picture_of_a_person(folder, capsys, monkeypatch):
    drawn = {}
    monkeypatch.setattr(face_network, "figure", lambda path, pairs, tau: drawn.update(pairs=pairs))
    monkeypatch.setattr("scratchnet.cli.identify.figure", face_network.figure)
    told(["identify", "people", "b.png", "--figure", "who.png"], capsys)
    (photo, nearest, d, title), (_, second, d_second, _) = drawn["pairs"]
    assert np.allclose(photo, colour(.8), atol=1e-6) and np.allclose(nearest, colour(1)) and title == "b.png: Ada?"
    assert np.allclose(second, colour(0, .2), atol=1e-6)             # not Bo's other picture, which is farther
    assert (d, d_second) == pytest.approx((.04, .64 + .04), abs=1e-5)


def test_why_draws_both_signs_on_both_pictures_and_says_when_there_is_nothing_to_say(folder, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    net = Network({"input": Preprocess(size=(12, 8)), "conv": Conv2D(3, 4, rng=rng), "relu": ReLU(), "flatten": Flatten(),
                   "encoding": L2Normalise()})
    monkeypatch.setattr(models, "face_encoder", lambda weights=None: net)
    for name in "ab":
        images.save(f"{name}.png", rng.random((12, 8, 3)))
    drawn, draw = [], plots.pair_maps
    monkeypatch.setattr(plots, "pair_maps", lambda *what: drawn.append(what) or draw(*what))
    text = told(["verify", "a.png", "b.png", "--tau", "0.5", "--why", "why.png"], capsys)
    assert text.endswith("why.png\n") and images.load("why.png").std() > .01
    (_, *pictures, maps_1, maps_2, d, tau), = drawn
    f_1, f_2 = faces.encode(net, pictures)
    assert tau == .5 and d == pytest.approx(np.sum((f_1 - f_2) ** 2), rel=1e-5)
    assert list(maps_1) == list(maps_2) == ["Grad-CAM by place, relu", "hidden by 2x2 of grey"]
    signed = np.stack([maps["Grad-CAM by place, relu"] for maps in (maps_1, maps_2)])
    assert signed.min() < 0 < signed.max()
    for picture, other, maps in zip(pictures, (f_2, f_1), (maps_1, maps_2)):
        near, far = (attribution.grad_cam(net, picture, "relu", score(other), by_place=True).on_picture
                     for score in (attribution.closeness, attribution.distance))
        assert np.allclose(maps["Grad-CAM by place, relu"], near - far, atol=1e-6)
        hidden = picture.copy()
        hidden[:, :2, :2] = .5                                        # one square alone covers the corner, its stride being 1
        grown = np.sum((faces.encode(net, hidden)[0] - other) ** 2) - d
        assert maps["hidden by 2x2 of grey"][0, 0] == pytest.approx(grown, abs=1e-5)
    assert main(["verify", "a.png", "a.png", "--tau", "0.5", "--why", "why.png"]) == 0
    assert "picture 1 Grad-CAM is empty" in capsys.readouterr().err


@pytest.mark.parametrize("words, says", [
    (["none.png", "a.png"], "No image at 'none.png'"), (["people", "a.png"], "'people' is a folder"),
    (["page.jpg", "a.png"], "'page.jpg' is not an image (it starts with '<!DOCTYPE"),
    (["a.png", "b.png", "--crop", "0,0,9,9"], "does not lie inside 'a.png', which is 4 wide and 6 high"),
    (["a.png", "b.png", "--weights", "none.npz"], "none.npz"),
    (["a.png", "b.png", "--network", "mobilefacenet"], "mobilefacenet is not in the cache"),
    (["a.png", "b.png", "--weights", "nn4"], "nn4")])
def test_what_a_beginner_types_wrong_is_one_line(words, says, folder, capsys, monkeypatch):
    monkeypatch.setenv("SCRATCHNET_HOME", str(folder / "home"))
    text = told(["verify", *words], capsys, 1)
    assert says in text and text.count("\n") == 1


@pytest.mark.parametrize("words, says", [
    (["--crop", "1,2,3"], "left,top,right,bottom"), (["--crop", "a,b,c,d"], "left,top,right,bottom"),
    (["--crop", "5,0,2,3"], "left < right"),
    (["--tau", "-1"], "from 0 up"), (["--tau", "much"], "from 0 up"), (["--network", "facenet"], "invalid choice")])
def test_options_that_are_none_are_refused_by_argparse(words, says, folder, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["verify", "a.png", "b.png", *words])
    assert stop.value.code == 2 and says in capsys.readouterr().err


def test_a_network_without_a_threshold_asks_for_one(folder, capsys, monkeypatch):
    monkeypatch.setitem(faces.TAU, "face_encoder", None)
    assert "no threshold is known for face_encoder; give tau" in told(["verify", "a.png", "b.png"], capsys, 1)


def test_a_file_says_which_network_it_is_for_and_its_threshold(folder, capsys, monkeypatch):
    """As `train` writes it; and a file that says nothing needs --network."""
    built = []
    monkeypatch.setitem(face_network.NETWORKS, "siamese",
                        lambda weights, notes: built.append((str(weights), notes["size"])) or colour_network())
    colour_network().save("encoder.npz", {"network": "siamese", "size": 6, "tau": .05})
    text = told(["verify", "a.png", "b.png", "--weights", "encoder.npz"], capsys)
    assert "network siamese of encoder.npz" in text and "<= tau = 0.05" in text and built == [("encoder.npz", 6)]
    colour_network().save("silent.npz")
    text = told(["verify", "a.png", "b.png", "--weights", "silent.npz"], capsys, 1)
    assert "does not say which network it is for. Add --network" in text
    assert "<= tau = 0.1" in told(["verify", "a.png", "b.png", "--weights", "silent.npz", "--network", "face_encoder"], capsys)


# ---- identify --------------------------------------------------------------------------------------------------------------------

def test_who_it_is_and_who_is_not_in_the_database(folder, capsys):
    text = told(["identify", "people", "b.png", "c.png"], capsys)
    assert "2 people, 3 pictures" in text
    assert "b.png: Ada, d = 0.040 <= tau = 0.1; then Bo, d = 0.680" in text
    assert "c.png: not in the database; the nearest is Bo, d = 1.040 > tau = 0.1; then Ada, d = 2.000" in text


def test_a_gallery_is_kept_and_stands_in_place_of_the_folder(folder, capsys):
    first = told(["identify", "people", "b.png", "--gallery", "kept/known.npz"], capsys)
    assert "known.npz  (their encodings; give it in place of the folder)" in first
    again = told(["identify", "kept/known.npz", "b.png"], capsys)
    assert again.splitlines()[-1] == first.splitlines()[-1]
    assert "d = 0.040 > tau = 0.01" in told(["identify", "kept/known.npz", "b.png", "--tau", "0.01"], capsys)
    for option in ("--figure", "--gallery"):
        assert f"{option} wants the people's pictures" in told(["identify", "kept/known.npz", "b.png", option, "x.png"], capsys, 1)


def test_boxes_of_the_photo_and_of_the_people(folder, capsys):
    assert "tall.png: Ada" in told(["identify", "people", "tall.png", "--crop", "0,6.5,4,12"], capsys)
    assert "tall.png: not in the database" in told(["identify", "people", "tall.png", "--crop", "0,0,4,5.5"], capsys)
    assert "does not lie inside '" in told(["identify", "people", "a.png", "--people-crop", "0,0,9,9"], capsys, 1)


def test_one_person_has_no_runner_up(folder, capsys):
    images.save("alone/Ada/1.png", colour(1))
    assert "Ada, d = 0.000 <= tau = 0.1; nobody else is there" in told(["identify", "alone", "a.png"], capsys)


@pytest.mark.parametrize("words, says", [
    (["empty", "a.png"], "holds no people"), (["nowhere", "a.png"], "nowhere"), (["people", "none.png"], "No image at 'none.png'"),
    (["people", "empty"], "is a folder"), (["people/Ada", "a.png"], "lies beside the people"),
    (["a.png", "people"], "'a.png' is a file; expected the folder of people first"), (["page.npz", "a.png"], "page.npz")])
def test_wrong_folders_and_photos_are_one_line(words, says, folder, capsys):
    (folder / "page.npz").write_text("<!DOCTYPE html>")
    text = told(["identify", *words], capsys, 1)
    assert says in text and text.count("\n") == 1
