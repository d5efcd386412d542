"""A whole training, put together from its parts: streams, model, checkpoints, the epochs, and what it leaves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Dict, List

from stages.contract import InputError, Step, number
from stages.models import load_models
from stages.network import build_from
from stages.train import outputs, runtime
from stages.train.checkpoint import Checkpoints, digest_of, fingerprint
from stages.train.fit import Trained, Training
from stages.train.loggers import Loggers
from stages.train.scores import answers
from stages.train.stream import Stream
from stages.weights import start_from

if TYPE_CHECKING:
    from stages.train.data import Data
    from stages.train.settings import Settings

INIT = "the weights given with --init"


class Job:
    """What one step trains, on what."""

    def __init__(self, step: Step, settings: Settings, data: Data) -> None:
        self._step, self._settings, self._data = step, settings, data

    def run(self) -> None:
        """Train, or take up a training that was ended; test the best epoch; write outputs and record."""
        runtime.configure(self._settings.device, self._step.threads, self._settings.seed)
        training = self._training()
        trained = training.run() if self._settings.epochs else training.untrained()
        outputs.write_model(self._step.out, self._settings, self._data, trained)
        outputs.write_history(self._step.out, trained, self._data.task.watched)
        self._test(trained)
        self._step.record(self._numbers(trained), {**self._facts(trained), **runtime.facts()})

    def _training(self) -> Training:
        return Training(
            step=self._step,
            settings=self._settings,
            task=self._data.task,
            train=self._stream("train"),
            validation=self._stream("validation"),
            checkpoints=self._checkpoints(),
            loggers=Loggers(self._step, self._settings),
            make_model=self._make_model,
        )

    def _stream(self, split: str) -> Stream:
        rows = getattr(self._data, split)
        return Stream(self._data.task, rows, self._settings.input_size, self._settings.batch, self._step.threads)

    def _make_model(self) -> Any:
        model = build_from(outputs.describe(self._settings, self._data.task.classes))
        if "init" in self._step.inputs and not start_from(model, self._step.inputs["init"], INIT):
            self._tell_of_the_head(model)
        return model

    def _tell_of_the_head(self, model: Any) -> None:
        """Say that the last layer has learnt nothing, which makes no sense where nothing is trained."""
        what = "%s have no last layer for %d classes" % (INIT, len(self._data.task.classes))
        if not self._settings.epochs:
            raise InputError(what, "train it: set train.epochs to 1 or more, or give weights of the same classes")
        self._step.warning("%s: '%s' starts untrained" % (what, model.layers[-1].name))

    def _checkpoints(self) -> Checkpoints:
        if self._step.partial is None:
            raise RuntimeError("the engine gave a resumable stage no place for checkpoints")
        init = self._step.inputs.get("init")
        parts = {
            "settings": asdict(self._settings),
            "data": self._data.digest,
            "init": digest_of(init) if init else None,
            "versions": runtime.versions(),
        }
        return Checkpoints(self._step.partial, fingerprint(parts))

    def _test(self, trained: Trained) -> None:
        task, rows, size = self._data.task, self._data.test, self._settings.input_size
        said = answers(trained.model, self._stream("test"))
        training = {
            "best_epoch": trained.schedule.best_epoch,
            "epochs": trained.schedule.epoch,
            "stopped_early": trained.schedule.stopped_early(self._settings),
            "validation_loss": trained.schedule.best_loss,
        }
        network = load_models()[self._settings.model].title
        title = "%s, float32, %d test images" % (network, len(rows))
        outputs.write_test(self._step.out, task.test(rows, said, size), title, training)
        task.write_predictions(self._step.out, rows, said, size)

    def _numbers(self, trained: Trained) -> List[Dict[str, Any]]:
        """Give what only this stage can measure; scores are benchmark's, with every runtime alike."""
        best_epoch, loss = number("best_epoch", trained.schedule.best_epoch, "1"), trained.schedule.best_loss
        if loss is None:  # without epochs there is none
            return [best_epoch]
        return [best_epoch, number("validation_loss", loss, "1", n=len(self._data.validation))]

    def _facts(self, trained: Trained) -> Dict[str, Any]:
        data = self._data
        return {
            "weights": int(trained.model.count_params()),
            "epochs": trained.schedule.epoch,
            "resumed_at_epoch": trained.resumed_at_epoch,
            "images": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        }
