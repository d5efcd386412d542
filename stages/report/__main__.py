"""The report stage: tables, figures and one page from the artifacts of a run, the same bytes for the same artifacts."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Dict, List

from stages.contract import Step, run, write_json
from stages.report import (
    doctor,
    edgetpu,
    energy,
    figures,
    handovers,
    masks,
    memory,
    page,
    pareto,
    provenance,
    samples,
    tables,
)
from stages.report.gather import gather, rows
from stages.report.latencies import latencies
from stages.report.sections import sections
from stages.report.segmentation import segmentation

if TYPE_CHECKING:
    from pathlib import Path

    from stages.report.gather import Gathered
    from stages.report.table import Table

COLUMNS = ("model", "recipe", "runtime", "host", "metric", "value", "unit", "n", "low", "high", "artifact")


def main(step: Step) -> None:
    """Write the report."""
    gathered = gather(step)
    found, energies = list(rows(gathered)), energy.energies(step, gathered)
    step.progress(0, 3, "part", "numbers")
    write_json(step.out / "results.json", {"schema": "coralline.results", "version": 1, "rows": found})
    write_csv(step.out / "results.csv", found)
    step.progress(1, 3, "part", "figures")
    content = draw(step, gathered, found, energy.tables(energies))
    write_figures(step.out / "figures", content)
    step.progress(2, 3, "part", "page")
    (step.out / "report.html").write_text(page.html(content), encoding="utf-8")
    (step.out / "report.md").write_text(page.text(content), encoding="utf-8")
    step.progress(3, 3, "part")
    facts = {"artifacts": len(gathered.artifacts), "missing": len(gathered.missing), "numbers": len(found)}
    step.record(list(energy.numbers(energies)), facts)


def draw(step: Step, gathered: Gathered, found: List[Dict[str, Any]], energies: List[Table]) -> page.Content:
    """Build all tables and figures."""
    files = pareto.candidates(gathered)
    built = [
        tables.headline(gathered),
        tables.accuracy(gathered),
        segmentation(gathered),
        tables.sizes(gathered),
        *latencies(gathered),
        memory.memory(gathered),
        *pareto.tables(files),
    ]
    built += [handovers.handovers(gathered), *energies]
    built += [doctor.remedies(gathered), doctor.activations(gathered), edgetpu.predictions(gathered)]
    built += [provenance.data(gathered.dataset), provenance.artifacts(gathered), provenance.numbers(found)]
    answers = masks.answers(step, gathered)
    return page.Content(
        gathered=gathered,
        tables={table.name: table for table in built},
        scatter=figures.accuracy_and_size(gathered),
        confusions=figures.confusions(gathered),
        curves=[drawing for one in (*gathered.of("train"), *gathered.of("qat")) for drawing in figures.curves(one)],
        samples=samples.draw(step, gathered.dataset, step.parameters["samples"], answers),
        sections=sections(gathered),
        plans=pareto.plans(files),
        answered=answers.label if answers else None,
    )


def write_figures(folder: Path, content: page.Content) -> None:
    """Write every figure as a file of its own."""
    folder.mkdir()
    for drawing in content.drawings:
        (folder / ("%s.svg" % drawing.name)).write_text(drawing.svg, encoding="utf-8")
    for _, of_class in content.samples:
        for sample in of_class:
            (folder / ("%s-channel.png" % sample.name)).write_bytes(sample.channel)
            (folder / ("%s-colours.png" % sample.name)).write_bytes(sample.colours)
            if sample.answer is not None:
                (folder / ("%s-answer.png" % sample.name)).write_bytes(sample.answer)
    for section in content.sections:
        for picture in section.pictures:
            (folder / picture.name).write_bytes(picture.content)


def write_csv(path: Path, found: List[Dict[str, Any]]) -> None:
    """Write one line for each number; the interval takes two columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        for row in found:
            low, high = row["interval"] or (None, None)
            table.writerow({**row, "low": low, "high": high})


if __name__ == "__main__":
    run(main)
