"""The command train, on folders of drawn people: what it makes, what it says, how it goes on, and what it says no to."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchnet import drawn_faces, faces, images, readers
from scratchnet.__main__ import main
from scratchnet.cli import train
from scratchnet.models import face_encoder, siamese_encoder

SMALL = ["--network", "siamese", "--size", "16", "--epochs", "2"]


def drawn_people(folder, people, each):
    """A folder of drawn people, wider than high, so that they must be cut."""
    pictures, labels = drawn_faces.faces(people, each, seed=3, size=24)
    for i, (picture, who) in enumerate(zip(pictures, labels)):
        (folder / f"p{who + 1}").mkdir(parents=True, exist_ok=True)
        images.save(folder / f"p{who + 1}" / f"{i % each + 1}.png", np.pad(picture, ((0, 0), (6, 6), (0, 0))))
    return folder


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    return drawn_people(tmp_path_factory.mktemp("crowd"), 21, 3)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return drawn_people(tmp_path_factory.mktemp("few"), 3, 3)


def test_a_run_fills_its_folder_and_its_encoder_can_be_used(crowd, tmp_path, capsys):
    assert main(["train", str(crowd), "--out", str(tmp_path / "run"), *SMALL]) == 0
    said = capsys.readouterr()
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} == {"encoder.npz", "curves.png", "run.json", "checkpoint.npz"}
    assert "19 people, 57 pictures to train on; kept apart, to judge by: 2 people, 6 pictures (p10, p20)." in said.out
    assert "On 2 people it never saw: AUC" in said.out and "active triplets" in said.err and "J " in said.err
    card = json.loads((folder / "run.json").read_text())
    assert [epoch["i"] for epoch in card["history"]] == [1, 2] and card["judged_on"] == "people it never saw"
    net, notes = siamese_encoder(16).load(folder / "encoder.npz"), readers.read_notes(folder / "encoder.npz")
    assert notes["network"] == "siamese" and notes["size"] == 16 and notes["tau"] == card["score"]["tau"]
    assert {array.dtype for array in net.params.values()} == {np.dtype(np.float32)}
    assert not np.array_equal(net.params["conv1.W"], siamese_encoder(16).params["conv1.W"])
    answer = faces.verify(net, crowd / "p1" / "1.png", crowd / "p1" / "1.png", tau=notes["tau"])
    assert answer.same and answer.d < 1e-9


@pytest.mark.parametrize("words, keys", [
    (["--loss", "contrastive", "--margin", "0.8"], {"pairs", "active", "accuracy"}), (["--loss", "classifier"], {"accuracy"}),
    (["--rule", "batch-hard"], {"triplets", "there hard"})])
def test_every_loss_trains_and_few_people_are_all_trained_on(words, keys, few, tmp_path, capsys):
    assert main(["train", str(few), "--out", str(tmp_path / "run"), *SMALL, *words]) == 0
    said = capsys.readouterr().out
    assert "Too few to keep some apart" in said and "On 3 people that it was trained on" in said
    assert keys <= json.loads((tmp_path / "run" / "run.json").read_text())["history"][0].keys()


def test_by_default_the_network_that_ships_is_trained_anew(few, tmp_path, capsys):
    assert main(["train", str(few), "--out", str(tmp_path / "run"), "--epochs", "1"]) == 0
    assert "face_encoder, 803,904 parameters, pictures of 56x48" in capsys.readouterr().out
    net = face_encoder(tmp_path / "run" / "encoder.npz")
    assert main(["verify", *2 * [str(few / "p1" / "1.png")], "--weights", str(tmp_path / "run" / "encoder.npz")]) == 0
    assert "the same person" in capsys.readouterr().out and net.name == "face_encoder"


def test_resume_goes_on_as_if_never_stopped(few, tmp_path):
    words = ["train", str(few), "--network", "siamese", "--size", "16", "--out"]
    assert main([*words, str(tmp_path / "straight"), "--epochs", "3"]) == 0
    assert main([*words, str(tmp_path / "twice"), "--epochs", "2"]) == 0
    assert main([*words, str(tmp_path / "twice"), "--epochs", "3", "--resume"]) == 0
    straight, twice = (readers.read(tmp_path / run / "encoder.npz") for run in ("straight", "twice"))
    assert all(np.array_equal(straight[name], twice[name]) for name in straight)
    cards = [json.loads((tmp_path / run / "run.json").read_text()) for run in ("straight", "twice")]
    assert cards[0]["history"] == cards[1]["history"] and cards[0]["score"] == cards[1]["score"]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_K1_ctrl_c_keeps_the_last_epoch_and_says_how_to_go_on(few, tmp_path):
    words = ["train", str(few), "--network", "siamese", "--size", "16", "--epochs", "100000", "--out", str(tmp_path / "a run")]
    process = subprocess.Popen([sys.executable, "-m", "scratchnet", *words], cwd=Path(__file__).parents[1], text=True, bufsize=1,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = ""
    while "J " not in said:                                    # the bar shows a finished epoch
        letter = process.stderr.read(1)
        assert letter, said
        said += letter
    process.send_signal(signal.SIGINT)
    said += process.stderr.read()
    assert process.wait(60) == 130 and "Traceback" not in said
    line = said.splitlines()[-1]
    stopped = int(line.partition("stopped after epoch ")[2].split()[0])
    assert stopped >= 1 and len(readers.read(tmp_path / "a run" / "checkpoint.npz", kinds="fiu")["J"]) == stopped
    again = shlex.split(line.partition("python -m scratchnet ")[2])
    assert again == [*words, "--resume"]
    again[again.index("100000")] = str(stopped + 1)
    assert main(again) == 0
    assert json.loads((tmp_path / "a run" / "run.json").read_text())["epochs"] == stopped + 1


def refusal(capsys, *words):
    assert main(["train", *map(str, words)]) == 1
    *bars, said = capsys.readouterr().err.strip().splitlines()
    assert said.startswith("scratchnet: ") and not any("scratchnet" in line for line in bars)
    return said


def test_refusals_come_before_the_work_and_leave_nothing(few, tmp_path, capsys):
    out = tmp_path / "run"
    assert "--resume without --out" in refusal(capsys, few, "--resume")
    assert "holds no checkpoint.npz" in refusal(capsys, few, "--out", out, "--resume")
    assert "classifier has none" in refusal(capsys, few, "--out", out, "--loss", "classifier", "--margin", "0.3")
    assert "--loss contrastive has none" in refusal(capsys, few, "--out", out, "--loss", "contrastive", "--rule", "random")
    assert "multiple of 8" in refusal(capsys, few, "--out", out, "--network", "siamese", "--size", "20")
    assert "face_encoder has a size of its own" in refusal(capsys, few, "--out", out, "--size", "64")
    assert "among the people" in refusal(capsys, few, "--out", few / "run")
    (tmp_path / "empty").mkdir()
    assert "no people" in refusal(capsys, tmp_path / "empty", "--out", out)
    alone = drawn_people(tmp_path / "alone", 3, 1)
    assert "3 people, 0 of them with two pictures or more; expected at least 2" in refusal(capsys, alone, "--out", out)
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "alone"} and not (few / "run").exists()


def test_a_folder_that_holds_a_run_is_kept_and_other_settings_are_not_resumed(few, tmp_path, capsys):
    words = [few, "--out", tmp_path / "run", "--network", "siamese", "--size", "16", "--epochs", "1"]
    assert main(["train", *map(str, words)]) == 0
    before = (tmp_path / "run" / "checkpoint.npz").read_bytes()
    capsys.readouterr()
    assert "--resume goes on with it" in refusal(capsys, *words)
    assert "objective Triplet(margin=0.2" in refusal(capsys, *words, "--resume", "--margin", "0.3")
    assert "pictures" in refusal(capsys, drawn_people(tmp_path / "others", 4, 2), *words[1:], "--resume")
    assert (tmp_path / "run" / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize("words", [["--epochs", "0"], ["--margin", "-1"], ["--rule", "hard"], ["--size", "8.5"]])
def test_bad_values_are_refused_with_their_range(words, few, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", str(few), *words])
    assert stop.value.code == 2 and ("expected" in capsys.readouterr().err or words[0] == "--rule")


def test_a_collapse_is_said_once_while_it_lasts(few, tmp_path, capsys, monkeypatch):
    def constant(size, seed):
        net = siamese_encoder(size)
        arrays = {name: np.zeros_like(array) for name, array in net.params.items()}
        return net.with_params({**arrays, "conv1.b": arrays["conv1.b"] - 1, "dense.b": arrays["dense.b"] + 1})
    monkeypatch.setitem(train.NETWORKS, "siamese", (constant, 16))
    assert main(["train", str(few), "--out", str(tmp_path / "run"), "--network", "siamese", "--epochs", "3", "--rule", "batch-hard"]) == 0
    assert capsys.readouterr().err.count("collapse: ") == 1
