"""The page of all equations: formula, function with its source, its gradient checked now, its lesson; then the letters and the words."""

import html

from lessons import LESSONS
from lessons import equations as table
from lessons.glossary import LETTERS, TWICE, WORDS
from lessons.pages import code
from lessons.pages.frame import address, page, titled
from lessons.pages.words import formula as math


def as_html(verdicts):
    """The whole page.  verdicts: {case: Report} of the gradient checks, as lessons.equations.verdicts() gives them; {} before they ran."""
    body = f"""<main id="main" tabindex="-1">
<header class="lesson-title"><p class="eyebrow">Every formula is a function</p>
<h1><span class="title">The equations</span> <span class="zh" lang="zh-Hans">公式与代码</span></h1>
<p>Open a function to read it. {_summary(verdicts)}</p></header>
{"".join(_section(number, verdicts) for number in range(10))}
{_letters()}
{_words()}
</main>"""
    return page("The equations · scratchnet", body, "equations")


def _summary(verdicts):
    if not verdicts:
        return "The gradients have not been checked yet: <code>python -m lessons</code> does it."
    right = sum(report.passed for report in verdicts.values())
    return (f"Its gradient, where it has one, was compared with differences of its cost in float64 when this page was made: "
            f"<strong>{right} of {len(verdicts)} gradients are right</strong>. The number is the worst relative error, "
            "|ours − numerical| over the largest gradient; again: <code>python -m scratchnet check</code>")


def _section(number, verdicts):
    rows = "\n".join(_row(equation, verdicts) for equation in table.EQUATIONS if equation.lesson == number)
    title = f'<a href="{address(number)}">{titled(number)}</a>' if number in LESSONS else f"Lesson {number}"
    return f"""<section aria-labelledby="section-{number}">
<h2 id="section-{number}"><span class="number">{number}</span> {title}</h2>
<div class="rows">
{rows}
</div></section>
"""


def _row(equation, verdicts):
    functions = "\n".join(
        f'<details class=code><summary><code>{html.escape(f.name)}</code> <small>scratchnet/{f.file}:{f.line}</small></summary>'
        f'<pre tabindex="0"><code>{code.as_html(f.source)}</code></pre></details>' for f in table.functions(equation))
    return (f'<div class="row"><p class="formula">{math(equation.formula)}</p>\n{functions}\n'
            f'<p class="verdict">{_verdict(equation, verdicts)}</p></div>')


def _verdict(equation, verdicts):
    reports = [verdicts[case] for case in table.cases(equation) if case in verdicts]
    others = ", ".join(way for way in equation.checked.split(", ") if not (reports and way.startswith("gradient check")))
    if not reports:
        return html.escape(others)
    wrong = [report for report in reports if not report.passed]
    worst = max((wrong or reports), key=lambda report: report.error)
    many = f" in {len(reports)} checks" if len(reports) > 1 else ""
    said = "wrong" if wrong else f"right, {worst.worst.word}"
    return (f'<strong class="{"wrong" if wrong else "right"}">gradient {said}</strong> · worst error {worst.error:.0e}{many}'
            + (f" · {html.escape(others)}" if others else ""))


def _letters():
    rows = "\n".join(f'<tr><th scope="row">{math(lecture)}</th><td><code>{html.escape(written)}</code></td><td>{html.escape(meaning)}</td>'
                     f'<td lang="zh-Hans">{chinese}</td><td>{math(shape) if "n_" in shape else html.escape(shape)}</td></tr>'
                     for lecture, written, meaning, chinese, shape in LETTERS)
    twice = "\n".join(f'<div class="twice"><p class="letter">{math(letter)}</p><ol>' + "".join(
        f'<li><p class="eyebrow">{where}</p>\n<p>{meaning}, {math(formula)}<br>\n<code>{written}</code> · '
        f'<span lang="zh-Hans">{chinese}</span></p></li>'
        for where, written, meaning, formula, chinese in meanings) + "</ol></div>" for letter, *meanings in TWICE)
    return f"""<section id="letters" aria-labelledby="letters-title">
<h2 id="letters-title"><span class="title">Letters</span> <span class="zh" lang="zh-Hans">符号</span></h2>
<p>The lecture uses two letters twice. The code does not.</p>
{twice}
<div class="scroll" tabindex="0" role="region" aria-labelledby="letters-title"><table>
<thead><tr><th scope="col">lecture</th><th scope="col">code</th><th scope="col">meaning</th><th scope="col" lang="zh-Hans">含义</th>
<th scope="col">shape, unit</th></tr></thead>
<tbody>
{rows}
</tbody></table></div></section>
"""


def _words():
    rows = "\n".join(f'<div><dt>{html.escape(english)}</dt><dd lang="zh-Hans">{chinese}</dd></div>' for english, chinese in WORDS)
    return f"""<section id="words" aria-labelledby="words-title">
<h2 id="words-title"><span class="title">Words</span> <span class="zh" lang="zh-Hans">术语</span></h2>
<dl class="words">
{rows}
</dl></section>"""
