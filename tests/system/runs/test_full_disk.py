"""A disk that fills up: said in two lines, nothing lost, and the same command goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import can, sown
from lab import CLASSIFIER, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL_MIB = 540  # one epoch's checkpoint of this model fits (weights and optimiser, 283 MB), two do not


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() != 0 or not can("mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}M", "tmpfs", str(place)):
        pytest.skip("a full disk: only root, and outside most containers, can mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_run_that_cannot_fit_is_refused_before_it_starts(disk: Path) -> None:
    (disk / "ballast").write_bytes(b"\0" * (200 << 20))
    said = Lab(disk / "artifacts", "local").all(code=7).stderr.splitlines()
    assert said[-2:] == [
        f"error: no space left on the disk of {disk / 'artifacts'}",
        "  free some; finished artifacts are kept, the same command goes on",
    ]


def test_a_disk_that_fills_up_in_training_costs_at_most_an_epoch(disk: Path, classifier: Lab) -> None:
    lab = sown(classifier, disk / "artifacts", "dataset")
    said = lab.all("--only", "train", code=7).stderr
    assert f"error: no space left on the disk of {lab.artifacts}\n  free some;" in said
    assert "Traceback" not in said
    assert lab.damaged() == []
    assert lab.nothing_is_left()
    subprocess.run(["mount", "-o", "remount,size=2G", disk], check=True)
    lab.all("--only", "train")
    label = f"train/{CLASSIFIER}"
    assert lab.records()[label]["facts"]["resumed_at_epoch"] == 1
    assert lab.digests()[label] == classifier.digests()[label]
