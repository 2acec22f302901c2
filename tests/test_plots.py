"""A figure is right when its file is there whole, nothing in it is cut or overlaps, and nothing outside it has changed."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from scratchnet import plots
from scratchnet.errors import ImageError
from scratchnet.plots import page
from tests.figures import LAYERS, expect_readable, figure_of, read, steps

rng = np.random.default_rng(7)
FACE = rng.uniform(size=(24, 18, 3))
NINE = [(rng.uniform(size=(8, 5 + n % 4, 3)), 9. - n) for n in range(9)]

FIGURES = {
    "sheet": lambda path: plots.contact_sheet(path, rng.uniform(size=(5, 40, 60, 3)), ["S", "C", "G", "one with a longer name", "αβλ"]),
    "costs": lambda path: plots.cost_curves(path, steps(), 1, 2, dict.fromkeys(LAYERS, 1)),
    "gram": lambda path: plots.gram_heatmap(path, np.eye(8)),
    "grams": lambda path: plots.gram_heatmap(path, 1e9 * np.eye(8), rng.normal(size=(8, 8)), title="a title " * 9),
    "errors": lambda path: plots.error_curve(path, {"float64": [(1e-3, 1e-6), (1e-5, 1e-9)], "float32": [(1e-3, 1e-3)]}),
    "grid": lambda path: plots.grid(path, [np.eye(3), rng.normal(size=(5, 4))], ["filter W", "gradient ∂J/∂W"], signs=["="]),
    "pairs": lambda path: plots.pair_sheet(path, [(FACE, FACE[:9, :, :1], .3, "anna and ben"), (FACE, FACE, .9, "a name " * 9)], .7),
    "identified": lambda path: plots.identify_sheet(path, FACE, [("anna", .9), ("a name " * 9, .3, FACE)], .7),
    "distances": lambda path: plots.distance_histograms(path, np.arange(1, 9) / 8, [1, 1, 1, 0, 1, 0, 0, 0], .5),
    "roc": lambda path: plots.roc_curve(path, {"pixels": ([0, .5, 1], [0, .6, 1], .55), "ours": ([0, 0, .1, 1], [0, .8, 1, 1], .98)}),
    "far_frr": lambda path: plots.far_frr(path, [-np.inf, .2, .4, .9], [0, 0, .5, 1], [1, .4, .2, 0], .4),
    "triplets": lambda path: plots.triplet_plane(path, rng.normal(size=(12, 5)), np.arange(12) % 3, 0, 3, .5, 1),
    "stages": lambda path: plots.encodings_over_time(path, [(k, rng.normal(size=(40, 5)), np.arange(40) % 14) for k in range(3)]),
    "patches": lambda path: plots.patch_sheet(path, [(k, NINE[:k]) for k in range(12)]),
    "layers": lambda path: plots.layer_page(path, [("relu1_1", 3, [(k, NINE) for k in range(9)]), ("a name " * 4, 132, [(1023, NINE)])]),
    "unit": lambda path: plots.unit_sheet(path, "relu3_1", 17, [FACE] * 9, [(0, 2, 9, 8)] * 9, np.arange(9, 0, -1),
                                          {"deconv": [FACE] * 9, "guided": [FACE - .5] * 9}, FACE, [(3, 1e6, NINE)], FACE[:3, :3]),
    "filters": lambda path: plots.filters(path, rng.normal(size=(3, 3, 3, 96))),
    "activations": lambda path: plots.activations(path, rng.normal(size=(1, 9, 12, 40))),
    "views": lambda path: plots.layer_sheet(path, "relu3_1", FACE, (FACE, .3), (FACE, 1e-6), rng.normal(size=(1, 9, 12, 40)), range(9)),
    "fields": lambda path: plots.receptive_fields(path, FACE, {f"relu{n}_1": (9 - n, 9 - n, 12 + n, 11 + n) for n in range(1, 6)}),
    "measured": lambda path: plots.measured_field(path, FACE, (2, 3, 20, 12), FACE[..., 0]),
    "saliency": lambda path: plots.saliency_sheet(path, FACE, {"Grad-CAM": FACE[..., 0], "occlusion, a square of 16": FACE[..., 1] - .5}),
    "pair": lambda path: plots.pair_maps(path, FACE, FACE[:18, :, :1], {"Grad-CAM": FACE[..., 0]}, {"Grad-CAM": -FACE[:18, :, 1]}, .3, .7),
    "pulls": lambda path: plots.pull_sheet(path, [(k, FACE, {"content": FACE - .5, "relu1_1": .5 - FACE}) for k in range(2)]),
    "cell": lambda path: plots.gram_cell(path, "relu3_1", (3, 250), FACE, FACE.T, [[((0, 2, 9, 8), 1.)] * 9] * 3, 1e6, ["a fact " * 9]),
    "reconstructions": lambda path: plots.reconstruction_grid(path, FACE, FACE[:9], [(l, FACE, .3) for l in LAYERS],
                                                              [(LAYERS[:k + 1], FACE[:9], 1e-6) for k in range(5)]),
    "triplet_curves": lambda path: plots.triplet_curves(path, {rule: [dict(i=k, J=1 / k, scores={"active": 9 - k}) for k in range(1, 5)]
                                                               for rule in ("random", "semi-hard")}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_one_whole_file_with_ink_on_it_and_a_white_edge(name, tmp_path):
    path = tmp_path / f"{name}.png"
    assert FIGURES[name](path) == path
    assert [file.name for file in tmp_path.iterdir()] == [path.name]                # no draft is left
    ink = (read(path) < .95).any(axis=2)
    assert .003 < ink.mean() < .95
    assert not (ink[:3].any() or ink[-3:].any() or ink[:, :3].any() or ink[:, -3:].any())


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_or_lies_on_another(name, monkeypatch):
    expect_readable(figure_of(monkeypatch, FIGURES[name]))


def test_figures_change_no_setting_of_matplotlib_and_obey_none(tmp_path):
    FIGURES["gram"](tmp_path / "plain.png")
    settings = lambda: {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
    with matplotlib.rc_context({"savefig.bbox": "tight", "image.origin": "lower", "figure.dpi": 37, "font.size": 31}):
        before = settings()
        for name in FIGURES:
            FIGURES[name](tmp_path / "any.png")
        FIGURES["gram"](tmp_path / "other.png")
        assert settings() == before
    assert np.array_equal(read(tmp_path / "plain.png"), read(tmp_path / "other.png"))


def test_pyplot_is_never_imported(tmp_path):
    code = (f"import sys, numpy as np; from scratchnet import plots; plots.gram_heatmap({str(tmp_path / 'g.png')!r}, np.eye(3));"
            "print('matplotlib.pyplot' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


# ---------------------------------------------------------------------------------------------------------------- files

def test_a_failure_while_writing_keeps_the_old_file_and_leaves_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "g.png"
    path.write_bytes(b"the old figure")

    def full_disk(fig, draft, **_):
        draft.write(b"half")
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(page.Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="No space"):
        plots.gram_heatmap(path, np.eye(2))
    assert path.read_bytes() == b"the old figure" and len(list(tmp_path.iterdir())) == 1


def test_the_ending_chooses_the_format(tmp_path):
    assert plots.gram_heatmap(tmp_path / "g.svg", np.eye(2)).read_text(encoding="utf-8").startswith("<?xml")
    assert plots.gram_heatmap(str(tmp_path / "g"), np.eye(2)).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ImageError, match="cannot be drawn"):
        plots.gram_heatmap(tmp_path / "g.txt", np.eye(2))
    assert plots.gram_heatmap(tmp_path / "new" / "g.png", np.eye(2)).exists()
