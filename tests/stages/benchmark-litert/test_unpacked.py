"""A container in the benchmark: it answers as the file that it was taken from, and nothing else is measured."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_dataset

from stages.benchmark.__main__ import main
from stages.container.file import write
from stages.container.network import packed
from stages.contract import InputError, Step

FILE = Path(__file__).resolve().parents[2] / "fixtures" / "blobs" / "ptq-int8"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=32)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "stored"
    folder.mkdir()
    (folder / "conversion.json").write_bytes((FILE / "conversion.json").read_bytes())
    (folder / "model.packed").write_bytes(write(packed((FILE / "model.tflite").read_bytes(), {})))
    return folder


def measured(out: Path, model: Path, blobs: Path, runtime: str) -> dict[str, Any]:
    out.mkdir()
    values = {"model": "resnet50v2", "runtime": runtime, "warmup_runs": 2, "min_runs": 10, "min_seconds": 0.01}
    inputs = {"model": model, "dataset": blobs}
    main(Step("benchmark", "benchmark", {**values, "threads": 1}, 2, inputs, out, None, events=io.StringIO()))
    found: dict[str, Any] = json.loads((out / "record.json").read_text())
    return found


def test_it_answers_as_the_file_does_and_no_time_is_measured(tmp_path: Path, stored: Path, blobs: Path) -> None:
    record = measured(tmp_path / "unpacked", stored, blobs, "unpacked-cpu")
    measured(tmp_path / "file", FILE, blobs, "litert-cpu")
    answers = [(tmp_path / name / "predictions.csv").read_bytes() for name in ("unpacked", "file")]
    assert answers[0] == answers[1]
    metrics = {number["metric"] for number in record["numbers"]}
    assert "balanced_accuracy" in metrics
    assert not [name for name in metrics if name.startswith(("latency", "ram", "images_per"))]
    assert not (tmp_path / "unpacked" / "latency.json").exists()
    kinds = json.loads((tmp_path / "unpacked" / "execution.json").read_text())["kinds"]
    assert {kind["executed_as"] for kind in kinds} == {"storage only"}


def test_a_damaged_container_is_refused(tmp_path: Path, stored: Path, blobs: Path) -> None:
    content = (stored / "model.packed").read_bytes()
    (stored / "model.packed").write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"model\.packed cannot be read: its checksum"):
        measured(tmp_path / "out", stored, blobs, "unpacked-cpu")
