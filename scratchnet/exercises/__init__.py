"""Exercises: write the lecture's functions yourself, and be told what went wrong by its numbers.

    python -m scratchnet exercise list            all of them, and which are done
    python -m scratchnet exercise gram            writes my_gram.py, with the formula and the shapes
    python -m scratchnet exercise check my_gram.py

The files by parts of the lecture (`layers`, `similarity`, `faces`, `seeing`, `painting`, `style`) hold the exercises: each is the package's own function,
with cases for paper, hints, and the mistakes that people make. `checker` compares, `runner` keeps a student's file from doing harm to the check,
`report` finds the words, `stubs` writes the first file, `progress` remembers.
"""

from scratchnet.exercises import faces, style
from scratchnet.exercises.exercise import SECTIONS, Exercise, Mistake

EXERCISES = {exercise.name: exercise for exercise in (*faces.EXERCISES, *style.EXERCISES)}

__all__ = ["EXERCISES", "SECTIONS", "Exercise", "Mistake"]
