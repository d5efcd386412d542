"""Runs have names of their own, in the order in which they began."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from coralline import runs
from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path


def test_names_sort_by_the_time_of_their_beginning_also_within_a_second(tmp_path: Path) -> None:
    names = [runs.start(tmp_path, {}).id for _ in range(100)]
    assert names == sorted(set(names))


def test_a_store_that_is_closed_to_this_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(place: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(place))  # root, who runs tests too, is let in

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ArtifactError, match="cannot be read by this user"):
        runs.load(tmp_path)


def test_runs_that_begin_at_once_share_no_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: runs.start(tmp_path, {}).id, range(200)))
    assert len(set(names)) == 200


def test_a_run_of_a_wrong_clock_is_not_the_latest_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    years = 10 * 365 * 86_400 * 10**9
    first = runs.start(tmp_path, {})
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: real() + years)
        ahead = runs.start(tmp_path, {})
    latest = runs.start(tmp_path, {})
    for run in (first, ahead, latest):
        run.ended = True
        run.save()
    assert runs.load(tmp_path).id == latest.id
    assert [run.id for run in runs.every(tmp_path)] == [latest.id, first.id, ahead.id]
    assert runs.load(tmp_path, ahead.id).id == ahead.id
    monkeypatch.setattr(time, "time", lambda: (real() + years) / 1e9)  # the time has come
    assert runs.load(tmp_path).id == ahead.id


def test_among_machines_whose_clocks_differ_a_little_the_latest_is_the_latest(tmp_path: Path) -> None:
    first, second = (runs.start(tmp_path, {}) for _ in range(2))
    name = time.strftime("%Y%m%d-%H%M%S-000", time.gmtime(time.time() + 3_600))
    second.folder = second.folder.rename(second.folder.with_name(name))
    second.id = name
    for run in (first, second):
        run.ended = True
        run.save()
    assert runs.load(tmp_path).id == name


def test_the_latest_run_that_ended_is_loaded(tmp_path: Path) -> None:
    first, second, third = (runs.start(tmp_path, {}) for _ in range(3))
    first.ended = second.ended = True
    for run in (first, second, third):
        run.save()
    assert runs.load(tmp_path).id == second.id
    assert runs.load(tmp_path, third.id).id == third.id
