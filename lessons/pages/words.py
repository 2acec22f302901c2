"""What a lesson prints, set for reading: sentences become paragraphs that fit any screen, tables keep their columns."""

import html
import re

from lessons.pages import typeset

FILLED = 60                                           # a line this long, broken inside a sentence, goes on in the next
CODE = re.compile(r"""                                 # commands with their options, names of files, calls of a method
    python[ ]-m[ ](?:scratchnet[ ][a-z]+|[\w.]*\w)(?:[ ]\d+)?(?:[ ]--[\w-]+(?:[ ](?=\S*[_./=\d])[\w./=-]*\w)?)*
  | \b[\w.]+\.(?:png|html|npz|csv|py)\b
  | \b\w+\.\w+\([^()\s][^()]*\)(?:\[[^\]]*\])?
""", re.VERBOSE)


def printed(text):
    """The output of a cell. -> HTML: <p> for sentences, <pre> for what is lined up in columns."""
    blocks, kind = [], None                           # [(is it a table?, lines)]
    for line in text.split("\n"):
        if not line.strip():
            kind = None
            continue
        goes_on = kind is False and unfinished(blocks[-1][1][-1]) and not _in_columns(line)
        table = _to_the_letter(line) and not goes_on
        if table != kind:
            blocks.append((table, []))
        kind = table
        blocks[-1][1].append(line.rstrip())
    return "\n".join(_columns(lines) if table else f"<p>{_sentences(lines)}</p>" for table, lines in blocks)


def explained(text):
    """The text of a docstring: paragraphs; lines indented by 4 are formulas, the line that asks stands out. -> HTML"""
    out = []
    for kind, lines in _by_kind(text.split("\n")):
        if kind == "formula":
            out += ['<div class="formulas">'] + [f'<p class="formula">{formula(line.strip())}</p>' for line in lines] + ["</div>"]
        else:
            out.append(f'<p{" class=question" if kind == "question" else ""}>{_sentences(lines)}</p>')
    return "\n".join(out)


def _by_kind(lines):
    groups, kind = [], None
    for line in lines:
        if not line.strip():
            kind = None
            continue
        now = "formula" if line.startswith("    ") else "question" if line.startswith("The question:") else "text"
        goes_on = now == kind or (kind == "question" and now == "text" and not groups[-1][1][-1].endswith("?"))
        if not goes_on:
            groups.append((now, []))
            kind = now
        groups[-1][1].append(line)
    return groups


def formula(line):
    """A formula, and behind a wide gap words for it, or another formula."""
    parts = re.split(r"\s{3,}", line)
    shown = [f'<span class="math">{typeset.as_html(part)}</span>' if i == 0 or "=" in part else
             f'<span class="aside">{html.escape(part)}</span>' for i, part in enumerate(parts)]
    return " ".join(shown)


def _in_columns(line):
    """Is this a row of a table?"""
    return len(line) - len(line.lstrip()) > 3 or bool(re.search(r"(?<![.?!:]) {2,}| {3,}", line.strip()))


def _to_the_letter(line):
    """A row of a table, an array, a sum: what is no sentence."""
    text = line.strip()
    letters = sum(c.isalpha() for c in text)
    return _in_columns(line) or text[0] in "[|+-" or 2 * letters < len(text.replace(" ", ""))


def _columns(lines):
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    alone = sum(map(_in_columns, lines)) < 2          # nothing to be in line with: it may be broken where the page ends
    return f'<pre {"class=flow" if alone else "tabindex=0"}>{html.escape(chr(10).join(line[margin:] for line in lines))}</pre>'


def unfinished(line):
    """Was it broken to fit a terminal?"""
    return len(line.strip()) >= FILLED and line.rstrip()[-1] not in ".?!:"


def _sentences(lines):
    """Lines that were broken to fit a terminal are joined; others keep their ends."""
    out, last = "", ""
    for line in map(str.strip, lines):
        if last:
            out += " " if unfinished(last) else "<br>\n"
        out += html.escape(line, quote=False).replace("Predict:", "<strong>Predict:</strong>")
        last = line
    return CODE.sub(r"<code>\g<0></code>", out.replace(" -&gt; ", " → "))
