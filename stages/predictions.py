"""`predictions.csv`: what a network said of each test image, in the order of `images.csv`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.images import Row
    from stages.tasks.pixels import Counts


def write_predictions(path: Path, rows: Sequence[Row], probabilities: NDArray[np.float32]) -> None:
    """Write one row for each image: path, label, predicted class and all probabilities, [image, class]."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "label", "predicted", *("p%d" % index for index in range(probabilities.shape[1]))])
        for row, values in zip(rows, probabilities):
            # nine digits restore a float32
            lines.writerow([row.path, row.label, int(values.argmax()), *("%.9g" % value for value in values)])


def write_pixel_counts(path: Path, rows: Sequence[Row], counts: Counts) -> None:
    """Write one row for each image: pixels sought and found, sought only, found only, and neither."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "found", "missed", "false", "rest"])
        lines.writerows([row.path, *pixels] for row, pixels in zip(rows, counts.by_image.tolist()))
