"""What a picture G costs, J(G) = alpha J_content(C, G) + beta J_style(S, G), and how each of its pixels should change: dJ/dG.

S may be several paintings, with weights, each for the whole picture or for a region of its own. A picture too large for the
memory goes through the network in strips of rows, and costs the same.

    J_style = sum_l lambda^[l] sum_S w_S J_style^[l](S, G)          the w_S of all styles together are 1

Source: course 4, week 4: cost function. Gatys, Ecker & Bethge 2016; regions: Gatys et al. 2017, controlling perceptual factors.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from scratchnet import images, kernels
from scratchnet.errors import ShapeError
from scratchnet.strips import strips
from scratchnet.style_costs import CONTENT, content_constant, content_cost, gram, style_slope, through_gram, total_variation

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
LAM = {l: 1 / len(STYLE_LAYERS) for l in STYLE_LAYERS}
CONTENT_LAYER = "relu4_2"


@dataclass
class Step:
    """One step: the picture G after i updates, and what it costs.

    J = alpha J_content + beta J_style + tv J_tv;   per_layer is {layer: J_style^[l]}, before lambda
    """

    i: int
    G: np.ndarray = field(repr=False)
    J: float
    J_content: float
    J_style: float
    per_layer: dict
    J_tv: float = 0.0


@dataclass
class Style:
    """One painting among several.

    picture  (1, n_H, n_W, 3), RGB in [0, 1], of any size
    weight   next to the other styles' weights; only their ratios count
    mask     where in G it is painted: (n_H, n_W) of the size of C, from 0 (not there) to 1 (there); None: everywhere.
             A region's style weighs as much as it has area, so that it pulls there as if it had the whole picture
    """

    picture: np.ndarray = field(repr=False)
    weight: float = 1.0
    mask: np.ndarray = field(default=None, repr=False)


class TotalCost:
    """J(G) and dJ/dG as a function of the pixels; C, S and all settings are fixed when it is made.

    net            a network whose layers have the names used below
    C, S           pictures (1, n_H, n_W, 3), RGB in [0, 1]; S may have another size, or be a list of Style
    content_layer  the lecture's l of J_content              lam  {layer: lambda^[l]} of J_style
    alpha, beta    weights of the two costs; tv that of the total variation per pixel
    normalise      the constants in front, see style_costs
    strip          None: pictures go through the network as a whole. A number: in strips of so many rows, which takes less
                   memory and more time: each strip goes forward twice, with the rows around it that its units see
    Raises ShapeError for unknown layers and pictures too small, before any long work.
    """

    def __init__(self, net, C, S, content_layer=CONTENT_LAYER, lam=None, alpha=0.3, beta=1.0, normalise="relative", tv=0.0, strip=None):
        self.lam = check_layers(net, content_layer, LAM if lam is None else lam)
        if normalise not in CONTENT:
            raise ShapeError(f"normalise = {normalise!r}; expected one of {', '.join(map(repr, CONTENT))}.")
        for name, weight in (("alpha", alpha), ("beta", beta), ("tv", tv)):
            if not 0 <= weight < math.inf:
                raise ShapeError(f"{name} = {weight}; expected a number from 0 up.")
        self.alpha, self.beta, self.tv = float(alpha), float(beta), float(tv)
        self.content_layer, self.normalise = content_layer, normalise
        self.keep = sorted({content_layer, *self.lam}, key=net.names.index)
        self.net = net if net.frozen else net.freeze(until=self.keep[-1])
        C = images.expect_picture(C, "C")
        self.shape, self.strip = C.shape, strip
        self.styles = expect_styles(S, C)
        for name, picture in (("C", C), *(("S", one.picture) for one in self.styles)):
            check_size(net, self.keep[-1], picture.shape, name)
        kernels.trim()
        self._look_at(C)

    # ------------------------------------------------------------------------------------------- what is fixed beforehand

    def _look_at(self, C):
        """a_C and its constant; the regions, and each style's matrices for as many positions as its region has."""
        parts, rows = [], dict.fromkeys(self.lam, 0)
        for strip in self._strips(C):
            a = self._forward(strip.of(C))[0]
            parts.append(a[self.content_layer][:, strip.own(self.content_layer)])
            for l in self.lam:
                rows[l] += a[l][:, strip.own(l)].shape[1]
            columns = {l: a[l].shape[2] for l in self.lam}
            del a                                      # before the next strip, or S, needs the memory
        self.a_C = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        self.constant = float(content_constant(self.a_C, self.normalise))
        masks, self.region = [], []                    # styles without a mask share one region, and its style matrices
        for one in self.styles:
            same = [r for r, mask in enumerate(masks) if mask is one.mask]
            self.region.append(same[0] if same else len(masks))
            masks += [] if same else [one.mask]
        self.shares = [{l: None if mask is None else shrunk(mask, rows[l], columns[l]).astype(C.dtype) for l in self.lam} for mask in masks]
        self.positions = [{l: rows[l] * columns[l] if share[l] is None else float(share[l].sum()) for l in self.lam}
                          for share in self.shares]
        for l, n in ((l, n) for positions in self.positions for l, n in positions.items() if n == 0):
            raise ShapeError(f"a mask covers no position of {l}; paint a larger region white, or use shallower layers.")
        self.G_S = [self._of_style(one.picture, self.positions[r]) for one, r in zip(self.styles, self.region)]

    def _of_style(self, S, positions):
        """{layer: style matrix of S, for so many positions}."""
        G_S, n = dict.fromkeys(self.lam, 0), dict.fromkeys(self.lam, 0)
        for strip in self._strips(S):
            a = self._forward(strip.of(S))[0]
            for l in self.lam:
                own = a[l][:, strip.own(l)]
                G_S[l], n[l] = G_S[l] + gram(own), n[l] + math.prod(own.shape[1:3])
            del a, own
        return {l: G_S[l] * (positions[l] / n[l]) for l in self.lam}

    def _strips(self, picture):
        """The strips of a picture. Each finds the memory of the one before free, but not in pieces of its own sizes: it is given back."""
        for strip in strips(self.net, self.keep[-1], picture.shape[1], self.strip):
            if not strip.whole:
                kernels.trim()
            yield strip

    def _forward(self, x):
        return self.net.forward(x, until=self.keep[-1], keep=self.keep, params=False)

    # --------------------------------------------------------------------------------------------------- J, and the way back

    def __call__(self, G, i=0):
        """-> (Step i at G, dJ/dG)."""
        step, slopes, ran = self._costs(G, i)
        dG = self._to_pixels(G, self.alpha, slopes, ran)
        return step, dG + self._tv_slope(G) if self.tv else dG

    def step(self, G, i):
        """The costs at G alone, without the way back: half the work."""
        return self._costs(G, i)[0]

    def pulls(self, G):
        """What each term of J wants of the pixels -> {"content": dG, "relu1_1": dG, ..., "tv": dG}, weights included.

        Their sum is dJ/dG.
        """
        slopes = self._costs(G, 0)[1]
        pulls = {"content": self._to_pixels(G, self.alpha, {})}
        pulls.update({l: self._to_pixels(G, 0, {l: slope}) for l, slope in slopes.items()})
        return {**pulls, "tv": self._tv_slope(G)} if self.tv else pulls

    def _costs(self, G, i):
        """Step i at G; {layer: [slope for each region]}, weights included; and of a whole picture what the network has at work."""
        J_content, grams, ran = 0.0, [dict.fromkeys(self.lam, 0) for _ in self.shares], None
        for strip in self._strips(G):
            a, caches = self._forward(strip.of(G))
            own = a[self.content_layer][:, strip.own(self.content_layer)]
            J_content += content_cost(self.a_C[:, strip.place(self.content_layer)], own, self.constant)[0]
            for of_region, shares in zip(grams, self.shares):
                for l, share in shares.items():
                    own = a[l][:, strip.own(l)]
                    of_region[l] = of_region[l] + gram(own if share is None else own * np.sqrt(share[:, strip.place(l)]))
            if strip.whole:
                ran = a, caches
            del a, caches, own                         # before the next strip needs the memory
        per_layer, slopes = self._style(grams)
        J_style = sum(self.lam[l] * per_layer[l] for l in self.lam)
        J_tv = total_variation(G)[0] / _pixels(G) if self.tv else 0.0
        J = self.alpha * J_content + self.beta * J_style + self.tv * J_tv
        return Step(i, G, *map(float, (J, J_content, J_style)), per_layer, float(J_tv)), slopes, ran

    def _style(self, grams):
        """{layer: J_style^[l]} over all styles, and {layer: [slope for each region]} with beta, lambda and the styles' weights."""
        per_layer, slopes = dict.fromkeys(self.lam, 0.0), {l: [0] * len(grams) for l in self.lam}
        for one, r, G_S in zip(self.styles, self.region, self.G_S):
            for l, lam in self.lam.items():
                J, slope = style_slope(G_S[l], grams[r][l], self.positions[r][l], self.normalise)
                per_layer[l] += one.weight * float(J)
                slopes[l][r] = slopes[l][r] + self.beta * lam * one.weight * slope
        return per_layer, slopes

    def _to_pixels(self, G, alpha, slopes, ran=None):
        """The gradients of alpha J_content and of the layers in `slopes`, carried back to the pixels, strip after strip."""
        dG = None
        for strip in self._strips(G):
            a, caches = ran or self._forward(strip.of(G))
            ran = None                                 # so that its arrays go as they are used up
            da = self._poured_in(a, strip, alpha, slopes)
            if not da:
                return np.zeros_like(G)
            dx, _ = self.net.backward(da, caches, release=True)
            if strip.whole:
                return dx
            dG = np.zeros_like(G) if dG is None else dG
            strip.of(dG)[...] += dx
        return dG

    def _poured_in(self, a, strip, alpha, slopes):
        """{layer: a function that makes the gradient there, and lets go of a[l]}: on the way back only one of them is alive."""
        return {l: lambda l=l: self._gradient_at(l, a.pop(l), strip, alpha, slopes)
                for l in self.keep if l in slopes or alpha and l == self.content_layer}

    def _gradient_at(self, l, a_l, strip, alpha, slopes):
        """dJ/da^[l] of a strip: 0 in its margin, which other strips answer for."""
        own, place, gradient = strip.own(l), strip.place(l), None
        for share, slope in zip(self.shares, slopes.get(l, ())):
            part = through_gram(a_l, slope)
            if share[l] is not None:
                part[:, own] *= share[l][:, place]
            gradient = part if gradient is None else np.add(gradient, part, out=gradient)
        if alpha and l == self.content_layer:
            gradient = np.zeros_like(a_l) if gradient is None else gradient
            gradient[:, own] += content_cost(self.a_C[:, place], a_l[:, own], alpha * self.constant)[1]
        gradient[:, :own.start] = 0
        if own.stop is not None:
            gradient[:, own.stop:] = 0
        return gradient

    def _tv_slope(self, G):
        return self.tv / _pixels(G) * total_variation(G)[1]


def balanced(cost, G):
    """{layer: lambda^[l]}, in sum 1, with which all layers of the style pull equally hard at the pixels of G.

    lambda^[l] ~ 1 / ||d J_style^[l] / dG||; a layer that does not pull at all gets 0.   Raises ShapeError when none does.
    """
    pulls = cost.pulls(G)
    hardness = {l: float(np.linalg.norm(pulls[l])) / lam if lam and cost.beta else 0.0 for l, lam in cost.lam.items()}
    inverse = {l: 1 / pull if pull > 0 else 0.0 for l, pull in hardness.items()}
    if not any(inverse.values()):
        raise ShapeError("no layer of the style pulls at this picture, so there is nothing to balance. Start from noise, or give lambda.")
    return {l: value / sum(inverse.values()) for l, value in inverse.items()}


def shrunk(mask, n_H, n_W):
    """(rows, columns) -> (1, n_H, n_W, 1): the mean over what each position of a layer stands for, borders that fill none left out."""
    s_H, s_W = mask.shape[0] // n_H, mask.shape[1] // n_W
    s_H, s_W = (2 ** int(math.log2(s)) for s in (s_H, s_W))       # 31 rows of stride 16 are one position, not one of 31
    return mask[:n_H * s_H, :n_W * s_W].reshape(n_H, s_H, n_W, s_W).mean(axis=(1, 3))[None, :, :, None]


# ---------------------------------------------------------------------------------------------------------- what is refused


def as_styles(S):
    """S, a picture or a list of Style, as a list of Style."""
    return list(S) if isinstance(S, (list, tuple)) and any(isinstance(one, Style) for one in S) else [Style(S)]


def expect_styles(S, C):
    """The same, pictures in the dtype of C, weights in sum 1, each times the area of its mask."""
    styles = []
    for one in as_styles(S):
        if not isinstance(one, Style) or not 0 <= one.weight < math.inf:
            raise ShapeError(f"S holds {one!r}; expected one picture, or a list of Style(picture, weight, mask) with weights from 0 up.")
        mask = None if one.mask is None else _expect_mask(one.mask, C)
        area = 1.0 if mask is None else float(mask.mean())
        styles.append(Style(images.expect_picture(one.picture, "S").astype(C.dtype, copy=False), one.weight * area, mask))
    total = sum(one.weight for one in styles)
    if total == 0:
        raise ShapeError("all styles together weigh nothing; expected at least one weight above 0, with a mask that is not black.")
    return [Style(one.picture, float(one.weight / total), one.mask) for one in styles if one.weight > 0]


def _expect_mask(mask, C):
    mask = np.asarray(mask, np.float64)
    if mask.shape != C.shape[1:3] or not (mask.min() >= 0 and mask.max() <= 1):
        raise ShapeError(f"a mask has shape {mask.shape} and runs from {mask.min():g} to {mask.max():g}; expected {C.shape[1:3]}, "
                         "the size of C, from 0 to 1.")
    return mask


def check_layers(net, content_layer, lam):
    """lam itself, if every name is a layer and every weight a number from 0 up. Raises ShapeError with the nearest name."""
    if not isinstance(lam, dict):
        raise ShapeError(f"lam = {lam!r}; expected {{layer: weight}}.")
    for name in (content_layer, *lam):
        net.known(name)
    if not lam or not all(0 <= weight < math.inf for weight in lam.values()) or sum(lam.values()) == 0:
        raise ShapeError(f"lam = {lam}; expected {{layer: weight}} with weights from 0 up, not all zero.")
    return {name: float(weight) for name, weight in lam.items()}


def check_size(net, until, shape, name):
    """Raises ShapeError when a picture of this shape shrinks to nothing before layer `until`."""
    stride = step_of(net, until)
    if min(shape[1:3]) < stride:
        raise ShapeError(f"layer {until} sits behind poolings of {stride} pixels in all and needs at least {stride}x{stride}; "
                         f"{name} is {shape[1]}x{shape[2]}. Use shallower layers or a larger picture.")


def step_of(net, until):
    """How many pixels of the picture one position of layer `until` stands for: in VGG 2 for each pooling before it, multiplied."""
    return max(row.stride for row in net.summary((1, 1024, 1024, 3), until).rows)


def left_over(net, until, shape):
    """(rows, columns) at the lower and right border that fill no position of layer `until`, so that it pulls less there.

    In a picture of 256x218 pixels relu5_1 of VGG, whose positions stand for 16 pixels each way, has 16x13 of them: (0, 10).
    Where windows overlap, as AlexNet's do, no such sum is to be done, and nothing is left over.
    """
    stride = step_of(net, until)
    halvings = [row for row in net.summary(shape, until).rows if row.kind.endswith("Pool2D")]
    return tuple(n % stride if 2 ** len(halvings) == stride else 0 for n in shape[1:3])


def _pixels(G):
    return G.shape[1] * G.shape[2]
