"""`predictions.csv`: what a network said of each test image, in the order of `images.csv`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from pathlib import Path

    from stages.benchmark.runtime import Probabilities
    from stages.images import Row


def write_predictions(path: Path, rows: Sequence[Row], probabilities: Probabilities) -> None:
    """Write one row for each image: path, label, predicted class and all probabilities."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "label", "predicted", *("p%d" % index for index in range(probabilities.shape[1]))])
        for row, values in zip(rows, probabilities):
            # nine digits restore a float32
            lines.writerow([row.path, row.label, int(values.argmax()), *("%.9g" % value for value in values)])
