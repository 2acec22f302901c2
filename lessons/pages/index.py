"""The first page: what lessons there are, what was asked in each, which were run."""

import html
import re

from lessons import LESSONS
from lessons.captions import CAPTIONS
from lessons.pages.frame import address, page, titled

META = re.compile(r'<meta name="lesson-(\w+)" content="([^"]*)">')


def as_html(out, questions):
    """The index of the pages in the folder `out`.  questions: {number: the question of the lesson}"""
    cards = "\n".join(_card(number, notes(out / address(number)), questions[number]) for number in LESSONS)
    body = f"""<main id="main" tabindex="-1">
<header class="lesson-title"><p class="eyebrow">Face recognition and neural style transfer, from scratch</p>
<h1><span class="title">The lecture, run</span> <span class="zh" lang="zh-Hans">人脸识别和神经风格转换</span></h1>
<p>One lesson for each section of the lecture, and one before it all. Each asks one question, lets you guess before it answers,
works with numbers small enough for paper, makes the common mistake on purpose, and checks every gradient it uses.</p>
<p>Every number and every picture on these pages was computed on this machine, by the code that stands beside it.
All formulas with their functions, and their gradients checked: <a href="equations.html">the equations</a>.</p></header>
<ol class="lessons">
{cards}
</ol>
</main>"""
    return page("The lessons · scratchnet", body, "index")


def notes(path):
    """What a page says of its own lesson: {"state", "seconds", "quick", "picture"}; {} when there is no such page."""
    return dict(META.findall(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _card(number, noted, question):
    state, picture = noted["state"], noted["picture"]
    shown = f'<img src="{picture}" alt="{html.escape(CAPTIONS.get(picture, ""))}">' if picture else ""
    command = f"<code>python -m lessons {number}</code>"
    quick = " with <code>--quick</code>" if noted["quick"] == "True" else ""
    said = {"ran": f"ran in {noted['seconds']} s{quick}", "failed": "<strong>failed</strong>: its page says where",
            "waiting": f"not run yet: {command}"}[state]
    return f"""<li class="{state}"><a href="{address(number)}"><span class="number">{number}</span>
<h2>{titled(number)}</h2></a>
<p class="asks">{html.escape(question)}</p>
<p class="state">{said}</p>
<div class="peek">{shown}</div></li>"""
