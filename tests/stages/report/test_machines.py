"""Latencies of several machines: none is compared with, or hidden among, those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htmlpage import Page
from reports import made, row, text
from synthetic_run import HOST, SPEEDS, Run

from stages.report import tables, words
from stages.report.gather import gather
from stages.report.latencies import latencies

if TYPE_CHECKING:
    from pathlib import Path


def on_two_machines(tmp_path: Path, other: dict[str, Any]) -> Run:
    """A run whose resnet50v2 was measured elsewhere."""
    run = Run(tmp_path / "run").whole("inceptionv3", "resnet50v2")
    for name in run.inputs:
        if name.startswith("benchmark.resnet50v2."):
            run.edit(name, host={**HOST, **other})
    return run


def test_latencies_of_two_machines_never_share_a_table(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"cpu_model": "Other CPU", "cores": 64, "fingerprint": 2 * "89abcdef"})
    gathered = gather(run.step(tmp_path / "out"))
    found = latencies(gathered)
    assert [table.name for table in found] == ["latency", "latency-2"]
    titles = ["Latency on Example CPU 9000, 2 cores", "Latency on Other CPU, 64 cores"]
    assert [table.title for table in found] == titles
    assert [{line[0].text for line in table.rows} for table in found] == [{"inceptionv3"}, {"resnet50v2"}]
    assert sum(len(table.rows) for table in found) == 34
    step = made(run, tmp_path / "report")
    page = Page(text(step, "report.html"))
    assert {"latency", "latency-2"} <= set(page.ids)
    for title in titles:
        assert f"## {title}" in text(step, "report.md")
        assert title in page.words
    assert text(step, "report.md").count("## Training") == 1


def test_two_machines_of_one_kind_are_two_machines(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"fingerprint": 2 * "89abcdef"})
    titles = [table.title for table in latencies(gather(run.step(tmp_path / "out")))]
    assert titles == [f"Latency on Example CPU 9000, 2 cores ({digits})" for digits in ("012345", "89abcd")]


def test_the_first_table_has_a_column_for_each_machine(tmp_path: Path) -> None:
    run = on_two_machines(tmp_path, {"cpu_model": "Other CPU", "fingerprint": 2 * "89abcdef"})
    table = tables.headline(gather(run.step(tmp_path / "out")))
    here, there = ("CPU: p50, ms, Example CPU 9000, 2 cores", "CPU: p50, ms, Other CPU, 2 cores")
    for model, own, foreign in (("inceptionv3", here, there), ("resnet50v2", there, here)):
        found = row(table, model, "ptq-int8")
        assert found[own].text == f"{0.98 * SPEEDS['ptq-int8']:.2f}"
        assert found[foreign].is_absent
        assert found["CPU: balanced accuracy"].kind == "number"


def test_speed_is_not_compared_between_machines(tmp_path: Path) -> None:
    run = Run(tmp_path / "run").whole("inceptionv3")
    run.edit("benchmark.inceptionv3.ptq-int8.tflite-cpu", host={**HOST, "fingerprint": 2 * "89abcdef"})
    gathered = gather(run.step(tmp_path / "out"))
    for table in latencies(gathered):
        for line in table.rows:
            of_other = [cell.text for cell in line[1:3]] == ["ptq-int8", "tflite-cpu"]
            assert line[table.columns.index("speed-up")].is_absent == of_other
    (found,) = words.summary(gathered)
    assert found["latency_note"] == "on two machines: not to be compared"
