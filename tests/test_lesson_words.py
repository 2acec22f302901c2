"""How text becomes a page: formulas, sentences and tables, code in colours."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessons import equations
from lessons.pages import code, typeset, words

FORMULAS = {                                          # as a docstring has it, then in Unicode, then in HTML
    "J(G) = alpha J_content(C, G) + beta J_style(S, G)": (
        "J(G) = α J_content(C, G) + β J_style(S, G)",
        "<var>J</var>(<var>G</var>) = <var>α</var> <var>J</var><sub>content</sub>(<var>C</var>, <var>G</var>) + "
        "<var>β</var> <var>J</var><sub>style</sub>(<var>S</var>, <var>G</var>)"),
    "z^[l] = W^[l] ** a^[l-1]": (
        "z^[l] = W^[l] ∗ a^[l−1]",
        "<var>z</var><sup>[<var>l</var>]</sup> = <var>W</var><sup>[<var>l</var>]</sup> ∗ <var>a</var><sup>[<var>l</var>−1]</sup>"),
    "||f(A) - f(P)||^2 <= d": (
        "‖f(A) − f(P)‖² ≤ d", "‖<var>f</var>(<var>A</var>) − <var>f</var>(<var>P</var>)‖<sup>2</sup> ≤ <var>d</var>"),
    "J_style[l]": ("J_style^[l]", '<var>J</var><span class="both"><sup>[<var>l</var>]</sup><sub>style</sub></span>'),
    "G^[l]_kk'": ("G^[l]_kk'", '<var>G</var><span class="both"><sup>[<var>l</var>]</sup><sub><var>kk</var>′</sub></span>'),
    "G := G - learning_rate dJ/dG": (
        "G := G − learning_rate ∂J/∂G", "<var>G</var> := <var>G</var> − learning_rate ∂<var>J</var>/∂<var>G</var>"),
    "n_H_prev": ("n_H_prev", "<var>n</var><sub><var>H</var>,prev</sub>"),
    "yhat = sigmoid(sum_k w_k)": ("ŷ = σ(Σ_k w_k)", "ŷ = σ(Σ<sub><var>k</var></sub> <var>w</var><sub><var>k</var></sub>)"),
    "1/2 d^2, 1/20": ("½ d², 1/20", "½ <var>d</var><sup>2</sup>, 1/20"),
    "x1, 3 x 4": ("x1, 3 × 4", "<var>x</var><sub>1</sub>, 3 × 4"),
    "e^{-z}": ("e^−z", "<var>e</var><sup>−<var>z</var></sup>"),
    "f'_k < 1": ("f'_k < 1", "<var>f</var>′<sub><var>k</var></sub> &lt; 1"),
    "da = max(z, 0)": ("da = max(z, 0)", "<var>da</var> = max(<var>z</var>, 0)"),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas(formula):
    assert (typeset.as_text(formula), typeset.as_html(formula)) == FORMULAS[formula]


@given(st.text(alphabet="abJGf_^[]{}()|'12 +-*/<>&=lx", max_size=40))
def test_nothing_that_is_written_breaks_the_page(formula):
    """Whatever stands there: tags are balanced, and no letter of it is lost."""
    shown = typeset.as_html(formula)
    tags = re.findall(r"<(/?)(var|sub|sup|span)\b[^>]*>", shown)
    depth = 0
    for closing, _ in tags:
        depth += -1 if closing else 1
        assert depth >= 0
    assert depth == 0 and not re.search(r"[<>]", re.sub(r"</?(?:var|sub|sup|span)[^>]*>", "", shown))
    letters = [c for c in html.unescape(re.sub(r"<[^>]*>", "", shown)) if c in "abGfJ"]
    assert sorted(letters) == sorted(c for c in formula if c in "abGfJ")


def test_every_formula_of_the_table_is_set_without_a_mark_left():
    for row in equations.EQUATIONS:
        plain = re.sub(r"<[^>]*>", "", words.formula(row.formula))
        assert not re.search(r"[\^_{}]|\|\||\b(?:alpha|beta|lam|tau|sum)\b", re.sub(r"learning_rate", "", plain)), plain


PRINTED = """   Four positions. Channel 0: 3 2 0 1, and a line that is broken because
   the terminal ends there.
   A short line, and another one that is broken in the midst of an expression,
   - (1 + 2) = - 3.
   Another.

   conv1   3 x 3     4
           9 x 9    10
   [[1 2]
    [3 4]]
   J = 1/2 (1 - 3)^2 = 2

   f = (1, 2).   One gap, and nothing below it.

   Use a.reshape(-1, n_C), then python -m lessons 4 --quick. A < B.
"""


def test_sentences_flow_and_tables_stand():
    assert words.printed(PRINTED).split("\n") == [
        "<p>Four positions. Channel 0: 3 2 0 1, and a line that is broken because the terminal ends there.<br>",
        "A short line, and another one that is broken in the midst of an expression, - (1 + 2) = - 3.<br>", "Another.</p>",
        '<pre tabindex=0>conv1   3 x 3     4', "        9 x 9    10", "[[1 2]", " [3 4]]", "J = 1/2 (1 - 3)^2 = 2</pre>",
        "<pre class=flow>f = (1, 2).   One gap, and nothing below it.</pre>",
        "<p>Use <code>a.reshape(-1, n_C)</code>, then <code>python -m lessons 4 --quick</code>. A &lt; B.</p>"]
    assert words.printed("\n\n") == ""


def test_a_docstring_has_text_a_question_and_formulas():
    shown = words.explained("One text. C -> G.\n\n    d = ||x||   a distance   d = 0\n\nThe question: how\nfar?\nTake a pencil.")
    assert shown.split("\n") == [
        "<p>One text. C → G.</p>", '<div class="formulas">',
        '<p class="formula"><span class="math"><var>d</var> = ‖<var>x</var>‖</span> <span class="aside">a distance</span> '
        '<span class="math"><var>d</var> = 0</span></p>', "</div>",
        "<p class=question>The question: how<br>", "far?</p>", "<p>Take a pencil.</p>"]


def test_code_in_colours():
    assert code.as_html('for x in "a<b":  # why\n    f(12)') == (
        '<span class="k">for</span> x <span class="k">in</span> <span class="s">&quot;a&lt;b&quot;</span>:  <span class="c"># why</span>\n'
        '    f(<span class="n">12</span>)')


@pytest.mark.parametrize("source", ['print(f"{x:3} {{}} a")\n', "'''two\nlines'''; x = 1", "a = (", "x = 'open\n", "", "    é = 1\n  b\n"])
def test_no_letter_of_the_code_is_lost(source):
    assert html.unescape(re.sub(r"</?span[^>]*>", "", code.as_html(source))) == source
