"""What options may be: numbers within their range, said in the words of argparse when they are not."""

import argparse
import math


def whole(least):
    """A type of argparse: a whole number from `least` up."""
    def parsed(text):
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least} up")
        return int(text)
    return parsed


def number(least, most=math.inf, what="a number"):
    """A type of argparse: a finite number from `least` to `most`."""
    def parsed(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or math.isinf(value):
            upper = "up" if most == math.inf else f"to {most:g}"
            raise argparse.ArgumentTypeError(f"{text!r}: expected {what} from {least:g} {upper}")
        return value
    return parsed
