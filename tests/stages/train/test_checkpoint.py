"""Checkpoints killed at every change they make to the disk, and everything that may lie where one should be."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from tiny import network

from stages.train.checkpoint import NAME, Checkpoints, ForeignError, State, fingerprint
from stages.train.schedule import Schedule

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = {"open", "os.rename", "os.remove"}


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Killer:
    """Ends what runs at the n-th change below a folder: audit events come before the change itself."""

    folder: str = ""
    left: int = -1
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, details: Any) -> None:
        if not self.folder or event not in CHANGES or not str(details[0]).startswith(self.folder):
            return
        self.seen.append(event)
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(scope="module")
def killer() -> Killer:
    one = Killer()
    sys.addaudithook(one)  # cannot be removed: without a folder it does nothing
    return one


@pytest.fixture(scope="module")
def model() -> Any:
    made = network()
    optimiser = tf.keras.optimizers.Adam(0.1, jit_compile=False)
    optimiser.build(made.trainable_variables)
    made.compile(optimiser, loss="sparse_categorical_crossentropy")
    return made


def state(epoch: int, best: int) -> State:
    history = [{"epoch": one, "val_loss": 0.5} for one in range(1, epoch + 1)]
    return State(Schedule(0.1, epoch=epoch, best_epoch=best, best_loss=0.5), history)


def paint(model: Any, value: float) -> None:
    for variable in [*model.weights, *model.optimizer.variables]:
        variable.assign(tf.cast(tf.fill(variable.shape, value), variable.dtype))


def colour(model: Any) -> float:
    """Every weight and every part of the optimiser's state holds one value; that one."""
    values = {float(number) for one in [*model.weights, *model.optimizer.variables] for number in np.ravel(one.numpy())}
    (value,) = values
    return value


def test_what_is_saved_is_restored(model: Any, tmp_path: Path) -> None:
    one = Checkpoints(tmp_path, "f")
    paint(model, 3)
    one.save(model, state(1, 1))
    paint(model, 9)
    assert one.restore(model) == state(1, 1)
    assert colour(model) == 3


def test_the_best_epoch_stays_while_later_ones_come(model: Any, tmp_path: Path) -> None:
    one = Checkpoints(tmp_path, "f")
    for epoch in (1, 2, 3):
        paint(model, epoch)
        one.save(model, state(epoch, min(epoch, 2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, "epoch-0002.h5", "epoch-0003.h5"]
    paint(model, 0)
    one.load_best(model, state(3, 2).schedule)
    assert {float(number) for weight in model.weights for number in np.ravel(weight.numpy())} == {2.0}


def test_nothing_there_is_no_error(model: Any, tmp_path: Path) -> None:
    assert Checkpoints(tmp_path, "f").restore(model) is None


def test_a_kill_at_any_change_leaves_this_epoch_or_the_one_before(model: Any, tmp_path: Path, killer: Killer) -> None:
    moments = 0
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        folder.mkdir()
        one = Checkpoints(folder, "f")
        for epoch in (1, 2):
            paint(model, epoch)
            one.save(model, state(epoch, 1))
        paint(model, 3)
        killer.folder, killer.left = str(folder), moment
        try:
            one.save(model, state(3, 3))
        except Killed:
            moments += 1
        else:
            break
        finally:
            killer.folder = ""
        check_survivor(model, folder)
    assert moments >= 6  # two files written, synced, renamed; two removed
    assert {"open", "os.rename", "os.remove"} <= set(killer.seen)


def check_survivor(model: Any, folder: Path) -> None:
    again = Checkpoints(folder, "f")
    found = again.restore(model)
    assert found in (state(2, 1), state(3, 3))
    assert found is not None
    assert colour(model) == found.schedule.epoch
    again.load_best(model, found.schedule)
    paint(model, 4)
    again.save(model, state(found.schedule.epoch + 1, found.schedule.epoch + 1))
    assert len(list(folder.iterdir())) == 2  # what the dead process left is gone


@pytest.fixture
def kept(model: Any, tmp_path: Path) -> Checkpoints:
    one = Checkpoints(tmp_path, "f")
    for epoch in (1, 2):
        paint(model, epoch)
        one.save(model, state(epoch, 1))
    return one


def refused(model: Any, one: Checkpoints) -> str:
    with pytest.raises(ForeignError) as caught:
        one.restore(model)
    return str(caught.value)


@pytest.mark.parametrize("name", ["epoch-0001.h5", "epoch-0002.h5"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damaged_weights_are_refused(model: Any, kept: Checkpoints, name: str, damage: str) -> None:
    path = kept.folder / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "flip":
        content[-100] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    assert name in refused(model, kept)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"fingerprint": "other"},
        {"schedule": {"epochs": 1}},
        {"schedule": None},
        {"files": ["epoch-0002.h5"]},
        {"files": None},
    ],
)
def test_a_document_of_another_kind_is_refused(model: Any, kept: Checkpoints, change: dict[str, Any]) -> None:
    path = kept.folder / NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    refused(model, kept)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\x00" * 64])
def test_a_document_that_is_none_is_refused(model: Any, kept: Checkpoints, content: str) -> None:
    (kept.folder / NAME).write_text(content)
    refused(model, kept)


def test_a_file_outside_the_folder_is_never_kept_or_removed(model: Any, kept: Checkpoints, tmp_path: Path) -> None:
    path = kept.folder / NAME
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "files": {"../" + tmp_path.name + "/epoch-0001.h5": "0"}}))
    refused(model, kept)


def test_weights_of_another_network_are_refused(kept: Checkpoints) -> None:
    other = network(classes=5)
    other.compile(tf.keras.optimizers.Adam(0.1, jit_compile=False))
    assert "needs" in refused(other, kept)


def test_clearing_leaves_what_is_not_a_checkpoint(kept: Checkpoints) -> None:
    (kept.folder / "notes.txt").write_text("mine")
    (kept.folder / "writing-epoch-0009.h5").write_text("half")
    kept.clear()
    assert [path.name for path in kept.folder.iterdir()] == ["notes.txt"]


def test_a_fingerprint_changes_with_every_part() -> None:
    parts = {"settings": {"seed": 1}, "data": "a", "init": None}
    seen = {fingerprint(parts), fingerprint({**parts, "data": "b"}), fingerprint({**parts, "settings": {"seed": 2}})}
    assert len(seen) == 3
    assert fingerprint(dict(reversed(list(parts.items())))) == fingerprint(parts)
