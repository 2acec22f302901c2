"""The sheets of sweeps say what their pictures share, and refuse numbers that tell another story."""

import numpy as np
import pytest

from benchmarks import sweeps
from scratchnet import datasets, models
from scratchnet.style import STYLE_LAYERS, Step
from tests.figures import figure_of


def found(J_content, J_style, per_layer=None):
    """{title: Step} with these costs."""
    per_layer = [{}] * len(J_content) if per_layer is None else per_layer
    return {f"picture {k}": Step(0, None, 0.0, *costs) for k, costs in enumerate(zip(J_content, J_style, per_layer))}


def layers(own):
    """What the pictures for one layer each, and the last for all, cost at each layer: `own` at their own."""
    rows = np.full((6, 5), 0.5)
    np.fill_diagonal(rows, own)
    rows[5] = 0.15
    return [dict(zip(STYLE_LAYERS, row)) for row in rows]


BEFORE = Step(0, None, 0.0, 2.0, 1.0, dict.fromkeys(STYLE_LAYERS, 1.0))
GOOD = {
    "ratio":  found([1.1, 0.9, 0.5, 0.1, 0.01, 0.003], [0.01, 0.02, 0.1, 0.5, 0.9, 1.0]),
    "lambda": found([0.1] * 6, [0.5] * 6, layers(0.1)),
    "halves": found([0.05, 1.5], [0.5, 0.01]),
}
BAD = {
    "J_content falls":          ("ratio", found([1.1, 0.9, 0.94, 0.1, 0.01, 0.003], [0.01, 0.02, 0.1, 0.5, 0.9, 1.0])),
    "J_style falls":            ("ratio", found([1.1, 0.9, 0.5, 0.1, 0.01, 0.003], [0.01, 0.02, 0.1, 0.05, 0.9, 1.0])),
    "below a twentieth":        ("ratio", found([0.5] * 6, [0.01, 0.02, 0.1, 0.5, 0.9, 1.0])),
    "below a fifth of":         ("ratio", found([1.1, 0.9, 0.5, 0.1, 0.01, 0.003], [0.9] * 6)),
    "above four fifths":        ("ratio", found([1.1, 0.9, 0.5, 0.1, 0.01, 0.003], [0.1] * 6)),
    "nearest to S at relu1_1":  ("lambda", found([0.1] * 6, [0.5] * 6, layers(0.6))),
    "in the mean of all":       ("lambda", found([0.1] * 6, [0.5] * 6, [*layers(0.1)[:5], dict.fromkeys(STYLE_LAYERS, 0.9)])),
    "without beta":             ("halves", found([0.5, 1.5], [0.5, 0.01])),
    "without alpha J_style":    ("halves", found([0.05, 1.5], [0.5, 0.2])),
    "without alpha J_content":  ("halves", found([0.05, 0.1], [0.5, 0.01])),
}


@pytest.mark.parametrize("name", sweeps.SWEEPS)
def test_a_sheet_agrees_with_numbers_as_they_should_be(name):
    sweeps.CHECKS[name](GOOD[name], BEFORE)


@pytest.mark.parametrize("words", BAD)
def test_a_sheet_refuses_numbers_that_tell_another_story(words):
    name, numbers = BAD[words]
    with pytest.raises(AssertionError, match=f"not so: .*{words}"):
        sweeps.CHECKS[name](numbers, BEFORE)


@pytest.mark.parametrize("name", sweeps.SWEEPS)
def test_a_sheet_says_what_all_of_its_pictures_share(name, monkeypatch):
    C, S, sweep = datasets.rings(32, 48), datasets.stripes(32, 32), sweeps.SWEEPS[name]
    painted = sweeps.paint(models.small_vgg().freeze(until="relu5_1"), C, S, 2, sweep)
    assert len({picture.tobytes() for picture in painted.values()}) == len(painted) == len(sweep.single)
    costs = {title: Step(1, None, 0.0, k + 0.25, k + 0.5, {}) for k, title in enumerate(painted)}
    fig = figure_of(monkeypatch, lambda path: sweeps.draw(path, C, S, painted, costs, sweep, 2, "a network"))
    title, subtitle, *titles = (text.get_text() for text in fig.texts)
    assert title == sweep.title and "2 steps of L-BFGS" in subtitle and ("noise" if name == "halves" else "from C") in subtitle
    assert [words.split()[-3::2] for words in titles[2:]] == [[f"{k + 0.25}", f"{k + 0.5}"] for k in range(len(painted))]
