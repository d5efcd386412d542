"""The epochs of a quantisation-aware training: the simulated network learns to say what the float network says."""

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
    from stages.qat.student import Student
    from stages.train.stream import Stream

WARM_UP = 0.1  # share of all batches over which a cosine schedule rises
LEAST_RATE = 1e-7  # below it ReduceLROnPlateau goes no further
LABELS = 0.3  # weight of the labels' cross-entropy beside the float network's answer
LEAST = 1e-7  # keeps logarithms finite


class Training:
    """One training of a student; `teacher` is the float network.

    BatchNorm and Dropout stay as they are when predicting: what is simulated is the file.
    """

    def __init__(self, step: Step, settings: Settings, student: Student, teacher: Any, train: Stream) -> None:
        self._step, self._settings, self._student, self._teacher = step, settings, student, teacher
        self._train = train
        self._batches = max(1, len(train.rows) // settings.batch)
        self._optimiser = tf.keras.optimizers.Adam(settings.learning_rate, jit_compile=False)
        self._optimiser.build(student.network.trainable_variables)
        student.plain.compile(self._optimiser)  # only so that a checkpoint of the plain network has its state
        self._learn = tf.function(self._learn_batch, reduce_retracing=True)
        self._look = tf.function(self._look_batch, reduce_retracing=True)

    def run(self, validation: Stream, checkpoints: Checkpoints) -> Trained:
        """Train to the end; on return the student holds the best weights by validation loss."""
        state = self._start(checkpoints)
        resumed_at = state.schedule.epoch or None
        progress = Progress(self._step, self._settings, self._batches)
        while not state.schedule.is_over(self._settings):
            entry = self._epoch(state.schedule, progress, validation)
            state.history.append(entry)
            state.schedule.update(entry["val_loss"], self._settings)
            state.schedule.learning_rate = max(LEAST_RATE, state.schedule.learning_rate)
            self._student.give()
            checkpoints.save(self._student.plain, state)
        checkpoints.load_best(self._student.plain, state.schedule)
        self._student.take()
        return Trained(self._student.plain, state.schedule, state.history, resumed_at)

    def _start(self, checkpoints: Checkpoints) -> State:
        """Take up the last checkpoint, or begin."""
        begun = [weight.numpy() for weight in self._student.plain.weights]
        try:
            state = checkpoints.restore(self._student.plain)
        except ForeignError as error:
            self._step.warning("the checkpoint cannot be used (%s): training starts from the beginning" % error)
            self._student.plain.set_weights(begun)
            state = None
        if state is None:
            checkpoints.clear()
            state = State(Schedule(self._settings.learning_rate), [])
        self._student.take()
        return state

    def _epoch(self, schedule: Schedule, progress: Progress, validation: Stream) -> Dict[str, float]:
        epoch = schedule.epoch + 1
        progress.begin(epoch)
        self._train.shuffle(self._settings.seed, epoch)
        losses, right, seen = 0.0, 0.0, 0
        with self._train.guarded():
            for batch, (pixels, labels) in enumerate(self._train.dataset.take(self._batches)):
                self._optimiser.learning_rate.assign(self._rate(schedule, (epoch - 1) * self._batches + batch))
                loss, hits = self._learn(pixels, labels)
                losses, right, seen = losses + float(loss) * len(labels), right + float(hits), seen + len(labels)
                progress.on_train_batch_end(batch, {"loss": losses / seen})
        entry = {"epoch": epoch, "loss": losses / seen, "accuracy": right / seen, **self.validate(validation)}
        entry["learning_rate"] = float(self._optimiser.learning_rate)
        check_finite(entry["val_loss"], epoch, self._settings)
        progress.validated(entry)
        return entry

    def validate(self, stream: Stream) -> Dict[str, float]:
        """Loss and accuracy of the student on images that it does not learn from."""
        losses, right = 0.0, 0.0
        with stream.guarded():
            for pixels, labels in stream.dataset:
                loss, hits = self._look(pixels, labels)
                losses, right = losses + float(loss) * len(labels), right + float(hits)
        return {"val_loss": losses / len(stream.rows), "val_accuracy": right / len(stream.rows)}

    def _rate(self, schedule: Schedule, batch: int) -> float:
        if self._settings.schedule == "plateau":
            return schedule.learning_rate
        total = self._settings.epochs * self._batches
        rise = max(1, round(WARM_UP * total))
        if batch < rise:
            return self._settings.learning_rate * (batch + 1) / rise
        return self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (batch - rise) / max(1, total - rise)))

    def _learn_batch(self, pixels: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, hits = self._look_batch(pixels, labels)
        variables = self._student.network.trainable_variables
        self._optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss, hits

    def _look_batch(self, pixels: Any, labels: Any) -> Any:
        """Distillation: the divergence from the float network's answer, and the cross-entropy of the labels."""
        sure = self._teacher(pixels, training=False)
        said = tf.math.log(self._student.network(pixels, training=False) + LEAST)
        divergence = tf.reduce_sum(sure * (tf.math.log(sure + LEAST) - said), axis=1)
        truth = -tf.gather(said, labels, axis=1, batch_dims=1)
        hits = tf.reduce_sum(tf.cast(tf.equal(tf.argmax(said, axis=1, output_type=tf.int32), labels), tf.float32))
        return tf.reduce_mean(divergence + LABELS * truth), hits
