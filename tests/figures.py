"""What tests of figures share: a run to draw, a file as pixels, a figure before it is saved."""

import numpy as np
from PIL import Image

from scratchnet.plots import page

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]


def steps(n=6, layers=LAYERS):
    for i in range(n):
        per_layer = {l: (k + 1) * 10. ** (3 - i / 2) for k, l in enumerate(layers)}
        J_style = sum(per_layer.values())
        yield dict(i=10 * i, J=40. * i + 2 * J_style, J_content=40. * i, J_style=J_style, per_layer=per_layer)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")) / 255


def figure_of(monkeypatch, draw):
    """The figure that a function is about to save."""
    kept = []
    monkeypatch.setattr(page, "save", lambda fig, path: (fig.canvas.draw(), kept.append(fig)))
    draw("unused.png")
    return kept[0]


def expect_readable(fig):
    """No text is cut by the edge of the page, or lies on another."""
    texts = fig.texts + [text for ax in fig.axes for text in (*ax.texts, ax.xaxis.label, ax.yaxis.label)]
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            texts += [side for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high for side in (tick.label1, tick.label2)]
    boxes = [text.get_window_extent().padded(-1) for text in texts if text.get_text().strip() and text.get_visible()]
    for k, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:k])
