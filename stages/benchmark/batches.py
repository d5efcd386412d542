"""How many images a second a network takes in batches: sizes are doubled until that brings hardly anything.

All workers run batches of their own meanwhile: what is found is what the machine can do, not one of its cores.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from stages.benchmark.runtime import TooLargeError
from stages.contract import number

WORTH_IT = 1.03  # a larger batch must bring as much more, or it only costs latency
PATIENCE = 2  # sizes in a row that bring nothing: one may be slow by accident, or by its shape
FEWEST = 2  # timed batches of each worker

Clock = Callable[[], float]


@dataclass(frozen=True)
class Batch:
    """What was measured with one size: `streams` batches at a time, `images` in all."""

    size: int
    streams: int
    images: int
    images_per_second: float

    @property
    def seconds(self) -> float:
        """How long one batch takes."""
        return self.streams * self.size / self.images_per_second

    def document(self) -> Dict[str, Any]:
        """Describe it for `latency.json`."""
        return {"batch": self.size, "images": self.images, "images_per_second": self.images_per_second}


@dataclass(frozen=True)
class Batches:
    """The sizes that were measured, and why there are no more."""

    found: Tuple[Batch, ...]
    ended: str

    @property
    def best(self) -> Batch:
        """The smallest batch that no larger one beats by more than it is worth."""
        most = max(batch.images_per_second for batch in self.found)
        return next(batch for batch in self.found if batch.images_per_second * WORTH_IT >= most)

    def numbers(self) -> List[Dict[str, Any]]:
        """Give the numbers of the record."""
        best = self.best
        return [
            number("images_per_second", best.images_per_second, "images/s", n=best.images),
            number("best_batch", best.size, "1"),
        ]

    def document(self) -> Dict[str, Any]:
        """Describe the search for `latency.json`."""
        return {
            "best": self.best.size,
            "streams": self.best.streams,
            "sizes": [batch.document() for batch in self.found],
            "ended": self.ended,
        }


def search(
    open_batch: Callable[[int], Sequence[Callable[[], object]]],
    largest: int,
    seconds: float,
    clock: Clock = time.perf_counter,
) -> Batches:
    """Measure batches of 1, 2, 4, ... images for `seconds` each; a single image always fits."""
    found: List[Batch] = []
    while True:
        size = 2 ** len(found)
        try:
            found.append(_measure(open_batch(size), size, seconds, clock))
        except TooLargeError:
            if not found:
                raise
            return Batches(tuple(found), "memory does not suffice for batches of %d" % size)
        reason = _enough(found, largest, seconds)
        if reason is not None:
            return Batches(tuple(found), reason)


def _enough(found: Sequence[Batch], largest: int, seconds: float) -> Optional[str]:
    """Say why a larger batch need not be tried."""
    rates = [batch.images_per_second for batch in found]
    if len(rates) > PATIENCE and max(rates[-PATIENCE:]) < WORTH_IT * max(rates[:-PATIENCE]):
        return "%d larger sizes brought less than %.0f %%" % (PATIENCE, 100 * (WORTH_IT - 1))
    if 2 * found[-1].size > largest:
        return "the largest batch that is tried here is %d" % largest
    return "one batch took longer than %g s" % seconds if found[-1].seconds > seconds else None


def _measure(runs: Sequence[Callable[[], object]], size: int, seconds: float, clock: Clock) -> Batch:
    for infer in runs:
        infer()  # prepares, and is the first to need the memory
    with ThreadPoolExecutor(len(runs)) as pool:
        counted = list(pool.map(lambda infer: _repeat(infer, seconds, clock), runs))
    images = size * sum(count for count, _ in counted)
    return Batch(size, len(runs), images, size * sum(count / elapsed for count, elapsed in counted))


def _repeat(infer: Callable[[], object], seconds: float, clock: Clock) -> Tuple[int, float]:
    """Run batches one after the other; return how many, and the seconds that they took."""
    count, begin = 0, clock()
    while True:
        infer()
        count += 1
        elapsed = clock() - begin
        if elapsed >= seconds and count >= FEWEST:
            return count, elapsed
