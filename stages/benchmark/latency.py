"""How long one inference takes: warm up, then time each run on its own until both runs and seconds suffice.

What is timed is the inference alone: the input is in place and the output is not read. The loop adds two reads of the
clock and one append, some hundred nanoseconds. Garbage collection is off meanwhile.
"""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from stages.contract import number

PERCENTILES = (50, 90, 95, 99)
NS_PER_MS = 1e6
PARTS = 3
STABLE_WITHIN = 0.02  # by how much the medians of parts of a measurement may differ


@dataclass(frozen=True)
class Latency:
    """Durations of all timed runs in nanoseconds, in order; the first run of all apart, because it also prepares.

    `window_s` is when the timed runs began and ended, in Unix seconds: a power meter's samples are found by it.
    """

    first_ns: int
    runs_ns: List[int]
    window_s: Tuple[float, float] = (0.0, 0.0)

    def milliseconds(self) -> Dict[str, float]:
        """Compute mean, standard deviation and percentiles."""
        runs = np.asarray(self.runs_ns, np.float64) / NS_PER_MS
        found = {"mean": float(runs.mean()), "std": float(runs.std(ddof=1))}
        for percent, value in zip(PERCENTILES, np.percentile(runs, PERCENTILES)):
            found["p%d" % percent] = float(value)
        return found

    def spread(self) -> float:
        """Compute by which share the medians of the first, middle and last third of the runs differ."""
        medians = [float(np.median(part)) for part in np.array_split(np.asarray(self.runs_ns, np.float64), PARTS)]
        return max(medians) / min(medians) - 1

    def remarks(self) -> List[str]:
        """Say when the same measurement, taken a little later, would give another number."""
        spread = self.spread()
        if spread <= STABLE_WITHIN:
            return []
        return ["unstable: the medians of the thirds of its runs differ by %.1f %%" % (100 * spread)]

    def numbers(self, metric: str = "latency") -> List[Dict[str, Any]]:
        """Give the numbers of the record."""
        return [
            number("%s_%s_ms" % (metric, name), value, "ms", n=len(self.runs_ns))
            for name, value in self.milliseconds().items()
        ]


def measure(
    infer: Callable[[], object],
    *,
    warmup_runs: int,
    min_runs: int,
    min_seconds: float,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Latency:
    """Time `infer` at least `min_runs` times and for at least `min_seconds`, after `warmup_runs` untimed runs."""
    with _no_garbage_collection():
        first_ns = _time_once(infer, clock)
        for _ in range(warmup_runs):
            infer()
        begin_s = time.time()
        runs_ns = _time_many(infer, min_runs, min_seconds, clock)
        return Latency(first_ns, runs_ns, (begin_s, time.time()))


def _time_once(infer: Callable[[], object], clock: Callable[[], int]) -> int:
    begin = clock()
    infer()
    return clock() - begin


def _time_many(infer: Callable[[], object], min_runs: int, min_seconds: float, clock: Callable[[], int]) -> List[int]:
    runs: List[int] = []
    enough = clock() + int(min_seconds * 1e9)
    while True:
        begin = clock()
        infer()
        end = clock()
        runs.append(end - begin)
        if end >= enough and len(runs) >= min_runs:
            return runs


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
