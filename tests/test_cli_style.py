"""`style` as people type it: several styles and regions, sizes, strips, what is drawn, and runs that are stopped, killed, gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from scratchnet import images, readers
from scratchnet.__main__ import main
from scratchnet.cli.style_folder import is_stage
from scratchnet.models.small_vgg import UNITS
from scratchnet.presets import PRESETS

SMALL = ["style", "--size", "48"]


def style(*words):
    """The exit code of the command, on pictures of 48 pixels."""
    return main([*SMALL, *map(str, words)])


def card(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.fixture
def picture(tmp_path):
    """The path of a small photograph, 60 x 80."""
    path = tmp_path / "photo.png"
    images.save(path, images.resize(images.sample_photograph(), (60, 80)))
    return path


# ------------------------------------------------------------------------------------------------- pictures and settings


def test_several_styles_with_weights_sizes_and_masks(picture, tmp_path):
    mask = tmp_path / "mask.png"
    Image.fromarray(np.repeat([[255, 0]], 30, axis=0).astype(np.uint8)).resize((80, 60), Image.Resampling.NEAREST).save(mask)
    assert style("--content", picture, "--style", picture, picture, "--style-weights", "2,1", "--style-size", 32, 64, "--mask", mask, "-",
                 "--steps", 2, "--out", tmp_path / "run") == 0
    made = card(tmp_path / "run")
    assert made["sizes"] == {"C": [36, 48], "S": [[24, 32], [48, 64]]} and made["settings"]["style_weights"] == [2, 1]


def test_a_style_may_be_given_again_instead_of_beside_the_other(picture, tmp_path):
    assert style("--style", picture, "--style", picture, "--steps", 0, "--out", tmp_path / "run") == 0
    assert len(card(tmp_path / "run")["sizes"]["S"]) == 2


@pytest.mark.parametrize("words, said", [
    (["--style", "{photo}", "{photo}", "--style-weights", "1,2,3"], "--style-weights has 3 values for 2 styles; expected one for each."),
    (["--style", "{photo}", "--mask", "{photo}", "{photo}"], "--mask has 2 values for 1 style; expected one"),
    (["--optimizer", "lbfgs", "--learning-rate", "1"], "lbfgs finds its step itself"), (["--history", "5"], "only lbfgs remembers pairs"),
    (["--scales", "24", "--steps", "50"], "--steps 50: the coarse scales 24 take 100 of them"), (["--scales", "64"], "below 48"),
    (["--start", "{photo}.nothing"], "No image at"), (["--gram", "relu1_1:3,999"], "there is no 999"),
    (["--gram", "relu9_1"], "unknown layer 'relu9_1'"),
    (["--style", "{photo}", "--size", "1600", "--scales", "none", "--memory", "0.2"], "does not fit into 0.2 GB of memory, in strips"),
    (["--style-size", "1600", "--memory", "0.25"], "a picture of 1200x1600 does not fit into 0.25 GB")])
def test_what_cannot_be_is_said_before_anything_is_written(words, said, picture, tmp_path, capsys):
    assert style(*(word.format(photo=picture) for word in words), "--out", tmp_path / "run") == 1
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_d3_a_folder_that_cannot_be_is_said_with_the_way_out(picture, capsys):
    for out, why in ((picture, "it is a file"), (picture / "run", "Not a directory")):
        assert style("--steps", 1, "--out", out) == 1
        assert f"'{out}' cannot be the folder of a run: {why}. Give another by --out." in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--size", "10x"], ["--size", "1x2x3"], ["--scales", "a"], ["--gram", "relu1_1:3"], ["--memory", "0"],
                                   ["--optimizer", "sgd"], ["--preset", "none"], ["--style-weights", "1,-1"], ["--every", "0"]])
def test_misspelt_options_are_refused_by_argparse(words, capsys):
    with pytest.raises(SystemExit) as stop:
        style(*words)
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 2                       # thirty options need not be listed


def test_a_size_of_two_sides_is_cut_from_the_middle(picture, tmp_path):
    assert main(["style", "--content", str(picture), "--size", "32x32", "--steps", "0", "--out", str(tmp_path / "run")]) == 0
    expected = images.resize(images.load(picture), (32, 32), (10, 0, 70, 60))
    assert np.abs(images.load(tmp_path / "run" / "generated.png") - expected).max() <= 1 / 255


def test_where_the_photograph_is_cut_its_mask_is_cut_too(picture, tmp_path):
    mask, folder = np.zeros((60, 80), np.uint8), tmp_path / "run"
    mask[:, 40:] = 255                                                 # the right half, and of the middle the right half too
    mask[:, 70:] = 0                                                   # what is cut away says nothing
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert main(["style", "--content", str(picture), "--size", "60x60", "--mask", str(tmp_path / "mask.png"), "--alpha", "0", "--tv", "0",
                 "--style-layers", "relu1_1", "--steps", "3", "--out", str(folder)]) == 0
    C = images.resize(images.load(picture), (60, 60), (10, 0, 70, 60))
    moved = np.abs(images.load(folder / "generated.png") - C).max(axis=(0, 1, 3))
    assert moved[:28].max() < 0.01 and moved[32:].min() > 0.01


@pytest.mark.parametrize("start, steps", [("grey", 0), ("style", 0), ("noise", 0), ("mix", 0)])
def test_a_start_is_the_picture_after_zero_steps(start, steps, tmp_path):
    assert style("--start", start, "--steps", steps, "--out", tmp_path / "run") == 0
    G = images.load(tmp_path / "run" / "generated.png")
    assert G.shape == images.sample_photograph(48).shape and (start != "grey" or np.abs(G - 0.5).max() < 1 / 255)


def test_a_file_may_be_the_start(picture, tmp_path):
    assert style("--content", picture, "--start", picture, "--steps", 0, "--out", tmp_path / "run") == 0
    assert np.abs(images.load(tmp_path / "run" / "generated.png") - images.load(picture, 48)).max() < 0.05


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam", "lbfgs"])
def test_every_optimiser_makes_j_fall(optimizer, tmp_path, capsys):
    assert style("--optimizer", optimizer, "--steps", 20, "--out", tmp_path / "run") == 0
    J = [step["J"] for step in card(tmp_path / "run")["history"]]
    assert J[-1] < 0.8 * J[0] and (optimizer != "lbfgs" or "J was asked for" in capsys.readouterr().out)


def test_above_512_the_picture_is_painted_coarse_to_fine(tmp_path, capsys):
    assert main(["style", "--size", "520x64", "--per-scale", "1", "--steps", "3", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert card(tmp_path / "run")["settings"]["scales"] == [260] and "the first 1 of them at 260 pixels" in said
    assert main(["style", "--size", "512x64", "--steps", "1", "--out", str(tmp_path / "other")]) == 0
    assert card(tmp_path / "other")["settings"]["scales"] == []


def test_a_picture_that_does_not_fit_is_painted_in_strips_and_costs_the_same(tmp_path, capsys):
    words = ["style", "--size", "640x96", "--scales", "none", "--steps", "2", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    needed = float(capsys.readouterr().out.split(" MB of memory")[0].split()[-1]) / 1024
    assert main([*words, str(tmp_path / "strips"), "--memory", f"{needed - 0.02:.3f}"]) == 0
    assert "in strips of" in capsys.readouterr().out
    whole, strips = (card(tmp_path / name) for name in ("whole", "strips"))
    assert strips["settings"]["strip"] > 0 == whole["settings"]["strip"]
    assert [step["J"] for step in strips["history"]] == pytest.approx([step["J"] for step in whole["history"]], rel=1e-4)


def test_the_photographs_colours_are_kept_in_every_picture(tmp_path):
    assert style("--colours", "luminance", "--steps", 5, "--out", tmp_path / "run") == 0
    G, C = images.load(tmp_path / "run" / "generated.png"), images.sample_photograph(48)
    chroma = lambda x: x - x @ np.array([0.299, 0.587, 0.114])[:, None]
    assert np.corrcoef(chroma(G).ravel(), chroma(C).ravel())[0, 1] > 0.95 and np.abs(G - C).max() > 0.1


def test_float64_is_another_precision_of_the_same_run(tmp_path):
    for precision in ("float32", "float64"):
        assert style("--precision", precision, "--steps", 2, "--out", tmp_path / precision) == 0
    J = [card(tmp_path / precision)["J"] for precision in ("float32", "float64")]
    assert J[0] == pytest.approx(J[1], rel=1e-3) and J[0] != J[1]
    assert readers.read(tmp_path / "float64" / "checkpoint.npz", kinds="fiu")["G"].dtype == np.float64


@pytest.mark.parametrize("words, tv", [((), 0.2), (("--tv", 0.5), 0.5), (("--normalise", "lecture"), 0),
                                       (("--network", "random_filters"), 0), (("--preset", "gatys"), 0)], ids=lambda words: str(words))
def test_total_variation_is_on_where_its_weight_was_found(words, tv, tmp_path):
    assert style("--steps", 0, *words, "--out", tmp_path / "run") == 0
    assert card(tmp_path / "run")["settings"]["tv"] == tv


def test_a_preset_fills_in_what_was_not_said_and_the_rest_overrides_it(tmp_path, capsys):
    folder = tmp_path / "run"
    assert style("--preset", "course-1", "--beta", 41, "--steps", 2, "--out", folder) == 0
    made, preset = card(folder)["settings"], PRESETS["course-1"]
    assert made["beta"] == 41 and made["normalise"] == "assignment" and made["start"] == "mix" and made["noise"] == "course-1"
    assert made["alpha"] == pytest.approx(10 * UNITS["relu4_2"] ** 2) and made["rates"] == {"epsilon": preset.rates["epsilon"]}
    assert made["learning_rate"] == 2 / 255 and made["style_layers"]["relu1_1"] == pytest.approx(0.2 * UNITS["relu1_1"] ** 4)
    said = capsys.readouterr().out
    assert "preset course-1: course 4, week 4, assignment, first edition" in said and "max pooling" in said
    assert main(["style", "--resume", str(folder), "--steps", "3"]) == 0 and card(folder)["step"] == 3


def test_the_lectures_preset_is_plain_gradient_descent_from_white_noise_at_100x100(tmp_path):
    assert main(["style", "--preset", "lecture", "--steps", "30", "--out", str(tmp_path / "run")]) == 0
    made = card(tmp_path / "run")
    J = [step["J"] for step in made["history"]]
    assert made["settings"]["optimizer"] == "gd" and made["settings"]["start"] == "noise" and max(made["sizes"]["C"]) == 100
    assert all(a > b for a, b in zip(J, J[1:])) and J[-1] < 0.5 * J[0]


def test_a_preset_whose_layers_there_are_not_is_refused_with_a_way_out(tmp_path, capsys):
    assert style("--preset", "pytorch-tutorial", "--out", tmp_path / "run") == 1
    assert "Take VGG-19 itself, --weights vgg19" in capsys.readouterr().err and not (tmp_path / "run").exists()


# -------------------------------------------------------------------------------------------------------------- drawings


def test_what_is_asked_for_is_drawn(tmp_path):
    assert style("--steps", 6, "--gif", "--gradients", "--gram", "relu2_1:1,2", "--out", tmp_path / "run") == 0
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"generated.gif", "gradients.png", "gram_relu2_1.png", "gram_relu2_1_1_2.png", "contact_sheet.png", "curves.png"} <= files
    with Image.open(tmp_path / "run" / "generated.gif") as film:
        assert film.n_frames == len([i for i in range(7) if is_stage(i)]) and film.size == (41, 48)


def test_only_what_was_drawn_is_named(picture, tmp_path, capsys):
    assert style("--content", picture, "--style", picture, "--tv", 0, "--optimizer", "lbfgs", "--steps", 1, "--out",
                 tmp_path / "run") == 0
    assert "(and contact_sheet.png, run.json beside it)" in capsys.readouterr().out         # S is C: no cost is above 0


def test_gradients_are_those_at_g_and_not_at_the_picture_that_is_shown(tmp_path, monkeypatch):
    """In the photograph's colours stages are no G."""
    from scratchnet import style_views
    seen = []
    monkeypatch.setattr(style_views, "gradient_sheet", lambda path, cost, steps: seen.append([step.G for step in steps]))
    for colours in ("style", "luminance"):
        assert style("--steps", 4, "--gradients", "--colours", colours, "--out", tmp_path / colours) == 0
    assert len(seen[0]) == 3 and len(seen[1]) == 1
    assert np.array_equal(seen[1][0], readers.read(tmp_path / "luminance" / "checkpoint.npz", kinds="fiu")["best"])


def test_the_best_picture_is_shown_as_the_step_it_is(tmp_path, monkeypatch):
    from scratchnet import plots
    shown = []
    monkeypatch.setattr(plots, "contact_sheet", lambda path, pictures, names: shown.append(dict(zip(names, pictures))))
    folder = tmp_path / "run"
    assert style("--optimizer", "gd", "--learning-rate", 1e5, "--content-layer", "relu1_1", "--alpha", 1, "--beta", 1e-3, "--steps", 9,
                 "--out", folder) == 0
    made = card(folder)
    assert made["best"] < made["step"] == 9
    assert np.array_equal(np.rint(255 * shown[0][f"step {made['best']}"]), np.rint(255 * images.load(folder / "generated.png")))
    assert "step 9" in shown[0]                                        # the last is shown as well, as it is


def test_a_run_that_replaces_another_leaves_none_of_its_drawings(tmp_path):
    folder = tmp_path / "run"
    assert style("--steps", 2, "--gif", "--gram", "relu1_1:1,2", "--out", folder) == 0
    (folder / "mine.png").touch()
    assert style("--steps", 2, "--out", folder, "--overwrite") == 0
    assert {path.name for path in folder.iterdir()} == {"checkpoint.npz", "contact_sheet.png", "curves.png", "generated.png", "mine.png",
                                                        "run.json", "stages.npz"}


def test_stages_are_the_same_however_long_the_run_will_be():
    assert [i for i in range(100) if is_stage(i)] == [0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 42, 63, 94]


# ------------------------------------------------------------------------------------------------- stopped and gone on with


@pytest.mark.parametrize("words", [[], ["--optimizer", "lbfgs"], ["--start", "noise", "--balance"], ["--colours", "luminance"]],
                         ids=lambda words: " ".join(words) or "default")
def test_k8_a_resumed_run_paints_what_a_whole_one_paints(words, tmp_path, capsys):
    assert style(*words, "--steps", 9, "--out", tmp_path / "whole") == 0
    assert style(*words, "--steps", 4, "--out", tmp_path / "run") == 0
    assert main(["style", "--resume", str(tmp_path / "run"), "--steps", "9"]) == 0
    assert "going on after step 4" in capsys.readouterr().out
    whole, run = (tmp_path / name for name in ("whole", "run"))
    assert np.array_equal(images.load(whole / "generated.png"), images.load(run / "generated.png"))
    assert card(whole)["history"] == card(run)["history"]
    one, two = (readers.read(folder / "checkpoint.npz", kinds="fiu") for folder in (whole, run))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)
    stages = [readers.read(folder / "stages.npz", kinds="u") for folder in (whole, run)]
    assert stages[0].keys() == stages[1].keys() and all(np.array_equal(stages[0][name], stages[1][name]) for name in stages[0])


def test_a_run_is_resumed_from_another_folder(picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert style("--content", picture.name, "--style", picture.name, "--steps", 2, "--out", "run") == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["style", "--resume", "../run", "--steps", "3"]) == 0 and card(tmp_path / "run")["step"] == 3


def test_k6_other_settings_are_refused_by_name_and_nothing_is_lost(picture, tmp_path, capsys):
    folder = tmp_path / "run"
    assert style("--content", picture, "--steps", 2, "--beta", 2, "--out", folder) == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["style", "--resume", str(folder), "--steps", "4", "--beta", "3", "--size", "64"]) == 1
    said = capsys.readouterr().err
    assert "was begun with" in said and "--beta 2.0, now 3.0" in said and "--size 48, now 64" in said
    images.save(picture, images.load(picture)[:, ::-1])                # the file has another picture now
    assert main(["style", "--resume", str(folder), "--steps", "4"]) == 1
    assert "made with other settings: content" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_is_resumed_where_folders_are_called_like_its_words(tmp_path, monkeypatch):
    """Whoever keeps photographs in content/ and paintings in style/ may still begin with --start content."""
    monkeypatch.chdir(tmp_path)
    for name in ("content", "style", "noise", "vgg19"):
        (tmp_path / name).mkdir()
    for start in ("content", "noise"):
        assert style("--start", start, "--steps", 1, "--out", start + "-run") == 0
        assert main(["style", "--resume", start + "-run", "--steps", "2", "--start", start]) == 0


def test_settings_that_are_said_again_as_they_were_are_no_others(picture, tmp_path, capsys):
    words = ["style", "--content", str(picture), "--size", "40x32", "--scales", "20", "--per-scale", "1",
             "--style-layers", "relu1_1=0.3,relu2_1", "--gram", "relu1_1:1,2"]
    assert main([*words, "--steps", "2", "--out", str(tmp_path / "run")]) == 0
    assert main([*words, "--steps", "3", "--resume", str(tmp_path / "run")]) == 0
    assert main(["style", "--resume", str(tmp_path / "run"), "--steps", "4", "--out", str(tmp_path / "other")]) == 1
    assert "stays in its folder" in capsys.readouterr().err and not (tmp_path / "other").exists()


@pytest.mark.parametrize("make, said", [
    (lambda folder: None, "holds no run"), (lambda folder: (folder / "run.json").write_text("{"), "is damaged"),
    (lambda folder: (folder / "run.json").write_text("{}"), "is damaged")])
def test_what_is_no_run_is_not_resumed(make, said, tmp_path, capsys):
    make(tmp_path)
    assert main(["style", "--resume", str(tmp_path), "--steps", "4"]) == 1 and said in capsys.readouterr().err


def test_a_run_that_has_its_steps_already_says_so(tmp_path, capsys):
    assert style("--steps", 3, "--out", tmp_path / "run") == 0
    assert main(["style", "--resume", str(tmp_path / "run")]) == 1
    assert "has 3 steps already. Give more of them in all: --steps 103" in capsys.readouterr().err


def test_n3_a_run_that_explodes_keeps_its_best_picture_and_says_what_to_do(tmp_path, capsys):
    assert style("--optimizer", "gd", "--learning-rate", 1e5, "--content-layer", "relu1_1", "--alpha", 1, "--beta", 1e-3, "--tv", 0,
                 "--steps", 60, "--out", tmp_path / "run") == 1
    said = capsys.readouterr()
    made = card(tmp_path / "run")
    assert "lower learning_rate (now 100000)" in said.err and "begin a new run" in said.err and made["step"] < 60
    assert made["J"] == min(step["J"] for step in made["history"]) < made["history"][-1]["J"] and "that picture is kept" in said.out


def test_two_runs_in_one_folder_are_told_apart(tmp_path, monkeypatch, capsys):
    pytest.importorskip("fcntl")
    from scratchnet.cli import run_folder
    folder = tmp_path / "run"
    folder.mkdir()
    with run_folder.mine(folder):
        assert style("--steps", 1, "--out", folder) == 1
    assert "another run is at work" in capsys.readouterr().err and not (folder / "run.json").exists()
    monkeypatch.chdir(tmp_path)
    assert [run_folder.named(None, "style").name for _ in range(2)] == ["style-1", "style-2"]          # neither has written anything yet
    assert style("--steps", 1, "--out", folder) == 0


def test_d1_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch, capsys):
    folder, save, calls = tmp_path / "run", readers.save, []

    def full(path, *rest):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(28, "No space left on device writing checkpoint.npz; what was there is intact")
        return save(path, *rest)

    monkeypatch.setattr(readers, "save", full)
    assert style("--steps", 30, "--every", 5, "--out", folder) == 1
    said = capsys.readouterr().err
    assert "No space left" in said and f"--resume {folder} --steps 30" in said
    monkeypatch.undo()
    assert main(["style", "--resume", str(folder), "--steps", "8"]) == 0 and card(folder)["step"] == 8


KILLED = ["style", "--size", "48", "--steps", "100000", "--every", "3", "--out"]


def kill_at_a_random_moment(folder, seed):
    """Begins or goes on, and is killed, within some two seconds of painting."""
    words = [*KILLED, str(folder)] if not (folder / "run.json").exists() else ["style", "--resume", str(folder)]
    run = subprocess.Popen([sys.executable, "-m", "scratchnet", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    shown = ""
    while "J " not in shown:
        letter = run.stderr.read(1)
        assert letter, shown
        shown += letter
    time.sleep(random.Random(seed).uniform(0, 1))
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.long)])
def test_k5_kill_9_at_any_moment_leaves_whole_files_and_loses_no_more_than_three_steps(times, tmp_path):
    folder = tmp_path / "run"
    done = 0
    for seed in range(times):
        kill_at_a_random_moment(folder, seed)
        made = card(folder)                                            # is whole, as is every other file
        assert images.load(folder / "generated.png").shape == (1, 48, 41, 3)
        at = readers.read_notes(folder / "checkpoint.npz")["at"]
        readers.read(folder / "checkpoint.npz", kinds="fiu"), readers.read(folder / "stages.npz", kinds="u")
        assert at >= made["step"] >= done and at - made["step"] <= 4
        done = made["step"]
    whole = tmp_path / "whole"
    assert main([*KILLED[:3], "--steps", str(done), "--every", "3", "--out", str(whole)]) == 0
    assert done > 3 and [step["J"] for step in card(whole)["history"]] == [step["J"] for step in card(folder)["history"]][:done + 1]
