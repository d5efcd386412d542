"""What the benchmark step on the Edge TPU said of each image, read from its `predictions.csv`.

The file holds (value - zero point) * scale in float32, to nine digits: that gives the output's bytes back. Where it
does not, exactly, or holds only the largest of many classes, the predictions alone count.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

import numpy as np

from stages.contract import InputError
from stages.parity.compare import Seen
from stages.predictions import PREDICTED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.images import Row
    from stages.tflite.model import Tensor

RUNTIME = "edgetpu"


def recorded(path: Path, rows: Sequence[Row], output: Tensor) -> Seen:
    """Read what was said of these images.

    Raises:
        InputError: an image is not among them.
    """
    is_whole, lines = _lines(path)
    unknown = [row.path for row in rows if row.path not in lines]
    if unknown:
        raise InputError(
            "the predictions of the Edge TPU lack image '%s'" % unknown[0], "measure on the Edge TPU again"
        )
    chosen = [lines[row.path] for row in rows]
    predicted = np.array([int(words[0]) for words in chosen], np.int64)
    if not is_whole:
        return Seen(RUNTIME, predicted, None)
    real = np.array([[float(word) for word in words[1:]] for words in chosen], np.float32)
    return Seen(RUNTIME, predicted, values_of(real, output))


def values_of(real: NDArray[np.float32], output: Tensor) -> Optional[NDArray[np.int64]]:
    """Find the whole numbers that were turned into these real ones; None when they are not such."""
    scale, zero_point = np.float32(output.scales[0]), output.zero_points[0]
    values = np.rint(real.astype(np.float64) / float(scale)).astype(np.int64) + zero_point
    again = (values.astype(np.float32) - np.float32(zero_point)) * scale  # as stages/benchmark/interpreter.py does
    return values if np.array_equal(again, real) else None


def _lines(path: Path) -> Tuple[bool, Dict[str, List[str]]]:
    """Map each image to its predicted class and its probabilities; say first whether these are all."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        is_whole = next(reader)[len(PREDICTED)] == "p0"
        return is_whole, {line[0]: line[2:] for line in reader}
