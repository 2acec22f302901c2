"""Networks as tables of layers, and the names that files of weights use for them."""

from scratchnet.models.random_filters import random_filters
from scratchnet.models.vgg import vgg16, vgg19

MODELS = {"vgg19": vgg19, "vgg16": vgg16}             # those that a file of weights can fill

__all__ = ["MODELS", "random_filters", "vgg16", "vgg19"]
