"""Writes tables and figures as Markdown, in which no text of ours or the user's is read as Markdown or HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

if TYPE_CHECKING:
    from stages.report.figures import Drawing
    from stages.report.table import Table


def table(told: Table) -> str:
    """Write a table with its footnotes."""
    cells = [[escaped(cell.plain) for cell in row] for row in told.rows]
    alignment = ["left" if column < told.words else "right" for column in range(len(told.columns))]
    drawn: str = tabulate(
        cells,
        [escaped(title) for title in told.plain_columns],
        tablefmt="pipe",
        colalign=alignment if cells else None,
        disable_numparse=True,
    )
    notes = ["%d. %s" % (number, escaped(note)) for number, note in enumerate(told.notes, start=1)]
    return drawn + ("\n\n" + "\n".join(notes) if notes else "")


def image(drawing: Drawing) -> str:
    """Show a figure that lies beside the document."""
    return "![%s](figures/%s.svg)" % (escaped(drawing.caption), drawing.name)


def escaped(text: str) -> str:
    """Keep text from being read as Markdown or HTML."""
    signs = str(text).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join("\\" + sign if sign in "\\`*_[]|" else sign for sign in signs)
