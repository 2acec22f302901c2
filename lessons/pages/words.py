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
        table = _lined_up(line)
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
    """A formula, and words for it behind a wide gap, if there are."""
    formula, _, words = (part.strip() for part in re.sub(r"\s{3,}", "\t", line, count=1).partition("\t"))
    return f'<span class="math">{typeset.as_html(formula)}</span>' + (f' <span class="aside">{html.escape(words)}</span>' if words else "")


def _lined_up(line):
    """Is this a row of a table, an array, a sum: something whose columns matter?"""
    indent, text = len(line) - len(line.lstrip()), line.strip()
    gaps = re.search(r"(?<![.?!:]) {2,}| {3,}", text)
    letters = sum(c.isalpha() for c in text)
    return indent > 3 or bool(gaps) or text[0] in "[|+-" or 2 * letters < len(text.replace(" ", ""))


def _columns(lines):
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    return f'<pre tabindex="0">{html.escape(chr(10).join(line[margin:] for line in lines))}</pre>'


def _sentences(lines):
    """Lines that were broken to fit a terminal are joined; others keep their ends."""
    out, last = "", ""
    for line in map(str.strip, lines):
        if last:
            out += " " if len(last) >= FILLED and last[-1] not in ".?!:" else "<br>\n"
        out += re.sub(r"^Predict:", "<strong>Predict:</strong>", html.escape(line, quote=False))
        last = line
    return CODE.sub(r"<code>\g<0></code>", out.replace(" -&gt; ", " → "))
