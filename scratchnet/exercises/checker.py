"""Is this answer right, and if not, which mistake is it?  The numbers of a few small cases are enough to tell.

    check(exercise, f)      a student's function on all cases   -> Verdict(right, said, mistake)

A wrong answer is compared with that of every known mistake, on all cases at once, so that no mistake is named by luck. What nobody
foresaw is shown with its case and numbers, and with what can be said of any numbers: a factor, a sign, a transposed matrix.
"""

import copy
import inspect
import warnings
from typing import NamedTuple

import numpy as np

from scratchnet import gradcheck
from scratchnet.errors import NumericsError, ShapeError
from scratchnet.exercises import report
from scratchnet.exercises.exercise import SECTIONS

CLOSE = 1e-6                                           # relative to the largest number of an answer


class Verdict(NamedTuple):
    """What the check came to, in words; `mistake` is the `did` of the one that was recognised, or ""."""
    right: bool
    said: str
    mistake: str = ""


class Told(Exception):
    """The check has an end before its end, with these lines to say."""


def check(exercise, f, path="", debug=False):
    """Every case, then the gradient if one comes back, then the kinds of numbers.

    f     the student's function      path  of its file, whose lines an error shows       debug  show our lines too
    """
    try:
        _expect_arguments(exercise, f)
        answers = [_answer(exercise, f, words, path, debug) for words in exercise.cases]
        expected = [exercise.parts(exercise.solution(*copy.deepcopy(case))) for case in exercise.cases.values()]
        wrong = [n for n, case in enumerate(expected) if not _alike(answers[n], case)]
        wrong = wrong or [n for n, case in enumerate(expected) if _misshapen(exercise, answers[n], case)]
        if wrong:
            return _wrong(exercise, f, answers, expected, wrong[0])
        return Verdict(True, "\n".join([f"{exercise.name}: right, in {_count(len(answers), 'case')}.", *_beyond(exercise, f, answers)]))
    except Told as told:
        return Verdict(False, f"{exercise.name}: not yet. {told}")


def recognised(exercise, answers):
    """The known mistake that gives these answers (a list of parts for each case) in every case, or None."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mistake in exercise.mistakes:
            if all(_alike(came, wrong_parts(exercise, mistake, case)) for came, case in zip(answers, exercise.cases.values())):
                return mistake
    return None


def wrong_parts(exercise, mistake, case):
    """What the mistake makes of a case."""
    return exercise.parts(mistake.answer(*copy.deepcopy(case)))


# ---- one call --------------------------------------------------------------------------------------------------------------

def _expect_arguments(exercise, f):
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):                    # a function of C, which does not say what it takes
        return
    try:
        signature.bind(*exercise.arguments)
    except TypeError:
        raise Told(f"It is defined as {exercise.name}{signature}; expected {_count(len(exercise.arguments), 'argument')}, "
                   f"in this order: {exercise.signature}.") from None


def _answer(exercise, f, words, path, debug):
    """The parts of what f makes of a case. Its errors are told with the case, and so is a changed argument."""
    case = exercise.cases[words]
    given = copy.deepcopy(case)
    try:
        came = f(*given)
    except NotImplementedError:
        raise Told("There is still the line `raise NotImplementedError` of the stub: put your code in its place. "
                   "One case to begin with:\n" + "\n".join(report.case(exercise, words, case))) from None
    except Exception as e:
        raise Told("\n".join(["It raises an error:", *report.raised(e, path, debug), *report.case(exercise, words, case)])) from None
    for name, before, after in zip(exercise.arguments, case, given):
        if not _unchanged(before, after):
            raise Told("\n".join([f"It changes its argument {name}, which others may still need. Make a new array: {name} = {name} + ..., "
                                  f"not {name} += ...; or begin with {name}.copy().", *report.case(exercise, words, case),
                                  *report.lines({f"{name} afterwards": report.shown(after)})]))
    return exercise.parts(came)


def _unchanged(before, after):
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    return callable(before) or np.array_equal(before, after)


# ---- comparing -------------------------------------------------------------------------------------------------------------

def same(came, expected):
    """Is it the same number, array, truth or name?  nan equals nan."""
    if any(thing is None or isinstance(thing, str) for thing in (came, expected)):
        return type(came) is type(expected) and came == expected
    try:
        came, expected = np.asarray(came), np.asarray(expected)
    except ValueError:                                 # rows of different lengths
        return False
    if came.shape != expected.shape or came.dtype.kind not in "biuf":
        return False
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return np.allclose(came.astype(float), expected.astype(float), rtol=CLOSE, atol=CLOSE * largest, equal_nan=True)


def _alike(came, expected):
    """The parts that both have; gradients are compared where both give them."""
    return len(came) > 0 and all(same(c, e) for c, e in zip(came, expected))


def _misshapen(exercise, came, expected):
    """What is wrong with the kind of an answer, whatever its numbers: a sentence, or ""."""
    names = exercise.values + exercise.gradients
    if len(came) not in (len(exercise.values), len(names)):
        may = f", or with all gradients, {', '.join(names)}" if exercise.gradients else ""
        return f"It returns {_count(len(came), 'thing')}; expected {', '.join(exercise.values)}{may}."
    for name, c, e in zip(names, came, expected):
        sentence = _kind(name, c, e)
        if sentence:
            return sentence
    return ""


def _kind(name, came, expected):
    if expected is None or isinstance(expected, str):
        return ""
    if came is None:
        return (f"It returns None where {name} is expected. Is there a `return`, on every way through the function? "
                "print shows a number, return hands it on.")
    if inspect.isgenerator(came) or callable(came) or isinstance(came, (str, dict, set)):
        return f"{name} is a {type(came).__name__}; expected {_form(expected)}."
    if isinstance(came, (list, tuple)):
        if np.ndim(expected):
            return f"{name} is a {type(came).__name__}; expected {_form(expected)}: np.array makes one of it."
        comma = " Is there a comma too many behind it?" if isinstance(came, tuple) and len(came) == 1 else ""
        return f"{name} is a {type(came).__name__} of {len(came)}; expected {_form(expected)}.{comma}"
    if np.asarray(came).dtype.kind not in "biuf":
        return f"{name} is of {np.asarray(came).dtype}; expected {_form(expected)}."
    if np.shape(came) != np.shape(expected):
        given = "one number" if np.ndim(came) == 0 else f"of shape {np.shape(came)}"
        return f"{name} is {given}; expected {_form(expected)}."
    if np.asarray(expected).dtype.kind == "b" and np.asarray(came).dtype.kind != "b" and same(came, expected):
        return f"{name} holds {np.asarray(came).dtype}; expected True and False, as a comparison gives them."
    return ""


def _form(expected):
    if np.ndim(expected) == 0:
        return "True or False" if isinstance(expected, (bool, np.bool_)) else "one number"
    return f"an array of shape {np.shape(expected)}"


# ---- what to say -----------------------------------------------------------------------------------------------------------

def _wrong(exercise, f, answers, expected, n):
    """The first wrong case with its numbers, then the mistake if it is known, else what the numbers themselves tell."""
    (words, case), came, right = list(exercise.cases.items())[n], answers[n], expected[n]
    names = exercise.values + exercise.gradients
    off = [i for i in range(min(len(came), len(right))) if not same(came[i], right[i])][:1]
    said = [f"{exercise.name}: not yet.", *report.case(exercise, words, case)]
    said += report.beside([came[i] for i in off], [right[i] for i in off], [names[i] for i in off]) if off else []
    mistake = recognised(exercise, answers)
    if mistake:
        value = report.shown(came[off[0]]) if off else ""
        gives = f": {value}" if np.ndim(came[off[0]]) == 0 else ""
        said += ["", f"{mistake.did[0].upper()}{mistake.did[1:]}{gives}; {mistake.but}{'.' * (not mistake.but.endswith('?'))}"]
    else:
        pairs = [(a[off[0]], e[off[0]]) for a, e in zip(answers, expected) if len(a) > off[0]] if off else []
        kind = _misshapen(exercise, came, right)
        said += ["", TRANSPOSED if off and _transposed(pairs) else kind or _clue(pairs)]
        if off and off[0] >= len(exercise.values) and not kind:
            said += _gradient(exercise, f)[1]
    n = exercise.section
    said += [f"Where to look: section {n} of the lecture, {SECTIONS[n]}; python -m lessons {n}."]
    return Verdict(False, "\n".join(said), mistake.did if mistake else "")


TRANSPOSED = "These are the right numbers, transposed: rows and columns are exchanged."
UNKNOWN = "This is none of the mistakes known here: redo the case above by hand, and print what you have on the way."


def _transposed(pairs):
    return all(isinstance(came, np.ndarray) and same(came.T, right) for came, right in pairs)


def _clue(pairs):
    """What can be said of wrong numbers that nobody foresaw.   A part of every case, (came, expected) -> a sentence"""
    if not all(np.asarray(part).dtype.kind in "biuf" for pair in pairs for part in pair):
        return UNKNOWN                                 # names, or None
    came, expected = [[np.asarray(part, float) for part in some] for some in zip(*pairs)]
    if not all(np.isfinite(part).all() for part in came):
        return "There is nan or infinity in it: is something divided by zero, or the logarithm of zero taken?"
    if not any(part.any() for part in came):
        return "It is zero in every case: is the result ever filled in?"
    if all(same(part, np.trunc(right)) for part, right in zip(came, expected)):
        return "The fractions are cut off: is it collected in an array of whole numbers?"
    top, below = np.concatenate([part.ravel() for part in came]), np.concatenate([part.ravel() for part in expected])
    if top.shape == below.shape and below.any():
        r = top @ below / (below @ below)
        if same(top, r * below):
            return ("It is the right answer with the sign turned, in every case." if same(r, -1) else
                    f"It is {r:.6g} times the right answer, in every case: a constant factor, or one that all cases share.")
    return UNKNOWN


def _beyond(exercise, f, answers):
    """What a right answer may still be told: its gradient, its kind of numbers."""
    said = []
    if exercise.gradients and len(answers[0]) == 1:
        gradients = ", ".join(exercise.gradients)
        said.append(f"It may return its gradient too, `return J, {f'({gradients})' if len(exercise.gradients) > 1 else gradients}`: "
                    "that is then checked against differences.")
    elif exercise.gradients:
        passed, lines = _gradient(exercise, f)
        if not passed:
            raise Told("\n".join(["J is right in every case, but its gradient is not, at a random point:", *lines]))
        said += lines
    return said + _precision(exercise, f)


def _gradient(exercise, f):
    """gradcheck at a random point near the last case -> passed, lines."""
    case, rng = dict(zip(exercise.arguments, list(exercise.cases.values())[-1])), np.random.default_rng(0)
    slopes = exercise.slopes.split(", ")
    point = {name: value + 0.1 * rng.standard_normal(np.shape(value)) if name in slopes else copy.deepcopy(value)
             for name, value in case.items()}

    def cost(*arrays):
        J, *gradient = exercise.parts(f(*{**point, **dict(zip(slopes, arrays))}.values()))
        return J, gradient[0] if len(slopes) == 1 else tuple(gradient)

    try:
        found = gradcheck.check(cost, *(point[name] for name in slopes), names=slopes)
    except (ShapeError, NumericsError) as e:
        return False, [f"  {e}"]
    if found.passed:
        return True, [f"Its gradient agrees with differences of J at a random point: relative error {found.error:.1e}."]
    return False, ["  " + line for line in str(found).splitlines()]


def _precision(exercise, f):
    """A remark where float32 goes in and float64 comes out, though it need not."""
    case = [value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
            for value in list(exercise.cases.values())[0]]
    right = exercise.parts(exercise.solution(*copy.deepcopy(case)))
    try:
        came = exercise.parts(f(*case))
    except Exception:                                  # it was right in float64, and that is what was asked
        return []
    wide = [name for name, c, r in zip(exercise.values + exercise.gradients, came, right)
            if np.ndim(r) and r.dtype == np.float32 and c.dtype == np.float64]
    return [f"One remark: for float32 it gives {wide[0]} in float64, as np.zeros without a dtype does, or a product with an array of whole "
            "numbers or booleans; networks run in float32."] if wide else []


def _count(n, thing):
    return f"{n} {thing}{'s' * (n != 1)}"
