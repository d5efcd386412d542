"""The only place that prints: the live board on a terminal, plain lines elsewhere, and errors with their remedies.

Standard output is the answer, standard error the story. `rich` is imported only when a board is drawn.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from coralline.notices import Kind, Notice, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coralline.errors import CorallineError

PLAIN_EVERY_S = 10.0
SAYS_LITTLE_S = 2.0  # a pace measured over less than this jumps about
WIDEST = 160  # columns of a progress line: a builder's output can be endless


class Watcher(Protocol):
    """Who is told what happens during a run."""

    def notify(self, notice: Notice) -> None:
        """Take one notice; called from several threads."""
        ...

    def close(self) -> None:
        """Take note that the run is over."""
        ...


def watcher(stream: TextIO | None = None) -> Watcher:
    """Return a board where the stream is a terminal that can draw one, else plain lines, in a CI's own dialect."""
    stream = stream or sys.stderr
    if on_github():
        from coralline.console import github

        return github.Log(stream)
    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "CI" not in os.environ:
        from coralline.console.board import Board

        return Board(stream)
    return Plain(stream)


def on_github() -> bool:
    """Whether a runner of GitHub Actions reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


class Plain:
    """One line for each thing that happens; progress at most every ten seconds for each step."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}
        self._paces: dict[str, Pace] = {}

    def notify(self, notice: Notice) -> None:
        """Print the notice, unless it is progress too soon after the last."""
        with self._lock:
            now = time.monotonic()
            left = self._paces.setdefault(notice.label, Pace()).left(notice, now)
            if notice.kind is Kind.PROGRESS:
                if now - self._told.get(notice.label, -PLAIN_EVERY_S) < PLAIN_EVERY_S:
                    return
                self._told[notice.label] = now
            print(self.written(notice, left), file=self._stream, flush=True)

    def written(self, notice: Notice, left: str) -> str:
        """Write the notice as it is printed."""
        return line(notice, left)

    def close(self) -> None:
        """Take note that nothing is left to do."""


@dataclass(slots=True)
class Pace:
    """How fast a step goes, counted from its first finished piece: what comes before is starting up."""

    since: float = 0.0
    done: int = 0

    def left(self, notice: Notice, now: float) -> str:
        """Write the time left at the pace so far, or nothing while that says little."""
        if notice.kind is not Kind.PROGRESS or not 0 < notice.done < notice.total:
            return ""
        if self.done == 0:
            self.since, self.done = now, notice.done
        if notice.done <= self.done or now - self.since < SAYS_LITTLE_S:
            return ""
        return f", {clock((now - self.since) * (notice.total - notice.done) / (notice.done - self.done))} left"


def line(notice: Notice, left: str) -> str:
    """Write a notice as one line of plain text."""
    if notice.kind is Kind.NOTE:
        return notice.text
    if notice.kind is Kind.PROGRESS:
        return f"{'':9} {notice.label}: {amount(notice)}{left} {notice.text}".rstrip()[:WIDEST]
    took = "" if notice.seconds is None else f" ({clock(notice.seconds)})"
    text = f": {notice.text}" if notice.text and notice.text != str(notice.kind) else ""
    return f"{notice.kind!s:9} {notice.label}{text}{took}".replace(" :", "")


def amount(notice: Notice) -> str:
    """Write how much of how much is done."""
    return f"{notice.done}/{notice.total} {notice.unit}" if notice.total else ""


def clock(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def show_error(error: CorallineError, stream: TextIO | None = None) -> None:
    """Print what is wrong, what to do, and the command that replays a failed step."""
    stream = stream or sys.stderr
    if on_github():
        from coralline.console import github

        print(github.error(error), file=stream)
        return
    print(f"error: {printable(error.message)}", file=stream)
    for row in error.hint.splitlines():  # among them the last words of a step
        print(f"  {printable(row)}", file=stream)
    if error.replay:
        print(f"  replay: {error.replay}", file=stream)


def show_table(headers: Sequence[str], cells: Sequence[Sequence[Any]], **options: Any) -> None:
    """Print a table to standard output."""
    from tabulate import tabulate

    print(tabulate(cells, headers=headers, **options))
