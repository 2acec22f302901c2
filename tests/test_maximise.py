"""Climbing to what a unit likes: the slope, that it rises, what each helper does, that it can be repeated."""

import numpy as np
import pytest

from scratchnet import models
from scratchnet.activations import ReLU
from scratchnet.errors import ImageError, NumericsError, ShapeError
from scratchnet.gradcheck import check
from scratchnet.layers import Conv2D, Dense, Flatten, MaxPool2D
from scratchnet.maximise import Objective, blurred, maximise
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess
from scratchnet.optimizers import GradientDescent
from scratchnet.style_costs import total_variation


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Network({"input": Preprocess(mean=(0.5,) * 3, std=(0.25,) * 3), "conv1": Conv2D(3, 6, rng=rng), "relu1": ReLU(),
                    "pool1": MaxPool2D(), "conv2": Conv2D(6, 8, rng=rng), "relu2": ReLU(), "flatten": Flatten(),
                    "fc3": Dense(6 * 6 * 8, 5, rng=rng)})


NET = network()
PLAIN = dict(l2=0, tv=0, jitter=0, blur=0)
SMALL = dict(size=12, steps=12, blur_every=3)


def pictures(m=1, n_H=12, n_W=12, dtype=np.float64):
    return np.random.default_rng(1).random((m, n_H, n_W, 3)).astype(dtype)


def run(layer="relu2", unit=3, net=NET, **settings):
    """The Steps, as a list."""
    return list(maximise(net, layer, unit, **{**SMALL, **settings}))


# ---- the objective -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("layer, units, position, shift", [
    ("relu2", [3, 5], None, (0, 0)), ("relu2", [3], (2, 4), (1, -2)), ("conv2", [0], (5, 5), (0, 0)), ("pool1", [1, 1], None, (-3, 2)),
    ("fc3", [4], None, (0, 0)), ("relu1", [2], (11, 0), (2, 2))])
def test_gradient_of_the_objective_at_every_pixel(layer, units, position, shift):
    objective = Objective(network().astype(np.float64), layer, units, position, l2=0.7, tv=0.3, scale=0.5)
    report = check(lambda x: objective(x, shift)[:2], pictures(len(units)), max_entries=80)
    assert report.passed, report


def test_the_objective_is_the_formula():
    x = pictures(2)
    a = NET.astype(np.float64).forward(x, keep=["conv2", "relu2"])[0]
    J, _, activation = Objective(NET.astype(np.float64), "relu2", [3, 5], None, l2=0.7, tv=0.3, scale=0.5)(x)
    z = [a["conv2"][0, :, :, 3], a["conv2"][1, :, :, 5]]
    climbed = sum(np.where(z_k > 0, z_k, z_k / 10).mean() for z_k in z)
    kept = (0.7 * np.sum((x - 0.5) ** 2) + 0.3 * sum(total_variation(x[i:i + 1])[0] for i in range(2))) / 144
    assert J == pytest.approx(kept - climbed / 0.5, rel=1e-10)
    assert np.allclose(activation, [a["relu2"][0, :, :, 3].mean(), a["relu2"][1, :, :, 5].mean()], rtol=1e-10)
    at = Objective(NET.astype(np.float64), "relu2", [3, 5], (2, 4))(x)[2]
    assert np.allclose(at, a["relu2"][[0, 1], 2, 4, [3, 5]], rtol=1e-10)


def test_a_shift_is_seen_by_the_network_alone():
    objective, x = Objective(NET, "relu2", [3], (2, 4), tv=1.0), pictures(dtype=np.float32)
    J, dx, activation = objective(x, (1, -2))
    J_rolled, dx_rolled, activation_rolled = Objective(NET, "relu2", [3], (2, 4))(np.roll(x, (1, -2), axis=(1, 2)))
    J_tv, dx_tv = total_variation(x)
    assert activation == activation_rolled and J == pytest.approx(J_rolled + J_tv / 144, rel=1e-5)
    assert np.allclose(dx, np.roll(dx_rolled, (-1, 2), axis=(1, 2)) + dx_tv / 144, atol=1e-5)


# ---- the climb -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("layer, position", [("relu1", None), ("relu2", None), ("relu2", "centre"), ("conv2", (0, 5)), ("fc3", None)])
def test_the_activation_rises(layer, position):
    steps = run(layer, 3, position=position, steps=20, jitter=1, blur=0)        # those made for 12 pixels
    assert [step.i for step in steps] == list(range(21))
    assert steps[-1].activation[0] > abs(steps[0].activation[0]) + 0.1
    assert steps[-1].J < steps[0].J


def test_what_a_step_says_is_true_of_its_own_picture():
    for step in run(**PLAIN, steps=3):
        a = NET.forward(step.x, keep=["relu2"])[0]["relu2"]
        assert step.activation[0] == pytest.approx(a[0, :, :, 3].mean(), rel=1e-5)


def test_a_step_goes_up_the_gradient_and_back_into_the_picture():
    first, second = run(**PLAIN, steps=1, optimizer=GradientDescent(30.0))
    a = NET.forward(first.x, keep=["relu2"])[0]["relu2"]
    objective = Objective(NET, "relu2", [3], scale=np.sqrt(np.mean(a ** 2)))    # it began with the noise that sets the scale
    moved = np.clip(first.x - 30 * objective(first.x)[1], 0, 1)
    assert np.allclose(second.x, moved, atol=1e-5) and np.abs(second.x - first.x).max() > 0.1


def test_a_unit_that_is_silent_everywhere_is_woken():
    net = network()
    net.params["conv2.b"][3] = -4                                              # an array of the layer's own
    steps = run(net=net, steps=60, **PLAIN)
    assert steps[0].activation[0] == 0 and steps[-1].activation[0] > 0


def test_several_units_at_once_are_the_same_as_each_alone():
    both = run(unit=[3, 5])[-1]
    for i, unit in enumerate([3, 5]):
        alone = run(unit=unit)[-1]
        assert np.allclose(both.x[i], alone.x[0], atol=1e-3) and both.activation[i] == pytest.approx(alone.activation[0], rel=1e-3)


# ---- what helps ----------------------------------------------------------------------------------------------------------

def test_l2_keeps_pixels_near_grey_and_tv_neighbours_together():
    def distance(x):
        return np.sum((x - 0.5) ** 2)

    plain = run(**PLAIN)[-1].x
    assert distance(run(**{**PLAIN, "l2": 30})[-1].x) < 0.5 * distance(plain)
    assert total_variation(run(**{**PLAIN, "tv": 10})[-1].x)[0] < 0.5 * total_variation(plain)[0]


def test_blur_takes_fine_detail_and_leaves_the_last_steps_sharp():
    plain, soft = (run(**{**PLAIN, "blur": blur})[-1].x for blur in (0, 1.0))
    assert total_variation(soft)[0] < 0.8 * total_variation(plain)[0]
    steps = run(**{**PLAIN, "blur": 1.0})
    rough = [total_variation(step.x)[0] for step in steps]
    assert [i for i in range(1, 13) if rough[i] < rough[i - 1]] == [3, 6]       # after every third step, and not in the last six


def test_jitter_asks_for_what_lasts_under_a_shift():
    """Unseen shifts: a place of a picture made with jitter keeps more of its activation than one made without."""
    def kept(step):
        objective = Objective(NET, "relu2", [3], (3, 3))
        own = objective(step.x)[2][0]
        return np.mean([objective(step.x, shift)[2][0] for shift in ((1, 0), (0, 1), (-1, 0), (0, -1))]) / own

    settings = dict(position=(3, 3), steps=40)
    assert kept(run(**{**PLAIN, "jitter": 2}, **settings)[-1]) > kept(run(**PLAIN, **settings)[-1])


def test_a_blur_is_its_definition():
    x, r = pictures(2, 5, 7), np.arange(-3, 4)
    weight = np.exp(-0.5 * r ** 2 / 0.9 ** 2)
    weight /= weight.sum()
    expected = np.zeros_like(x)
    for i in range(5):
        for j in range(7):
            for u in r:
                for v in r:
                    expected[:, i, j] += weight[u + 3] * weight[v + 3] * x[:, np.clip(i + u, 0, 4), np.clip(j + v, 0, 6)]
    assert np.allclose(blurred(x, 0.9), expected, rtol=1e-12)
    assert np.allclose(blurred(np.full((1, 4, 4, 3), 0.25), 2.0), 0.25)
    assert blurred(x.astype(np.float32), 0.9).dtype == np.float32 and np.array_equal(x, pictures(2, 5, 7))


# ---- starts, seeds, arguments --------------------------------------------------------------------------------------------

def test_the_same_seed_is_the_same_picture_to_the_bit_and_another_one_is_not():
    one, again, other = (run(seed=seed, position="centre") for seed in (1, 1, 2))
    assert all(np.array_equal(a.x, b.x) and a.J == b.J for a, b in zip(one, again))
    assert not np.array_equal(one[0].x, other[0].x) and not np.array_equal(one[-1].x, other[-1].x)


def test_starts():
    grey, noise = run(steps=0, start="grey"), run(steps=0)
    assert (grey[0].x == 0.5).all() and np.abs(noise[0].x - 0.5).max() <= 0.1 and noise[0].x.std() > 0.05
    given = pictures(1, 12, 12, np.float32)
    given.flags.writeable = False
    steps = list(maximise(NET, "relu2", 3, steps=2, start=given))
    assert np.array_equal(steps[0].x, given) and not np.array_equal(steps[-1].x, given)


def test_pixels_stay_in_range_and_pictures_of_steps_are_their_own():
    steps = run(optimizer=GradientDescent(1e4))
    assert all(step.x.dtype == np.float32 and 0 <= step.x.min() and step.x.max() <= 1 for step in steps)
    assert not any(np.shares_memory(one.x, two.x) for one, two in zip(steps, steps[1:]))


def test_the_parameters_stay_as_they_are():
    net = network()
    run(net=net)
    assert all(np.array_equal(array, NET.params[name]) for name, array in net.params.items()) and not net.frozen


def test_without_a_size_the_picture_is_what_one_unit_sees_and_not_too_small_to_look_at():
    net = models.small_vgg()
    sides = {layer: next(maximise(net, layer, 0, steps=0)).x.shape for layer in ("relu1_1", "relu3_1", "relu5_1")}
    field = net.summary((1, 512, 512, 3), "relu5_1").rows[-1].receptive_field
    assert sides["relu1_1"] == sides["relu3_1"] == (1, 64, 64, 3)
    assert next(maximise(models.face_encoder(), "relu1_1", 0, steps=0)).x.shape == (1, 56, 48, 3)
    assert 64 < field <= sides["relu5_1"][1] == sides["relu5_1"][2] < field + 16 and sides["relu5_1"][1] % 16 == 0


def test_the_shipped_network_sees_what_it_likes():
    """Channels of relu1_1 reach three times what white noise gives them, and more."""
    last = list(maximise(models.small_vgg(), "relu1_1", [3, 40], size=24, steps=40))[-1]
    noise = models.small_vgg().forward(pictures(1, 24, 24, np.float32), keep=["relu1_1"])[0]["relu1_1"].mean((0, 1, 2))
    assert (last.activation > 3 * noise[[3, 40]]).all()


# ---- what is refused -----------------------------------------------------------------------------------------------------

REFUSED = [
    (dict(layer="relu9"), "unknown layer 'relu9'; did you mean"),
    (dict(unit=8), "unit = 8; expected whole numbers from 0 to 7, channels of relu2"),
    (dict(unit=[0, -1]), r"unit = \[0, -1\]; expected"),
    (dict(unit=[]), r"unit = \[\]; expected"),
    (dict(unit=0.5), "unit = 0.5; expected"),
    (dict(size=1), "a picture of 1x1 is too small for 'relu2': the filter does not fit"),
    (dict(size=0), "size = 0; expected a whole number of pixels"),
    (dict(size=(4, 5, 6)), "expected a whole number of pixels from 1 up, or"),
    (dict(layer="fc3", size=None), "'fc3' is behind dense layers, which fix the size"),
    (dict(position=(6, 0)), r'position = \(6, 0\); expected None, "centre", or \(i, j\) within 6x6, the places of relu2'),
    (dict(position="middle"), "position = 'middle'; expected"),
    (dict(start="white"), "start = 'white'; expected 'noise', 'grey', or a picture"),
    (dict(start=pictures()[:, :5], size=12), "size = 12 and start is 5x12; expected one size"),
    (dict(steps=-1), "steps = -1; expected a whole number from 0 up"),
    (dict(jitter=1.5), "jitter = 1.5; expected a whole number from 0 up"),
    (dict(blur_every=0), "blur_every = 0; expected a whole number from 1 up"),
    (dict(tv=float("nan")), "tv = nan; expected a number from 0 up"),
    (dict(l2=-1), "l2 = -1; expected a number from 0 up"),
    (dict(learning_rate=0), "learning_rate = 0; expected a number above 0"),
]


@pytest.mark.parametrize("settings, words", REFUSED, ids=[words[:24] for _, words in REFUSED])
def test_bad_settings_are_refused_at_once(settings, words):
    with pytest.raises(ShapeError, match=words):
        maximise(NET, **{"layer": "relu2", "unit": 3, **SMALL, **settings})     # before the first step is asked for


def test_other_failures_have_their_own_words():
    with pytest.raises(ImageError, match="Divide by 255"):
        maximise(NET, "relu2", 3, start=200 * pictures())
    net = network()
    net.params["conv1.b"][:] = np.nan
    with pytest.raises(NumericsError, match="not finite"):
        run(net=net)
