"""The lessons: each runs from first cell to last, keeps its promises (they are asserts inside), and leaves its pictures."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lessons import LESSONS
from lessons import __main__ as lessons
from scratchnet import images

FOLDER = Path(lessons.__file__).parent
PICTURES = {
    0: {"l00_there_and_back.png", "l00_error_curve.png"},
    1: {"l01_who_is_it.png"},
    2: {"l02_distances_part.png", "l02_histograms.png"},
    3: {"l03_histograms.png", "l03_roc.png"},
    4: {"l04_one_anchor.png", "l04_curves.png"},
    5: {"l05_stages.png", "l05_curves.png"},
    6: {"l06_layers.png", "l06_unit.png"},
    7: {"l07_stages.png", "l07_ways_down.png"},
    8: {"l08_layers.png"},
    9: {"l09_together.png", "l09_lambda.png"},
}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A lesson may be started from any folder, and writes nowhere but into --out."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", LESSONS)
def test_each_lesson_runs_and_leaves_its_pictures(number, quick_lessons):
    folder, _, printed = quick_lessons
    _, title, chinese = LESSONS[number]
    printed, page = printed[number], (folder / "a/new folder" / f"{LESSONS[number][0]}.html").read_text(encoding="utf-8")
    assert '<meta name="lesson-state" content="ran">' in page, printed[-2000:]
    assert printed.startswith(f"Lesson {number}: {title}") and chinese in printed.splitlines()[0]
    assert printed.count("Predict:") >= 2 and "One for you" in printed
    left = {path.name: path for path in (folder / "a/new folder").glob(f"l{number:02}_*.png")}
    assert set(left) == PICTURES[number]
    for path in left.values():
        assert images.load(path).std() > 0.02         # something is drawn on it


def test_the_lessons_write_nowhere_but_into_out_and_say_that_all_is_well(quick_lessons):
    folder, code, printed = quick_lessons
    assert code == 0 and set(printed) == set(LESSONS) and os.listdir(folder) == ["a"]
    assert printed[max(LESSONS)].rstrip().endswith("To read it all: a/new folder/index.html")


def test_ask_waits_after_each_prediction_and_not_for_ever(elsewhere, capsys, monkeypatch):
    waited = []
    monkeypatch.setattr("builtins.input", lambda prompt: waited.append(prompt))
    monkeypatch.setattr(lessons, "check_equations", lambda out: True)
    lessons.main(["0", "--quick", "--ask", "--out", "out"])
    assert len(waited) == 6

    def nobody(prompt):
        raise EOFError
    monkeypatch.setattr("builtins.input", nobody)
    lessons.ask("Predict: is anybody there?")
    assert "anybody" in capsys.readouterr().out


def test_the_table_is_the_folder():
    assert {name for name, _, _ in LESSONS.values()} == {path.stem for path in FOLDER.glob("l[0-9]*.py")}
    assert all(name.startswith(f"l{number:02}_") for number, (name, _, _) in LESSONS.items())
    assert set(PICTURES) == set(LESSONS)


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_is_short_and_every_cell_stands_by_itself(number):
    source = (FOLDER / f"{LESSONS[number][0]}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 150
    cells = source.split("# %%")
    assert cells[0] == "" and len(cells) > 6          # the first cell holds the title
    for cell in cells[1:]:
        ast.parse("#" + cell)
    assert ast.get_docstring(ast.parse(source)).startswith(f"Lesson {number}: {LESSONS[number][1]}")


def test_list(capsys):
    assert lessons.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(title in printed and chinese in printed for _, title, chinese in LESSONS.values())


@pytest.mark.parametrize("word", ["77", "-1", "five", "0.5", ""])
def test_an_unknown_lesson_runs_nothing_and_says_what_there_is(word, elsewhere, capsys):
    assert lessons.main(["0", word]) == 2
    said = capsys.readouterr()
    assert said.out == "" and f"no lesson {word}" in said.err and LESSONS[5][1] in said.err
    assert os.listdir(elsewhere) == []


def test_a_terminal_without_chinese_still_shows_the_rest():
    ran = subprocess.run([sys.executable, "-m", "lessons", "--list"], cwd=FOLDER.parent, capture_output=True,
                         env={**os.environ, "PYTHONIOENCODING": "ascii"}, timeout=120)
    assert ran.returncode == 0 and b"layers and gradients  (? ? ????)" in ran.stdout


def test_ctrl_c_stops_without_a_traceback(elsewhere, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(lessons, "run", stopped)
    assert lessons.main(["0"]) == 130 and "stopped" in capsys.readouterr().err
