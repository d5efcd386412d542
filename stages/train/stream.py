"""Images from disk to the network in a fixed order, a few batches at a time: memory does not grow with the data set."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Deque, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.contract import InputError
from stages.images import Pixels, Row, as_floats

if TYPE_CHECKING:
    from stages.tasks import Task

AHEAD = 2  # batches that are decoded while one is used: enough to hide the disk

Example = Tuple[Pixels, NDArray[Any]]  # an image and its truth
Chunk = List["Future[Example]"]


class Stream:
    """The batches of some rows as a `tf.data.Dataset`, which reads anew, in the current order, whenever it is iterated.

    Own threads decode, since op determinism makes `Dataset.map` run one image at a time. An unreadable image ends the
    iteration; inside `guarded` it surfaces as the `InputError` that names it.
    """

    def __init__(self, task: Task, rows: Sequence[Row], size: int, batch: int, threads: int) -> None:
        self.rows = rows
        self.steps = -(-len(rows) // batch)
        self._task, self._size, self._batch, self._threads = task, size, batch, threads
        self._order = np.arange(len(rows))
        self._failure: Optional[InputError] = None
        self.dataset = self._make_dataset()

    def shuffle(self, seed: int, epoch: int) -> None:
        """Set the order for one epoch, which depends on nothing but the seed and the epoch."""
        self._order = np.random.default_rng([seed, epoch]).permutation(len(self.rows))

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn TensorFlow's wrapping of what went wrong in `dataset` back into the error itself."""
        try:
            yield
        except tf.errors.OpError:
            if self._failure is not None:
                raise self._failure from None
            raise

    def _make_dataset(self) -> Any:
        shape, kind = self._task.truth_like(self._size)
        signature = (
            tf.TensorSpec((None, self._size, self._size, 3), tf.float32),
            tf.TensorSpec((None, *shape), kind),
        )
        made = tf.data.Dataset.from_generator(self._batches, output_signature=signature)
        return made.apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(1)

    def _batches(self) -> Iterator[Tuple[NDArray[np.float32], NDArray[Any]]]:
        with ThreadPoolExecutor(self._threads, "decode") as pool:
            ahead: Deque[Chunk] = deque()
            for start in range(0, len(self.rows), self._batch):
                ahead.append([pool.submit(self._example, at) for at in self._order[start : start + self._batch]])
                if len(ahead) > AHEAD:
                    yield self._gather(ahead.popleft())
            while ahead:
                yield self._gather(ahead.popleft())

    def _example(self, position: int) -> Example:
        row = self.rows[position]
        return self._task.images.load(row, self._size), self._task.truth(row, self._size)

    def _gather(self, chunk: Chunk) -> Tuple[NDArray[np.float32], NDArray[Any]]:
        try:
            pixels, truths = zip(*(one.result() for one in chunk))
        except InputError as error:
            self._failure = error
            raise
        return as_floats(np.stack(pixels)), np.stack(truths)
