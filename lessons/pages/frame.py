"""What every page shares: the head, the way round by keyboard, the links above and below."""

import html
from string import Template

from lessons import LESSONS

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
$meta<title>$title</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
</head>
<body class="$kind">
<a class="skip" href="#main">Skip to the text</a>
<header class="site"><nav aria-label="Site">
<a href="index.html"$at_index>scratchnet <span>lessons</span></a>
<a href="equations.html"$at_equations>Equations</a>
<a href="equations.html#letters">Letters <span lang="zh-Hans">符号</span></a>
</nav></header>
$body
</body>
</html>
""")
HERE = ' aria-current="page"'


def page(title, body, kind, meta=None):
    """A whole page. meta: {name: content} that another run reads back."""
    tags = "".join(f'<meta name="{name}" content="{html.escape(str(content))}">\n' for name, content in (meta or {}).items())
    return PAGE.substitute(title=html.escape(title), body=body, kind=kind, meta=tags,
                           at_index=HERE * (kind == "index"), at_equations=HERE * (kind == "equations"))


def address(number):
    """The file of a lesson's page."""
    return LESSONS[number][0] + ".html"


def titled(number):
    """A lesson's title in both languages, as HTML."""
    _, title, chinese = LESSONS[number]
    return (f'<span class="title">{html.escape(title[0].upper() + title[1:])}</span> '
            f'<span class="zh" lang="zh-Hans">{html.escape(chinese)}</span>')
