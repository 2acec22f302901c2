"""The page of a lesson: its text, its questions with the answers folded, what it printed and drew, and the code of every part."""

import ast
import html
import inspect
import re
import struct

from lessons import LESSONS
from lessons.captions import CAPTIONS
from lessons.pages import code, words
from lessons.pages.frame import address, page, titled

SHORT = 45                                            # letters: a printed heading of at most so many says no more than the page's own


def as_html(lesson, out):
    """The whole page. out: the folder in which its pictures are."""
    number = lesson.number
    text = inspect.cleandoc(ast.get_docstring(ast.parse(lesson.cells[0].source)) or "").partition("\n")[2].strip("\n")
    parts, before = [], ""
    for cell in lesson.cells[1:]:
        if _is_part(cell):
            parts.append(_part(cell, before, lesson, out))
            before = ""
        else:
            before += _code(cell, "Before the first part")
    body = f"""<main id="main" tabindex="-1">
<header class="lesson-title"><p class="eyebrow">Lesson {number}</p>
<h1>{titled(number)}</h1>
{words.explained(text)}
<p class="how">{_how(lesson)}</p></header>
{_contents(lesson)}
<article>
{"".join(parts)}
</article>
{_neighbours(number)}
</main>"""
    meta = {"lesson-state": lesson.state, "lesson-seconds": f"{lesson.seconds:.0f}", "lesson-quick": lesson.quick,
            "lesson-picture": (lesson.pictures or [""])[0]}
    return page(f"{number} · {LESSONS[number][1]} · scratchnet", body, "lesson", meta)


def question(lesson):
    """The sentence of the docstring that the lesson is about, or "", as text."""
    found = re.search(r"The question: (.+?\?)\s*$", lesson.cells[0].source, re.DOTALL | re.MULTILINE)
    sentence = " ".join(found[1].split()) if found else ""
    return sentence[:1].upper() + sentence[1:]


def _is_part(cell):
    return bool(re.match(r"\d+\. ", cell.heading))


def _anchor(cell):
    return "part-" + cell.heading.split(".")[0]


def _how(lesson):
    command = f"python -m lessons {lesson.number}"
    if lesson.state == "waiting":
        return f"Not run yet. Here are its text and its code; what it prints and draws comes with <code>{command}</code>"
    quick = ", with <code>--quick</code>: smaller pictures, fewer steps" if lesson.quick else ""
    ended = "This lesson <strong>failed</strong> after" if lesson.state == "failed" else "Ran in"
    return (f"{ended} {lesson.seconds:.0f} s{quick}. Again: <code>{command}</code> · Cell by cell, in an editor: "
            f"<code>lessons/{lesson.path.name}</code>")


def _contents(lesson):
    parts = filter(_is_part, lesson.cells)
    links = "\n".join(f'<li><a href="#{_anchor(cell)}">{html.escape(_short(cell.heading))}</a></li>' for cell in parts)
    return f'<nav class="contents" aria-label="Parts of this lesson"><ol>\n{links}\n</ol></nav>'


def _short(heading):
    """The heading without its number, to its first colon or full stop."""
    return re.split(r"[:.](?:\s|$)", heading.partition(". ")[2])[0]


def _part(cell, before, lesson, out):
    shown = _said(cell, out)
    if cell.error:
        shown += f'<div class="error" role="alert"><p><strong>This part failed.</strong> The parts after it were not run.</p>\n' \
                 f'<pre tabindex="0">{html.escape(cell.error.strip())}</pre></div>'
    elif not cell.said and lesson.state == "failed":
        shown = '<p class="aside">Not run: a part before it failed.</p>'
    asks = any(kind == "asked" for kind, _ in cell.said)      # where a guess is wanted, the code stays shut: it knows the answer
    lines = len(cell.source.strip().splitlines())
    return f"""<section id="{_anchor(cell)}" aria-labelledby="{_anchor(cell)}-title">
<h2 id="{_anchor(cell)}-title">{html.escape(cell.heading)}</h2>
{shown}
{before}{_code(cell, f"The code of this part, {lines} line{'s' * (lines > 1)}", opened=not asks)}
</section>
"""


def _said(cell, out):
    """What the cell printed, asked and drew, in its order; what follows a question is its answer, folded."""
    blocks, answer, first = [], None, True
    for kind, text in cell.said:
        if kind != "drawn":
            text, first = (_without_heading(text, cell.heading) if first else text), False
        if kind == "asked":
            _fold(blocks, answer)
            blocks.append(f'<div class="predict">{words.printed(text)}</div>')
            answer = []
        else:
            (blocks if answer is None else answer).append(_figure(text, out) if kind == "drawn" else words.printed(text))
    _fold(blocks, answer)
    return "\n".join(blocks)


def _fold(blocks, answer):
    answer = "\n".join(answer or []).strip()
    if answer:
        blocks.append(f"<details class=answer><summary>Your guess first. Then: the answer</summary>\n<div>{answer}</div></details>")


def _without_heading(text, heading):
    """The first line repeats the heading for the terminal, in short; one that is long says more, and stays."""
    line, _, rest = text.lstrip("\n").partition("\n")
    number, _, said = line.partition(". ")
    if number != heading.partition(". ")[0]:
        return text
    gap = "\n" if words.unfinished(said) else "\n\n"
    return rest if len(said) <= SHORT else f"   {said}{gap}{rest}"


def _figure(name, out):
    width, height = struct.unpack(">II", (out / name).read_bytes()[16:24])      # a PNG says its size there: no jump while it loads
    alt = CAPTIONS.get(name, f"{name}: a picture that this part has drawn")
    return (f'<figure><a href="{name}"><img src="{name}" alt="{html.escape(alt)}" width="{width}" height="{height}"></a>'
            f"<figcaption>{html.escape(alt)} <a href=\"{name}\">{name}</a></figcaption></figure>")


def _code(cell, summary, opened=False):
    return (f"<details class=code{' open' * opened}><summary>{html.escape(summary)}</summary>\n"
            f'<pre tabindex="0"><code>{code.as_html(cell.source.strip())}</code></pre></details>\n')


def _neighbours(number):
    numbers = list(LESSONS)
    i = numbers.index(number)
    links = []
    for word, j in (("Before", i - 1), ("Next", i + 1)):
        if 0 <= j < len(numbers):
            links.append(f'<a class="{word.lower()}" rel="{"prev" if j < i else "next"}" href="{address(numbers[j])}">'
                         f"<small>{word} · {numbers[j]}</small>{titled(numbers[j])}</a>")
    return ('<nav class="neighbours" aria-label="Other lessons">\n' + "\n".join(links)
            + '\n<a class="all" href="index.html">All lessons</a> <a class="all" href="equations.html">All equations</a>\n</nav>')
