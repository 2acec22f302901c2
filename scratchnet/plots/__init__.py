"""Every figure of the package: an idea is understood when it has been seen, so each one ends here, in a file.

    pictures.py   contact_sheet        pictures beside each other, each with its name
    curves.py     cost_curves          J and its parts over the steps of style transfer
                  error_curve          the error of a gradient check over its step h
                  training_curves      what a training has left to learn
    matrices.py   gram_heatmap         a style matrix, or two of them and their difference
                  grid                 small matrices with their numbers, to follow an example by hand
    page.py       the look that all of them share

Each writes `path`, in the format of its ending or else as PNG, and returns it; the file is there whole or not at all.  There is
no window, no display, no state: figures are objects, laid out in pixels.  Titles are drawn as they are given, a $ is a dollar.
"""

from scratchnet.plots.curves import cost_curves, error_curve, training_curves
from scratchnet.plots.matrices import gram_heatmap, grid
from scratchnet.plots.pictures import contact_sheet

__all__ = ["contact_sheet", "cost_curves", "error_curve", "gram_heatmap", "grid", "training_curves"]
