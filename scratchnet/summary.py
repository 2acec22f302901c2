"""What a network is made of, as a table: sizes, parameters, what a unit sees, what it costs.

    receptive field   r += (f - 1) * jump,   jump *= stride,   from r = jump = 1 on: Dumoulin & Visin 2016, sec. 5
"""

import math
import shutil
from dataclasses import dataclass


@dataclass
class Row:
    """One layer for one input shape.   memory is its output's, in bytes of float32; receptive field and stride in pixels of x."""

    layer: str
    kind: str
    shape: tuple
    parameters: int
    receptive_field: int
    stride: int
    multiply_adds: int
    memory: int


def grow_receptive_field(layers, size=1, jump=1):
    """(size, jump) of a unit after these layers, in pixels of what lies before them."""
    for layer in layers.values():
        if hasattr(layer, "receptive_field"):
            size, jump = layer.receptive_field(size, jump)
        elif hasattr(layer, "window"):
            size, jump = size + (max(layer.window) - 1) * jump, jump * layer.stride
    return size, jump


class Summary:
    """The table of a network for one input shape. `.rows` is its data, `.parameters` and `.multiply_adds` its sums."""

    def __init__(self, layers, shape):
        self.shape, self.rows, size, jump = tuple(shape), [], 1, 1
        for name, layer in layers.items():
            size, jump = grow_receptive_field({name: layer}, size, jump)
            if hasattr(layer, "sees_everything"):
                size = max(self.shape[1:-1], default=size)
            multiply_adds = layer.multiply_adds(shape) if hasattr(layer, "multiply_adds") else 0
            shape = layer.output_shape(shape)
            self.rows.append(Row(name, type(layer).__name__, shape, sum(p.size for p in layer.params.values()),
                                 size, jump, multiply_adds, 4 * math.prod(shape)))

    @property
    def parameters(self):
        """How many numbers are learnt, in all."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self):
        """Multiplications (each with its addition) of one forward pass."""
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self):
        head = ("layer", "output", "parameters", "sees", "stride", "mult-adds", "memory")
        cells = [(row.layer, "x".join(map(str, row.shape[1:])), f"{row.parameters:,}" if row.parameters else "",
                  str(row.receptive_field), str(row.stride), _short(row.multiply_adds), _bytes(row.memory)) for row in self.rows]
        columns = [max(map(len, column)) for column in zip(head, *cells)]
        width = shutil.get_terminal_size((100, 24)).columns
        while len(columns) > 2 and sum(columns) + 2 * (len(columns) - 1) > width:
            columns.pop()                              # a narrow terminal loses the last columns, not its layout
        lines = [_line(row, columns)[:width].rstrip() for row in (head, *cells)]
        total = f"{self.parameters:,} parameters, {_short(self.multiply_adds)} multiply-adds for an input of {self.shape}"
        return "\n".join([lines[0], "-" * min(width, len(lines[0])), *lines[1:], total[:width]])


def _line(cells, columns):
    """Names to the left, numbers to the right."""
    return "  ".join(cell.ljust(column) if i < 2 else cell.rjust(column) for i, (cell, column) in enumerate(zip(cells, columns)))


def _short(number):
    """12_345_678 -> '12.3 M'."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return str(number) if number else ""


def _bytes(number):
    return f"{number / 2 ** 20:.1f} MB"
