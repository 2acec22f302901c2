"""The four ways in which scratchnet says no.

Every message has three parts: what was given, what was expected, what to do. Errors of the file system
(a missing file, a full disk) keep Python's own types.
"""


class ShapeError(ValueError):
    """An array, an argument or a layer name that does not fit where it was put."""


class ImageError(ValueError):
    """A file or an array that is not the picture it should be."""


class WeightsError(ValueError):
    """A file of parameters that does not fit the network, or is not safe or whole."""


class NumericsError(ArithmeticError):
    """NaN, infinity or divergence, named where it first appeared."""
