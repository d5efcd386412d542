"""A network that finds pixels, from simulated events to the report and C source, in Docker."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import can
from lab import Lab

from coralline import daemon

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (
    *("dataset.train_events=60", "dataset.test_events=30", "dataset.pixels=32", "train.input_size=32"),
    *("train.epochs=2", "convert.calibration_images=8", "benchmark.min_runs=10", "benchmark.min_seconds=0.1"),
)
REQUEST = (
    *("all", "--model", "unet447", "--data", "tracks", "--recipes", "float32,ptq-int8-stock", "--engine", "docker"),
    *(word for name in SETTINGS for word in ("--set", name)),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    trouble = daemon.trouble()
    if trouble is not None:
        pytest.skip(f"whole runs in Docker: {trouble}")
    lab = Lab(tmp_path_factory.mktemp("pixels"), "docker")
    lab.run(*REQUEST)
    return lab


def folder(lab: Lab, label: str) -> Path:
    return lab.artifacts / "objects" / lab.steps()[label]["key"]


def test_every_benchmark_tells_iou_with_its_interval(made: Lab) -> None:
    found = [row for row in json.loads(made.run("results", "--json").stdout)["rows"] if row["metric"] == "iou"]
    assert {(row["recipe"], row["runtime"]) for row in found} == {
        ("float32-keras", "keras-cpu"),
        *((recipe, runtime) for recipe in ("float32", "ptq-int8-stock") for runtime in ("tflite-cpu", "litert-cpu")),
    }
    assert all(row["n"] == 30 and 0 <= row["value"] <= 1 and len(row["interval"]) == 2 for row in found)
    assert "IoU" in made.run("results").stdout


def test_the_report_shows_what_was_found(made: Lab) -> None:
    report = folder(made, "report")
    page = (report / "report.html").read_text()
    assert "Pixels found" in page
    assert "On a microcontroller" in page
    assert list((report / "figures").glob("sample-*-answer.png"))


def test_the_source_is_what_a_compiler_takes_and_holds_the_file(made: Lab, tmp_path: Path) -> None:
    source = folder(made, "embed/unet447") / "model_ptq_int8_stock.c"
    if not can("cc", "--version"):
        pytest.skip("C source compiled: no C compiler on this machine")
    program = tmp_path / "main.c"
    program.write_text(
        f'#include <stdio.h>\n#include "{source.stem}.h"\n'
        f"int main(void) {{ return fwrite({source.stem}, 1, {source.stem}_bytes, stdout) == 0; }}\n"
    )
    words = ["cc", "-std=c11", "-Wall", "-Werror", "-I", source.parent, "-o", tmp_path / "main", program, source]
    subprocess.run(words, check=True)
    written = subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout
    assert written == (folder(made, "convert/unet447/ptq-int8-stock") / "model.tflite").read_bytes()
