"""Run the whole test split through a runtime, on as many threads as it has workers.

Batches are cut by position and come back in order, so the predictions do not depend on the number of workers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Callable, List, Sequence, Tuple

import numpy as np

from stages.benchmark.kept import Kept
from stages.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.benchmark.runtime import Probabilities, Runtime
    from stages.contract import Step
    from stages.images import ImageSet, Row

DECODED_AHEAD = 8  # images for each worker in one task: long enough to hide the hand-over


def predict(step: Step, runtime: Runtime, images: ImageSet, rows: Sequence[Row]) -> Tuple[Probabilities, int]:
    """Compute the probabilities for each row, [image, class or pixel]; also how many a dead attempt had made."""
    kept = Kept(step.partial, len(rows))
    progress = Progress(step, len(rows), "image", "accuracy")
    progress.advance(kept.count)
    idle: SimpleQueue[Callable[[NDArray[np.uint8]], Probabilities]] = SimpleQueue()
    for worker in runtime.workers:
        idle.put(worker)

    def task(part: Sequence[Row]) -> Probabilities:
        pixels = np.stack([images.load(row, runtime.input_size) for row in part])
        worker = idle.get()
        try:
            found = [worker(pixels[at : at + runtime.batch]) for at in range(0, len(part), runtime.batch)]
            return np.concatenate(found).reshape(len(part), -1)
        finally:
            idle.put(worker)

    size = max(runtime.batch, DECODED_AHEAD)
    parts = [rows[first : first + size] for first in range(kept.count, len(rows), size)]
    found: List[Probabilities] = [] if kept.rows is None else [kept.rows]
    with ThreadPoolExecutor(len(runtime.workers)) as pool:
        for part, probabilities in zip(parts, pool.map(task, parts)):
            found.append(probabilities)
            kept.add(probabilities)
            progress.advance(len(part))
    return np.concatenate(found), kept.count
