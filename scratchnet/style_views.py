"""Inside style transfer: what each term wants to change in the picture now, and what one number of a style matrix stands for.

    gradient_sheet(path, cost, steps)            -dJ/dG of every term, as pictures, at one step or several
    gram_cell(path, net, picture, layer, k, k2)  two channels, their product, and the patches of the picture where both are active
    telling_pairs(net, layer, S, C)              the pairs (k, k') worth looking at: together in S, and not so in C
    gram_files(folder, net, layer, C, S, G)      the style matrices of S and G, and those pairs

Source: lecture, cost function, style cost function.  Gatys, Ecker & Bethge 2016.
"""

from pathlib import Path

import numpy as np

from scratchnet import plots
from scratchnet.errors import ShapeError
from scratchnet.images import expect_picture
from scratchnet.receptive_field import edges
from scratchnet.style_costs import gram
from scratchnet.total_cost import check_size

NINE = 9


def gradient_sheet(path, cost, steps, **looks):
    """What every term of J wants to change, see plots.pull_sheet.

    cost   a TotalCost, whose pulls(G) -> {"content": dG, layer: dG, ..., "tv": dG} add up to dJ/dG
    steps  [style.Step, ...], one or more: i and G are used
    """
    names = {"content": f"content, {cost.content_layer}", "tv": "total variation"}
    return plots.pull_sheet(path, [(step.i, step.G, cost.pulls(step.G)) for step in steps], names, **looks)


def gram_cell(path, net, picture, layer, k, k2, against=None, n=NINE):
    """Takes G^[l]_kk' of a picture apart, see plots.gram_cell.

    against  another picture, C say, whose number is told beside this one's
    n        patches, nine at most: where a_k, a_k' and their product are largest, no two of them overlapping. In deep layers a patch is
             large, and a small picture has room for few
    Raises ShapeError for a layer or a channel that there is not, and for one that has numbers below 0.
    """
    picture = expect_picture(picture)
    a = _activations(net, layer, picture)
    _expect_channels(a, layer, k, k2)
    a_k, a_k2 = a[0, ..., k].astype(float), a[0, ..., k2].astype(float)
    maps = a_k, a_k2, a_k * a_k2
    found = [strongest_places(net, layer, map, picture.shape[1:3], n) for map in maps]
    both, G_kk = maps[2], float(maps[2].sum())
    facts = [f"Together: G_kk' / √(G_kk G_k'k') = {_together(a, k, k2):.2f}. 1 is always in step, 0 never in one place."]
    if against is not None:
        theirs = _activations(net, layer, expect_picture(against, "against"))
        facts.append(f"In the other picture it is {_together(theirs, k, k2):.2f}.")
    if G_kk:
        share, half = sum(value for _, value in found[2]) / G_kk, half_of(both)
        facts.append(f"The {len(found[2])} strongest places, boxed, hold {share:.3f} of G_kk'; half of it is in {half} of {both.size} "
                     "places.")
    return plots.gram_cell(path, layer, (k, k2), picture, maps, found, G_kk, facts)


def gram_files(folder, net, layer, C, S, G, pairs=None, n=3):
    """Writes gram_LAYER.png, the style matrices of S and of G and their difference, and gram_LAYER_K_K2.png, one cell of S.  -> [path, ...]

    G      clipped to [0, 1] first, as it is where it is saved
    pairs  [(k, k'), ...]; None: the n that telling_pairs finds.   Raises as gram_cell.
    """
    folder, net = Path(folder), net if net.frozen else net.freeze(until=net.known(layer))
    a_S, a_G = (_activations(net, layer, expect_picture(picture, name)) for picture, name in ((S, "S"), (np.clip(G, 0, 1), "G")))
    pairs = telling_pairs(net, layer, S, C, n) if pairs is None else pairs
    for pair in pairs:
        _expect_channels(a_S, layer, *pair)
    paths = [plots.gram_heatmap(folder / f"gram_{layer}.png", gram(a_S, positions=a_G[0, ..., 0].size), gram(a_G),
                                title=f"{layer}: which channels are active together, in S and in G")]
    return paths + [gram_cell(folder / f"gram_{layer}_{k}_{k2}.png", net, S, layer, k, k2, against=C) for k, k2 in pairs]


def strongest_places(net, layer, map, size, n=NINE):
    """[((top, left, bottom, right), value), ...]: what a layer sees where a map of it is largest, n at most, none overlapping another.

    map (n_H, n_W) of the layer for a picture of this size (n_H, n_W). Places where the map is 0 are none.
    """
    rows, columns = edges(net, layer, range(map.shape[0]), range(map.shape[1]), size)
    left, found = map.astype(float), []
    while len(found) < n and left.max() > 0:
        i, j = np.unravel_index(left.argmax(), left.shape)
        (top, bottom), (first, last) = rows[i], columns[j]
        found.append(((int(top), int(first), int(bottom), int(last)), float(map[i, j])))
        left[np.ix_((rows[:, 0] < bottom) & (rows[:, 1] > top), (columns[:, 0] < last) & (columns[:, 1] > first))] = 0
    return found


def half_of(map):
    """The fewest places that hold half of a map's sum."""
    falling = np.cumsum(np.sort(map.ravel())[::-1])
    return int(np.searchsorted(falling, falling[-1] / 2) + 1)


def telling_pairs(net, layer, S, C=None, n=3):
    """The pairs k < k' that say most about S: G_kk' / sqrt(G_kk G_k'k') large in S, and small in C.   -> [(k, k'), ...], n at most

    Without C, large in S alone; but then the first are channels that always go together, whatever the picture, as twins do. Only channels
    count that are active in S: G_kk above the median of the layer's. No channel is in two pairs.
    """
    a = _activations(net, layer, expect_picture(S, "S"))
    G_kk = np.diag(gram(a))
    more = _all_together(a) - (0 if C is None else _all_together(_activations(net, layer, expect_picture(C, "C"))))
    active = (G_kk >= np.median(G_kk)) & (G_kk > 0)
    more = np.where(np.triu(np.outer(active, active), 1), more, -np.inf)
    pairs = []
    while len(pairs) < n and more.max() > -np.inf:
        k, k2 = (int(channel) for channel in np.unravel_index(more.argmax(), more.shape))
        pairs.append((k, k2))
        more[[k, k2]] = more[:, [k, k2]] = -np.inf
    return pairs


def _activations(net, layer, picture):
    """a^[l] of a picture, (1, n_H, n_W, n_C). Raises ShapeError for a layer without places and a picture too small for it."""
    check_size(net, net.known(layer), picture.shape, "the picture")
    a = net.forward(picture, until=layer, keep=[layer], params=False)[0][layer]
    if a.ndim != 4:
        raise ShapeError(f"{layer!r} has output {a.shape}, without places: it has no style matrix. Give a layer before Flatten.")
    return a


def _expect_channels(a, layer, *channels):
    for channel in channels:
        if not 0 <= channel < a.shape[3]:
            raise ShapeError(f"channel {channel} of {layer!r}: it has {a.shape[3]}; give two from 0 to {a.shape[3] - 1}.")


def _all_together(a):
    """G_kk' / sqrt(G_kk G_k'k') of every two channels, 0 where one is silent.   (1, n_H, n_W, n_C) -> (n_C, n_C)"""
    G = gram(a).astype(float)
    length = np.sqrt(np.diag(G))
    return G / np.where(np.outer(length, length) > 0, np.outer(length, length), np.inf)


def _together(a, k, k2):
    return float(_all_together(a[..., [k, k2]])[0, 1])
