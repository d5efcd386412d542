"""The schedule against Keras' own callbacks, on every kind of loss curve."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import parameters

from stages.train.schedule import Schedule
from stages.train.settings import Settings

# Steps near the plateau's delta of 1e-4 as well as large ones.
LOSSES = st.lists(st.integers(0, 60).map(lambda step: 1 + step * 5e-5), min_size=1, max_size=40)


def rules(**values: float) -> Settings:
    return Settings.read(parameters(epochs=1000, learning_rate=1.0, reduce_factor=0.5, **values))


@settings(deadline=None)
@given(LOSSES, st.integers(1, 5), st.integers(1, 6))
def test_the_schedule_does_what_keras_callbacks_do(losses: list[float], reduce: int, stop: int) -> None:
    told = rules(reduce_patience=reduce, stop_patience=stop)
    ours, keras = Schedule(1.0), Keras(reduce, stop)
    for loss in losses:
        ours.update(loss, told)
        keras.update(loss)
        assert ours.learning_rate == keras.learning_rate
        assert ours.best_epoch == keras.best_epoch
        assert ours.is_over(told) == keras.stopped
        if keras.stopped:
            break


@settings(deadline=None)
@given(LOSSES, st.integers(0, 40))
def test_a_schedule_survives_being_stored_at_any_epoch(losses: list[float], cut: int) -> None:
    told = rules(reduce_patience=2, stop_patience=5)
    whole, stored = Schedule(1.0), Schedule(1.0)
    for position, loss in enumerate(losses):
        if position == cut:
            stored = Schedule.from_json(json.loads(json.dumps(stored.as_json())))
        whole.update(loss, told)
        stored.update(loss, told)
    assert stored == whole


def test_the_last_epoch_ends_a_training() -> None:
    told = Settings.read(parameters(epochs=2))
    one = Schedule(1.0)
    one.update(1.0, told)
    assert not one.is_over(told)
    one.update(0.5, told)
    assert one.is_over(told)
    assert not one.stopped_early(told)


class Keras:
    """Keras' three callbacks around a model that is only an optimiser."""

    def __init__(self, reduce: int, stop: int) -> None:
        optimiser = SimpleNamespace(lr=tf.Variable(1.0))
        self._model = SimpleNamespace(optimizer=optimiser, stop_training=False)
        self._plateau = tf.keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=reduce)
        self._stop = tf.keras.callbacks.EarlyStopping(patience=stop)
        for callback in (self._plateau, self._stop):
            callback.model = self._model
            callback.on_train_begin()
        self._epoch = -1
        self._best = np.inf
        self.best_epoch = 0

    def update(self, loss: float) -> None:
        self._epoch += 1
        for callback in (self._plateau, self._stop):
            callback.on_epoch_end(self._epoch, {"val_loss": loss})
        if np.less(loss, self._best):  # ModelCheckpoint's monitor_op, strict
            self._best, self.best_epoch = loss, self._epoch + 1

    @property
    def learning_rate(self) -> float:
        return float(self._model.optimizer.lr.numpy())

    @property
    def stopped(self) -> bool:
        return bool(self._model.stop_training)


def test_the_start_counts_where_its_loss_is_a_number() -> None:
    told, schedule, unset = rules(), Schedule(1.0), Schedule(1.0)
    schedule.begin(0.5)
    schedule.update(0.6, told)
    assert (schedule.best_epoch, schedule.best_loss, schedule.epoch) == (0, 0.5, 1)
    schedule.update(0.4, told)
    assert (schedule.best_epoch, schedule.best_loss) == (2, 0.4)
    unset.begin(float("nan"))
    unset.update(0.6, told)
    assert (unset.best_epoch, unset.best_loss) == (1, 0.6)
