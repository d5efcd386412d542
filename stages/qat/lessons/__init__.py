"""What a student learns from its teacher, and how a lesson went: one module for each task, named as in `stages/tasks`.

A student is a network that simulates a file, its teacher the float network. It learns the teacher's answers and, with
less weight, the truth. Values of a loss are in nats of the task's own answers and mean nothing beyond their order.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from stages.models import load_models

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUTH = 0.3  # weight of what the truth says beside the teacher's answer
LEAST = 1e-7  # keeps logarithms finite


@dataclass(frozen=True)
class Lesson:
    """Functions of a batch of answers, [image, ...], that give one value for each image, or one for all.

    `divergences` (NumPy) is how far answers are from the teacher's, nats: the teacher's first. `losses` (TensorFlow) is
    what is learnt by: the teacher's answers, the student's, the truth. `right` (TensorFlow) is the score that is shown,
    from 0 to 1, of answers and truth; `watched` is its name.
    """

    watched: str
    divergences: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
    losses: Callable[[Any, Any, Any], Any]
    right: Callable[[Any, Any], Any]


def find_lesson(model: str) -> Lesson:
    """Find the lesson of a model's task."""
    lesson: Lesson = importlib.import_module("stages.qat.lessons.%s" % load_models()[model].task).LESSON
    return lesson
