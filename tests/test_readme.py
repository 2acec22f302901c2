"""The two READMEs against each other, against the commands they name, and their table of the house against the code."""

import argparse
import ast
import graphlib
import importlib.util
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from lessons import LESSONS, equations
from lessons.__main__ import main as lessons
from scratchnet.__main__ import main as scratchnet
from scratchnet.cli import COMMANDS
from scratchnet.colours import KEEP
from scratchnet.exercises import EXERCISES
from scratchnet.optimizers import OPTIMIZERS
from scratchnet.presets import PRESETS
from scratchnet.style import STARTS
from scratchnet.style_costs import CONTENT

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
FOLDERS = ("scratchnet", "lessons", "tests", "benchmarks")
BELOW = -1                                            # the level of the house's lowest row, which has a word for a number


# ---- reading a README ------------------------------------------------------------------------------------------------------

class Section(NamedTuple):
    """What of a section can be compared across languages."""

    level: int
    title: str
    blocks: list                # lines of code: a command each, or Python without its comments
    codes: list                 # `inline code`
    tables: list                # of rows of cells
    links: list
    words: str                  # the rest


def sections(text):
    """Cut at headings, code left out of account: # is a comment there."""
    found, level, title, lines, fenced = [], 0, "", [], False
    for line in [*text.splitlines(), "# the end"]:
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.+)", line)
        if heading:
            found.append(section(level, title, lines))
            level, title, lines = len(heading[1]), heading[2], []
        else:
            lines.append(line)
    return found[1:]


def section(level, title, lines):
    blocks, tables, words, fenced, last = [], [], [], False, ""
    for line in lines:
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            blocks.append(re.sub(r"\s+# .*", "", line.strip()))
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            tables += [] if last.startswith("|") else [[]]
            tables[-1].append(cells)
        if not fenced and not line.startswith(("    ", "```")):
            words.append(line)
        last = line
    prose = "\n".join(words)
    without_code = re.sub(r"`[^`]*`", "", prose)
    return Section(level, title, blocks, re.findall(r"`([^`]*)`", prose), tables, re.findall(r"\]\(([^)]*)\)", without_code),
                   re.sub(r"\]\([^)]*\)", "]", without_code))


def read(name):
    return sections((ROOT / name).read_text(encoding="utf-8"))


def numbers(words):
    return re.findall(r"\d+(?:\.\d+)*(?:e-?\d+)?", words)


def differences(english, chinese):
    """In words, what one README has and the other has not."""
    if [one.level for one in english] != [one.level for one in chinese]:
        return [f"headings: {[one.title for one in english]}, {[one.title for one in chinese]}"]
    found = []
    for one, other in zip(english, chinese):
        pairs = {"blocks": (one.blocks, other.blocks), "code": (sorted(one.codes), sorted(other.codes)),
                 "numbers": (sorted(numbers(one.words)), sorted(numbers(other.words))),
                 "numbers in the heading": (numbers(one.title), numbers(other.title)),
                 "rows": ([len(table) for table in one.tables], [len(table) for table in other.tables]),
                 "columns": ([len(row) for table in one.tables for row in table], [len(row) for table in other.tables for row in table]),
                 "links": (sorted(one.links), sorted({ENGLISH: CHINESE}.get(link, link) for link in other.links)),
                 "paragraphs": (len(re.findall(r"\n\n+", one.words)), len(re.findall(r"\n\n+", other.words)))}
        found += [f"{one.title} / {other.title}: {what}: {here} / {there}" for what, (here, there) in pairs.items() if here != there]
    return found


# ---- the two say the same --------------------------------------------------------------------------------------------------

def test_the_two_readmes_have_the_same_headings_commands_tables_links_and_numbers():
    assert differences(read(ENGLISH), read(CHINESE)) == []
    assert len(read(ENGLISH)) > 10


@pytest.mark.parametrize("old, new, what", [
    ("## Faces", "### Faces", "headings"), ("-m lessons\n", "-m lessons --quick\n", "blocks"), ("261 known", "262 known", "numbers"),
    ("| 8 · the content cost", "| the content cost", "numbers"), ("`--gif`", "`--film`", "code"), ("[MIT](LICENSE)", "MIT", "links"),
    ("0.29 s, 594 MB", "0.28 s, 594 MB", "numbers"), ("| to see what each", "\n| to see what each", "rows"),
    ("\nThere are 31", "There are 31", "paragraphs")])
def test_a_difference_is_found(old, new, what):
    text = (ROOT / ENGLISH).read_text(encoding="utf-8")
    assert text.count(old) >= 1
    assert any(what in found for found in differences(sections(text.replace(old, new, 1)), read(CHINESE)))


def test_no_line_of_the_chinese_one_is_broken_between_two_characters():
    """A line's end becomes a blank there; after 。，；： nobody sees it."""
    lines = (ROOT / CHINESE).read_text(encoding="utf-8").splitlines()
    assert [line for line, following in zip(lines, lines[1:]) if re.search(r"[\u4e00-\u9fff]$", line)
            and re.match(r"[\u4e00-\u9fff（]", following)] == []


@pytest.mark.parametrize("name, words", [(ENGLISH, None), (CHINESE, equations.IN_CHINESE)])
def test_both_have_the_table_of_equations(name, words):
    assert equations.short_table(words) in (ROOT / name).read_text(encoding="utf-8")


def test_every_word_of_the_table_is_there_in_chinese():
    left = re.findall(r"[A-Za-z]{3,}(?: [a-z]+)*", re.sub(r"`[^`]*`", "", equations.short_table(equations.IN_CHINESE)))
    assert set(left) <= {"img", "PyTorch", "SciPy", "MobileFaceNet", "VGG", "hook", "deconvnet", "guided", "margin", "max", "content",
                         "style", "learning", "rate", "ijk", "ijk a"}


# ---- what they name is there -----------------------------------------------------------------------------------------------

class Parsed(BaseException):
    """A command line was understood, by this parser; nothing is run."""


@pytest.fixture
def understood(monkeypatch):
    """understood(main, words) -> its ArgumentParser, or a failure of the test."""
    parse_args = argparse.ArgumentParser.parse_args

    def stop(self, args=None, namespace=None):
        parse_args(self, args, namespace)
        raise Parsed(self)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)

    def of(main, words):
        try:
            code = main([word for word in words if word != "--help"])
        except Parsed as parsed:
            return parsed.args[0]
        except SystemExit as e:
            code = e.code
        pytest.fail(f"not understood (exit code {code}): {shlex.join(words)}")
    return of


def commands(one):
    """What a section tells to type: {command of scratchnet or "lessons" or "benchmarks.X": [words behind it]}"""
    found = {}
    for code in one.blocks + one.codes:
        for part in code.split(" && "):
            words = shlex.split(part) if "-m " in part or part.split(" ")[0] in COMMANDS else []
            if len(words) > 1 and words[0] in COMMANDS:
                found.setdefault(words[0], []).append(words[1:])
            elif words[1:2] == ["-m"]:
                words = words[2:]
                words = words[1:] if words[0] == "scratchnet" else words
                if words[0] != "venv":
                    found.setdefault(words[0], []).append(words[1:])
    return found


def options_of(parser):
    """--names, of the parser and of those inside it."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= set().union(*map(options_of, action.choices.values()))
    return found


def options_of_benchmark(name):
    """--names, looked up in the source: some benchmarks need PyTorch to be imported."""
    source = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    assert "__main__" in source
    return set(re.findall(r'add_argument\("(--[\w-]+)"', source)) | ({"--data"} if "add_data(parser)" in source else set())


@pytest.mark.parametrize("one", read(ENGLISH), ids=lambda one: one.title)
def test_every_command_and_every_option_is_there(one, understood):
    there = set()
    for name, calls in commands(one).items():
        kind, _, module = name.partition(".")
        for words in calls:
            if name in COMMANDS:
                there |= options_of(understood(scratchnet, [name, *words]))
            elif name == "lessons":
                there |= options_of(understood(lessons, words))
            elif kind == "benchmarks":
                there |= options_of_benchmark(module)
                assert {word for word in words if word.startswith("--")} <= options_of_benchmark(module), name
            else:
                assert kind == "lessons" and importlib.util.find_spec(name) and not words, name
    for code in one.codes:
        if code.startswith("--"):
            assert {word for word in code.split() if word.startswith("--")} <= there, code
            if set(commands(one)) == {"style"}:
                understood(scratchnet, ["style", *code.split()])


def test_commands_and_options_that_are_not_there_are_found(understood):
    for wrong in ("style --presets lecture", "style --preset monet", "paint", "verify a.jpg", "weights get"):
        with pytest.raises(pytest.fail.Exception):
            understood(scratchnet, wrong.split())
    lines = ["", "    .venv/bin/python -m scratchnet style && .venv/bin/python -m lessons 4 --quick", "", "`train x`"]
    assert commands(section(2, "", lines)) == {"style": [[]], "lessons": [["4", "--quick"]], "train": [["x"]]}


def test_every_command_is_named():
    assert set().union(*(commands(one) for one in read(ENGLISH))) >= {*COMMANDS, "lessons", "lessons.equations"}


def test_the_first_line_with_pytest_is_the_one_for_all_tests():
    """.ci/run takes it from there."""
    lines = (ROOT / ENGLISH).read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if ".venv/bin/pytest" in line).split(" && ")[1:] == [
        ".venv/bin/pip install -e '.[test]'", ".venv/bin/pytest"]


def test_each_section_of_the_lecture_has_its_lesson_and_its_tool():
    for name in (ENGLISH, CHINESE):
        table = next(table for one in read(name) for table in one.tables if len(table[0]) == 3 and "lessons 0" in table[2][1])
        assert [row[1] for row in table[2:]] == [f"`.venv/bin/python -m lessons {number}`" for number in LESSONS]
        assert all(row[0].startswith(f"{number} · ") for row, number in zip(table[2:], LESSONS))
        assert all("-m scratchnet" in row[2] for row in table[2:])


@pytest.mark.parametrize("table", [PRESETS, OPTIMIZERS, STARTS, CONTENT, {name: 0 for name in KEEP if name != "style"}])
def test_every_choice_is_named(table):
    said = {word for one in read(ENGLISH) for code in one.codes for word in code.split()}
    assert set(table) <= said


def test_the_numbers_of_exercises_are_those_of_the_code():
    said = next(one.words for one in read(ENGLISH) if "exercise" in commands(one) and len(one.blocks) == 3)
    assert f"{len(EXERCISES)} exercises" in said
    assert f"{sum(len(exercise.mistakes) for exercise in EXERCISES.values())} known wrong answers" in said


@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_links_and_files_are_there(name):
    for one in read(name):
        assert all((ROOT / link).is_file() for link in one.links if not link.startswith("http"))
        for code in one.codes:
            if re.fullmatch(r"[\w/]+\.(py|md)", code) and not code.startswith("my_"):
                assert any(path.is_file() for path in ROOT.rglob(code) if path.parts[len(ROOT.parts)] in FOLDERS), code


# ---- the house -------------------------------------------------------------------------------------------------------------

def house(name):
    """The rows of the table, [(level, ["style.py", "cli/", ...])]."""
    table = next(table for one in read(name) for table in one.tables if any(row[1] == "`style.py`" for row in table))
    return [(int(level) if level.isdecimal() else BELOW, re.findall(r"`([^`]+)`", files)) for level, files, _ in table[2:]]


def place(module):
    """What of the table a module belongs to: "kernels.gemm" -> "kernels/", "" -> "__init__.py"."""
    first = module.split(".")[0]
    return f"{first}/" if (ROOT / "scratchnet" / first).is_dir() and first else f"{first or '__init__'}.py"


def modules():
    """Every module of the package, {"kernels.gemm": path}; "" is the package itself."""
    root = ROOT / "scratchnet"
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
            for path in root.rglob("*.py") if path.name != "__main__.py"} | {"__main__": root / "__main__.py"}


def imported(source, known):
    """What some source imports, anywhere in it: the package's modules by their names, other libraries by their first word and a colon."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            first, _, rest = name.partition(".")
            if first != "scratchnet":
                found.add(first + ":")
            else:
                found.add(rest if rest in known else rest.rpartition(".")[0])
    return found


def breaches(imports, rows):
    """Where imports do not go down, in words.   imports: {module: modules}. In a row, further right is down; in a folder, anywhere is."""
    where = {file: (level, -right) for level, files in rows for right, file in enumerate(files)}
    row_of = {file: row for row, (_, files) in enumerate(rows) for file in files}
    found = []
    for module, others in imports.items():
        for other in others:
            here, there = place(module), place(other)
            down = where[there] < where[here] if row_of[here] == row_of[there] else where[there][0] < where[here][0]
            if here != there and not down:
                found.append(f"{module} imports {other}: {where[here][0]} to {where[there][0]}")
    return found


@pytest.fixture(scope="module")
def imports():
    known = modules()
    return {module: imported(path.read_text(encoding="utf-8"), known) for module, path in known.items()}


def inside(found):
    return {name for name in found if not name.endswith(":")}


def test_every_file_of_the_package_is_in_the_table_once_and_nothing_else():
    for name in (ENGLISH, CHINESE):
        files = [file for _, row in house(name) for file in row]
        assert len(files) == len(set(files)) and set(files) == {place(module) for module in modules()}
        assert house(name) == house(ENGLISH)
    levels = [level for level, _ in house(ENGLISH)]
    assert levels == sorted(levels, reverse=True) and levels[-1] == BELOW and levels.count(BELOW) == 1


def test_imports_only_go_down(imports):
    assert breaches({module: inside(found) for module, found in imports.items()}, house(ENGLISH)) == []
    assert sum(len(inside(found)) for found in imports.values()) > 200


def test_an_import_that_goes_up_or_sideways_is_found():
    rows = [(2, ["network.py"]), (1, ["style_costs.py"]), (1, ["lbfgs.py", "line_search.py"]), (0, ["kernels/"]), (BELOW, ["errors.py"])]
    down = {"network": {"style_costs", "kernels.gemm", "errors"}, "lbfgs": {"line_search"}, "kernels": {"kernels.gemm"}}
    assert breaches(down, rows) == []
    for here, there in [("style_costs", "network"), ("style_costs", "lbfgs"), ("line_search", "lbfgs"), ("kernels.gemm", "style_costs"),
                        ("errors", "kernels")]:
        assert len(breaches({here: {there}}, rows)) == 1
    known = {"network": 0, "kernels.gemm": 0, "kernels": 0, "": 0}
    source = ("def f():\n    from scratchnet.kernels import gemm, conv2d\n    from scratchnet import network, __version__\n"
              "import numpy.linalg")
    assert imported(source, known) == {"kernels.gemm", "kernels", "network", "", "numpy:"}


def test_no_folder_imports_in_a_circle(imports):
    for folder in {place(module) for module in imports if place(module).endswith("/")}:
        own = {module: {other for other in inside(found) if place(other) == folder} for module, found in imports.items()
               if place(module) == folder}
        assert set(graphlib.TopologicalSorter(own).static_order()) == set(own)     # raises CycleError where there is a circle


@pytest.mark.parametrize("library, allowed", [("numba", "kernels/"), ("PIL", "images.py"), ("matplotlib", "plots/")])
def test_numba_pillow_and_matplotlib_have_one_place_each(library, allowed, imports):
    assert {place(module) for module, found in imports.items() if f"{library}:" in found} == {allowed}


def test_the_package_imports_neither_its_users_nor_pytorch(imports):
    assert not {"lessons:", "tests:", "benchmarks:", "torch:"} & set().union(*imports.values())
