"""A picture that does not fit into memory goes through a network in strips of rows; this file says which rows each strip needs.

Units at a strip's edge see rows beyond it. So a strip is carried with a margin as wide as they see, and what is worked out in the
margin, where the picture seems to end, is thrown away. What is left is exactly what the whole picture would give.

    margin = (receptive field - stride) / 2 of the deepest layer, rounded up to whole positions of it
"""

from dataclasses import dataclass

from scratchnet.errors import ShapeError


@dataclass(frozen=True)
class Strip:
    """Rows of a picture: those with the margin, and of these the ones that are the strip's own; stop None: to the picture's end.

    strides  {layer: rows of the picture that one of its positions stands for}
    """

    start: int
    top: int
    bottom: int | None
    stop: int | None
    strides: dict

    @property
    def whole(self):
        """Whether the strip is the picture as a whole."""
        return self.top == 0 and self.bottom is None

    def of(self, picture):
        """The strip with its margin, (1, n_H, n_W, 3) -> (1, rows, n_W, 3)."""
        return picture[:, self.start:self.stop]

    def own(self, layer):
        """Which rows of a^[l] of the strip are its own, a slice; the same rows of a[l] of the whole picture are `place`."""
        s = self.strides.get(layer, 1)
        return slice((self.top - self.start) // s, None if self.bottom is None else (self.bottom - self.start) // s)

    def place(self, layer):
        """Where the strip's own rows are in a^[l] of the whole picture, a slice."""
        s = self.strides.get(layer, 1)
        return slice(self.top // s, None if self.bottom is None else self.bottom // s)


def strips(net, until, n_H, rows=None):
    """The strips of a picture of n_H rows for layers up to `until`, at most `rows` of its rows each. None: the picture as a whole.

    Raises ShapeError where rows is no number of positions of `until`, and for networks whose windows shift or shrink what they see.
    """
    if rows is None or rows >= n_H:
        return [Strip(0, 0, None, None, {})]
    table = net.summary((1, 1024, 1024, 3), until).rows
    strides, deepest = {row.layer: row.stride for row in table}, table[-1].stride
    if any(row.shape[1] * row.stride != 1024 for row in table if len(row.shape) == 4) or any(
            getattr(net.layers[row.layer], "stride", 1) not in (1, max(getattr(net.layers[row.layer], "window", (1,)))) for row in table):
        raise ShapeError("strips are for networks like VGG, whose convolutions keep the size and whose poolings do not overlap. "
                         "Take a smaller picture.")
    if rows < deepest or rows % deepest:
        raise ShapeError(f"strip = {rows}; expected a multiple of {deepest}, the rows that one position of {until} stands for.")
    margin = -(-(table[-1].receptive_field - deepest) // (2 * deepest)) * deepest
    tops = range(0, max(n_H - n_H % deepest, 1), rows)              # what fills no position joins the last strip
    return [Strip(max(0, top - margin), top, *_ends(top + rows, margin, n_H, last=top == tops[-1]), strides) for top in tops]


def _ends(bottom, margin, n_H, last):
    """(bottom, stop) of a strip; None at the picture's end."""
    return (None, None) if last else (bottom, bottom + margin if bottom + margin < n_H else None)
