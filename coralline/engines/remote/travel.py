"""How far something is that travels between machines, told now and then; it stops when the run is told to stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from coralline.engines.base import OnEvent

MEBIBYTE = 1 << 20
TOLD_EVERY_S = 0.5
WORTH_TELLING_BYTES = 4 * MEBIBYTE


class StoppedError(Exception):
    """There was no time left while something travelled."""


class Travel:
    """Tells how much of something has travelled, and stops it when the run is told to stop or the time is over."""

    def __init__(
        self,
        text: str,
        total: int,
        on_event: OnEvent,
        stop: threading.Event | None = None,
        limit_s: float | None = None,
    ) -> None:
        self._text = text
        self._total = total
        self._on_event = on_event
        self._stop = stop
        self._until = None if limit_s is None else time.monotonic() + limit_s
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, piece: int) -> None:
        """Take note of so many bytes.

        Raises:
            StoppedError: it must not go on.
        """
        now = time.monotonic()
        if (self._stop is not None and self._stop.is_set()) or (self._until is not None and now > self._until):
            raise StoppedError(self._text)
        self._done += piece
        if max(self._done, self._total) > WORTH_TELLING_BYTES and now - self._told > TOLD_EVERY_S:
            self._told = now
            amount = {"done": self._done // MEBIBYTE, "total": self._total // MEBIBYTE, "unit": "MiB"}
            self._on_event({"event": "progress", "message": self._text, **amount})
