"""What a unit sees: by hand, and against the pixels themselves, each changed in turn."""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from scratchnet import models, receptive_field
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import AvgPool2D, Conv2D, Dense, DepthwiseConv2D, Flatten, L2Pool2D, MaxPool2D, ZeroPad2D
from scratchnet.network import Branches, Network, Residual
from scratchnet.normalisation import Standardise
from scratchnet.receptive_field import Field, box, edges, table
from scratchnet.summary import Summary

SIDES = st.integers(1, 4)
PADS = st.one_of(st.just("same"), st.integers(0, 2))


def vgg_block():
    return {"conv1": Conv2D(3, 4), "relu1": ReLU(), "conv2": Conv2D(4, 4), "relu2": ReLU(), "pool": MaxPool2D(), "conv3": Conv2D(4, 4)}


@pytest.mark.parametrize("layer, i, j, expected", [
    ("conv1", 0, 0, (0, 0, 2, 2)), ("conv1", 3, 4, (2, 3, 5, 6)), ("relu1", 9, 11, (8, 10, 10, 12)),
    ("conv2", 3, 4, (1, 2, 6, 7)), ("pool", 1, 1, (0, 0, 6, 6)), ("pool", 2, 3, (2, 4, 8, 10)),
    ("conv3", 2, 2, (0, 0, 10, 10)), ("conv3", 0, 5, (0, 6, 6, 12)), ("conv3", 4, 0, (4, 0, 10, 6))])
def test_boxes_by_hand(layer, i, j, expected):
    assert box(vgg_block(), layer, i, j, (10, 12)) == expected


def test_the_table_by_hand():
    assert table(vgg_block()) == {"conv1": Field(3, 1, -1), "relu1": Field(3, 1, -1), "conv2": Field(5, 1, -2),
                                  "relu2": Field(5, 1, -2), "pool": Field(6, 2, -2), "conv3": Field(10, 2, -4)}


@pytest.mark.parametrize("layer, size, stride", [("conv1_1", 3, 1), ("conv2_1", 10, 2), ("conv3_4", 48, 4), ("conv4_2", 84, 8),
                                                 ("conv5_1", 156, 16), ("conv5_4", 252, 16)])
def test_the_fields_of_vgg19_are_the_published_ones(layer, size, stride):
    assert table(models.vgg19())[layer][:2] == (size, stride)


@pytest.mark.parametrize("model", [models.small_vgg, models.random_filters, models.alexnet])
def test_the_table_is_the_summary_s(model):
    net = model()
    fields = table(net)
    for row in Summary(net.layers, (1, 224, 224, 3)).rows:
        assert fields[row.layer][:2] == (row.receptive_field, row.stride)


def test_padding_of_a_deeper_layer_sees_nothing_though_the_pixel_is_there():
    """Row -1 of conv1's output would look at rows -2 to 0 of x: it is a zero that nobody computed."""
    net = {"conv1": Conv2D(3, 2, f=3, pad=1), "conv2": Conv2D(2, 2, f=1, pad=1)}
    assert box(net, "conv2", 1, 1, (8, 8)) == (0, 0, 2, 2)
    assert box(net, "conv2", 0, 4, (8, 8)) == (0, 0, 0, 0)


def test_gaps_between_strides_are_no_pixels_of_the_box():
    net = {"far": Conv2D(3, 2, f=1, stride=2, pad=1), "pair": Conv2D(2, 2, f=2, pad=0)}
    assert box(net, "pair", 0, 1, (9, 9)) == (1, 1, 2, 4)


def test_branches_see_what_any_of_them_sees_and_a_residual_its_own_pixel():
    branches = Branches({"one": {"conv": Conv2D(3, 2, f=1)}, "five": {"conv": Conv2D(3, 2, f=(5, 3))}, "even": {"conv": Conv2D(3, 2, f=2)}})
    assert box({"b": branches}, "b", 4, 4, (9, 9)) == (2, 3, 7, 6)
    residual = Residual({"up": Conv2D(3, 3, f=2, pad=1), "down": Conv2D(3, 3, f=2, pad=0)})
    assert box({"r": residual}, "r", 4, 4, (9, 9)) == (3, 3, 6, 6)


def test_a_dense_layer_sees_everything_that_its_map_sees():
    net = {"conv": Conv2D(3, 2, f=3, stride=3, pad=0), "flatten": Flatten(), "fc": Dense(18, 5), "relu": ReLU()}
    assert box(net, "relu", 0, 0, (11, 10)) == (0, 0, 9, 9)            # the last rows are in no window
    assert table(net, (11, 10))["fc"] == Field(11, 0, 0)


def test_zeros_around_are_no_pixels_and_a_picture_s_own_mean_is_seen_by_every_unit():
    layers = {"zeros": ZeroPad2D((2, 0, 1, 3)), "conv": Conv2D(3, 2, f=2, pad=0)}
    assert box(layers, "conv", 1, 0, (6, 7)) == (0, 0, 1, 1) and box(layers, "conv", 0, 4, (6, 7)) == (0, 0, 0, 0)
    assert table(layers)["conv"] == Field(2, 1, -2)
    assert box({"input": Standardise(), **layers}, "conv", 1, 0, (6, 7)) == (0, 0, 6, 7)


def test_many_boxes_at_once_are_the_boxes():
    net = models.random_filters()
    rows, columns = edges(net, "relu4_1", range(5), range(7), (40, 57))
    for i in range(5):
        for j in range(7):
            assert box(net, "relu4_1", i, j, (40, 57)) == (rows[i, 0], columns[j, 0], rows[i, 1], columns[j, 1])


@pytest.mark.parametrize("arguments, says", [
    (("conv1", 10, 0, (10, 12)), "10 rows; expected 0 to 9"), (("conv1", 0, -1, (10, 12)), "j = -1.*12 columns"),
    (("conv9", 0, 0, (10, 12)), "did you mean 'conv"), (("conv1", 0, 0, 10), r"expected \(n_H, n_W\)"),
    (("pool", 0, 0, (1, 12)), "does not fit")])
def test_what_there_is_not_is_refused(arguments, says):
    with pytest.raises(ShapeError, match=says):
        box(vgg_block(), *arguments)


# ------------------------------------------------------------------------------------------------ against the pixels


@st.composite
def layers(draw, pools, depth=3, nested=True):
    """A random row of layers on 2 channels, each with a picture that may be too small for it."""
    row = {}
    for n in range(draw(st.integers(1, depth))):
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "pool"] + ["branches", "residual", "zeros"] * nested))
        f, stride, pad = draw(st.tuples(SIDES, SIDES)), draw(st.integers(1, 3)), draw(PADS)
        if kind == "conv":
            row[f"conv{n}"], row[f"relu{n}"] = Conv2D(2, 2, f, stride, pad), ReLU()
        elif kind == "depthwise":
            row[f"depthwise{n}"] = DepthwiseConv2D(2, f, stride, pad)
        elif kind == "pool":
            row[f"pool{n}"] = draw(st.sampled_from(pools))(f, stride, pad if pad == "same" else min(pad, min(f) - 1))
        elif kind == "zeros":
            row[f"zeros{n}"] = ZeroPad2D(draw(st.tuples(*4 * [st.integers(0, 2)])))
        elif kind == "branches":
            near, far = draw(st.tuples(SIDES, SIDES))
            row[f"branches{n}"] = Branches({"one": {"c": Conv2D(2, 1, near, stride, "same")},
                                            "two": {"c": Conv2D(2, 1, f, 1, "same"), "d": Conv2D(1, 1, far, stride, "same")}})
        else:
            row[f"residual{n}"] = Residual({"c": Conv2D(2, 2, f, 1, "same"), "r": ReLU()})
    return row


def changed_by(net, n_H, n_W, rng, positive):
    """(n_H, n_W, rows, columns): whether changing that pixel changes that position, over all channels; float64."""
    net = Network(net)
    draw = (lambda shape: rng.uniform(0.5, 1, shape)) if positive else rng.standard_normal
    net = net.with_params({name: draw(p.shape) for name, p in net.params.items()})
    x = draw((1, n_H, n_W, 2))
    many = np.repeat(x, n_H * n_W, axis=0).reshape(n_H, n_W, n_H, n_W, 2)
    y, z = np.indices((n_H, n_W))
    many[y, z, y, z] += 1 if positive else rng.standard_normal((n_H, n_W, 2))
    a = net.forward(np.concatenate([x, many.reshape(-1, n_H, n_W, 2)]), keep=net.names[-1:])[0][net.names[-1]]
    return (np.abs(a[1:] - a[0]).max(axis=-1) > 1e-9 * np.abs(a[0]).max()).reshape(n_H, n_W, *a.shape[1:3])


def around(changed):
    """The smallest box around what is True."""
    if not changed.any():
        return 0, 0, 0, 0
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def fits(net, n_H, n_W):
    try:
        return Summary(net, (1, n_H, n_W, 2)).rows[-1].shape[1:3]
    except ShapeError:
        return None


@given(layers([MaxPool2D, AvgPool2D, L2Pool2D]), st.integers(1, 11), st.integers(1, 11), st.integers(0, 99))
@settings(max_examples=60)
def test_no_pixel_outside_the_box_ever_matters(net, n_H, n_W, seed):
    if not fits(net, n_H, n_W):
        return
    changed = changed_by(net, n_H, n_W, np.random.default_rng(seed), positive=False)
    for i in range(changed.shape[2]):
        for j in range(changed.shape[3]):
            top, left, bottom, right = box(net, list(net)[-1], i, j, (n_H, n_W))
            inside = np.zeros((n_H, n_W), bool)
            inside[top:bottom, left:right] = True
            assert not (changed[:, :, i, j] & ~inside).any()


@given(layers([AvgPool2D]), st.integers(1, 11), st.integers(1, 11), st.integers(0, 99))
@example({"far": Conv2D(2, 2, f=1, stride=2, pad=1), "pair": Conv2D(2, 2, f=2, pad=0)}, 9, 9, 0)
@settings(max_examples=60)
def test_each_border_row_and_column_of_the_box_holds_a_pixel_that_matters(net, n_H, n_W, seed):
    """Positive weights, inputs and average pooling: nothing cancels and no ReLU is dead, so the box is that around what changes."""
    if not fits(net, n_H, n_W):
        return
    changed = changed_by(net, n_H, n_W, np.random.default_rng(seed), positive=True)
    for i in range(changed.shape[2]):
        for j in range(changed.shape[3]):
            assert box(net, list(net)[-1], i, j, (n_H, n_W)) == around(changed[:, :, i, j])


@given(layers([AvgPool2D], nested=False), st.integers(0, 2))
@settings(max_examples=30)
def test_far_from_borders_the_box_is_what_the_table_says(net, away):
    n_H, n_W = 90, 96
    shape, field = fits(net, n_H, n_W), table(net, (n_H, n_W))[list(net)[-1]]
    i, j = shape[0] // 2 - away, shape[1] // 2
    top, _, bottom, _ = box(net, list(net)[-1], i, j, (n_H, n_W))
    if bottom == 0 or any(getattr(layer, "stride", 1) > max(getattr(layer, "window", (1,))) for layer in net.values()):
        return                                        # gaps: what the window spans is larger than what it sees
    start = field.offset + i * field.stride
    assert (top, bottom) == (max(0, start), min(n_H, start + field.size))


# ----------------------------------------------------------------------------------------------------------- measured


def test_the_measured_field_lies_in_the_box_and_is_the_filter_of_a_single_layer():
    net = Network({"conv": Conv2D(3, 2, rng=np.random.default_rng(0))}).astype(np.float64)
    E = receptive_field.measured(net, np.random.default_rng(1).random((1, 7, 8, 3)), "conv", 0, 5, unit=1)
    expected = np.zeros((7, 8))
    expected[:2, 4:7] = np.sqrt((net.params["conv.W"][1:, :, :, 1] ** 2).sum(axis=-1))
    np.testing.assert_allclose(E, expected, atol=1e-15)


def test_the_measured_field_is_strongest_in_the_middle_and_nothing_outside():
    net, rng = models.small_vgg(), np.random.default_rng(0)
    x = rng.random((1, 64, 80, 3), dtype=np.float32)
    before = x.copy()
    top, left, bottom, right = box(net, "relu3_1", 8, 10, (64, 80))
    E = sum(receptive_field.measured(net, x, "relu3_1", 8, 10, unit) for unit in range(24))
    assert E.dtype == np.float32 and np.array_equal(x, before)
    total, within = E.sum(), E[top:bottom, left:right]
    assert total > 0 and within.sum() > (1 - 1e-4) * total          # Winograd rounds within its tiles
    third = (bottom - top) // 3, (right - left) // 3
    assert within[third[0]:-third[0], third[1]:-third[1]].mean() > 2 * within.mean()


def test_a_unit_that_there_is_not_is_refused():
    with pytest.raises(ShapeError, match="4 channels; expected 0 to 3"):
        receptive_field.measured(vgg_block(), np.zeros((1, 8, 8, 3), np.float32), "conv1", 0, 0, unit=4)
