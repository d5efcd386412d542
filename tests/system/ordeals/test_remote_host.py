"""Steps on the Docker daemon of another machine: what they may do, what comes back, and that nothing stays there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import sown
from lab import DATA, EVENTS, MODEL, QUICK, RECIPES, SETTINGS, holds
from probing import make_job, make_project
from secondhost import SSH, TCP, SecondHost, kill, lacking, python
from test_docker_engine import PROBE

from coralline import daemon, graph, request, session
from coralline.catalogue import PROJECT
from coralline.engines.base import Event
from coralline.engines.remote import RemoteEngine
from coralline.errors import EngineError, ImageError
from coralline.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Lab

    from coralline.engines.base import Job
    from coralline.graph import Step

IMAGE = "benchmark"  # the one that a test of a whole request needs: a second would have to be sent as well
reason = daemon.trouble() or lacking()
pytestmark = [
    pytest.mark.skipif(reason is not None, reason=f"no second Docker daemon: {reason}"),
    # The SDK leaves a socket to the collector when nobody listens on it any more (docker/transport/unixconn.py).
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket.socket fd=.*family=1:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondHost]:
    """The other machine."""
    with SecondHost(tmp_path_factory.mktemp("there")) as host:
        yield host
    assert Path("/sys/class/net/docker0").exists()  # this machine's own daemon was left alone


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only stage looks at what it may do."""
    made = make_project(tmp_path_factory.mktemp("project"), PROBE)
    for name in ("machine.py", "hold.py"):
        shutil.copy(PROJECT / "stages" / name, made / "stages")
    return made


@pytest.fixture(params=[TCP, SSH])
def engine(
    request: pytest.FixtureRequest, there: SecondHost, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RemoteEngine]:
    """The engine, by each road to the other machine."""
    address = request.param
    if address == SSH and not there.has_ssh:
        pytest.skip("no ssh server is installed (Debian: openssh-server)")
    for name, value in there.variables().items():
        monkeypatch.setenv(name, value)
    found = RemoteEngine(project, home, address)
    found.prepare(IMAGE, lambda _: None)
    yield found
    found.close()
    assert holds(lambda: not there.left(), 5)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of images here, and of other machines nothing."""
    folder, known = tmp_path_factory.mktemp("home"), PROJECT / ".coralline" / "images"
    known.mkdir(parents=True, exist_ok=True)
    (folder / "images").symlink_to(known)
    return folder


def job(folder: Path, project: Path, **parameters: Any) -> Job:
    return replace(make_job(folder, project, memory_bytes=256 << 20, **parameters), image=IMAGE)


def ignore(_event: Event) -> None:
    pass


def test_a_step_gets_there_what_it_gets_here_and_nothing_else(
    engine: RemoteEngine, project: Path, tmp_path: Path
) -> None:
    wanted, heard = job(tmp_path, project), list[Event]()
    outcome = engine.run(wanted, heard.append, threading.Event())
    assert (outcome.exit_code, outcome.reason, outcome.error) == (0, None, None)
    facts = json.loads((wanted.out / "facts.json").read_text())
    assert facts["user"] == [65_534, 65_534]
    assert facts["interfaces"] == ["lo"]
    assert set(facts["capabilities"]) == {"0000000000000000"}
    assert facts["no_new_privileges"]
    assert {facts[name] for name in ("connect", "write_root", "write_code", "write_input")} == {"OSError"}
    assert (facts["write_tmp"], facts["read_input"], facts["host_files"]) == ("done", "seen", "FileNotFoundError")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in wanted.out.iterdir()} == {(os.getuid(), os.getgid())}
    assert [event["event"] for event in heard] == ["progress"]
    assert "a line of the log" in wanted.log.read_text()


def test_the_machine_is_asked_what_it_is(engine: RemoteEngine) -> None:
    from coralline import host

    theirs, ours = engine.facts(), host.described()
    assert {name: theirs[name] for name in ("cpu_model", "cores", "kernel")} == {
        name: ours[name] for name in ("cpu_model", "cores", "kernel")
    }
    assert theirs["fingerprint"] != ours["fingerprint"]  # its machine-id is another
    assert "on the other machine: no Edge TPU" in str(engine.missing("edgetpu"))


def test_wrong_input_and_failure_come_back_as_such(engine: RemoteEngine, project: Path, tmp_path: Path) -> None:
    outcome = engine.run(job(tmp_path, project, wrong=True), ignore, threading.Event())
    assert outcome.exit_code == 2
    assert outcome.error is not None
    assert outcome.error["message"] == "the input is wrong"
    outcome = engine.run(job(tmp_path, project, eat_bytes=600 << 20), ignore, threading.Event())
    assert outcome.exit_code == 137  # whether the daemon says that it was the memory is a matter of luck under load


def test_a_cancelled_step_ends_within_two_seconds_and_its_work_comes_back(
    engine: RemoteEngine, project: Path, tmp_path: Path
) -> None:
    partial, cancelled, told = tmp_path / "partial", threading.Event(), list[float]()
    partial.mkdir()

    def stop(_event: Event) -> None:
        threading.Timer(0.5, lambda: (told.append(time.monotonic()), cancelled.set())).start()

    outcome = engine.run(job(tmp_path, project, partial=partial, sleep_s=600), stop, cancelled)
    assert time.monotonic() - told[0] < 2
    assert outcome.exit_code == 137
    assert (partial / "epoch").read_text() == "3"


def test_a_lost_line_loses_that_step_only(engine: RemoteEngine, project: Path, tmp_path: Path) -> None:
    def cut(_event: Event) -> None:
        if engine.address == SSH:
            engine._wire._tunnel._process.kill()  # type: ignore[union-attr]
        else:
            raise ConnectionResetError("the network is down")

    with pytest.raises(EngineError, match="was lost"):
        engine.run(job(tmp_path, project, sleep_s=600), cut, threading.Event())
    shutil.rmtree(tmp_path / "out")
    assert engine.run(job(tmp_path, project), ignore, threading.Event()).exit_code == 0


def test_after_a_killed_run_the_next_takes_up_its_work_and_leaves_nothing(
    engine: RemoteEngine, there: SecondHost, project: Path, home: Path, tmp_path: Path
) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    wanted = job(tmp_path, project, partial=partial, sleep_s=600)
    code = (
        "import sys, threading; from pathlib import Path; sys.path[:0] = ['tests/system', 'tests/system/ordeals'];"
        "from test_remote_host import job; from coralline.engines.remote import RemoteEngine;"
        f"engine = RemoteEngine(Path({str(project)!r}), Path({str(home)!r}), {engine.address!r});"
        f"engine.prepare({IMAGE!r}, print); told = lambda event: print('running', flush=True);"
        f"wanted = job(Path({str(tmp_path)!r}), Path({str(project)!r}), partial=Path({str(partial)!r}), sleep_s=600);"
        "engine.run(wanted, told, threading.Event())"
    )
    process = python(code, there.variables(), PROJECT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    assert holds(lambda: there.docker("ps", "--quiet", "--filter", "label=coralline.role=step"), 30)
    engine.sweep()
    assert there.docker("ps", "--quiet", "--filter", "label=coralline.role=step")  # its owner lives
    kill(process)
    assert holds(lambda: not there.docker("ps", "--quiet", "--filter", "label=coralline.role=step"), 10)
    engine.sweep()
    assert not any(partial.iterdir())
    shutil.rmtree(wanted.out)
    assert engine.run(job(tmp_path, project, partial=partial, wrong=True), ignore, threading.Event()).exit_code == 2
    assert (partial / "epoch").read_text() == "3"


def test_for_another_processor_an_image_is_built_there_or_its_steps_are_blocked(
    engine: RemoteEngine, project: Path, home: Path
) -> None:
    other = RemoteEngine(project, home, engine.address)
    other._wire.about()["Architecture"] = "riscv64"  # no machine of this kind is here: only the way there is tried
    reason = "its base cannot be had over there" if engine.address == SSH else "goes only by ssh"
    with contextlib.closing(other), pytest.raises(ImageError, match=reason):
        other.prepare("benchmark-litert", ignore)
    if engine.address == SSH:
        other._wire.about()["Architecture"] = "riscv64"
        assert other.recipe("benchmark-litert")["platform"] == "riscv64"
        assert reason in str(other.blocked("benchmark-litert"))  # so that other steps go on
        assert "are for x86-64, the other machine is riscv64" in str(other.blocked("compile"))
        other.close()


def test_a_placed_benchmark_gives_the_same_accuracy(
    docker: Lab, there: SecondHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = graph.draw

    def one_runtime(wanted: request.Request) -> dict[str, Step]:
        """Draw what needs small images only: all others would be sent for nothing new."""
        return {
            label: step
            for label, step in drawn(wanted).items()
            if step.axes.get("runtime", "tflite-cpu") == "tflite-cpu"
        }

    monkeypatch.setattr(graph, "draw", one_runtime)
    lab = sown(docker, tmp_path, "dataset", "train", "convert")
    settings = [*EVENTS, *QUICK, *SETTINGS]
    wanted = request.make(model=MODEL, data=DATA, recipes=RECIPES, settings=settings, only="benchmark")
    placed = session.Setting(artifacts=lab.artifacts, engine="docker", placement=Placement(daemons={"benchmark": TCP}))
    run, ended = session.build(wanted, placed, ignore_notice)
    assert not ended.errors
    theirs, ours = lab.records(), docker.records()
    measured = [label for label in theirs if label.startswith("benchmark/")]
    assert len(measured) == 2
    for label in measured:
        for name in ("accuracy.json", "predictions.csv"):
            assert content(lab, theirs[label], name) == content(docker, ours[label], name)
        assert theirs[label]["host"]["fingerprint"] != ours[label]["host"]["fingerprint"]
        assert theirs[label]["key_parts"] == {**ours[label]["key_parts"], "host": theirs[label]["key_parts"]["host"]}
        assert theirs[label]["engine"] == {**ours[label]["engine"], "daemon": "another machine's"}
    assert {told["state"] for label, told in run.steps.items() if label not in measured} <= {"reused", "blocked"}
    assert holds(lambda: not there.left(), 5)
    again = session.plan(wanted, placed, ignore_notice)
    assert {str(again[label].action) for label in measured} == {"reused"}


def content(lab: Lab, record: dict[str, Any], name: str) -> bytes:
    return (lab.artifacts / "objects" / record["key"] / name).read_bytes()


def ignore_notice(_notice: object) -> None:
    pass


def test_a_daemon_out_of_reach_is_one_line_and_exit_code_4(docker: Lab) -> None:
    said = docker.all("--on", "benchmark=tcp://127.0.0.1:9", code=4).stderr
    assert "error: no Docker daemon at tcp://127.0.0.1:9: nobody listens on port 9" in said
    assert "Traceback" not in said
