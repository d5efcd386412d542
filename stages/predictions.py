"""`predictions.csv`: what a network said of each test image, in the order of `images.csv`."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, List, Sequence

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.images import Row
    from stages.tasks.pixels import Counts


LISTED = 30  # classes that are told one by one; of more, sums and extremes
FIRST = 5  # answers of many classes that are told
PREDICTED = ("path", "label", "predicted")


def write_predictions(path: Path, rows: Sequence[Row], probabilities: NDArray[np.float32]) -> None:
    """Write one row for each image: path, label, predicted class and all probabilities, [image, class].

    Of more than `LISTED` classes only the first five are written, as pairs of class and probability: 50,000 images of
    1,000 classes would take half a gigabyte.
    """
    classes = probabilities.shape[1]
    header = ["p%d" % index for index in range(classes)]
    if classes > LISTED:
        header = [name % place for place in range(FIRST) for name in ("c%d", "p%d")]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*PREDICTED, *header])
        for row, values in zip(rows, probabilities):
            told = _first(values) if classes > LISTED else map(_written, values)
            lines.writerow([row.path, row.label, int(values.argmax()), *told])


def _first(values: NDArray[np.float32]) -> List[str]:
    """Write the largest with their classes; of equals the earlier class first, as argmax does."""
    order = np.argsort(-values, kind="stable")[:FIRST]
    return [word for place in order for word in (str(place), _written(values[place]))]


def _written(value: np.float32) -> str:
    return "%.9g" % value  # nine digits restore a float32


def write_pixel_counts(path: Path, rows: Sequence[Row], counts: Counts) -> None:
    """Write one row for each image: pixels sought and found, sought only, found only, and neither."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "found", "missed", "false", "rest"])
        lines.writerows([row.path, *pixels] for row, pixels in zip(rows, counts.by_image.tolist()))
