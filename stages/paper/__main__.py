"""The paper stage: the paper's tables and figures from our artifacts, beside its values; same bytes for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from stages.contract import Step, run, write_json
from stages.paper import figures, page, published, study, tables, words
from stages.paper.compare import Replay
from stages.paper.published import TABLES
from stages.report import energy, handovers, pareto, provenance
from stages.report.figures import confusions
from stages.report.gather import gather

if TYPE_CHECKING:
    from stages.paper.verdicts import Comparison

VERSION = 1


def main(step: Step) -> None:
    """Write the page, the Markdown, the values and the figures."""
    gathered = gather(step)
    replay = Replay(published.read(), gathered, {one.artifact.key: one for one in energy.energies(step, gathered)})
    compared = {name: replay.table(name) for name in TABLES}
    step.progress(0, 2, "part", "figures")
    content = draw(replay, compared)
    (step.out / "figures").mkdir()
    for drawing in content.drawings:
        (step.out / "figures" / ("%s.svg" % drawing.name)).write_text(drawing.svg, encoding="utf-8")
    step.progress(1, 2, "part", "page")
    (step.out / "paper.html").write_text(page.html(content), encoding="utf-8")
    (step.out / "paper.md").write_text(page.text(content), encoding="utf-8")
    write_json(step.out / "paper.json", document(replay, compared))
    step.progress(2, 2, "part")
    step.record(facts={"verdicts": {name: dict(tables.counts(cells)) for name, cells in compared.items()}})


def draw(replay: Replay, compared: Dict[str, List[Comparison]]) -> page.Content:
    """Build all tables and figures."""
    accuracy, latency, used = (compared[name] for name in TABLES)
    files = pareto.candidates(replay.gathered)
    rules = words.rules(replay)
    table_2 = tables.durations("latency", "Table 2: latency of one inference, ms", replay, latency)
    table_3 = tables.durations("energy", "Table 3: energy proxy of one inference, mJ", replay, used)
    table_1 = [tables.overview(replay, accuracy), tables.accuracy(replay.published, accuracy)]
    studied, handed = study.compare(replay.published, replay.gathered), handovers.handovers(replay.gathered)
    made = provenance.artifacts(replay.gathered)
    figures_3 = figures.energy_and_latency(replay, latency, used)
    sections = [
        page.Section("table-1-section", table_1[0].title, rules[:1], table_1, []),
        page.Section(
            "figure-2", "Figure 2: accuracy along the pipelines", [], [], figures.pipelines(replay, accuracy), "wide"
        ),
        page.Section("table-2-section", table_2.title, rules[1:2], [table_2], []),
        page.Section("table-3-section", table_3.title, rules[2:], [table_3], []),
        page.Section("figure-3", "Figure 3: energy against latency", [], [], figures_3, "wide"),
        page.Section("study-section", studied.title, [words.study()], [studied], []),
        page.Section("handovers-section", handed.title, [words.HANDED], [handed], []),
        page.Section("front", "Pareto front", [words.FRONT], pareto.tables(files), figures.fronts(files), "wide"),
        page.Section("confusions", "Confusion matrices", [], [], confusions(replay.gathered), "small"),
        page.Section("provenance", "Provenance", [], [made], []),
    ]
    title = "The paper's benchmark, replayed: %s" % replay.published.paper["source"]
    return page.Content(
        title, words.lead(replay), [*words.circumstances(replay), words.MARKS], sections, replay.gathered
    )


def document(replay: Replay, compared: Dict[str, List[Comparison]]) -> Dict[str, Any]:
    """Describe everything that was compared, for programs."""
    paper = replay.published.paper
    found = pareto.candidates(replay.gathered)
    return {
        "schema": "coralline.paper",
        "version": VERSION,
        "source": paper["source"],
        "lead": words.lead(replay),
        "rules": words.rules(replay),
        "models": {model: replay.published.title(model) for model in replay.gathered.models},
        "columns": {name: replay.published.columns(name) for name in TABLES},
        "units": {name: paper[name]["unit"] for name in TABLES},
        "tables": {name: [one.document() for one in cells] for name, cells in compared.items()},
        "front": [one.benchmark.label for one in pareto.front(found)],
    }


if __name__ == "__main__":
    run(main)
