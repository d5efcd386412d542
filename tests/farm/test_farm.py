from __future__ import annotations

import functools
import json
import os
import pickle
import pickletools
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import make_outputs, spec, step
from field import Field, beside, cluster, needing, row, until

from coralline import catalogue, key
from coralline.engines.base import Job, Outcome
from coralline.errors import ArtifactError, EngineError, ProfileError, StageError
from coralline.farm import entry, hands, machine, node, queues, roster, task, worker
from coralline.farm.queues import workers_for
from coralline.notices import Kind, Notice
from coralline.plan import Action, Decision
from coralline.store import Artifact, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with cluster() as found:
        yield found


@pytest.fixture
def field(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    return placed(Field(tmp_path, client), monkeypatch)


def placed(field: Field, monkeypatch: pytest.MonkeyPatch) -> Field:
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(field.store.root))
    monkeypatch.setattr(task, "engine", lambda _name: field.engine)
    return field


def hold(seconds: float) -> Any:
    def behave(job: Job) -> Outcome:
        time.sleep(seconds)
        return make_outputs(job)

    return behave


def test_steps_are_made_by_workers_in_order_and_then_reused(field: Field) -> None:
    ended = field.run(row("first", "second", "third"))
    assert (ended.errors, field.engine.ran, field.planned_on.ran) == ({}, ["first", "second", "third"], [])
    assert field.record(ended, "third")["farm"] == "dask"
    assert {str(one.action) for one in field.plan(row("first", "second", "third")).values()} == {"reused"}


def test_what_workers_tell_reaches_the_user(field: Field) -> None:
    field.run(row("first"))
    until(lambda: any(notice.kind is Kind.PROGRESS for notice in field.told))
    started = next(notice for notice in field.told if notice.kind is Kind.START)
    assert started.label == "first"
    assert "not made before (on " in started.text


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


def test_an_error_of_the_user_is_told_once_and_not_tried_again(field: Field) -> None:
    wrong = {"event": "error", "message": "the images are grey", "remedy": "give colours"}
    field.engine.behaviours["first"] = lambda _job: Outcome(exit_code=2, error=wrong)
    ended = field.run(row("first", "second"))
    error = ended.errors["first"]
    assert (type(error), error.message, error.hint) == (ProfileError, "first: the images are grey", "give colours")
    assert (field.engine.ran, list(ended.skipped)) == (["first"], ["second"])


def test_a_crashed_step_fails_with_its_replay_and_the_others_go_on(field: Field) -> None:
    field.engine.behaviours["bad"] = lambda _job: Outcome(exit_code=1)
    ended = field.run(beside("bad", "good"))
    assert isinstance(ended.errors["bad"], StageError)
    assert ended.errors["bad"].replay == "replay bad"
    assert ended.decided["good"].artifact is not None


def test_a_bug_on_a_worker_keeps_its_traceback(field: Field) -> None:
    def buggy(_job: Job) -> Outcome:
        raise LookupError("nobody thought of this")

    field.engine.behaviours["first"] = buggy
    with pytest.raises(LookupError, match="nobody thought"):
        field.run(row("first"))


def test_a_worker_with_another_image_is_refused_before_it_makes_anything(field: Field) -> None:
    field.engine.recipes["image-first"] = {"lock": "1" * 64}
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "another project or image: image: requirements.lock" in error.message
    assert field.engine.ran == []


def test_a_worker_that_does_not_see_the_store_says_so(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "elsewhere"))
    monkeypatch.setattr(task, "FORGET_AFTER_S", 0.1)
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "does not see the run" in error.message


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


def test_a_batch_system_counts_what_its_nodes_measured_before(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = beside("speed", measures=True)
    field.farm.kind = "slurm"
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node 1")
    field.run(steps)
    field.farm._known.clear()
    monkeypatch.setattr(machine, "fingerprint", lambda _need: "node 2")
    field.run(steps)
    assert field.engine.ran == []


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


def test_a_scheduler_that_goes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(workers=1) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        go = threading.Event()
        field.engine.behaviours["first"] = lambda job: (go.wait(30), make_outputs(job))[1]
        threading.Timer(0.5, client.cluster.close).start()
        try:
            error = field.run(row("first")).errors["first"]
        finally:
            go.set()
    assert isinstance(error, EngineError)
    assert "scheduler is gone" in error.message


def test_what_travels_is_plain_and_found_by_name() -> None:
    decision = Decision(step=step(spec("first")), action=Action.RUN, reason="", key="0" * 64, parts={"stage": "first"})
    sent = task.Task(decision=decision, inputs={}, externals={}, engine="local", run="r", farm="dask", again=False)
    names = {
        str(argument).split(".")[0]
        for opcode, argument, _ in pickletools.genops(pickle.dumps(sent, protocol=2))
        if opcode.name == "GLOBAL"
    }
    assert names <= {"coralline", "stages", "copyreg", "copy_reg", "__builtin__ object", "__builtin__"}
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - our own bytes


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


def test_an_address_where_nobody_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "LOST_AFTER_S", 0.5)
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        roster.connected("tcp://127.0.0.1:1", Store(tmp_path), 0).__enter__()


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


def test_the_farm_goes_on_in_its_own_environment_only_once() -> None:
    entry.enter(pytest.fail)  # this test runs there


def test_progress_is_told_now_and_then_and_its_end_always() -> None:
    told: list[dict[str, Any]] = []
    tell = task.Teller(told.append)
    for done in range(1, 101):
        tell(Notice(kind=Kind.PROGRESS, label="x", done=done, total=100, unit="image"))
    tell(Notice(kind=Kind.WARNING, label="x", text="look"))
    assert [one["done"] for one in told] == [1, 100, 0]


def test_locks_that_do_not_hold_are_told_of(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task.flock, "is_held", lambda _path: False)
    field.run(row("first"))
    until(lambda: any(notice.text == task.NO_LOCKS for notice in field.told))


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


def test_an_input_that_was_replaced_before_it_was_read_is_refused(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Store.find

    def replaced(store: Store, key: str) -> Artifact | None:
        """Look a key up, as a worker does after somebody made it again with other bytes."""
        artifact = found(store, key)
        is_input = artifact is not None and artifact.record["stage"] == "first"
        return replace(artifact, record=artifact.record | {"digest": "0" * 64}) if artifact and is_input else artifact

    field.engine.behaviours["first"] = lambda job: (monkeypatch.setattr(Store, "find", replaced), make_outputs(job))[1]
    error = field.run(row("first", "second")).errors["second"]
    assert isinstance(error, ArtifactError)
    assert "its input first was replaced" in error.message


def test_a_step_that_waits_behind_another_moves_to_a_worker_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "MOVE_AFTER_S", 1.0)
    with cluster(workers=1, threads=8) as client:
        field = placed(Field(tmp_path, client), monkeypatch)
        together = threading.Barrier(2)

        def meet(job: Job) -> Outcome:
            client.cluster.scale(2)
            together.wait(timeout=30)
            return make_outputs(job)

        field.engine.behaviours = {"one": meet, "two": meet}
        assert not field.run(beside("one", "two", cores="all")).errors


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
    monkeypatch.setattr(hands, "MOVE_AFTER_S", 1.0)
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


def test_a_worker_with_another_host_side_reads_nothing_of_a_step(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "project", SimpleNamespace(digest=lambda: "0" * 64))
    monkeypatch.setattr(worker, "pickle", SimpleNamespace(loads=pytest.fail))
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "has another project or image: coralline/" in error.message


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
