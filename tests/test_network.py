"""A row of named layers: what forward keeps, where gradients may be poured in, copies, files, and the table."""

import os

import numpy as np
import pytest

from scratchnet import gradcheck, models
from scratchnet.activations import ReLU, Softmax
from scratchnet.errors import NumericsError, ShapeError, WeightsError
from scratchnet.layers import AvgPool2D, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, L2Pool2D, MaxPool2D
from scratchnet.network import Branches, Network, Residual
from scratchnet.normalisation import BatchNorm, L2Normalise, Preprocess


def small(rng=0):
    """Preprocessing, convolutions, a pooling and a batch normalisation: the parts of a style network, tiny."""
    rng = np.random.default_rng(rng)
    return Network({
        "input": Preprocess(order="BGR", scale=4.0, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 1.0)),
        "conv1": Conv2D(3, 4, rng=rng), "relu1": ReLU(), "pool1": MaxPool2D(),
        "conv2": Conv2D(4, 3, rng=rng), "bn2": BatchNorm(3), "relu2": ReLU(),
    })


def everything():
    """One layer of each kind, blocks included, down to classes."""
    return Network({
        "input": Preprocess(), "conv1": Conv2D(3, 4, f=(3, 2), stride=2, pad=1), "relu1": ReLU(), "drop": Dropout(0.5),
        "block": Branches({"one": {"conv": Conv2D(4, 2, f=1)}, "two": {"deep": DepthwiseConv2D(4), "conv": Conv2D(4, 3)}}),
        "res": Residual({"conv": Conv2D(5, 5), "bn": BatchNorm(5), "relu": ReLU()}), "pool1": L2Pool2D(), "pool2": AvgPool2D(2, 1, "same"),
        "flat": Flatten(), "dense": Dense(5 * 2 * 4, 6), "unit": L2Normalise(), "classes": Softmax(),
    })


def pictures(m=2, n_H=8, n_W=6, dtype=np.float64):
    return np.random.default_rng(1).random((m, n_H, n_W, 3)).astype(dtype)


def gradients_at(a, seed=2):
    """A random dJ/da for each activation."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(array.shape).astype(array.dtype) for name, array in a.items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


# ---- forward and backward ------------------------------------------------------------------------------------------------

def test_without_keep_come_the_outputs_of_relu_pooling_and_dense_layers():
    assert list(small().forward(pictures())[0]) == ["relu1", "pool1", "relu2"]


def test_keep_gives_what_is_named_and_nothing_else():
    a, caches = small().forward(pictures(), keep=["conv1", "relu2"])
    assert list(a) == ["conv1", "relu2"] and list(caches) == small().names
    assert a["conv1"].min() < 0                                        # z, before the ReLU
    assert small().forward(pictures(), keep=[])[0] == {}


def test_keep_may_be_any_iterable():
    assert list(small().forward(pictures(), keep=(name for name in ["relu1"]))[0]) == ["relu1"]


def test_until_runs_no_further_and_gives_its_layer(monkeypatch):
    net = small()
    monkeypatch.setattr(type(net.layers["bn2"]), "forward", lambda *args, **options: pytest.fail("bn2 was run"))
    a, caches = net.forward(pictures(), until="conv2")
    assert list(a) == ["relu1", "pool1", "conv2"] and list(caches)[-1] == "conv2"


def test_forward_is_its_layers_one_after_the_other():
    net, x = small(), pictures()
    a, _ = net.forward(x, keep=net.names)
    for name, layer in net.layers.items():
        x = layer.forward(x)[0]
        assert np.array_equal(a[name], x), name


def test_gradients_poured_in_at_several_layers_add_up():
    net, x = small(), pictures()
    a, caches = net.forward(x, keep=["relu1", "pool1", "relu2"])
    da = gradients_at(a)
    dx, grads = net.backward(da, caches)
    alone = [net.backward({name: da[name]}, caches) for name in da]
    assert np.allclose(dx, sum(dx_l for dx_l, _ in alone), rtol=1e-12)
    for key in grads:
        assert np.allclose(grads[key], sum(grads_l.get(key, 0) for _, grads_l in alone), rtol=1e-12, atol=1e-15), key


@pytest.mark.parametrize("net, at", [(small(), ["relu1", "conv2", "relu2"]), (everything(), ["relu1", "res", "classes"])],
                         ids=["small", "everything"])
def test_gradients_of_the_whole_chain_to_the_pixels(net, at):
    report = gradcheck.check_network(net, pictures(n_H=9, n_W=15), layers=at)
    assert report.passed, report


def test_gradients_behind_the_deepest_layer_are_not_there():
    net = small()
    a, caches = net.forward(pictures())
    _, grads = net.backward({"relu1": a["relu1"], "pool1": a["pool1"]}, caches)
    assert set(grads) == {"conv1.W", "conv1.b"}


def test_without_params_dx_is_the_same_and_grads_are_empty():
    net, x = small(), pictures()
    a, full = net.forward(x)
    dx, _ = net.backward(gradients_at(a), full)
    dx_too, grads = net.backward(gradients_at(a), net.forward(x, params=False)[1])
    assert np.array_equal(dx, dx_too) and grads == {}


def test_backward_leaves_the_gradients_given_alone():
    net = small()
    a, caches = net.forward(pictures())
    da = gradients_at(a)
    net.backward(da, caches)
    assert all(np.array_equal(da[name], again) for name, again in gradients_at(a).items())


def test_a_gradient_of_another_shape_is_refused_not_broadcast():
    net = small()
    a, caches = net.forward(pictures())
    with pytest.raises(ShapeError, match="relu1"):
        net.backward({"relu1": np.ones((1, 1, 1, 4)), "relu2": a["relu2"]}, caches)


def test_a_gradient_may_be_made_when_the_way_back_has_come_there():
    net, made = small(), []
    a, caches = net.forward(pictures(), keep=["relu1", "relu2"])
    da = gradients_at(a)
    dx, grads = net.backward({name: lambda name=name: made.append(name) or da[name] for name in da}, caches)
    expected, expected_grads = net.backward(da, caches)
    assert made == ["relu2", "relu1"]                  # the deeper one first, each once
    assert np.array_equal(dx, expected) and all(np.array_equal(grads[name], g) for name, g in expected_grads.items())


@pytest.mark.parametrize("first", ["conv1", "input"], ids=["a convolution first", "a batch normalisation first"])
def test_in_training_nobody_needs_the_way_to_the_pixels(monkeypatch, first):
    net = small() if first == "conv1" else Network({"bn": BatchNorm(3), **small().layers})
    a, caches = net.forward(pictures())
    expected_dx, expected = net.backward(gradients_at(a), caches)
    if first == "conv1":
        monkeypatch.setattr(net.layers["conv1"], "backward", lambda *given: pytest.fail("da_prev of the first layer was worked out"))
    dx, grads = net.backward(gradients_at(a), caches, to_x=False)
    assert expected_dx is not None and dx is None
    assert list(grads) == list(expected) and grads.keys() == net.params.keys()
    assert all(np.array_equal(grads[name], g) for name, g in expected.items())


def test_caches_are_let_go_one_by_one_when_asked():
    net = small()
    a, caches = net.forward(pictures())
    expected = net.backward(gradients_at(a), caches)[0]
    assert list(caches) == net.names
    assert np.array_equal(net.backward(gradients_at(a), caches, release=True)[0], expected) and caches == {}


def test_a_network_may_be_frozen_as_far_as_it_is_used():
    net = small()
    frozen = net.freeze(until="relu1")
    assert frozen.names == ["input", "conv1", "relu1"] and net.names[-1] == "relu2"
    assert np.array_equal(frozen.forward(pictures())[0]["relu1"], net.forward(pictures())[0]["relu1"])


def test_an_unknown_layer_is_met_with_the_nearest_name():
    net = small()
    words = r"unknown layer 'relu_1'; did you mean 'relu1'\? Available: input, conv1"
    caches = net.forward(pictures(), until="pool1")[1]
    for ask in (lambda: net.forward(pictures(), until="relu_1"), lambda: net.forward(pictures(), keep=["relu_1"]),
                lambda: net.backward({"relu_1": 0}, caches)):
        with pytest.raises(ShapeError, match=words):
            ask()


def test_n1_n2_check_names_the_first_array_that_is_not_finite():
    net, x = small(), pictures()
    a, _ = net.forward(x)
    checked, _ = net.forward(x, check=True)
    assert list(checked) == list(a) and all(np.array_equal(checked[name], a[name]) for name in a)
    x[0, 3, 5, 1] = np.nan
    with pytest.raises(NumericsError, match=r"^the input, float64 \(2, 8, 6, 3\), has 1 NaN, first at \[0, 3, 5, 1\]; expected finite"):
        net.forward(x, check=True)


@pytest.mark.parametrize("key, bad, says", [
    ("conv2.W", np.nan, r"^conv2.W, float64 \(3, 3, 4, 3\), has 1 NaN, first at \[1, 1, 2, 0\]"),
    ("bn2.mean", np.inf, r"^bn2.mean, float64 \(3,\), has 1 infinite, first at \[0\]"),
    ("conv1.W", -1e308, r"^the output of conv1, float64 \(2, 8, 6, 4\), has \d+ infinite, first at \[0, \d, \d, 0\]")])
def test_n2_a_parameter_a_state_or_what_comes_of_them_is_named_though_a_relu_hides_it(key, bad, says):
    net, x = small(), 100 * pictures()                 # -inf behind conv1: the ReLU gives 0, and no later array shows it
    arrays = {name: array.astype(np.float64) for name, array in {**net.params, **net.state}.items()}
    place = (1, 1, 2, 0) if arrays[key].ndim == 4 else (0,)
    arrays[key][place] = bad
    net = net.with_params(arrays, arrays)
    with np.errstate(all="ignore"):
        if bad == -1e308:
            assert np.isfinite(net.forward(x, until="relu1")[0]["relu1"]).all()
        with pytest.raises(NumericsError, match=says):
            net.forward(x, check=True)


def test_a_layer_that_was_not_run_is_refused_with_the_way_out():
    net = small()
    with pytest.raises(ShapeError, match="'relu2'.*after until='pool1'"):
        net.forward(pictures(), until="pool1", keep=["relu2"])
    a, caches = net.forward(pictures(), until="pool1")
    with pytest.raises(ShapeError, match="use until='relu2' or later"):
        net.backward({"relu2": a["pool1"]}, caches)
    with pytest.raises(ShapeError, match="at least one layer"):
        net.backward({}, caches)


def test_the_repr_of_a_network_makes_it_again():
    again = eval(repr(everything()))
    assert repr(again) == repr(everything()) and again.params.keys() == everything().params.keys()


# ---- the same network, other arrays --------------------------------------------------------------------------------------

def test_params_and_state_are_flat_with_the_names_of_the_files():
    net = everything()
    assert {"conv1.W", "block.two.deep.b", "res.residual.bn.gamma", "dense.W"} <= set(net.params)
    assert set(net.state) == {"res.residual.bn.mean", "res.residual.bn.var"}


@pytest.mark.parametrize("make", [small, everything])
def test_with_params_puts_every_array_in_its_place(make):
    net = make()
    params = {key: np.full(p.shape, i, np.float32) for i, (key, p) in enumerate(net.params.items())}
    state  = {key: np.full(s.shape, 100 + i, np.float32) for i, (key, s) in enumerate(net.state.items())}
    new = net.with_params(params, state)
    assert all(np.array_equal(new.params[key], params[key]) for key in params) and list(new.params) == list(params)
    assert all(np.array_equal(new.state[key], state[key]) for key in state)
    assert not any(np.array_equal(net.params[key], params[key]) for key in params if key.endswith("W"))


def test_new_state_is_what_the_batch_leaves_behind_and_is_not_taken_over():
    net = everything()
    before = {key: array.copy() for key, array in net.state.items()}
    _, caches = net.forward(pictures(n_H=9, n_W=15), training=True, rng=np.random.default_rng(0))
    new = net.new_state(caches)
    assert new.keys() == before.keys() and all(not np.array_equal(new[key], before[key]) for key in new)
    assert all(np.array_equal(net.state[key], before[key]) for key in before)
    _, caches = net.forward(pictures(n_H=9, n_W=15))
    assert all(np.array_equal(net.new_state(caches)[key], before[key]) for key in before)


@pytest.mark.parametrize("make", [small, everything])
def test_astype_changes_everything_and_the_original_nothing(make):
    net, x = make(), pictures(n_H=9, n_W=15)
    double = net.astype(np.float64)
    assert {array.dtype for array in {**double.params, **double.state}.values()} == {np.dtype(np.float64)}
    assert {array.dtype for array in {**net.params, **net.state}.values()} == {np.dtype(np.float32)}
    assert np.allclose(net.forward(x)[0][net.names[-1]], double.forward(x)[0][net.names[-1]], rtol=1e-5)
    assert net.forward(x.astype(np.float32))[0][net.names[-1]].dtype == np.float32


def test_a_frozen_network_gives_the_same_pictures_and_no_gradients_of_parameters():
    net, x = small(), pictures()
    frozen = net.freeze()
    (a, caches), (b, _) = frozen.forward(x), net.forward(x)
    assert all(np.array_equal(a[name], b[name]) for name in b)
    assert frozen.backward({"relu2": a["relu2"]}, caches)[1] == {}


def test_a_frozen_network_in_training_gives_no_gradients_either():
    a, caches = small().freeze().forward(pictures(), training=True)
    assert small().freeze().backward({"relu2": a["relu2"]}, caches)[1] == {}


@pytest.mark.parametrize("make", [lambda: small().freeze(), lambda: small().freeze().astype(np.float64)], ids=["freeze", "then astype"])
def test_frozen_parameters_are_read_only(make):
    net = make()
    assert net.frozen and not any(array.flags.writeable for array in net.params.values())


def test_the_original_of_a_frozen_network_can_still_be_trained():
    net = small()
    net.freeze()
    assert all(array.flags.writeable for array in net.params.values())


def test_a_frozen_network_does_not_see_later_changes_of_the_original():
    net, x = small(), pictures()
    frozen = net.freeze()
    before = frozen.forward(x)[0]["relu2"]
    for array in {**net.params, **net.state}.values():
        array += 1
    assert np.array_equal(frozen.forward(x)[0]["relu2"], before)


# ---- files ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_saved_comes_back_to_the_last_bit(path, dtype):
    net, other = [everything().astype(dtype) for _ in range(2)]
    rng = np.random.default_rng(5)
    net.fill({key: rng.standard_normal(array.shape) for key, array in {**net.params, **net.state}.items()})
    net.save(path)
    assert other.load(path) is other
    for key, array in {**net.params, **net.state}.items():
        assert np.array_equal({**other.params, **other.state}[key], array) and array.dtype == dtype, key


def test_a_file_is_cast_to_the_precision_of_the_network(path):
    small().astype(np.float64).save(path)
    assert {array.dtype for array in small().load(path).params.values()} == {np.dtype(np.float32)}


def test_a_number_too_large_for_the_precision_of_the_network_is_refused(path):
    double = small().astype(np.float64)
    double.params["conv1.W"][0, 0, 0, 0] = 1e300
    double.save(path)
    with pytest.raises(WeightsError, match="conv1.W"):
        small().load(path)


def test_every_mismatch_stands_in_one_message_and_nothing_is_taken_over(path):
    net = small(rng=1)
    Network({**small().layers, "conv2": Conv2D(4, 5), "extra": Dense(2, 2)}).save(path)
    before = {key: array.copy() for key, array in {**net.params, **net.state}.items()}
    with pytest.raises(WeightsError) as refused:
        Network({**net.layers, "more": Dense(1, 1)}).load(path)
    for words in ("net.npz", "missing: more.W, more.b", "unexpected: extra.W, extra.b",
                  "conv2.W has shape (3, 3, 4, 5), expected (3, 3, 4, 3)", "conv2.b has shape (5,), expected (3,)"):
        assert words in str(refused.value)
    assert all(np.array_equal({**net.params, **net.state}[key], array) for key, array in before.items())


def test_a_file_for_other_pictures_is_refused(path):
    small().save(path)
    net = Network({**small().layers, "input": Preprocess()})
    with pytest.raises(WeightsError, match="pictures prepared by"):
        net.load(path)


def test_a_frozen_network_loads_nothing(path):
    small().save(path)
    with pytest.raises(WeightsError, match="Load first, then freeze"):
        small().freeze().load(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No weights at '.*nothing.npz'"):
        small().load(tmp_path / "nothing.npz")
    with pytest.raises(WeightsError, match="is a folder"):
        small().load(tmp_path)


@pytest.mark.parametrize("name", ["stage1/conv", "größe", "my conv"])
def test_a_network_can_read_what_it_has_saved_whatever_its_layers_are_called(path, name):
    net = Network({name: Conv2D(1, 1)})
    try:
        net.save(path)
    except WeightsError as refusal:                                    # to refuse such a name in time is as good
        assert name in str(refusal)
    else:
        assert net.load(path) is net


def test_a_network_can_read_what_it_has_saved_whatever_the_file_is_called(tmp_path):
    net = Network({"conv": Conv2D(1, 1)})
    net.save(tmp_path / "weights.bin")
    assert os.listdir(tmp_path) == ["weights.bin"]
    net.load(tmp_path / "weights.bin")


def test_vgg_refuses_the_file_of_another_network_in_words(path):
    Network({"conv": Conv2D(1, 1)}).save(path)
    with pytest.raises(WeightsError, match="missing: conv1_1.W"):
        models.vgg19(path)


# ---- the table -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def vgg19():
    return models.vgg19()


@pytest.mark.parametrize("net, shape", [(small(), (2, 8, 6, 3)), (small(), (1, 9, 7, 3)), (everything(), (3, 9, 15, 3))],
                         ids=["even", "odd", "everything"])
def test_the_shapes_of_the_table_are_those_of_forward(net, shape):
    a, _ = net.forward(np.zeros(shape), keep=net.names)
    table = net.summary(shape)
    assert {row.layer: row.shape for row in table.rows} == {name: array.shape for name, array in a.items()}
    assert [row.memory for row in table.rows] == [4 * array.size for array in a.values()]
    assert table.parameters == sum(array.size for array in net.params.values())


def test_table_of_vgg19(vgg19):
    table = vgg19.summary((1, 300, 400, 3))
    rows = {row.layer: row for row in table.rows}
    assert table.parameters == 20_024_384
    assert [rows[f"relu{block}_1"].shape[1:3] for block in range(1, 6)] == [(300, 400), (150, 200), (75, 100), (37, 50), (18, 25)]
    to_conv5_1 = table.rows[:1 + vgg19.names.index("conv5_1")]
    assert sum(row.multiply_adds for row in to_conv5_1) == pytest.approx(43.1e9, rel=1e-3)
    assert sum(row.parameters for row in to_conv5_1) == 12_944_960


@pytest.mark.parametrize("layer, sees, stride", [
    ("conv1_1", 3, 1), ("conv1_2", 5, 1), ("conv2_1", 10, 2), ("conv2_2", 14, 2), ("conv3_1", 24, 4), ("conv3_4", 48, 4),
    ("conv4_1", 68, 8), ("conv4_2", 84, 8), ("conv4_4", 116, 8), ("conv5_1", 156, 16), ("conv5_4", 252, 16)])
def test_what_a_unit_of_vgg19_sees(vgg19, layer, sees, stride):
    row = vgg19.summary((1, 64, 64, 3)).rows[vgg19.names.index(layer)]
    assert (row.receptive_field, row.stride) == (sees, stride)


def test_what_a_unit_sees_is_where_its_gradient_arrives():
    net = Network({"conv1": Conv2D(1, 1, f=3, pad=0), "pool": AvgPool2D(), "conv2": Conv2D(1, 1, f=2, stride=2, pad=0)})
    for layer in net.layers.values():
        if layer.params:
            layer.params["W"][:] = 1
    a, caches = net.forward(np.ones((1, 20, 20, 1)), keep=["conv2"])
    for unit in (0, 1):
        da = np.zeros_like(a["conv2"])
        da[0, unit, 0, 0] = 1
        rows = np.flatnonzero(net.backward({"conv2": da}, caches)[0].any(axis=(0, 2, 3)))
        row = net.summary((1, 20, 20, 1)).rows[-1]
        assert (rows[0], len(rows)) == (unit * row.stride, row.receptive_field)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_the_table_is_never_wider_than_the_terminal(monkeypatch, vgg19, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    long = Network({"a_layer_whose_name_alone_is_longer_than_a_narrow_terminal": Conv2D(3, 2)})
    for net, shape in ((vgg19, (1, 300, 400, 3)), (everything(), (3, 9, 15, 3)), (long, (1, 8, 8, 3))):
        lines = str(net.summary(shape)).split("\n")
        assert max(map(len, lines)) <= columns and len(lines) == len(net.names) + 3
        assert all(line.startswith(name[:columns]) for line, name in zip(lines[2:], net.names))


def test_a_wide_table_shows_everything(monkeypatch, vgg19):
    monkeypatch.setenv("COLUMNS", "120")
    table = str(vgg19.summary((1, 300, 400, 3)))
    assert "20,024,384 parameters" in table and "conv5_1" in table and "156" in table and "mult-adds" in table


def test_a_gradient_may_be_given_as_a_list():
    net = Network({"dense": Dense(2, 1)})
    _, caches = net.forward(np.ones((1, 2)))
    assert np.array_equal(net.backward({"dense": [[1.0]]}, caches)[0], net.params["dense.W"].T)
    with pytest.raises(ShapeError, match=r"dense: .* has shape \(2,\)"):
        net.backward({"dense": [1.0, 2.0]}, caches)
