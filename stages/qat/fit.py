"""The epochs of a quantisation-aware training, whichever way it goes: schedule, checkpoints, progress."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Dict

import tensorflow as tf

from stages.train.checkpoint import Checkpoints, ForeignError, State
from stages.train.fit import Trained
from stages.train.progress import Progress, check_finite
from stages.train.schedule import Schedule

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.qat.settings import Settings
    from stages.qat.ways import Way
    from stages.train.stream import Stream

WARM_UP = 0.1  # share of all batches over which a cosine schedule rises
LEAST_RATE = 1e-7  # below it ReduceLROnPlateau goes no further


class Training:
    """One training of `way` on the batches of `train`; a last batch with fewer images is dropped."""

    def __init__(self, step: Step, settings: Settings, way: Way, train: Stream) -> None:
        self._step, self._settings, self._way, self._train = step, settings, way, train
        self._batches = max(1, len(train.rows) // settings.batch)
        self._optimiser = tf.keras.optimizers.Adam(settings.learning_rate, jit_compile=False)
        self._optimiser.build(way.network.trainable_variables)
        way.kept.compile(self._optimiser)  # only so that a checkpoint of what is kept has its state
        self._learn = tf.function(self._learn_batch, reduce_retracing=True)
        self._look = tf.function(self._look_batch, reduce_retracing=True)

    def run(self, validation: Stream, checkpoints: Checkpoints) -> Trained:
        """Train to the end; on return the network holds the best weights by validation loss, also of the start."""
        state = self._start(checkpoints)
        if not state.history and state.schedule.best_loss is None:
            state.schedule.begin(self.validate(validation)["val_loss"])
            checkpoints.save(self._way.kept, state)
        resumed_at = state.schedule.epoch or None
        progress = Progress(self._step, self._settings, self._batches)
        while not state.schedule.is_over(self._settings):
            entry = self._epoch(state.schedule, progress, validation)
            state.history.append(entry)
            state.schedule.update(entry["val_loss"], self._settings)
            state.schedule.learning_rate = max(LEAST_RATE, state.schedule.learning_rate)
            self._way.give()
            checkpoints.save(self._way.kept, state)
        checkpoints.load_best(self._way.kept, state.schedule)
        self._way.take()
        return Trained(self._way.kept, state.schedule, state.history, resumed_at)

    def _start(self, checkpoints: Checkpoints) -> State:
        """Take up the last checkpoint, or begin."""
        kept = self._way.kept
        begun = [weight.numpy() for weight in kept.weights]
        try:
            state = checkpoints.restore(kept)
        except ForeignError as error:
            self._step.warning("the checkpoint cannot be used (%s): training starts from the beginning" % error)
            kept.set_weights(begun)
            state = None
        if state is None:
            checkpoints.clear()
            state = State(Schedule(self._settings.learning_rate), [])
        self._way.take()
        return state

    def _epoch(self, schedule: Schedule, progress: Progress, validation: Stream) -> Dict[str, float]:
        epoch = schedule.epoch + 1
        progress.begin(epoch)
        self._train.shuffle(self._settings.seed, epoch)
        self._way.begin(self._settings.seed, epoch)
        losses, right, seen = 0.0, 0.0, 0
        with self._train.guarded():
            for batch, (pixels, truth) in enumerate(self._train.dataset.take(self._batches)):
                self._optimiser.learning_rate.assign(self._rate(schedule, (epoch - 1) * self._batches + batch))
                loss, hits = self._learn(pixels, truth)
                losses, right, seen = losses + float(loss) * len(truth), right + float(hits), seen + len(truth)
                progress.on_train_batch_end(batch, {"loss": losses / seen})
        entry = {"epoch": epoch, "loss": losses / seen, self._way.watched: right / seen, **self.validate(validation)}
        entry["learning_rate"] = float(self._optimiser.learning_rate)
        check_finite(entry["val_loss"], epoch, self._settings)
        progress.validated(entry)
        return entry

    def validate(self, stream: Stream) -> Dict[str, float]:
        """Loss and score on images that it does not learn from."""
        losses, right = 0.0, 0.0
        with stream.guarded():
            for pixels, truth in stream.dataset:
                loss, hits = self._look(pixels, truth)
                losses, right = losses + float(loss) * len(truth), right + float(hits)
        return {"val_loss": losses / len(stream.rows), "val_%s" % self._way.watched: right / len(stream.rows)}

    def _rate(self, schedule: Schedule, batch: int) -> float:
        if self._settings.schedule == "plateau":
            return schedule.learning_rate
        total = self._settings.epochs * self._batches
        rise = max(1, round(WARM_UP * total))
        if batch < rise:
            return self._settings.learning_rate * (batch + 1) / rise
        return self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (batch - rise) / max(1, total - rise)))

    def _learn_batch(self, pixels: Any, truth: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, hits = self._look_batch(pixels, truth, learning=self._way.learning)
        variables = self._way.network.trainable_variables
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss, hits

    def _look_batch(self, pixels: Any, truth: Any, *, learning: bool = False) -> Any:
        outputs = self._way.network(pixels, training=learning)
        loss = tf.reduce_mean(self._way.losses(pixels, outputs, truth))
        return loss, tf.reduce_sum(self._way.right(outputs, truth))
