"""The report shows what stages say themselves, and a run of networks that are no Keras networks at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htmlpage import Page
from synthetic_run import Run, write_json

from stages.report import __main__ as stage
from stages.section import Section, SectionFigure, SectionTable

if TYPE_CHECKING:
    from pathlib import Path

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def wire(run: Run, **changed: object) -> Path:
    """Make the artifact of a stage that the report does not know."""
    folder = run.root / "wire.tables"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "wiring.svg").write_text(SVG)
    table = SectionTable("Area", ["device", "LUTs", "ns"], [["HX8K", 66, 11.25], ["<b>other", None, None]], "a note")
    told = {"text": ["Every table in <one> sentence."], "tables": [table], **changed}
    Section("Wiring", figures=[SectionFigure("figures/wiring.svg", "how it is wired")], **told).write(folder)  # type: ignore[arg-type]
    return run.record(folder, "wire", {"model": "tables"}, [])


def test_a_stage_of_its_own_is_shown_beside_the_others(tmp_path: Path) -> None:
    run = Run(tmp_path / "run").whole("inceptionv3")
    wire(run)
    step = run.step(tmp_path / "out")
    stage.main(step)
    page, text = (step.out / "report.html").read_text(), (step.out / "report.md").read_text()
    assert "Coralline report: inceptionv3, tables" in page
    assert "Every table in &lt;one&gt; sentence." in page
    assert "11.25" in page
    assert "<script>alert(1)" not in page  # the figure is an image, which runs nothing
    assert (step.out / "figures" / "section-wire-tables-wiring.svg").read_text() == SVG
    assert "## Wiring" in text
    assert "![how it is wired](figures/section-wire-tables-wiring.svg)" in text


def test_what_no_network_of_a_run_has_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    folder = run.dataset()
    (folder / "images.csv").unlink()
    told = {"schema": "coralline.dataset", "version": 1, "source": "pulses", "about": "Pulses of a simulation."}
    told |= {
        "classes": list(run.classes),
        "splits": {"test": dict.fromkeys(run.classes, 5)},
        "skipped": [],
        "size": None,
    }
    write_json(folder / "dataset.json", told)
    run.record(folder, "dataset", {}, [])
    wire(run)
    step = run.step(tmp_path / "out")
    stage.main(step)
    page, text = (step.out / "report.html").read_text(), (step.out / "report.md").read_text()
    assert "Pulses of a simulation." in text
    assert "3 classes: 15 test." in text
    for heading in ("Accuracy", "Sizes", "Latency", "Training"):
        assert "## %s" % heading not in text
        assert ">%s</" % heading not in page
    assert "## Wiring" in text
    links = Page(page)
    assert {link[1:] for link in links.links if link.startswith("#")} <= set(links.ids)
