"""The well-known versions of style transfer, side by side as data: what each feeds in, minimises, begins with and steps by.

    preset = PRESETS["gatys"].fitted(C.shape)                               the numbers for a picture of this size
    net    = preset.prepared(models.vgg19(weights, preset.pool))
    steps  = style.transfer(net, C, S, steps=preset.steps, start=preset.start, mix=preset.mix, noise=preset.noise, clip=preset.clip,
                            optimizer=OPTIMIZERS[preset.optimizer](**preset.rates), **preset.settings())

Pictures are in [0, 1] here; where a program has pixels y of 0 to 255, its numbers become ours by y = 255 x:
    a learning rate of Adam     its steps are in pixels: divided by 255                     course-1: 2 / 255
    Adam's epsilon              stands beside the gradient, dJ/dx = 255 dJ/dy: times 255    course-1: 255 * 1e-8
    a weight of sum (dy)^2      times 255^2; neural-style's white is 256: times 256^2
    noise                       divided by 255 (256), around the mean colour where the program subtracts it: starts.NOISE
L-BFGS measures its own steps and has nothing to convert.
total variation: neural-style adds, to dJ/dy, 1e-3 times the gradient of 1/2 sum (y_next - y)^2; its printed loss leaves that sum out, and
its differences leave out those along the last row and the last column. Ours is counted in J, along all rows and columns, per pixel:
    tv J_tv = tv sum (x_next - x)^2 / (n_H n_W)    so    tv = 1e-3 * 1/2 * 256^2 * n_H n_W = 32.768 n_H n_W

Constants, layers and weights are checked against PyTorch, written as each program writes them: tests/reference/make_presets_reference.py.
Sources: course 4, week 4; the programs and papers named in the table.
"""

import dataclasses
from dataclasses import dataclass, field

from scratchnet.errors import ShapeError
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CHANNELS = (64, 128, 256, 512, 512)                   # of these layers in VGG-19

INPUTS = {                                            # the input layer, given the one that the weights were trained with
    "own": lambda own: own,
    "256": lambda own: dataclasses.replace(own, scale=own.scale * 256 / 255),
    "raw": lambda own: Preprocess(order=own.order[::-1]),
}


@dataclass(frozen=True)
class Preset:
    """One version. Its numbers hold for a picture of size x size pixels and for VGG-19; fitted() has them for others.

    source         where the numbers come from
    input          "own": pictures are prepared as the weights want it;  "256": so, but white is 256, not 255;
                   "raw": not at all, RGB in [0, 1] into weights that want BGR, 0 to 255 (or the reverse, if they want RGB)
    pool           "max" or "avg": said when the network is made
    content_layer, lam, alpha, beta, normalise, tv     J, as total_cost.TotalCost has it
    start, mix, noise                                  G before the first step: starts.starting_picture
    optimizer, rates                                   a name of optimizers.OPTIMIZERS, and its arguments, for pixels in [0, 1]
    clip           whether pixels are brought back into [0, 1] after each step; else only when the picture is saved
    steps          as published; of L-BFGS evaluations of J, of which a line search may take more than one a step
    size           pixels of the longer side
    grows          {name: p}: this number grows with (n_H n_W / size^2)^p
    differs        what else was otherwise in the published version
    """

    source: str
    content_layer: str = "relu4_2"
    lam: dict = field(default_factory=lambda: dict.fromkeys(FIVE, 0.2))
    alpha: float = 1.0
    beta: float = 1.0
    normalise: str = "lecture"
    tv: float = 0.0
    input: str = "own"
    pool: str = "max"
    start: str = "content"
    mix: float = 0.6
    noise: str = "white"
    optimizer: str = "lbfgs"
    rates: dict = field(default_factory=dict)
    clip: bool = False
    steps: int = 500
    size: int = 512
    grows: dict = field(default_factory=dict)
    differs: str = ""

    @property
    def words(self):
        """The source, and what is otherwise in it."""
        return self.source + (f". Published otherwise: {self.differs}" if self.differs else "") + "."

    def fitted(self, shape, units=None):
        """The preset with its numbers for a picture of shape (1, n_H, n_W, 3), and for another network.

        units  None: the network is VGG-19. {layer: u} for one whose activations are VGG-19's divided by u, as models.small_vgg.UNITS:
               its J_content^[l] is u^2 times too small and J_style^[l] u^4 times, which alpha and lambda make good
        Raises ShapeError for a layer that the other network does not imitate.
        """
        share = shape[1] * shape[2] / self.size ** 2
        growth = {name: share ** power for name, power in self.grows.items()}
        numbers = {name: getattr(self, name) * growth.get(name, 1.0) for name in ("alpha", "tv")}
        rates = {name: value * growth.get(name, 1.0) for name, value in self.rates.items()}
        lam = dict(self.lam)
        if units is not None:
            missing = [l for l in dict.fromkeys((self.content_layer, *lam)) if l not in units]
            if missing:
                raise ShapeError(f"the preset wants {', '.join(missing)}, which this network does not imitate: it has {', '.join(units)}. "
                                 "Take VGG-19 itself, --weights vgg19.")
            numbers["alpha"] *= units[self.content_layer] ** 2
            lam = {l: weight * units[l] ** 4 for l, weight in lam.items()}
        return dataclasses.replace(self, lam=lam, rates=rates, **numbers)

    def settings(self):
        """What TotalCost and transfer take: content_layer, lam, alpha, beta, normalise, tv."""
        return {name: getattr(self, name) for name in ("content_layer", "lam", "alpha", "beta", "normalise", "tv")}

    def options(self):
        """What the command line takes, {"alpha": 10.0, "style_layers": {...}, ...}, where the user said nothing."""
        settings = self.settings()
        settings["style_layers"] = settings.pop("lam")
        more = {name: getattr(self, name) for name in ("pool", "start", "mix", "noise", "optimizer", "steps", "size")}
        return {**settings, **more, **{name: value for name, value in self.rates.items() if name == "learning_rate"}}

    def prepared(self, net):
        """The network with the preset's input layer, around the same parameters.

        net  whose first layer is the Preprocess of its weights: Caffe's, torchvision's, ...       Raises ShapeError for another.
        """
        first = net.names[0]
        if not isinstance(net.layers[first], Preprocess):
            raise ShapeError(f"the first layer is {net.layers[first]!r}; expected a Preprocess, which says how the weights want pictures.")
        return Network({**net.layers, first: INPUTS[self.input](net.layers[first])}, net.frozen, net.name)


PRESETS = {
    "lecture": Preset(
        source="course 4, week 4: its formulas, white noise of 100x100 pixels and G := G - learning_rate dJ/dG; it gives no numbers. "
               "lambda, alpha, learning_rate and steps are ours, found by looking",
        lam=dict(zip(FIVE, (30, 3e-3, 3e-4, 3e-6, 1e-2))), alpha=1.5e-5, beta=1.0, normalise="lecture",
        start="noise", noise="white", optimizer="gd", rates={"learning_rate": 5e-6}, clip=True, steps=1000, size=100,
        grows={"alpha": -1, "learning_rate": 1}),     # J_content sums over places, J_style is free of their number, dJ_style/dG is not
    "course-1": Preset(
        source="course 4, week 4, assignment, first edition (TensorFlow 1, weights of MatConvNet)",
        alpha=10.0, beta=40.0, normalise="assignment", pool="avg", start="mix", mix=0.6, noise="course-1",
        optimizer="adam", rates={"learning_rate": 2 / 255, "epsilon": 255 * 1e-8}, steps=200, size=400,
        differs="pictures of 300x400 only; at odd sizes its poolings keep the last row and column, ours drop them"),
    "course-2": Preset(
        source="course 4, week 4, assignment, present edition (TensorFlow 2, weights of Keras)",
        content_layer="relu5_4", alpha=10.0, beta=40.0, normalise="assignment", input="raw", start="noise", noise="course-2",
        optimizer="adam", rates={"learning_rate": 0.01, "epsilon": 1e-7}, clip=True, steps=2501, size=400,
        differs="C and S are squeezed to 400x400; the picture it shows is of about 20000 steps at learning_rate 0.001"),
    "gatys": Preset(
        source="Gatys, Ecker & Bethge 2016 for layers, average pooling and white noise; "
               "leongatys/PytorchNeuralStyleTransfer for constants, weights, optimiser and steps",
        lam={l: 1000 / n_C ** 2 for l, n_C in zip(FIVE, CHANNELS)}, normalise="positions", pool="avg", start="noise", noise="gatys",
        steps=500,
        differs="the paper's alpha/beta, 1e-3 and others, are for the constants of \"lecture\", lambda = 1/5 and a VGG-19 rescaled to "
                "mean activation 1, and do not carry over; the code starts from C with max pooling, 512 being its shorter side, and "
                "goes on for 200 steps at 800; no line search"),
    "neural-style": Preset(
        source="jcjohnson/neural-style, neural_style.lua",
        lam=dict.fromkeys(FIVE, 1.0), alpha=5.0, beta=100.0, normalise="mean", tv=1e-3 / 2 * 256 ** 2 * 512 ** 2, input="256",
        start="noise", noise="neural-style", steps=1000, grows={"tv": 1},
        differs="its printed loss leaves total variation out, whose differences skip the last row and column; at odd sizes its "
                "poolings keep the last row and column, ours drop them; no line search"),
    "pytorch-tutorial": Preset(
        source="pytorch/tutorials, neural_style_tutorial.py: the first five convolutions, before their ReLU, and the fourth of them",
        content_layer="conv2_2", lam=dict.fromkeys(("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"), 1.0), alpha=1.0, beta=1e6,
        normalise="mean", start="content", steps=300, size=128,
        differs="weights of torchvision, whose own preparation it is; both pictures of one size, 512 on a GPU; pixels are clipped inside "
                "the function that L-BFGS asks, ours when the picture is saved; no line search"),
}
