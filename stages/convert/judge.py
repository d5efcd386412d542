"""Scores candidates on labelled images of the training split that no calibration sees; the test split decides nothing.

The first of them are those that training kept for validation; more are taken from the training images where these are
few. On images that it was trained on a network is surer than on others, so scores are compared with the float network's
on the same images and never quoted as an accuracy.

What ranks candidates is the regret: how much less sure the float network is of the candidate's answer than of its own,
on average over the images. It is the accuracy that the float network itself expects to lose. A change between two
answers that are nearly as likely counts little, so there is less noise in it than in counts of right or equal answers,
and unlike a divergence it does not mind answers that are right and only less sure.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from stages.images import ImageSet, Row, as_floats, stratified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.source import Source

LEAST = 1 / 512  # half a step of an 8-bit softmax: what a probability of zero may have been
SEED = 1  # which images judge is not what a calibration seed varies
CHUNK = 16  # images that a thread takes at a time
# Regret up to which nothing more is tried. int8 may cost 0.010 of balanced accuracy. On 600 images a regret of this
# size has a standard error of 0.0015, and some of them may be training images, of which the float network is surer
# than of others: two standard errors, or a loss of 1.6 times the regret (the most that was measured), are within it.
TOLERANCE = 0.006
OF_IMAGES = ("regrets", "divergences")  # fields of a score that no document tells
SURE = 2.0  # standard errors from which on a difference on the same images is one


@dataclass(frozen=True)
class Score:
    """How a file does on the judging images.

    `regret` is the mean of p(float's answer) - p(the file's answer), with the float network's p; `divergence` the mean
    of KL(float || file) in nats; `agreement` the share of equal answers. `regrets` and `divergences` have one entry for
    each image.
    """

    regret: float
    divergence: float
    cross_entropy: float
    balanced_accuracy: float
    agreement: float
    regrets: NDArray[np.float64] = field(compare=False, repr=False)
    divergences: NDArray[np.float64] = field(compare=False, repr=False)

    @property
    def is_within_tolerance(self) -> bool:
        """Whether so little is lost that nothing more need be tried."""
        return self.regret <= TOLERANCE

    @property
    def order(self) -> Tuple[float, float]:
        """Sort by the expected loss of accuracy; by the divergence where that is equal."""
        return self.regret, self.divergence

    def betters(self, other: Score) -> bool:
        """Whether the divergence is less than another's on the same images, by more than noise, and the regret no more.

        The regret changes with the few images whose answers change: what one try does to it is mostly within its noise.
        """
        surer, surer_noise = _paired(other.divergences, self.divergences)
        lost, lost_noise = _paired(self.regrets, other.regrets)
        return surer > SURE * surer_noise and lost <= lost_noise

    def document(self) -> Dict[str, float]:
        """Describe for `conversion.json`."""
        return {name: round(float(value), 6) for name, value in vars(self).items() if name not in OF_IMAGES}


class Judge:
    """The judging images, decoded once, with what the float network says of them."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: Sequence[int],
        flatbuffer: bytes,
        threads: int,
        *,
        answers: Optional[NDArray[np.float64]] = None,
    ) -> None:
        """Take the `answers` of the float network where they are known."""
        self._pixels, self._labels, self._threads = pixels, np.asarray(labels), max(1, threads)
        self._flatbuffer = flatbuffer
        self._float = predict(flatbuffer, pixels, self._threads) if answers is None else answers
        self.reference = self._compare(self._float)

    def score(self, content: bytes) -> Score:
        """Run a file on all judging images."""
        return self._compare(predict(content, self._pixels, self._threads))

    def halves(self) -> Tuple[Judge, Judge]:
        """Divide the images in two, every other one: what was searched on one half is decided on the other."""
        return self._part(slice(0, None, 2)), self._part(slice(1, None, 2))

    @property
    def images(self) -> int:
        """Count the images."""
        return len(self._labels)

    def _part(self, images: slice) -> Judge:
        pixels, labels, answers = self._pixels[images], self._labels[images], self._float[images]
        return Judge(pixels, labels.tolist(), self._flatbuffer, self._threads, answers=answers)

    def _compare(self, found: NDArray[np.float64]) -> Score:
        said, apart = np.clip(found, LEAST, 1), divergences(self._float, found)
        regrets = self._float.max(axis=1) - self._float[np.arange(len(found)), found.argmax(axis=1)]
        right = found.argmax(axis=1) == self._labels
        return Score(
            regret=float(regrets.mean()),
            divergence=float(apart.mean()),
            cross_entropy=float(-np.log(said[np.arange(len(said)), self._labels]).mean()),
            balanced_accuracy=float(np.mean([right[self._labels == one].mean() for one in np.unique(self._labels)])),
            agreement=float((found.argmax(axis=1) == self._float.argmax(axis=1)).mean()),
            regrets=regrets,
            divergences=apart,
        )


def divergences(sure: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute KL(sure || said) in nats for each image of two sets of probabilities, [image, class]."""
    ours, theirs = (np.clip(one, LEAST, 1) for one in (sure, said))
    found: NDArray[np.float64] = (ours * np.log(ours / theirs)).sum(axis=1)
    return found


def _paired(ones: NDArray[np.float64], others: NDArray[np.float64]) -> Tuple[float, float]:
    """Mean of the differences, and its standard error."""
    difference = ones - others
    return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))


def judging_rows(source: Source, images: ImageSet) -> List[Row]:
    """Choose the judging images, the same for every calibration seed; half of the others at least are left for it."""
    wanted = int(source.step.parameters["judging_images"])
    kept, rows = set(source.validation_images), images.rows("train")
    first = stratified([row for row in rows if row.path in kept], "judging", SEED, count=wanted)
    others = [row for row in rows if row.path not in kept]
    return first + stratified(others, "judging", SEED, count=min(wanted - len(first), len(others) // 2))


def predict(content: bytes, pixels: NDArray[np.uint8], threads: int) -> NDArray[np.float64]:
    """Compute probabilities, [image, class], by TensorFlow's interpreter: XNNPACK where it can, one image at a time."""
    local = threading.local()

    def task(first: int) -> NDArray[np.float64]:
        if not hasattr(local, "run"):
            local.run = _runner(content)
        return np.stack([local.run(image) for image in pixels[first : first + CHUNK]])

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(task, range(0, len(pixels), CHUNK))))


def _runner(content: bytes) -> Any:
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)  # several threads only spin on small graphs
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = end["quantization"]

    def run(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        interpreter.set_tensor(entry["index"], (as_floats(image) if entry["dtype"] is np.float32 else image)[None])
        interpreter.invoke()
        found: NDArray[np.float64] = interpreter.get_tensor(end["index"])[0].astype(np.float64)
        return (found - zero_point) * scale if scale else found

    return run
