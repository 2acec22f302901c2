"""What a layer keeps of a picture: each cost alone comes down, the content knows places and the style does not."""

import numpy as np
import pytest

from scratchnet import images, layer_views, models, plots, style
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, Flatten
from scratchnet.models import random_filters
from scratchnet.network import Network
from scratchnet.starts import starting_picture
from scratchnet.style_costs import gram
from tests.figures import read

# Red on the left, blue on the right, with stripes: what a texture must keep, and where it need not be.
PICTURE = np.zeros((1, 24, 32, 3), np.float32)
PICTURE[:, :, :16, 0] = PICTURE[:, :, 16:, 2] = .9
PICTURE[:, ::4] = .5


@pytest.fixture(scope="module")
def net():
    return random_filters().freeze()


@pytest.fixture(scope="module")
def painted(net):
    return {view: layer_views.paint(net, "relu1_1", PICTURE, view, steps=60) for view in layer_views.VIEWS}


def test_the_inversion_is_the_picture_and_the_texture_has_its_style_without_its_places(net, painted):
    start = style.TotalCost(net, PICTURE, PICTURE, content_layer="relu1_1", lam={"relu1_1": 1.0}).step(
        starting_picture(PICTURE, "noise", seed=0), 0)
    far = {view: np.abs(step.G - PICTURE).mean() for view, step in painted.items()}
    assert far["inversion"] < .1 < .2 < far["texture"]
    assert painted["inversion"].J_content < .05 * start.J_content
    assert painted["texture"].J_style < .05 * start.J_style and painted["texture"].J_content > .2 * start.J_content


def test_each_view_is_style_transfer_with_the_other_cost_at_weight_zero(net, monkeypatch):
    asked = []
    transfer = style.transfer
    monkeypatch.setattr(style, "transfer", lambda *args, **words: asked.append(words) or transfer(*args, **words))
    for view, (alpha, beta) in {"inversion": (1, 0), "texture": (0, 1)}.items():
        step = layer_views.paint(net, "relu2_1", PICTURE, view, steps=3, seed=5)
        told = asked.pop()
        assert (told["alpha"], told["beta"], told["content_layer"], told["lam"]) == (alpha, beta, "relu2_1", {"relu2_1": 1.0})
        assert step.i == 3 and step.J == pytest.approx(alpha * step.J_content + beta * step.J_style + told["tv"] * step.J_tv, rel=1e-5)


def test_the_seed_decides_and_the_picture_stays_as_it_is(net):
    before = PICTURE.copy()
    one, same, other = (layer_views.paint(net, "relu1_1", PICTURE, "texture", steps=2, seed=seed).G for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert one.shape == PICTURE.shape and one.dtype == np.float32 and np.array_equal(PICTURE, before)


def test_the_strongest_channels_are_those_on_the_diagonal_of_the_style_matrix():
    a = np.zeros((1, 2, 3, 5), np.float32)
    a[0, 0, 0, 3], a[0, :, :, 1], a[0, 1, 2, 4] = 2, 1, 2             # sums of squares 4, 6, 4; 0 and 2 are silent
    assert np.diag(gram(a)).tolist() == [0, 6, 0, 4, 4]
    assert layer_views.strongest_channels(a) == [1, 3, 4] and layer_views.strongest_channels(a, 2) == [1, 3]


def test_the_sheet_is_given_the_views_their_costs_and_the_layer_s_activations(net, monkeypatch):
    given = []
    monkeypatch.setattr(plots, "layer_sheet", lambda path, *what: given.extend(what) or path)
    assert layer_views.layer_sheet("views.png", net, "relu2_1", PICTURE, steps=2, seed=3, n=4) == "views.png"
    layer, picture, inversion, texture, a, channels = given
    by_hand = {view: layer_views.paint(net, "relu2_1", PICTURE, view, steps=2, seed=3) for view in layer_views.VIEWS}
    assert layer == "relu2_1" and np.array_equal(picture, PICTURE)
    assert np.array_equal(inversion[0], by_hand["inversion"].G) and inversion[1] == by_hand["inversion"].J_content
    assert np.array_equal(texture[0], by_hand["texture"].G) and texture[1] == by_hand["texture"].J_style
    assert np.array_equal(a, net.forward(PICTURE, keep=["relu2_1"])[0]["relu2_1"])
    assert channels == layer_views.strongest_channels(a, 4)


def test_a_sheet_of_the_network_that_ships_is_a_file(tmp_path):
    path = layer_views.layer_sheet(tmp_path / "views.png", models.small_vgg(), "relu2_1", images.sample_photograph(24), steps=2)
    assert (read(path) < .9).any()


def test_reconstructions_are_inversions_of_c_and_textures_of_s_from_the_layers_up_to_each(net):
    S = np.ascontiguousarray(PICTURE[:, ::-1, :20])
    found = list(layer_views.reconstructions(net, PICTURE, S, ["relu1_1", "relu2_1"], steps=2, seed=4))
    assert [(view, layers) for view, layers, _ in found] == [
        ("inversion", ("relu1_1",)), ("inversion", ("relu2_1",)), ("texture", ("relu1_1",)), ("texture", ("relu1_1", "relu2_1"))]
    for view, layers, step in found[:3]:
        by_hand = layer_views.paint(net, layers[0], PICTURE if view == "inversion" else S, view, steps=2, seed=4)
        assert np.array_equal(step.G, by_hand.G)
    both = found[3][2]
    assert both.J_style == pytest.approx(sum(both.per_layer.values()) / 2) and list(both.per_layer) == ["relu1_1", "relu2_1"]
    *_, (view, layers, single) = layer_views.reconstructions(net, PICTURE, S, ["relu1_1", "relu2_1"], steps=2, single=True)
    assert (view, layers) == ("texture", ("relu2_1",)) and list(single.per_layer) == ["relu2_1"]


def test_the_grid_is_given_both_rows(net, monkeypatch):
    monkeypatch.setattr(plots, "reconstruction_grid", lambda path, *what: what)
    found = list(layer_views.reconstructions(net, PICTURE, PICTURE, ["relu1_1"], steps=1))
    C, S, contents, styles = layer_views.reconstruction_grid("grid.png", PICTURE, PICTURE[:, ::-1], found)
    assert contents == [(("relu1_1",), found[0][2].G, found[0][2].J_content)] and C is PICTURE
    assert styles == [(("relu1_1",), found[1][2].G, found[1][2].J_style)]


def test_a_layer_that_does_not_fit_is_refused_before_anything_is_painted(net):
    with pytest.raises(ShapeError, match="needs at least 8x8"):
        layer_views.reconstructions(net, PICTURE, PICTURE[:, :4], ["relu1_1", "relu4_1"])
    with pytest.raises(ShapeError, match="expected one layer"):
        layer_views.paint(net, ["relu1_1", "relu2_1"], PICTURE, "inversion", steps=1)
    with pytest.raises(ShapeError, match="expected one layer"):
        layer_views.paint(net, [], PICTURE, "texture", steps=1)


@pytest.mark.parametrize("layer, picture, view, says", [
    ("relu1_2", PICTURE, "texture", "did you mean"), ("relu1_1", PICTURE, "style", "expected one of 'inversion', 'texture'"),
    ("relu4_1", PICTURE[:, :4], "inversion", "needs at least 8x8")])
def test_what_there_is_not_is_refused(net, layer, picture, view, says):
    with pytest.raises(ShapeError, match=says):
        layer_views.paint(net, layer, picture, view, steps=1)


def test_a_layer_without_places_is_refused_by_its_shape():
    net = Network({"conv": Conv2D(3, 4), "relu": ReLU(), "flatten": Flatten(), "fc": Dense(4 * 24 * 32, 5)})
    with pytest.raises(ShapeError, match="'fc' has output .1, 5., without places"):
        layer_views.paint(net, "fc", PICTURE, "inversion", steps=1)
