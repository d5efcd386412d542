"""Writes the report as one HTML page that loads nothing, and as Markdown: the same bytes for the same content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from stages.report import frame, markdown, words

if TYPE_CHECKING:
    from stages.report.figures import Drawing
    from stages.report.gather import Gathered
    from stages.report.samples import Sample
    from stages.report.sections import Shown
    from stages.report.table import Table

HERE = Path(__file__).parent
SECTIONS = (
    "headline",
    "accuracy",
    "segmentation",
    "handovers",
    "quantisation",
    "activations",
    "edgetpu",
    "sizes",
    "memory",
    "latency",
    "pareto",
    "energy",
    "data",
    "artifacts",
    "numbers",
)


@dataclass(frozen=True)
class Content:
    """Everything that a report shows."""

    gathered: Gathered
    tables: Dict[str, Table]
    scatter: Optional[Drawing]
    confusions: List[Drawing]
    curves: List[Drawing]
    samples: List[Tuple[str, List[Sample]]]
    sections: List[Shown]
    plans: List[str]
    answered: Optional[str] = None  # by which step the samples' pixels were found

    @property
    def title(self) -> str:
        """What the report is about, in one line."""
        return "Coralline report: %s" % ", ".join(self.gathered.subjects)

    def named(self, wanted: str) -> List[Table]:
        """Find the tables of a name: of durations and energies there is one for each machine that measured."""
        return [table for name, table in self.tables.items() if name.split("-")[0] == wanted]

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
            "sections": self.sections,
        }


def html(content: Content) -> str:
    """Write the page."""
    return frame.render(
        HERE / "page.html.j2",
        **content.described(),
        tables=content.tables,
        latencies=content.named("latency"),
        energies=content.named("energy"),
        fronts=content.named("pareto"),
        plans=content.plans,
        scatter=content.scatter,
        confusions=content.confusions,
        curves=content.curves,
        sample_images=content.samples,
        answered=content.answered,
    )


def text(content: Content) -> str:
    """Write the same as Markdown, with the figures as files beside it."""
    told = content.described()
    parts = ["# %s" % markdown.escaped(content.title), markdown.escaped(told["lead"])]
    for name in SECTIONS:
        if name == "data":
            parts += _sections(content)
        for table in (one for one in content.named(name) if one.rows):
            parts += ["## %s" % table.title, *_before(name, told), markdown.table(table)]
        parts += _after(name, content, told)
    return "\n\n".join(part for part in parts if part) + "\n"


def _before(name: str, told: Dict[str, Any]) -> List[str]:
    return [markdown.escaped(told["data_words"])] if name == "data" else []


def _after(name: str, content: Content, told: Dict[str, Any]) -> List[str]:
    """Return what follows a table: warnings, figures, training."""
    if name == "headline":
        figure = [markdown.image(content.scatter)] if content.scatter else []
        warned = ["- `%s` %s" % (one["step"], markdown.escaped(one["text"])) for one in told["warnings"]]
        missing = [
            "- not made: %s: %s" % (", ".join("`%s`" % label for label in labels), markdown.escaped(reason))
            for reason, labels in told["missing"].items()
        ]
        return [*figure, "\n".join([*warned, *missing])]
    if name == "accuracy":
        return [markdown.image(one) for one in content.confusions]
    if name == "latency":
        trainings = ["- %s" % markdown.escaped(one) for one in told["trainings"]]
        return [
            *(["## Training", "\n".join(trainings)] if trainings else []),
            *(markdown.image(one) for one in content.curves),
        ]
    if name == "pareto":
        return [markdown.escaped(one) for one in content.plans]
    return [_samples(content)] if name == "data" else []


def _sections(content: Content) -> List[str]:
    """Write what stages show by themselves."""
    parts = []
    for one in content.sections:
        parts += ["## %s" % markdown.escaped(one.title), "`%s`" % one.label, *map(markdown.escaped, one.text)]
        for table in one.tables:
            parts += ["### %s" % markdown.escaped(table.title), markdown.table(table)]
        parts += ["![%s](figures/%s)" % (markdown.escaped(shown.caption), shown.name) for shown in one.pictures]
    return parts


def _samples(content: Content) -> str:
    lines = []
    for name, samples in content.samples:
        shown = " ".join(
            "![%s](figures/%s-%s.png)" % (markdown.escaped(one.path), one.name, kind)
            for one in samples
            for kind in (("channel",) if one.answer is None else ("channel", "answer"))
        )
        lines.append("%s: %s" % (markdown.escaped(name), shown))
    return "\n\n".join(lines)
