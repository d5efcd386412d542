"""A network that simulates a file stands between the float network and the file, and never looks like a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from synthetic_run import Run

from stages.report import handovers, tables
from stages.report.gather import Gathered, gather

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "inceptionv3"
SIMULATED = "qat-int8, keras-cpu simulated"


@pytest.fixture
def gathered(tmp_path: Path) -> Gathered:
    run = Run(tmp_path / "run")
    run.dataset()
    run.train(MODEL, 1)
    run.benchmark(MODEL, "float32-keras", "keras-cpu")
    for recipe in ("float32", "ptq-int8", "qat-int8"):
        run.convert(MODEL, recipe)
        run.benchmark(MODEL, recipe, "tflite-cpu")
    run.qat(MODEL, "qat-int8", accuracy=0.79)
    run.compile(MODEL, "qat-int8")
    run.benchmark(MODEL, "qat-int8", "edgetpu")
    return gather(run.step(tmp_path / "out"))


def test_a_simulated_network_is_a_hand_over_of_its_own(gathered: Gathered) -> None:
    found = [(cells[1].text, cells[2].text) for cells in handovers.handovers(gathered).rows]
    assert ("float32-keras, keras-cpu", SIMULATED) in found
    assert (SIMULATED, "qat-int8, tflite-cpu") in found
    assert ("qat-int8, tflite-cpu", "qat-int8, edgetpu") in found
    assert ("float32, tflite-cpu", "ptq-int8, tflite-cpu") in found
    assert len(found) == 5


def test_a_simulated_network_of_four_bits_stands_between_keras_and_its_file(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.dataset()
    run.train(MODEL, 2)
    run.benchmark(MODEL, "float32-keras", "keras-cpu")
    for recipe in ("float32", "qat-int4"):
        run.convert(MODEL, recipe)
        run.benchmark(MODEL, recipe, "litert-cpu")
    run.qat(MODEL, "qat-int4")
    found = [(cells[1].text, cells[2].text) for cells in handovers.handovers(gather(run.step(tmp_path / "out"))).rows]
    assert ("float32-keras, keras-cpu", "qat-int4, keras-cpu simulated") in found
    assert ("qat-int4, keras-cpu simulated", "qat-int4, litert-cpu") in found


def test_its_accuracy_has_a_row_that_says_that_it_was_simulated(gathered: Gathered) -> None:
    table = tables.accuracy(gathered)
    rows = [cells for cells in table.rows if cells[1].text == "qat-int8"]
    assert [(cells[2].text, cells[2].detail) for cells in rows] == [
        ("keras-cpu", "simulated"),
        ("tflite-cpu", ""),
        ("edgetpu", ""),
    ]
    cell = rows[0][3]
    assert (cell.text, cell.detail) == ("0.790", "[0.770, 0.810]")
    assert cell.artifact is not None
    assert cell.artifact.label == f"qat/{MODEL}/qat-int8"
    assert rows[0][-2].text == "72"
    assert rows[0][-1].kind == "derived"  # agreement with the Keras network
