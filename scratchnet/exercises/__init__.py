"""Exercises: write the lecture's functions yourself, and be told what went wrong by its numbers.

    python -m scratchnet exercise list            all of them, and which are done
    python -m scratchnet exercise gram            writes my_gram.py, with the formula and the shapes
    python -m scratchnet exercise check my_gram.py

The exercises stand in files by parts of the lecture (`layers`, `similarity`, `faces`, `triplets`, `seeing`, `painting`, `style`). Each
is a function of this package, with cases for paper, hints, and the mistakes that people make. `checker` compares, `runner` keeps a
student's file in a process of its own, `report` finds the words, `stubs` writes the first file, `progress` remembers.
"""

from scratchnet.exercises import faces, layers, painting, seeing, similarity, style, triplets
from scratchnet.exercises.exercise import SECTIONS, Exercise, Mistake

PARTS = layers, similarity, faces, triplets, painting, seeing, style
EXERCISES = {exercise.name: exercise for exercise in sorted((exercise for part in PARTS for exercise in part.EXERCISES),
                                                            key=lambda exercise: exercise.section)}

__all__ = ["EXERCISES", "SECTIONS", "Exercise", "Mistake"]
