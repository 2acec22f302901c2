"""J(G) and its gradient: the formula, several styles, regions, strips, and each term's own pull, down to every pixel."""

import numpy as np
import pytest

from scratchnet import gradcheck, models, style
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D
from scratchnet.network import Network
from scratchnet.strips import strips
from scratchnet.style_costs import CONTENT, content_cost, gram, layer_style_cost, total_variation
from scratchnet.total_cost import Style, TotalCost, balanced, left_over, shrunk, step_of
from tests.tiny_painting import NET, SETTINGS, C, S, network, picture


def assert_gradient(cost, G):
    """dJ/dG of a TotalCost, against differences at every pixel."""
    def f(G):
        step, dG = cost(G)
        return step.J, dG

    report = gradcheck.check(f, G, cost=lambda G: cost.step(G, 0).J)
    assert report.passed, report


# ---- J and its gradient --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("normalise", list(CONTENT))
def test_gradient_of_the_total_cost_at_every_pixel(normalise):
    C, S, G = [picture(seed, 8, n_W, np.float64) for seed, n_W in ((1, 9), (2, 12), (3, 9))]
    assert_gradient(style.TotalCost(network(), C, S, normalise=normalise, alpha=0.7, beta=2.0, tv=0.5, **SETTINGS), G)


def test_total_cost_is_the_lectures_formula():
    settings = dict(alpha=0.7, beta=2.0, tv=0.5, normalise="lecture")
    G = picture(3)
    step, _ = style.TotalCost(NET, C, S, **SETTINGS, **settings)(G)
    a_C, a_S, a_G = [NET.forward(x, until="relu3", keep=["relu1", "relu2", "relu3"])[0] for x in (C, S, G)]
    J_content = content_cost(a_C["relu2"], a_G["relu2"])[0]
    J_layer = {l: layer_style_cost(gram(a_S[l], positions=n), a_G[l])[0] for l, n in (("relu1", 72), ("relu3", 4))}
    assert step.J_content == pytest.approx(J_content, rel=1e-5) and step.per_layer == pytest.approx(J_layer, rel=1e-5)
    assert step.J_style == pytest.approx(0.4 * J_layer["relu1"] + 0.6 * J_layer["relu3"], rel=1e-5)
    assert step.J_tv == pytest.approx(total_variation(G)[0] / 72, rel=1e-5)
    assert step.J == pytest.approx(0.7 * step.J_content + 2.0 * step.J_style + 0.5 * step.J_tv, rel=1e-5)


def test_a_layer_may_count_for_content_and_style():
    cost = style.TotalCost(NET, C.astype(np.float64), S, content_layer="relu2", lam={"relu2": 1.0})
    assert_gradient(cost, picture(3, dtype=np.float64))


def test_the_costs_alone_are_those_that_come_with_the_gradient():
    cost = style.TotalCost(NET, C, S, **SETTINGS)
    with_gradient, alone = cost(picture(3), 5)[0], cost.step(picture(3), 5)
    assert (with_gradient.i, with_gradient.J, with_gradient.per_layer) == (alone.i, alone.J, alone.per_layer)


def test_nothing_runs_behind_the_deepest_layer_that_counts(monkeypatch):
    net = network()
    monkeypatch.setattr(net.layers["conv3"], "forward", lambda *args, **options: pytest.fail("conv3 was run"), raising=False)
    list(style.transfer(net, C, S, 1, content_layer="relu2", lam={"relu1": 1}))


# ---- borders -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("until, sides, left", [
    ("relu5_1", (256, 218), (0, 10)), ("relu5_1", (33, 47), (1, 15)), ("relu5_1", (256, 208), (0, 0)),
    ("relu4_1", (256, 218), (0, 2)), ("relu1_1", (33, 47), (0, 0))])
def test_i21_what_poolings_leave_over_is_what_changes_nothing_behind_them(until, sides, left):
    net = models.random_filters() if until != "relu5_1" else models.small_vgg()
    assert left_over(net, until, (1, *sides, 3)) == left
    rows, columns = net.summary((1, *sides, 3), until).rows[-1].shape[1:3]
    assert (rows * step_of(net, until) + left[0], columns * step_of(net, until) + left[1]) == sides


def test_i21_the_gradient_is_weaker_where_something_is_left_over():
    net, x = models.small_vgg(), np.random.default_rng(0).random((1, 64, 64 + 15, 3)).astype(np.float32)
    a, caches = net.forward(x, until="relu5_1", keep=["relu5_1"])
    dx, _ = net.backward({"relu5_1": np.ones_like(a["relu5_1"])}, caches)
    near, far = np.abs(dx[0, :, -4:]).sum(), np.abs(dx[0, :, :4]).sum()
    assert left_over(net, "relu5_1", x.shape) == (0, 15) and near < 0.3 * far


def test_i21_of_windows_that_overlap_nothing_is_said():
    net = models.alexnet()
    assert left_over(net, "relu4", (1, 225, 231, 3)) == (0, 0)


# ---- several styles, regions -------------------------------------------------------------------------------------------------

def C64():
    return picture(1, 8, 9, np.float64)


def styles64(mask=None):
    other = None if mask is None else 1 - mask
    return [Style(picture(2, 12, 7, np.float64), 3.0, mask), Style(picture(5, 9, 8, np.float64), 1.0, other)]


def one_pixel_filters():
    """So that no region sees into another."""
    return Network({"conv1": Conv2D(3, 4, f=1, rng=np.random.default_rng(0)), "relu1": ReLU()}).astype(np.float64)


def test_two_styles_weigh_as_told_and_only_ratios_count():
    G, (one, two) = picture(3, dtype=np.float64), styles64()
    cost = TotalCost(NET.astype(np.float64), C64(), [one, two], **SETTINGS)
    alone = [TotalCost(NET.astype(np.float64), C64(), one.picture, **SETTINGS).step(G, 0).J_style for one in (one, two)]
    assert cost.step(G, 0).J_style == pytest.approx(0.75 * alone[0] + 0.25 * alone[1], rel=1e-12)
    thrice = [Style(one.picture, 3 * one.weight) for one in (one, two)]
    assert TotalCost(NET.astype(np.float64), C64(), thrice, **SETTINGS).step(G, 0).J == pytest.approx(cost.step(G, 0).J, rel=1e-12)
    assert_gradient(cost, G)


@pytest.mark.parametrize("normalise", list(CONTENT))
def test_the_gradient_with_regions_is_right_at_every_pixel(normalise):
    mask = np.linspace(0, 1, 9)[None].repeat(8, axis=0)                # soft: every position belongs a little to both
    cost = TotalCost(network().astype(np.float64), C64(), styles64(mask), normalise=normalise, **SETTINGS)
    assert_gradient(cost, picture(3, dtype=np.float64))


def test_a_region_that_is_everything_is_no_region():
    G, S64 = picture(3, dtype=np.float64), picture(2, 12, 7, np.float64)
    net = NET.astype(np.float64)
    with_mask = TotalCost(net, C64(), [Style(S64, 1, np.ones((8, 9)))], **SETTINGS)(G)
    without = TotalCost(net, C64(), S64, **SETTINGS)(G)
    assert with_mask[0].J == pytest.approx(without[0].J, rel=1e-12) and np.allclose(with_mask[1], without[1], atol=1e-15)


def test_a_style_pulls_only_where_its_region_is():
    net = one_pixel_filters()
    left = np.zeros((8, 9))
    left[:, :4] = 1
    cost = TotalCost(net, C64(), [Style(styles64()[0].picture, 1, left)], content_layer="relu1", lam={"relu1": 1}, alpha=0)
    dG = cost(picture(3, dtype=np.float64))[1]
    assert dG[:, :, :4].any() and not dG[:, :, 4:].any()


def test_half_a_picture_pulls_in_its_half_as_it_would_as_a_whole_picture():
    """The share of a region is its area: the same force per pixel, whatever the size of the region."""
    net = one_pixel_filters()
    top, bottom = picture(3, 8, 9, np.float64), picture(4, 8, 9, np.float64)
    (one, two), mask = styles64(), np.repeat([[1.0], [0.0]], 8, axis=0) * np.ones(9)
    settings = dict(content_layer="relu1", lam={"relu1": 1}, alpha=0)
    both = np.concatenate([top, bottom], axis=1)
    dG = TotalCost(net, both, [Style(one.picture, 1, mask), Style(two.picture, 1, 1 - mask)], **settings)(both)[1]
    alone = TotalCost(net, top, one.picture, **settings)(top)[1]
    assert np.allclose(2 * dG[:, :8], alone, atol=1e-14)               # twice the pixels in all, so half as much for each


def test_masks_shrink_by_means_over_what_a_position_stands_for():
    mask = np.array([[1, 1, 0, 0, 1], [1, 0, 0, 0, 1]], float)
    assert shrunk(mask, 1, 2).tolist() == [[[[0.75], [0]]]]            # the fifth column fills no position
    assert shrunk(mask, 2, 5)[0, :, :, 0].tolist() == mask.tolist()


@pytest.mark.parametrize("S, words", [
    ([Style(S, -1)], "weights from 0 up"), ([Style(S, 0)], "weigh nothing"), ([Style(S), S], "list of Style"),
    ([Style(S, 1, np.zeros((8, 9)))], "weigh nothing"), ([Style(S, 1, np.ones((9, 8)))], r"expected \(8, 9\), the size of C"),
    ([Style(S, 1, np.full((8, 9), 2.0))], "from 0 to 1"), ([Style(S, 1, np.full((8, 9), np.nan))], "from 0 to 1")])
def test_styles_that_cannot_be_are_refused(S, words):
    with pytest.raises(ShapeError, match=words):
        TotalCost(NET, C, S, **SETTINGS)


def test_a_mask_too_small_for_a_layer_is_said():
    mask = np.zeros((9, 9))
    mask[8] = 1                                                        # the ninth row fills no position of relu3
    with pytest.raises(ShapeError, match="covers no position of relu2"):
        TotalCost(NET, picture(1, 9, 9), [Style(S, 1, mask), Style(S)], content_layer="relu1", lam={"relu2": 1})


# ---- each term's own pull ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tv", [0, 0.5])
def test_pulls_add_up_to_the_gradient_and_each_is_its_terms(tv):
    G = picture(3, dtype=np.float64)
    net, S64 = NET.astype(np.float64), picture(2, 12, 7, np.float64)
    cost = TotalCost(net, C64(), S64, alpha=0.7, beta=2, tv=tv, **SETTINGS)
    pulls = cost.pulls(G)
    assert list(pulls) == ["content", "relu1", "relu3"] + ["tv"] * bool(tv)
    assert np.allclose(sum(pulls.values()), cost(G)[1], atol=1e-15)
    only = TotalCost(net, C64(), S64, content_layer="relu2", lam={"relu1": 0, "relu3": 0.6}, alpha=0, beta=2)(G)[1]
    assert np.allclose(pulls["relu3"], only, atol=1e-15) and np.abs(only).max() > 0


def test_pulls_of_a_term_that_weighs_nothing_are_zero():
    pulls = TotalCost(NET, C, S, alpha=0, **SETTINGS).pulls(picture(3))
    assert not pulls["content"].any() and pulls["relu1"].any()


def test_balanced_layers_pull_equally_hard():
    G = picture(3, dtype=np.float64)
    net, S64 = NET.astype(np.float64), picture(2, 12, 7, np.float64)
    lam = balanced(TotalCost(net, C64(), S64, normalise="lecture", **SETTINGS), G)
    pulls = TotalCost(net, C64(), S64, normalise="lecture", content_layer="relu2", lam=lam).pulls(G)
    assert sum(lam.values()) == pytest.approx(1) and lam["relu1"] != pytest.approx(lam["relu3"], rel=0.1)
    assert np.linalg.norm(pulls["relu1"]) == pytest.approx(np.linalg.norm(pulls["relu3"]), rel=1e-9)


def test_nothing_to_balance_is_said():
    with pytest.raises(ShapeError, match="nothing to balance"):
        balanced(TotalCost(NET, C, C, **SETTINGS), C)


# ---- strips --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sides", [(64, 20), (71, 25), (40, 32)])
@pytest.mark.parametrize("rows", [8, 16, 24])
def test_in_strips_a_picture_costs_what_it_costs_as_a_whole(sides, rows):
    net = network().astype(np.float64)
    C, G, S = (picture(seed, *sides, dtype=np.float64) for seed in (1, 3, 2))
    mask = np.linspace(0, 1, sides[0])[:, None] * np.ones(sides[1])
    for S in (S, [Style(S, 1, mask), Style(C, 2, 1 - mask), Style(S[:, :30], 1)]):
        whole, in_strips = [TotalCost(net, C, S, tv=0.1, strip=strip, **SETTINGS) for strip in (None, rows)]
        (step, dG), (step_s, dG_s) = whole(G), in_strips(G)
        assert step_s.J == pytest.approx(step.J, rel=1e-12) and step_s.per_layer == pytest.approx(step.per_layer, rel=1e-12)
        assert np.abs(dG - dG_s).max() < 1e-12 * np.abs(dG).max()
        assert in_strips.step(G, 0).J == step_s.J


def test_strips_carry_only_the_margin_that_is_seen():
    """VGG to relu5_1: 156 pixels are seen, 16 a position, so 70 on either side, which five positions cover."""
    first, middle, *_, last = strips(models.vgg19(), "relu5_1", 1000, 128)
    assert (first.start, first.top, first.bottom, first.stop) == (0, 0, 128, 208)
    assert (middle.start, middle.top, middle.bottom, middle.stop) == (48, 128, 256, 336)
    assert (last.start, last.top, last.bottom, last.stop) == (816, 896, None, None)
    assert middle.own("relu5_1") == slice(5, 13) and middle.place("relu5_1") == slice(8, 16)


def test_strips_refuse_what_they_cannot_do():
    with pytest.raises(ShapeError, match="expected a multiple of 4, the rows that one position of relu3"):
        TotalCost(NET, picture(1, 30, 9), S, strip=6, **SETTINGS)
    with pytest.raises(ShapeError, match="networks like VGG"):
        TotalCost(models.alexnet(), picture(1, 227, 227), picture(1, 227, 227), "relu3", {"relu1": 1}, strip=32)
    assert strips(NET, "relu3", 30, 32)[0].whole
