"""What a report says of files below 8 bits, and of the honest size of every file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from synthetic_run import SIZES, Run

from stages.report import __main__ as stage
from stages.report import figures, handovers, tables
from stages.report.gather import gather
from stages.report.latencies import latencies
from stages.report.memory import memory

if TYPE_CHECKING:
    from pathlib import Path

    from stages.report.gather import Gathered
    from stages.report.table import Cell, Table

MODEL, NARROW = "efficientnetv2b0", "ptq-int4"
STORED = "two-bits"  # a recipe that no report knows by name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which one recipe's file holds weights of four bits; a smaller one than all others."""
    made = Run(tmp_path_factory.mktemp("run")).whole(MODEL)
    folder = made.convert(MODEL, NARROW)
    told = json.loads((folder / "record.json").read_text())
    numbers = [{**number, "value": number["value"] / 2} for number in told["numbers"]]
    (folder / "record.json").write_text(json.dumps({**told, "numbers": numbers}))
    made.benchmark(MODEL, NARROW, "litert-cpu")
    return made


@pytest.fixture(scope="module")
def gathered(run: Run) -> Gathered:
    return gather(run.step(run.root / "gathered"))


def row(table: Table, recipe: str) -> dict[str, Cell]:
    found = [dict(zip(table.plain_columns, cells, strict=True)) for cells in table.rows]
    return next(one for one in found if one["recipe"].text == recipe)


def test_five_numbers_stand_for_every_file(gathered: Gathered) -> None:
    found = row(memory(gathered), "ptq-int8")
    assert found["file: weights, KB"].sort == pytest.approx(0.8 * SIZES["ptq-int8"] / 1000)
    assert found["file: scales and biases, KB"].sort == pytest.approx(0.15 * SIZES["ptq-int8"] / 1000)
    assert found["file: file, KB"].sort == pytest.approx(SIZES["ptq-int8"] / 1000)
    assert found["litert-cpu: RAM, MB"].sort == pytest.approx(SIZES["ptq-int8"] / 1e6)
    assert found["Edge TPU: on chip, MiB"].kind == "predicted"
    assert [cells[1].text for cells in memory(gathered).rows] == [*SIZES, NARROW]


def test_compression_is_float32_over_the_file_and_nothing_else(gathered: Gathered) -> None:
    found = row(memory(gathered), NARROW)["file: compression"]
    assert found.sort == pytest.approx(SIZES["float32"] / (SIZES["ptq-int8"] / 2))
    assert row(memory(gathered), "float32")["file: compression"].text == "1.00"


def test_what_is_only_stored_small_says_so(gathered: Gathered) -> None:
    cells = {recipe: row(memory(gathered), recipe)["litert-cpu: executed as"].text for recipe in (*SIZES, NARROW)}
    assert cells["float16"] == "dequantised-to-float, storage only 100 %"
    assert cells["ptq-int8"] == "int8 100 %"
    assert cells[NARROW] == "int4-native 95 %, int8 5 %"


def test_the_edge_tpu_s_columns_say_why_they_are_empty(gathered: Gathered) -> None:
    found = row(tables.headline(gathered), NARROW)
    edge = [cell for name, cell in found.items() if name.startswith("Edge TPU")]
    edge += [cell for name, cell in row(memory(gathered), NARROW).items() if name.startswith("Edge TPU")]
    assert {cell.text for cell in edge} == {"not applicable: 8-bit device"}
    assert "not applicable" not in row(tables.headline(gathered), "ptq-int8")["Edge TPU: size, KB"].text


def test_the_runtime_that_runs_it_stands_for_the_cpu(gathered: Gathered) -> None:
    found = row(tables.headline(gathered), NARROW)
    benchmark = gathered.find("benchmark", model=MODEL, recipe=NARROW, runtime="litert-cpu")
    assert benchmark is not None
    assert found["CPU: p50, ms"].artifact is benchmark
    assert found["recipe"].detail == "litert-cpu"
    assert row(tables.headline(gathered), "ptq-int8")["recipe"].detail == ""
    names = [drawing.name for drawing in figures.confusions(gathered)]
    assert names.count(f"confusion-{MODEL}-{NARROW}-litert-cpu") == 1
    assert f"confusion-{MODEL}-ptq-int8-litert-cpu" not in names
    scatter = figures.accuracy_and_size(gathered)
    assert scatter is not None
    assert NARROW in scatter.svg


def test_it_is_compared_with_float32_on_the_same_kernels(gathered: Gathered) -> None:
    pairs = [(one[1].text, one[2].text) for one in handovers.handovers(gathered).rows]
    assert ("float32, litert-cpu", f"{NARROW}, litert-cpu") in pairs


def test_a_plan_that_narrows_nothing_keeps_its_row(tmp_path: Path) -> None:
    run = Run(tmp_path).whole(MODEL)
    run.convert(MODEL, "mixed")  # all of its weights have eight bits
    run.benchmark(MODEL, "mixed", "litert-cpu")
    gathered = gather(run.step(tmp_path / "out"))
    found = row(tables.headline(gathered), "mixed")
    assert found["CPU: balanced accuracy"].kind == "number"
    assert found["CPU: p50, ms"].kind == "number"
    assert found["Edge TPU: p50, ms"].text == "not applicable: 8-bit device"
    pairs = [(one[1].text, one[2].text) for one in handovers.handovers(gathered).rows]
    assert ("float32, litert-cpu", "mixed, litert-cpu") in pairs


def test_the_page_shows_the_table_and_the_front(run: Run) -> None:
    step = run.step(run.root / "report")
    stage.main(step)
    page = (step.out / "report.html").read_text(encoding="utf-8")
    text = (step.out / "report.md").read_text(encoding="utf-8")
    assert 'id="memory"' in page
    assert 'id="pareto"' in page
    assert "## Weights and memory" in text
    assert "on the front" in text


def test_a_file_without_a_measurement_leaves_the_cells_and_no_other(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.convert(MODEL, "float32")
    found = row(memory(gather(run.step(tmp_path / "out"))), "float32")
    assert found["litert-cpu: RAM, MB"].is_absent
    assert found["litert-cpu: executed as"].is_absent
    assert not found["file: weights, KB"].is_absent


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a container, of which only the accuracy was measured."""
    made = Run(tmp_path_factory.mktemp("stored")).whole(MODEL)
    made.convert(MODEL, STORED)
    made.benchmark(MODEL, STORED, "unpacked-cpu")
    return made


def test_a_file_that_nothing_executes_has_a_row_that_says_so(stored: Run) -> None:
    gathered = gather(stored.step(stored.root / "gathered"))
    sizes = row(memory(gathered), STORED)
    assert sizes["litert-cpu: executed as"].text == "storage only"
    assert sizes["litert-cpu: RAM, MB"].text == "\u2013"
    assert sizes["Edge TPU: on chip, MiB"].text == "not applicable: 8-bit device"
    assert sizes["file: compression"].sort > 1
    result = row(tables.headline(gathered), STORED)
    assert result["recipe"].detail == "unpacked-cpu"
    assert result["CPU: balanced accuracy"].kind == "number"
    assert result["CPU: p50, ms"].text == "\u2013"
    assert result["Edge TPU: p50, ms"].text == "not applicable: 8-bit device"
    assert not any(cells[1].text == STORED for table in latencies(gathered) for cells in table.rows)


def test_a_container_is_not_called_a_tflite_file(stored: Run) -> None:
    gathered = gather(stored.step(stored.root / "kinds"))
    found = gathered.find("convert", model=MODEL, recipe=STORED)
    assert found is not None
    (found.folder / "model.packed").write_bytes(b"CORALPK1")
    assert row(tables.sizes(gathered), STORED)["file"].text == "packed container"
    assert row(tables.sizes(gathered), "float32")["file"].text == "TFLite"


def test_a_report_with_such_a_file_is_made(stored: Run) -> None:
    made = stored.step(stored.root / "out")
    stage.main(made)
    page = (made.out / "report.html").read_text()
    assert STORED in page
    assert "storage only" in page
