"""What runs in the process that `runner` starts: all of ours is loaded first, then the clock starts, then comes the student's file."""

import faulthandler
import json
import os
import sys
import types
from pathlib import Path

from scratchnet.exercises import EXERCISES, report
from scratchnet.exercises.checker import Verdict, check


def main(name, path, verdict, where, seconds, debug):
    """Checks one exercise and leaves [right, said, mistake] in the file `verdict`; or, out of time, the line in the file `where`."""
    with open(where, "w") as trace:
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=trace)
        found = judge(EXERCISES[name], path, debug == "1")
        faulthandler.cancel_dump_traceback_later()
    with open(verdict + ".part", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(verdict + ".part", verdict)
    os._exit(0)                                        # whatever else the file has started does not hold us up


def judge(exercise, path, debug=False):
    """The file, run as a module, and then its function in all cases   -> Verdict"""
    def no(*said):
        return Verdict(False, f"{exercise.name}: not yet. " + "\n".join(said))

    file = os.path.basename(path)
    try:
        f = getattr(load(path), exercise.name, None)
        return check(exercise, f, path, debug) if callable(f) else no(f"In {file} {exercise.name} is a {type(f).__name__}, no function.")
    except SystemExit as e:
        return no(f"{file} ends Python, by sys.exit, exit or quit, before there is an answer: take that out.",
                  *report.raised(e, path, debug))
    except EOFError as e:
        return no(f"{file} waits for input(); the checker has no keyboard. Its numbers come as arguments.", *report.raised(e, path, debug))
    except ModuleNotFoundError as e:
        return no(f"{file} needs {e.name!r}, which is not here. NumPy is enough for every exercise.", *report.raised(e, path, debug))
    except Exception as e:
        return no(f"{file} does not run:", *report.raised(e, path, debug))


def load(path):
    """The file as a module. What lies beside it can be imported, and nothing is written there."""
    sys.dont_write_bytecode = True
    sys.path.append(os.path.dirname(path))             # at the end: a random.py of theirs shall not be NumPy's
    module = types.ModuleType(Path(path).stem)
    module.__file__ = path
    exec(compile(Path(path).read_bytes(), path, "exec"), module.__dict__)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
