"""The published versions: every constant against what PyTorch made of the same pictures as each program writes it.

The reference and what it holds: tests/reference/make_presets_reference.py.
"""

import argparse
from pathlib import Path

import numpy as np
import pytest

from scratchnet import images, models, style
from scratchnet.activations import ReLU
from scratchnet.cli import style_options
from scratchnet.datasets import swirling_sky
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D
from scratchnet.models.name_maps import CAFFE, MATCONVNET, TORCHVISION
from scratchnet.models.small_vgg import UNITS
from scratchnet.models.vgg import POOLS
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess, Standardise
from scratchnet.optimizers import OPTIMIZERS, Adam
from scratchnet.presets import FIVE, PRESETS, Preset
from scratchnet.style_costs import CONTENT
from tests.drawn_weights import drawn

EVERY = pytest.mark.parametrize("name", PRESETS)


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parent / "reference" / "presets.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def networks(reference):
    """pool -> VGG-19 in float64 with the drawn weights, as they are for BGR and turned for RGB: {("max", "BGR"): network, ...}"""
    own = models.vgg19()
    weights = drawn({name: p.shape[::-1] if p.ndim == 1 else (p.shape[3], p.shape[2], 3, 3) for name, p in own.params.items()},
                    int(reference["seed"]))
    bgr = {name: w.transpose(2, 3, 1, 0) if w.ndim == 4 else w for name, w in weights.items()}
    rgb = {**bgr, "conv1_1.W": bgr["conv1_1.W"][:, :, ::-1]}
    made = {}
    for pool in POOLS:
        layers = {name: POOLS[pool]() if name.startswith("pool") else layer for name, layer in own.layers.items()}
        made[pool, "BGR"] = Network({**layers, "input": Preprocess(**CAFFE)}).with_params(bgr, frozen=True)
        made[pool, "RGB"] = Network({**layers, "input": Preprocess(**TORCHVISION)}).with_params(rgb, frozen=True)
    return made


def picture(reference, name):
    return reference[name][None] / 255.0


def cost_of(name, reference, networks):
    """The preset's TotalCost on the pictures of the reference, and their G."""
    C, G = picture(reference, "C"), picture(reference, "G")
    S = picture(reference, "S_other" if name in ("gatys", "neural-style") else "S")
    preset = PRESETS[name] if name == "lecture" else PRESETS[name].fitted(C.shape)         # its alpha there is that of 100x100
    net = networks[preset.pool, "RGB" if name == "pytorch-tutorial" else "BGR"]
    return style.TotalCost(preset.prepared(net), C, S, **preset.settings()), G


# ---- J and its gradient --------------------------------------------------------------------------------------------------

@EVERY
def test_j_and_its_gradient_are_those_of_the_program(name, reference, networks):
    cost, G = cost_of(name, reference, networks)
    step, dG = cost(G)
    of_tv = 0.0
    if cost.tv:                                       # the program does not count it, and ours has more of it: see below
        alone = style.TotalCost(cost.net, picture(reference, "C"), picture(reference, "S_other"), **{**PRESETS[name].settings(), "tv": 0.0})
        of_tv, dG = cost.tv * step.J_tv, alone(G)[1]
    truth = {key: reference[f"{name}/{key}"] for key in ("J", "J_content", "J_style", "J_layer", "dJ_dy", "unit")}
    assert step.J - of_tv == pytest.approx(truth["J"], rel=1e-6)
    assert step.J_content == pytest.approx(truth["J_content"], rel=1e-7) and step.J_style == pytest.approx(truth["J_style"], rel=1e-7)
    assert np.allclose(list(step.per_layer.values()), truth["J_layer"], rtol=1e-7, atol=0)
    dJ_dx = truth["unit"] * truth["dJ_dy"].astype(np.float64)
    assert np.abs(dG[0] - dJ_dx).max() < 1e-6 * np.abs(dJ_dx).max()


def test_total_variation_of_neural_style_is_ours_but_for_the_last_row_and_column(reference, networks):
    cost, G = cost_of("neural-style", reference, networks)
    step, dG = cost(G)
    without = style.TotalCost(cost.net, picture(reference, "C"), picture(reference, "S_other"),
                              **{**PRESETS["neural-style"].settings(), "tv": 0.0})(G)[1]
    ours, theirs = (dG - without)[0], 256 * reference["neural-style/tv_dy"].astype(np.float64)
    assert np.allclose(ours[:-2, :-2], theirs[:-2, :-2], rtol=0, atol=1e-6 * np.abs(theirs).max())
    assert not np.allclose(ours[-2:], theirs[-2:], rtol=1e-2) and not np.allclose(ours[:, -2:], theirs[:, -2:], rtol=1e-2)
    y = 256 * G[0]
    assert cost.tv * step.J_tv == pytest.approx(1e-3 / 2 * (np.sum(np.diff(y, axis=0) ** 2) + np.sum(np.diff(y, axis=1) ** 2)), rel=1e-12)


# ---- conversions -----------------------------------------------------------------------------------------------------------

def test_course_1_steps_as_adam_does_on_pixels_of_0_to_255():
    x, y = np.array([0.2, 0.5, 0.9]), 255 * np.array([0.2, 0.5, 0.9])
    ours, theirs = Adam(**PRESETS["course-1"].rates), Adam(learning_rate=2.0, epsilon=1e-8)
    target = 255 * np.array([0.21, 0.1, 0.9001])
    for _ in range(20):
        x, _ = ours.step(lambda x: (0.5 * 1e-9 * np.sum((255 * x - target) ** 2), 1e-9 * 255 * (255 * x - target)), x)
        y, _ = theirs.step(lambda y: (0.5 * 1e-9 * np.sum((y - target) ** 2), 1e-9 * (y - target)), y)
    assert np.allclose(255 * x, y, rtol=1e-12, atol=0)


def test_total_variation_grows_with_the_pixels_as_a_sum_does():
    assert PRESETS["neural-style"].fitted((1, 30, 70, 3)).tv == pytest.approx(32.768 * 30 * 70, rel=1e-12)
    assert PRESETS["neural-style"].fitted((1, 512, 512, 3)) == PRESETS["neural-style"]


def test_the_lectures_step_is_as_long_in_a_picture_of_any_size():
    """Where filters see one pixel each, four times the same picture side by side must move as one does."""
    rng = np.random.default_rng(0)
    net = Network({"conv": Conv2D(3, 4, f=1, rng=rng), "relu": ReLU(), "conv2": Conv2D(4, 4, f=1, rng=rng), "relu2": ReLU()})
    net = net.astype(np.float64)
    C, S, G = rng.random((3, 1, 6, 5, 3))
    moves = []
    for tiles in (1, 2):
        C_, G_ = (np.tile(x, (1, tiles, tiles, 1)) for x in (C, G))
        preset = PRESETS["lecture"].fitted(C_.shape)
        settings = {**preset.settings(), "content_layer": "relu2", "lam": {"relu": 1e-3, "relu2": 1e-3}, "alpha": 100 * preset.alpha}
        moves.append(preset.rates["learning_rate"] * style.TotalCost(net, C_, S, **settings)(G_)[1])
    assert np.allclose(moves[1], np.tile(moves[0], (1, 2, 2, 1)), rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", ["lecture", "course-1", "gatys", "neural-style"])
def test_units_make_up_for_activations_divided_by_them(name):
    """A network whose convolutions are divided by u has u times smaller activations there, and must cost the same."""
    rng = np.random.default_rng(1)
    u = {"relu1_1": 3.0, "relu4_2": 5.0}
    conv, relu = Conv2D(3, 4, rng=rng), ReLU()
    net = Network({"relu1_1": conv, "relu4_2": relu}).astype(np.float64)          # "relu1_1" has no kink here, and no matter
    small = net.with_params({key: p / u["relu1_1"] for key, p in net.params.items()})
    C, S, G = rng.random((3, 1, 6, 5, 3))
    preset = Preset("", **{**PRESETS[name].settings(), "lam": {"relu1_1": 0.3}, "content_layer": "relu1_1", "tv": 0.0})
    J = [style.TotalCost(n, C, S, **p.settings())(G)[0].J for n, p in ((net, preset), (small, preset.fitted(C.shape, u)))]
    assert J[1] == pytest.approx(J[0], rel=1e-12)


@pytest.mark.real
def test_units_of_the_small_network(data_folder):
    """VGG-19's activations over the small network's, by least squares over 10 photographs: within 5 % of what is written down."""
    teacher = models.vgg19(data_folder / "weights/vgg19_conv.npz").freeze(until="relu5_1")
    student, sums = models.small_vgg().freeze(), {l: np.zeros(2) for l in UNITS}
    for path in sorted((data_folder / "photos").glob("*.jpg"))[::100]:
        x = images.load(path, size=192)
        theirs, ours = (net.forward(x, keep=[*UNITS], until="relu5_1")[0] for net in (teacher, student))
        for l in UNITS:
            sums[l] += np.vdot(ours[l], theirs[l]), np.vdot(ours[l], ours[l])
    assert {l: both / own for l, (both, own) in sums.items()} == pytest.approx(UNITS, rel=0.05)


# ---- the input layer ---------------------------------------------------------------------------------------------------------

def with_input(**fields):
    return Network({"input": Preprocess(**fields), "conv": Conv2D(3, 2), "relu": ReLU()}, name="some")


@pytest.mark.parametrize("name, weights, expected", [
    ("gatys", CAFFE, CAFFE), ("course-1", MATCONVNET, MATCONVNET), ("pytorch-tutorial", TORCHVISION, TORCHVISION),
    ("lecture", TORCHVISION, TORCHVISION), ("neural-style", CAFFE, {**CAFFE, "scale": 256.0}),
    ("neural-style", TORCHVISION, {**TORCHVISION, "scale": 256 / 255}),
    ("course-2", CAFFE, dict(order="RGB", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)),
    ("course-2", MATCONVNET, dict(order="BGR", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3))])
def test_the_input_layer_is_the_programs_for_any_weights(name, weights, expected):
    net = with_input(**weights)
    prepared = PRESETS[name].prepared(net)
    assert prepared.layers["input"].describe() == Preprocess(**expected).describe()
    assert net.layers["input"].describe()["scale"] == weights["scale"] and prepared.name == "some"
    assert all(np.shares_memory(prepared.params[key], p) for key, p in net.params.items())


def test_weights_for_bgr_and_for_rgb_see_the_same_picture_in_course_2():
    """The same filters as Caffe's file and as MatConvNet's: the program swaps red and blue for both."""
    caffe = with_input(**CAFFE)
    turned = {**caffe.params, "conv.W": caffe.params["conv.W"][:, :, ::-1]}
    matconvnet = Network({**caffe.layers, "input": Preprocess(**MATCONVNET)}).with_params(turned)
    x = np.random.default_rng(0).random((1, 4, 5, 3)).astype(np.float32)
    a, b = (PRESETS["course-2"].prepared(net).forward(x)[0]["relu"] for net in (caffe, matconvnet))
    c = Network({**caffe.layers, "input": Preprocess(order="BGR")}).forward(x)[0]["relu"]
    assert np.allclose(a, b, atol=1e-6) and not np.allclose(a, c)


@EVERY
def test_a_network_that_prepares_pictures_otherwise_is_refused(name):
    with pytest.raises(ShapeError, match=r"the first layer is Standardise.*expected a Preprocess"):
        PRESETS[name].prepared(Network({"input": Standardise(), "conv": Conv2D(3, 2)}))


# ---- the table ---------------------------------------------------------------------------------------------------------------

@EVERY
def test_every_preset_speaks_of_what_exists(name):
    preset = PRESETS[name]
    assert preset.optimizer in OPTIMIZERS and preset.noise in style.NOISE and preset.start in style.STARTS
    assert preset.normalise in CONTENT and preset.pool in POOLS and preset.source and preset.words.endswith(".")
    OPTIMIZERS[preset.optimizer](**preset.rates)
    for l in (preset.content_layer, *preset.lam):
        models.vgg19().known(l)


@EVERY
def test_a_run_can_be_made_of_every_preset(name):
    """As the module's docstring says, on a network that has all layers in name."""
    layers = {"input": Preprocess(**CAFFE)}
    for i, block in enumerate(("1_1", "1_2", "2_1", "2_2", "3_1", "4_1", "4_2", "5_1", "5_4")):
        layers |= {f"conv{block}": Conv2D(3 if i == 0 else 4, 4, rng=np.random.default_rng(i)), f"relu{block}": ReLU()}
    C, S = np.random.default_rng(0).random((2, 1, 20, 24, 3)).astype(np.float32)
    preset = PRESETS[name].fitted(C.shape)
    steps = list(style.transfer(preset.prepared(Network(layers)), C, S, steps=2, start=preset.start, mix=preset.mix, noise=preset.noise,
                                clip=preset.clip, optimizer=OPTIMIZERS[preset.optimizer](**preset.rates), **preset.settings()))
    assert len(steps) == 3 and all(np.isfinite(step.J) for step in steps)


@EVERY
def test_fitting_changes_a_copy_and_the_table_stays(name):
    before = repr(PRESETS[name])
    fitted = PRESETS[name].fitted((1, 40, 30, 3))
    fitted.lam["relu1_1"] = fitted.rates["learning_rate"] = 7.0
    fitted.settings()["lam"].clear()
    assert repr(PRESETS[name]) == before


def test_layers_that_a_small_network_lacks_are_named():
    for name, layers in (("course-2", "relu5_4"), ("pytorch-tutorial", "conv2_2, conv1_1")):
        with pytest.raises(ShapeError, match=f"the preset wants {layers}.*does not imitate.*--weights vgg19"):
            PRESETS[name].fitted((1, 40, 30, 3), UNITS)


def test_options_carry_the_names_of_the_command_line():
    options = PRESETS["course-1"].options()
    assert options["style_layers"] == dict.fromkeys(FIVE, 0.2) and options["learning_rate"] == 2 / 255 and options["pool"] == "avg"
    assert "learning_rate" not in PRESETS["gatys"].options()
    parser = argparse.ArgumentParser()
    style_options.add_arguments(parser)
    known = vars(parser.parse_args([]))
    assert all(set(preset.options()) <= set(known) for preset in PRESETS.values())


# ---- the lecture's own, which nobody has published -----------------------------------------------------------------------------

def test_the_lectures_descent_from_white_noise_goes_down_in_the_small_network():
    C, S = images.sample_photograph(64), swirling_sky(48, 64, 0)
    preset = PRESETS["lecture"].fitted(C.shape, UNITS)
    steps = list(style.transfer(models.small_vgg(), C, S, steps=60, start=preset.start, noise=preset.noise, clip=preset.clip,
                                optimizer=OPTIMIZERS[preset.optimizer](**preset.rates), **preset.settings()))
    J = [step.J for step in steps]
    assert J[60] < 0.1 * J[0] and all(later < earlier for earlier, later in zip(J, J[1:]))
