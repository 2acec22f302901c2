"""Running a lesson cell by cell: what is kept for its page, and what a lesson notices of that, which is nothing."""

import sys

import pytest

from lessons import __main__ as lessons
from lessons import cells

PNG = "b'\\x89PNG'"
LESSON = f'''# %%
"""Lesson 3: a tiny one   三 · 小

The question: is it run?
"""
print(__doc__)

# %% what stands before
quick, out, predict = settings

# %% 1. Two numbers
a = 1
print("1. Two numbers")
(out / "l03_before.png").write_bytes({PNG})
predict("   Predict: a + 1?")
print("   It is", a + 1)
(out / "l03_after.png").write_bytes({PNG})
(out / "l04_not_mine.png").write_bytes({PNG})

# %% 2. The cell before is still known
class Kept:
    """The text of a class."""

print(f"   {{a}}, {{quick}}, {{__doc__.split()[1]}}")
'''


@pytest.fixture
def run(tmp_path):
    def run(source, predict=print, name="l03_tiny.py"):
        path, out = tmp_path / name, tmp_path / "out"
        path.write_text(source, encoding="utf-8")
        out.mkdir(exist_ok=True)
        lesson = cells.read(3, path)
        cells.run(lesson, True, out, predict)
        return lesson
    return run


def test_a_file_is_cut_where_cells_begin(tmp_path):
    path = tmp_path / "l03_tiny.py"
    path.write_text(LESSON, encoding="utf-8")
    lesson = cells.read(3, path)
    assert [cell.heading for cell in lesson.cells] == ["", "what stands before", "1. Two numbers", "2. The cell before is still known"]
    lines = LESSON.splitlines(keepends=True)
    for cell in lesson.cells:
        assert cell.source.splitlines()[0] == lines[cell.line - 1].rstrip("\n")
    assert "".join(f"# %% {cell.heading}".rstrip() + "\n" + cell.source for cell in lesson.cells) == LESSON
    assert lesson.state == "waiting" and not lesson.pictures


def test_what_a_cell_printed_asked_and_drew_is_kept_in_its_order(run, capsys):
    lesson = run(LESSON)
    assert lesson.state == "ran" and not any(cell.error for cell in lesson.cells)
    assert lesson.cells[2].said == [
        ("printed", "1. Two numbers\n"), ("drawn", "l03_before.png"), ("asked", "   Predict: a + 1?"),
        ("printed", "   It is 2\n"), ("drawn", "l03_after.png")]
    assert lesson.cells[3].said == [("printed", "   1, True, 3:\n")]
    assert lesson.pictures == ["l03_before.png", "l03_after.png"]
    assert capsys.readouterr().out.splitlines()[-4:] == ["1. Two numbers", "   Predict: a + 1?", "   It is 2", "   1, True, 3:"]


def test_the_output_is_given_back(run):
    before = sys.stdout
    run(LESSON)
    assert sys.stdout is before


def test_a_picture_drawn_anew_belongs_to_the_cell_that_drew_it_anew(run):
    draw = f'(settings[1] / "l03_same.png").write_bytes({PNG} + bytes({{}}))\n'
    lesson = run('# %%\n"""Lesson 3: x"""\n# %% 1. one\n' + draw.format(1) + "# %% 2. nothing\n\n# %% 3. again\n" + draw.format(2))
    assert [[name for _, name in cell.said] for cell in lesson.cells] == [[], ["l03_same.png"], [], ["l03_same.png"]]
    lesson = run('# %%\n"""Lesson 3: x"""\n# %% 1. one\nprint()\n')
    assert not lesson.pictures                        # that of the run before is there, and not of this one


def test_the_prompt_of_a_guess_is_not_kept(run, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: print(prompt))
    lesson = run('# %%\n"""Lesson 3: x"""\n# %% 1. one\nsettings[2]("Predict?")\nprint("yes")\n', predict=lessons.ask)
    assert lesson.cells[1].said == [("asked", "Predict?"), ("printed", "yes\n")]


def test_a_cell_that_fails_ends_the_lesson_with_its_own_line(run, capsys):
    lesson = run('# %%\n"""Lesson 3: x"""\n# %% 1. one\nprint("so far")\n\n'
                 '# %% 2. two\nx = 1\nassert x == 2, "no"\n# %% 3. three\nprint("never")\n')
    assert lesson.state == "failed" and lesson.cells[1].said == [("printed", "so far\n")] and lesson.cells[3].said == []
    error = lesson.cells[2].error.splitlines()
    assert error[1].endswith('l03_tiny.py", line 8, in <module>') and error[2].strip() == 'assert x == 2, "no"'
    assert error[-1] == "AssertionError: no" and len(error) <= 5      # not a line of ours
    said = capsys.readouterr()
    assert "AssertionError: no" in said.err and "never" not in said.out


def test_a_cell_that_is_no_python_fails_as_one_that_was_run(run):
    lesson = run('# %%\n"""Lesson 3: x"""\n# %% 1. one\nx = = 1\n')
    assert lesson.state == "failed" and "SyntaxError" in lesson.cells[1].error


def test_ctrl_c_passes(run):
    before = sys.stdout
    with pytest.raises(KeyboardInterrupt):
        run('# %%\n"""Lesson 3: x"""\n# %% 1. one\nraise KeyboardInterrupt\n')
    assert sys.stdout is before
