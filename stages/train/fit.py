"""The epochs of a training: each trained, validated and kept, from wherever the last run of this step was ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

import tensorflow as tf

from stages.train.checkpoint import Checkpoints, ForeignError, History, State
from stages.train.progress import Progress, check_finite
from stages.train.runtime import reseed
from stages.train.schedule import Schedule

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.tasks import Task
    from stages.train.loggers import Loggers
    from stages.train.settings import Settings
    from stages.train.stream import Stream


@dataclass
class Trained:
    """The model with the weights of its best epoch, and how it got there."""

    model: Any
    schedule: Schedule
    history: History
    resumed_at_epoch: Optional[int]


@dataclass
class Training:
    """One training: what it trains on, what it keeps, whom it tells. `make_model` gives the model at its start."""

    step: Step
    settings: Settings
    task: Task
    train: Stream
    validation: Stream
    checkpoints: Checkpoints
    loggers: Loggers
    make_model: Callable[[], Any]

    def run(self) -> Trained:
        """Train to the end; on return the model holds the best weights by validation loss."""
        model, state = self._start()
        resumed_at = state.schedule.epoch or None
        self.loggers.replay(state.history)
        progress = Progress(self.step, self.settings, self.train.steps)
        while not state.schedule.is_over(self.settings):
            entry = self._epoch(model, state.schedule, progress)
            state.history.append(entry)
            state.schedule.update(entry["val_loss"], self.settings)
            self.checkpoints.save(model, state)
            self.loggers.epoch(entry)
        self.loggers.close()
        self.checkpoints.load_best(model, state.schedule)
        return Trained(model, state.schedule, state.history, resumed_at)

    def untrained(self) -> Trained:
        """Give the model as it starts. Nothing is validated: that chooses an epoch, and of ImageNet takes hours."""
        model = self._compiled()
        self.loggers.close()
        return Trained(model, Schedule(self.settings.learning_rate), [], None)

    def _start(self) -> Any:
        """Take up the last checkpoint, or begin."""
        model = self._compiled()
        try:
            state = self.checkpoints.restore(model)
        except ForeignError as error:
            self.step.warning("the checkpoint cannot be used (%s): training starts from the beginning" % error)
            state, model = None, self._compiled()  # the first model may be half restored
        if state is None:
            self.checkpoints.clear()
            state = State(Schedule(self.settings.learning_rate), [])
        return model, state

    def _compiled(self) -> Any:
        tf.keras.utils.set_random_seed(self.settings.seed)
        model = self.make_model()
        # XLA, Keras' default for optimisers on a GPU, would need the CUDA compiler's data files at run time.
        optimiser = tf.keras.optimizers.Adam(self.settings.learning_rate, jit_compile=False)
        optimiser.build(model.trainable_variables)
        model.compile(optimiser, loss=self.task.loss(), metrics=[self.task.measure()])
        return model

    def _epoch(self, model: Any, schedule: Schedule, progress: Progress) -> Dict[str, float]:
        """Train one epoch and validate it; give its line of the history."""
        epoch = schedule.epoch + 1
        progress.begin(epoch)
        self.train.shuffle(self.settings.seed, epoch)
        reseed(model, self.settings.seed, epoch)
        model.optimizer.learning_rate.assign(schedule.learning_rate)
        with self.train.guarded():
            fitted = model.fit(self.train.dataset, verbose=0, callbacks=[progress]).history
        entry = {
            "epoch": epoch,
            "loss": float(fitted["loss"][0]),
            self.task.watched: float(fitted[self.task.watched][0]),
            **validate(model, self.validation, self.task.watched),
            "learning_rate": schedule.learning_rate,
        }
        check_finite(entry["val_loss"], epoch, self.settings)
        progress.validated(entry)
        return entry


def validate(model: Any, stream: Stream, watched: str) -> Dict[str, float]:
    """Loss and the watched score on the images kept for validation."""
    with stream.guarded():
        measured = model.evaluate(stream.dataset, verbose=0, return_dict=True)
    return {"val_loss": float(measured["loss"]), "val_%s" % watched: float(measured[watched])}
