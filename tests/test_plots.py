"""A figure is right when its file is there whole, nothing in it is cut or overlaps, and nothing outside it has changed."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from scratchnet import plots
from scratchnet.errors import ImageError, NumericsError, ShapeError

rng = np.random.default_rng(7)
LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]


def steps(n=6, layers=LAYERS):
    for i in range(n):
        per_layer = {l: (k + 1) * 10. ** (3 - i / 2) for k, l in enumerate(layers)}
        J_style = sum(per_layer.values())
        yield dict(i=10 * i, J=40. * i + 2 * J_style, J_content=40. * i, J_style=J_style, per_layer=per_layer)


FIGURES = {
    "sheet": lambda path: plots.contact_sheet(path, rng.uniform(size=(5, 40, 60, 3)), ["S", "C", "G", "one with a longer name", "αβλ"]),
    "costs": lambda path: plots.cost_curves(path, steps(), 1, 2, dict.fromkeys(LAYERS, 1)),
    "gram": lambda path: plots.gram_heatmap(path, np.eye(8)),
    "grams": lambda path: plots.gram_heatmap(path, 1e9 * np.eye(8), rng.normal(size=(8, 8)), title="a title " * 9),
    "errors": lambda path: plots.error_curve(path, {"float64": [(1e-3, 1e-6), (1e-5, 1e-9)], "float32": [(1e-3, 1e-3)]}),
    "grid": lambda path: plots.grid(path, [np.eye(3), rng.normal(size=(5, 4))], ["filter W", "gradient ∂J/∂W"], signs=["="]),
}


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")) / 255


def figure_of(monkeypatch, draw):
    """The figure that a function is about to save."""
    kept = []
    monkeypatch.setattr(plots, "_save", lambda fig, path: (fig.canvas.draw(), kept.append(fig)))
    draw("unused.png")
    return kept[0]


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
    fig = figure_of(monkeypatch, FIGURES[name])
    texts = fig.texts + [text for ax in fig.axes for text in (*ax.texts, ax.xaxis.label, ax.yaxis.label)]
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            texts += [side for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high for side in (tick.label1, tick.label2)]
    boxes = [text.get_window_extent().padded(-1) for text in texts if text.get_text().strip() and text.get_visible()]
    for k, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:k])


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
    monkeypatch.setattr(plots.Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="No space"):
        plots.gram_heatmap(path, np.eye(2))
    assert path.read_bytes() == b"the old figure" and len(list(tmp_path.iterdir())) == 1


def test_the_ending_chooses_the_format(tmp_path):
    assert plots.gram_heatmap(tmp_path / "g.svg", np.eye(2)).read_text(encoding="utf-8").startswith("<?xml")
    assert plots.gram_heatmap(str(tmp_path / "g"), np.eye(2)).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ImageError, match="cannot be drawn"):
        plots.gram_heatmap(tmp_path / "g.txt", np.eye(2))
    assert plots.gram_heatmap(tmp_path / "new" / "g.png", np.eye(2)).exists()


# ---------------------------------------------------------------------------------------------------------------- contact_sheet

def positions(sheet, picture):
    """Where in the sheet the picture is, pixel for pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape[:2], axis=(0, 1))
    return np.argwhere((abs(windows - np.moveaxis(picture, 2, 0)) < 1e-6).all(axis=(2, 3, 4)))


@pytest.mark.parametrize("columns", [None, 1, 2, 9])
def test_pictures_keep_every_pixel(columns, tmp_path):
    pictures = [np.round(rng.uniform(size=(h, w, 3)) * 255) / 255 for h, w in ((5, 7), (13, 4), (11, 11), (1, 1), (6, 30))]
    pictures[3][:] = (1, 0, 1)
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [*pictures[:4], pictures[4][None].astype(np.float32)], list("abcde"), columns))
    found = [positions(sheet, picture) for picture in pictures]
    assert [len(places) for places in found] == [1, 1, 1, 1, 1]
    assert len({left for (_, left), in found}) == {None: 3, 1: 1, 2: 2, 9: 5}[columns]


def test_a_large_sheet_is_scaled_down_and_no_other(tmp_path):
    pictures = np.full((4, 300, 700, 3), .5)
    large = read(plots.contact_sheet(tmp_path / "l.png", pictures, list("abcd"), columns=4))
    assert 1900 < large.shape[1] <= 2000
    wide = read(plots.contact_sheet(tmp_path / "w.png", pictures[:2], list("ab"), columns=2))
    assert wide.shape[1] == 2 * 700 + 3 * 16


def test_a_sheet_that_is_wide_by_its_titles_does_not_shrink_its_pictures(tmp_path):
    picture = np.round(rng.uniform(size=(8, 8, 3)) * 255) / 255
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [picture] * 24, ["a title"] * 24, columns=24))
    assert len(positions(sheet, picture)) == 24


def test_a_title_longer_than_its_picture_is_wrapped_and_a_dollar_is_a_dollar(monkeypatch):
    titles = ["from $5 to $9 in twenty steps", "x" * 60]
    fig = figure_of(monkeypatch, lambda path: plots.contact_sheet(path, np.zeros((2, 9, 9, 3)), titles))
    first, second = (text.get_text() for text in fig.texts)
    assert "\n" in first and first.replace("\n", " ") == titles[0]
    assert "\n" in second and second.replace("\n", "") == titles[1]


def test_values_beyond_the_range_are_clipped_and_pictures_not_changed(tmp_path):
    picture = np.array([[[-3., .5, 7.]]])
    sheet = read(plots.contact_sheet(tmp_path / "s.png", [picture], ["one"]))
    assert len(positions(sheet, np.array([[[0, 128 / 255, 1]]]))) + len(positions(sheet, np.array([[[0, 127 / 255, 1]]]))) == 1
    assert np.array_equal(picture, [[[-3., .5, 7.]]])


@pytest.mark.parametrize("pictures, titles, columns, error, words", [
    ([], [], None, ShapeError, "no pictures"),
    ([np.zeros((2, 2, 3))], ["a", "b"], None, ShapeError, "2 titles for 1 pictures"),
    ([np.zeros((2, 2, 3))], ["a"], 0, ShapeError, "0 columns"),
    ([np.zeros((2, 2))], ["a"], None, ImageError, r"picture 0 has shape \(2, 2\)"),
    ([np.zeros((2, 2, 2, 3))], ["a"], None, ImageError, r"expected \(1, n_H, n_W, 3\)"),
    ([np.zeros((0, 2, 3))], ["a"], None, ImageError, "shape"),
    ([np.zeros((2, 2, 3), np.uint8)], ["a"], None, ImageError, "divide bytes by 255"),
    ([np.full((2, 2, 3), np.nan)], ["a"], None, NumericsError, "NaN in 4 of its pixels"),
])
def test_a_sheet_refuses_what_is_no_picture(pictures, titles, columns, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.contact_sheet(tmp_path / "s.png", pictures, titles, columns)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------------------- curves

def test_costs_carry_their_weights_and_shares(monkeypatch):
    history = [dict(i=0, J=1., J_content=0., J_style=1., per_layer={"relu1_1": 1.}),
               dict(i=1, J=2 * 3. + 4 * .5 * 7., J_content=3., J_style=3.5, per_layer={"relu1_1": 7.})]
    fig = figure_of(monkeypatch, lambda path: plots.cost_curves(path, history, 2, 4, {"relu1_1": .5}))
    content, style, J = fig.axes[0].lines
    assert list(content.get_ydata()) == [6.] and list(style.get_ydata()) == [2., 14.] and list(J.get_ydata()) == [1., 20.]
    assert J.get_linewidth() > 1.5 * style.get_linewidth()
    assert {"α J_content  30 %", "β λ J_style[relu1_1]  70 %", "J = 20"} <= {text.get_text() for text in fig.texts}


def test_steps_may_be_objects_and_a_generator(tmp_path):
    objects = (SimpleNamespace(**step) for step in steps())
    one = read(plots.cost_curves(tmp_path / "o.png", objects, 1, 2, dict.fromkeys(LAYERS, 1)))
    two = read(plots.cost_curves(tmp_path / "d.png", list(steps()), 1, 2, dict.fromkeys(LAYERS, 1)))
    assert one.shape == (560, 900, 3) and np.array_equal(one, two)


@pytest.mark.parametrize("n, layers", [(1, LAYERS), (2, LAYERS[:1]), (4, [f"relu{k}_1" for k in range(16)]), (3, [])])
def test_names_at_the_ends_stay_apart_and_on_the_page(n, layers, monkeypatch):
    history = list(steps(n, layers))
    for step in history:
        step["per_layer"] = dict.fromkeys(layers, 5.)                               # all curves the same: the worst case
    fig = figure_of(monkeypatch, lambda path: plots.cost_curves(path, history, 1, 1, dict.fromkeys(layers, 1)))
    boxes = [text.get_window_extent() for text in fig.texts]
    assert len(boxes) == 2 + 1 + len(layers) + (n > 1) - (n == 1 and not layers)
    for k, box in enumerate(boxes):
        assert box.x1 <= 900 and box.y0 >= 0 and not any(box.padded(-2).overlaps(other.padded(-2)) for other in boxes[:k])


def test_a_run_that_diverged_is_still_drawn(tmp_path):
    history = list(steps())
    history[-1].update(J=np.nan, J_content=np.inf)
    assert plots.cost_curves(tmp_path / "c.png", history, 1, 1, {"relu1_1": 1}).exists()


@pytest.mark.parametrize("history, lam, error, words", [
    ([], {}, ShapeError, "no steps"),
    (steps(), {"relu9_9": 1}, ShapeError, "relu9_9, but the history has relu1_1"),
    ([{"i": 0}], {}, ShapeError, "has no J;"),
    ([dict(i=0, J=0, J_content=0, per_layer={})], {}, NumericsError, "positive"),
])
def test_costs_refuse_what_is_no_history(history, lam, error, words, tmp_path):
    with pytest.raises(error, match=words):
        plots.cost_curves(tmp_path / "c.png", history, 1, 1, lam)


@pytest.mark.parametrize("curves, error", [({}, ShapeError), ({"a": []}, ShapeError), ({"a": [(1e-3, 0.)]}, NumericsError)])
def test_error_curves_refuse_emptiness(curves, error, tmp_path):
    with pytest.raises(error):
        plots.error_curve(tmp_path / "e.png", curves)


def test_error_curves_go_from_large_h_to_small(monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.error_curve(path, {"a": [(1e-5, 1e-9), (1e-1, 1e-2), (1e-3, 1e-6)]}))
    ax = fig.axes[0]
    assert list(ax.lines[0].get_xdata()) == [1e-1, 1e-3, 1e-5] and ax.xaxis_inverted()
    assert ax.get_xscale() == ax.get_yscale() == "log"


# ---------------------------------------------------------------------------------------------------------------- matrices

def test_two_style_matrices_share_their_colours_and_show_their_difference(monkeypatch):
    G_S, G_G = np.diag([1., 4.]), np.diag([9., 4.])
    fig = figure_of(monkeypatch, lambda path: plots.gram_heatmap(path, G_S, G_G))
    one, two, more = [ax.images[0] for ax in fig.axes if ax.images]
    assert one.get_clim() == two.get_clim() == (0, 9) and more.get_clim() == (-8, 8)
    assert np.array_equal(more.get_array(), G_G - G_S)


@pytest.mark.parametrize("G_S, G_G, error", [
    (np.zeros((0, 0)), None, ShapeError), (np.zeros((2, 3)), None, ShapeError), (np.zeros(4), None, ShapeError),
    (np.eye(2), np.eye(3), ShapeError), (np.full((2, 2), np.nan), None, NumericsError),
])
def test_a_heatmap_refuses_what_is_no_style_matrix(G_S, G_G, error, tmp_path):
    with pytest.raises(error):
        plots.gram_heatmap(tmp_path / "g.png", G_S, G_G)


def test_a_heatmap_of_zeros_and_one_of_many_channels_are_drawn(tmp_path):
    for path in (plots.gram_heatmap(tmp_path / "zero.png", np.zeros((3, 3)), np.zeros((3, 3))),
                 plots.gram_heatmap(tmp_path / "many.png", np.ones((512, 512), np.float32))):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("array, words", [
    (np.array([[1, -2], [30, 0]]), ["1", "−2", "30", "0"]),
    (np.array([.5, -1.25]), ["0.50", "−1.25"]),
    (np.array([.0123, 1e-9]), ["0.0123", "≈ 0"]),
    (np.array([2e7, 1.]), ["2.0e+07", "1.0e+00"]),
    (np.array([np.nan, 1.]), ["nan", "1"]),
    (np.ones((1, 2, 1, 1), np.float32), ["1", "1"]),
    (np.ones((3, 1, 1, 1)), ["1", "1", "1"]),
    (np.array([[True, False]]), ["1", "0"]),
])
def test_a_grid_writes_the_numbers_as_by_hand(array, words, monkeypatch):
    fig = figure_of(monkeypatch, lambda path: plots.grid(path, [array], ["a"]))
    assert [text.get_text() for text in fig.axes[0].texts] == words


@pytest.mark.parametrize("arrays, titles, signs, words", [
    ([], [], None, "no arrays"),
    ([np.eye(2)], [], None, "0 titles for 1 arrays"),
    ([np.eye(2)] * 2, ["a", "b"], ["*", "="], "2 signs between 2 arrays"),
    ([np.eye(25)], ["a"], None, "at most 24"),
    ([np.zeros((2, 2, 3))], ["a"], None, r"shape \(2, 2, 3\)"),
    ([np.zeros((0, 2))], ["a"], None, "shape"),
])
def test_a_grid_refuses_what_does_not_fit(arrays, titles, signs, words, tmp_path):
    with pytest.raises(ShapeError, match=words):
        plots.grid(tmp_path / "g.png", arrays, titles, signs)
