"""A training's state after each epoch, on disk: whenever the process dies, what is found is whole or not there.

`epoch-0003.h5` holds weights (as Keras' legacy format, readable by itself) and the optimiser's state, `checkpoint.json`
everything else. The JSON file is renamed into place last and names the weights with their digest, so it is the one
moment at which an epoch is kept. Only the last and the best epoch's files stay.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

import h5py
import numpy as np

from stages.contract import InputError, write_json
from stages.train.schedule import Schedule
from stages.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
NAME = "checkpoint.json"
OPTIMISER = "optimizer_weights"  # where Keras' whole-model files have it
BLOCK = 2**20
DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, InputError)

History = List[Dict[str, float]]


class ForeignError(Exception):
    """The checkpoint is of another training, or damaged; the reason is the message."""


@dataclass
class State:
    """What a training needs besides weights and optimiser."""

    schedule: Schedule
    history: History


@dataclass
class Checkpoints:
    """The checkpoints of one training in `folder`; `fingerprint` stands for everything that it depends on."""

    folder: Path
    fingerprint: str

    def save(self, model: Any, state: State) -> None:
        """Keep the state after an epoch; durable on return."""
        name = file_name(state.schedule.epoch)
        self._write(name, lambda path: _write_weights(path, model))
        digests = {name: digest_of(self.folder / name)}
        best = file_name(state.schedule.best_epoch)
        if best != name:
            digests[best] = self._read_document()["files"][best]
        document = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "files": digests,
            "schedule": state.schedule.as_json(),
            "history": state.history,
        }
        self._write(NAME, lambda path: write_json(path, document))
        self._remove_all_but(digests)

    def restore(self, model: Any) -> Optional[State]:
        """Set model and optimiser to the last kept epoch; None when there is no checkpoint.

        Raises:
            ForeignError: it cannot be used. The model may then be half set: load or build it anew.
        """
        if not (self.folder / NAME).exists():
            return None
        try:
            document = self._read_document()
            self._check(document)
            state = State(Schedule.from_json(document["schedule"]), document["history"])
            _read_weights(self.folder / file_name(state.schedule.epoch), model)
        except DAMAGED as error:
            raise ForeignError(str(error)) from error
        return state

    def load_best(self, model: Any, schedule: Schedule) -> None:
        """Set the model to the epoch with the lowest validation loss."""
        load_weights(model, self.folder / file_name(schedule.best_epoch), "the checkpoint of the best epoch")

    def clear(self) -> None:
        """Remove every checkpoint."""
        (self.folder / NAME).unlink(missing_ok=True)
        self._remove_all_but({})

    def _read_document(self) -> Any:
        return json.loads((self.folder / NAME).read_text(encoding="utf-8"))

    def _check(self, document: Any) -> None:
        if document["format"] != FORMAT or document["fingerprint"] != self.fingerprint:
            raise ForeignError("it belongs to a training with other parameters, data or versions")
        for name, digest in document["files"].items():
            if digest_of(self.folder / name) != digest:
                raise ForeignError("%s is damaged" % name)

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        """Write beside its place, sync, rename, sync the folder: the name never stands for half a file."""
        temporary = self.folder / ("writing-" + name)
        write(temporary)
        _sync(temporary)
        temporary.replace(self.folder / name)
        _sync(self.folder)

    def _remove_all_but(self, kept: Dict[str, str]) -> None:
        for pattern in ("epoch-*.h5", "writing-*"):
            for path in self.folder.glob(pattern):
                if path.name not in kept:
                    path.unlink()


def file_name(epoch: int) -> str:
    """Name the weights file of an epoch."""
    return "epoch-%04d.h5" % epoch


def fingerprint(parts: Dict[str, Any]) -> str:
    """Digest everything that a training depends on; plain values only."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            running.update(block)
    return running.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_weights(path: Path, model: Any) -> None:
    model.save_weights(os.fspath(path), save_format="h5")
    with h5py.File(path, "a") as file:
        group = file.create_group(OPTIMISER)
        for index, variable in enumerate(model.optimizer.variables):
            group.create_dataset("%05d" % index, data=variable.numpy())


def _read_weights(path: Path, model: Any) -> None:
    load_weights(model, path, "the checkpoint")
    variables = model.optimizer.variables
    with h5py.File(path, "r") as file:
        group = file[OPTIMISER]
        if len(group) != len(variables):
            raise ForeignError("the optimiser's state has %d parts, %d expected" % (len(group), len(variables)))
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(group["%05d" % index]))
