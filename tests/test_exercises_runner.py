"""A student's file in a process of its own: whatever it does, the check ends, and says in a line or two what happened and where."""

import io
import os
import sys
import textwrap
import time

import pytest

from scratchnet.exercises import EXERCISES, inside, runner

GRAM = EXERCISES["gram"]


@pytest.fixture
def write(tmp_path):
    def written(text, name="my_gram.py"):
        path = tmp_path / name
        path.write_text("import numpy as np\n" + textwrap.dedent(text), encoding="utf-8")
        return path
    return written


RIGHT = """
def gram(a):
    A = a.reshape(-1, a.shape[3])
    return A.T @ A
"""


def test_a_right_file_with_what_lies_beside_it_and_names_that_python_uses_itself(write):
    """A random.py beside it does not take the place of Python's; a module of the student's can be imported; nothing is left there."""
    write(RIGHT, "grams.py")
    write("raise RuntimeError('this is no random number')", "random.py")
    path = write("from grams import gram\nprint('größer', __name__)", "my gram, größer.py")
    outcome = runner.run(GRAM, path)
    assert outcome.right and outcome.printed == "größer my gram, größer"
    assert sorted(os.listdir(path.parent)) == ["grams.py", "my gram, größer.py", "random.py"]


@pytest.mark.parametrize("number", [0, len(GRAM.mistakes) - 1])
def test_mistakes_are_named_on_the_whole_way(write, number):
    path = write(f"from scratchnet.exercises import EXERCISES\ngram = EXERCISES['gram'].mistakes[{number}].answer")
    outcome = runner.run(GRAM, path)
    assert outcome.mistake == GRAM.mistakes[number].did and outcome.mistake[1:] in outcome.said


def test_E12_a_loop_without_end_is_stopped_and_its_line_is_shown(write):
    path = write("""
        def gram(a):
            i = 0
            while i < 3:
                a = a + 1
            return a
        """, "größe.py")
    begun = time.perf_counter()
    outcome = runner.run(GRAM, path, seconds=1)
    assert not outcome.right and time.perf_counter() - begun < 20
    assert "It was stopped after 1 s, at größe.py, line " in outcome.said and ", in gram:" in outcome.said
    assert "while i < 3:" in outcome.said or "a = a + 1" in outcome.said


def test_E12_what_is_printed_without_end_is_cut(write):
    outcome = runner.run(GRAM, write("while True:\n    print('again and again')"), seconds=1)
    assert outcome.printed.startswith("again and again\n") and outcome.printed.endswith(" more characters are left out)")
    assert len(outcome.printed) < runner.KEPT + 100 and outcome.printed.count("\n") <= runner.LINES
    assert "stopped after 1 s" in outcome.said


def test_one_line_without_end_is_cut_too(write):
    outcome = runner.run(GRAM, write("print('x' * 5_000_000)\n" + RIGHT))
    assert outcome.right and len(outcome.printed) < runner.KEPT + 100 and "4998001 more characters" in outcome.printed


@pytest.mark.parametrize("text, says, line", [
    ("import sys\ndef gram(a):\n    sys.exit('done')", "ends Python, by sys.exit", "line 4, in gram"),
    ("import sys\nsys.exit()\ndef gram(a):\n    return a", "ends Python, by sys.exit", "line 3"),
    ("n = input()\ndef gram(a):\n    return a", "waits for input()", "line 2"),
    ("import numpyy\ndef gram(a):\n    return a", "needs 'numpyy', which is not here", "line 2"),
    ("from numpy import grm\ndef gram(a):\n    return a", "cannot import name 'grm'", "line 2"),
    ("import crooked\ndef gram(a):\n    return a", "does not run", "crooked.py, line 2: SyntaxError"),
    ("gram = 3", "gram is a int, no function", ""),
    ("1 / 0\ndef gram(a):\n    return a", "does not run", "line 2"),
    ("def gram(a):\n    return b", "name 'b' is not defined", "line 3, in gram"),
    ("def gram(a):\n    return gram(a)", "RecursionError", "line 3, in gram"),
])
def test_E13_each_way_to_fail_is_said_with_the_students_line_and_none_of_ours(write, text, says, line, monkeypatch):
    """Here without the process, which adds nothing to them."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    write("def f(:", "crooked.py")
    verdict = inside.judge(GRAM, str(write(text)))
    assert not verdict.right and says in verdict.said and line in verdict.said
    assert not [ours for ours in ("checker.py", "inside.py", "frozen") if ours in verdict.said]
    assert verdict.said.count("line 3, in gram") <= 1


@pytest.mark.parametrize("text, says", [
    ("import os\ndef gram(a):\n    os._exit(0)", "Python ended (exit code 0) before there was an answer"),
    ("import os\ndef gram(a):\n    os.abort()", "before there was an answer: does my_gram.py leave it, by os._exit, or crash it?"),
    ("import sys, threading, time\nsys.stdout = None\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
     "def gram(a):\n    return a", "G is of shape (1, 2, 2, 3)"),
])
def test_a_process_that_ends_or_hangs_on_is_no_trouble(write, text, says):
    assert says in runner.run(GRAM, write(text)).said


def test_debug_shows_our_lines_too(write):
    outcome = runner.run(GRAM, write("def gram(a):\n    return b"), debug=True)
    assert "checker.py" in outcome.said and "Traceback" in outcome.said


@pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")
def test_a_child_of_the_students_process_ends_with_it(write, tmp_path):
    beat = tmp_path / "beat"
    path = write(f"""
        import os, subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "while True: open({str(beat)!r}, 'a').write('.')"])
        while not os.path.exists({str(beat)!r}):
            time.sleep(0.01)
        """ + RIGHT.replace("\n", "\n        "))
    assert runner.run(GRAM, path).right
    size = beat.stat().st_size
    time.sleep(0.2)
    assert beat.stat().st_size == size
