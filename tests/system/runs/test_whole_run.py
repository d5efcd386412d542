"""A request from events to the report, on both engines: what is there afterwards, and what a second run does."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import can
from lab import MODEL, REQUEST, Lab, save_images

from coralline import daemon
from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    from typing import Any

LATENCIES = {f"latency_{name}_ms" for name in ("mean", "std", "p50", "p90", "p95", "p99")}
MEASURED = (
    ("float32-keras", "keras-cpu"),
    *((recipe, runtime) for recipe in ("float32", "ptq-int8-stock") for runtime in ("tflite-cpu", "litert-cpu")),
)


def rows(lab: Lab) -> list[dict[str, Any]]:
    told = json.loads(lab.run("results", "--json").stdout)
    assert sorted(told) == ["rows", "run"]
    found: list[dict[str, Any]] = told["rows"]
    return found


def test_everything_is_made_but_what_needs_a_vendor(whole: Lab) -> None:
    states = {label: told["state"] for label, told in whole.steps().items()}
    blocked = {label for label, state in states.items() if state == "blocked"}
    assert blocked <= {f"compile/{MODEL}/ptq-int8-stock", f"benchmark/{MODEL}/ptq-int8-stock/edgetpu"}
    assert set(states.values()) <= {"made", "reused", "blocked"}
    assert "report" in states.keys() - blocked


def test_the_report_is_there_in_all_its_forms(whole: Lab) -> None:
    report = whole.artifacts / "objects" / whole.steps()["report"]["key"]
    for name in ("report.html", "report.md", "results.csv", "results.json"):
        assert (report / name).stat().st_size > 0
    assert MODEL in (report / "report.html").read_text()


def test_results_have_the_documented_rows(whole: Lab) -> None:
    found = rows(whole)
    columns = {"model", "recipe", "runtime", "host", "metric", "value", "unit", "n", "interval", "artifact"}
    assert all(row.keys() == columns for row in found)
    for recipe, runtime in MEASURED:
        metrics = {row["metric"] for row in found if (row["recipe"], row["runtime"]) == (recipe, runtime)}
        assert metrics >= LATENCIES | {"iou", "pixel_accuracy"}
    assert {row["recipe"] for row in found if row["metric"] == "size_bytes"} >= {"float32", "ptq-int8-stock"}
    overlaps = [row for row in found if row["metric"] == "iou"]
    assert {(row["recipe"], row["runtime"]) for row in overlaps} == set(MEASURED)
    assert all((row["n"], row["unit"], len(row["interval"])) == (30, "1", 2) for row in overlaps)
    assert all(0 <= row["value"] <= 1 for row in overlaps)
    assert all((whole.artifacts / "objects" / row["artifact"]).is_dir() for row in found)


def test_results_without_json_are_a_table(whole: Lab) -> None:
    told = whole.run("results").stdout
    assert "IoU" in told
    assert "ptq-int8-stock" in told


def test_a_second_run_reuses_everything(whole: Lab) -> None:
    before = whole.steps()
    whole.all()
    after = whole.steps()
    assert {told["state"] for told in after.values()} <= {"reused", "blocked"}
    assert {label: told["key"] for label, told in after.items()} == {
        label: told["key"] for label, told in before.items()
    }


def test_a_plan_afterwards_reuses_everything(whole: Lab) -> None:
    told = whole.run("plan", *REQUEST, "--engine", whole.engine).stdout.splitlines()
    assert {line.split()[0] for line in told} <= {"reused", "blocked"}


def test_nothing_runs_on_after_a_run(whole: Lab) -> None:
    assert whole.nothing_is_left()
    assert not whole.containers()


def test_every_artifact_is_what_its_list_of_files_says(whole: Lab) -> None:
    assert whole.damaged() == []
    assert not any((whole.artifacts / "building").glob("*"))
    assert not any((whole.artifacts / "partial").glob("*"))


def test_a_run_of_another_user_leaves_nothing_of_root_s(folder: Path) -> None:
    if daemon.trouble() is not None:
        pytest.skip(f"a run as another user: {daemon.trouble()}")
    nobody = pwd.getpwnam("nobody")
    socket = Path("/var/run/docker.sock").stat().st_gid
    run_as = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", f"--groups={socket}"]
    # As ./run does it, but with a Python that others may read as well: that of the host environment may be root's own.
    packages = PROJECT / ".coralline" / "host" / "lib" / "python3.11" / "site-packages"
    run_as += [
        "env",
        "HOME=/",
        f"PYTHONPATH={PROJECT}:{packages}",
        "/usr/bin/python3",
        "-P",
        "-m",
        "coralline.front",
        str(PROJECT),
    ]
    if os.getuid() != 0 or not can(*run_as, "models"):
        pytest.skip("a run as another user: only root can stand in for one, who must be able to read this checkout")
    artifacts = folder / "theirs"
    artifacts.mkdir(mode=0o755)
    images = save_images(folder / "images")
    os.chown(artifacts, nobody.pw_uid, nobody.pw_gid)
    ended = subprocess.run(
        [*run_as, "all", "--only", "dataset", "--data", str(images), "--engine", "docker"],
        env={**os.environ, "CORALLINE_ARTIFACTS": str(artifacts)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert {path.stat().st_uid for path in (artifacts, *artifacts.rglob("*"))} == {nobody.pw_uid}


def test_a_cached_run_loads_neither_the_docker_library_nor_the_board_nor_numpy(docker: Lab) -> None:
    lab = Lab(docker.artifacts, docker.engine, {"PYTHONVERBOSE": "1"})
    loaded = {line.split("'")[1] for line in lab.all().stderr.splitlines() if line.startswith("import '")}
    assert "coralline.execute" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {
        "docker",
        "requests",
        "rich",
        "numpy",
        "tensorflow",
        "tabulate",
    }
