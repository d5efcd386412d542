"""Tables as plain values: cells that know their text, their order and the artifact that their number came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

if TYPE_CHECKING:
    from stages.report.gather import Artifact


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    `kind` is empty, `number`, `derived` (computed from other numbers), `predicted`, `proxy`, `published` (not ours),
    `missing`, a verdict (`agrees`, `better`, `worse`), or `key` or `content` for a digest. `detail` follows the text in
    smaller type, such as an interval. `note` is the number of a footnote.
    """

    text: str
    sort: Union[str, float] = ""
    kind: str = ""
    detail: str = ""
    title: str = ""
    artifact: Optional[Artifact] = None
    note: int = 0

    @property
    def is_absent(self) -> bool:
        """Whether there is no number here, so that sorting leaves it last."""
        return self.kind == "missing" or self is NOT_APPLICABLE

    @property
    def plain(self) -> str:
        """Everything that a table without typography shows."""
        words = [self.text, self.detail, "[%d]" % self.note if self.note else ""]
        return " ".join(word for word in words if word)


@dataclass
class Table:
    """A table: `groups` are headings over several columns (text, width), `notes` its footnotes in order."""

    name: str
    title: str
    columns: List[str]
    rows: List[List[Cell]] = field(default_factory=list)
    groups: List[Tuple[str, int]] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    words: int = 2  # how many columns on the left are words, not numbers

    @property
    def edges(self) -> List[int]:
        """The columns with which a group begins."""
        starts, place = [], 0
        for _, width in self.groups:
            starts.append(place)
            place += width
        return starts[1:]

    @property
    def plain_columns(self) -> List[str]:
        """Headings that name their group."""
        prefixes = [text for text, width in self.groups for _ in range(width)] or [""] * len(self.columns)
        return [("%s: %s" % (prefix, title)) if prefix else title for prefix, title in zip(prefixes, self.columns)]

    def missing(self, text: str, reason: str) -> Cell:
        """Return a cell for something that could not be made; equal reasons share one footnote."""
        if reason not in self.notes:
            self.notes.append(reason)
        return Cell(text, -1.0, "missing", note=self.notes.index(reason) + 1, title=reason)


NONE = "\u2013"  # an en dash
NOT_APPLICABLE = Cell(NONE, -1.0, title="does not apply")


def numbered(name: str, place: int) -> str:
    """Name one of several of a kind, counted from 0: the first alone has no number."""
    return "%s-%d" % (name, place + 1) if place else name


def word(text: Optional[str]) -> Cell:
    """Return a cell that names something."""
    return Cell(text or NONE, text or "")


def measured(artifact: Artifact, metric: str, form: str, scale: float = 1.0) -> Cell:
    """Return a cell for a number of an artifact's record, with its interval."""
    number = artifact.number(metric)
    if number is None:
        return NOT_APPLICABLE
    value = number["value"] * scale
    return Cell(
        form.format(value),
        value,
        "number",
        detail=interval_text(number, form, scale),
        title=origin(artifact, number),
        artifact=artifact,
    )


def predicted(artifact: Artifact, metric: str, form: str, scale: float = 1.0) -> Cell:
    """Return a cell for a number that nobody measured: it says so, and looks otherwise."""
    cell = measured(artifact, metric, form, scale)
    if cell.is_absent:
        return cell
    return replace(cell, text="~" + cell.text, kind="predicted", title="predicted, not measured: " + cell.title)


def derived(value: float, form: str, how: str) -> Cell:
    """Return a cell for what follows from numbers of the table; `how` says from which."""
    return Cell(form.format(value), value, "derived", title=how)


def interval_text(number: Dict[str, Any], form: str, scale: float = 1.0) -> str:
    """Write a number's 95 % interval, if it has one."""
    if number.get("interval") is None:
        return ""
    low, high = number["interval"]
    return "[%s, %s]" % (form.format(low * scale), form.format(high * scale))


def origin(artifact: Artifact, number: Dict[str, Any]) -> str:
    """Say in words where a number comes from."""
    count = "" if number.get("n") is None else ", n = %d" % number["n"]
    return "%s, artifact %s%s" % (artifact.label, artifact.key[:12], count)
