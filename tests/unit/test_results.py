"""`./run results`: every number with the machine it is of, and never two machines in one table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from coralline import results
from stages.report.gather import Artifact
from stages.report.hosts import label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.runs import Run
    from coralline.store import Store

HERE = {"cpu_model": "Example CPU", "cores": 2, "fingerprint": "0123456789abcdef"}
TWIN = {**HERE, "fingerprint": "fedcba9876543210"}
LARGE = {"cpu_model": "Other CPU", "cores": 64, "fingerprint": "aaaabbbbccccdddd"}


def number(metric: str, value: float, **where: str) -> dict[str, Any]:
    return {"metric": metric, "value": value, "unit": "1", "n": 10, "interval": None, **where}


def record(stage: str, recipe: str, host: Mapping[str, Any], *numbers: dict[str, Any], **axes: str) -> dict[str, Any]:
    axes = {"model": "inceptionv3", "recipe": recipe, **axes}
    key = "/".join([stage, *axes.values()])
    return {"key": key, "stage": stage, "axes": axes, "host": host, "numbers": list(numbers)}


def measured(recipe: str, host: Mapping[str, Any], mean_ms: float) -> dict[str, Any]:
    numbers = (number("latency_mean_ms", mean_ms), number("latency_all_threads_p50_ms", mean_ms / 2))
    return record("benchmark", recipe, host, *numbers, runtime="tflite-cpu")


def rows(*records: dict[str, Any]) -> list[results.Row]:
    steps = {one["key"]: {"key": one["key"], "state": "made"} for one in records}
    found = {one["key"]: SimpleNamespace(record=one) for one in records}
    blocked = {"compile": {"key": None, "state": "blocked"}}
    run = SimpleNamespace(steps={**steps, **blocked})
    return results.rows(cast("Run", run), cast("Store", SimpleNamespace(find=found.get)))


def test_every_number_names_its_machine() -> None:
    found = rows(record("convert", "float32", LARGE, number("size_bytes", 9)), measured("float32", HERE, 24.0))
    assert [row["host"] for row in found] == ["Other CPU, 64 cores", *2 * ["Example CPU, 2 cores"]]


def test_what_one_machine_measured_is_one_table_wherever_it_was_converted() -> None:
    size = number("size_bytes", 9000, runtime="tflite-cpu")
    found = rows(record("convert", "float32", LARGE, size), measured("float32", HERE, 24.0))
    ((_host, headers, cells),) = results.tables(found)
    line = dict(zip(headers, cells[0], strict=True))
    assert (line["size KB"], line["mean ms"], line["all threads: p50 ms"]) == ("9", "24.00", "12.00")


def test_two_machines_never_share_a_column() -> None:
    found = results.tables(rows(measured("float32", HERE, 24.0), measured("dynamic", LARGE, 5.0)))
    assert [(host, [cell[1] for cell in cells]) for host, _, cells in found] == [
        ("Example CPU, 2 cores", ["float32"]),
        ("Other CPU, 64 cores", ["dynamic"]),
    ]


def test_machines_of_one_kind_are_told_apart() -> None:
    found = results.tables(rows(measured("float32", HERE, 24.0), measured("dynamic", TWIN, 5.0)))
    assert [host for host, _, _ in found] == ["Example CPU, 2 cores (012345)", "Example CPU, 2 cores (fedcba)"]


def test_a_run_that_measured_nothing_still_has_its_sizes() -> None:
    size = number("size_bytes", 9000, runtime="tflite-cpu")
    ((_host, _headers, cells),) = results.tables(rows(record("convert", "float32", HERE, size)))
    assert cells[0][:3] == ["inceptionv3", "float32", "tflite-cpu"]
    assert results.tables([])[0][2] == []


def test_a_machine_has_the_name_that_the_report_gives_it() -> None:
    told = [measured("float32", HERE, 1.0), measured("float16", TWIN, 1.0), measured("dynamic", LARGE, 1.0)]
    artifacts = [Artifact(Path(), one) for one in told]
    names = {row["recipe"]: row["host"] for row in rows(*told)}
    assert names == {one.axis("recipe"): label(one, artifacts) for one in artifacts}
    assert len(set(names.values())) == 3
