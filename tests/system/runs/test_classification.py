"""A network that tells classes, from simulated events to the report: its rows and its words in the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab import CLASSIFIER

if TYPE_CHECKING:
    from lab import Lab


def test_every_benchmark_tells_balanced_accuracy_with_its_interval(classifier: Lab) -> None:
    found = json.loads(classifier.run("results", "--json").stdout)["rows"]
    balanced = [row for row in found if row["metric"] == "balanced_accuracy"]
    assert {(row["recipe"], row["runtime"]) for row in balanced} == {
        ("float32-keras", "keras-cpu"),
        *((recipe, runtime) for recipe in ("float32", "ptq-int8-stock") for runtime in ("tflite-cpu", "litert-cpu")),
    }
    assert all((row["n"], row["unit"], len(row["interval"])) == (30, "1", 2) for row in balanced)
    assert all(0 <= row["value"] <= 1 for row in balanced)
    assert {row["metric"] for row in found} >= {"accuracy", "latency_p50_ms", "size_bytes"}
    assert "balanced accuracy" in classifier.run("results").stdout


def test_the_report_names_the_network_and_its_classes(classifier: Lab) -> None:
    page = (classifier.artifacts / "objects" / classifier.steps()["report"]["key"] / "report.html").read_text()
    assert CLASSIFIER in page
    assert "cc_numu" in page


def test_every_artifact_is_what_its_list_of_files_says(classifier: Lab) -> None:
    assert classifier.damaged() == []
