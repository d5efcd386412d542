"""Segmentation: every pixel of an image is sought or not, a network names the probability for each.

IoU is the intersection over the union of the pixels that are sought and those that are found, of all images together.
Where 1 % of the pixels are sought, a network that finds nothing has a pixel accuracy of 0.99 and an IoU of 0: pixel
accuracy is told, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Sequence, Tuple

import numpy as np

from stages.images import ImageSet, Row
from stages.masks import Masks
from stages.tasks.pixels import Counts, PixelScores
from stages.tasks.score import LEAST, Score

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.tasks.pixels import PixelTest

THRESHOLD = 0.5  # from which probability on a pixel is found
OTHER = "other"


@dataclass(frozen=True)
class MaskScore(Score):
    """How a file's masks do on the judging images: `regret` is the IoU that the float network expects to lose."""

    worth: ClassVar[str] = "IoU"

    iou: float


class Segmentation:
    """The pixels of one data set that are sought; the truth of an image is a mask, [row, column, 1], of 0 and 1."""

    watched = "iou"

    def __init__(self, images: ImageSet, masks: Masks) -> None:
        self.images, self.masks = images, masks
        self.classes = (OTHER, masks.sought)

    def truth(self, row: Row, size: int) -> NDArray[np.float32]:
        """Give the mask of what is sought."""
        found: NDArray[np.float32] = self.masks.load(row, size).astype(np.float32)
        return found[..., np.newaxis]

    def truth_like(self, size: int) -> Tuple[Tuple[int, ...], str]:
        """Give shape and type of a mask."""
        return (size, size, 1), "float32"

    def loss(self) -> Any:
        """Give the loss: see `stages.tasks.learning`."""
        from stages.tasks.learning import overlap_and_entropy

        return overlap_and_entropy

    def measure(self) -> Any:
        """Give IoU as a Keras metric."""
        from stages.tasks.learning import intersection_over_union

        return intersection_over_union(THRESHOLD, self.watched)

    def test(self, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> PixelTest:
        """Count pixels."""
        from stages.tasks.pixels import PixelTest

        return PixelTest(self.classes, self._counts(rows, outputs, size))

    def compare(self, sure: NDArray[Any], said: NDArray[Any], truths: NDArray[Any]) -> MaskScore:
        """Compare masks with the float network's and with the truth; see `compare`."""
        return compare(sure, said, truths)

    def evaluate(self, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> PixelScores:
        """Give IoU, recalls and pixel accuracy with their intervals."""
        return PixelScores(self.classes, self._counts(rows, outputs, size))

    def write_predictions(self, out: Path, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> None:
        """Write the counts of each image, and all masks that were found as bits in `masks.npy`, [image, byte]."""
        from stages.predictions import write_pixel_counts

        write_pixel_counts(out / "predictions.csv", rows, self._counts(rows, outputs, size))
        np.save(out / "masks.npy", np.packbits(_found(outputs), axis=1))

    def _counts(self, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> Counts:
        counted = [Counts.of(self.truth(row, size).ravel() > 0, found) for row, found in zip(rows, _found(outputs))]
        return Counts.together(counted)


def open_task(step: Step) -> Segmentation:
    """Read the step's data set with its masks.

    Raises:
        InputError: it is damaged, or has none.
    """
    return Segmentation(ImageSet.read(step), Masks.read(step))


def compare(sure: NDArray[Any], said: NDArray[Any], truths: NDArray[Any]) -> MaskScore:
    """Compare two sets of probabilities, [image, ...], the float network's first, and the second with the truth.

    With p the float network's probabilities, the IoU that it expects of a mask M is sum(p M) / (sum(p) + sum(M) -
    sum(p M)): the regret is that of its own mask less that of the file's, for each image.
    """
    sure, said = (one.reshape(len(one), -1) for one in (sure, said))
    truth, found, own = truths.reshape(len(truths), -1) > 0, _found(said), _found(sure)
    theirs, apart = np.clip(said, LEAST, 1 - LEAST), divergences(sure, said)
    regrets = _expected_iou(sure, own) - _expected_iou(sure, found)
    counts = Counts.together([Counts.of(*pair) for pair in zip(truth, found)])
    return MaskScore(
        regret=float(regrets.mean()),
        divergence=float(apart.mean()),
        cross_entropy=float(-np.log(np.where(truth, theirs, 1 - theirs)).mean()),
        balanced_accuracy=counts.balanced_accuracy,
        agreement=float((found == own).mean()),
        regrets=regrets,
        divergences=apart,
        unseen=None,
        iou=counts.iou,
    )


def divergences(sure: NDArray[Any], said: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the mean of KL(sure || said) over the pixels of each image, nats, of probabilities [image, ...]."""
    ours, theirs = (np.clip(one.reshape(len(one), -1), LEAST, 1 - LEAST).astype(np.float64) for one in (sure, said))
    apart = ours * np.log(ours / theirs) + (1 - ours) * np.log((1 - ours) / (1 - theirs))
    found: NDArray[np.float64] = apart.mean(axis=1)
    return found


def _found(outputs: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels a network finds, [image, pixel]."""
    found: NDArray[np.bool_] = outputs.reshape(len(outputs), -1) >= THRESHOLD
    return found


def _expected_iou(probabilities: NDArray[Any], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what the probabilities expect of masks; nothing found where nothing is expected is right."""
    right = (probabilities * found).sum(axis=1, dtype=np.float64)
    union = probabilities.sum(axis=1, dtype=np.float64) + found.sum(axis=1) - right
    expected: NDArray[np.float64] = np.divide(right, union, out=np.ones_like(right), where=union > 0)
    return expected
