"""Ctrl-C, sent to a real run of style transfer: answered within a second, and the last finished step is kept whole."""

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scratchnet import images, plots
from scratchnet.__main__ import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")

ROOT = Path(__file__).parents[1]
STOPPED = (130, -signal.SIGINT)                       # Python may end by the signal itself; a shell says 130 for both
SOON, DONE = 2.0, 5.0                                 # seconds; measured: below 0.1, and 1.3 to 2 with the drawings
WORDS = ["style", "--size", "300", "--steps", "10000", "--out"]


class Run:
    """python -m scratchnet in a process of its own, and what it says on stderr."""

    def __init__(self, folder, *words, code=None):
        self.folder, self.said = folder, ""
        start = ["-m", "scratchnet"] if code is None else ["-c", code]
        self.process = subprocess.Popen([sys.executable, *start, *(words or WORDS), str(folder)], cwd=ROOT, text=True, bufsize=1,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def listen(self, until):
        """Reads on until these words were said. Returns when that was."""
        while until not in self.said:
            letter = self.process.stderr.read(1)
            assert letter, f"ended without saying {until!r}: {self.said}"
            self.said += letter
        return time.perf_counter()

    def ctrl_c(self):
        """-> (seconds until it answered, seconds until it ended)"""
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        answered = self.listen("stopped") - begun
        self.said += self.process.stderr.read()
        self.process.wait(60)
        ended = time.perf_counter() - begun
        print(f"Ctrl-C: answered after {answered:.2f} s, ended after {ended:.2f} s")
        return answered, ended


def assert_whole(folder, run):
    """What a stopped run leaves: a picture and a card that agree, pictures that open, no file half made. -> the card"""
    assert run.process.returncode in STOPPED and "Traceback" not in run.said
    card = json.loads((folder / "run.json").read_text())
    assert f"stopped at step {card['step']} of" in run.said
    assert [step["i"] for step in card["history"]] == list(range(card["step"] + 1)) and card["history"][card["best"]]["J"] == card["J"]
    with Image.open(folder / "generated.png") as picture:
        assert json.loads(picture.text["scratchnet"])["step"] == card["step"]
    assert images.load(folder / "generated.png").shape == (1, *card["sizes"]["C"], 3)
    files = {path.name for path in folder.iterdir()}
    assert {"generated.png", "run.json", "contact_sheet.png", "checkpoint.npz"} <= files
    assert not [name for name in files if name.startswith(".")]
    return card


@pytest.mark.parametrize("seed", range(4))
def test_k1_ctrl_c_at_a_random_moment_is_answered_within_a_second(seed, tmp_path):
    run = Run(tmp_path / "run")
    run.listen("J ")                                  # the bar shows the first steps
    time.sleep(random.Random(seed).uniform(0, 1.2))
    answered, ended = run.ctrl_c()
    assert_whole(tmp_path / "run", run)
    assert answered < SOON and ended < DONE


FIRST_STEP = """
import sys
from scratchnet import style
from scratchnet.__main__ import main
forward = style.TotalCost._costs
def watched(self, G, i):
    if max(G.shape[1:3]) == 700:                      # the run itself, not the small steps that are timed before it
        print("begins", file=sys.stderr, flush=True)
    return forward(self, G, i)
style.TotalCost._costs = watched
sys.exit(main(sys.argv[1:]))
"""


def test_k1_ctrl_c_during_the_very_first_step_leaves_no_picture(tmp_path):
    run = Run(tmp_path / "run", "style", "--size", "700", "--scales", "none", "--steps", "10000", "--out", code=FIRST_STEP)
    run.listen("begins")
    time.sleep(0.02)
    _, ended = run.ctrl_c()
    assert run.process.returncode in STOPPED and "Traceback" not in run.said
    assert "before the first step" in run.said and not (tmp_path / "run").exists()
    assert ended < SOON


def test_k1_the_picture_that_is_kept_is_that_of_its_step_to_the_bit(tmp_path):
    run = Run(tmp_path / "stopped", "style", "--size", "96", "--steps", "10000", "--out")
    run.listen("J ")
    time.sleep(0.3)
    run.ctrl_c()
    card = assert_whole(tmp_path / "stopped", run)
    assert main(["style", "--size", "96", "--steps", str(card["step"]), "--out", str(tmp_path / "whole")]) == 0
    stopped, whole = [images.load(tmp_path / name / "generated.png") for name in ("stopped", "whole")]
    assert np.array_equal(stopped, whole)
    assert json.loads((tmp_path / "whole" / "run.json").read_text())["J"] == card["J"]


def test_k2_a_second_ctrl_c_while_drawing_keeps_picture_and_numbers(tmp_path, monkeypatch, capsys):
    def second_ctrl_c(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(plots, "contact_sheet", second_ctrl_c)
    assert main(["style", "--size", "48", "--steps", "2", "--out", str(tmp_path / "run")]) == 130
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.npz", "generated.png", "run.json", "stages.npz"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["step"] == 2
    assert images.load(tmp_path / "run" / "generated.png").shape[1] == 48 and "stopped." in capsys.readouterr().err


def test_ctrl_c_while_a_command_is_still_being_imported_shows_no_traceback(monkeypatch, capsys):
    def ctrl_c(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", ctrl_c)
    assert main(["style"]) == 130
    assert capsys.readouterr().err == "stopped.\n"
