"""A network of lookup tables from waveforms to a proven netlist, in containers: a short form of the usual request."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from lab import PATIENCE_S, Lab

from coralline import daemon
from coralline.catalogue import PROJECT
from coralline.environments import Environment

if TYPE_CHECKING:
    from pathlib import Path

SCRATCH = "/tmp"  # noqa: S108 - inside the container
ENVIRONMENTS = PROJECT / ".coralline" / "environments"
TINY = (
    *("dataset.train_pulses=2048", "dataset.test_pulses=256", "evolve.layers=4,1", "evolve.epochs=2"),
    *("evolve.evaluations=1280", "evolve.sample=512", "synthesise.vectors=2000", "synthesise.seeds=1"),
)
REQUEST = ("all", "--model", "lutnet", "--data", "waveforms", *(word for name in TINY for word in ("--set", name)))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if (reason := daemon.trouble()) is not None:
        pytest.skip(reason)
    lab = Lab(tmp_path_factory.mktemp("lutnet"), "docker")
    lab.run(*REQUEST, "--engine", "docker")
    return lab


def document(lab: Lab, label: str, name: str) -> Any:
    return json.loads((lab.artifacts / "objects" / lab.steps()[label]["key"] / name).read_text())


def test_it_goes_its_own_way_to_the_report(done: Lab) -> None:
    assert list(done.steps()) == ["dataset", "evolve/lutnet", "synthesise/lutnet", "report"]
    assert {told["state"] for told in done.steps().values()} == {"made"}


def test_every_level_is_exact(done: Lab) -> None:
    levels = document(done, "synthesise/lutnet", "proof.json")["levels"]
    assert [level["level"] for level in levels] == ["VHDL", "exported Verilog", "mapped netlist"]
    assert all(level["exact"] == level["vectors"] > 2000 for level in levels)


def test_it_is_small_and_quick_hardware_and_better_than_chance(done: Lab) -> None:
    cells = document(done, "synthesise/lutnet", "area.json")["cells"]
    assert 1 <= cells["lut4"] <= 5
    assert (cells["dsp"], cells["bram"], cells["ff"]) == (0, 0, 0)
    assert 1 < document(done, "synthesise/lutnet", "timing.json")["pin_to_pin_ns"] < 15
    assert document(done, "evolve/lutnet", "metrics.json")["accuracy"] > 0.7


def test_the_report_shows_both_stages(done: Lab) -> None:
    report = done.artifacts / "objects" / done.steps()["report"]["key"] / "report.html"
    text = report.read_text()
    for words in ("A network of lookup tables", "The network as hardware", "exact ", "pin to pin, ns"):
        assert words in text


def test_a_second_run_reuses_everything(done: Lab) -> None:
    done.run(*REQUEST, "--engine", "docker")
    assert {told["state"] for told in done.steps().values()} == {"reused"}


def test_other_data_is_refused_in_one_line(tmp_path: Path) -> None:
    told = Lab(tmp_path, "local").run("all", "--model", "lutnet", "--data", "simulate", code=2).stderr
    assert "lutnet cannot learn from 'simulate'" in told
    assert "Traceback" not in told


def test_the_stage_s_own_tests_pass_in_its_image(done: Lab) -> None:
    """Hosts need not have the tools, nor these versions of them: what calls them runs where the stage runs."""
    image = done.records()["synthesise/lutnet"]["engine"]["image"]
    tools = Environment("stage-tests", PROJECT / "requirements" / "stage-tests.lock", ENVIRONMENTS)
    tools.ensure(print)
    command = [
        *("docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", SCRATCH, "--workdir", "/project"),
        *("--volume", f"{PROJECT}:/project:ro", "--volume", f"{tools.packages}:/tools:ro"),
        *("--env", "PYTHONDONTWRITEBYTECODE=1", "--env", f"HYPOTHESIS_STORAGE_DIRECTORY={SCRATCH}/hypothesis"),
        *("--env", "PYTHONPATH=/opt/coralline/site:/tools", image, "python3", "-m", "pytest"),
        *("-q", "-p", "no:cacheprovider", "tests/stages/synthesise/test_hardware.py"),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "skipped" not in told.stdout
