"""Memory is known before the work begins."""

import tracemalloc

import numpy as np
import pytest

from scratchnet import forecast, models, style
from scratchnet.activations import ReLU
from scratchnet.errors import ShapeError
from scratchnet.layers import Conv2D
from scratchnet.network import Network
from tests.peak_memory import numbers_of
from tests.tiny_painting import NET, C, picture


def test_memory_of_vgg19_is_within_sight_of_what_is_known():
    net = models.vgg19()
    small, large = [forecast.memory(net, (1, *size, 3)) / 2 ** 20 for size in ((150, 200), (300, 400))]
    assert 250 < small < large and 400 < large < 900                   # PyTorch: 770 to 870 MB at 300x400
    shallow = forecast.memory(net, (1, 300, 400, 3), content_layer="relu1_1", lam={"relu1_1": 1}) / 2 ** 20
    assert shallow < large - 49                                        # the parameters to conv5_1 alone are 49.4 MB


def test_memory_counts_all_that_a_step_takes():
    """Many channels on a small picture: what the filters need decides."""
    rng = np.random.default_rng(0)
    net = Network({"conv1": Conv2D(3, 512, rng=rng), "relu1": ReLU(), "conv2": Conv2D(512, 512, rng=rng), "relu2": ReLU(),
                   "conv3": Conv2D(512, 512, rng=rng), "relu3": ReLU(), "conv4": Conv2D(512, 512, rng=rng), "relu4": ReLU()}).freeze()
    C, settings = picture(0, 16, 16), dict(content_layer="relu4", lam={"relu1": 1})
    tracemalloc.start()
    style.TotalCost(net, C, C, **settings)(C)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parameters = sum(p.nbytes for p in net.params.values())
    assert parameters + peak <= forecast.memory(net, C.shape, **settings) - forecast.PROGRAM


def test_memory_refuses_an_unknown_layer_in_words():
    with pytest.raises(ShapeError, match="did you mean 'relu2'"):
        forecast.memory(NET, C.shape, content_layer="relu_2", lam={"relu1": 1})


@pytest.mark.parametrize("strip", ["None", 192])
def test_a_step_takes_no_more_than_was_said(strip):
    """What one strip had at work is free for the next, also where no range of it is as large as what the next asks for."""
    taken, said = numbers_of("import numpy as np; from scratchnet import forecast, models, style; "
                             "net = models.vgg19().freeze(until='relu5_1'); C = np.full((1, 480, 640, 3), 0.5, np.float32); "
                             f"strip = {strip}; cost = style.TotalCost(net, C, C, strip=strip); cost(C); "
                             "print(peak(), forecast.memory(net, C.shape, strip=strip) / 2 ** 20)")
    assert taken < said


def test_a_painting_larger_than_the_photograph_counts_and_goes_in_strips_alone():
    net, C, S = models.vgg19(), (1, 128, 128, 3), (1, 1536, 1536, 3)
    small, large = forecast.memory(net, C), forecast.memory(net, C, styles=[S])
    assert large > 3 * small and large > forecast.memory(net, C, styles=[S], strip=384)
    rows = forecast.strip_within(large - 1, net, C, styles=[S])
    assert 128 <= rows < 1536 and forecast.work_of_strips(net, C, "relu4_2", {"relu5_1": 1}, rows) == 1
