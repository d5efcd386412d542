"""How often a network is right, with 95 % intervals from resampling the images.

Everything is a function of the confusion matrix, so one statistic serves the point estimate and every resample. Needs
SciPy, which the images of benchmark, train and report have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from stages.contract import number

RESAMPLES = 2000
SEED = 20260101
LEVEL = 0.95
CHUNK_ELEMENTS = 4_000_000  # resampled images in memory at a time

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Accuracy:
    """Confusion matrix (rows: truth, columns: predicted) and metrics with their 95 % intervals."""

    classes: Tuple[str, ...]
    confusion: List[List[int]]
    values: Dict[str, float]
    intervals: Dict[str, Tuple[float, float]]

    @property
    def images(self) -> int:
        """Count the images."""
        return sum(map(sum, self.confusion))

    def numbers(self) -> List[Dict[str, Any]]:
        """Give the numbers of the record."""
        return [
            number(metric, value, "1", n=self.images, interval=self.intervals[metric])
            for metric, value in self.values.items()
        ]

    def document(self) -> Dict[str, Any]:
        """Describe for `accuracy.json`; scores are named as in the train stage's `metrics.json`."""
        recalls = ["recall_%s" % name for name in self.classes]
        return {
            "schema": "coralline.accuracy",
            "version": 1,
            "split": "test",
            "images": self.images,
            "classes": list(self.classes),
            "confusion_matrix": self.confusion,
            **{metric: value for metric, value in self.values.items() if metric not in recalls},
            "recall": {name: self.values[metric] for name, metric in zip(self.classes, recalls)},
            "intervals": {metric: list(interval) for metric, interval in self.intervals.items()},
            "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "level": LEVEL, "method": "percentile"},
        }


def evaluate(labels: Sequence[int], predicted: Sequence[int], classes: Sequence[str]) -> Accuracy:
    """Compare predictions with the truth."""
    cells = np.asarray(labels, np.int64) * len(classes) + np.asarray(predicted, np.int64)
    confusion = _confusions(cells[np.newaxis], len(classes))
    names = _names(classes)
    low, high = _intervals(cells, len(classes))
    return Accuracy(
        classes=tuple(classes),
        confusion=confusion[0].tolist(),
        values=dict(zip(names, _metrics(confusion)[:, 0].tolist())),
        intervals={name: (float(a), float(b)) for name, a, b in zip(names, low, high)},
    )


def _names(classes: Sequence[str]) -> List[str]:
    return ["balanced_accuracy", "accuracy", "macro_f1", *("recall_%s" % name for name in classes)]


def _confusions(cells: Counts, classes: int) -> Counts:
    """Count confusion matrices, one for each row of cell numbers (truth times classes plus prediction)."""
    size = classes * classes
    offsets = size * np.arange(len(cells))[:, np.newaxis]
    counts = np.bincount((cells + offsets).ravel(), minlength=size * len(cells))
    return counts.reshape(len(cells), classes, classes)


def _metrics(confusions: Counts) -> Floats:
    """Compute all metrics, [metric, matrix]; a class without images counts in no mean over classes."""
    right = np.diagonal(confusions, axis1=1, axis2=2).astype(np.float64)
    truth, predicted = confusions.sum(axis=2), confusions.sum(axis=1)
    recall = _ratio(right, truth)
    f1 = _ratio(2 * right, truth + predicted)
    accuracy = right.sum(axis=1) / truth.sum(axis=1)
    return np.vstack([_mean(recall), accuracy, _mean(f1), np.nan_to_num(recall).T])


def _ratio(part: Floats, whole: Any) -> Floats:
    """Divide, with NaN for nothing of nothing."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _mean(values: Floats) -> Floats:
    """Average over the classes that occur."""
    there = ~np.isnan(values)
    found: Floats = np.where(there, values, 0.0).sum(axis=1) / np.maximum(1, there.sum(axis=1))
    return found


def _intervals(cells: Counts, classes: int) -> Tuple[Floats, Floats]:
    """Percentile bootstrap over images."""

    def statistic(sample: Counts, axis: int = -1) -> Floats:
        del axis  # scipy asks for it; resamples always lie along the last one
        return _metrics(_confusions(np.atleast_2d(sample), classes))

    found = bootstrap(
        (cells,),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, CHUNK_ELEMENTS // len(cells)),
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(SEED),
    ).confidence_interval
    return found.low, found.high
