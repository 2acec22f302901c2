"""A lesson is run here cell by cell, so that a page can say which cell printed what and which picture is whose.

A cell begins at a line `# %%`; the words behind it are its heading. All cells of a lesson share one namespace, as in an editor.
The terminal shows everything as it comes: what is kept for the page is kept besides.
"""

import contextlib
import io
import sys
import time
import traceback
import types
from dataclasses import dataclass, field
from pathlib import Path

MARK = "# %%"


@dataclass
class Cell:
    """One part of a lesson: its text, and what it did when it was run."""

    heading: str                # the words behind `# %%`
    source: str                 # without that line
    line: int                   # number in the file of the first line of source
    said: list = field(default_factory=list)      # in order: ("printed", text), ("asked", question), ("drawn", name of a file)
    error: str = ""             # the traceback, when it failed


@dataclass
class Lesson:
    """A lesson, run or not."""

    number: int
    path: Path
    cells: list
    state: str = "waiting"      # then "ran", or "failed"
    quick: bool = False
    seconds: float = 0.0
    names: dict = field(default_factory=dict, repr=False)       # what its cells have defined

    @property
    def pictures(self):
        return [name for cell in self.cells for kind, name in cell.said if kind == "drawn"]


def read(number, path):
    """The lesson in a file, not yet run. -> Lesson"""
    cells = []
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if line.startswith(MARK):
            cells.append(Cell(line[len(MARK):].strip(), "", i + 1))
        else:
            cells[-1].source += line
    return Lesson(number, path, cells)


def run(lesson, quick, out, predict):
    """Runs the cells in order until one fails, and notes in the lesson what they did.

    quick, out, predict  what a lesson finds as `settings`: smaller?, the folder of pictures, the function that asks
    A failed cell leaves its traceback in .error (and on stderr); Ctrl-C passes through.
    """
    begun, lesson.quick, lesson.state = time.perf_counter(), quick, "ran"
    module = types.ModuleType(lesson.path.stem)
    lesson.names = vars(module)
    lesson.names["__file__"] = str(lesson.path)
    watch = Watch(out, lesson.path.stem.split("_")[0])
    lesson.names["settings"] = (quick, out, watch.asking(predict))
    for cell in lesson.cells:
        watch.begin(cell)
        try:
            code = compile("\n" * (cell.line - 1) + cell.source, str(lesson.path), "exec", dont_inherit=True)      # true line numbers
            with contextlib.redirect_stdout(watch):
                exec(code, lesson.names)
        except Exception as e:
            cell.error = "".join(traceback.format_exception(type(e), e, e.__traceback__.tb_next))      # from the lesson's own line on
            print(cell.error, file=sys.stderr)
            lesson.state = "failed"
        watch.look()
        if cell.error:
            break
    lesson.seconds = time.perf_counter() - begun


class Watch(io.TextIOBase):
    """A standard output that passes everything on and notes it in the cell at work; and an eye on the folder of pictures."""

    def __init__(self, folder, prefix):
        self.folder, self.prefix, self.terminal, self.cell, self.silent = folder, prefix, sys.stdout, None, False
        self.seen = self._there()

    def begin(self, cell):
        self.cell = cell

    def write(self, text):
        if not self.silent:
            self._note("printed", text)
        return self.terminal.write(text)

    def flush(self):
        self.terminal.flush()

    def isatty(self):
        return self.terminal.isatty()

    @property
    def encoding(self):
        return self.terminal.encoding

    def asking(self, predict):
        """predict, with the question noted as one. What it prints meanwhile, the question and a prompt, is not noted twice."""
        def asked(question):
            self.look()
            self._note("asked", question)
            self.silent = True
            try:
                return predict(question)
            finally:
                self.silent = False
        return asked

    def look(self):
        """Notes the pictures that are new, or anew, since the last look."""
        now = self._there()
        for name in sorted(now, key=now.get):
            if now[name] != self.seen.get(name):
                self._note("drawn", name)
        self.seen = now

    def _there(self):
        files = ((path.name, path.stat()) for path in self.folder.glob(self.prefix + "_*.png"))
        return {name: (stat.st_mtime_ns, stat.st_ino, stat.st_size) for name, stat in files}

    def _note(self, kind, text):
        said = self.cell.said
        if kind == "printed" and said and said[-1][0] == "printed":
            said[-1] = kind, said[-1][1] + text
        else:
            said.append((kind, text))
