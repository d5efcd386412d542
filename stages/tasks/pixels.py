"""Pixels that are sought and found, counted by image; every score is one of their sums, with intervals over images.

An interval comes from drawing images anew and not pixels: pixels of one image are right or wrong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from stages.contract import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
SEED = 20260101
LEVEL = 0.95
CHUNK_ELEMENTS = 4_000_000  # resampled images in memory at a time
FEWEST = 2  # images that are needed for an interval
FIELDS = ("found", "missed", "false", "rest")  # sought and found, sought only, found only, neither


@dataclass(frozen=True)
class Counts:
    """Pixels of each image, [image, field], in the order of `FIELDS`."""

    by_image: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> Counts:
        """Count one image."""
        both, sought, named = int((truth & found).sum()), int(truth.sum()), int(found.sum())
        return cls(np.array([[both, sought - both, named - both, truth.size - sought - named + both]], np.int64))

    @classmethod
    def together(cls, parts: Sequence[Counts]) -> Counts:
        """Put images one after the other."""
        return cls(np.concatenate([part.by_image for part in parts]))

    @property
    def images(self) -> int:
        """Count the images."""
        return len(self.by_image)

    @property
    def iou(self) -> float:
        """Intersection over union, of all images together."""
        return float(_scores(self.by_image.sum(axis=0))[0])

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the recalls of what is sought and of all else."""
        return float(_scores(self.by_image.sum(axis=0))[1:3].mean())

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Pixels by truth (rows: other, sought) and by what was said of them (columns)."""
        found, missed, false, rest = self.by_image.sum(axis=0)
        return np.array([[rest, false], [missed, found]], np.int64)


def _scores(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute IoU, recall of what is sought and of the rest, precision and pixel accuracy, [score, ...].

    `sums` is [..., field]. What has no pixel at all is right: nothing was sought, and nothing found. Nothing found
    where something is sought has a precision of 0.
    """
    found, missed, false, rest = np.moveaxis(sums.astype(np.float64), -1, 0)
    return np.stack(
        [
            _share(found, found + missed + false),
            _share(found, found + missed),
            _share(rest, rest + false),
            np.where((found + false == 0) & (missed > 0), 0.0, _share(found, found + false)),
            _share(found + rest, found + missed + false + rest),
        ]
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
    return found


@dataclass(frozen=True)
class PixelScores:
    """Scores of the test split with 95 % intervals over images; `classes` names other pixels and those sought."""

    classes: Tuple[str, ...]
    counts: Counts

    @property
    def names(self) -> List[str]:
        """Name the scores, IoU first."""
        other, sought = self.classes
        return ["iou", "recall_%s" % sought, "recall_%s" % other, "precision_%s" % sought, "pixel_accuracy"]

    @property
    def values(self) -> Dict[str, float]:
        """Give each score of all images together."""
        return dict(zip(self.names, _scores(self.counts.by_image.sum(axis=0)).tolist()))

    @property
    def intervals(self) -> Dict[str, Tuple[float, float]]:
        """Give the interval of each score; none for a single image."""
        images = self.counts.by_image
        if len(images) < FEWEST:
            return {}
        low, high = _interval(lambda drawn: _scores(images[drawn].sum(axis=-2)), len(images))
        return {name: (float(a), float(b)) for name, a, b in zip(self.names, low, high)}

    def numbers(self) -> List[Dict[str, Any]]:
        """Give the numbers of the record."""
        intervals = self.intervals
        return [
            number(name, value, "1", n=self.counts.images, interval=intervals.get(name))
            for name, value in self.values.items()
        ]

    def document(self) -> Dict[str, Any]:
        """Describe for `accuracy.json`."""
        return {
            "schema": "coralline.segmentation",
            "version": 1,
            "split": "test",
            "images": self.counts.images,
            "classes": list(self.classes),
            "pixels": dict(zip(FIELDS, self.counts.by_image.sum(axis=0).tolist())),
            **self.values,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "bootstrap": {
                "over": "images",
                "resamples": RESAMPLES,
                "seed": SEED,
                "level": LEVEL,
                "method": "percentile",
            },
        }


@dataclass(frozen=True)
class PixelTest:
    """What the train stage tells of the test split."""

    classes: Tuple[str, ...]
    counts: Counts

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Pixels: a row for each true class, a column for each that was named."""
        return self.counts.confusion

    def as_json(self) -> Dict[str, Any]:
        """All scores as plain values."""
        return {
            "images": self.counts.images,
            "classes": list(self.classes),
            "confusion_matrix": self.confusion.tolist(),
            **PixelScores(self.classes, self.counts).values,
        }

    def report(self) -> str:
        """Write all scores as text."""
        values = PixelScores(self.classes, self.counts).values
        return "".join("%-24s %.4f\n" % (name, value) for name, value in values.items())


def iou_difference(before: Counts, after: Counts) -> Tuple[float, Tuple[float, float]]:
    """Return the IoU of `after` less that of `before`, of the same images, with the interval of the difference."""

    def difference(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        ones, others = (_scores(one.by_image[drawn].sum(axis=-2))[0] for one in (after, before))
        apart: NDArray[np.float64] = ones - others
        return apart

    low, high = _interval(difference, before.images)
    return after.iou - before.iou, (float(low), float(high))


def _interval(score: Callable[[NDArray[np.int64]], NDArray[np.float64]], images: int) -> Tuple[Any, Any]:
    """Percentile bootstrap of a score of images, which are given by their places, [resample, image]."""
    from scipy.stats import bootstrap

    def statistic(drawn: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        del axis  # scipy asks for it; resamples always lie along the last one
        return score(drawn)

    found = bootstrap(
        (np.arange(images),),
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, CHUNK_ELEMENTS // (len(FIELDS) * images)),
        vectorized=True,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(SEED),
    ).confidence_interval
    return found.low, found.high
