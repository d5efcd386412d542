"""qat-int8-paper's way: TFMOT's own simulation, trained as Keras would train any network; kept to be compared with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from stages.qat.lessons.classification import LESSON
from stages.qat.stock import DESCRIBED, simulated
from stages.train.runtime import reseed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.qat.lessons import Lesson


class Labelled:
    """Learns classes, from labels alone, with BatchNorm over the batch and with Dropout; it is kept with its ranges."""

    learning = True
    watched = LESSON.watched
    described = DESCRIBED

    def __init__(self, step: Step, teacher: Any, observed: NDArray[np.uint8], lesson: Lesson = LESSON) -> None:
        del step, observed, lesson  # its ranges are averages over the batches that it learns from
        self.network = self.kept = simulated(teacher)

    def take(self) -> None:
        """Nothing to copy: what is kept is what is trained."""

    def give(self) -> None:
        """Nothing to copy."""

    def begin(self, seed: int, epoch: int) -> None:
        """Give an epoch its own randomness, whatever ran before it."""
        inner = [getattr(layer, "layer", layer) for layer in self.network.layers]
        reseed(SimpleNamespace(layers=inner), seed, epoch)

    def losses(self, pixels: Any, outputs: Any, labels: Any) -> Any:
        """Keras' cross-entropy."""
        del pixels
        return tf.keras.losses.sparse_categorical_crossentropy(labels, outputs)

    def right(self, outputs: Any, labels: Any) -> Any:
        """Give 1 for an image whose class is named, or else 0."""
        return LESSON.right(outputs, labels)


WAY = Labelled
