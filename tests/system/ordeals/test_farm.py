"""A farm as a user has one: machines that share nothing but the store, one of which dies; and a real batch system."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from farmland import Farm, farm, machines, queue, slurm
from lab import Lab, end, read_until, save_images

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

IMAGES = 200  # of each class and split: a step takes about a second
TWO = (
    "sweep",
    "--model",
    "resnet50v2",
    "--only",
    "dataset",
    "--engine",
    "local",
    "--set",
    "dataset.on_bad_image=fail,skip",
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The words of a sweep of two steps, each of which takes a machine."""
    return (*TWO, "--data", str(save_images(tmp_path_factory.mktemp("images"), each=IMAGES)))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The store that all machines see."""
    lab = Lab(tmp_path_factory.mktemp("shared"), "local")
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(scope="module")
def two(shared: Lab) -> Iterator[Farm]:
    """A farm of two machines."""
    with machines(2) as (home, hosts), farm(shared, home, hosts) as found:
        yield found


@pytest.fixture(scope="module")
def alone(sweep: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one machine makes of the sweep, by label."""
    lab = Lab(tmp_path_factory.mktemp("alone"), "local")
    lab.run(*sweep)
    return lab.digests()


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_early_leaves_no_step_on_its_workers(
    sweep: tuple[str, ...], shared: Lab, two: Farm, name: signal.Signals
) -> None:
    process = shared.start(*sweep, "--on", two.address)
    read_until(process, "start     dataset")
    process.send_signal(name)
    assert "Traceback" not in end(process)
    assert process.returncode == (130 if name is signal.SIGINT else -name)
    assert shared.nothing_is_left(within_s=30)
    assert len(shared.digests()) < 2


def test_a_machine_that_dies_costs_its_step_only(
    sweep: tuple[str, ...], shared: Lab, two: Farm, alone: dict[str, str]
) -> None:
    shutil.rmtree(shared.artifacts / "objects", ignore_errors=True)  # what earlier runs may have finished
    process = shared.start(*sweep, "--on", two.address)
    starts = _until_all_started(process)
    two.kill(0)
    starts += _started(end(process))
    assert process.returncode == 0
    assert sorted(starts.values()) == [1, 2]
    assert shared.digests() == alone
    assert shared.damaged() == []
    assert shared.nothing_is_left()


def test_slurm_makes_the_same_bytes_and_gets_its_node_back(
    sweep: tuple[str, ...], tmp_path: Path, alone: dict[str, str]
) -> None:
    home = tmp_path / "slurm"
    home.mkdir()
    with slurm(home) as variables:
        lab = Lab(tmp_path / "artifacts", "local", variables)
        told = lab.run(*sweep, "--on", "slurm")
        assert "waiting for slurm" in told.stderr or _started(told.stderr)
        assert lab.digests() == alone
        assert {one["farm"] for one in lab.records().values()} == {"slurm"}
        assert queue(variables, "squeue", "--noheader", "--states=PENDING,RUNNING") == ""
        assert lab.nothing_is_left()
        assert any((lab.artifacts / "index" / "jobs").iterdir())


def _started(said: str) -> Counter[str]:
    return Counter(line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("start "))


def _until_all_started(process: subprocess.Popen[str]) -> Counter[str]:
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if len(_started(told)) == 2:
            return _started(told)
    raise AssertionError(f"ended before both steps had started:\n{told}{os.linesep}")
