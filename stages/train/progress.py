"""A training's progress as events, a few a second at most."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Dict, Mapping

import tensorflow as tf

from stages.contract import InputError, Step

if TYPE_CHECKING:
    from stages.train.settings import Limits

INTERVAL_S = 0.3
SHORT = {"val_accuracy": "val_acc"}


class Progress(tf.keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Tells the host of every batch, but not too often, and stops a training whose loss is not finite."""

    def __init__(self, step: Step, settings: Limits, steps: int) -> None:
        super().__init__()
        self._step, self._settings, self._steps = step, settings, steps
        self._epoch = 0
        self._validated = ""
        self._told_at = -math.inf

    def begin(self, epoch: int) -> None:
        """Name the epoch, from 1, that comes now."""
        self._epoch = epoch

    def validated(self, entry: Mapping[str, float]) -> None:
        """Take what an epoch's validation gave; shown from now on."""
        self._validated = "".join(
            " %s %.*f" % (SHORT.get(name, name), 4 if name == "val_loss" else 3, value)
            for name, value in entry.items()
            if name.startswith("val_")
        )
        self._tell(self._epoch * self._steps, entry["loss"])

    def on_train_batch_end(self, batch: int, logs: Dict[str, Any]) -> None:
        """Keras calls this after each batch, with the means so far."""
        check_finite(logs["loss"], self._epoch, self._settings)
        if time.monotonic() - self._told_at >= INTERVAL_S:
            self._tell((self._epoch - 1) * self._steps + batch + 1, logs["loss"])

    def _tell(self, done: int, loss: float) -> None:
        epochs = self._settings.epochs
        message = "epoch %d/%d loss %.4f%s" % (self._epoch, epochs, loss, self._validated)
        self._step.progress(done, epochs * self._steps, "batch", message)
        self._told_at = time.monotonic()


def check_finite(loss: float, epoch: int, settings: Limits) -> None:
    """Demand a loss that is a number.

    Raises:
        InputError: it is not; the training has diverged.
    """
    if not math.isfinite(loss):
        raise InputError(
            "the loss of %s is not finite in epoch %d: the training has diverged" % (settings.model, epoch),
            "lower %s.learning_rate (now %g)" % (settings.stage, settings.learning_rate),
        )
