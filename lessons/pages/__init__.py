"""Pages of the lessons: a folder of plain HTML with its pictures beside it, to be read anywhere, without network or script.

    index.html          all lessons; those not run yet, with the command that runs them
    l04_....html        one page a lesson
    equations.html      every formula, its function, its gradient checked now; the letters and the words in both languages
    page.css            how they look

Pages of lessons that were run before stay. A lesson that was not run yet has a page too, with its text and its code, so that no link
leads nowhere.
"""

from pathlib import Path

from lessons import LESSONS, cells
from lessons.pages import equations, index, lesson
from lessons.pages.frame import address
from scratchnet.atomic import replacing

FOLDER = Path(__file__).parent


def begin(out):
    """The pages there can be before anything has run."""
    _write(out / "page.css", (FOLDER / "page.css").read_text(encoding="utf-8"))
    for number in LESSONS:
        if index.notes(out / address(number)).get("state", "waiting") == "waiting":
            _write(out / address(number), lesson.as_html(read(number), out))
    if not (out / "equations.html").is_file():
        _write(out / "equations.html", equations.as_html({}))
    write_index(out)


def read(number):
    """The lesson of this number, not yet run."""
    return cells.read(number, FOLDER.parent / f"{LESSONS[number][0]}.py")


def write_lesson(ran, out):
    """The page of a lesson that was run, and the index anew."""
    _write(out / address(ran.number), lesson.as_html(ran, out))
    write_index(out)


def write_index(out):
    _write(out / "index.html", index.as_html(out, {number: lesson.question(read(number)) for number in LESSONS}))


def write_equations(verdicts, out):
    _write(out / "equations.html", equations.as_html(verdicts))


def _write(path, text):
    with replacing(path) as file:
        file.write(text.encode("utf-8"))
