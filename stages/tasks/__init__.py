"""What networks learn: one module for each task, found by the name that a model declares.

A module has `open_task(step)`, which reads the step's data set and answers every question whose answer depends on the
task: what the truth of an image is, what a network loses by a wrong answer, what its answers are worth. The stages ask
and do not know which tasks there are. Nothing here needs TensorFlow, but for what only the train stage asks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Dict, List, Protocol, Sequence, Tuple

from stages.models import load_models

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.images import ImageSet, Row
    from stages.tasks.score import Score


class Evaluation(Protocol):
    """What answers for the test split are worth, with 95 % intervals over images."""

    def numbers(self) -> List[Dict[str, Any]]:
        """Give the numbers of the record."""

    def document(self) -> Dict[str, Any]:
        """Describe for `accuracy.json`."""


class Test(Protocol):
    """What the train stage tells of the test split: counts by true and named class, and scores without intervals."""

    @property
    def classes(self) -> Tuple[str, ...]:
        """Name what the counts tell apart."""

    @property
    def confusion(self) -> NDArray[Any]:
        """Count, with a row for each true class and a column for each named one."""

    def as_json(self) -> Dict[str, Any]:
        """Give all scores as plain values."""

    def report(self) -> str:
        """Write them as text."""


class Task(Protocol):
    """A task on one data set. `outputs` are always a network's answers, [image, ...], float32 from 0 to 1.

    `classes` names what a network tells apart; `watched` is the score that a training shows beside its loss, and the
    name of its columns in the history.
    """

    images: ImageSet
    classes: Tuple[str, ...]
    watched: str

    def truth(self, row: Row, size: int) -> NDArray[Any]:
        """Give what a network of this input size should say of an image: the same shape and type for every one."""

    def truth_like(self, size: int) -> Tuple[Tuple[int, ...], str]:
        """Give shape and type of one truth."""

    def loss(self) -> Any:
        """Give the loss of a training, as Keras takes it."""

    def measure(self) -> Any:
        """Give the score that is watched, as Keras takes it."""

    def test(self, rows: Sequence[Row], outputs: NDArray[Any], size: int) -> Test:
        """Compare answers with the truth, for the train stage."""

    def compare(self, sure: NDArray[Any], said: NDArray[Any], truths: NDArray[Any]) -> Score:
        """Compare the answers of a file with those of the float network and with the truth."""

    def evaluate(self, rows: Sequence[Row], outputs: NDArray[Any], size: int) -> Evaluation:
        """Compare answers with the truth, with intervals."""

    def write_predictions(self, out: Path, rows: Sequence[Row], outputs: NDArray[Any], size: int) -> None:
        """Write `predictions.csv`, one line for each image, and what else the report shows of single answers."""


def task_of(model: str, step: Step) -> Task:
    """Open the task of a model on the step's data set.

    Raises:
        InputError: the data set is damaged, or has no truth for the task.
    """
    module = importlib.import_module("stages.tasks.%s" % load_models()[model].task)
    task: Task = module.open_task(step)
    return task
