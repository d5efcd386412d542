"""The files that a quantisation-aware training leaves: a float network, as the train stage leaves one, with history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from stages.contract import write_json
from stages.train.outputs import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from stages.qat.fit import Trained
    from stages.train.scores import Scores

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


def write_model(out: Path, plain: Any, description: Mapping[str, Any], trained: Trained, *, rewritten: bool) -> None:
    """Write `weights.h5` and `model.json`."""
    plain.save_weights(os.fspath(out / "weights.h5"), save_format="h5")
    document = {**description, "best_epoch": trained.schedule.best_epoch, "rewritten": rewritten}
    write_json(out / "model.json", document)


def write_history(out: Path, trained: Trained) -> None:
    """Write `history.csv`: one line for each epoch."""
    write_table(out / "history.csv", HISTORY, ([entry[name] for name in HISTORY] for entry in trained.history))


def write_scores(out: Path, scores: Scores) -> None:
    """Write what the simulated network does on the test split."""
    write_json(out / "metrics.json", {"split": "test", **scores.as_json()})
