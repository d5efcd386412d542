"""A whole quantisation-aware training, put together from its parts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np

from stages.contract import Step, number
from stages.images import stratified
from stages.qat import outputs, processor
from stages.qat.fit import Training
from stages.qat.lessons import find_lesson
from stages.qat.ways import find_way
from stages.train import runtime
from stages.train.checkpoint import Checkpoints, digest_of, fingerprint
from stages.train.outputs import write_history
from stages.train.scores import answers
from stages.train.stream import Stream
from stages.trained import load_trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.qat.settings import Settings
    from stages.tasks import Evaluation
    from stages.train.data import Data
    from stages.train.fit import Trained

OBSERVED = 128  # training images that may fix ranges


class Job:
    """What one step trains, on what."""

    def __init__(self, step: Step, settings: Settings, data: Data) -> None:
        self._step, self._settings, self._data = step, settings, data
        self._size = 0

    def run(self) -> None:
        """Train, or take up a training that was ended; test the simulated network; write outputs and record."""
        processor.configure(self._step, self._settings)
        teacher, description = load_trained(self._step.inputs["model"])
        self._size = int(description["input_size"])
        way = find_way(self._settings.recipe)(self._step, teacher, self._observed(), find_lesson(self._settings.model))
        training = Training(self._step, self._settings, way, self._stream("train"))
        trained = training.run(self._stream("validation"), self._checkpoints(way.described))
        outputs.write_model(self._step.out, {**description, **way.described}, trained)
        write_history(self._step.out, trained, way.watched)
        accuracy = self._test(way.network)
        self._step.record(self._numbers(trained, accuracy), self._facts(trained))

    def _test(self, network: Any) -> Evaluation:
        """Run the test split through the simulated network, as the benchmark does with a file."""
        said = answers(network, self._stream("test"))
        accuracy = self._data.task.evaluate(self._data.test, said, self._size)
        self._data.task.write_predictions(self._step.out, self._data.test, said, self._size)
        outputs.write_test(self._step.out, accuracy)
        return accuracy

    def _stream(self, split: str) -> Stream:
        rows = getattr(self._data, split)
        return Stream(self._data.task, rows, self._size, self._settings.batch, self._step.threads)

    def _observed(self) -> NDArray[np.uint8]:
        rows = stratified(self._data.train, "ranges", self._settings.seed, count=OBSERVED)
        return np.stack([self._data.images.load(row, self._size) for row in rows])

    def _checkpoints(self, described: Dict[str, Any]) -> Checkpoints:
        if self._step.partial is None:
            raise RuntimeError("the engine gave a resumable stage no place for checkpoints")
        parts = {
            "settings": asdict(self._settings),
            "data": self._data.digest,
            "init": [
                digest_of(self._step.inputs[name] / "weights.h5")
                for name in ("model", "start")
                if name in self._step.inputs
            ],
            "simulated": described,
            "versions": runtime.versions(),
        }
        return Checkpoints(self._step.partial, fingerprint(parts))

    def _numbers(self, trained: Trained, accuracy: Evaluation) -> List[Dict[str, Any]]:
        """Give what only this stage can measure: the simulated network is in no file that a benchmark could run."""
        loss = trained.schedule.best_loss
        if loss is None:
            raise RuntimeError("a training ended without a validation loss")
        where = "keras-%s" % self._settings.device
        return [
            number("best_epoch", trained.schedule.best_epoch, "1"),
            number("validation_loss", loss, "1", n=len(self._data.validation)),
            *({**one, "metric": "simulated_%s" % one["metric"], "runtime": where} for one in accuracy.numbers()),
        ]

    def _facts(self, trained: Trained) -> Dict[str, Any]:
        data = self._data
        return {
            "epochs": trained.schedule.epoch,
            "resumed_at_epoch": trained.resumed_at_epoch,
            "images": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
            **runtime.facts(),
        }
