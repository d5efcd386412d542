"""How often a network is right, with 95 % intervals from resampling the images.

One statistic serves the point estimate and every resample; it counts by class and never by pair of classes, so a
thousand classes cost little more than three. Needs SciPy, which the images of benchmark, train and report have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm

from stages.contract import number
from stages.predictions import FIRST, LISTED

RESAMPLES = 2000
SEED = 20260101
LEVEL = 0.95
METHOD = "percentile; macro_f1: standard error"
CHUNK_ELEMENTS = 4_000_000  # resampled images, or counts of classes, in memory at a time
CONFUSED = 20  # pairs of many classes that are told
MANY = 10  # classes from which on it is told whether the truth is among the first answers
AMONG_FIRST = "top_5_accuracy"
MACRO_F1 = 2  # its place among the metrics

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


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
        """Give the numbers of the record: recalls of classes only where these are few."""
        recalls = set() if len(self.classes) <= LISTED else set(_recalls(self.classes))
        return [
            number(metric, value, "1", n=self.images, interval=self.intervals[metric])
            for metric, value in self.values.items()
            if metric not in recalls
        ]

    def document(self) -> Dict[str, Any]:
        """Describe for `accuracy.json`; scores are named as in the train stage's `metrics.json`."""
        recalls = _recalls(self.classes)
        return {
            "schema": "coralline.accuracy",
            "version": 1,
            "split": "test",
            "images": self.images,
            "classes": list(self.classes),
            **describe_confusion(np.asarray(self.confusion), self.classes),
            **{metric: value for metric, value in self.values.items() if metric not in recalls},
            "recall": {name: self.values[metric] for name, metric in zip(self.classes, recalls)},
            "intervals": {metric: list(interval) for metric, interval in self.intervals.items()},
            "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "level": LEVEL, "method": METHOD},
        }


def evaluate(
    labels: Sequence[int], predicted: Sequence[int], classes: Sequence[str], first: Optional[Flags] = None
) -> Accuracy:
    """Compare predictions with the truth; `first` says of each image whether the truth was among the first answers."""
    truth, said = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    among = np.zeros((0, len(truth)), np.bool_) if first is None else first[np.newaxis]
    names = _names(classes)[: None if first is not None else -1]

    def metrics(drawn: Counts) -> Floats:
        return np.vstack([_metrics(*_count(truth[drawn], said[drawn], len(classes))), among[:, drawn].mean(axis=-1)])

    values = metrics(np.arange(len(truth))[np.newaxis])[:, 0]
    low, high = _intervals(metrics, values, len(truth), len(classes))
    return Accuracy(
        classes=tuple(classes),
        confusion=_confusion(truth, said, len(classes)).tolist(),
        values=dict(zip(names, values.tolist())),
        intervals={name: (float(a), float(b)) for name, a, b in zip(names, low, high)},
    )


def among_first(outputs: NDArray[Any], labels: Union[Sequence[int], Counts]) -> Optional[Flags]:
    """Say of each image whether its class is among the first five, [image, class]; None where classes are few.

    Of classes that are named with the same probability the earlier one comes first, as it does in the answer itself:
    an 8-bit softmax is 0 for most of many classes.
    """
    if outputs.shape[1] <= MANY:
        return None
    truth = np.asarray(labels)[:, np.newaxis]
    own = np.take_along_axis(outputs, truth, axis=1)
    ahead = (outputs > own) | ((outputs == own) & (np.arange(outputs.shape[1]) < truth))
    found: Flags = ahead.sum(axis=1) < FIRST
    return found


def describe_confusion(counts: Counts, classes: Sequence[str]) -> Dict[str, Any]:
    """Give the confusion matrix, or, of many classes, the pairs that are confused most often."""
    if len(classes) <= LISTED:
        return {"confusion_matrix": counts.tolist()}
    wrong = counts * (1 - np.eye(len(classes), dtype=np.int64))
    most = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED].tolist()
    pairs = [(place // len(classes), place % len(classes)) for place in most]
    told = [
        {"truth": classes[truth], "predicted": classes[said], "images": int(wrong[truth, said])}
        for truth, said in pairs
        if wrong[truth, said]
    ]
    return {"confused": told}


def _recalls(classes: Sequence[str]) -> List[str]:
    return ["recall_%s" % name for name in classes]


def _names(classes: Sequence[str]) -> List[str]:
    return ["balanced_accuracy", "accuracy", "macro_f1", *_recalls(classes), AMONG_FIRST]


def _confusion(truth: Counts, said: Counts, classes: int) -> Counts:
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def _count(truth: Counts, said: Counts, classes: int) -> Tuple[Counts, Counts, Counts]:
    """Count for each class what is right, what there is and what is named, each [resample, class]."""
    rows = classes * np.arange(len(truth))[:, np.newaxis]

    def count(cells: Counts) -> Counts:
        return np.bincount(cells.ravel(), minlength=classes * len(truth)).reshape(len(truth), classes)

    return count((truth + rows)[truth == said]), count(truth + rows), count(said + rows)


def _metrics(right: Counts, truth: Counts, named: Counts) -> Floats:
    """Compute all metrics, [metric, resample]; a class without images counts in no mean over classes."""
    recall = _ratio(right.astype(np.float64), truth)
    f1 = _ratio(2.0 * right, truth + named)
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


def _intervals(metrics: Callable[[Counts], Floats], values: Floats, images: int, classes: int) -> Tuple[Floats, Floats]:
    """Percentile bootstrap over images, which are given by their places; of macro F1 by its standard error.

    F1 is no mean over images: where a class has few, resamples without any of them draw it down, and the percentiles
    with it, as far as away from the value.
    """

    def statistic(drawn: Counts, axis: int = -1) -> Floats:
        del axis  # scipy asks for it; resamples always lie along the last one
        return metrics(np.atleast_2d(drawn))

    made = bootstrap(
        (np.arange(images),),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, CHUNK_ELEMENTS // max(images, classes)),
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(SEED),
    )
    low, high = made.confidence_interval.low, made.confidence_interval.high
    half = norm.ppf((1 + LEVEL) / 2) * made.standard_error[MACRO_F1]
    low[MACRO_F1], high[MACRO_F1] = np.clip(values[MACRO_F1] + np.array([-half, half]), 0, 1)
    return low, high
