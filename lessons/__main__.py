"""python -m lessons [NUMBER ...]: runs lessons from first cell to last, each in a fresh namespace of its own."""

import argparse
import contextlib
import runpy
import sys
import time
from pathlib import Path

from lessons import LESSONS
from scratchnet.__main__ import spoken

LIST = "\n".join(f"  {number}  {title}  ({chinese})" for number, (_, title, chinese) in LESSONS.items())


@spoken
def main(words=None):
    """Runs the lessons asked for. -> exit code: 0 done, 2 no such lesson or misspelt, 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m lessons", description="Lessons to run and to read:\n\n" + LIST,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="which lessons (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller pictures, fewer steps: a look, not a result")
    parser.add_argument("--ask", action="store_true", help="wait for Enter after each prediction, so that you make one")
    parser.add_argument("--out", type=Path, default=Path("out/lessons"), metavar="DIR", help="where pictures go (default: out/lessons)")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    arguments = parser.parse_args(words)
    if arguments.list:
        print(LIST)
        return 0
    unknown = [word for word in arguments.numbers if not (word.isdecimal() and int(word) in LESSONS)]
    if unknown:
        print(f"lessons: no lesson {', '.join(unknown)}. There are:\n{LIST}", file=sys.stderr)
        return 2
    try:
        for word in arguments.numbers or LESSONS:
            run(int(word), arguments.quick, arguments.out, ask if arguments.ask else print)
    except KeyboardInterrupt:
        print("\nstopped.", file=sys.stderr)
        return 130
    return 0


def run(number, quick=False, out=Path("out/lessons"), predict=print):
    """One lesson, cell after cell. -> what it has defined, {name: value}"""
    begun = time.perf_counter()
    path = Path(__file__).with_name(LESSONS[number][0] + ".py")
    names = runpy.run_path(str(path), {"settings": (quick, Path(out), predict)})
    print(f"\n({time.perf_counter() - begun:.0f} s)\n")
    return names


def ask(question):
    """A question that waits for an answer."""
    print(question)
    with contextlib.suppress(EOFError):               # nobody there: go on
        input("   Your guess, then Enter: ")


if __name__ == "__main__":
    sys.exit(main())
