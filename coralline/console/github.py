"""What a run tells in the dialect of GitHub Actions: its lines are one group, troubles annotations, steps a summary.

The commands are those of "Workflow commands for GitHub Actions" in GitHub's documentation. A command is made here and
nowhere else: text that comes from a stage, a file or a package can never be taken for one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from coralline.console import Plain, clock
from coralline.notices import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.errors import CorallineError

ENDED = (Kind.DONE, Kind.REUSED, Kind.FAILED, Kind.BLOCKED, Kind.SKIPPED)
MOST_ROWS = 500  # GitHub drops a summary of more than 1 MiB


def annotation(level: str, text: str, title: str = "") -> str:
    """Write a text, of one line or more, as an annotation; `level` is error, warning or notice."""
    named = f" title={_escaped(title).replace(':', '%3A').replace(',', '%2C')}" if title else ""
    return f"::{level}{named}::{_escaped(text)}"


def error(trouble: CorallineError) -> str:
    """Write an error with what to do about it."""
    replay = [f"replay: {trouble.replay}"] if trouble.replay else []
    return annotation("error", "\n".join(filter(None, [trouble.message, trouble.hint, *replay])))


def harmless(text: str) -> str:
    """Return a text of one line or more, no line of which is a command to the runner."""
    lines = (f"| {line}" if line.lstrip().startswith("::") else line for line in text.replace("\r", "\n").split("\n"))
    return "\n".join(lines).replace("##[", "## [")  # the runner's older form, which may begin anywhere


class Log(Plain):
    """Plain lines as one group, warnings as annotations, and at the end a table of all steps in the summary."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._steps: dict[str, Notice] = {}
        self._is_open = False

    def written(self, notice: Notice, left: str) -> str:
        """Write a notice; the first one opens the group."""
        if notice.kind in ENDED:
            self._steps[notice.label] = notice
        text = harmless(super().written(notice, left))
        if notice.kind is Kind.WARNING:
            text = annotation("warning", notice.text, notice.label)
        if not self._is_open:
            self._is_open = True
            return f"::group::Steps\n{text}"
        return text

    def close(self) -> None:
        """End the group and append the table to the step's summary."""
        if self._is_open:
            self._is_open = False
            print("::endgroup::", file=self._stream, flush=True)
        place = os.environ.get("GITHUB_STEP_SUMMARY")
        if place and self._steps:
            with Path(place).open("a", encoding="utf-8") as file:
                file.write(table(self._steps))
        self._steps.clear()


def table(steps: Mapping[str, Notice]) -> str:
    """Write how steps ended as a Markdown table."""
    rows = [
        f"| {_cell(label)} | {notice.kind} | {'' if notice.seconds is None else clock(notice.seconds)} |"
        for label, notice in list(steps.items())[:MOST_ROWS]
    ]
    more = [f"\nand {len(steps) - MOST_ROWS} more"] if len(steps) > MOST_ROWS else []
    return "\n".join(["| step | state | took |", "|---|---|--:|", *rows, *more]) + "\n\n"


def _cell(text: str) -> str:
    """Write a text that stands as it is between two bars of a table."""
    tamed = "".join(f"&#{ord(letter)};" if letter in "|<>&`[]*_\\" else letter for letter in text)
    return " ".join(tamed.split())


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
