"""Layer by layer, what is left of a photograph's content and what has come together of a painting's style: both rows begin as noise."""

from scratchnet.errors import ShapeError
from scratchnet.plots import page

LEFT, GAP, SMALLEST = 24, 14, 48
SMALL = dict(size=8.5, color=page.GREY)


@page.styled
def reconstruction_grid(path, C, S, contents, styles, title="What each layer keeps: content above, style below", side=256):
    """Rows content and style, columns layers, each picture painted from noise by one cost alone, and C and S before them.

    contents  [(layer, G, J_content), ...]       styles  [(layer or layers, G, J_style), ...]; one row may be longer, not empty
    side      pixels of the longer side of a picture; fewer where the sheet would pass 2000
    Raises ShapeError, ImageError, NumericsError.   Gatys et al. 2016, fig. 1.
    """
    rows = [_expect_row(C, contents, "C"), _expect_row(S, styles, "S")]
    columns = max(len(row) for row in rows)
    subtitle = "each from noise, by one cost at these layers alone;   content knows what is where, style only what goes together with what"
    words = 1 + int(max(page.text_width(line, weight, size) for row in rows for name, said, _ in row
                        for line, weight, size in ((name, "bold", 9.5), (said, "normal", 8.5))))
    sizes = [page.fitted(row[0][2], side) for row in rows]
    while LEFT + columns * (max(words, *(w for w, _ in sizes)) + GAP) > page.LARGEST and side > SMALLEST:
        side = max(SMALLEST, int(.97 * side))
        sizes = [page.fitted(row[0][2], side) for row in rows]
    wide = max(words, *(w for w, _ in sizes)) + GAP
    fig = page.figure(max(LEFT + columns * wide, page.heading_width(title, subtitle)), 72 + sum(h + 66 for _, h in sizes))
    page.heading(fig, title, subtitle)
    ax, top = page.canvas(fig), 72
    for row, (w, h) in zip(rows, sizes):
        for column, (name, said, picture) in enumerate(row):
            left = LEFT + column * wide
            page.write(fig, left, top + 22, name, va="baseline", weight="bold")
            page.write(fig, left, top + 38, said, va="baseline", **SMALL)
            page.put(ax, picture, left, top + 46, w, h)
        top += h + 66
    return page.save(fig, path)


def _expect_row(picture, painted, name):
    """[(words, more words, picture), ...], the picture itself first."""
    if not painted:
        raise ShapeError(f"there is nothing painted from {name}; give [(layer, G, J), ...], one or more")
    kind = {"C": "content", "S": "style"}[name]
    row = [(f"{kind}, {name}", "", page.expect_picture(picture, name))]
    for layers, G, J in painted:
        layers = [layers] if isinstance(layers, str) else list(layers)
        J = page.short(float(page.expect_numbers(J, f"J_{kind}", ndim=0)))
        above = layers[0] if len(layers) == 1 else f"{layers[0]} … {layers[-1]}"
        row.append((above, f"J_{kind} = {J}", page.expect_picture(G, f"the picture of {above}")))
    if len({picture.shape for *_, picture in row}) > 1:
        raise ShapeError(f"pictures of the row of {name} have shapes {[picture.shape for *_, picture in row]}; expected one")
    return row
