"""Images from disk to the network in a fixed order, a few batches at a time: memory does not grow with the data set."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Deque, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stages.contract import InputError
from stages.images import ImageSet, Pixels, Row, as_floats

AHEAD = 2  # batches that are decoded while one is used: enough to hide the disk

Chunk = Tuple[List["Future[Pixels]"], NDArray[np.int32]]


class Stream:
    """The batches of some rows as a `tf.data.Dataset`, which reads anew, in the current order, whenever it is iterated.

    Own threads decode, since op determinism makes `Dataset.map` run one image at a time. An unreadable image ends the
    iteration; inside `guarded` it surfaces as the `InputError` that names it.
    """

    def __init__(self, images: ImageSet, rows: Sequence[Row], size: int, batch: int, threads: int) -> None:
        self.rows = rows
        self.steps = -(-len(rows) // batch)
        self._images, self._size, self._batch, self._threads = images, size, batch, threads
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
        signature = (
            tf.TensorSpec((None, self._size, self._size, 3), tf.float32),
            tf.TensorSpec((None,), tf.int32),
        )
        made = tf.data.Dataset.from_generator(self._batches, output_signature=signature)
        return made.apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(1)

    def _batches(self) -> Iterator[Tuple[NDArray[np.float32], NDArray[np.int32]]]:
        with ThreadPoolExecutor(self._threads, "decode") as pool:
            ahead: Deque[Chunk] = deque()
            for start in range(0, len(self.rows), self._batch):
                ahead.append(self._submit(pool, self._order[start : start + self._batch]))
                if len(ahead) > AHEAD:
                    yield self._gather(ahead.popleft())
            while ahead:
                yield self._gather(ahead.popleft())

    def _submit(self, pool: ThreadPoolExecutor, positions: NDArray[Any]) -> Chunk:
        rows = [self.rows[position] for position in positions]
        labels = np.array([row.label for row in rows], dtype=np.int32)
        return [pool.submit(self._images.load, row, self._size) for row in rows], labels

    def _gather(self, chunk: Chunk) -> Tuple[NDArray[np.float32], NDArray[np.int32]]:
        decoded, labels = chunk
        try:
            return as_floats(np.stack([one.result() for one in decoded])), labels
        except InputError as error:
            self._failure = error
            raise
