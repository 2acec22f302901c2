"""A student's file may do anything: loop for ever, print without end, leave in the middle. So it runs in a process of its own.

    run(exercise, path)     -> Outcome(right, said, mistake, printed)

The process (see `inside`) has seconds to spend from the moment that the file's own code begins; a watchdog in it ends it then, and
notes the line at which it stood. It has no keyboard to read from, and of what it prints only the beginning is kept.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import scratchnet
from scratchnet.exercises import report

SECONDS = 10                                           # for one exercise
START = 60                                             # for Python and NumPy to start, on a slow machine
KEPT = 2000                                            # bytes of what a file prints
LINES = 20


class Outcome(NamedTuple):
    """What the check came to, and the beginning of what the file printed meanwhile."""
    right: bool
    said: str
    mistake: str = ""
    printed: str = ""


def run(exercise, path, seconds=SECONDS, debug=False):
    """Checks one exercise of a file."""
    with tempfile.TemporaryDirectory(prefix="scratchnet-exercise-") as folder:
        verdict, where = Path(folder, "verdict.json"), Path(folder, "where.txt")
        process = _started([exercise.name, os.path.realpath(path), str(verdict), str(where), str(seconds), str(int(debug))])
        printed = _Beginning(process.stdout)
        try:
            code = process.wait(seconds + START)
        except subprocess.TimeoutExpired:
            code = None
        finally:                                       # Ctrl-C comes here too
            _end(process)
        told = printed.text()
        if verdict.exists():
            return Outcome(*json.loads(verdict.read_text(encoding="utf-8")), told)
        return Outcome(False, f"{exercise.name}: not yet. {_no_verdict(code, where, os.path.realpath(path), seconds)}", "", told)


def _started(words):
    """The process, with this scratchnet, in a group of its own so that what it starts ends with it."""
    home = str(Path(scratchnet.__file__).parents[1])
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8",
                   "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}
    return subprocess.Popen([sys.executable, "-P", "-u", "-m", "scratchnet.exercises.inside", *words], env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def _end(process):
    """Ends the process and what it has started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:                     # all of the group have ended by themselves
            pass
    process.kill()
    process.wait()


class _Beginning(threading.Thread):
    """Reads a pipe to its end, so that its writer never waits, and keeps the beginning."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.kept, self.size = pipe, b"", 0
        self.start()

    def run(self):
        while chunk := self.pipe.read1(2 ** 16):
            self.kept += chunk[:KEPT - len(self.kept)]
            self.size += len(chunk)

    def text(self):
        self.join(2)
        lines = self.kept.decode("utf-8", "replace").splitlines()
        shown = "\n".join(lines[:LINES])
        left = self.size - len(shown.encode())
        return shown + (f"\n({left} more characters are left out)" if left > 2 else "")


def _no_verdict(code, where, path, seconds):
    """Why the process ended without one."""
    trace = where.read_text(encoding="utf-8", errors="replace") if where.exists() else ""
    if code is None or trace:
        place = os.path.basename(path)
        escaped = re.escape(path.encode("ascii", "backslashreplace").decode())
        found = re.search(rf'File "{escaped}", line (\d+) in (.+)', trace)
        if found:
            number, function = int(found[1]), "" if found[2] == "<module>" else f", in {found[2]}"
            place += f", line {number}{function}:\n    {report.line_of(path, number)}"
        return f"It was stopped after {seconds:g} s, at {place}\nDoes a loop there ever end?"
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"Python ended ({how}) before there was an answer: does {os.path.basename(path)} leave it, by os._exit, or crash it?"
