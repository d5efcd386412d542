"""Which images are trained on: those of the float training, without the ones that it kept for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.images import stratified
from stages.network import read_description
from stages.tasks import task_of
from stages.train.data import Data, digest

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.qat.settings import Settings


def read(step: Step, settings: Settings) -> Data:
    """Divide the data set as the float training did, and draw the wanted number of images to train on."""
    task = task_of(settings.model, step)
    kept = set(read_description(step.inputs["model"] / "model.json")["validation_images"])
    everything = task.images.rows("train")
    train = [row for row in everything if row.path not in kept]
    if settings.images:
        train = stratified(train, "qat", settings.seed, count=settings.images)
    validation = tuple(row for row in everything if row.path in kept)
    return Data(task, tuple(train), validation, task.images.rows("test"), digest(step))
