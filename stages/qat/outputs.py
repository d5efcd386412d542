"""The files that a quantisation-aware training leaves: weights and how to read them, history, and what a test gave."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from stages.contract import write_json
from stages.predictions import write_predictions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.accuracy import Accuracy
    from stages.images import Row
    from stages.train.fit import Trained


def write_model(out: Path, description: Mapping[str, Any], trained: Trained) -> None:
    """Write `weights.h5` and `model.json`."""
    trained.model.save_weights(os.fspath(out / "weights.h5"), save_format="h5")
    write_json(out / "model.json", {**description, "best_epoch": trained.schedule.best_epoch})


def write_test(out: Path, accuracy: Accuracy, rows: Sequence[Row], probabilities: NDArray[np.float32]) -> None:
    """Write what the simulated network does on the test split: `metrics.json` and `predictions.csv`."""
    write_json(out / "metrics.json", accuracy.document())
    write_predictions(out / "predictions.csv", rows, probabilities)
