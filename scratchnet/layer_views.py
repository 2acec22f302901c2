"""What does a layer know of a picture?  Paint one from noise until the layer finds it the same: what the layer does not know is lost.

    paint(net, layer, picture, "inversion")   the content cost at layer l alone: all that a^[l] says, and where
    paint(net, layer, picture, "texture")     the style cost at layer l alone: what goes together with what, wherever it is
    strongest_channels(a)                     the channels with the largest G_kk
    layer_sheet(path, net, layer, picture)    all of them beside the picture
    reconstructions(net, C, S, layers)        many layers, one after the other, and reconstruction_grid puts them on one sheet

Both are style transfer, style.transfer with one of its two costs; what is new is to see them beside each other, for one l.
Source: lecture, content cost function, style cost function.  Inversion: Mahendran & Vedaldi 2015; texture: Gatys et al. 2015; both
beside each other: Gatys et al. 2016, fig. 1.
"""

import numpy as np

from scratchnet import plots, style, total_cost
from scratchnet.errors import ShapeError
from scratchnet.images import expect_picture
from scratchnet.optimizers import Adam
from scratchnet.style_costs import gram

VIEWS = {                                             # tv is against grain that the layer does not see
    "inversion": dict(alpha=1, beta=0, tv=0.5),
    "texture":   dict(alpha=0, beta=1, tv=0.2),       # which has grain of its own
}
STEPS, LEARNING_RATE = 96, 0.1                        # noise has far to go: about three times the rate of style transfer


def paint(net, layer, picture, view, steps=STEPS, seed=0):
    """The picture that noise becomes under one cost at one layer.   -> style.Step, the last one: G, J_content, J_style

    layer  its name; for a texture also several, [layer, ...], whose J_style^[l] count alike
    view   "inversion": J = J_content^[l] + tv J_tv;   "texture": J = J_style^[l] + tv J_tv, with tv from VIEWS, costs relative to C and S
    steps  of Adam, from noise of `seed`, the size of the picture
    A style matrix is met by A_G = Q A_S with Q orthogonal, and by nothing else. Where n_H n_W < n_C, as in deep layers of small
    pictures, that is little freedom: whole objects come back, often in other places.
    Raises ShapeError for a layer without places, a picture too small for it, and a view that there is not.
    """
    if view not in VIEWS:
        raise ShapeError(f"view = {view!r}; expected one of {', '.join(map(repr, VIEWS))}.")
    layers = [layer] if isinstance(layer, str) else list(layer)
    if not layers or view == "inversion" and len(layers) > 1:
        raise ShapeError(f"{view!r} from {layers}; expected one layer, or for a texture several.")
    for layer in layers:
        picture = expect_places(net, layer, picture)
    for step in style.transfer(net, picture, picture, steps=steps, start="noise", seed=seed, optimizer=Adam(LEARNING_RATE),
                               content_layer=layers[0], lam={l: 1 / len(layers) for l in layers}, **VIEWS[view]):
        pass
    return step


def strongest_channels(a, n=9):
    """The n channels with the largest G_kk = sum_ij a_ijk^2, strongest first, without those of zero.   (1, n_H, n_W, n_C) -> [k, ...]"""
    G_kk = np.diag(gram(a))
    return [int(k) for k in np.argsort(-G_kk, kind="stable")[:n] if G_kk[k] > 0]


def layer_sheet(path, net, layer, picture, steps=STEPS, seed=0, n=9):
    """What layer l keeps of the picture, see plots.layer_sheet; n is how many of its channels, nine at most. Raises as `paint`."""
    picture = expect_places(net, layer, picture)
    net = net if net.frozen else net.freeze(until=layer)
    a = net.forward(picture, until=layer, keep=[layer], params=False)[0][layer]
    inversion, texture = (paint(net, layer, picture, view, steps, seed) for view in VIEWS)
    return plots.layer_sheet(path, layer, picture, (inversion.G, inversion.J_content), (texture.G, texture.J_style), a,
                             strongest_channels(a, n))


def reconstructions(net, C, S, layers=style.STYLE_LAYERS, steps=STEPS, seed=0, single=False):
    """Inversions of C from each layer, then textures of S from the layers up to each.   A generator of (view, layers, style.Step).

    layers  [layer, ...], shallow to deep;   single  True: textures from each layer alone, not with those before it
    C and S may differ in size; each is painted at its own. Raises as `paint`, before the first is painted.
    """
    layers = list(layers)
    wanted = [("inversion", C, (layer,)) for layer in layers]
    wanted += [("texture", S, (layer,) if single else tuple(layers[:n])) for n, layer in enumerate(layers, 1)]
    for view, picture, needed in wanted:
        for layer in needed:
            expect_places(net, layer, picture)
    net = net if net.frozen else net.freeze(until=max(layers, key=net.names.index))
    return ((view, needed, paint(net, needed, picture, view, steps, seed)) for view, picture, needed in wanted)


def reconstruction_grid(path, C, S, found):
    """What `reconstructions` has yielded, on one sheet, see plots.reconstruction_grid."""
    contents = [(layers, step.G, step.J_content) for view, layers, step in found if view == "inversion"]
    styles = [(layers, step.G, step.J_style) for view, layers, step in found if view == "texture"]
    return plots.reconstruction_grid(path, C, S, contents, styles)


def expect_places(net, layer, picture):
    """The picture as (1, n_H, n_W, 3), if the layer has places for it. Raises ShapeError, ImageError."""
    picture = expect_picture(picture)
    total_cost.check_size(net, net.known(layer), picture.shape, "the picture")
    shape = net.summary(picture.shape, layer).rows[-1].shape
    if len(shape) != 4:
        raise ShapeError(f"{layer!r} has output {shape}, without places: it has no style matrix. Give a layer before Flatten.")
    return picture
