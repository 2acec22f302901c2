"""python -m scratchnet COMMAND: reads the words, hands them to the command's file, and turns errors into one clear line."""

import argparse
import difflib
import functools
import importlib
import os
import sys
import traceback
import warnings

from scratchnet import __version__
from scratchnet.cli import COMMANDS
from scratchnet.errors import ImageError, NumericsError, ShapeError, WeightsError

EXAMPLES = """examples:
  python -m scratchnet style
  python -m scratchnet weights get vgg19
  python -m scratchnet style --content photo.jpg --style painting.jpg --weights vgg19 --size 400 --steps 200
  python -m scratchnet units
  python -m scratchnet check
  python -m scratchnet exercise triplet_loss
"""
REFUSALS = (ShapeError, ImageError, WeightsError, NumericsError, OSError, MemoryError)


def spoken(main):
    """main(words) -> exit code, as a program that may talk to a pipe or to a terminal of few letters: both end no run in a traceback."""
    @functools.wraps(main)
    def in_any_terminal(words=None):
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal of ASCII shows ? in a file's name, and the run goes on
        try:
            try:
                return main(words)
            finally:
                print(end="", flush=True)             # here, where a broken pipe is still heard
        except BrokenPipeError:                       # the reader of our output left: `... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    return in_any_terminal


@spoken
def main(words=None):
    """Runs one command. -> exit code: 0 done, 1 refused or failed (a check that found a wrong gradient too), 2 misspelt, 130 stopped."""
    words = sys.argv[1:] if words is None else list(words)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, 1)
        print(f"scratchnet: no command {words[0]!r}{f'; did you mean {near[0]!r}?' if near else '.'} "
              f"Commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    warnings.showwarning = lambda message, *rest, **more: print(f"note: {message}", file=sys.stderr)
    return _run(words[0], words[1:])


def _run(name, words):
    """The command's exit code, or one line on stderr and 1. What a command imports takes time too, in which Ctrl-C may come."""
    try:
        command = importlib.import_module(f"scratchnet.cli.{name}")
        parser = argparse.ArgumentParser(prog=f"python -m scratchnet {name}", description=command.__doc__,
                                         formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
        command.add_arguments(parser)
        if parser.format_usage().count("\n") > 4:      # who mistypes one option need not be shown thirty
            parser.usage = "%(prog)s [options]; --help lists them"
        arguments = parser.parse_args(words)
        return command.run(arguments) or 0
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:                           # an OSError too, but no refusal
        raise
    except REFUSALS as e:
        if "--debug" in words:
            traceback.print_exc()
        print(f"scratchnet: {e or type(e).__name__}", file=sys.stderr)
        return 1


def _help():
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name.ljust(width)}  {what}" for name, what in COMMANDS.items())
    return (f"scratchnet {__version__}: face recognition and neural style transfer from scratch\n\n"
            f"python -m scratchnet COMMAND [--help]\n\n{commands}\n\n{EXAMPLES}")


if __name__ == "__main__":
    sys.exit(main())
