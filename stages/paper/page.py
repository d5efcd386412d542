"""Writes the replay of the paper as one HTML page that loads nothing, and as Markdown with its figures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List

from stages.report import frame, markdown
from stages.report import words as told_of_run

if TYPE_CHECKING:
    from stages.report.figures import Drawing
    from stages.report.gather import Gathered
    from stages.report.table import Table

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of the page: sentences, tables and figures in this order; left out where its tables have no rows."""

    name: str
    title: str
    words: List[str]
    tables: List[Table]
    drawings: List[Drawing]
    size: str = ""  # of the figures: wide, small

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not any(table.rows for table in self.tables) and not self.drawings


@dataclass(frozen=True)
class Content:
    """Everything that the page shows."""

    title: str
    lead: str
    notes: List[str]
    sections: List[Section]
    gathered: Gathered

    @property
    def drawings(self) -> List[Drawing]:
        """All figures."""
        return [drawing for section in self.sections for drawing in section.drawings]

    def described(self) -> Dict[str, Any]:
        """Return what the page and the Markdown have in common."""
        return {
            "title": self.title,
            "lead": self.lead,
            "notes": self.notes,
            "sections": [section for section in self.sections if not section.is_empty],
            "missing": told_of_run.missing(self.gathered),
            "warnings": told_of_run.warnings(self.gathered),
        }


def html(content: Content) -> str:
    """Write the page."""
    return frame.render(HERE / "paper.html.j2", **content.described())


def text(content: Content) -> str:
    """Write the same as Markdown."""
    told = content.described()
    notes = "\n".join("- %s" % markdown.escaped(note) for note in content.notes)
    parts = ["# %s" % markdown.escaped(content.title), "**%s**" % markdown.escaped(content.lead), notes]
    for section in told["sections"]:
        parts += ["## %s" % markdown.escaped(section.title), *(markdown.escaped(one) for one in section.words)]
        parts += list(_tables(section))
        parts += [markdown.image(drawing) for drawing in section.drawings]
    if told["missing"] or told["warnings"]:
        parts += ["## Not made, and warned of", "\n".join(_troubles(told))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(section: Section) -> Iterator[str]:
    shown = [table for table in section.tables if table.rows]
    for table in shown:
        if table.title != section.title:
            yield "### %s" % markdown.escaped(table.title)
        yield markdown.table(table)


def _troubles(told: Dict[str, Any]) -> Iterator[str]:
    for reason, labels in told["missing"].items():
        yield "- %s: %s" % (", ".join("`%s`" % label for label in labels), markdown.escaped(reason))
    for one in told["warnings"]:
        yield "- `%s` %s" % (one["step"], markdown.escaped(one["text"]))
