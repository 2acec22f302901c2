"""Ways down a slope: gradient descent, momentum, Adam, L-BFGS.

An optimiser steps a function, not a gradient, because L-BFGS asks for more values than one; every one is used alike:

    x, J = opt.step(f, x)          f(x) -> (J, gradient)

x is an array, or a flat dict of arrays. A new x comes back, the old one is left as it was, and J is the cost of the old one.
opt.state() and opt.load_state() are flat dicts of arrays: a run that is saved and resumed goes on as if never stopped.
L-BFGS has a file of its own, lbfgs.py. Source: course 1, week 2; course 2, week 2. Kingma & Ba 2015.
"""

import numpy as np

from scratchnet.errors import NumericsError, ShapeError
from scratchnet.lbfgs import LBFGS


class _Optimizer:
    """What all share: arrays or dicts of them, and memories that begin at zero."""

    memories = ()

    def __init__(self, learning_rate):
        if not learning_rate > 0:
            raise ShapeError(f"learning_rate = {learning_rate}; expected a number above 0.")
        self.learning_rate, self.t, self.memory = float(learning_rate), 0, {}      # of Python: NumPy's would turn float32 into float64

    def step(self, f, x):
        """One step down f from x. Returns the new x and J = f(x), the cost of the old one.

        Raises NumericsError, with x and the memories as they were, when J or the gradient is not finite.
        """
        J, gradient = f(x)
        named = isinstance(x, dict)
        xs, gs = (x, gradient) if named else ({"x": x}, {"x": gradient})
        if not np.isfinite(J) or not all(np.isfinite(g).all() for g in gs.values()):
            raise NumericsError(f"J = {J} or its gradient is not finite at step {self.t}: lower learning_rate (now {self.learning_rate}).")
        self.t += 1
        new = {}
        for name, value in xs.items():
            for memory in self.memories:
                self.memory.setdefault(f"{memory}.{name}", np.zeros_like(value))
            new[name] = value - self._move(name, gs[name])
        return (new if named else new["x"]), J

    def state(self):
        """Everything a resumed run needs, as arrays."""
        return {"t": np.array(self.t), **self.memory}

    def load_state(self, state):
        """The reverse of state()."""
        self.t = int(state["t"])
        self.memory = {name: np.array(array) for name, array in state.items() if name != "t"}


class GradientDescent(_Optimizer):
    """x := x - learning_rate dJ/dx"""

    def __init__(self, learning_rate=0.01):
        super().__init__(learning_rate)

    def _move(self, name, g):
        return self.learning_rate * g


class Momentum(_Optimizer):
    """v := beta v + (1 - beta) dJ/dx;   x := x - learning_rate v.   The lecture's form, an average of past gradients."""

    memories = ("v",)

    def __init__(self, learning_rate=0.01, beta=0.9):
        super().__init__(learning_rate)
        self.beta = beta

    def _move(self, name, g):
        v = self.memory[f"v.{name}"] = self.beta * self.memory[f"v.{name}"] + (1 - self.beta) * g
        return self.learning_rate * v


class Adam(_Optimizer):
    """v := beta1 v + (1 - beta1) g,  s := beta2 s + (1 - beta2) g^2;   x := x - learning_rate v^ / (sqrt(s^) + epsilon)

    v^ = v / (1 - beta1^t) and s^ = s / (1 - beta2^t) take away the bias of beginning at zero. Kingma & Ba 2015, algorithm 1.
    """

    memories = ("v", "s")

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        super().__init__(learning_rate)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _move(self, name, g):
        v = self.memory[f"v.{name}"] = self.beta1 * self.memory[f"v.{name}"] + (1 - self.beta1) * g
        s = self.memory[f"s.{name}"] = self.beta2 * self.memory[f"s.{name}"] + (1 - self.beta2) * g ** 2
        v_hat, s_hat = v / (1 - self.beta1 ** self.t), s / (1 - self.beta2 ** self.t)
        return self.learning_rate * v_hat / (np.sqrt(s_hat) + self.epsilon)


OPTIMIZERS = {"gd": GradientDescent, "momentum": Momentum, "adam": Adam, "lbfgs": LBFGS}
