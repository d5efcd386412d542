"""The table of the TFLite study beside our files of the same model: only the shares that a recipe saves compare.

Its file has a head of 1,000 classes and ours one class for each of the data set's, so the bytes themselves differ; its
accuracies are of other images, its latencies of another processor. Ours of several machines have a column for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from stages.paper.tables import DAGGER
from stages.paper.verdicts import AGREES, BETTER, WORSE
from stages.report.gather import TFLITE
from stages.report.hosts import hosts
from stages.report.table import NOT_APPLICABLE, Cell, Table, derived, measured, word
from stages.report.tables import Where, by_host, medians

if TYPE_CHECKING:
    from stages.paper.published import Published
    from stages.report.gather import Artifact, Gathered
    from stages.report.hosts import Host

KIB = 1 / 1024
NEAR = 0.05  # share by which ratios may differ that are of one network with heads of different size
FORMS = {
    "size_kib": "{:,.0f}",
    "saved_percent": "{:.1f}",
    "ratio": "{:.1f}",
    "latency_ms": "{:.1f}",
    "accuracy": "{:.2f}",
}


def compare(published: Published, gathered: Gathered) -> Table:
    """One row for each of our recipes that stands for a row of the study; none where its model was not asked for."""
    titles = ["recipe", "our recipe"]
    numbers = ["KB", "saved, %", "ratio", "latency, ms", "accuracy"]
    model = published.study["model"]
    timed = [one for one in gathered.of("benchmark") if (one.axis("model"), one.axis("runtime")) == (model, TFLITE)]
    machines = hosts(timed)
    ours = ["KB", "saved, %", "ratio", *medians(machines), "balanced accuracy"]
    table = Table("study", published.study["source"], [*titles, *numbers, *ours, "verdict on the ratio"], words=2)
    table.groups = [("", 2), ("study", len(numbers)), ("ours", len(ours)), ("", 1)]
    if model not in gathered.models:
        return table
    for row in published.studied():
        theirs = [_published(published, row, name) for name in FORMS]
        for recipe in row["recipes"]:
            table.rows.append(
                [
                    word(row["name"]),
                    word(recipe),
                    *theirs,
                    *_ours(table, gathered, row, Where(model, recipe, TFLITE), machines),
                ]
            )
    return table


def _published(published: Published, row: Dict[str, Any], name: str) -> Cell:
    value = row[name]
    if value is None:
        return NOT_APPLICABLE
    return Cell(FORMS[name].format(value) + DAGGER, value, "published", title=published.study["source"])


def _ours(table: Table, gathered: Gathered, row: Dict[str, Any], where: Where, machines: List[Host]) -> List[Cell]:
    file = gathered.find("convert", model=where.model, recipe=where.recipe)
    if file is None:
        reason = gathered.why_missing("convert", model=where.model, recipe=where.recipe)
        absent = NOT_APPLICABLE if reason is None else table.missing("not converted", reason)
        return [absent] + (len(medians(machines)) + 4) * [NOT_APPLICABLE]
    bench = gathered.find("benchmark", **where._asdict())
    ratio = _ratio(gathered, where.model, file)
    return [
        measured(file, "size_bytes", "{:,.0f}", KIB),
        *_saved(ratio),
        *by_host(NOT_APPLICABLE if bench is None else measured(bench, "latency_p50_ms", "{:.1f}"), machines),
        NOT_APPLICABLE if bench is None else measured(bench, "balanced_accuracy", "{:.3f}"),
        _verdict(row["ratio"], ratio),
    ]


def _saved(ratio: Optional[float]) -> List[Cell]:
    if ratio is None or ratio == 1.0:
        return [NOT_APPLICABLE, NOT_APPLICABLE]
    how = "against the float32 file of the same network"
    return [derived(100 * (1 - 1 / ratio), "{:.1f}", how), derived(ratio, "{:.2f}", how)]


def _ratio(gathered: Gathered, model: str, file: Artifact) -> Optional[float]:
    reference = gathered.find("convert", model=model, recipe="float32")
    large, small = reference and reference.number("size_bytes"), file.number("size_bytes")
    return large["value"] / small["value"] if large and small else None


def _verdict(theirs: Optional[float], ours: Optional[float]) -> Cell:
    if theirs is None or ours is None:
        return NOT_APPLICABLE
    if abs(ours / theirs - 1) <= NEAR:
        return Cell(AGREES, AGREES, AGREES)
    verdict = BETTER if ours > theirs else WORSE
    return Cell(verdict, verdict, verdict)
