"""The files that a quantisation-aware training leaves: a float network, as the train stage leaves one, with history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from stages.contract import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from stages.train.fit import Trained
    from stages.train.scores import Scores


def write_model(out: Path, description: Mapping[str, Any], trained: Trained, *, rewritten: bool) -> None:
    """Write `weights.h5` and `model.json`."""
    trained.model.save_weights(os.fspath(out / "weights.h5"), save_format="h5")
    document = {**description, "best_epoch": trained.schedule.best_epoch, "rewritten": rewritten}
    write_json(out / "model.json", document)


def write_scores(out: Path, scores: Scores) -> None:
    """Write what the simulated network does on the test split."""
    write_json(out / "metrics.json", {"split": "test", **scores.as_json()})
