"""Workers and schedulers that go, hang or never were, and runs that are stopped."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import make_outputs
from field import Field, beside, cluster, needing, placed, row, until

from coralline import catalogue
from coralline.engines.base import Job, Outcome
from coralline.errors import EngineError
from coralline.farm import roster, watch
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_stop_ends_steps_on_their_workers(field: Field) -> None:
    over = threading.Event()

    def wait(job: Job) -> Outcome:
        threading.Timer(0.2, field.cancelled.set).start()
        assert field.engine.cancelled[job.label].wait(timeout=30)
        over.set()
        return Outcome(exit_code=143)

    field.engine.behaviours["first"] = wait
    ended = field.run(row("first", "second"))
    assert ended.interrupted
    assert over.wait(timeout=30)
    assert field.run_made is not None
    assert field.run_made.steps["first"]["state"] == "interrupted"
    assert field.engine.ran == ["first"]


def test_a_worker_that_goes_costs_its_step_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster() as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        tries: list[str] = []

        def leave(job: Job) -> Outcome:
            from distributed import get_worker

            tries.append(str(get_worker().name))
            if len(tries) == 1:
                worker = get_worker()
                worker.loop.add_callback(worker.close, executor_wait=False, nanny=False)
                assert field.engine.cancelled[job.label].wait(timeout=30)
                return Outcome(exit_code=143)
            return make_outputs(job)

        field.engine.behaviours["second"] = leave
        assert not field.run(row("first", "second", "third")).errors
        assert len(set(tries)) == 2
        assert field.engine.ran == ["first", "second", "second", "third"]


def test_a_step_whose_device_goes_says_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SAY_AFTER_S", 2.0)
    with cluster(workers=1, gpu=1.0) as client:
        field = placed(Field(tmp_path, client), monkeypatch)

        def leave_to_a_worker_without(job: Job) -> Outcome:
            from distributed import get_worker

            if len(field.engine.ran) > 1:
                return make_outputs(job)
            join(client, {})
            worker = get_worker()
            worker.loop.add_callback(worker.close, executor_wait=False, nanny=False)
            assert field.engine.cancelled[job.label].wait(timeout=30)
            return Outcome(exit_code=143)

        def told() -> bool:
            return any(notice.text.endswith("waiting for one: second") for notice in field.told)

        def come_back() -> None:
            until(told)
            join(client, {"gpu": 1.0})

        field.engine.behaviours["first"] = leave_to_a_worker_without
        steps = row("first", "second")
        helper = threading.Thread(target=come_back)
        helper.start()
        try:
            assert not field.run({**steps, "second": needing(steps["second"], "gpu")}).errors
        finally:
            helper.join()
        assert [notice.text for notice in field.told if "any more" in notice.text] == [
            "no worker of the farm has a device 'gpu' any more; waiting for one: second"
        ]


def join(client: Any, devices: dict[str, float]) -> None:
    """Let one more worker come, with these devices."""
    cluster = client.cluster
    there = len(cluster.scheduler.workers)
    resources = {"room": 1.0, "memory": 64.0, **devices}
    cluster.new_spec = {**cluster.new_spec, "options": {**cluster.new_spec["options"], "resources": resources}}
    cluster.scale(len(cluster.worker_spec) + 1)
    until(lambda: len(cluster.scheduler.workers) > there)


def test_a_scheduler_that_goes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(workers=1) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        go = threading.Event()
        field.engine.behaviours["first"] = lambda job: (go.wait(3), make_outputs(job))[1]
        threading.Timer(0.5, client.cluster.close).start()
        try:
            error = field.run(row("first")).errors["first"]
        finally:
            go.set()
    assert isinstance(error, EngineError)
    assert "scheduler is gone" in error.message


def test_an_address_where_nobody_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "LOST_AFTER_S", 0.5)
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        roster.connected("tcp://127.0.0.1:1", Store(tmp_path), 0).__enter__()


@pytest.fixture
def one_death() -> Iterator[None]:
    """Have Dask give a step up when one worker has died."""
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        yield


def dying(field: Field, client: Any, times: int) -> Any:
    """Behave like a step that takes its worker with it so often, while another worker comes."""
    left = iter(range(times))

    def behave(job: Job) -> Outcome:
        from distributed import get_worker

        if next(left, None) is None:
            return make_outputs(job)
        client.cluster.scale(len(client.cluster.workers) + 1)
        scheduler, address = client.cluster.scheduler, get_worker().address
        client.cluster.loop.add_callback(scheduler.remove_worker, address, stimulus_id="test")
        assert field.engine.cancelled[job.label].wait(timeout=30)
        return Outcome(exit_code=143)

    return behave


@pytest.mark.usefixtures("one_death")
def test_a_step_that_no_worker_began_outlives_the_worker_that_it_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster(workers=1) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        field.engine.behaviours["bad"] = dying(field, client, times=1)
        assert not field.run(beside("bad", "good", cores="all")).errors
        assert field.engine.ran.count("good") == 1


@pytest.mark.usefixtures("one_death")
def test_a_step_that_takes_its_workers_with_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(workers=2) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        field.engine.behaviours["bad"] = dying(field, client, times=9)
        ended = field.run(beside("bad", "good", cores="all"))
        assert "the workers that made it died" in ended.errors["bad"].message
        assert field.engine.ran.count("bad") == 4
        assert "good" not in ended.errors


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Field, Any]]:
    """Give a farm without workers, and what makes its scheduler hang."""
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(tmp_path / "scheduler"))
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", *words],
        env={**os.environ, "PYTHONPATH": str(catalogue.PROJECT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        told = tmp_path / "scheduler"
        until(lambda: told.exists() and told.read_text().endswith("}"))
        address = json.loads(told.read_text())["address"]
        with roster.connected(address, Store(tmp_path), 0) as farm:
            found = placed(Field(tmp_path, farm.client), monkeypatch)
            yield found, functools.partial(process.send_signal, signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
    finally:
        process.kill()
        process.wait()


def test_a_scheduler_that_hangs_is_named(hanging: tuple[Field, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    field, hang = hanging
    monkeypatch.setattr(roster, "SILENT_AFTER_S", 3.0)
    threading.Timer(3.0, hang).start()
    error = field.run(row("first")).errors["first"]
    assert "scheduler is gone" in error.message


def test_a_run_whose_scheduler_hangs_can_be_stopped(hanging: tuple[Field, Any]) -> None:
    field, hang = hanging
    threading.Timer(3.0, hang).start()
    threading.Timer(6.0, field.cancelled.set).start()
    assert field.run(row("first")).interrupted
