"""The benchmark stage on the real LiteRT: the same road and outputs as tflite-runtime, and kernels that are told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_dataset

from stages.benchmark.__main__ import main
from stages.benchmark.spec import RUNTIMES
from stages.contract import InputError, Step

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "blobs"
LOCK = Path(__file__).resolve().parents[3] / "docker" / "benchmark-litert" / "requirements.in"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=32)


def measured(out: Path, model: Path, blobs: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record, and `latency.json`."""
    out.mkdir()
    values: dict[str, Any] = {
        "model": "resnet50v2",
        "runtime": "litert-cpu",
        "warmup_runs": 2,
        "min_runs": 20,
        "min_seconds": 0.01,
    }
    inputs = {"model": model, "dataset": blobs}
    main(Step("benchmark", "benchmark", {**values, "threads": 1}, 2, inputs, out, None, events=io.StringIO()))
    return json.loads((out / "record.json").read_text()), json.loads((out / "latency.json").read_text())


@pytest.mark.parametrize("recipe", ["float32", "ptq-int8"])
def test_the_network_is_right_about_its_blobs(tmp_path: Path, blobs: Path, recipe: str) -> None:
    record, told = measured(tmp_path / "out", FILES / recipe, blobs)
    numbers = {number["metric"]: number["value"] for number in record["numbers"]}
    assert numbers["balanced_accuracy"] > 0.9
    assert numbers["latency_p50_ms"] == told["milliseconds"]["p50"]
    assert numbers["latency_all_threads_p50_ms"] == told["all_threads"]["milliseconds"]["p50"]
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 24


def test_the_record_says_that_xnnpack_computes_the_8_bit_operators(tmp_path: Path, blobs: Path) -> None:
    runtime = measured(tmp_path / "out", FILES / "ptq-int8", blobs)[0]["facts"]["runtime"]
    # tflite-runtime 2.14.0 leaves all of them, tests/stages/benchmark says; what costs time is taken here.
    assert runtime["kernels"] == "XNNPACK and built-in"
    assert runtime["int8_operators"] == runtime["operators"] == 6
    assert runtime["delegated_int8_operators"] == 3
    assert runtime["built_in_operators"] == {"QUANTIZE": 2, "SOFTMAX": 1}


def test_the_version_is_the_one_that_is_pinned_and_told_to_users(tmp_path: Path, blobs: Path) -> None:
    runtime = measured(tmp_path / "out", FILES / "float32", blobs)[0]["facts"]["runtime"]
    assert f"ai-edge-litert=={runtime['litert']}\n" in LOCK.read_text()
    assert f"LiteRT {runtime['litert']}," in RUNTIMES["litert-cpu"]


def test_a_damaged_file_is_refused(tmp_path: Path, blobs: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "conversion.json").write_bytes((FILES / "float32" / "conversion.json").read_bytes())
    (damaged / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    with pytest.raises(InputError, match="the interpreter refuses the model"):
        measured(tmp_path / "out", damaged, blobs)
