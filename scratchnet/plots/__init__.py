"""Every figure of the package: an idea is understood when it has been seen, so each one ends here, in a file.

    pictures.py   contact_sheet        pictures beside each other, each with its name
    curves.py     cost_curves          J and its parts over the steps of style transfer
                  error_curve          the error of a gradient check over its step h
                  training_curves      what a training has left to learn
                  triplet_curves       J, active triplets and one-shot accuracy by epoch
    faces.py      pair_sheet           two faces, the distance under them, one person or two
                  identify_sheet       a face and the nearest people of a gallery
    thresholds.py distance_histograms  the distances of one person's pairs and of two people's, and tau between them
                  roc_curve            TAR over FAR, at every tau at once
                  far_frr              both errors over tau
    encodings.py  triplet_plane        a batch around its anchor, with the rings of the triplet loss
                  encodings_over_time  encodings in the plane, from epoch to epoch
    units.py      patch_sheet          units of a layer, each as its nine strongest patches
                  layer_page           the lecture's page: nine units of every layer
                  unit_sheet           all views of one unit
    channels.py   filters              the filters of the first layer, as pictures
                  activations          the channels of a layer for one picture
                  layer_sheet          a picture, its inversion and its texture at one layer, the strongest channels
    maps.py       receptive_fields     what units of several layers see, on one picture
                  measured_field       what a unit may see, and where it really looks
                  saliency_sheet       maps laid over their picture
                  pair_maps            what brings two pictures near each other
    matrices.py   gram_heatmap         a style matrix, or two of them and their difference
                  grid                 small matrices with their numbers, to follow an example by hand
    cells.py      gram_cell            one number of a style matrix: two channels, their product, patches where both are active
    pulls.py      pull_sheet           dJ/dG and each of its terms, as pictures
    rebuilt.py    reconstruction_grid  a picture from its content alone, a painting from its style alone, layer by layer
    page.py       the look that all of them share

Each writes `path`, in the format of its ending or else as PNG, and returns it; the file is there whole or not at all.  There is
no window, no display, no state: figures are objects, laid out in pixels.  Titles are drawn as they are given, a $ is a dollar.
"""

from scratchnet.plots.cells import gram_cell
from scratchnet.plots.channels import activations, filters, layer_sheet
from scratchnet.plots.curves import cost_curves, error_curve, training_curves, triplet_curves
from scratchnet.plots.encodings import encodings_over_time, triplet_plane
from scratchnet.plots.faces import identify_sheet, pair_sheet
from scratchnet.plots.maps import measured_field, pair_maps, receptive_fields, saliency_sheet
from scratchnet.plots.matrices import gram_heatmap, grid
from scratchnet.plots.pictures import contact_sheet
from scratchnet.plots.pulls import pull_sheet
from scratchnet.plots.rebuilt import reconstruction_grid
from scratchnet.plots.thresholds import distance_histograms, far_frr, roc_curve
from scratchnet.plots.units import layer_page, patch_sheet, unit_sheet

__all__ = ["activations", "contact_sheet", "cost_curves", "distance_histograms", "encodings_over_time", "error_curve", "far_frr",
           "filters", "gram_cell", "gram_heatmap", "grid", "identify_sheet", "layer_page", "layer_sheet", "measured_field", "pair_maps",
           "pair_sheet", "patch_sheet", "pull_sheet", "receptive_fields", "reconstruction_grid", "roc_curve", "saliency_sheet",
           "training_curves", "triplet_curves", "triplet_plane", "unit_sheet"]
