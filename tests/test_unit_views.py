"""From a search to its pictures: every patch from its own place, partners by the sum, pictures opened no more often than needed."""

import numpy as np
import pytest

from scratchnet import attribution, models, plots, unit_views
from scratchnet.activations import ReLU
from scratchnet.layers import Conv2D, Dense, Flatten
from scratchnet.models import alexnet, random_filters
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.strongest import strongest
from tests.figures import read

rng = np.random.default_rng(3)
PICTURES = {f"picture {n}": rng.random((1, *rng.integers(24, 40, 2), 3)).astype(np.float32) for n in range(12)}


@pytest.fixture(scope="module")
def net():
    return random_filters(channels=(6, 5, 4, 4)).freeze()


@pytest.fixture(scope="module")
def found(net):
    return strongest(net, PICTURES.items(), ["relu1_1", "relu3_1"])


def test_patches_are_what_the_boxes_hold_and_each_picture_is_opened_once(found):
    opened = []
    wanted = [(found["relu1_1"], 2), (found["relu3_1"], 1), (found["relu3_1"], 3)]
    cut = unit_views.patches(wanted, lambda name: opened.append(name) or PICTURES[name])
    assert len(opened) == len(set(opened))
    for (best, unit), own in zip(wanted, cut):
        places = [place for place in best.patches(unit) if place["value"] > 0]
        assert [value for _, value in own] == [place["value"] for place in places]
        for (patch, _), place in zip(own, places):
            top, left, bottom, right = place["box"]
            assert np.array_equal(patch, PICTURES[place["picture"]][0, top:bottom, left:right])


def test_silent_units_have_no_patches_and_are_not_among_a_spread(net):
    silent = net.with_params({**net.params, "conv1_1.b": net.params["conv1_1.b"] - 99 * (np.arange(6) == 2)}, frozen=True)
    best = strongest(silent, PICTURES.items(), "relu1_1")
    assert unit_views.patches([(best, 2)], PICTURES.get) == [[]]
    assert unit_views.spread(best) == [0, 1, 3, 4, 5] and unit_views.spread(best, 3) == [0, 3, 5]


def test_partners_are_the_largest_of_the_unit_s_row_summed_by_hand(net):
    pictures = list(PICTURES.values())[:3]
    row = np.zeros(6)
    for picture in pictures:
        a = net.forward(picture, keep=["relu1_1"])[0]["relu1_1"][0].astype(float)
        for i, j in np.ndindex(*a.shape[:2]):
            row += a[i, j, 2] * a[i, j]
    others = [k for k in np.argsort(-row) if k != 2 and row[k] > 0][:3]
    assert [k for k, _ in unit_views.partners(net, "relu1_1", 2, pictures)] == others
    assert [G for _, G in unit_views.partners(net, "relu1_1", 2, pictures)] == pytest.approx(row[others], rel=1e-5)


def test_the_sheet_is_given_the_ways_back_from_the_places_that_were_found(net, found, monkeypatch):
    given = []
    monkeypatch.setattr(plots, "unit_sheet", lambda path, *what: given.extend(what) or path)
    assert unit_views.unit_sheet("unit.png", net, found["relu3_1"], 1, PICTURES.get, steps=2, seed=4) == "unit.png"
    layer, unit, pictures, boxes, values, backs, driven, others, W = given
    places = found["relu3_1"].patches(1)
    assert (layer, unit, values[0], boxes[0], W) == ("relu3_1", 1, places[0]["value"], places[0]["box"], None)
    assert set(backs) == set(attribution.RULES)
    top, left, bottom, right = boxes[0]
    for maps in backs.values():
        assert maps[0].shape == pictures[0].shape and maps[0].any()
        outside = maps[0].copy()
        outside[:, top:bottom, left:right] = 0
        assert not outside.any()                                        # a way back from its place stays inside its box
    assert driven.shape[0] == 1 and all(k != 1 for k, _, _ in others)


def test_a_dense_layer_has_no_places_and_a_sheet_all_the_same(monkeypatch):
    net = Network({"conv": Conv2D(3, 4), "relu": ReLU(), "flatten": Flatten(), "fc": Dense(4 * 8 * 8, 5)})
    pictures = {n: rng.random((1, 8, 8, 3)).astype(np.float32) for n in range(9)}
    best = strongest(net, pictures.items(), "fc")
    given, k = [], int(best.value[:, 0].argmax())
    monkeypatch.setattr(plots, "unit_sheet", lambda path, *what: given.extend(what))
    unit_views.unit_sheet("unit.png", net, best, k, pictures.get, steps=0)
    assert given[3][0] == [0, 0, 8, 8] and given[6] is None and given[5]["gradient"][0].all()


def test_the_filter_is_shown_for_the_first_layer_in_the_picture_s_colours():
    net = models.vgg19().freeze(until="relu1_2")
    W = net.params["conv1_1.W"][..., 7]                                 # for pictures in BGR, as VGG-19's weights are
    for layer in ("conv1_1", "relu1_1"):
        assert np.array_equal(unit_views.first_filter(net, layer, 7), W[:, :, ::-1])
    assert unit_views.first_filter(net, "relu1_2", 7) is None
    net.layers["input"] = Preprocess(order="RGB")
    assert np.array_equal(unit_views.first_filter(net, "relu1_1", 7), W)


def test_the_page_of_alexnet_s_five_layers_as_on_the_slide(tmp_path):
    """With random weights: the numbers are torchvision's file's business, the layers and their fields are ours."""
    net = alexnet().freeze(until="relu5")
    layers, said = [f"relu{n}" for n in range(1, 6)], []
    pictures = {name: np.tile(picture, (1, 3, 3, 1)) for name, picture in PICTURES.items()}
    found = strongest(net, pictures.items(), layers)
    path = unit_views.layer_page(tmp_path / "page.png", net, found, lambda name: said.append(name) or pictures[name], {"relu1": [4, 2, 9]})
    assert (read(path) < .9).any() and len(said) <= len(pictures)


def test_the_page_names_each_layer_s_field_and_draws_the_units_asked_for(net, found, monkeypatch):
    given = []
    monkeypatch.setattr(plots, "layer_page", lambda path, layers, **looks: given.append((layers, looks)))
    unit_views.layer_page("page.png", net, found, PICTURES.get, {"relu1_1": [4, 2]}, side=20)
    (first, second), looks = given[0]
    assert looks == {"side": 20} and first[0] == "relu1_1" and first[1] == 3 and [k for k, _ in first[2]] == [4, 2]
    assert second[0] == "relu3_1" and [k for k, _ in second[2]] == unit_views.spread(found["relu3_1"])
