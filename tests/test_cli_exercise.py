"""`python -m scratchnet exercise` as a student meets it: begin, try, be told, ask for a hint, save again, be done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scratchnet.__main__ import main
from scratchnet.exercises import EXERCISES, progress, runner
from scratchnet.exercises.progress import Record

WRONG_WAY = "    A = a.reshape(a.shape[3], -1)\n    print(A)\n    return A @ A.T\n"
RIGHT = "    A = a.reshape(-1, a.shape[3])\n    return A.T @ A\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The student's own folder, and a home of its own."""
    monkeypatch.setenv("SCRATCHNET_HOME", str(tmp_path / "home"))
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def said(capsys):
    """exercise(*words) -> exit code, what was said on stdout, and on stderr."""
    def exercise(*words):
        code = main(["exercise", *words])
        return code, *capsys.readouterr()
    return exercise


@pytest.fixture
def quick(monkeypatch):
    """quick(outcome): every check comes out so, without a process of its own."""
    return lambda outcome: monkeypatch.setattr(runner, "run", lambda exercise, path, debug=False: outcome)


WRONG, DONE = runner.Outcome(False, "gram: not yet."), runner.Outcome(True, "gram: right, in 2 cases.")


def test_the_whole_way(said, folder):
    assert said("gram")[:2] == (0, "my_gram.py: the style matrix (Gram), gram(a)\n"
                                   "Fill it in, then: python -m scratchnet exercise check my_gram.py\n")
    file = folder / "my_gram.py"
    code, out, _ = said("check", "my_gram.py")
    assert code == 1 and "There is still the line `raise NotImplementedError`" in out and "a = [[[[0, 1, 2]" in out
    stub = file.read_text()
    file.write_text(stub.replace("    raise NotImplementedError\n", WRONG_WAY))
    code, out, _ = said("check", "my_gram.py", "--hint")
    assert code == 1 and "my_gram.py prints:\n  | [[ 0.  1." in out and "Hint 1 of 3: Take k = 0" in out
    assert "You gave each row of the matrix what lies side by side in memory" in out and "The trace is right even so" in out
    file.write_text(stub.replace("    raise NotImplementedError\n", RIGHT))
    assert said("check", "my_gram.py") == (0, "gram: right, in 2 cases.\n", "")
    record = progress.load()[0]["gram"]
    assert (record.tries, record.hints, bool(record.solved)) == (3, 1, True)
    out = said("list")[1]
    assert "\n   done   gram " in out and f"1 of {len(EXERCISES)} are done." in out


def test_list_shows_every_exercise_under_its_section(said):
    for words in ((), ("list",)):
        code, out, _ = said(*words)
        assert code == 0 and out.isascii() and all(f"  {name} " in out and EXERCISES[name].title in out for name in EXERCISES)
        assert out.index("\n4  triplet loss\n") < out.index("  triplet_loss ") < out.index("\n5  ")
        assert f"0 of {len(EXERCISES)} are done. Begin one: python -m scratchnet exercise output_size" in out
    progress.note("output_size", checked=True)
    assert "\n   tried  output_size " in said()[1]


def test_a_file_that_is_there_stays_as_it_is(said, folder):
    (folder / "my_gram.py").write_text("mine")
    code, _, error = said("gram")
    assert code == 1 and "'my_gram.py' is there already, and stays as it is." in error and "--out FILE" in error
    assert (folder / "my_gram.py").read_text() == "mine"


def test_out_is_a_file_or_a_folder(said, folder):
    assert said("gram", "--out", "week 4/mine.py")[0] == said("gram", "--out", "week 4")[0] == said("gram", "--out", "other/")[0] == 0
    assert (folder / "week 4" / "mine.py").exists() and (folder / "week 4" / "my_gram.py").exists()
    assert "check other/my_gram.py" in (folder / "other" / "my_gram.py").read_text().replace("\\", "/")
    (folder / "in the way").write_text("")
    assert said("gram", "--out", "in the way")[0] == 1


@pytest.mark.parametrize("words, says", [
    (["nosuch"], "no exercise 'nosuch'. All of them: python -m scratchnet exercise list"),
    (["triplet"], "did you mean 'triplet_loss'?"),
    (["grma"], "did you mean 'gram'?"), (["my_gram.py"], "did you mean 'gram'?"),
    (["Triplet-Loss"], "did you mean 'triplet_loss'?"), (["check"], "check needs a file"),
    (["gram", "--watch"], "go with check: python -m scratchnet exercise check my_gram.py"),
    (["gram", "my_gram.py"], "one word too many"), (["check", "my_gram.py", "--hint", "4"], "expected 1, 2 or 3"),
])
def test_E2_what_is_misspelt_is_guessed(words, says, said, folder):
    code, out, error = said(*words)
    assert (code, out) == (2, "") and says in error and error.count("\n") == 1 and not os.listdir(folder)


@pytest.mark.parametrize("text, says", [
    ("def gram(a)\n    return a\n", "my_gram.py, line 1: SyntaxError: expected ':'"),
    ("# exercise: gram\ndef gram(a):\n    A = a\n\treturn A\n", "my_gram.py, line 4: TabError"),
    ("def gram(a):\nreturn a\n", "stand four spaces further in than its def"),
    ("def gram(a):\n    return a\x00\n", "my_gram.py"),
])
def test_E12_a_file_that_python_cannot_read_is_shown_with_its_line(text, says, said, folder):
    (folder / "my_gram.py").write_text(text)
    code, out, error = said("check", "my_gram.py")
    assert code == 1 and says in out and "Traceback" not in out + error
    assert "Traceback" in said("check", "my_gram.py", "--debug")[2]


def test_a_hint_is_given_though_python_cannot_read_the_file(said, folder):
    (folder / "my_gram.py").write_text("# exercise: gram\ndef gram(a)\n    return a\n")
    assert "Hint 1 of 3" in said("check", "my_gram.py", "--hint")[1]


@pytest.mark.parametrize("text, says", [
    ("# exercise: gram\ndef gramm(a):\n    return a\n", "is marked as the exercise gram, but defines no function of that name. There"),
    ("# exercise: gram\n", "It defines no function."),
    ("def triplets(a):\n    return a\n", "holds no exercise"), ("def gramm(a):\n    return a\n", "Do you mean gram? Name the function so."),
    ("", "it defines no function. The names: python -m scratchnet exercise list."),
])
def test_a_file_whose_exercise_is_not_known(text, says, said, folder):
    (folder / "mine.py").write_text(text)
    code, _, error = said("check", "mine.py")
    assert code == 1 and says in error and error.count("\n") == 1


def test_a_file_by_any_name_and_one_with_several_exercises(said, folder, monkeypatch):
    checked = []
    monkeypatch.setattr(runner, "run", lambda exercise, path, debug: checked.append(exercise.name) or DONE)
    (folder / "renamed.py").write_text("def helper(a):\n    return a\n\ndef gram(a):\n    return a\n")
    (folder / "both.py").write_text("def gram(a):\n    return a\n\nunroll = lambda a: a\n")
    (folder / "marked.py").write_text("# exercise: unroll\ndef gram(a):\n    return a\n\ndef unroll(a):\n    return a\n")
    for name in ("renamed.py", "both.py", "marked.py"):
        assert said("check", name)[0] == 0
    assert checked == ["gram", "gram", "unroll", "unroll"]


def test_check_takes_the_name_of_an_exercise_for_its_file(said, folder, quick):
    quick(DONE)
    assert said("check", "gram")[0] == 1               # there is no my_gram.py
    (folder / "my_gram.py").write_text("def gram(a):\n    return a\n")
    assert said("check", "gram")[0] == 0
    (folder / "gram.ipynb").write_text("{}")
    assert "is a notebook" in said("check", "gram.ipynb")[2] and "looked in" in said("check", "nothing.py")[2]


# ---- hints -------------------------------------------------------------------------------------------------------------------

def test_each_time_the_next_hint_and_then_the_last_again(said, folder, quick):
    quick(WRONG)
    (folder / "my_gram.py").write_text("def gram(a):\n    return a\n")
    hints = EXERCISES["gram"].hints
    assert "Hint" not in said("check", "my_gram.py")[1]
    for number, words in ((1, ["my_gram.py", "--hint"]), (2, ["--hint", "my_gram.py"]), (3, ["my_gram.py", "--hint"]),
                          (3, ["my_gram.py", "--hint"]), (2, ["my_gram.py", "--hint", "2"])):
        out = said("check", *words)[1]
        assert out.endswith(f"Hint {number} of 3: {hints[number - 1]}{' There is no further one.' * (number == 3)}\n")
    assert progress.load()[0]["gram"] == Record(tries=6, hints=3)


def test_what_is_right_needs_no_hint_but_may_have_one_by_number(said, folder, quick):
    quick(DONE)
    (folder / "my_gram.py").write_text("def gram(a):\n    return a\n")
    assert "Hint" not in said("check", "my_gram.py", "--hint")[1] and progress.load()[0]["gram"].hints == 0
    assert "Hint 3 of 3" in said("check", "my_gram.py", "--hint", "3")[1]


# ---- progress that cannot be kept --------------------------------------------------------------------------------------------

def test_W24_damaged_progress_is_said_and_the_check_goes_on(said, folder, quick, tmp_path):
    quick(DONE)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "exercises.json").write_text('{"format": 1, "exerc')
    (folder / "my_gram.py").write_text("def gram(a):\n    return a\n")
    code, out, error = said("check", "my_gram.py")
    assert code == 0 and "right" in out and error.startswith("note: ") and "exercises.json.corrupt" in error
    assert "1 of" in said("list")[1] and (tmp_path / "home" / "exercises.json.corrupt").exists()


def test_a_home_that_cannot_be_written_stops_nothing(said, folder, quick, tmp_path):
    quick(WRONG)
    (tmp_path / "home").write_text("in the way")
    (folder / "my_gram.py").write_text("def gram(a):\n    return a\n")
    code, out, error = said("check", "my_gram.py", "--hint")
    assert code == 1 and "Hint 1 of 3" in out and "note: what you have done is not remembered" in error
    assert said("list")[0] == 0


# ---- watching -----------------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_watch_checks_at_every_save_and_ctrl_c_ends_it(folder):
    file = folder / "my_gram.py"
    file.write_text("# exercise: gram\ndef gram(a)\n    return a\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.Popen([sys.executable, "-m", "scratchnet", "exercise", "check", "my_gram.py", "--watch"], cwd=folder, text=True,
                           env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        listen(run, "SyntaxError", "Ctrl-C to end.")
        file.write_text("# exercise: gram\ndef gramm(a):\n    return a\n")
        listen(run, "look 2", "There is gramm", "Ctrl-C to end.")
        file.unlink()                                  # as editors do, before the new one takes its place
        time.sleep(0.5)
        (folder / "new").write_text("def gram(a):\n" + RIGHT)
        os.replace(folder / "new", file)
        listen(run, "look 3", "gram: right", "Ctrl-C to end.")
        run.send_signal(signal.SIGINT)
        out, error = run.communicate(timeout=30)
        assert run.returncode == 130 and out == "" and error == "stopped.\n"
    finally:
        run.kill()


def listen(run, *words):
    """Reads until all these words were said, in this order."""
    text = ""
    for word in words:
        while word not in text:
            letter = run.stdout.read(1)
            assert letter, f"ended without saying {word!r}: {text}"
            text += letter
        text = text.partition(word)[2]


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_ctrl_c_during_a_check_ends_the_students_process_too(folder):
    beat = folder / "beat"
    (folder / "my_gram.py").write_text(f"def gram(a):\n    while True:\n        open({str(beat)!r}, 'a').write('.')\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.Popen([sys.executable, "-m", "scratchnet", "exercise", "check", "my_gram.py"], cwd=folder, text=True,
                           env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not beat.exists() and time.monotonic() < until:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=30)
    size = beat.stat().st_size
    time.sleep(0.2)
    assert run.returncode == 130 and error == "stopped.\n" and beat.stat().st_size == size
