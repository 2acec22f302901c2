"""What an exercise is: a question with its answer, a few small cases, and the mistakes that people really make, each as code.

A mistake is kept as the function that makes it, not as a number, so that every case has its wrong answer too. Whoever gives that
answer in all cases has made that mistake, whatever the code looks like; a test sees to it that no two mistakes look alike.
"""

import inspect
from dataclasses import dataclass
from typing import Callable

SECTIONS = {                                           # of the lecture; the lessons have the same numbers
    0: "layers and gradients", 1: "one-shot learning", 2: "Siamese network", 3: "face verification", 4: "triplet loss",
    5: "what neural style transfer is", 6: "what deep ConvNets learn", 7: "the cost function", 8: "the content cost", 9: "the style cost",
}


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer.

    did     what was done, to whoever did it:         "you summed before taking the maximum"
    but     what that misses, without the solution:   "the margin must be applied to each triplet"
    answer  the wrong function, with the arguments of the right one; of a cost J alone, or (J, gradients) where those are wrong
    """

    did: str
    but: str
    answer: Callable


@dataclass(frozen=True)
class Exercise:
    """One function for the student to write.

    section   of the lecture                         title     in a few words
    solution  the right function; its name, arguments and docstring are what the stub shows
    cases     {what it is: arguments}, the simplest first, small enough for paper
    mistakes  those that are known by their numbers
    steps     what the stub lists to do              hints     three, each saying more than the one before
    returns   names of what comes back, "dW, db"
    slopes    arguments of a cost, "f_A, f_P, f_N", whose gradients may come back behind J, and are then checked
    """

    section: int
    title: str
    solution: Callable
    cases: dict
    mistakes: tuple
    steps: tuple
    hints: tuple
    returns: str = "J"
    slopes: str = ""

    @property
    def name(self):
        return self.solution.__name__

    @property
    def arguments(self):
        return tuple(inspect.signature(self.solution).parameters)

    @property
    def signature(self):
        return f"{self.name}({', '.join(self.arguments)})"

    @property
    def values(self):
        """The names of what must come back."""
        return tuple(self.returns.split(", "))

    @property
    def gradients(self):
        """The names of what may come back behind that."""
        return tuple(f"d{name}" for name in self.slopes.split(", ")) if self.slopes else ()

    def parts(self, answer):
        """An answer as a list of what it is made of: (J, (df_A, df_P)) and J, df_A, df_P are the same answer."""
        if len(self.values + self.gradients) == 1 or not isinstance(answer, (tuple, list)) or len(answer) == 1:
            return [answer]
        parts = []
        for part in answer:
            parts += part if parts and self.gradients and isinstance(part, (tuple, list)) else [part]
        return parts
