"""Which images train, validate and test: decided by paths and seed, never by what a network makes of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Tuple

from stages.contract import InputError, Step
from stages.images import Row, quoted, stratified
from stages.tasks import task_of

if TYPE_CHECKING:
    from stages.images import ImageSet
    from stages.tasks import Task
    from stages.train.settings import Settings


@dataclass(frozen=True)
class Data:
    """The data set of a task, divided; `digest` stands for its content."""

    task: Task
    train: Tuple[Row, ...]
    validation: Tuple[Row, ...]
    test: Tuple[Row, ...]
    digest: str

    @classmethod
    def read(cls, step: Step, settings: Settings) -> Data:
        """Keep a seeded, stratified share of the training split for validation.

        Raises:
            InputError: the data set is damaged, or a class has too few images to divide.
        """
        task = task_of(settings.model, step)
        images = task.images
        everything = images.rows("train")
        kept = set(stratified(everything, "validation", settings.seed, share=settings.validation_share))
        train = tuple(row for row in everything if row not in kept)
        _check_every_class_trains(images, train)
        validation = tuple(row for row in everything if row in kept)
        return cls(task, train, validation, images.rows("test"), digest(step))

    @property
    def images(self) -> ImageSet:
        """The images, whatever is learnt of them."""
        return self.task.images


def _check_every_class_trains(images: ImageSet, train: Tuple[Row, ...]) -> None:
    left = {row.label for row in train}
    empty = [name for label, name in enumerate(images.classes) if label not in left]
    if empty:
        raise InputError(
            "no image of %s is left to train on after some were kept for validation" % quoted(empty),
            "add training images of every class, or lower train.validation_share",
        )


def digest(step: Step) -> str:
    """Both files together name every image with its SHA-256."""
    folder = step.inputs["dataset"]
    files = [folder / "dataset.json", folder / "images.csv"]
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()
