"""Pictures beside each other, because what a number means is seen only beside what it was measured on."""

import numpy as np

from scratchnet.plots import page

GAP = 16                                              # pixels between pictures, and around them


@page.styled
def contact_sheet(path, pictures, titles, columns=None, heading=None):
    """Pictures beside each other at their own size, pixel for pixel, each under its title, whose line breaks stay.

    pictures  (1, n_H, n_W, 3) or (n_H, n_W, 3), RGB, floats in [0, 1], of any sizes; what lies outside is clipped
    columns   None: as many as make the sheet about 3 : 2
    heading   (title, subtitle) above them all, or None
    Only a sheet of more than 2000 pixels is scaled down.   Raises ShapeError, ImageError, NumericsError.
    """
    pictures = [page.expect_picture(picture, f"picture {k}") for k, picture in enumerate(pictures)]
    titles = page.as_many(titles, pictures, "pictures")
    sizes = np.array([picture.shape[1::-1] for picture in pictures])                # width, height
    columns = page.columns(len(sizes), *(sizes.max(axis=0) + (16, 40)), columns)
    first = (GAP, GAP) if heading is None else (24, 76)                             # left, top; a heading begins at 24 everywhere

    scale, shown = 1, sizes
    texts, places, size = _arrange(shown, titles, columns, first)
    while max(size) > page.LARGEST and shown.max() > 160:                           # titles do not shrink: not at one go, nor below them
        scale *= min(.99, page.LARGEST / max(size))
        shown = np.maximum(1, np.rint(sizes * scale)).astype(int)
        texts, places, size = _arrange(shown, titles, columns, first)

    fig = page.figure(max(size[0], page.heading_width(*heading)) if heading else size[0], size[1])
    if heading:
        page.heading(fig, *heading)
    for picture, text, (left, top), (width, height) in zip(pictures, texts, places, shown):
        page.write(fig, left, top - 7, text, va="bottom", linespacing=1.2)
        page.picture_axes(fig, left, top, width, height).imshow(picture, aspect="auto")
    return page.save(fig, path)


def _arrange(sizes, titles, columns, first, line=17):
    """Rows and columns as wide as their widest -> wrapped titles, (left, top) of each picture, (width, height) of the sheet"""
    row, column = np.divmod(np.arange(len(sizes)), columns)
    words = [max(map(page.text_width, title.split()), default=0) for title in titles]
    needed = np.maximum(sizes[:, 0], np.clip(words, 72, 160))                       # a small picture leaves room for its title
    wide = np.array([needed[column == c].max() for c in range(columns)])
    high = np.array([sizes[row == r, 1].max() for r in range(row[-1] + 1)])
    texts = ["\n".join(page.wrap(words, wide[c]) for words in title.split("\n")) for title, c in zip(titles, column)]
    lines = np.array([text.count("\n") + 1 if text else 0 for text in texts])
    above = np.array([line * lines[row == r].max() + 6 for r in range(row[-1] + 1)])

    left = first[0] + np.append(0, np.cumsum(wide + GAP)).astype(int)
    top = first[1] + np.append(0, np.cumsum(above + high + GAP)).astype(int)
    return texts, list(zip(left[column], top[row] + above[row])), (left[-1], top[-1])
