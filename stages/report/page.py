"""Writes the report as one HTML page that loads nothing, and as Markdown: the same bytes for the same content."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import jinja2
from tabulate import tabulate

from stages.report import words

if TYPE_CHECKING:
    from stages.report.figures import Drawing
    from stages.report.gather import Gathered
    from stages.report.samples import Sample
    from stages.report.table import Table

HERE = Path(__file__).parent
SECTIONS = (
    "headline",
    "accuracy",
    "handovers",
    "quantisation",
    "activations",
    "edgetpu",
    "sizes",
    "latency",
    "data",
    "artifacts",
    "numbers",
)
OPTIONAL = ("handovers", "quantisation", "activations", "edgetpu")  # left out where there is nothing to show


@dataclass(frozen=True)
class Content:
    """Everything that a report shows."""

    gathered: Gathered
    tables: Dict[str, Table]
    scatter: Optional[Drawing]
    confusions: List[Drawing]
    curves: List[Drawing]
    samples: List[Tuple[str, List[Sample]]]

    @property
    def title(self) -> str:
        """What the report is about, in one line."""
        return "Coralline report: %s" % ", ".join(self.gathered.models)

    @property
    def drawings(self) -> List[Drawing]:
        """All figures."""
        return [*([self.scatter] if self.scatter else []), *self.confusions, *self.curves]

    def described(self) -> Dict[str, Any]:
        """Return what the sentences around tables and figures need."""
        dataset = self.gathered.dataset.read_json("dataset.json")
        return {
            "title": self.title,
            "lead": words.data(self.gathered.dataset),
            "summary": words.summary(self.gathered),
            "warnings": words.warnings(self.gathered),
            "missing": words.missing(self.gathered),
            "trainings": words.trainings(self.gathered),
            "data_words": words.counts(dataset),
            "skipped": dataset["skipped"],
            "channel_words": words.channel(dataset),
        }


def html(content: Content) -> str:
    """Write the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    script = (HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(("\n" + script).encode("utf-8")).digest()).decode("ascii")
    return environment.get_template("page.html.j2").render(
        **content.described(),
        tables=content.tables,
        scatter=content.scatter,
        confusions=content.confusions,
        curves=content.curves,
        sample_images=content.samples,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_digest="sha256-%s" % digest,
    )


def markdown(content: Content) -> str:
    """Write the same as Markdown, with the figures as files beside it."""
    told = content.described()
    parts = ["# %s" % _escaped(content.title), _escaped(told["lead"])]
    for name in SECTIONS:
        if name in OPTIONAL and not content.tables[name].rows:
            continue
        parts += ["## %s" % content.tables[name].title, *_before(name, told), _table(content.tables[name])]
        parts += _after(name, content, told)
    return "\n\n".join(part for part in parts if part) + "\n"


def _before(name: str, told: Dict[str, Any]) -> List[str]:
    return [_escaped(told["data_words"])] if name == "data" else []


def _after(name: str, content: Content, told: Dict[str, Any]) -> List[str]:
    """Return what follows a table: warnings, figures, training."""
    if name == "headline":
        figure = [_image(content.scatter)] if content.scatter else []
        warned = ["- `%s` %s" % (one["step"], _escaped(one["text"])) for one in told["warnings"]]
        missing = [
            "- not made: %s: %s" % (", ".join("`%s`" % label for label in labels), _escaped(reason))
            for reason, labels in told["missing"].items()
        ]
        return [*figure, "\n".join([*warned, *missing])]
    if name == "accuracy":
        return [_image(one) for one in content.confusions]
    if name == "latency":
        trainings = ["- %s" % _escaped(one) for one in told["trainings"]]
        return ["## Training", "\n".join(trainings), *(_image(one) for one in content.curves)]
    return [_samples(content)] if name == "data" else []


def _table(table: Table) -> str:
    cells = [[_escaped(cell.plain) for cell in row] for row in table.rows]
    alignment = ["left" if column < table.words else "right" for column in range(len(table.columns))]
    drawn: str = tabulate(
        cells,
        [_escaped(title) for title in table.plain_columns],
        tablefmt="pipe",
        colalign=alignment if cells else None,
        disable_numparse=True,
    )
    notes = ["%d. %s" % (number, _escaped(note)) for number, note in enumerate(table.notes, start=1)]
    return drawn + ("\n\n" + "\n".join(notes) if notes else "")


def _image(drawing: Drawing) -> str:
    return "![%s](figures/%s.svg)" % (_escaped(drawing.caption), drawing.name)


def _samples(content: Content) -> str:
    lines = []
    for name, samples in content.samples:
        shown = " ".join("![%s](figures/%s-channel.png)" % (_escaped(one.path), one.name) for one in samples)
        lines.append("%s: %s" % (_escaped(name), shown))
    return "\n\n".join(lines)


def _escaped(text: str) -> str:
    """Keep text from being read as Markdown or HTML."""
    signs = str(text).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join("\\" + sign if sign in "\\`*_[]|" else sign for sign in signs)
