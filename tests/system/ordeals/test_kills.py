"""Runs killed for real, at every stage and in every way: nothing is lost or runs on, and the same command goes on."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from conftest import sown
from lab import MODEL, PATIENCE_S, Lab, end, holds, kill, read_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS = {"dataset": "dataset", "train": f"train/{MODEL}", "convert": f"convert/{MODEL}/ptq-int8-stock"}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
INTERRUPTED = 130


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A run on the local engine that is killed again and again."""
    lab = Lab(tmp_path_factory.mktemp("disturbed"), "local")
    yield lab
    shutil.rmtree(lab.artifacts)


@pytest.fixture(scope="module")
def in_containers(docker: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A training in Docker that is killed again and again; its data are there already."""
    lab = sown(docker, tmp_path_factory.mktemp("in-containers"), "dataset")
    yield lab
    shutil.rmtree(lab.artifacts)


def kill_in(lab: Lab, stage: str, name: signal.Signals, only: str) -> None:
    process = lab.start_all("--only", only)
    read_until(process, f"start     {LABELS[stage]}")
    if (stage, name) == ("train", signal.SIGKILL):
        assert wait_for_an_epoch(lab)
    time.sleep(0.5)
    code, seconds, said = kill(process, name)
    assert lab.nothing_is_left()
    assert lab.damaged() == []
    if name is signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert not lab.containers()
        assert code == INTERRUPTED, said
        assert seconds < 3  # two for the step, and a loaded machine
        assert "finished artifacts are kept" in said
        assert "Traceback" not in said


def wait_for_an_epoch(lab: Lab) -> bool:
    return holds(lambda: any((lab.artifacts / "partial").glob("*/checkpoint.json")), PATIENCE_S)


def was_resumed(lab: Lab) -> bool:
    """Whether the training was taken up after some of its epochs, before the last."""
    facts = lab.records()[LABELS["train"]]["facts"]
    return bool(1 <= facts["resumed_at_epoch"] < facts["epochs"])


# Stage by stage: each run goes on where the one before was killed.
@pytest.mark.parametrize(("stage", "name"), list(itertools.product(LABELS, SIGNALS)))
def test_a_killed_run_loses_nothing_and_leaves_no_process(disturbed: Lab, stage: str, name: signal.Signals) -> None:
    kill_in(disturbed, stage, name, only="convert")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_killed_run_leaves_no_container(in_containers: Lab, name: signal.Signals) -> None:
    kill_in(in_containers, "train", name, only="train")


def test_a_run_that_was_killed_often_ends_with_the_same_bytes(disturbed: Lab, converted: Lab) -> None:
    disturbed.all("--only", "convert")
    assert was_resumed(disturbed)
    assert disturbed.digests() == converted.digests()
    assert disturbed.damaged() == []
    assert not any((disturbed.artifacts / "partial").glob("*"))


def test_a_killed_container_is_a_failed_step_that_the_next_run_takes_up(in_containers: Lab, docker: Lab) -> None:
    process = in_containers.start_all("--only", "train")
    read_until(process, f"start     {LABELS['train']}")
    assert wait_for_an_epoch(in_containers)
    assert holds(lambda: in_containers.containers(running=True), PATIENCE_S)
    for found in in_containers.containers(running=True):
        subprocess.run(["docker", "kill", found], check=True, capture_output=True)
    said = end(process)
    assert process.returncode == 6
    assert f"error: {LABELS['train']} failed: killed" in said
    assert "Traceback" not in said
    assert in_containers.nothing_is_left()
    in_containers.all("--only", "train")
    assert not in_containers.containers()  # what a killed host process left behind is swept by the next
    assert was_resumed(in_containers)
    expected = {label: digest for label, digest in docker.digests().items() if not label.startswith("convert")}
    assert in_containers.digests() == expected
