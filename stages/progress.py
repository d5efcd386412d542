"""Progress of many small steps, told at most twice a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from stages.contract import Step

INTERVAL_S = 0.5


class Progress:
    """Counts work done and tells the host now and then; the first and the last state are always told."""

    def __init__(
        self, step: Step, total: int, unit: str, message: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell: Callable[[int], None] = lambda done: step.progress(done, total, unit, message)
        self._total = total
        self._clock = clock
        self._done = 0
        self._told_at = clock()
        self._tell(0)

    def advance(self, count: int = 1) -> None:
        """Count `count` more."""
        self._done += count
        now = self._clock()
        if self._done >= self._total or now - self._told_at >= INTERVAL_S:
            self._told_at = now
            self._tell(self._done)
