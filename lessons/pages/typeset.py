"""Formulas as the docstrings write them, `J_style[l](S, G) = ||G[l](S) - G[l](G)||^2`, set in plain HTML or in plain Unicode.

    alpha, beta, lam, Sum, dJ/dG        α, β, λ, Σ, ∂J/∂G            sum_k, max(...), ln, sigmoid upright, with their index below
    a^[l], a[l], x^2, A^T, e^{-z}       raised                        W_k, n_H, f_{Ai}, J_content lowered, n_H_prev too
    ||x||, <=, >=, !=, ->, :=, 1/2      ‖x‖, ≤, ≥, ≠, →, :=, ½        a product of two numbers with x: ×

Neither a font nor a script is needed to read the result; a screen reader reads letters, not pictures of them.
"""

import html
import re

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "lam": "λ", "lambda": "λ", "mu": "μ",
         "tau": "τ", "chi": "χ", "pi": "π", "Delta": "Δ"}
UPRIGHT = {"ln", "if", "or", "of", "in", "is", "at", "by", "to", "it"}         # of one or two letters, and yet words
WORDS = {"sum": "Σ", "Sum": "Σ", "sigmoid": "σ", "inf": "∞", "yhat": "ŷ", "y_hat": "ŷ"}
SIGNS = {"||": "‖", "<=": "≤", ">=": "≥", "!=": "≠", "->": "→", ":=": ":=", "-": "−", "~=": "≈", "+-": "±", "...": "…",
         "**": "∗", "*": "·"}
HALVES = {"1/2": "½", "1/4": "¼"}
RAISE = ("up", "layer")                               # kinds of tokens
RAISED = dict(zip("0123456789+-()Tn", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀⁿ"))

TOKEN = re.compile(r"""
    (?P<half>(?<![\w/.])1/[24](?![\d/]))
  | (?P<slope>\bd(?=[A-Za-z]\w*(?:\^?\[[^\]]*\])?(?:\([^)]*\))?\s*/\s*d[A-Za-z])|(?<=/)d(?=[A-Za-z]))
  | (?P<code>(?!sum_|max_|min_)[A-Za-z]{3,}_[a-z]{3,}\b)
  | (?P<name>[A-Za-z]+)
  | (?P<index>(?<=[A-Za-z])\d+)
  | (?P<prime>')
  | (?P<down>_(?:\{[^}]*\}|[A-Za-z0-9']+))
  | (?P<layer>\^\[[^\]]*\]|\[[a-z](?:\s*[+-]\s*1)?\])
  | (?P<up>\^(?:\{[^}]*\}|-?[A-Za-z0-9*]+))
  | (?P<sign>\|\||<=|>=|!=|->|:=|~=|\+-|\.\.\.|\*\*|\*|-)
  | (?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
  | (?P<else>.)
""", re.VERBOSE)


def as_html(formula):
    """A formula in HTML: <var>, <sub>, <sup> and letters; everything else escaped."""
    return _set(formula, {
        "letter": lambda text: f"<var>{text}</var>", "plain": html.escape, "prime": "′", "then": ",",
        "down": lambda inner: f"<sub>{inner}</sub>", "index": lambda inner: f"<sub>{inner}</sub>",
        "up": lambda inner: f"<sup>{inner}</sup>",
        "both": lambda low, high, first: f'<span class="both"><sup>{high}</sup><sub>{low}</sub></span>'})


def as_text(formula):
    """A formula in Unicode alone, for Markdown and terminals: α J_content, a^[l], ‖f(A) − f(P)‖²."""
    def up(inner):
        return "".join(RAISED[c] for c in inner) if all(c in RAISED for c in inner) else f"^{inner}"

    return _set(formula, {"letter": str, "plain": str, "prime": "'", "then": "_", "index": str, "down": lambda inner: f"_{inner}", "up": up,
                          "both": lambda low, high, first: f"{up(high)}_{low}" if first else f"_{low}{up(high)}"})


def _set(formula, way):
    """Walks over the tokens; `way` says what becomes of letters, words, and what is raised or lowered."""
    out, tokens = [], list(TOKEN.finditer(re.sub(r"\by_hat\b", "yhat", formula)))
    kinds = [token.lastgroup for token in tokens] + ["end"]
    i = 0
    while i < len(tokens):
        high, first = "", kinds[i] in RAISE and kinds[i + 1] == "down"
        if first:                                                                # G^[l]_kk': one above the other
            high, i = _inner(tokens[i], way), i + 1
        if kinds[i] == "down":
            low, i = _lowered(tokens, i, way)
            if not high and kinds[i] in RAISE:                                   # J_style^[l]: the same
                high, i = _inner(tokens[i], way), i + 1
            out.append(way["both"](low, high, first) if high else way["down"](low))
        else:
            out.append(_one(kinds[i], tokens[i].group(), tokens[i], way))
            i += 1
    return "".join(out)


def _lowered(tokens, i, way):
    """n_H_prev lowers both: all that follows with an underscore is one index."""
    parts = []
    while i < len(tokens) and tokens[i].lastgroup == "down":
        parts.append(_inner(tokens[i], way))
        i += 1
    return way["then"].join(parts), i


def _inner(token, way):
    """What stands in an index or exponent, without its mark and braces."""
    text = token.group()
    text = text[1:] if text[0] in "_^" else text
    if text[0] == "[":
        return f"[{_set(text[1:-1], way)}]"
    if text[0] == "{":
        return _set(text[1:-1], way)
    return way["plain"](text) if text in ("tv", "AP", "AN") else _set(text, way)      # as an index, a word


def _one(kind, text, token, way):
    if kind == "half":
        return HALVES[text]
    if kind == "slope":
        return "∂"
    if kind == "prime":
        return way["prime"]
    if kind == "index":
        return way["index"](text)
    if kind == "sign":
        return way["plain"](SIGNS[text])
    if kind in ("up", "layer"):
        return way["up"](_inner(token, way))
    if kind != "name":
        return way["plain"](text)
    if text in WORDS:
        return WORDS[text]
    if text == "x" and re.search(r"\d\s*$", token.string[:token.start()]) and re.match(r"\s*\d", token.string[token.end():]):
        return "×"
    if text in GREEK:
        return way["letter"](GREEK[text])
    is_letter = len(text) <= 2 and text not in UPRIGHT or set(text) <= set("ijk")
    return way["letter"](text) if is_letter else way["plain"](text)
