"""How much memory a piece of Python takes at most, in a process of its own, because a peak is a process's.

A child's getrusage begins, under Linux, with the peak of the parent that it was forked from; the system's own note does not.
"""

import re
import subprocess
import sys
from pathlib import Path


def peak():
    """The most that this process has held so far, in MB."""
    try:
        return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 2 ** 10
    except (OSError, TypeError):
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2 ** 20 if sys.platform == "darwin" else 2 ** 10)


def numbers_of(code, *arguments):
    """What a new process prints, as floats. The code finds `peak` and `sys.argv`; it should print one line of numbers."""
    run = subprocess.run([sys.executable, "-c", f"import sys; from tests.peak_memory import peak; {code}", *map(str, arguments)],
                         cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    return list(map(float, run.stdout.split()))
