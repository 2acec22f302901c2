"""Pulls, a cell of a style matrix, reconstructions: what is drawn is what was given, and can be read."""

import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import NumericsError, ShapeError
from tests.figures import LAYERS, expect_readable, figure_of

rng = np.random.default_rng(3)
G = rng.uniform(.4, .6, (12, 16, 3))


def words_of(fig):
    return [text.get_text() for text in fig.texts]


def drawn(fig):
    return [np.asarray(image.get_array()) for image in fig.axes[0].images]


# ---- pull_sheet ---------------------------------------------------------------------------------------------------------------

def test_what_a_term_wants_lighter_is_light_and_the_picture_below_is_moved_there(monkeypatch):
    pull = np.zeros((12, 16, 3))
    pull[:6, :, 0], pull[6:, :, 2] = -2e-4, 1e-4                       # less of J: more red above, less blue below
    fig = figure_of(monkeypatch, lambda path: plots.pull_sheet(path, [(3, G[None], {"content": pull[None], "relu1_1": 0 * pull})]))
    picture, total, moved, content, _, nothing, still = drawn(fig)
    assert np.array_equal(picture, G) and np.array_equal(nothing, np.full_like(G, .5)) and np.array_equal(still, G)
    assert np.array_equal(total, content)
    assert np.allclose(total[:6], [1, .5, .5]) and np.allclose(total[6:], [.5, .5, .25])
    assert np.allclose(moved[:6, :, 0], G[:6, :, 0] + .3) and np.allclose(moved[6:, :, 2], G[6:, :, 2] - .15)
    words = words_of(fig)
    assert "G, step 3" in words and "pulls nowhere" in words and any("share 100.0 %" in text for text in words)
    assert "colours end at ±0.0002" in words


def test_shares_add_up_and_one_that_holds_against_is_below_zero(monkeypatch):
    one, other = np.zeros((2, 12, 16, 3))
    one[..., 0], other[..., 0], other[..., 1] = 3e-3, -1e-3, 0
    fig = figure_of(monkeypatch, lambda path: plots.pull_sheet(path, [(None, G, {"content": one, "relu1_1": other})]))
    shares = [text.split("share ")[1].split(" %")[0] for text in words_of(fig) if text.startswith("share ")]
    assert shares == ["150.0", "−50.0"] and "G" in words_of(fig)


def test_own_scales_show_a_weak_term_and_one_scale_together_shows_that_it_is_weak(monkeypatch):
    strong, weak = rng.normal(size=(2, 12, 16, 3)) * np.array([1, 1e-3]).reshape(2, 1, 1, 1)
    stages = [(0, G, {"content": strong, "relu1_1": weak})]
    own = drawn(figure_of(monkeypatch, lambda path: plots.pull_sheet(path, stages)))[5]
    together = drawn(figure_of(monkeypatch, lambda path: plots.pull_sheet(path, stages, together=True)))[5]
    assert np.std(own) > .15 and np.std(together) < .001


@pytest.mark.parametrize("shape, stages, layers", [((12, 16), 1, 5), ((40, 10), 3, 5), ((9, 9), 2, 1), ((10, 60), 4, 5)])
def test_sheets_of_pulls_of_any_shape_can_be_read(monkeypatch, shape, stages, layers):
    G = rng.random((*shape, 3))
    terms = {term: rng.normal(scale=1e-5, size=(*shape, 3)) for term in ("content", *LAYERS[:layers], "tv")}
    names = {"content": "content, relu4_2", "tv": "total variation"}
    fig = figure_of(monkeypatch, lambda path: plots.pull_sheet(path, [(1000 * i, G, terms) for i in range(stages)], names))
    assert len(drawn(fig)) == stages * (1 + 2 * (3 + layers)) and max(fig.bbox.size) <= 2000
    expect_readable(fig)


@pytest.mark.parametrize("stages, error, says", [
    ([], ShapeError, "0 stages"), ([(0, G, {})], ShapeError, "no terms"), ([(0, G, {"tv": G[1:]})], ShapeError, "the gradient of 'tv'"),
    ([(0, G, {"tv": G}), (1, G, {"content": G})], ShapeError, "the same terms"),
    ([(0, G, {"tv": np.full(G.shape, np.nan)})], NumericsError, "'tv'")])
def test_pulls_that_do_not_fit_are_refused(stages, error, says):
    with pytest.raises(error, match=says):
        plots.pull_sheet("unused.png", stages)


# ---- gram_cell ----------------------------------------------------------------------------------------------------------------

def cell(path, picture=G, maps=None, boxes=((0, 0, 4, 4), (4, 8, 8, 12)), facts=("One fact.", "Another, " + 40 * "long "), **looks):
    maps = np.abs(rng.normal(size=(3, 6, 8))) if maps is None else maps
    found = [[(box, 3. - n) for n, box in enumerate(boxes)]] * 3
    return plots.gram_cell(path, "relu2_1", (7, 112), picture, maps, found, 42.5, facts, **looks)


def test_a_cell_shows_both_maps_their_product_and_the_patches_that_the_boxes_hold(monkeypatch):
    maps = np.abs(rng.normal(size=(3, 6, 8)))
    fig = figure_of(monkeypatch, lambda path: cell(path, maps=maps))
    picture, *images = drawn(fig)
    assert np.array_equal(picture, G)
    for n in range(3):
        map, first, second = images[3 * n:3 * n + 3]
        assert np.array_equal(map, maps[n]) and np.array_equal(first, G[:4, :4]) and np.array_equal(second, G[4:8, 8:12])
        assert fig.axes[0].images[1 + 3 * n].norm.vmax == maps[n].max()
    words = words_of(fig)
    assert words[0] == "relu2_1: where channels 7 and 112 go together" and "= 42.5," in words[1] and "k = 7,  k' = 112" in words[1]
    assert any(text.startswith("One fact.\n\nAnother") for text in words)
    expect_readable(fig)


@pytest.mark.parametrize("shape", [(10, 60), (60, 10), (7, 7)])
@pytest.mark.parametrize("boxes", [[], [(0, 0, 3, 3)], [(i, j, i + 2, j + 2) for i in (0, 2, 4) for j in (0, 2, 4)]])
def test_cells_of_any_shape_can_be_read_also_where_both_are_never_active(monkeypatch, shape, boxes):
    fig = figure_of(monkeypatch, lambda path: cell(path, rng.random((*shape, 3)), np.zeros((3, 4, 4)) if not boxes else None, boxes))
    assert len(drawn(fig)) == 4 + 3 * len(boxes) and ("active nowhere" in words_of(fig)) == (not boxes)
    expect_readable(fig)


@pytest.mark.parametrize("maps, boxes, says", [
    (np.ones((2, 4, 4)), [], "2 maps"), ([np.ones((4, 4)), np.ones((4, 4)), np.ones((5, 4))], [], "of one layer"),
    (-np.ones((3, 4, 4)), [], "below 0"), (np.ones((3, 4, 4)), [(0, 0, 99, 99)], "a box")])
def test_cells_that_do_not_fit_are_refused(maps, boxes, says):
    with pytest.raises(ShapeError, match=says):
        cell("unused.png", maps=maps, boxes=boxes)


# ---- reconstruction_grid -------------------------------------------------------------------------------------------------------

def test_content_stands_above_style_in_the_order_of_the_layers(monkeypatch):
    C, S, one, two = rng.random((4, 12, 16, 3))
    three = rng.random((12, 16, 3))
    fig = figure_of(monkeypatch, lambda path: plots.reconstruction_grid(
        path, C[None], S, [("relu1_1", one, .5), (("relu2_1",), two, .25)], [(("relu1_1", "relu2_1"), three, 1e-7)]))
    assert all(np.array_equal(image, given) for image, given in zip(drawn(fig), (C, one, two, S, three), strict=True))
    tops = [image.get_extent()[3] for image in fig.axes[0].images]
    assert tops[0] == tops[1] == tops[2] < tops[3] == tops[4]
    words = words_of(fig)
    assert words[2:] == ["content, C", "", "relu1_1", "J_content = 0.5", "relu2_1", "J_content = 0.25",
                         "style, S", "", "relu1_1 … relu2_1", "J_style = 1e−7"]
    expect_readable(fig)


@pytest.mark.parametrize("of_C, of_S, n", [((12, 16), (16, 12), 5), ((40, 10), (10, 40), 2), ((9, 9), (9, 9), 16)])
def test_grids_of_any_shape_can_be_read(monkeypatch, of_C, of_S, n):
    C, S = rng.random((*of_C, 3)), rng.random((*of_S, 3))
    layers = [f"relu{k}_1" for k in range(n)]
    fig = figure_of(monkeypatch, lambda path: plots.reconstruction_grid(
        path, C, S, [(l, C, 1.) for l in layers], [(layers[:k + 1], S, 1.) for k in range(n)], side=64 if n > 9 else 256))
    assert len(drawn(fig)) == 2 * (n + 1)
    expect_readable(fig)


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="nothing painted from S"):
        plots.reconstruction_grid("unused.png", G, G, [("relu1_1", G, 1)], [])
    with pytest.raises(ShapeError, match="row of C"):
        plots.reconstruction_grid("unused.png", G, G, [("relu1_1", G[1:], 1)], [("relu1_1", G, 1)])
    with pytest.raises(NumericsError, match="J_style"):
        plots.reconstruction_grid("unused.png", G, G, [("relu1_1", G, 1)], [("relu1_1", G, np.inf)])
