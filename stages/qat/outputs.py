"""The files that a quantisation-aware training leaves: weights and how to read them, history, and what a test gave."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping

from stages.contract import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from stages.tasks import Evaluation
    from stages.train.fit import Trained


def write_model(out: Path, description: Mapping[str, Any], trained: Trained) -> None:
    """Write `weights.h5` and `model.json`."""
    trained.model.save_weights(os.fspath(out / "weights.h5"), save_format="h5")
    write_json(out / "model.json", {**description, "best_epoch": trained.schedule.best_epoch})


def write_test(out: Path, accuracy: Evaluation) -> None:
    """Write what the simulated network does on the test split."""
    write_json(out / "metrics.json", accuracy.document())
