"""Classification: an image belongs to one class, a network names the probability of each.

What ranks candidates of a conversion is the regret: how much less sure the float network is of the candidate's answer
than of its own, on average over the images of a class, and over the classes: what a rare class loses weighs as much as
what a frequent one does. It is the balanced accuracy that the float network itself expects to lose. A change
between two answers that are nearly as likely counts little, so there is less noise in it than in counts of right or
equal answers, and unlike a divergence it does not mind answers that are right and only less sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence, Tuple

import numpy as np

from stages.contract import InputError
from stages.images import ImageSet, Row
from stages.tasks.score import LEAST, Score

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.accuracy import Accuracy
    from stages.contract import Step
    from stages.train.scores import Scores


class Classification:
    """The classes of one data set; the truth of an image is its class as an index."""

    watched = "accuracy"

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.classes = images.classes

    def truth(self, row: Row, size: int) -> NDArray[np.int32]:
        """Give the class."""
        del size
        return np.asarray(row.label, np.int32)

    def truth_like(self, size: int) -> Tuple[Tuple[int, ...], str]:
        """Give shape and type of a class."""
        del size
        return (), "int32"

    def loss(self) -> str:
        """Name Keras' cross-entropy."""
        return "sparse_categorical_crossentropy"

    def measure(self) -> str:
        """Name Keras' share of right answers."""
        return "accuracy"

    def test(self, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> Scores:
        """Count right and wrong answers."""
        from stages.train.scores import Scores

        del size
        return Scores(self.classes, np.array([row.label for row in rows], np.int64), outputs)

    def compare(self, sure: NDArray[Any], said: NDArray[Any], truths: NDArray[Any]) -> Score:
        """Compare probabilities with the float network's and with the labels; see `compare`."""
        return compare(sure, said, truths)

    def evaluate(self, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> Accuracy:
        """Give accuracies with their intervals."""
        from stages.accuracy import among_first, evaluate

        del size
        labels = [row.label for row in rows]
        return evaluate(labels, outputs.argmax(axis=1).tolist(), self.classes, among_first(outputs, labels))

    def write_predictions(self, out: Path, rows: Sequence[Row], outputs: NDArray[np.float32], size: int) -> None:
        """Write all probabilities; of many classes the largest."""
        from stages.predictions import write_predictions

        del size
        write_predictions(out / "predictions.csv", rows, outputs)


def open_task(step: Step) -> Classification:
    """Read the step's data set.

    Raises:
        InputError: it is damaged, or has one class.
    """
    images = ImageSet.read(step)
    if len(images.classes) < 2:
        raise InputError("the data set has one class: '%s'" % images.classes[0], "give data of two classes or more")
    return Classification(images)


def compare(sure: NDArray[Any], said: NDArray[Any], labels: NDArray[Any]) -> Score:
    """Compare two sets of probabilities, [image, class], the float network's first, and the second with the labels.

    The regret is p(float's answer) - p(the file's answer), with the float network's p: the mean over the classes of the
    mean over the images of each. Every image's own is weighted so that their plain mean is that.
    """
    images = np.arange(len(said))
    clipped, apart = np.clip(said, LEAST, 1), divergences(sure, said)
    regrets = _weights(labels) * (sure.max(axis=1) - sure[images, said.argmax(axis=1)])
    right = said.argmax(axis=1) == labels
    return Score(
        regret=float(regrets.mean()),
        divergence=float(apart.mean()),
        cross_entropy=float(-np.log(clipped[images, labels]).mean()),
        balanced_accuracy=float(np.mean([right[labels == one].mean() for one in np.unique(labels)])),
        agreement=float((said.argmax(axis=1) == sure.argmax(axis=1)).mean()),
        regrets=regrets,
        divergences=apart,
        unseen=None,
    )


def _weights(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Weigh images so that all classes that there are weigh alike: 1 where they have as many images."""
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    found: NDArray[np.float64] = len(labels) / (len(counts) * counts[places])
    return found


def divergences(sure: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute KL(sure || said) in nats for each image of two sets of probabilities, [image, class]."""
    ours, theirs = (np.clip(one, LEAST, 1) for one in (sure, said))
    found: NDArray[np.float64] = (ours * np.log(ours / theirs)).sum(axis=1)
    return found
