"""Training: gradients of whole objectives, triplets scattered back, runs resumed to the bit, and what is said when nothing is learnt."""

import copy
import functools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scratchnet import gradcheck
from scratchnet.activations import ReLU
from scratchnet.errors import NumericsError, ShapeError, WeightsError
from scratchnet.face_losses import contrastive_loss
from scratchnet.layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D
from scratchnet.models import siamese_encoder
from scratchnet.network import Network
from scratchnet.normalisation import BatchNorm, L2Normalise
from scratchnet.objectives import distances, scatter
from scratchnet.optimizers import Adam, GradientDescent, Momentum
from scratchnet.train import HEAD, OBJECTIVES, Classifier, Siamese, Training, Triplet, batch_cost

LABELS = np.repeat(np.arange(4), 4)


def pictures(m=16, side=6, seed=0):
    return np.random.default_rng(seed).random((m, side, side, 1), np.float32)


def encoder(normalise=True, batch_norm=True, dropout=0.0, n_f=5, side=6):
    """A network with everything that training must carry on: parameters, BatchNorm's state, chance."""
    rng = np.random.default_rng(1)
    layers = {"conv": Conv2D(1, 3, rng=rng), "bn": BatchNorm(3), "relu": ReLU(), "pool": MaxPool2D(), "drop": Dropout(dropout),
              "flatten": Flatten(), "dense": Dense(3 * (side // 2) ** 2, n_f, rng=rng), "encoding": L2Normalise()}
    return Network({name: layer for name, layer in layers.items()
                    if (normalise or name != "encoding") and (batch_norm or name != "bn")})


def constant(n_f=4):
    """A network that gives everybody the same encoding, and cannot leave it: behind a dead ReLU there is only the bias."""
    net = Network({"dead": Conv2D(1, 2, f=1), "relu": ReLU(), "flatten": Flatten(), "dense": Dense(72, n_f)})
    arrays = {name: np.zeros_like(array) for name, array in net.params.items()}
    return net.with_params({**arrays, "dead.b": np.full(2, -1, np.float32), "dense.b": np.full(n_f, 0.5, np.float32)})


def same_run(a, b):
    assert a.params.keys() == b.params.keys() and a.state.keys() == b.state.keys()
    for ours, theirs in ((a.params, b.params), (a.state, b.state), (a.optimizer.state(), b.optimizer.state())):
        assert all(np.array_equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in ours)
    assert a.history == b.history and a.i == b.i and a.rng.bit_generator.state == b.rng.bit_generator.state


# ---- gradients ---------------------------------------------------------------------------------------------------------------

WHOLE = {
    "triplet": Triplet(0.2, "all"), "triplet, batch-hard, plain, soft": Triplet(0.2, "batch-hard", distance="plain", form="soft"),
    "triplet, semi-hard, sum": Triplet(0.5, "semi-hard", over="sum"), "triplet, random, active": Triplet(0.5, "random", over="active"),
    "contrastive": Siamese("contrastive"), "logistic head": Siamese("absolute"), "classifier": Classifier(),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_gradient_of_a_whole_objective_goes_through_the_network(name):
    objective, net, rng = WHOLE[name], encoder().astype(np.float64), np.random.default_rng(3)
    head = {HEAD + key: rng.standard_normal(array.shape) for key, array in objective.params(5, 4, rng).items()}
    index = np.arange(16) if name != "contrastive" and name != "logistic head" else next(iter(Siamese(pairs=8).batches(LABELS, rng)))
    f = batch_cost(net, objective, pictures().astype(np.float64)[index], LABELS[index], seed=5)
    params = {**net.params, **head}
    J, grads = f(params)
    assert J > 0.01 and grads.keys() == params.keys()
    report = gradcheck.check(f, params, max_entries=40)
    assert report.passed, report
    for key in ("conv.W", "dense.W", *head):                   # the check says nothing about a gradient of zeros
        assert np.abs(grads[key]).max() > 1e-4, key


@given(st.integers(0, 10 ** 6), st.integers(0, 40), st.integers(2, 6))
def test_scatter_is_the_loop_over_triplets(seed, t, m):
    rng = np.random.default_rng(seed)
    f, index = rng.standard_normal((m, 3)), rng.integers(m, size=(3, t))
    df = rng.standard_normal((3, t, 3))
    expected = np.zeros((m, 3))
    for role in range(3):
        for k in range(t):
            expected[index[role, k]] += df[role, k]
    assert np.allclose(scatter(tuple(df), tuple(index), f), expected, atol=1e-12)


def test_scatter_by_hand_one_picture_twice():
    df = np.array([[1.0], [10.0]]), np.array([[2.0], [20.0]]), np.array([[3.0], [30.0]])
    assert scatter(df, ([0, 0], [1, 2], [3, 1]), np.zeros((4, 1))).ravel().tolist() == [11, 32, 20, 3]


def test_one_network_called_twice_is_one_call_on_both_halves():
    net, x, objective = encoder(batch_norm=False).astype(np.float64), pictures().astype(np.float64), Siamese(pairs=8)
    index = next(iter(objective.batches(LABELS, np.random.default_rng(0))))
    J, grads = batch_cost(net, objective, x[index], LABELS[index], seed=0)(net.params)
    (a_1, caches_1), (a_2, caches_2) = (net.forward(x[half], training=True) for half in np.split(index, 2))
    same = LABELS[index[:8]] == LABELS[index[8:]]
    J_two, (df_1, df_2) = contrastive_loss(a_1["encoding"], a_2["encoding"], same=same)
    two = [net.backward({"encoding": df}, caches)[1] for df, caches in ((df_1, caches_1), (df_2, caches_2))]
    assert np.isclose(J, J_two, rtol=1e-12)
    for name, g in grads.items():
        assert np.allclose(g, two[0][name] + two[1][name], rtol=1e-10, atol=1e-14), name


# ---- batches and scores --------------------------------------------------------------------------------------------------------

def test_pairs_are_half_of_one_person_and_half_of_two():
    labels = np.array([0, 0, 0, 1, 2, 2, 3])                   # two people with one picture only
    batches = list(Siamese(pairs=6).batches(labels, np.random.default_rng(0)))
    assert len(batches) == 2
    for index in batches:
        first, second = np.split(index, 2)
        assert (labels[first[:3]] == labels[second[:3]]).all() and (first[:3] != second[:3]).all()
        assert (labels[first[3:]] != labels[second[3:]]).all()


def test_a_classifier_sees_every_picture_once_an_epoch():
    batches = Classifier(5).batches(LABELS, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(16)) and max(map(len, batches)) <= 5


def test_distances_by_hand():
    found = distances(np.array([[0, 0], [3, 4], [0, 1]], np.float32), [7, 7, 8])
    assert found == {"d_same": 25.0, "d_different": (1 + 18) / 2, "spread": pytest.approx(np.sqrt(44 / 3))}


def test_counts_are_added_up_and_other_scores_averaged():
    run = Training(encoder(), pictures(), LABELS, Triplet(0.2, "random", P=2, K=2), GradientDescent(1e-12))
    epoch, = run.epochs(1)
    assert epoch.scores["triplets"] == 2 * 4                   # two batches of 2 x 2: four anchors with one positive each
    assert sum(epoch.scores[f"there {kind}"] for kind in ("easy", "semi-hard", "hard")) == 2 * 4 * 2
    assert sum(epoch.scores[f"chosen {kind}"] for kind in ("easy", "semi-hard", "hard")) == 8
    assert epoch.scores["active"] == epoch.scores["chosen semi-hard"] + epoch.scores["chosen hard"]
    assert 0 < epoch.scores["spread"] < 2 and epoch.i == 1


@pytest.mark.parametrize("objective", [Triplet(P=4), Siamese(), Siamese("absolute"), Classifier()], ids=repr)
def test_every_objective_learns_four_people(objective):
    rng = np.random.default_rng(0)
    who = rng.random((4, 6, 6, 1), np.float32)
    x = np.clip(who[LABELS] + 0.1 * rng.standard_normal((16, 6, 6, 1), np.float32), 0, 1)
    run = Training(encoder(), x, LABELS, objective, Adam(0.01), batches_per_epoch=10)
    epochs = list(run.epochs(6))
    f = run.net.forward(x)[0]["dense"]
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    found = distances(f, LABELS)
    assert found["d_same"] < 0.25 * found["d_different"] and epochs[-1].J < epochs[0].J
    assert not any("collapse" in sentence for epoch in epochs for sentence in epoch.said)


# ---- resume --------------------------------------------------------------------------------------------------------------------

def shifted(x, rng):
    return np.roll(x, rng.integers(-1, 2), axis=2)


def slower(t):
    return 0.01 / (1 + t)


def a_run(objective=Triplet(P=2, K=3), optimizer=None, x=None, augment=shifted, **more):
    more = {"learning_rate": slower, "seed": 4, "batches_per_epoch": 3, **more}
    return Training(encoder(dropout=0.2), pictures() if x is None else x, LABELS, objective, optimizer or Adam(), augment=augment, **more)


@pytest.mark.parametrize("objective", [Triplet(P=2, K=3), Siamese("absolute", pairs=6), Classifier(5)], ids=repr)
@pytest.mark.parametrize("optimizer", [Adam(), Momentum()], ids=["adam", "momentum"])
def test_K8_a_resumed_run_is_the_run_that_never_stopped(objective, optimizer, tmp_path):
    straight = a_run(objective, optimizer)
    list(straight.epochs(5))
    first = a_run(objective, optimizer)
    list(first.epochs(2))
    first.save(tmp_path / "checkpoint.npz")
    second = a_run(objective, optimizer).load(tmp_path / "checkpoint.npz")
    same_run(first, second)
    assert [epoch.i for epoch in second.epochs(3)] == [3, 4, 5]
    same_run(straight, second)
    assert np.abs(straight.params["conv.W"] - encoder().params["conv.W"]).max() > 1e-3
    assert not np.array_equal(straight.net.state["bn.mean"], encoder().state["bn.mean"])


def test_K1_an_interrupted_epoch_is_dropped_and_done_again(tmp_path):
    straight = a_run()
    list(straight.epochs(3))
    calls = 0

    def interrupted(x, rng):
        nonlocal calls
        calls += 1
        if calls == 1 + 3 + 2:                                 # the trial at the start, the first epoch, into the second
            raise KeyboardInterrupt
        return shifted(x, rng)
    interrupted.__qualname__ = shifted.__qualname__
    run = a_run(augment=interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run.epochs(3))
    run.save(tmp_path / "checkpoint.npz")
    assert [epoch.i for epoch in run.epochs(2)] == [2, 3]
    same_run(straight, run)
    resumed = a_run().load(tmp_path / "checkpoint.npz")
    assert resumed.i == 1
    list(resumed.epochs(2))
    same_run(straight, resumed)


@pytest.mark.parametrize("name, other", [
    ("objective", dict(objective=Triplet(0.3, P=2, K=3))), ("optimizer", dict(optimizer=Adam(beta1=0.8))), ("augment", dict(augment=None)),
    ("learning rate", dict(learning_rate=lambda t: 0.01)), ("seed", dict(seed=5)), ("batches_per_epoch", dict(batches_per_epoch=4)),
    ("pictures", dict(x=pictures(seed=1)))])
def test_K6_a_run_of_other_settings_is_refused_by_name(name, other, tmp_path):
    run = a_run()
    list(run.epochs(1))
    run.save(tmp_path / "checkpoint.npz")
    different = a_run(**other)
    with pytest.raises(WeightsError, match=f"other settings: {name} .*, now ") as refused:
        different.load(tmp_path / "checkpoint.npz")
    assert ";" not in str(refused.value).split(" A run can")[0].replace("; begin", "") and different.i == 0


def test_functions_are_compared_by_name_and_by_the_settings_that_they_show(tmp_path):
    @dataclass
    class Varied:
        amount: float

        def __call__(self, x, rng):
            return x

    class Plain:
        def __call__(self, x, rng):
            return x

    def partly(amount):
        return functools.partial(lambda x, rng, amount: x, amount=amount)
    a_run(augment=Plain()).save(tmp_path / "plain.npz")
    assert a_run(augment=Plain()).load(tmp_path / "plain.npz").i == 0        # an object's address is no setting
    for make in (Varied, partly):
        a_run(augment=make(0.1)).save(tmp_path / "varied.npz")
        a_run(augment=make(0.1)).load(tmp_path / "varied.npz")
        with pytest.raises(WeightsError, match="augment .*0.1.*, now .*0.2"):
            a_run(augment=make(0.2)).load(tmp_path / "varied.npz")


def test_K6_another_network_is_refused(tmp_path):
    run = Training(encoder(), pictures(), LABELS, Classifier())
    run.save(tmp_path / "checkpoint.npz")
    with pytest.raises(WeightsError, match=r"network .*n=5.*, now .*n=6") as refused:
        Training(encoder(n_f=6), pictures(), LABELS, Classifier()).load(tmp_path / "checkpoint.npz")
    assert len(str(refused.value)) < 600


def test_K7_a_damaged_checkpoint_is_put_aside_and_the_one_before_taken(tmp_path):
    run, path = a_run(), tmp_path / "checkpoint.npz"
    for _ in run.epochs(2):
        run.save(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.warns(UserWarning, match="checkpoint.previous.npz"):
        resumed = a_run().load(path)
    assert resumed.i == 1 and (tmp_path / "checkpoint.npz.corrupt").exists() and not path.exists()
    list(resumed.epochs(1))
    same_run(run, resumed)


def test_no_checkpoint_and_one_of_something_else(tmp_path):
    with pytest.raises(FileNotFoundError):
        a_run().load(tmp_path / "nothing.npz")
    encoder().save(tmp_path / "net.npz")
    with pytest.raises(WeightsError, match="no checkpoint of a training"):
        a_run().load(tmp_path / "net.npz")


# ---- what is said ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("objective, J, words", [
    (Triplet(0.2, "batch-hard", P=4), 0.2, ["every triplet costs the margin, 0.2", 'rule "semi-hard" (now \'batch-hard\'']),
    (Triplet(0.2, "all", P=4, form="soft"), np.log(2), ["ln 2 = 0.693"]),
    (Triplet(0.7, "hardest", P=4, distance="plain"), 0.7, ["the margin, 0.7"]),
    (Siamese(margin=1.5), 1.5 ** 2 / 4, ["margin^2 / 2 = 1.125"]),
    (Siamese("absolute"), None, ["ln 2 = 0.693"]),
    (Classifier(), None, ["ln(people)"]),
], ids=repr)
def test_N7_a_collapse_is_said_with_where_the_loss_stands(objective, J, words):
    epochs = list(Training(constant(), pictures(), LABELS, objective, Adam(1e-9)).epochs(2))
    for epoch in epochs:
        assert epoch.scores["spread"] == 0 and (J is None or epoch.J == pytest.approx(J, rel=1e-5))
        sentence, = epoch.said
        assert sentence.startswith("collapse: ") and all(word in sentence for word in [*words, "L2Normalise", "lower learning rate"])


def test_N7_semi_hard_triplets_run_out_in_a_collapse_and_both_is_said():
    epoch, = Training(constant(), pictures(), LABELS, Triplet(P=4), GradientDescent(1e-9)).epochs(1)
    assert [sentence.partition(":")[0] for sentence in epoch.said] == ["collapse", "starvation"] and epoch.J == 0
    assert "0 easy, 0 semi-hard and 576 hard" in epoch.said[1] and '"violator"' in epoch.said[1]


def test_a_fresh_network_whose_encodings_are_close_but_part_is_left_in_peace():
    objective, close = Triplet(), {"spread": 0.01, "active": 3, "triplets": 3}
    assert objective.said(close) == [] and objective.said(close, {"spread": 0.005}) == []
    assert objective.said(close, {"spread": 0.0099})[0].startswith("collapse")
    assert objective.said({**close, "spread": 0.05}, {"spread": 0.05}) == []


def test_N8_starvation_says_what_was_there():
    apart = np.repeat(np.eye(4, dtype=np.float32), 4, axis=0)                  # four people, far from each other already
    x = np.zeros((16, 6, 6, 1), np.float32)
    x[:, 0, :4, 0] = apart
    net = Network({"flatten": Flatten(), "dense": Dense(36, 4)})
    net = net.with_params({"dense.W": np.eye(36, 4, dtype=np.float32), "dense.b": np.zeros(4, np.float32)})
    run = Training(net, x, LABELS, Triplet(0.2, "random", P=4, K=4))
    for epoch in run.epochs(2):
        assert epoch.J == 0 and epoch.said == [epoch.said[0]]
        assert "none of the 48 triplets chosen" in epoch.said[0] and "576 easy, 0 semi-hard and 0 hard" in epoch.said[0]
        assert "learnt" in epoch.said[0]
    assert all(np.array_equal(run.params[name], net.params[name]) for name in net.params)


def test_N8_starvation_with_teachers_at_hand_names_the_rule_that_finds_them():
    said = Triplet(rule="random").said({"spread": 1.0, "active": 0, "triplets": 9, "there easy": 80, "there semi-hard": 3, "there hard": 1})
    assert len(said) == 1 and 'rule "semi-hard" looks' in said[0] and "3 semi-hard" in said[0]


def test_a_margin_of_0_forbids_nothing_and_that_is_said():
    epoch, = Training(constant(), pictures(), LABELS, Triplet(0.0, "all", P=4), GradientDescent(1e-9)).epochs(1)
    assert epoch.J == 0 and any("margin of 0" in sentence and "f = 0" in sentence for sentence in epoch.said)


# ---- what comes in ---------------------------------------------------------------------------------------------------------------

def test_no_argument_is_changed():
    net, x, labels, optimizer = encoder(), pictures(), LABELS.copy(), Adam()
    before = copy.deepcopy((net.params, net.state))
    for array in (x, labels):
        array.flags.writeable = False
    list(Training(net, x, labels, Triplet(P=4), optimizer).epochs(2))
    assert all(np.array_equal(old[name], new[name]) for old, new in zip(before, (net.params, net.state)) for name in old)
    assert optimizer.t == 0 and optimizer.memory == {} and np.array_equal(x, pictures())


def test_bytes_are_pictures_from_0_to_1_and_labels_may_be_names():
    x = (pictures() * 255).astype(np.uint8)
    names = np.array(["Ada", "Ben", "Cleo", "Dov"])[LABELS]
    runs = [Training(encoder(), *given, Triplet(P=4)) for given in ((x, names), (x.astype(np.float32) / 255, LABELS))]
    for run in runs:
        list(run.epochs(1))
    assert all(np.array_equal(runs[0].params[name], runs[1].params[name]) for name in runs[0].params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_keep_their_precision(dtype):
    run = Training(encoder().astype(dtype), pictures(), LABELS, Siamese("absolute", pairs=4))
    list(run.epochs(1))
    assert {array.dtype for array in [*run.params.values(), *run.state.values()]} == {np.dtype(dtype)}


def test_the_head_is_at_hand_after_training():
    run = Training(encoder(), pictures(), LABELS, Siamese("absolute", pairs=4))
    list(run.epochs(2))
    assert run.head["w"].shape == (5,) and not np.array_equal(run.head["w"], np.full(5, -1))
    assert run.net.params.keys() == encoder().params.keys()


def test_a_cost_that_is_no_number_stops_the_run_and_keeps_the_last_good_epoch():
    run = Training(encoder(), pictures(), LABELS, Classifier(), GradientDescent(1e-3))
    run.augment = lambda x, rng: x * np.float32(np.nan if run.i else 1)
    with pytest.raises(NumericsError):
        list(run.epochs(3))
    assert run.i == 1 and all(np.isfinite(array).all() for array in run.params.values())


@pytest.mark.parametrize("make, words", [
    (lambda: Training(encoder(), pictures()[0], LABELS, Triplet()), r"expected \(m, n_H, n_W, n_C\)"),
    (lambda: Training(encoder(), pictures(), LABELS[:5], Triplet()), r"labels \(5,\)"),
    (lambda: Training(encoder(), pictures().astype(np.int64), LABELS, Triplet()), "int64"),
    (lambda: Training(encoder(), pictures(), LABELS, Triplet(P=5)), "Choose a smaller P"),
    (lambda: Training(encoder(), pictures(), np.arange(16), Siamese()), "two pictures of one"),
    (lambda: Training(encoder(), pictures(), np.zeros(16), Classifier()), "one person"),
    (lambda: Training(encoder(side=8), pictures(), LABELS, Triplet(P=4)), "dense|Dense"),
    (lambda: Training(encoder().freeze(), pictures(), LABELS, Triplet(P=4)), "frozen"),
    (lambda: Training(Network({"conv": Conv2D(1, 2)}), pictures(), LABELS, Triplet(P=4)), "Flatten"),
    (lambda: Training(encoder(), pictures(), LABELS, Triplet(P=4), batches_per_epoch=0), "batches_per_epoch"),
    (lambda: Triplet(rule="hard"), "'batch-hard'"), (lambda: Triplet(margin=-1), "margin"), (lambda: Triplet(P=1), "P = 1"),
    (lambda: Triplet(distance="plain"), "squared"), (lambda: Siamese("l1"), "contrastive"), (lambda: Siamese(pairs=3), "even"),
    (lambda: siamese_encoder(60), "multiple of 8"), (lambda: siamese_encoder(64, n_C=2), "n_C"),
])
def test_refusals_say_what_was_given_and_expected(make, words):
    with pytest.raises(ShapeError, match=words):
        make()


def test_the_table_names_every_objective():
    assert OBJECTIVES == {"classifier": Classifier, "siamese": Siamese, "triplet": Triplet}


@pytest.mark.parametrize("size, n_C", [(64, 3), (96, 1)])
def test_siamese_encoder_gives_unit_encodings(size, n_C):
    net = siamese_encoder(size, 20, n_C)
    assert net.params["conv1.W"].shape == (3, 3, n_C, 32)
    f = net.forward(np.random.default_rng(0).random((2, size, size, 3), np.float32))[0]["encoding"]
    assert f.shape == (2, 20) and np.allclose(np.linalg.norm(f, axis=1), 1, atol=1e-6)
    assert np.array_equal(siamese_encoder(seed=3).params["conv1.W"], siamese_encoder(seed=3).params["conv1.W"])
    assert not np.array_equal(siamese_encoder(seed=3).params["conv1.W"], siamese_encoder(seed=4).params["conv1.W"])
