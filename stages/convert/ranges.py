"""From what calibration images did to each activation to the range that it is quantised with: one function a rule.

Which rule is best differs between networks and even between trainings of one, so none is preferred here: see search.py.
The rules look at extremes image by image. Quantiles over all values say little about sparse images, where nearly every
value is background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Collection, Dict, Set, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tflite.model import Model

Ranges = Dict[int, Tuple[float, float]]
Rule = Callable[["Statistics"], Ranges]

# swish(x) = x sigmoid(x) is above -0.0027 for every x below -8: what lies there is as good as -8, and would only widen
# the steps of everything else.
SWISH_LOW = -8.0


@dataclass(frozen=True)
class Statistics:
    """Extremes of each float activation for each calibration image; `lows` and `highs` are [activations, images].

    `tensors` are the activations' indices in the float flatbuffer.
    """

    tensors: Tuple[int, ...]
    lows: NDArray[np.float32]
    highs: NDArray[np.float32]

    @property
    def images(self) -> int:
        """Count the images."""
        return int(self.lows.shape[1])

    def joined(self, more: Statistics) -> Statistics:
        """Return the statistics of these images and more."""
        lows, highs = (np.concatenate(both, axis=1) for both in ((self.lows, more.lows), (self.highs, more.highs)))
        return Statistics(self.tensors, lows, highs)


def minimum_maximum(statistics: Statistics) -> Ranges:
    """Take the lowest and highest value of all images, as TensorFlow's own calibration does."""
    return _ranges(statistics, statistics.lows.min(axis=1), statistics.highs.max(axis=1))


def mean_of_extremes(statistics: Statistics) -> Ranges:
    """Take the mean of the images' lowest and highest values: one odd image no longer sets the range."""
    return _ranges(statistics, *_means(statistics))


def quantile_of_extremes(share: float) -> Rule:
    """Make the rule that lets the given share of the images lie within the range, on each side."""

    def rule(statistics: Statistics) -> Ranges:
        lows = np.quantile(statistics.lows, 1 - share, axis=1)
        return _ranges(statistics, lows, np.quantile(statistics.highs, share, axis=1))

    return rule


def between(weight: float) -> Rule:
    """Make the rule that goes `weight` of the way from the mean of the extremes to the most extreme values."""

    def rule(statistics: Statistics) -> Ranges:
        lows, highs = _means(statistics)
        lowest, highest = statistics.lows.min(axis=1), statistics.highs.max(axis=1)
        return _ranges(statistics, lows + weight * (lowest - lows), highs + weight * (highest - highs))

    return rule


RULES: Dict[str, Rule] = {
    "minimum-maximum": minimum_maximum,
    "quantile-98": quantile_of_extremes(0.98),
    "quantile-90": quantile_of_extremes(0.90),
    "mean-of-extremes": mean_of_extremes,
    "between": between(0.5),
}


def clip_swish(ranges: Ranges, swish_inputs: Collection[int]) -> Ranges:
    """Cut the lower end of the ranges of swish inputs where swish is nothing but zero."""
    return {
        index: (max(low, SWISH_LOW), max(high, 0.0)) if index in swish_inputs else (low, high)
        for index, (low, high) in ranges.items()
    }


def swish_inputs(model: Model) -> Set[int]:
    """Find the tensors whose only readers are the LOGISTIC of a swish and the MUL of it with the tensor itself."""
    readers: Dict[int, Set[int]] = {}
    for place, operator in enumerate(model.main.operators):
        for index in operator.inputs:
            readers.setdefault(index, set()).add(place)
    found = set()
    for place, operator in enumerate(model.main.operators):
        if operator.name != "LOGISTIC":
            continue
        entry, gate = operator.inputs[0], operator.outputs[0]
        products = {
            at
            for at in readers.get(gate, ())
            if model.main.operators[at].name == "MUL" and set(model.main.operators[at].inputs) == {entry, gate}
        }
        if products and readers[entry] == products | {place} and readers[gate] == products:
            found.add(entry)
    return found


def change(before: Ranges, after: Ranges) -> float:
    """Tell how far ranges moved: the median over the activations of the change of width, relative to the new width."""
    widths = [(before[index][1] - before[index][0], high - low) for index, (low, high) in after.items() if high > low]
    return float(np.median([abs(new - old) / new for old, new in widths])) if widths else 0.0


def _means(statistics: Statistics) -> Tuple[NDArray[np.float64], NDArray[np.float64]]:
    return statistics.lows.mean(axis=1, dtype=np.float64), statistics.highs.mean(axis=1, dtype=np.float64)


def _ranges(statistics: Statistics, lows: NDArray[Any], highs: NDArray[Any]) -> Ranges:
    return {index: (float(low), float(high)) for index, low, high in zip(statistics.tensors, lows, highs)}
