"""A network as a table, before any of its numbers exist: names, kinds and sizes are wanted long before the arrays.

Files are recognised and limited by this table, and its dense layers can be left out.
"""

import math
from dataclasses import dataclass

from scratchnet.layers import Conv2D, Dense
from scratchnet.network import Network
from scratchnet.normalisation import Preprocess

WITH_PARAMETERS = (Conv2D, Dense)


@dataclass(frozen=True)
class Family:
    """The table of one network.

    layers      {"conv1_1": (Conv2D, (3, 64)), "relu1_1": (ReLU, ()), ...}: kind and arguments; "flatten" begins the dense end
    flattened   (n_H, n_W, n_C) of what arrives at "flatten"
    preprocess  the fields of the input layer
    """

    name: str
    layers: dict
    flattened: tuple
    preprocess: dict

    def names(self, dense=True):
        """The layers' names, in order, those from "flatten" on only when dense."""
        names = list(self.layers)
        return names if dense else names[:names.index("flatten")]

    def filters(self, dense=True):
        """(f_H, f_W, n_C_prev, n_C) of each layer with parameters. A dense layer is a filter as large as what it sees."""
        filters, sees = {}, self.flattened
        for name in self.names(dense):
            kind, arguments = self.layers[name]
            if kind is Conv2D:
                n_C_prev, n_C, f = (*arguments, 3)[:3]
                filters[name] = (f, f, n_C_prev, n_C)
            elif kind is Dense:
                filters[name] = (*sees, arguments[1])
                sees = (1, 1, arguments[1])
        return filters

    def shapes(self, dense=True):
        """{"conv1_1.W": shape, "conv1_1.b": shape, ...}, as Network.params will have them."""
        shapes = {}
        for name, filter in self.filters(dense).items():
            shapes[f"{name}.W"] = filter if self.layers[name][0] is Conv2D else (math.prod(filter[:3]), filter[3])
            shapes[f"{name}.b"] = filter[3:]
        return shapes

    def network(self, dense, rng):
        """The network itself, its parameters drawn by `rng` (He), or layers.UNFILLED."""
        layers = {"input": Preprocess(**self.preprocess)}
        for name in self.names(dense):
            kind, arguments = self.layers[name]
            layers[name] = kind(*arguments, **{"rng": rng} if kind in WITH_PARAMETERS else {})
        return Network(layers)
