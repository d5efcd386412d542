"""Trainings of a tiny network: taken up where they ended, with the bytes of those that never did."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from synthetic import make_dataset
from tiny import events, network, training

from stages.contract import InputError
from stages.network import set_batchnorm_momentum
from stages.train.runtime import reseed

if TYPE_CHECKING:
    from pathlib import Path

    from stages.train.fit import Trained, Training


class Killed(BaseException):
    """Stands for the end of the process."""


def end_after(one: Training, epochs: int) -> None:
    """Run a training that dies in the epoch after `epochs`, before its validation."""
    validated = one._epoch

    def epoch(model: Any, schedule: Any, progress: Any) -> dict[str, float]:
        if schedule.epoch == epochs:
            model.fit(one.train.dataset.take(1), verbose=0)
            raise Killed
        return validated(model, schedule, progress)

    one._epoch = epoch  # type: ignore[method-assign]
    with pytest.raises(Killed):
        one.run()


def weights(trained: Trained) -> list[Any]:
    return list(trained.model.get_weights())


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the training that nothing disturbs."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def undisturbed(home: Path, blobs: Path) -> tuple[Training, Trained]:
    one = training(home, blobs, epochs=4)
    return one, one.run()


@pytest.fixture(scope="module")
def whole(undisturbed: tuple[Training, Trained]) -> Trained:
    return undisturbed[1]


def test_the_network_learns(whole: Trained) -> None:
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]
    assert [entry["epoch"] for entry in whole.history] == [1, 2, 3, 4]
    assert whole.resumed_at_epoch is None


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_training_that_was_ended_continues_to_the_same_bytes(
    tmp_path: Path, blobs: Path, whole: Trained, epochs: int
) -> None:
    end_after(training(tmp_path, blobs, epochs=4), epochs)
    resumed = training(tmp_path, blobs, epochs=4).run()
    assert resumed.resumed_at_epoch == (epochs or None)
    assert resumed.history == whole.history
    assert resumed.schedule == whole.schedule
    assert same(weights(resumed), weights(whole))


def test_a_training_that_ended_in_its_last_act_is_only_read_again(home: Path, blobs: Path, whole: Trained) -> None:
    again = training(home, blobs, epochs=4)
    trained = again.run()
    assert trained.resumed_at_epoch == 4
    assert same(weights(trained), weights(whole))
    assert events(again) == []


def test_the_best_epoch_counts_and_not_the_last(tmp_path: Path, blobs: Path) -> None:
    one = training(tmp_path, blobs, epochs=3)
    losses = iter([0.5, 0.4, 0.9])
    seen = []

    def epoch(model: Any, schedule: Any, _progress: Any) -> dict[str, float]:
        model.layers[-1].bias.assign([schedule.epoch + 1.0] * 3)
        seen.append(model.layers[-1].bias.numpy())
        return {"epoch": schedule.epoch + 1, "loss": 1.0, "val_loss": next(losses), "val_accuracy": 0.5}

    one._epoch = epoch  # type: ignore[method-assign]
    trained = one.run()
    assert trained.schedule.best_epoch == 2
    assert np.array_equal(trained.model.layers[-1].bias.numpy(), seen[1])


def test_early_stopping_counts_across_a_kill(tmp_path: Path, blobs: Path) -> None:
    patient = {"epochs": 50, "stop_patience": 3, "reduce_patience": 1, "reduce_factor": 0.001, "learning_rate": 0.5}
    whole = training(tmp_path / "whole", blobs, **patient).run()
    assert whole.schedule.epoch < 50
    assert whole.schedule.epoch == whole.schedule.best_epoch + 3
    end_after(training(tmp_path / "ended", blobs, **patient), whole.schedule.epoch - 1)
    resumed = training(tmp_path / "ended", blobs, **patient).run()
    assert resumed.schedule == whole.schedule
    assert resumed.history == whole.history


def test_the_learning_rate_of_the_schedule_is_the_optimisers(tmp_path: Path, blobs: Path) -> None:
    trained = training(tmp_path, blobs, epochs=6, reduce_patience=1, learning_rate=0.3, reduce_factor=0.1).run()
    rates = [entry["learning_rate"] for entry in trained.history]
    assert rates[0] == 0.3
    assert rates[-1] < 0.3
    assert math.isclose(float(trained.model.optimizer.learning_rate), rates[-1], rel_tol=1e-6)


def test_a_foreign_checkpoint_is_told_and_not_used(tmp_path: Path, blobs: Path, whole: Trained) -> None:
    training(tmp_path, blobs, epochs=1, fingerprint="other").run()
    one = training(tmp_path, blobs, epochs=4)
    trained = one.run()
    (warning,) = [event["message"] for event in events(one) if event["event"] == "warning"]
    assert "it belongs to a training with other parameters, data or versions" in warning
    assert trained.resumed_at_epoch is None
    assert same(weights(trained), weights(whole))


def test_a_damaged_checkpoint_starts_from_the_same_beginning(tmp_path: Path, blobs: Path, whole: Trained) -> None:
    end_after(training(tmp_path, blobs, epochs=4), 2)
    path = tmp_path / "partial" / "epoch-0002.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    trained = training(tmp_path, blobs, epochs=4).run()
    assert same(weights(trained), weights(whole))


def test_a_training_that_diverges_says_so(tmp_path: Path, blobs: Path) -> None:
    one = training(tmp_path, blobs)
    one.make_model = lambda: poisoned(network())
    with pytest.raises(InputError, match="the loss of resnet50v2 is not finite in epoch 1") as caught:
        one.run()
    assert "train.learning_rate (now 0.001)" in caught.value.remedy


def poisoned(model: Any) -> Any:
    model.layers[-1].bias.assign([math.nan] * 3)
    return model


def test_an_image_that_turns_unreadable_ends_the_training_by_name(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", size=16, train=10, test=2)
    one = training(tmp_path, folder)
    victim = one.train.rows[3].path
    (folder / "images" / victim).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=victim):
        one.run()


def test_progress_counts_batches_of_all_epochs(undisturbed: tuple[Training, Trained]) -> None:
    told = [event for event in events(undisturbed[0]) if event["event"] == "progress"]
    assert {(event["total"], event["unit"]) for event in told} == {(16, "batch")}
    assert told[-1]["done"] == 16
    assert told[-1]["message"].startswith("epoch 4/4 loss ")
    assert " val_acc " in told[-1]["message"]
    assert [event["done"] for event in told] == sorted(event["done"] for event in told)


def test_only_the_last_and_the_best_epoch_stay_on_disk(home: Path, whole: Trained) -> None:
    kept = {f"epoch-{epoch:04d}.h5" for epoch in (4, whole.schedule.best_epoch)}
    assert {path.name for path in (home / "partial").iterdir()} == {"checkpoint.json", *kept}


def test_a_checkpoint_is_a_file_that_keras_reads(home: Path, whole: Trained) -> None:
    fresh = network()
    fresh.load_weights(str(home / "partial" / f"epoch-{whole.schedule.best_epoch:04d}.h5"))
    assert same(weights(whole), fresh.get_weights())


def test_dropout_draws_anew_in_each_epoch_and_the_same_for_the_same_epoch() -> None:
    layer = tf.keras.layers.Dropout(0.5)
    inputs = tf.keras.layers.Input((64,))
    model = tf.keras.Model(inputs, layer(inputs))
    ones = tf.ones((1, 64))
    drawn = []
    for epoch in (1, 2, 1):
        reseed(model, 7, epoch)
        drawn.append(model(ones, training=True).numpy())
    assert np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize(("momentum", "kept"), [(0.0, 0.99), (0.5, 0.5)])
def test_the_momentum_of_batchnorm_takes_effect(momentum: float, kept: float) -> None:
    inputs = tf.keras.layers.Input((4,))
    model = tf.keras.Model(inputs, tf.keras.layers.BatchNormalization()(inputs))
    set_batchnorm_momentum(model, momentum)
    model.compile("sgd", "mse")
    model.fit(np.full((8, 4), 10.0), np.zeros((8, 4)), batch_size=8, verbose=0)
    assert np.allclose(model.layers[1].moving_mean.numpy(), 10.0 * (1 - kept), rtol=1e-5)
    assert model.layers[1].get_config()["momentum"] == kept


def test_the_record_of_losses_is_plain_json(whole: Trained) -> None:
    assert json.loads(json.dumps(whole.history)) == whole.history


def test_without_epochs_no_image_is_looked_at(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", size=16, train=10, test=2)
    one = training(tmp_path, folder, epochs=0)
    for row in (*one.train.rows, *one.validation.rows):
        (folder / "images" / row.path).unlink()
    trained = one.untrained()
    assert trained.history == []
    assert (trained.schedule.best_epoch, trained.schedule.best_loss) == (0, None)
    assert list((tmp_path / "partial").iterdir()) == []
