"""The command line as people meet it: what it makes, what it says, and what it says no to."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from scratchnet import activations, forecast, images, layers, models, network, normalisation, style_costs
from scratchnet.__main__ import main
from scratchnet.cli import COMMANDS, check


def scratchnet(*words, **options):
    """python -m scratchnet ... in a process of its own."""
    return subprocess.run([sys.executable, "-m", "scratchnet", *words], capture_output=True, text=True, timeout=300, **options)


# --------------------------------------------------------------------------------------------------------------- main


def test_E1_no_words_show_a_short_help(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS) and text.count("python -m scratchnet ") >= 3


def test_E2_a_misspelt_command_is_guessed(capsys):
    assert main(["stlye"]) == 2
    said = capsys.readouterr().err
    assert "no command 'stlye'; did you mean 'style'? Commands: " in said and all(command in said for command in COMMANDS)


@pytest.mark.parametrize("words", [["style", "--size", "0"], ["style", "--alpha", "abc"], ["style", "--mix", "2"],
                                   ["style", "--style-layers", "relu1_1,relu1_1"], ["style", "--steps", "-1"]])
def test_E3_bad_values_are_refused_with_their_range(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and ("expected" in error or "twice" in error)


def test_a_missing_picture_is_one_line_and_debug_shows_the_traceback(tmp_path, capsys):
    words = ["style", "--content", str(tmp_path / "nothing.jpg"), "--out", str(tmp_path / "run")]
    assert main(words) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "nothing.jpg" in text
    assert main([*words, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_E8_a_reader_that_leaves_early_makes_no_noise():
    run = subprocess.run(f"{sys.executable} -m scratchnet check | head -1", shell=True, capture_output=True, text=True, timeout=300)
    assert run.stdout.count("\n") == 1 and run.stderr == ""


@pytest.mark.parametrize("words", ["scratchnet", "scratchnet --version", "scratchnet style --help", "scratchnet weights",
                                   "lessons --list", "lessons --help"])
def test_E8_nor_does_one_that_leaves_before_the_first_word(words):
    """Short output stays in a buffer until the very end, where Python itself would complain."""
    with subprocess.Popen([sys.executable, "-m", *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdout.close()
        assert (run.stderr.read(), run.wait(timeout=60)) == ("", 0)


def test_E9_a_terminal_of_ascii_shows_all_but_the_letters_it_has_not(tmp_path):
    (tmp_path / "größe").mkdir()
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "SCRATCHNET_HOME": str(tmp_path / "größe")}
    run = scratchnet("weights", env=ascii_only)
    assert run.returncode == 0 and "gr??e" in run.stdout and "vgg19: not in the cache" in run.stdout
    for command in [(), *((name, "--help") for name in COMMANDS)]:     # what every terminal shall show whole has no other letters
        words = scratchnet(*command, env={**os.environ, "PYTHONIOENCODING": "utf-8"}).stdout
        assert words and words.isascii(), command


# ---------------------------------------------------------------------------------------------------------------- style


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """One small run, made by the command as a newcomer would type it, with nothing to download."""
    folder = tmp_path_factory.mktemp("style")
    result = scratchnet("style", "--size", "64", "--steps", "12", "--start", "content", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "out" / "style-1", result


def test_the_default_run_fills_its_folder(run_folder):
    folder, result = run_folder
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.npz", "contact_sheet.png", "curves.png", "generated.png",
                                                              "run.json", "stages.npz"]
    card = json.loads((folder / "run.json").read_text())
    assert card["step"] == 12 and len(card["history"]) == 13
    assert card["history"][-1]["J"] < 0.8 * card["history"][0]["J"]
    assert "small_vgg" in result.stdout and "MB of memory" in result.stdout and "J " in result.stderr


def test_the_picture_is_the_right_way_up_and_coloured(run_folder):
    G = images.load(run_folder[0] / "generated.png")
    C = images.sample_photograph(64)
    assert G.shape == C.shape
    assert np.corrcoef(G.mean(axis=3).ravel(), C.mean(axis=3).ravel())[0, 1] > 0.5
    assert json.loads(Image.open(run_folder[0] / "generated.png").text["scratchnet"])["step"] == 12


def test_D9_the_next_run_takes_the_next_folder_and_a_named_one_is_not_replaced(run_folder, tmp_path):
    folder = run_folder[0]
    before = (folder / "generated.png").read_bytes()
    refused = scratchnet("style", "--size", "48", "--steps", "1", "--out", str(folder))
    assert refused.returncode == 1 and "--overwrite" in refused.stderr
    assert (folder / "generated.png").read_bytes() == before
    assert scratchnet("style", "--size", "48", "--steps", "1", cwd=folder.parents[1]).returncode == 0
    assert (folder.parent / "style-2" / "run.json").exists()


def test_the_same_seed_paints_the_same_picture(tmp_path):
    words = ["style", "--size", "48", "--steps", "3", "--start", "noise", "--seed", "5"]
    for name in "ab":
        assert scratchnet(*words, "--out", str(tmp_path / name)).returncode == 0
    a, b = [(tmp_path / name / "generated.png") for name in "ab"]
    assert np.array_equal(images.load(a), images.load(b))


def test_S20_an_unknown_layer_is_guessed_before_any_work(tmp_path, capsys):
    assert main(["style", "--content-layer", "relu2-1", "--out", str(tmp_path / "run")]) == 1
    assert "did you mean 'relu2_1'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_I19_a_picture_too_small_for_a_layer_is_refused_before_any_work(tmp_path, capsys):
    assert main(["style", "--network", "vgg19", "--size", "16", "--out", str(tmp_path / "run")]) == 1
    assert "needs at least 16x16" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_I10_I21_what_was_resized_and_what_is_left_over_is_said(tmp_path, capsys):
    photo, lying = tmp_path / "photo.jpg", Image.Exif()
    lying[0x0112] = 6
    Image.fromarray(np.full((400, 600, 3), 90, np.uint8)).save(photo, exif=lying)
    words = ["style", "--content", str(photo), "--style", str(photo), "--steps", "1"]
    assert main([*words, "--size", "120", "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    net = models.small_vgg()
    assert f"C is 600x400 in '{photo}', resized to 120x80 (n_H x n_W); at its full size it would need " \
           f"{forecast.memory(net, (1, 600, 400, 3)) / 2 ** 20:.0f} MB of memory." in said
    assert f"S is 600x400 in '{photo}', resized to 120x80 (n_H x n_W).\n" in said
    assert "The last 8 rows of C fill no position of relu5_1 (16x16 pixels)" in said and "Cropped to 112x80," in said
    assert main([*words, "--size", "96", "--style-layers", "relu3_1", "--content-layer", "relu3_1", "--out", str(tmp_path / "b")]) == 0
    assert "fill no position" not in capsys.readouterr().out           # 96 and 64 are multiples of 4


def test_D3_a_folder_that_cannot_be_written_is_found_before_the_run(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["style", "--size", "48", "--out", str(tmp_path / "file" / "run")]) == 1
    assert "painting" not in capsys.readouterr().out


def test_a_second_run_compiles_nothing(run_folder, tmp_path):
    code = ("import sys; from scratchnet.__main__ import main; "
            "main(['style', '--size', '64', '--steps', '2', '--out', sys.argv[1]]); "
            "from scratchnet.kernels import gemm, loops, pooling, winograd; "
            "import numba; "
            "found = {name: sum(kernel.stats.cache_misses.values()) for module in (gemm, loops, pooling, winograd) "
            "for name, kernel in vars(module).items() if hasattr(kernel, 'stats')}; "
            "used = sum(len(kernel.signatures) for module in (gemm, loops, pooling, winograd) "
            "for kernel in vars(module).values() if hasattr(kernel, 'signatures')); "
            "print('misses', sum(found.values()), 'used', used)")
    words = [sys.executable, "-c", code]
    subprocess.run([*words, str(tmp_path / "first")], check=True, capture_output=True, timeout=300)
    second = subprocess.run([*words, str(tmp_path / "second")], check=True, capture_output=True, text=True, timeout=300)
    misses, used = [int(word) for word in second.stdout.split()[-3::2]]
    assert misses == 0 and used >= 4


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_K1_ctrl_c_keeps_the_last_finished_step(tmp_path):
    run = subprocess.Popen([sys.executable, "-m", "scratchnet", "style", "--size", "96", "--steps", "100000",
                            "--out", str(tmp_path / "run")],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = ""
    while "J " not in text:                            # the bar shows the first steps
        text += run.stderr.read(1)
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == 130 and "stopped at step" in rest
    card = json.loads((tmp_path / "run" / "run.json").read_text())
    assert 0 < card["step"] < 100000 and (tmp_path / "run" / "generated.png").exists()


# ---------------------------------------------------------------------------------------------------------------- check


def test_check_passes_everything_and_smooth_parts_are_below_1e_7(capsys):
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(check.CASES) + 1 and all(line.startswith("right") for line in lines[:-1])
    assert all(float(line.split("error")[1].split()[0]) < 1e-7 for line in lines[:-1])


def test_every_layer_and_cost_there_is_is_checked():
    modules = (layers, activations, normalisation, network)
    there = {name for module in modules for name, thing in vars(module).items()
             if isinstance(thing, type) and thing.__module__ == module.__name__ and hasattr(thing, "backward") and not name.startswith("_")}
    there |= {"content_cost", "layer_style_cost", "style_cost", "total_variation", "softmax_cross_entropy",
              "contrastive_loss", "triplet_loss", "pair_loss"}
    assert there >= set(style_costs.__dict__) & {"content_cost", "layer_style_cost", "style_cost", "total_variation"}
    there -= {"Network"}                               # checked as "a small VGG"
    assert not [name for name in there if not any(case.split(",")[0].split(" ")[0] == name for case in check.CASES)]


MINE = """
import numpy as np

def example(rng):
    return rng.standard_normal(5), rng.standard_normal(5)

def right(x, y):
    return np.sum(x * x * y), (2 * x * y, x * x)

def wrong(x, y):
    return np.sum(x * x * y), (2 * x * y, 2 * x * x)

def crash(x, y):
    return np.sum(x[10] * y), (x, y)
"""


def test_a_students_own_function_is_checked(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    assert main(["check", f"{tmp_path / 'mine.py'}:right"]) == 0
    assert main(["check", f"{tmp_path / 'mine.py'}:wrong"]) == 1
    text = capsys.readouterr().out
    assert "y" in text and "FAILED" in text
    assert main(["check", f"{tmp_path / 'mine.py'}:right", "--curve", str(tmp_path / "curve.png")]) == 0
    assert images.load(tmp_path / "curve.png").std() > 0.01


@pytest.mark.parametrize("function, says", [("nothing", "Functions there"), ("crash", "out of bounds")])
def test_a_students_mistakes_are_shown_as_theirs(function, says, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    assert main(["check", f"{tmp_path / 'mine.py'}:{function}"]) == 1
    text = capsys.readouterr().err
    assert says in text and "gradcheck.py" not in text


def test_a_file_that_does_not_run_is_shown_with_its_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def f(x:\n")
    assert main(["check", f"{tmp_path / 'mine.py'}:f"]) == 1
    assert "line 1" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------------- imports


def test_importing_the_package_imports_none_of_the_heavy_three():
    code = "import sys, scratchnet; print(sorted({'numba', 'PIL', 'matplotlib', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_scipy_is_never_needed(tmp_path):
    code = ("import sys; sys.modules['scipy'] = None; from scratchnet.__main__ import main; "
            "sys.exit(main(['style', '--size', '48', '--steps', '1', '--out', sys.argv[1]]) or main(['check']))")
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
