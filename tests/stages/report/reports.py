"""Reports of made-up runs, and how tests look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.report import __main__ as stage

if TYPE_CHECKING:
    from pathlib import Path

    from synthetic_run import Run

    from stages.contract import Step
    from stages.report.table import Cell, Table


def made(run: Run, out: Path, **parameters: Any) -> Step:
    step = run.step(out, **parameters)
    stage.main(step)
    return step


def text(step: Step, name: str) -> str:
    return (step.out / name).read_text(encoding="utf-8")


def row(table: Table, *words: str) -> dict[str, Cell]:
    """The row of a table that begins with the given words, by heading."""
    found = [cells for cells in table.rows if tuple(cell.text for cell in cells[: len(words)]) == words]
    assert len(found) == 1
    return dict(zip(table.plain_columns, found[0], strict=True))
