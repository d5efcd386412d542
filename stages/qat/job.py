"""A whole quantisation-aware training, put together from its parts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

import numpy as np
import tensorflow as tf

from stages.contract import Step, number
from stages.images import as_floats
from stages.qat import outputs
from stages.qat.fit import Training
from stages.qat.student import Student
from stages.rewrite import rewrite
from stages.train import runtime
from stages.train.checkpoint import Checkpoints, digest_of, fingerprint
from stages.train.outputs import write_history
from stages.train.scores import Scores, score
from stages.train.stream import Stream
from stages.trained import load_trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.qat.settings import Settings
    from stages.train.data import Data
    from stages.train.fit import Trained

OBSERVED = 128  # training images that fix the ranges
SHARE = 0.98  # of them lie within a range, on each side
OBSERVED_AT_ONCE = 16


class Job:
    """What one step trains, on what."""

    def __init__(self, step: Step, settings: Settings, data: Data) -> None:
        self._step, self._settings, self._data = step, settings, data
        self._size = 0

    def run(self) -> None:
        """Train, or take up a training that was ended; test the simulated network; write outputs and record."""
        runtime.configure("cpu", self._step.threads, self._settings.seed)
        teacher, description = load_trained(self._step.inputs["model"])
        self._size = int(description["input_size"])
        plain, rewritten = rewrite(teacher)
        student = Student(plain if rewritten else _copied(plain))
        student.observe(self._observed(), _range)
        training = Training(self._step, self._settings, student, teacher, self._stream("train"))
        trained = training.run(self._stream("validation"), self._checkpoints())
        outputs.write_model(self._step.out, description, trained, rewritten=bool(rewritten))
        write_history(self._step.out, trained)
        scores = score(student.network, self._stream("test"), self._data.images.classes)
        outputs.write_scores(self._step.out, scores)
        self._step.record(self._numbers(trained, scores), self._facts(trained))

    def _stream(self, split: str) -> Stream:
        rows = getattr(self._data, split)
        return Stream(self._data.images, rows, self._size, self._settings.batch, self._step.threads)

    def _observed(self) -> Iterator[NDArray[np.float32]]:
        rows = self._data.train[:OBSERVED]
        for first in range(0, len(rows), OBSERVED_AT_ONCE):
            part = rows[first : first + OBSERVED_AT_ONCE]
            yield as_floats(np.stack([self._data.images.load(row, self._size) for row in part]))

    def _checkpoints(self) -> Checkpoints:
        if self._step.partial is None:
            raise RuntimeError("the engine gave a resumable stage no place for checkpoints")
        parts = {
            "settings": asdict(self._settings),
            "data": self._data.digest,
            "init": digest_of(self._step.inputs["model"] / "weights.h5"),
            "versions": runtime.versions(),
        }
        return Checkpoints(self._step.partial, fingerprint(parts))

    def _numbers(self, trained: Trained, scores: Scores) -> Any:
        """Give what only this stage can measure: the simulated network is in no file that a benchmark could run."""
        loss = trained.schedule.best_loss
        if loss is None:
            raise RuntimeError("a training ended without a validation loss")
        told = scores.as_json()
        accuracy, images = told["balanced_accuracy"], told["images"]
        return [
            number("best_epoch", trained.schedule.best_epoch, "1"),
            number("validation_loss", loss, "1", n=len(self._data.validation)),
            number("simulated_balanced_accuracy", accuracy, "1", n=images, runtime="keras-cpu"),
        ]

    def _facts(self, trained: Trained) -> Dict[str, Any]:
        data = self._data
        return {
            "epochs": trained.schedule.epoch,
            "resumed_at_epoch": trained.resumed_at_epoch,
            "images": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
            **runtime.facts(),
        }


def _range(lows: NDArray[np.float32], highs: NDArray[np.float32]) -> Tuple[float, float]:
    return float(np.quantile(lows, 1 - SHARE)), float(np.quantile(highs, SHARE))


def _copied(model: Any) -> Any:
    copy = tf.keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
