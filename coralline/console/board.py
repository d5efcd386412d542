"""The live board: one line for each step, with state, bar, time left and elapsed; warnings scroll above it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coralline.console import Pace, amount, clock
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES = {
    Kind.DONE: "green",
    Kind.REUSED: "cyan",
    Kind.FAILED: "bold red",
    Kind.BLOCKED: "yellow",
    Kind.SKIPPED: "yellow",
}
MOVING = (Kind.START, Kind.PROGRESS, Kind.WAITING)


@dataclass(slots=True)
class Line:
    """One step on the board."""

    notice: Notice
    since: float
    ended: float | None = None
    left: str = ""
    pace: Pace = field(default_factory=Pace)


class Board:
    """Draws itself four times a second on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._lines: dict[str, Line] = {}
        self._lock = threading.Lock()
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=4, transient=False)
        self._live.start()

    def notify(self, notice: Notice) -> None:
        """Take one notice."""
        if notice.kind in (Kind.NOTE, Kind.WARNING):
            place = f"{notice.label}: " if notice.label else ""
            self._console.print(Text(place + notice.text, style="yellow" if notice.kind is Kind.WARNING else "dim"))
            return
        with self._lock:
            line = self._lines.setdefault(notice.label, Line(notice, time.monotonic()))
            line.notice = notice
            line.left = line.pace.left(notice, time.monotonic())
            line.ended = None if notice.kind in MOVING else time.monotonic()

    def close(self) -> None:
        """Leave the last state on the screen."""
        with self._lock:
            for label in [label for label in self._lines if label.startswith("image ") or label in ("data", "init")]:
                del self._lines[label]
        self._live.stop()

    def _draw(self) -> RenderableType:
        with self._lock:
            return render(self._lines, time.monotonic(), self._console.width)


def render(lines: dict[str, Line], now: float, width: int) -> Table:
    """Draw the board as it stands at `now`, for a terminal `width` columns wide."""
    table = Table.grid(padding=(0, 1))
    for label, line in lines.items():
        notice = line.notice
        elapsed = (line.ended or now) - line.since
        state = "running" if notice.kind in (Kind.START, Kind.PROGRESS) else str(notice.kind)
        cells: list[RenderableType] = [Text(state, style=STYLES.get(notice.kind, "bold")), Text(label)]
        if width >= 80:
            cells.append(
                ProgressBar(total=notice.total or 1, completed=notice.done, width=20) if _has_bar(notice) else Text("")
            )
        cells.append(Text(_words(line, elapsed), overflow="ellipsis", no_wrap=True))
        table.add_row(*cells)
    return table


def _has_bar(notice: Notice) -> bool:
    return notice.kind is Kind.PROGRESS and notice.total > 0


def _words(line: Line, elapsed: float) -> str:
    notice = line.notice
    if notice.kind is Kind.PROGRESS:
        return f"{clock(elapsed)} {amount(notice)}{line.left} {notice.text}"
    if notice.seconds is not None:
        return clock(notice.seconds)
    return clock(elapsed) if notice.kind is Kind.START else notice.text
