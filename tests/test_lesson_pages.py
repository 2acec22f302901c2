"""The pages of the lessons: as files, and as a browser shows them."""

import re
import shutil
from urllib.parse import unquote, urldefrag

import pytest

from lessons import LESSONS, cells, equations, pages
from lessons import __main__ as lessons
from lessons.captions import CAPTIONS
from tests.browser import Browser, found

PHONE, LAPTOP = 390, 1280
LINKS = "[...document.querySelectorAll('a[href], link[href]')].map(a => a.getAttribute('href'))"
IDS = "[...document.querySelectorAll('[id]')].map(a => a.id)"
PICTURES = """Promise.all([...document.images].map(i => i.decode().catch(() => 0))).then(() =>
    [...document.images].map(i => [i.getAttribute('src'), i.naturalWidth, i.alt]))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SAID_ALOUD = "document.querySelectorAll('main').length + ' ' + document.querySelectorAll('h1').length + ' ' + document.title"


# ---------------------------------------------------------------------------------------------------- in the browser


@pytest.fixture(scope="session")
def browser():
    with Browser(found()) as browser:
        yield browser


@pytest.fixture(scope="session")
def built(quick_lessons):
    return quick_lessons[0] / "a/new folder"


def faults(browser, folder, width=LAPTOP, dark=False):
    """Opens every page of a folder and says what is wrong with it: [] when nothing is."""
    wrong, links, ids = [], {}, {}
    for path in sorted(folder.glob("*.html")):
        browser.open(path, width, dark=dark)
        wrong += [f"{path.name}: {complaint}" for complaint in browser.complaints()]
        wrong += [f"{path.name}: asks for {url}" for url in browser.requests() if not url.startswith(("file:", "data:"))]
        wrong += [f"{path.name}: no picture {src}" for src, seen, _ in browser.value(PICTURES) if not seen]
        wrong += [f"{path.name}: picture {src} without words" for src, _, alt in browser.value(PICTURES) if len(alt) < 30]
        wrong += [f"{path.name}: {beyond} pixels too wide"] if (beyond := browser.value(OVERFLOW)) > 0 else []
        wrong += [f"{path.name}: main, h1, title: {said}"] if not re.match("1 1 .{9}", said := browser.value(SAID_ALOUD)) else []
        ids[path.name], links[path.name] = browser.value(IDS), browser.value(LINKS)
        wrong += [f"{path.name}: id {name} twice" for name in set(ids[path.name]) if ids[path.name].count(name) > 1]
    for page, there in links.items():
        for link in there:
            wrong += _leads_nowhere(page, link, folder, ids)
    return wrong


def _leads_nowhere(page, link, folder, ids):
    if link == "data:,":                              # the icon that keeps a browser from asking for one
        return []
    file, anchor = urldefrag(unquote(link))
    file = file or page
    if re.match(r"[a-z]+:|//", link) or not (folder / file).is_file():
        return [f"{page}: link {link} leads nowhere in the folder"]
    if file.endswith(".html") and anchor and anchor not in ids[file]:
        return [f"{page}: link {link}: no such place"]
    return []


@pytest.mark.parametrize("width, dark", [(PHONE, False), (LAPTOP, True)], ids=["phone, light", "laptop, dark"])
def test_every_page_opens_without_a_fault(browser, built, width, dark):
    assert len(list(built.glob("*.html"))) == len(LESSONS) + 2
    assert faults(browser, built, width, dark) == []


PLANTED = {                                           # what is done to a page, and what must be said of it
    "a missing picture": ('</main>', '<img src="gone.png" alt="a picture of which there are words, but no file"></main>',
                          "no picture gone.png"),
    "a silent picture": ('</main>', '<img src="l00_error_curve.png" alt=""></main>', "without words"),
    "an error of the console": ('</body>', '<script>console.error("planted")</script></body>', "console: planted"),
    "an exception": ('</body>', '<script>nobody.knows()</script></body>', "exception: ReferenceError"),
    "a dead link": ('</main>', '<a href="gone.html">x</a></main>', "link gone.html leads nowhere"),
    "a link to no place": ('</main>', '<a href="index.html#gone">x</a></main>', "index.html#gone: no such place"),
    "a link to the outside": ('</main>', '<a href="https://example.org/">x</a></main>', "link https://example.org/ leads nowhere"),
    "a request to the outside": ('</head>', '<script src="http://example.invalid/x.js"></script></head>',
                                 "asks for http://example.invalid/x.js"),
    "no style sheet": ('href="page.css"', 'href="gone.css"', "not loaded: net::ERR_FILE_NOT_FOUND"),
    "something too wide": ('</main>', '<div style="width: 2000px">x</div></main>', "pixels too wide"),
    "two headings": ('</main>', '<h1>x</h1></main>', "main, h1, title: 1 2"),
    "an id twice": ('</main>', '<p id="main">x</p></main>', "id main twice"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault, browser, built, tmp_path):
    old, new, said = PLANTED[fault]
    for name in ("index.html", "page.css", "l00_error_curve.png"):
        shutil.copy(built / name, tmp_path)
    page = tmp_path / "l00_planted.html"
    page.write_text((built / "equations.html").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert any(said in line for line in faults(browser, tmp_path) if line.startswith("l00_planted.html")), fault


def test_by_keyboard_the_text_is_one_key_away_and_answers_open(browser, built):
    browser.open(built / pages.address(0))
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.value("document.activeElement.getBoundingClientRect().top") >= 0      # it is seen while it has the focus
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "main"
    for _ in range(60):
        browser.press("Tab")
        if browser.value("document.activeElement.tagName + document.activeElement.parentElement.className") == "SUMMARYanswer":
            break
    assert not browser.value("document.activeElement.parentElement.open")
    browser.press("Enter")
    assert browser.value("document.activeElement.parentElement.open")


CONTRAST = """(() => {
    const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b };
    const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                          if (!/, 0\\)$|transparent/.test(c)) return c } return 'rgb(255, 255, 255)' };
    document.querySelectorAll('details').forEach(d => d.open = true);
    let worst = [99, ''];
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
        if (ratio < worst[0]) worst = [ratio, e.tagName + ' ' + e.className + ': ' + e.textContent.slice(0, 40)];
    }
    return worst })()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_letter_stands_out_from_its_ground(dark, browser, built):
    """At least 4.5 to 1, WCAG 2.2, 1.4.3."""
    for name in ("index.html", "equations.html", pages.address(0)):
        browser.open(built / name, dark=dark)
        ratio, where = browser.value(CONTRAST)
        assert ratio >= 4.5, (name, where)


def test_a_browser_that_is_named_and_is_not_there_is_no_skip(monkeypatch):
    monkeypatch.setenv("SCRATCHNET_BROWSER", "no-such-browser")
    with pytest.raises(pytest.fail.Exception, match="no-such-browser"):
        found()
    monkeypatch.delenv("SCRATCHNET_BROWSER")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        found()


# -------------------------------------------------------------------------------------------------------- as files


TINY = {
    1: ("l01_fine", "all is well", "一 · 好", '''# %%
"""Lesson 1: all is well   一 · 好

What is meant:

    d = ||x||^2

The question: is one
and one two?
"""
print(__doc__)

# %% what stands before
quick, out, predict = settings

# %% 1. <One> & one
print("1. <One> & one\\n   Here.")
predict("   Predict: 1 + 1?")
print("   It is 2 < 3.")

# %% 2. No question
print("2. No question, but a line that is long enough to say something of its own.\\n   Yes.")

# %% 3. Broken
print("3. A heading that goes on and on, beyond the width of any terminal, and is\\n   broken there.")
'''),
    2: ("l02_broken", "one that breaks", "二 · 坏", '''# %%
"""Lesson 2: one that breaks   二 · 坏

The question: why?
"""
# %% 1. First
print("   fine")
# %% 2. Then
assert 1 + 1 == 3, "not three"
# %% 3. Last
print("   never")
'''),
    3: ("l03_later", "one for later", "三 · 后", '''# %%
"""Lesson 3: one for later   三 · 后

The question: when?
"""
# %% 1. Later
print("   now")
'''),
}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Three lessons of a few lines in place of the real ones. -> the folder for their pages"""
    monkeypatch.chdir(tmp_path)
    for number in reversed(list(LESSONS)):          # so that they come back in order
        monkeypatch.delitem(LESSONS, number)
    for number, (name, title, chinese, source) in TINY.items():
        monkeypatch.setitem(LESSONS, number, (name, title, chinese))
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(pages, "read", lambda number: cells.read(number, tmp_path / f"{LESSONS[number][0]}.py"))
    monkeypatch.setattr(equations, "verdicts", dict)
    return tmp_path / "out"


def text(path):
    return path.read_text(encoding="utf-8")


def test_a_bare_call_writes_out_index_html(tiny, capsys):
    assert lessons.main([]) == 1                      # the second breaks
    assert sorted(path.name for path in tiny.iterdir()) == sorted(
        ["index.html", "equations.html", "page.css", "l01_fine.html", "l02_broken.html", "l03_later.html"])
    said = capsys.readouterr()
    assert "To read it all: out/index.html" in said.out and said.err.rstrip().endswith("lessons: 2 failed; see above, and the page.")
    assert "It is 2 < 3." in said.out and "   now" in said.out      # the third ran though the second broke


def test_a_lesson_becomes_a_page(tiny):
    lessons.main(["1", "--quick"])
    page = text(tiny / "l01_fine.html")
    assert '<span class="title">All is well</span> <span class="zh" lang="zh-Hans">一 · 好</span>' in page
    assert "<var>d</var> = ‖<var>x</var>‖<sup>2</sup></span>" in page
    assert "<p class=question>The question: is one<br>\nand one two?</p>" in page
    assert '<h2 id="part-1-title">1. &lt;One&gt; &amp; one</h2>\n<p>Here.</p>' in page      # the printed heading is not said twice
    assert '<div class="predict"><p><strong>Predict:</strong> 1 + 1?</p></div>' in page
    assert "the answer</summary>\n<div><p>It is 2 &lt; 3.</p></div></details>" in page
    assert "<p>No question, but a line that is long enough to say something of its own.</p>\n<p>Yes.</p>" in page
    assert "<p>A heading that goes on and on, beyond the width of any terminal, and is broken there.</p>" in page
    assert page.count("<details class=code>") == 2           # shut where a guess is wanted, and so is what stands before the first part
    assert page.count("<details class=code open>") == 2
    assert "--quick" in page and 'href="l02_broken.html"' in page and "http" not in page


def test_a_lesson_that_fails_says_so_on_its_page(tiny, capsys):
    assert lessons.main(["2"]) == 1
    page = text(tiny / "l02_broken.html")
    assert "<p>fine</p>" in page and "AssertionError: not three" in page and "<strong>failed</strong>" in page
    assert "Not run: a part before it failed." in page and "<p>never</p>" not in page
    assert '<li class="failed">' in text(tiny / "index.html")
    assert "AssertionError: not three" in capsys.readouterr().err


def test_pages_of_other_lessons_stay_and_those_not_run_say_how(tiny):
    lessons.main(["1"])
    index = text(tiny / "index.html")
    assert index.count('<li class="ran">') == 1 and index.count("not run yet: <code>python -m lessons ") == 2
    assert "Not run yet." in text(tiny / "l03_later.html") and "print" in text(tiny / "l03_later.html")
    first = text(tiny / "l01_fine.html")
    lessons.main(["3"])
    assert text(tiny / "l01_fine.html") == first
    assert text(tiny / "index.html").count('<li class="ran">') == 2 and '<li class="waiting">' in text(tiny / "index.html")


def test_ctrl_c_leaves_pages_that_lead_somewhere(tiny, monkeypatch):
    def stopped():
        raise KeyboardInterrupt
    monkeypatch.setattr(equations, "verdicts", stopped)
    assert lessons.main(["1"]) == 130
    assert '<li class="ran">' in text(tiny / "index.html") and "have not been checked yet" in text(tiny / "equations.html")


def test_pictures_are_files_beside_the_page_and_each_has_its_words(quick_lessons):
    folder = quick_lessons[0] / "a/new folder"
    drawn = {path.name for path in folder.glob("*.png")}
    shown = {src for path in folder.glob("l*.html") for src in re.findall(r'<img src="([^"]*)"', text(path))}
    assert shown == drawn == {name for name in CAPTIONS if int(name[1:3]) in LESSONS}
    assert all(40 < len(words) < 400 for words in CAPTIONS.values())
    assert not any("base64" in text(path) for path in folder.glob("*.html"))
