"""Inside style transfer: the pulls that are drawn are the cost's, and a style matrix's number is the sum of what is shown."""

import numpy as np
import pytest

from scratchnet import datasets, models, plots, style_views
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D, Dense, Flatten
from scratchnet.network import Network
from scratchnet.receptive_field import box
from scratchnet.style_costs import gram
from scratchnet.total_cost import Step, TotalCost
from tests.figures import read

rng = np.random.default_rng(5)
S, C = datasets.striped_patches(32, 40, side=8), datasets.striped_patches(32, 40, together=False, side=8)
G = rng.random((1, 32, 40, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    return models.random_filters(channels=(6, 5, 4, 4)).freeze()


@pytest.fixture
def drawn(monkeypatch):
    """What a figure is given instead of being drawn."""
    given = {}
    for name in ("pull_sheet", "gram_cell"):
        monkeypatch.setattr(plots, name, lambda path, *what, name=name, **looks: given.update({name: (*what, looks)}) or path)
    return given


def activations(net, layer, picture):
    return net.forward(picture, keep=[layer])[0][layer]


# ---- what each term wants ------------------------------------------------------------------------------------------------------

def test_the_sheet_is_given_the_pulls_of_every_step_and_they_add_up_to_the_gradient(net, drawn):
    cost = TotalCost(net, C, S, content_layer="relu2_1", lam={"relu1_1": .5, "relu3_1": .5}, tv=.1)
    steps = [Step(i, x, 0, 0, 0, {}) for i, x in ((0, C), (7, G))]
    assert style_views.gradient_sheet("pulls.png", cost, steps, together=True) == "pulls.png"
    stages, names, looks = drawn["pull_sheet"]
    assert looks == {"together": True} and names["content"] == "content, relu2_1"
    for (i, x, pulls), step in zip(stages, steps):
        assert i == step.i and x is step.G and list(pulls) == ["content", "relu1_1", "relu3_1", "tv"]
        assert np.allclose(sum(pulls.values()), cost(x)[1], atol=1e-5 * abs(cost(x)[1]).max())
    assert not stages[0][2]["content"].any()                                            # C is content with itself


def test_one_term_alone_is_what_the_cost_with_the_others_at_zero_says(net, drawn):
    lam = {"relu1_1": .5, "relu3_1": .5}
    style_views.gradient_sheet("pulls.png", TotalCost(net, C, S, content_layer="relu2_1", lam=lam, tv=.1), [Step(0, G, 0, 0, 0, {})])
    pulls = drawn["pull_sheet"][0][0][2]
    alone = {"content": dict(beta=0), "relu3_1": dict(alpha=0, lam={**lam, "relu1_1": 0}), "tv": dict(alpha=0, beta=0, tv=.1)}
    for term, settings in alone.items():
        dG = TotalCost(net, C, S, content_layer="relu2_1", **{"lam": lam, "tv": 0, **settings})(G)[1]
        assert np.abs(pulls[term]).max() > 0 and np.allclose(pulls[term], dG, atol=1e-5 * np.abs(dG).max())


# ---- one number of a style matrix ---------------------------------------------------------------------------------------------

def test_the_cell_s_number_is_the_sum_of_the_product_and_its_patches_are_where_that_is_largest(net, drawn):
    assert style_views.gram_cell("cell.png", net, S, "relu2_1", 1, 3, against=C, n=4) == "cell.png"
    layer, channels, picture, maps, found, G_kk, facts, _ = drawn["gram_cell"]
    a, theirs = activations(net, "relu2_1", S), activations(net, "relu2_1", C)
    assert (layer, channels) == ("relu2_1", (1, 3)) and np.array_equal(picture, S)
    assert G_kk == pytest.approx(gram(a)[1, 3], rel=1e-5) and maps[2].sum() == pytest.approx(G_kk)
    for map, own, by_hand in zip(maps, found, (a[0, ..., 1], a[0, ..., 3], a[0, ..., 1] * a[0, ..., 3])):
        assert np.allclose(map, by_hand) and own[0][1] == pytest.approx(by_hand.max())
        assert own[0][0] == box(net, "relu2_1", *np.unravel_index(map.argmax(), map.shape), S.shape[1:3])
        assert [value for _, value in own] == sorted((value for _, value in own), reverse=True)
    for a, said in ((a, facts[0]), (theirs, facts[1])):
        G = gram(a).astype(float)
        assert f" {G[1, 3] / np.sqrt(G[1, 1] * G[3, 3]):.2f}." in said
    assert f"The 4 strongest places, boxed, hold {sum(value for _, value in found[2]) / G_kk:.3f} of" in facts[2]


def test_patches_do_not_overlap_and_no_free_place_is_stronger_than_one_taken(net):
    map = rng.random((16, 20)) * (rng.random((16, 20)) < .6)
    found = style_views.strongest_places(net, "relu2_1", map, (32, 40), n=5)
    assert len(found) == 5
    boxes = {(i, j): box(net, "relu2_1", i, j, (32, 40)) for i, j in np.ndindex(map.shape)}
    taken = []
    for (own, value) in found:                                          # the greedy rule, by looking at every place
        free = {place: map[place] for place, b in boxes.items() if not any(overlap(b, other) for other in taken)}
        best = max(free, key=free.get)
        assert value == free[best] > 0 and own == boxes[best]
        taken.append(own)


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_map_of_zeros_has_no_places_and_a_silent_pair_a_sheet_all_the_same(net, tmp_path):
    assert style_views.strongest_places(net, "relu1_1", np.zeros((32, 40)), (32, 40)) == []
    silent = net.with_params({**net.params, "conv1_1.b": net.params["conv1_1.b"] - 99 * (np.arange(6) == 2)}, frozen=True)
    path = style_views.gram_cell(tmp_path / "cell.png", silent, S, "relu1_1", 2, 0)
    assert (read(path) < .9).any()


def test_half_of_a_sum_by_hand():
    assert style_views.half_of(np.array([[1, 5], [3, 2]])) == 2 and style_views.half_of(np.array([4, 4, 4])) == 2
    assert style_views.half_of(np.array([9, 1, 1])) == 1


def planted(together):
    """Activations of four channels, each active at half of the places: 0 and 1 twins always; 2 and 3 together, or never."""
    there, anywhere = (np.random.default_rng(seed).permutation(36).reshape(6, 6) % 2 == 0 for seed in (0, 1))
    return np.stack([anywhere, anywhere, there, there if together else ~there], axis=-1)[None].astype(np.float32)


def test_the_pair_that_tells_is_the_one_that_goes_together_in_s_and_not_in_c(net, monkeypatch):
    monkeypatch.setattr(style_views, "_activations", lambda net, layer, picture: planted(np.array_equal(picture, S)))
    assert style_views.telling_pairs(net, "relu1_1", S, C, n=1) == [(2, 3)]
    assert style_views.telling_pairs(net, "relu1_1", S, n=1) == [(0, 1)]              # twins, where nothing is compared
    assert style_views.telling_pairs(net, "relu1_1", S, C) == [(2, 3), (0, 1)]         # no channel twice, and then there are no more


def test_silent_and_weak_channels_are_in_no_pair(net, monkeypatch):
    a = planted(True) * [1, 1e-6, 1, 0]
    monkeypatch.setattr(style_views, "_activations", lambda net, layer, picture: a)
    assert style_views.telling_pairs(net, "relu1_1", S) == [(0, 2)]
    monkeypatch.setattr(style_views, "_activations", lambda net, layer, picture: 0 * a)
    assert style_views.telling_pairs(net, "relu1_1", S) == []


def test_the_lecture_s_stripes_and_orange_are_told_by_the_network_that_ships(tmp_path):
    """In one picture what is striped is orange and what is plain is blue, in the other never: the pair tells one of these two kinds."""
    net = models.small_vgg().freeze(until="relu3_1")
    one, other = (datasets.striped_patches(96, 128, together) for together in (True, False))
    (k, k2), = style_views.telling_pairs(net, "relu3_1", one, other, n=1)
    orange = (one[0, ..., 0] > one[0, ..., 2]).reshape(24, 4, 32, 4).mean(axis=(1, 3))
    both = activations(net, "relu3_1", one)[0][..., [k, k2]].prod(axis=-1)
    weak, strong = sorted([both[orange == 1].mean(), both[orange == 0].mean()])
    assert strong > 10 * weak
    assert (read(style_views.gram_cell(tmp_path / "cell.png", net, one, "relu3_1", k, k2, other)) < .9).any()


@pytest.mark.parametrize("layer, k, k2, says", [
    ("relu1_2", 0, 1, "did you mean"), ("relu1_1", 0, 6, "it has 6; give two from 0 to 5"), ("relu1_1", -1, 2, "channel -1"),
    ("conv1_1", 0, 1, "below 0")])
def test_what_there_is_not_is_refused(net, layer, k, k2, says):
    with pytest.raises(ShapeError, match=says):
        style_views.gram_cell("unused.png", net, S, layer, k, k2)


def test_the_files_are_the_matrices_of_both_pictures_for_as_many_places_and_the_cells(net, monkeypatch, tmp_path):
    heat, cells = [], []
    monkeypatch.setattr(plots, "gram_heatmap", lambda path, *what, **looks: heat.extend(what) or path)
    monkeypatch.setattr(plots, "gram_cell", lambda path, *what, **looks: cells.append(what) or path)
    small = np.ascontiguousarray(G[:, :16])
    beyond = np.where(small == small.max(), np.float32(1.4), small)                      # L-BFGS goes there
    small[small == small.max()] = 1
    paths = style_views.gram_files(tmp_path, net, "relu2_1", C, S, beyond, [(1, 3), (0, 2)])
    assert [path.name for path in paths] == ["gram_relu2_1.png", "gram_relu2_1_1_3.png", "gram_relu2_1_0_2.png"]
    assert np.allclose(heat[0], gram(activations(net, "relu2_1", S)) / 2) and np.allclose(heat[1], gram(activations(net, "relu2_1", small)))
    assert [channels for _, channels, *_ in cells] == [(1, 3), (0, 2)]
    found = style_views.gram_files(tmp_path, net, "relu2_1", C, S, small, n=1)
    assert len(found) == 2 and cells[-1][1] == style_views.telling_pairs(net, "relu2_1", S, C, 1)[0]
    heat.clear()
    with pytest.raises(ShapeError, match="channel 5"):
        style_views.gram_files(tmp_path, net, "relu2_1", C, S, small, [(1, 3), (0, 5)])
    assert not heat


def test_layers_without_places_and_pictures_too_small_are_refused(net):
    flat = Network({"conv": Conv2D(3, 4), "relu": ReLU(), "flatten": Flatten(), "fc": Dense(4 * 32 * 40, 5)})
    with pytest.raises(ShapeError, match="without places"):
        style_views.telling_pairs(flat, "fc", S)
    with pytest.raises(ShapeError, match="needs at least 8x8"):
        style_views.telling_pairs(net, "relu4_1", S[:, :4])


def test_pictures_stay_as_they_are(net, drawn):
    copies = S.copy(), C.copy()
    style_views.gram_cell("cell.png", net, S, "relu1_1", 0, 1, against=C)
    style_views.telling_pairs(net, "relu1_1", S, C)
    assert np.array_equal(S, copies[0]) and np.array_equal(C, copies[1])
