"""How the checker talks: a case that can be redone on paper, numbers as one writes them, an error at the student's own line."""

import linecache
import os
import textwrap
import traceback

import numpy as np

WIDTH = 110
MANY = 60                                              # numbers: more than that are not read


def shown(value, digits=6):
    """An argument or an answer as one would write it in Python: [[0, 1], [2, 0.5]]."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, np.ndarray) and value.size > MANY:
        return f"an array of shape {value.shape}, which begins with {shown(value.ravel()[:6], digits)}"
    if isinstance(value, list) or isinstance(value, np.ndarray) and value.ndim > 0:
        return "[" + ", ".join(shown(item, digits) for item in value[:MANY]) + ", ..." * (len(value) > MANY) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(shown(item, digits) for item in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, np.ndarray) and value.dtype.kind in "iufb":
        return f"{float(value) + 0.0:.{digits}g}"
    if callable(value):
        return getattr(value, "__doc__", None) or repr(value)
    return repr(value)


def lines(rows):
    """{name: text} as aligned lines, long ones folded under themselves."""
    wide = max(map(len, rows))
    return [line for name, text in rows.items()
            for line in textwrap.wrap(f"{name.ljust(wide)} = {text}", WIDTH, initial_indent="    ", subsequent_indent=" " * (wide + 7))]


def case(exercise, words, arguments):
    """A case with its numbers."""
    return [f"  {words}:", *lines({name: shown(value) for name, value in zip(exercise.arguments, arguments)})]


def beside(came, expected, names):
    """What was expected and what came, in as many digits as it takes to see a difference."""
    digits = next((d for d in (6, 9) if [shown(c, d) for c in came] != [shown(e, d) for e in expected]), 12)
    return lines({f"{word} {name}": shown(part, digits) for name, e, c in zip(names, expected, came)
                  for word, part in (("expected", e), ("you have", c))})


def syntax(error, path):
    """A file that Python cannot read, with the line."""
    said = [f"{os.path.basename(path)}, line {error.lineno or 1}: {type(error).__name__}: {error.msg}"]
    if error.text and error.text.strip():
        said.append("    " + error.text.strip())
    if isinstance(error, TabError) or "unindent" in str(error.msg):
        said.append("Tabs and spaces look alike and are not. Let your editor indent every line with four spaces.")
    elif isinstance(error, IndentationError):
        said.append("The lines of a function stand four spaces further in than its def.")
    return said


def raised(error, path, whole=False):
    """An error in the student's file: where it is in their lines, and what Python said. whole: with ours."""
    if whole:
        return "".join(traceback.format_exception(error)).rstrip().splitlines()
    if isinstance(error, SyntaxError) and error.filename:
        return syntax(error, error.filename)
    folder = os.path.dirname(os.path.realpath(path))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.dirname(os.path.realpath(frame.filename)) == folder]
    frames = {(frame.filename, frame.lineno): frame for frame in frames}            # of a recursion each line once
    said = []
    for frame in list(frames.values())[-3:]:
        where = "" if frame.name == "<module>" else f", in {frame.name}"
        said += [f"{os.path.basename(frame.filename)}, line {frame.lineno}{where}:", f"    {frame.line}"]
    return said + [line.rstrip() for line in traceback.format_exception_only(error)]


def line_of(path, number):
    """The text of a line of a file, without the spaces around it."""
    linecache.checkcache(path)
    return linecache.getline(path, number).strip()
