from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from test_plan_and_execute import House

from coralline import make
from coralline.engines.base import Job, Listener, Outcome
from coralline.errors import ArtifactError, StageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def full(_job: Job) -> Outcome:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_without_a_traceback(house: House) -> None:
    house.engine.behaviours["second"] = full
    error = house.run().errors["second"]
    assert isinstance(error, ArtifactError)
    assert error.message == f"no space left on the disk of {house.store.root}"


def test_a_step_that_fails_on_a_full_disk_failed_because_of_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.engine.behaviours["second"] = lambda _: Outcome(exit_code=1)
    assert isinstance(house.run().errors["second"], StageError)
    monkeypatch.setattr(make, "FULL_BYTES", 2**80)  # as if nothing were left
    assert isinstance(house.run().errors["second"], ArtifactError)


def test_a_log_that_cannot_grow_does_not_stop_the_reader(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.symlink_to("/dev/full")
    heard: list[object] = []
    listener = Listener(log, heard.append)
    listener.stderr(b"what a library says\n")
    listener.stdout(b'{"event": "progress"}\n')
    listener.close()
    assert heard == [{"event": "progress"}]
