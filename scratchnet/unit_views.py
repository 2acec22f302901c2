"""From a search to its pictures: the lecture's page of layers, and the sheet on which one unit is seen from every side.

    layer_page(path, net, found, open)         nine units of every layer that was searched, each as nine patches
    unit_sheet(path, net, best, unit, open)    where its patches are, three ways back to the pixels, gradient ascent, its partners
    patches([(best, unit), ...], open)         [(patch, value), ...] of each, as plots.patch_sheet takes them
    partners(net, layer, unit, pictures)       with which channels it is active together: its row of the style matrix

A search keeps the names of pictures, not their pixels: open(name) -> (1, n_H, n_W, 3) is asked for them, with the same sizes as then.
"""

import numpy as np

from scratchnet import attribution, plots
from scratchnet.maximise import maximise
from scratchnet.receptive_field import table
from scratchnet.style_costs import gram

NINE = 9


def patches(wanted, open):
    """[(Strongest, unit), ...] -> for each of them [(patch (n_H, n_W, 3), activation), ...], strongest first.

    Where a unit is not above 0 is left out. Each picture is opened once and let go again, however many patches are cut from it.
    """
    found = [_above_zero(best, unit) for best, unit in wanted]
    cut = [[None] * len(places) for places in found]
    for name in dict.fromkeys(place["picture"] for places in found for place in places):
        picture = open(name)
        for own, places in zip(cut, found):
            for n, place in enumerate(places):
                if place["picture"] == name:
                    top, left, bottom, right = place["box"]
                    own[n] = picture.reshape(picture.shape[-3:])[top:bottom, left:right].copy(), place["value"]
    return cut


def spread(best, n=NINE):
    """n units evenly spread over those of a layer that anything drove above 0: a sample that nobody has picked.   -> [k, ...]"""
    active = np.flatnonzero(best.value[:, 0] > 0)
    return active[np.linspace(0, len(active) - 1, min(n, len(active))).astype(int)].tolist()


def layer_page(path, net, found, open, units=None, **looks):
    """The lecture's page from what was found: {layer: Strongest}, shallow to deep.

    units  {layer: [k, ...]}, nine each, for those layers where others than `spread` takes are wanted;  looks  as of plots.layer_page
    """
    wanted = [(layer, k) for layer, best in found.items() for k in (units or {}).get(layer) or spread(best)]
    cut = patches([(found[layer], k) for layer, k in wanted], open)
    fields = table(net)
    layers = [(layer, fields[layer].size, [(k, own) for (its, k), own in zip(wanted, cut) if its == layer]) for layer in found]
    return plots.layer_page(path, layers, **looks)


def unit_sheet(path, net, best, unit, open, steps=96, seed=0, together=3):
    """All views of one unit of a layer, see plots.unit_sheet.

    steps     of gradient ascent, on a picture of random noise from `seed`; 0: without
    together  how many partners
    Raises ShapeError for a unit that there is not.
    """
    places = _above_zero(best, unit) or best.patches(unit)[:1]
    pictures = [open(place["picture"]) for place in places]
    backs = {rule: [attribution.back_to_pixels(net, picture, best.layer, unit, rule).dx for picture in pictures]      # from the same places
             for rule in ("deconv", "guided", "gradient")}
    driven = None
    for step in maximise(net, best.layer, unit, steps=steps, seed=seed) if steps else ():
        driven = step.x
    others = partners(net, best.layer, unit, pictures, together)
    others = [(*other, own) for other, own in zip(others, patches([(best, k) for k, _ in others], open))]
    return plots.unit_sheet(path, best.layer, unit, pictures, [place["box"] for place in places], [place["value"] for place in places],
                            backs, driven, others, first_filter(net, best.layer, unit))


def partners(net, layer, unit, pictures, n=3):
    """The channels k' with the largest G_kk', k = unit, over these pictures: where the unit is active they are.  -> [(k', G_kk'), ...]

    G_kk' = sum over pictures and positions of a_ijk a_ijk', the style matrix. Channels of zero are no partners.
    """
    row = 0
    for picture in pictures:
        a = net.forward(picture, until=layer, keep=[layer], params=False)[0][layer]
        row = row + gram(a if a.ndim == 4 else a[:, None, None])[unit].astype(float)
    order = [int(k) for k in np.argsort(-row, kind="stable") if k != unit and row[k] > 0]
    return [(k, float(row[k])) for k in order[:n]]


def first_filter(net, layer, unit):
    """The unit's filter, (f, f, 3) in the order of the picture's colours, if the layer is the first convolution or its ReLU, else None."""
    names = net.names[:1 + net.names.index(net.known(layer))]
    filters = [f"{name}.W" for name in names if f"{name}.W" in net.params]
    if len(filters) != 1 or net.params[filters[0]].ndim != 4 or net.params[filters[0]].shape[2] != 3:
        return None
    W = net.params[filters[0]][..., unit]
    return W[:, :, ::-1] if getattr(net.layers[names[0]], "order", "RGB") == "BGR" else W


def _above_zero(best, unit):
    return [place for place in best.patches(unit) if place["value"] > 0]
