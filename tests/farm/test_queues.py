"""Batch systems that start the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from field import Field, beside, placed

from coralline.errors import EngineError
from coralline.farm import machine, queues
from coralline.farm.queues import workers_for
from coralline.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_batch_system_counts_what_its_nodes_measured_before(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = beside("speed", measures=True)
    field.farm.kind = "slurm"
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node 1")
    field.run(steps)
    field.farm._known.clear()
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node 2")
    field.run(steps)
    assert field.engine.ran == []


@pytest.mark.parametrize(
    ("whole", "small", "threads", "workers"), [(0, 0, 4, 0), (3, 0, 4, 3), (0, 5, 4, 2), (2, 4, 4, 3), (0, 1, 1, 1)]
)
def test_a_batch_system_is_asked_for_as_many_workers_as_steps_fill(
    whole: int, small: int, threads: int, workers: int
) -> None:
    asked = [{"room": 1.0}] * whole + [{"room": machine.SHARE}] * small
    assert workers_for(asked, threads) == workers


@pytest.mark.parametrize("kind", ["slurm", "htcondor"])
def test_a_job_of_a_batch_system_is_a_worker_of_this_project_and_store(kind: str, tmp_path: Path) -> None:
    with queues.keys(tmp_path) as keys, queues.cluster(kind, tmp_path, keys, pytest.fail) as made:
        script = made.job_script()
    for part in (" -m coralline.farm.node tls://", f"CORALLINE_ARTIFACTS={tmp_path}", "--nthreads 4", "--tls-key "):
        assert part in script
    assert "#SBATCH -t" not in script


def test_the_keys_of_a_run_are_for_its_user_alone_and_go_with_it(tmp_path: Path) -> None:
    with queues.keys(tmp_path):
        (folder,) = (tmp_path / "index").iterdir()
        modes = {path.name: path.stat().st_mode & 0o077 for path in (folder, folder / "key.pem")}
    assert set(modes.values()) == {0}
    assert not any((tmp_path / "index").iterdir())


def test_a_machine_without_the_batch_system_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(EngineError, match="sbatch is not on this machine"),
        queues.workers_of("slurm", Store(tmp_path), 0),
    ):
        pass


def test_a_batch_system_that_takes_no_job_ends_the_run_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = tmp_path / "bin" / "sbatch"
    submit.parent.mkdir()
    submit.write_text("#!/bin/sh\necho 'sbatch: error: Invalid partition name specified' >&2\nexit 1\n")
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", f"{submit.parent}:/usr/bin:/bin")
    with queues.workers_of("slurm", Store(tmp_path / "artifacts"), 0) as farm:
        field = placed(Field(tmp_path, farm.client), monkeypatch)
        field.farm = farm
        errors = field.run(beside("one", "two")).errors
    assert {error.message for error in errors.values()} == {
        "slurm refuses to start a worker: sbatch: error: Invalid partition name specified"
    }


@pytest.mark.parametrize("name", ["job-script-prologue", "job_script_prologue"])
def test_a_configuration_counts_however_its_words_are_joined(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {name: ["module load cuda"], "cores": None}
    monkeypatch.setattr("dask.config.collect", lambda: {"jobqueue": {"slurm": theirs}})
    with queues.keys(tmp_path) as keys, queues.cluster("slurm", tmp_path, keys, pytest.fail) as made:
        script = made.job_script()
    assert "module load cuda" in script
    assert "--nthreads 4" in script
