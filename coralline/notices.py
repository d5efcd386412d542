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

    def __post_init__(self) -> None:
        """Tame what a step or a builder says."""
        for name in ("text", "unit"):
            object.__setattr__(self, name, printable(getattr(self, name)))


def printable(text: str) -> str:
    """Return a text, of one line or more, without what moves a terminal's cursor, colours it or renames its window."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\r\t" else "?" for letter in text)


Notify = Callable[[Notice], None]
