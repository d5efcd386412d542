"""Scores candidates on labelled images of the training split that no calibration sees; the test split decides nothing.

Two families of kernels run int8 files on processors: XNNPACK's, which LiteRT takes, and TFLite's built-in ones, which
tflite-runtime 2.14 takes. They round differently, and a file can fit the one and lose much with the other, most of all
one that was searched for. So a file is chosen by its worse score of the two.

The first of them are those that training kept for validation; more are taken from the training images where these are
few. On images that it was trained on a network is surer than on others, so scores are compared with the float network's
on the same images and never quoted as an accuracy.

What ranks candidates depends on the task: stages/tasks.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf

from stages.convert.interpreter import inner_interpreter
from stages.images import ImageSet, Row, as_floats, stratified
from stages.tasks.classification import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.source import Source
    from stages.tasks.score import Score

SEED = 1  # which images judge is not what a calibration seed varies
CHUNK = 16  # images that a thread takes at a time
LEAST_UNSEEN = 60  # with fewer images, two or three would decide

Run = Callable[["NDArray[np.uint8]"], "NDArray[np.float64]"]  # an image, [row, column, channel], to the answer
Runners = Callable[[bytes], Run]
Compare = Callable[["NDArray[Any]", "NDArray[Any]", "NDArray[Any]"], "Score"]  # the float network's, a file's, truth


class Judge:
    """The judging images, decoded once, with what the float network says of them."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        truths: Union[Sequence[Any], NDArray[Any]],
        flatbuffer: bytes,
        threads: int,
        *,
        compare: Compare = compare,
        answers: Optional[NDArray[np.float64]] = None,
        unseen: int = 0,
    ) -> None:
        """Take the `answers` of the float network where they are known; `compare` is that of the task.

        The first `unseen` images are those that training did not learn from.
        """
        self._unseen = unseen
        self._pixels, self._truths, self._threads = pixels, np.asarray(truths), max(1, threads)
        self._flatbuffer, self._compare = flatbuffer, compare
        self._float = predict(flatbuffer, pixels, self._threads) if answers is None else answers
        self.reference = compare(self._float, self._float, self._truths)

    def score(self, content: bytes) -> Score:
        """Run a file on all judging images, with XNNPACK's kernels."""
        return self._scored(content, runner)

    def check(self, content: bytes) -> Score:
        """Run a file on all judging images, with the built-in kernels, which take half as long again and more."""
        return self._scored(content, built_in_runner)

    def worse(self, content: bytes) -> Score:
        """Give the worse of both scores."""
        return max(self.score(content), self.check(content), key=lambda score: score.order)

    def halves(self) -> Tuple[Judge, Judge]:
        """Divide the images in two, every other one: what was searched on one half is decided on the other."""
        return self._part(slice(0, None, 2)), self._part(slice(1, None, 2))

    @property
    def images(self) -> int:
        """Count the images."""
        return len(self._truths)

    def _scored(self, content: bytes, make: Runners) -> Score:
        said = predict(content, self._pixels, self._threads, make)
        score = self._compare(self._float, said, self._truths)
        if not LEAST_UNSEEN <= self._unseen < self.images:
            return score
        first = slice(self._unseen)
        return replace(score, unseen=self._compare(self._float[first], said[first], self._truths[first]))

    def _part(self, images: slice) -> Judge:
        pixels, truths, answers = self._pixels[images], self._truths[images], self._float[images]
        unseen = len(range(self._unseen)[images])
        return Judge(
            pixels, truths, self._flatbuffer, self._threads, compare=self._compare, answers=answers, unseen=unseen
        )


def judging_rows(source: Source, images: ImageSet) -> List[Row]:
    """Choose the judging images, the same for every calibration seed; half of the others at least are left for it."""
    wanted = int(source.step.parameters["judging_images"])
    kept, rows = set(source.validation_images), images.rows("train")
    first = stratified([row for row in rows if row.path in kept], "judging", SEED, count=wanted)
    others = [row for row in rows if row.path not in kept]
    return first + stratified(others, "judging", SEED, count=min(wanted - len(first), len(others) // 2))


def unseen(source: Source, judged: Sequence[Row]) -> int:
    """Count the judging images that training kept for validation; they come first.

    Of weights that were brought and not trained on here nobody knows what they learnt from: none counts as kept.
    """
    kept = set(source.validation_images) if source.description.get("best_epoch", 1) else set()
    return sum(row.path in kept for row in judged)


def runner(content: bytes) -> Run:
    """Make what runs a file on one image by XNNPACK where that can; on one thread: on small graphs several spin."""
    return _run(tf.lite.Interpreter(model_content=content, num_threads=1))


def built_in_runner(content: bytes) -> Run:
    """Make what runs a file on one image by the built-in kernels."""
    return _run(inner_interpreter(content))


def predict(content: bytes, pixels: NDArray[np.uint8], threads: int, make: Runners = runner) -> NDArray[np.float64]:
    """Compute answers, [image, ...], by TensorFlow's interpreter, one image at a time."""
    local = threading.local()

    def task(first: int) -> NDArray[np.float64]:
        if not hasattr(local, "run"):
            local.run = make(content)
        return np.stack([local.run(image) for image in pixels[first : first + CHUNK]])

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(task, range(0, len(pixels), CHUNK))))


def _run(interpreter: Any) -> Run:
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = end["quantization"]

    def run(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        interpreter.set_tensor(entry["index"], (as_floats(image) if entry["dtype"] is np.float32 else image)[None])
        interpreter.invoke()
        found: NDArray[np.float64] = interpreter.get_tensor(end["index"])[0].astype(np.float64)
        return (found - zero_point) * scale if scale else found

    return run
