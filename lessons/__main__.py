"""python -m lessons [NUMBER ...]: runs lessons from first cell to last, each in a fresh namespace of its own, and writes their pages."""

import argparse
import contextlib
import sys
import time
from pathlib import Path

from lessons import LESSONS, cells, equations, pages
from scratchnet.__main__ import spoken

LIST = "\n".join(f"  {number}  {title}  ({chinese})" for number, (_, title, chinese) in LESSONS.items())


@spoken
def main(words=None):
    """Runs the lessons asked for, and writes index.html. -> exit code: 0 done, 1 one failed, 2 no such lesson or misspelt, 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m lessons", description="Lessons to run and to read:\n\n" + LIST,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="which lessons (default: all)")
    parser.add_argument("--quick", action="store_true", help="smaller pictures, fewer steps: a look, not a result")
    parser.add_argument("--ask", action="store_true", help="wait for Enter after each prediction, so that you make one")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR",
                        help="where the pages and pictures go: DIR/index.html (default: out)")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    arguments = parser.parse_args(words)
    if arguments.list:
        print(LIST)
        return 0
    unknown = [word for word in arguments.numbers if not (word.isdecimal() and int(word) in LESSONS)]
    if unknown:
        print(f"lessons: no lesson {', '.join(unknown)}. There are:\n{LIST}", file=sys.stderr)
        return 2
    numbers, out = list(map(int, arguments.numbers or LESSONS)), arguments.out
    try:
        pages.begin(out)
        failed = [n for n in numbers if run(n, arguments.quick, out, ask if arguments.ask else print).state == "failed"]
        right = check_equations(out)
    except KeyboardInterrupt:
        print("\nstopped.", file=sys.stderr)
        return 130
    print(f"To read it all: {out / 'index.html'}")
    if failed:
        print(f"lessons: {', '.join(map(str, failed))} failed; see above, and the page.", file=sys.stderr)
    return 1 if failed or not right else 0


def run(number, quick=False, out=Path("out"), predict=print):
    """One lesson, cell after cell, and its page. -> the lesson as it ran, a cells.Lesson"""
    lesson = pages.read(number)
    cells.run(lesson, quick, Path(out), predict)
    pages.write_lesson(lesson, Path(out))
    print(f"\n({lesson.seconds:.0f} s)\n")
    return lesson


def check_equations(out):
    """The page of equations, with every gradient checked. -> are all right?"""
    begun, verdicts = time.perf_counter(), equations.verdicts()
    pages.write_equations(verdicts, out)
    right = sum(report.passed for report in verdicts.values())
    print(f"The equations: {right} of {len(verdicts)} gradients are right ({time.perf_counter() - begun:.0f} s)")
    return right == len(verdicts)


def ask(question):
    """A question that waits for an answer."""
    print(question)
    with contextlib.suppress(EOFError):               # nobody there: go on
        input("   Your guess, then Enter: ")


if __name__ == "__main__":
    sys.exit(main())
