"""What stages show by themselves (`stages/section.py`), as tables and pictures of the page, in the graph's words."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence

from stages.report.table import NOT_APPLICABLE, Cell, Table, word
from stages.section import NAME, read_picture, read_section

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered
    from stages.section import SectionFigure, SectionTable, Value


@dataclass(frozen=True)
class Picture:
    """A figure of a section: `name` is that of its file beside the report."""

    name: str
    caption: str
    kind: str
    content: bytes

    @property
    def uri(self) -> str:
        """The picture for a page that loads nothing; as an image it can run nothing either."""
        return "data:%s;base64,%s" % (self.kind, base64.b64encode(self.content).decode("ascii"))


@dataclass(frozen=True)
class Shown:
    """The section of one artifact; `anchor` names it within the page."""

    anchor: str
    label: str
    title: str
    text: Sequence[str]
    tables: List[Table]
    pictures: List[Picture]


def sections(gathered: Gathered) -> List[Shown]:
    """Read the sections of all artifacts that have one."""
    return [_shown(artifact) for artifact in gathered.artifacts if (artifact.folder / NAME).is_file()]


def _shown(artifact: Artifact) -> Shown:
    told = read_section(artifact.folder, artifact.label)
    anchor = "section-%s" % artifact.label.replace("/", "-")
    return Shown(
        anchor=anchor,
        label=artifact.label,
        title=told.title,
        text=told.text,
        tables=[_table(artifact, "%s-%d" % (anchor, place), one) for place, one in enumerate(told.tables, start=1)],
        pictures=[_picture(artifact, anchor, one) for one in told.figures],
    )


def _table(artifact: Artifact, name: str, told: SectionTable) -> Table:
    """Columns of words come first: those before the first that holds a number."""
    numeric = [any(isinstance(row[column], (int, float)) for row in told.rows) for column in range(len(told.columns))]
    return Table(
        name,
        told.title,
        list(told.columns),
        rows=[[_cell(artifact, value) for value in row] for row in told.rows],
        notes=[told.note] if told.note else [],
        words=numeric.index(True) if True in numeric else len(numeric),
    )


def _cell(artifact: Artifact, value: Value) -> Cell:
    if value is None:
        return NOT_APPLICABLE
    if isinstance(value, str):
        return word(value)
    text = f"{value:,}" if isinstance(value, int) else "%.4g" % value
    title = "%s, artifact %s" % (artifact.label, artifact.key[:12])
    return Cell(text, float(value), "number", title=title, artifact=artifact)


def _picture(artifact: Artifact, anchor: str, told: SectionFigure) -> Picture:
    kind, content = read_picture(artifact.folder, told, artifact.label)
    return Picture("%s-%s" % (anchor, told.path.rpartition("/")[2]), told.caption, kind, content)
