"""Python source in colours, for a page: keywords, strings, numbers and comments by Python's own tokenizer."""

import html
import io
import keyword
import tokenize

KINDS = {tokenize.STRING: "s", tokenize.COMMENT: "c", tokenize.NUMBER: "n"}
KINDS |= {getattr(tokenize, name): "s" for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END") if hasattr(tokenize, name)}


def as_html(source):
    """Source with <span class="k">, "s", "n", "c" around what has a kind; the rest, and what does not parse, escaped as it is."""
    starts = [0]                                      # of each line, counted in characters
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    out, done = [], 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else KINDS.get(token.type)
            begin, end = (starts[min(row - 1, len(starts) - 1)] + column for row, column in (token.start, token.end))
            if kind and begin >= done:
                out += [html.escape(source[done:begin]), f'<span class="{kind}">{html.escape(source[begin:end])}</span>']
                done = end
    except (tokenize.TokenError, SyntaxError):        # a cell that is not Python: shown plainly from here on
        pass
    return "".join(out) + html.escape(source[done:])
