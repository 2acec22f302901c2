"""Painted for real: a photograph in the style of a painting, by VGG-19, small and short, and judged by numbers."""

import numpy as np
import pytest

from benchmarks.style_quality import judge
from scratchnet import images, models, style
from tests.peak_memory import numbers_of


@pytest.mark.real
def test_tuebingen_takes_on_the_starry_night(data_folder, tmp_path):
    C = images.load(data_folder / "pictures/content/tubingen.jpg", 128)
    S = images.load(data_folder / "pictures/style/starry_night.jpg", 128)
    net = models.vgg19(data_folder / "weights/vgg19_conv.npz").freeze()
    before = {name: W.copy() for name, W in net.params.items()}
    steps = list(style.transfer(net, C, S, steps=25))
    images.save(tmp_path / "painted.png", steps[-1].G)
    photograph, painted = judge(net, C, C, S), judge(net, tmp_path / "painted.png", C, S)
    assert photograph["content"] == 0 and photograph["style"] > 0.3
    assert painted["style"] < 0.3 * photograph["style"] and painted["content"] < 0.6
    assert all(np.array_equal(before[name], W) for name, W in net.params.items())


@pytest.mark.real
def test_the_estimate_of_memory_holds(data_folder):
    """Within 25 % of what the system counted."""
    estimate, measured = numbers_of(
        "import numpy as np; from scratchnet import forecast, models, style; "
        "C = np.random.default_rng(0).random((1, 300, 400, 3), np.float32); "
        "net = models.vgg19(sys.argv[1]).freeze(); cost = style.TotalCost(net, C, C); cost(C); cost(C); "
        "print(forecast.memory(net, C.shape) / 2 ** 20, peak())", data_folder / "weights/vgg19_conv.npz")
    assert 0.75 * measured <= estimate <= 1.25 * measured, (estimate, measured)
