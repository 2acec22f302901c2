"""Networks as tables of layers, and the names that files of weights use for them."""

from scratchnet.models.vgg import vgg16, vgg19

MODELS = {"vgg19": vgg19, "vgg16": vgg16}

__all__ = ["MODELS", "vgg16", "vgg19"]
