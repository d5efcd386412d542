"""What a stage adds to the report by itself: `section.json`, written here by any stage and read here by the report.

A section has a title, sentences, tables and figures. A cell is a text, a number or None. Figures are SVG or PNG files
of the artifact. Reading trusts nothing: an artifact may come from elsewhere.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Sequence, Tuple, Union

from stages.contract import InputError, write_json

NAME = "section.json"
SCHEMA = "coralline.section"
VERSION = 1
MAX_BYTES = 2**22  # of the document
MAX_PICTURE = 2**23  # bytes of one figure
MAX_PICTURES = 32
PICTURES = {".svg": "image/svg+xml", ".png": "image/png"}

Value = Union[str, int, float, None]


@dataclass(frozen=True)
class SectionTable:
    """A table; every row has a cell for each column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    note: str = ""


@dataclass(frozen=True)
class SectionFigure:
    """A figure: `path` is that of its file in the artifact."""

    path: str
    caption: str


@dataclass(frozen=True)
class Section:
    """What a step has to show."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[SectionTable] = ()
    figures: Sequence[SectionFigure] = field(default=())

    def write(self, folder: Path) -> None:
        """Write `section.json` into the step's output folder."""
        document: Dict[str, Any] = {"schema": "coralline.section", "version": VERSION}
        document.update(
            title=self.title,
            text=list(self.text),
            tables=[
                {"title": t.title, "columns": list(t.columns), "rows": [list(row) for row in t.rows], "note": t.note}
                for t in self.tables
            ],
            figures=[{"path": one.path, "caption": one.caption} for one in self.figures],
        )
        write_json(folder / NAME, document)


def read_section(folder: Path, label: str) -> Section:
    """Read the section of an artifact.

    Raises:
        InputError: it is not one that `Section.write` wrote.
    """
    try:
        return _section(json.loads(_bytes(folder, NAME, MAX_BYTES).decode("utf-8")))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError("%s of %s cannot be read: %s" % (NAME, label, error), "make the step again") from error


def read_picture(folder: Path, figure: SectionFigure, label: str) -> Tuple[str, bytes]:
    """Read a figure: its media type and its bytes.

    Raises:
        InputError: it is not there, lies elsewhere, or is no figure.
    """
    try:
        return PICTURES[PurePosixPath(figure.path).suffix], _bytes(folder, figure.path, MAX_PICTURE)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(
            "figure %r of %s cannot be read: %s" % (figure.path, label, error), "make the step again"
        ) from error


def _bytes(folder: Path, name: str, most: int) -> bytes:
    """Read a file of the folder that has no more than `most` bytes."""
    place = (folder / name).resolve()
    if folder.resolve() not in place.parents:
        raise ValueError("it lies outside the artifact")
    with place.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError("it has more than %d bytes" % most)
    return content


def _section(told: Any) -> Section:
    if (told["schema"], told["version"]) != (SCHEMA, VERSION):
        raise ValueError("schema %s version %d expected" % (SCHEMA, VERSION))
    figures = [SectionFigure(_text(one["path"]), _text(one["caption"])) for one in told["figures"]]
    if len(figures) > MAX_PICTURES:
        raise ValueError("it has more than %d figures" % MAX_PICTURES)
    return Section(
        _text(told["title"]), [_text(one) for one in told["text"]], [_table(one) for one in told["tables"]], figures
    )


def _table(told: Any) -> SectionTable:
    columns = [_text(one) for one in told["columns"]]
    rows: List[List[Value]] = [[_cell(cell) for cell in row] for row in told["rows"]]
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row of %r has not %d cells" % (told["title"], len(columns)))
    return SectionTable(_text(told["title"]), columns, rows, _text(told["note"]))


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise TypeError("%r is no text" % (told,))
    return told


def _cell(told: Any) -> Value:
    if told is None or isinstance(told, str):
        return told
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not math.isfinite(told):
        raise TypeError("%r is neither text nor number" % (told,))
    return told
