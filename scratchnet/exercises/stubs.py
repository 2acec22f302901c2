"""The file that the student begins with, and how the checker knows it again, whatever it is called by then.

A stub carries one line for the checker, `# exercise: gram`. A file without that line is known by the functions it defines.
"""

import ast
import difflib
import re
import warnings

from scratchnet.errors import ShapeError

MARK = "# exercise: "
MARKED = re.compile(rb"^[ \t]*#[ \t]*exercise:[ \t]*(\w+)", re.MULTILINE)


def file_name(exercise):
    """What the stub is called unless told otherwise."""
    return f"my_{exercise.name}.py"


def stub(exercise, name):
    """The text of the stub, to be kept in a file of this name."""
    todo = "\n".join(f"    # TODO: {step}" for step in exercise.steps)
    command = f"python -m scratchnet exercise check {name}"
    return f'''{MARK}{exercise.name}                  (the checker knows the file by this line)
"""Section {exercise.section}: {exercise.title}.

Check it:          {command}
At every save:     {command} --watch
A hint, of three:  {command} --hint
"""

import numpy as np


def {exercise.signature}:
    """{exercise.solution.__doc__.strip()}
    """
{todo}
    raise NotImplementedError
'''


def exercises_in(source, path, known):
    """The names of the exercises that a file holds, by its mark or by its functions.   bytes -> [name, ...]

    known  {name: exercise}
    Raises SyntaxError where Python cannot read it, ShapeError where it holds none, or not the function that its mark promises.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                # of Python, about a \d in a string: told when the file runs
        tree = ast.parse(source, str(path))
    there = _defined(tree)
    marked = [name for name in marks(source) if name in known]
    for name in marked:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            other = (f"There is {near[0]}: rename it." if near else f"Functions there: {', '.join(there)}." if there else
                     "It defines no function.")
            raise ShapeError(f"'{path}' is marked as the exercise {name}, but defines no function of that name. {other} "
                             f"Expected: def {known[name].signature}.")
    found = marked or [name for name in there if name in known]
    if not found:
        near = [close for name in there for close in difflib.get_close_matches(name, known, 1)]
        raise ShapeError(f"'{path}' holds no exercise: it has no line `{MARK}NAME`, and "
                         + (f"its functions ({', '.join(there)}) have other names." if there else "it defines no function.")
                         + (f" Do you mean {near[0]}? Name the function so." if near else
                            " The names: python -m scratchnet exercise list."))
    return found


def marks(source):
    """The names behind the marks of a file, which need no more of it to be readable."""
    return list(dict.fromkeys(mark.decode() for mark in MARKED.findall(source)))


def _defined(tree):
    """The names that a module gives to functions, or imports, or assigns, at its top level."""
    names = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names[node.name] = None
        elif isinstance(node, ast.Assign):
            names.update({target.id: None for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.ImportFrom):
            names.update({name.asname or name.name: None for name in node.names})
    return list(names)
