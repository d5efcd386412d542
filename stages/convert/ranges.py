"""From what calibration images did to each activation to the range that it is quantised with: one function a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Tuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Ranges = Dict[int, Tuple[float, float]]


@dataclass(frozen=True)
class Statistics:
    """Extremes of each float activation for each calibration image; `lows` and `highs` are [activations, images].

    `tensors` are the activations' indices in the float flatbuffer.
    """

    tensors: Tuple[int, ...]
    lows: NDArray[np.float32]
    highs: NDArray[np.float32]


def minimum_maximum(statistics: Statistics) -> Ranges:
    """Take the lowest and highest value of all images, as TensorFlow's own calibration does."""
    lows, highs = statistics.lows.min(axis=1), statistics.highs.max(axis=1)
    return {index: (float(low), float(high)) for index, low, high in zip(statistics.tensors, lows, highs)}
