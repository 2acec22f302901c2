"""Exercises: write a function of the lecture yourself, and have it checked.

  python -m scratchnet exercise list                        all exercises by section, and which you have done
  python -m scratchnet exercise gram                        begin one: writes my_gram.py into this folder
  python -m scratchnet exercise check my_gram.py            is it right, and if not, what went wrong?
  python -m scratchnet exercise check my_gram.py --watch    the same again at every save, until Ctrl-C
  python -m scratchnet exercise check my_gram.py --hint     and the next of three hints; --hint 2 is the second

Your file runs in a process of its own, for 10 s at most. What you have done is remembered in the folder SCRATCHNET_HOME, or in your
cache folder, exercises.json. The exit code is 0 when it is right, 1 when not, 2 for a name that there is not.
"""

import difflib
import itertools
import sys
import time
import traceback
from pathlib import Path

from scratchnet.errors import ShapeError, WeightsError
from scratchnet.exercises import EXERCISES, SECTIONS, progress, report, runner, stubs

EVERY = 0.3                                            # seconds between two looks at a file
HINTS = ("1", "2", "3")
NEXT = "next"


def add_arguments(parser):
    """A name, or list, or check with a file."""
    parser.add_argument("name", nargs="?", default="list", metavar="NAME | list | check", help="of the exercise to begin (default: list)")
    parser.add_argument("file", nargs="?", metavar="FILE", help="with check: your file")
    parser.add_argument("--out", metavar="DIR/FILE", help="where the new file goes, or in which folder (default: my_NAME.py, here)")
    parser.add_argument("--hint", nargs="?", const=NEXT, metavar="1|2|3", help="with check: the next hint, or that one")
    parser.add_argument("--watch", action="store_true", help="with check: again at every save, until Ctrl-C")


def run(arguments):
    """-> exit code."""
    if arguments.name == "check":
        return check(arguments)
    if arguments.hint or arguments.watch:
        return misspelt(f"--hint and --watch go with check: python -m scratchnet exercise check my_{arguments.name}.py --hint")
    if arguments.file:
        return misspelt(f"{arguments.file!r} is one word too many. To check a file: python -m scratchnet exercise check my_gram.py")
    return listed() if arguments.name == "list" else begin(arguments.name, arguments.out)


def misspelt(words):
    """One line on stderr. -> exit code 2"""
    print(f"scratchnet: {words}", file=sys.stderr)
    return 2


# ---- list ------------------------------------------------------------------------------------------------------------------

def listed():
    """Every exercise by section, with what became of it."""
    records = remembered(progress.load) or {}
    wide = max(map(len, EXERCISES))
    for section, title in SECTIONS.items():
        print(f"\n{section}  {title}")
        for name, exercise in EXERCISES.items():
            if exercise.section == section:
                print(f"   {state(records.get(name)):5}  {name.ljust(wide)}  {exercise.title}")
    done = [name for name in EXERCISES if name in records and records[name].solved]
    print(f"\n{len(done)} of {len(EXERCISES)} are done.", end="")
    left = [name for name in EXERCISES if name not in done]
    print(f" Begin one: python -m scratchnet exercise {left[0]}" if left else "")
    return 0


def state(record):
    """In one word."""
    return "-" if record is None else "done" if record.solved else "tried" if record.tries else "-"


def remembered(act, *words, **more):
    """What progress.load or progress.note gives, without the sentence, which is said; None where nothing can be remembered."""
    try:
        found, said = act(*words, **more)
    except (OSError, ValueError, WeightsError) as e:
        found, said = None, f"what you have done is not remembered: {e}"
    if said:
        print(f"note: {said}", file=sys.stderr)
    return found


# ---- begin -----------------------------------------------------------------------------------------------------------------

def begin(name, out=None):
    """Writes the stub. A file that is there stays as it is."""
    if name not in EXERCISES:
        return misspelt(unknown(name))
    exercise = EXERCISES[name]
    path = place(exercise, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(stubs.stub(exercise, str(path)))
    except FileExistsError:
        raise FileExistsError(f"'{path}' is there already, and stays as it is. Check it: python -m scratchnet exercise check {path}; "
                              "or begin again elsewhere: --out FILE.") from None
    print(f"{path}: {exercise.title}, {exercise.signature}\nFill it in, then: python -m scratchnet exercise check {path}")
    return 0


def unknown(name):
    """What is said of a name that no exercise has, with the nearest one."""
    near = difflib.get_close_matches(name.removeprefix("my_").removesuffix(".py").replace("-", "_"), EXERCISES, 1)
    return f"no exercise {name!r}{f'; did you mean {near[0]!r}?' if near else '.'} All of them: python -m scratchnet exercise list"


def place(exercise, out):
    """Where the stub goes: a file where a .py is named, else that folder."""
    if out is None:
        return Path(stubs.file_name(exercise))
    path = Path(out).expanduser()
    return path if path.suffix == ".py" and not path.is_dir() else path / stubs.file_name(exercise)


# ---- check -----------------------------------------------------------------------------------------------------------------

def check(arguments):
    """Once, or at every save."""
    if arguments.hint not in (None, NEXT, *HINTS) and arguments.file is None:
        arguments.file, arguments.hint = arguments.hint, NEXT         # check --hint FILE
    if arguments.file is None:
        return misspelt("check needs a file: python -m scratchnet exercise check my_gram.py")
    if arguments.hint not in (None, NEXT, *HINTS):
        return misspelt(f"--hint {arguments.hint!r}: expected 1, 2 or 3, or nothing for the next one")
    path = Path(arguments.file)
    if not path.exists() and arguments.file in EXERCISES:
        path = Path(stubs.file_name(EXERCISES[arguments.file]))       # check gram
    if not path.is_file():
        raise FileNotFoundError(f"No file '{path}' (looked in {Path.cwd()}). A new one: python -m scratchnet exercise NAME")
    if path.suffix == ".ipynb":
        raise ShapeError(f"'{path}' is a notebook. Copy the function into a file, such as my_gram.py, and check that.")
    if not arguments.watch:
        return checked(path, arguments.hint, arguments.debug)
    for number in itertools.count(1):
        before = stamp(path)
        print(f"---- {time.strftime('%H:%M:%S')}, look {number}: {path}", flush=True)
        try:
            checked(path, arguments.hint if number == 1 else None, arguments.debug)
        except (ShapeError, OSError) as e:             # said, and then the student goes on
            print(e)
        print("Watching; save the file to check again, Ctrl-C to end.", flush=True)
        while stamp(path) in (before, None):           # None: an editor is putting the new one in the place of the old
            time.sleep(EVERY)


def stamp(path):
    """What changes when a file is saved; None while there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def checked(path, hint=None, debug=False):
    """Every exercise of a file, and a hint where it is not right yet. -> 0 when all are right, else 1"""
    source = path.read_bytes()
    try:
        names = stubs.exercises_in(source, path, EXERCISES)
    except ShapeError:
        raise
    except (SyntaxError, ValueError) as e:             # Python's own: of a file that it cannot read
        if debug:
            traceback.print_exc()
        print("\n".join(report.syntax(e, path)) if isinstance(e, SyntaxError) else f"{path.name}: Python cannot read it: {e}")
        for name in stubs.marks(source):
            if name in EXERCISES:
                tell_hint(EXERCISES[name], hint)
        return 1
    return max([one(EXERCISES[name], path, hint, debug) for name in names])


def one(exercise, path, hint, debug):
    """One exercise: what it printed, what is to be said, what is remembered. -> 0 when it is right, else 1"""
    outcome = runner.run(exercise, path, debug=debug)
    if outcome.printed:
        print(f"{path.name} prints:\n" + "\n".join(f"  | {line}" for line in outcome.printed.splitlines()))
    print(outcome.said, flush=True)
    remembered(progress.note, exercise.name, checked=True, right=outcome.right)
    if not outcome.right or hint in HINTS:
        tell_hint(exercise, hint)
    return 0 if outcome.right else 1


def tell_hint(exercise, hint):
    """The hint asked for, or the one after those that were given."""
    if hint is None:
        return
    records = remembered(progress.load) or {}
    given = records[exercise.name].hints if exercise.name in records else 0
    number = int(hint) if hint in HINTS else min(given + 1, len(HINTS))
    remembered(progress.note, exercise.name, hints=number)
    more = "" if number < len(HINTS) else " There is no further one."
    print(f"Hint {number} of {len(HINTS)}: {exercise.hints[number - 1]}{more}")
