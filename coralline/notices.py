"""What a run tells whoever watches: plain values, so that the board, plain lines and tests see the same story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What happened to a step, or `note` for what concerns the whole run."""

    REUSED = "reused"
    BLOCKED = "blocked"
    WAITING = "waiting"
    START = "start"
    PROGRESS = "progress"
    WARNING = "warning"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened; `done` of `total` `unit`s for progress, `seconds` for what ended."""

    kind: Kind
    label: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    seconds: float | None = None


Notify = Callable[[Notice], None]
