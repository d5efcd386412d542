"""The Docker engine against a real daemon: what a step may do, how it ends, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from probing import IMAGE, make_job, make_project

from coralline import daemon
from coralline.catalogue import PROJECT
from coralline.engines.container import KEY_LABEL
from coralline.engines.docker import DockerEngine
from coralline.engines.owner import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coralline.engines.base import Event, Job

pytestmark = pytest.mark.skipif(daemon.trouble() is not None, reason=f"no Docker: {daemon.trouble()}")

PROBE = """
import json, os, socket, subprocess, sys, time
from pathlib import Path
from stages import contract

def attempt(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"

def main(step):
    told = step.parameters
    step.progress(1, 2, "thing")
    print("text of a library")
    print("a line of the log", file=sys.stderr)
    if told.get("wrong"):
        raise contract.InputError("the input is wrong", "mend it")
    if told.get("eat_bytes"):
        eaten = bytearray(told["eat_bytes"])
        eaten[::4096] = b"x" * len(eaten[::4096])
    if told.get("child_s"):
        subprocess.Popen(["sleep", str(told["child_s"])])
    if step.partial is not None:
        (step.partial / "epoch").write_text("3")
    time.sleep(told.get("sleep_s", 0))
    status = Path("/proc/self/status").read_text()
    facts = {
        "user": [os.getuid(), os.getgid()],
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "capabilities": [line.split()[1] for line in status.splitlines() if line.startswith(("CapBnd", "CapEff"))],
        "no_new_privileges": "NoNewPrivs:\\t1" in status,
        "connect": attempt(lambda: socket.create_connection(("1.1.1.1", 53), timeout=5)),
        "write_root": attempt(lambda: Path("/escaped").write_text("x")),
        "write_code": attempt(lambda: Path("/coralline/stages/escaped").write_text("x")),
        "write_input": attempt(lambda: (step.inputs["data"] / "escaped").write_text("x")),
        "write_tmp": attempt(lambda: Path("/tmp/scratch").write_text("x")),
        "read_input": (step.inputs["data"] / "file").read_text(),
        "host_files": attempt(lambda: os.listdir("/host")),
    }
    (step.out / "facts.json").write_text(json.dumps(facts))
    step.record()

contract.run(main)
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"), PROBE)


@pytest.fixture(scope="session")
def engine(project: Path) -> DockerEngine:
    made = DockerEngine(project, PROJECT / ".coralline")
    made.prepare(IMAGE, lambda _: None)
    return made


@pytest.fixture
def job(tmp_path: Path, project: Path) -> Callable[..., Job]:
    def make(*, memory_bytes: int = 512 << 20, partial: Path | None = None, **parameters: Any) -> Job:
        return make_job(tmp_path, project, memory_bytes=memory_bytes, partial=partial, **parameters)

    return make


def containers(job: Job) -> list[dict[str, Any]]:
    from urllib.parse import quote

    _, found = daemon.get("/containers/json?all=1&filters=" + quote(json.dumps({"label": [f"{KEY_LABEL}={job.key}"]})))
    assert isinstance(found, list)
    return found


def wait_for(what: Callable[[], object], seconds: float) -> float:
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - started


def test_a_step_gets_its_folders_and_nothing_else(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted = job()
    heard: list[Event] = []
    outcome = engine.run(wanted, heard.append, threading.Event())
    assert (outcome.exit_code, outcome.reason, outcome.error) == (0, None, None)
    facts = json.loads((wanted.out / "facts.json").read_text())
    assert facts["user"] == [os.getuid(), os.getgid()]
    assert facts["interfaces"] == ["lo"]
    assert set(facts["capabilities"]) == {"0000000000000000"}
    assert facts["no_new_privileges"]
    assert facts["connect"] == "OSError"
    assert {facts[name] for name in ("write_root", "write_code", "write_input")} == {"OSError"}
    assert facts["write_tmp"] == "done"
    assert facts["read_input"] == "seen"
    assert facts["host_files"] == "FileNotFoundError"
    assert heard == [{"event": "progress", "done": 1, "total": 2, "unit": "thing", "message": ""}]
    assert wanted.log.read_text().splitlines() == ["text of a library", "a line of the log"]
    assert not containers(wanted)


def test_files_belong_to_the_calling_user(project: Path, job: Callable[..., Job]) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can stand in for another user")
    engine = DockerEngine(project, PROJECT / ".coralline")
    engine.__dict__["_user"] = "1234:1234"  # as it is computed for a caller of that id
    wanted = job()
    os.chown(wanted.out, 1234, 1234)
    assert engine.run(wanted, lambda _: None, threading.Event()).exit_code == 0
    assert {(path.stat().st_uid, path.stat().st_gid) for path in wanted.out.iterdir()} == {(1234, 1234)}


def test_wrong_input_comes_back_with_message_and_remedy(engine: DockerEngine, job: Callable[..., Job]) -> None:
    outcome = engine.run(job(wrong=True), lambda _: None, threading.Event())
    assert outcome.exit_code == 2
    assert outcome.error == {"event": "error", "message": "the input is wrong", "remedy": "mend it"}


def test_a_step_that_takes_too_much_memory_is_told_so(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted = job(memory_bytes=128 << 20, eat_bytes=300 << 20)
    outcome = engine.run(wanted, lambda _: None, threading.Event())
    assert (outcome.exit_code, outcome.reason) == (137, "out of memory: limit 0.1 GiB")
    assert not containers(wanted)


def test_events_come_while_the_step_runs(engine: DockerEngine, job: Callable[..., Job]) -> None:
    came: list[float] = []
    engine.run(job(sleep_s=3), lambda _: came.append(time.monotonic()), threading.Event())
    assert time.monotonic() - came[0] > 2


def test_a_cancelled_step_ends_within_two_seconds_with_its_children(
    engine: DockerEngine, job: Callable[..., Job]
) -> None:
    wanted, cancelled = job(sleep_s=600, child_s=600), threading.Event()
    told: list[float] = []

    def stop(_: Event) -> None:
        told.append(time.monotonic())
        cancelled.set()

    outcome = engine.run(wanted, stop, cancelled)
    assert time.monotonic() - told[0] < 2
    assert outcome.exit_code == 137
    assert not containers(wanted)


def test_a_killed_container_is_a_failed_step(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted = job(sleep_s=600)

    def kill(_: Event) -> None:
        (found,) = containers(wanted)
        subprocess.run(["docker", "kill", found["Id"]], check=True, capture_output=True)

    outcome = engine.run(wanted, kill, threading.Event())
    assert (outcome.exit_code, outcome.reason) == (137, "killed")
    assert not containers(wanted)


def test_a_listener_that_fails_leaves_no_container(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted = job(sleep_s=600)

    def fail(_: Event) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        engine.run(wanted, fail, threading.Event())
    assert not containers(wanted)


def test_what_is_in_partial_outlives_the_container(
    engine: DockerEngine, job: Callable[..., Job], tmp_path: Path
) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    cancelled = threading.Event()
    thread = threading.Thread(
        target=engine.run, args=(job(partial=partial, sleep_s=600), lambda _: None, cancelled), daemon=True
    )
    thread.start()
    wait_for((partial / "epoch").exists, 60)
    cancelled.set()
    thread.join(10)
    assert not thread.is_alive()
    assert (partial / "epoch").read_text() == "3"


def test_a_step_ends_itself_when_its_host_process_is_killed_and_is_swept_later(
    engine: DockerEngine, project: Path, job: Callable[..., Job], tmp_path: Path
) -> None:
    wanted = job(sleep_s=600, child_s=600)
    code = (
        "import json, sys, threading; from pathlib import Path; from coralline.engines.base import Job;"
        "from coralline.engines.docker import DockerEngine;"
        f"engine = DockerEngine(Path({str(project)!r}), Path({str(PROJECT / '.coralline')!r}));"
        f"job = Job(label='probe/x', stage='probe', code=Path({str(project)!r}), image={IMAGE!r},"
        f"parameters={wanted.parameters!r}, threads=1,"
        f"inputs={{'data': Path({str(tmp_path / 'data')!r})}}, out=Path({str(wanted.out)!r}),"
        f"log=Path({str(wanted.log)!r}), memory_bytes={wanted.memory_bytes}, run_id='killed', key={wanted.key!r});"
        "engine.run(job, lambda event: print('running', flush=True), threading.Event())"
    )
    host = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE)
    assert host.stdout is not None
    assert host.stdout.readline() == b"running\n"
    assert [found["State"] for found in containers(wanted)] == ["running"]
    assert engine.sweep() == []  # its owner lives
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    host.stdout.close()
    wait_for(lambda: [found["State"] for found in containers(wanted)] == ["exited"], 5)
    assert engine.sweep() == ["probe of run killed"]
    assert not containers(wanted)


def test_containers_name_the_process_that_owns_them(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted, labels = job(), list[dict[str, str]]()
    engine.run(wanted, lambda _: labels.append(containers(wanted)[0]["Labels"]), threading.Event())
    assert labels[0]["coralline.stage"] == "probe"
    assert not is_gone(labels[0]["coralline.owner"], running=True)


def test_the_replay_command_runs_the_step_again(engine: DockerEngine, job: Callable[..., Job]) -> None:
    wanted = job()
    engine.run(wanted, lambda _: None, threading.Event())
    first = (wanted.out / "facts.json").read_text()
    shutil.rmtree(wanted.out)  # as the store does with what a failed step made
    subprocess.run(["sh", "-c", engine.replay(wanted)], check=True, capture_output=True)
    assert (wanted.out / "facts.json").read_text() == first


def test_a_missing_folder_is_refused_and_not_made_by_the_daemon(engine: DockerEngine, job: Callable[..., Job]) -> None:
    from coralline.errors import EngineError

    wanted = job()
    shutil.rmtree(wanted.inputs["data"])
    with pytest.raises(EngineError, match="bind source path does not exist"):
        engine.run(wanted, lambda _: None, threading.Event())
    assert not wanted.inputs["data"].exists()
    assert not containers(wanted)
