"""What each machine of a farm has: steps get that and no more, measurements say where they are from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from fakes import make_outputs, spec, step
from field import Field, beside, cluster, hold, needing, placed

from coralline import key
from coralline.farm import machine, node, task, watch
from coralline.notices import Kind
from coralline.plan import Action

if TYPE_CHECKING:
    from pathlib import Path

    from coralline.engines.base import Job, Outcome


def test_a_step_that_takes_a_machine_has_it_for_itself(field: Field) -> None:
    steps = beside("one", "two", "three", "four") | beside("whole", "other", cores="all")
    field.engine.behaviours = dict.fromkeys(steps, hold(0.3))
    assert not field.run(steps).errors
    for whole in ("whole", "other"):
        assert not [name for name in steps if name != whole and field.engine.overlap(whole, name)]


def test_steps_of_one_core_share_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(workers=1) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        together = threading.Barrier(2)

        def meet(job: Job) -> Outcome:
            together.wait(timeout=30)
            return make_outputs(job)

        field.engine.behaviours = {"one": meet, "two": meet}
        assert not field.run(beside("one", "two")).errors


def test_a_measurement_carries_the_machine_that_took_it_and_is_reused(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node")
    steps = beside("speed", measures=True)
    ended = field.run(steps)
    record = field.record(ended, "speed")
    assert record["key_parts"]["host"] == "node"
    assert record["key"] == key.key_of(record["key_parts"]) == ended.decided["speed"].key
    field.run(steps)
    assert field.engine.ran == []


def test_a_measurement_of_a_machine_that_is_no_part_of_the_farm_does_not_count(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = beside("speed", measures=True)
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "laptop")
    field.farm.kind = ""  # not made on a farm: no record says so
    field.run(steps)
    field.farm.kind = "dask"
    field.farm._known.clear()
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node")
    assert field.record(field.run(steps), "speed")["key_parts"]["host"] == "node"


def test_a_step_without_its_device_is_blocked_and_with_it_runs(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {"fast": needing(step(spec("fast")), "gpu")}
    assert field.run(steps).decided["fast"].action is Action.BLOCKED
    with cluster(workers=1, gpu=1.0) as client:
        other = placed(Field(tmp_path / "gpu", client), monkeypatch)
        assert other.run(steps).decided["fast"].artifact is not None


def test_a_step_takes_the_largest_machine_when_none_has_its_memory(field: Field) -> None:
    ended = field.run(beside("huge", memory_gib=1000.0))
    assert not ended.errors
    assert [notice.text for notice in field.told if notice.kind is Kind.WARNING] == [
        "huge may need 1000 GiB, and the largest worker has 64"
    ]


def test_a_worker_offers_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.devices, "missing", lambda need: None if need == "edgetpu" else "none")
    monkeypatch.setattr(machine.host, "facts", lambda: {"memory_kib": 25 * 2**20 - 1})
    monkeypatch.setattr(machine.host, "cores", lambda: 6)
    told = node.options(["tcp://127.0.0.1:8786", "--memory-limit", "0"])
    assert told[told.index("--resources") + 1] == "room=1 memory=24 edgetpu=1"
    assert told[told.index("--nthreads") + 1] == "6"
    limited = node.options(["tls://127.0.0.1:8786", "--nthreads", "4", "--memory-limit", "7.45GiB"])
    assert "memory=7 " in limited[limited.index("--resources") + 1]
    assert limited.count("--nthreads") == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_a_worker_listens_where_its_scheduler_sees_it_and_nowhere_else(address: str) -> None:
    told = node.options([f"tcp://{address}:8786"])
    assert told[told.index("--host") + 1] == address
    assert "--host" not in node.options(["tcp://127.0.0.1:8786", "--interface", "lo"])


def test_a_step_that_waits_behind_another_moves_to_a_worker_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOVE_AFTER_S", 1.0)
    with cluster(workers=1, threads=8) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        together = threading.Barrier(2)

        def meet(job: Job) -> Outcome:
            client.cluster.scale(2)
            together.wait(timeout=30)
            return make_outputs(job)

        field.engine.behaviours = {"one": meet, "two": meet}
        assert not field.run(beside("one", "two", cores="all")).errors


def test_workers_that_come_late_have_memory_for_what_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster(workers=0) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        field.engine.behaviours = dict.fromkeys(("one", "two"), hold(0.5))
        threading.Timer(1.0, client.cluster.scale, (1,)).start()
        assert not field.run(beside("one", "two", memory_gib=40.0)).errors
        assert not field.engine.overlap("one", "two")


def test_workers_that_come_late_and_are_small_make_large_steps_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOVE_AFTER_S", 1.0)
    with cluster(workers=0) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        threading.Timer(1.0, client.cluster.scale, (1,)).start()
        assert not field.run(beside("huge", memory_gib=100.0)).errors
        assert any("the largest worker has 64" in notice.text for notice in field.told)


def test_a_step_takes_no_more_threads_than_its_worker_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task.host, "cores", lambda: 64)
    with cluster(workers=1, threads=4) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        threads: list[int] = []
        field.engine.behaviours["whole"] = lambda job: (threads.append(job.threads), make_outputs(job))[1]
        assert not field.run(beside("whole", cores="all")).errors
        assert threads == [4]
