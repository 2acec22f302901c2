"""The table of equations against the code, the README and the glossary: nothing is missing, nothing is made up."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import scratchnet
from lessons import LESSONS, equations, glossary
from lessons.pages import equations as page
from scratchnet import activations, face_losses, layers, normalisation, similarity, style_costs
from scratchnet.cli.check import CASES

README = Path(__file__).parents[1] / "README.md"
WHOLE = (style_costs, face_losses, layers, activations, normalisation, similarity)
NO_FORMULA = {                                        # public, for other modules of the package, but no formula of anything
    "layers.in_dtype_of", "similarity.expect_encodings", "similarity.expect_no_negative", "similarity.ratio"}


def public(module):
    """The functions and classes that a module defines for others, records of numbers left out: {"layers.Conv2D", ...}"""
    there = {name for name, thing in vars(module).items()
             if (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == module.__name__
             and not name.startswith("_") and not (inspect.isclass(thing) and issubclass(thing, tuple))}
    return {f"{module.__name__.removeprefix('scratchnet.')}.{name}" for name in there}


def missing(module):
    """What of a module has no row."""
    return public(module) - NO_FORMULA - {name for row in equations.EQUATIONS for name in row.functions.split()}


@pytest.mark.parametrize("module", WHOLE, ids=lambda module: module.__name__)
def test_every_cost_loss_and_layer_has_its_row(module):
    assert len(public(module)) > 3 and not missing(module)


def test_one_more_function_would_be_missed(monkeypatch):
    def hinge_cost(x):
        """max(x, 0)"""
    hinge_cost.__module__ = style_costs.__name__
    monkeypatch.setattr(style_costs, "hinge_cost", hinge_cost, raising=False)
    assert missing(style_costs) == {"style_costs.hinge_cost"}


def test_what_is_excused_is_there():
    assert NO_FORMULA <= set().union(*map(public, WHOLE))


@pytest.mark.parametrize("row", equations.EQUATIONS, ids=lambda row: row.functions.split()[0])
def test_each_function_is_where_the_table_says(row):
    assert row.lesson in range(10) and row.checked
    for function in equations.functions(row):
        lines = (equations.ROOT / function.file).read_text(encoding="utf-8").splitlines()
        first = next(line for line in lines[function.line - 1:] if not line.startswith("@") and not line.endswith(")"))
        assert re.search(rf"\b(def|class) {function.name.split('.')[-1]}\b", "\n".join(lines[function.line - 1:function.line + 4])), first


def test_rows_go_with_the_lecture_and_each_section_has_one():
    order = [row.lesson for row in equations.EQUATIONS]
    assert order == sorted(order) and set(order) == set(range(10)) >= set(LESSONS)


def test_every_gradient_check_is_shown_in_a_row_and_a_row_that_speaks_of_one_has_it():
    shown = {case for row in equations.EQUATIONS for case in equations.cases(row)}
    assert shown == set(CASES)
    without = {row.functions for row in equations.EQUATIONS if "gradient check" in row.checked and not equations.cases(row)}
    assert without == {"maximise.maximise"}           # checked in the tests, unit by unit, and too slow for a page


def test_the_readme_has_the_short_table():
    assert equations.short_table() in README.read_text(encoding="utf-8")
    assert 10 < equations.short_table().count("\n") < 20


def test_the_page_says_what_the_checks_found():
    row = next(row for row in equations.EQUATIONS if row.functions == "layers.Dense")
    report = CASES["Dense"](np.random.default_rng(0))
    assert page._verdict(row, {}) == "numbers by hand, PyTorch&#x27;s numbers, gradient check"
    assert f"gradient right, happy</strong> · worst error {report.error:.0e}" in page._verdict(row, {"Dense": report})
    report.rows[0].error = 0.5
    assert '<strong class="wrong">gradient wrong</strong> · worst error 5e-01' in page._verdict(row, {"Dense": report})
    assert "1 of 2 gradients are right" in page.as_html({"Dense": report, "Flatten": CASES["Flatten"](np.random.default_rng(0))})


def test_a_wrong_gradient_is_an_exit_code(monkeypatch, tmp_path, capsys):
    from lessons import __main__ as lessons
    report = CASES["Dense"](np.random.default_rng(0))
    report.rows[0].error = 0.5
    monkeypatch.setattr(equations, "verdicts", lambda: {"Dense": report})
    assert not lessons.check_equations(tmp_path)
    assert "0 of 1 gradients are right" in capsys.readouterr().out


def test_the_letters_are_those_of_the_package():
    """The table in `scratchnet/__init__.py`, row by row: a row that goes on in the next line has its rest further right."""
    table = [line[4:] for line in scratchnet.__doc__.split("\n") if line.startswith("    ") and not line.startswith("     ")][2:]
    rows = [re.split(r" {2,}", line)[:2] for line in table]
    assert len(rows) == len(glossary.LETTERS) == 11
    for (lecture, written), (letter, code, *_) in zip(rows, glossary.LETTERS):
        assert letter == lecture and code.startswith(written.rstrip(","))


def test_every_word_and_letter_is_there_in_chinese_once():
    chinese = [words[3] for words in glossary.LETTERS] + [chinese for _, chinese in glossary.WORDS]
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in chinese)
    english = [word for word, _ in glossary.WORDS]
    assert len(english) == len(set(english))
    assert [letter for letter, *_ in glossary.TWICE] == ["G", "alpha"] and all(len(meanings) == 2 for _, *meanings in glossary.TWICE)
