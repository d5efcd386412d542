from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from bus import Bus
from hypothesis import given
from hypothesis import strategies as st

from coralline import commands, doctor
from coralline.catalogue import PROJECT
from coralline.devices import lock
from coralline.doctor import devices, findings, machine, makers, proof
from coralline.doctor.findings import Finding, Severity, error, ok, warning
from coralline.doctor.machine import Machine
from coralline.engines.base import Job, OnEvent, Outcome
from coralline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

GIB = 2**30


def here(tmp_path: Path, **changed: Any) -> Machine:
    """A machine of files, on which nothing is installed."""
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    values: dict[str, Any] = {"artifacts": tmp_path / "artifacts", "environ": {}, "root": root}
    return Machine(**(values | changed))


def severities(found: Iterable[Finding]) -> dict[str, str]:
    return {finding.id: str(finding.severity) for finding in found}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# --- asking


def test_what_hangs_is_left_behind_and_named() -> None:
    over = threading.Event()
    started = time.monotonic()
    found = findings.ask({"far": lambda: over.wait(60) and [], "near": lambda: [ok("near", "here")]}, {"far"}, 0.1)
    assert time.monotonic() - started < 5
    assert [(finding.id, str(finding.severity)) for finding in found] == [("far", "warning"), ("near", "ok")]
    assert found[0].message == "no answer within 0.1 s"
    over.set()


def test_what_is_near_is_waited_for_however_slow_the_disk_is() -> None:
    def slow() -> Iterator[Finding]:
        time.sleep(0.2)
        yield ok("slow", "done")

    assert severities(findings.ask({"slow": slow}, (), 0.01)) == {"slow": "ok"}


def test_an_error_of_ours_is_a_finding_and_a_bug_is_a_bug() -> None:
    def refuse() -> Iterator[Finding]:
        raise EngineError("no daemon", hint="start it")
        yield

    for outside in ((), {"docker"}):
        assert findings.ask({"docker": refuse}, outside) == [error("docker", "no daemon", "start it")]
        with pytest.raises(ZeroDivisionError):
            findings.ask({"docker": lambda: [ok("x", str(1 // 0))]}, outside)


@pytest.mark.parametrize(
    ("found", "everything", "stick"),
    [([ok("a", "b")], 0, 0), ([warning("a", "b", "c")], 0, 0), ([ok("a", "b"), error("c", "d", "e")], 4, 8)],
)
def test_only_errors_end_with_an_exit_code(found: list[Finding], everything: int, stick: int) -> None:
    assert doctor.exit_code(found, proving=False) == everything
    assert doctor.exit_code(found, proving=True) == stick


def test_the_document_is_plain_values() -> None:
    found = [ok("python", "3.11"), warning("memory", "little", "more")]
    assert json.loads(json.dumps(doctor.document(found))) == {
        "schema": "coralline.doctor",
        "version": 1,
        "findings": [
            {"id": "python", "severity": "ok", "message": "3.11", "remedy": None},
            {"id": "memory", "severity": "warning", "message": "little", "remedy": "more"},
        ],
    }
    assert list(doctor.lines(found))[-1].strip() == "more"


# --- the machine


@pytest.mark.parametrize(
    ("text", "expected"), [("MemTotal: 1048576 kB", "warning"), ("MemTotal: 67108864 kB", "ok"), ("", "info")]
)
def test_memory_is_measured_by_the_largest_stage(tmp_path: Path, text: str, expected: str) -> None:
    where = here(tmp_path)
    write(where.root / "proc/meminfo", text + "\n")
    assert severities(machine.memory(where)) == {"memory": expected}


@pytest.mark.parametrize(("free", "expected"), [(GIB // 4, "error"), (2 * GIB, "warning"), (40 * GIB, "ok")])
def test_disk_is_asked_where_artifacts_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: str
) -> None:
    asked: list[Path] = []
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]  # the type of disk_usage's answer
    monkeypatch.setattr(shutil, "disk_usage", lambda path: (asked.append(path), usage(100 * GIB, 0, free))[1])
    assert severities(machine.disk(here(tmp_path))) == {"disk.artifacts": expected}
    assert asked == [tmp_path]  # the folder of artifacts is not there yet


def test_bundles_of_authorities_must_be_there_and_hold_some(tmp_path: Path) -> None:
    good = write(tmp_path / "good.crt", "-----BEGIN CERTIFICATE-----\n")
    empty = write(tmp_path / "empty.crt", "")
    environ = {"SSL_CERT_FILE": str(good), "PIP_CERT": str(tmp_path / "none"), "REQUESTS_CA_BUNDLE": str(empty)}
    found = list(machine.certificates(here(tmp_path, environ=environ)))
    assert [str(finding.severity) for finding in found] == ["ok", "error", "error"]
    assert "REQUESTS_CA_BUNDLE" in found[1].message
    assert "PIP_CERT" in found[2].message
    assert severities(machine.certificates(here(tmp_path))) == {"certificates": "ok"}


@pytest.mark.parametrize(("now", "expected"), [(0.0, "error"), (1_735_689_601.0, "warning"), (None, "ok")])
def test_a_clock_far_off_is_noticed(tmp_path: Path, now: float | None, expected: str) -> None:
    where = here(tmp_path) if now is None else here(tmp_path, now=now)
    assert severities(machine.clock(where)) == {"clock": expected}


@pytest.mark.parametrize(
    ("words", "expected"), [([], "info"), (["performance"] * 2, "ok"), (["performance", "powersave"], "warning")]
)
def test_the_governor_of_every_processor_counts(tmp_path: Path, words: list[str], expected: str) -> None:
    where = here(tmp_path)
    for number, word in enumerate(words):
        write(where.root / f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor", word + "\n")
    assert severities(machine.governor(where)) == {"governor": expected}


# --- what makes things


@pytest.mark.parametrize(
    ("wanted", "locked", "trouble"),
    [
        ("numpy==1.26.4\n", "numpy==1.26.4 \\\n    --hash=sha256:aa\n", None),
        (
            "# only\nNumPy==1.26.4\nsetuptools<82\n",
            "numpy==1.26.4 --hash=sha256:a\nsetuptools==81.0.0 --hash=sha256:b\n",
            None,
        ),
        ("-r host.in\nmypy\n", "mypy==1.0 --hash=sha256:a\n", None),
        ("tensorflow[and-cuda]==2.15.1\n", "tensorflow==2.15.1 --hash=sha256:a\n", None),
        ("numpy==1.26.4\n", "numpy==1.26.3 --hash=sha256:a\n", "has numpy 1.26.3; requirements.in asks for 1.26.4"),
        ("numpy\npillow\n", "numpy==1.26.3 --hash=sha256:a\n", "lacks pillow"),
        ("numpy\n", "numpy==1.26.3\n", "pins numpy without a hash"),
        ("numpy\n", "a==1 --hash=sha256:a\nnumpy==1.26.3\n", "pins numpy without a hash"),
        ("numpy\n", None, "is missing"),
        (
            "numpy==1.26.4; python_version < '3.13'\nnumpy>=2; python_version >= '3.13'\n",
            "numpy==1.26.4 ; python_full_version < '3.13' --hash=sha256:a\nnumpy==2.3.4 --hash=sha256:b\n",
            None,
        ),
        (
            "numpy==1.26.4; python_version < '3.13'\n",
            "numpy==1.26.3 ; python_full_version < '3.13' --hash=sha256:a\nnumpy==2.3.4 --hash=sha256:b\n",
            "has numpy 1.26.3, 2.3.4; requirements.in asks for 1.26.4",
        ),
    ],
)
def test_a_lock_is_held_against_its_requirements(
    tmp_path: Path, wanted: str, locked: str | None, trouble: str | None
) -> None:
    requirements = write(tmp_path / "requirements.in", wanted)
    if locked is not None:
        write(tmp_path / "requirements.lock", locked)
    assert makers.lock_trouble(requirements) == trouble


def test_the_project_s_own_locks_are_in_step(tmp_path: Path) -> None:
    found = list(makers.locks(here(tmp_path)))
    assert severities(found) == {"locks": "ok"}
    assert int(found[0].message.split()[0]) == len(
        [*PROJECT.glob("docker/*/requirements.in"), *PROJECT.glob("requirements/*.in")]
    )


def test_a_broken_lock_is_named_with_its_command(tmp_path: Path) -> None:
    write(tmp_path / "docker/train/requirements.in", "numpy==2\n")
    write(tmp_path / "docker/train/requirements.lock", "numpy==1 --hash=sha256:a\n")
    found = list(makers.locks(here(tmp_path, project=tmp_path)))
    assert found == [
        error(
            "locks", "docker/train/requirements.lock has numpy 1; requirements.in asks for 2", "./run image.lock train"
        )
    ]


def test_no_daemon_is_a_warning_where_the_local_engine_works_and_an_error_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    for other, expected in ((None, "warning"), ("this is darwin", "error")):
        monkeypatch.setattr(makers.LocalEngine, "available", lambda _self, other=other: other)
        found = list(makers.server(here(tmp_path)))
        assert severities(found) == {"docker": expected}
        assert "none.sock does not exist" in found[0].message


@pytest.mark.parametrize(("driver", "expected"), [("overlay2", "ok"), ("vfs", "warning")])
def test_the_daemon_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, expected: str) -> None:
    told = {
        "/version": {"Version": "20.10.24", "ApiVersion": "1.41"},
        "/info": {"Driver": driver, "DockerRootDir": "/"},
    }
    monkeypatch.setattr(makers.daemon, "get", lambda path: (200, told[path]))
    found = list(makers.server(here(tmp_path)))
    assert found[0].message == "daemon 20.10.24 (API 1.41)"
    assert severities(found)["docker.storage"] == expected
    assert "disk.docker" in severities(found)


def test_a_daemon_that_refuses_is_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers.daemon, "get", lambda _path: (500, "no"))
    assert severities(makers.server(here(tmp_path))) == {"docker": "error"}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}/x.deb"


def test_a_vendor_that_is_silent_or_gone_is_told_within_the_limit(
    tmp_path: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = f"https://127.0.0.1:{gone.getsockname()[1]}/x.deb"
    started = time.monotonic()
    for address in (silent, closed):
        lock_file = write(tmp_path / "vendor.lock", f"# about\nmd5:00 x.deb {address}\n")
        assert str(makers.vendor_trouble(lock_file, 0.3)).startswith("127.0.0.1: ")
    assert time.monotonic() - started < 3


def test_a_compiler_out_of_reach_says_what_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers.Images, "recorded", lambda _self, _name: None)
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: "vendor: no network")
    assert severities(makers.compiler(here(tmp_path))) == {"compiler.image": "warning"}
    program = write(tmp_path / "bin/edgetpu_compiler", "#!/bin/sh\n")
    program.chmod(0o755)
    found = severities(makers.compiler(here(tmp_path, environ={"PATH": str(program.parent)})))
    assert found == {"compiler": "ok"}
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: None)
    assert severities(makers.compiler(here(tmp_path))) == {"compiler.image": "info"}


# --- devices


def test_a_gpu_without_a_toolkit_is_no_gpu_for_containers(tmp_path: Path) -> None:
    where = here(tmp_path)
    assert severities(devices.graphics(where)) == {"gpu": "info"}
    for name in ("dev/nvidia0", "dev/nvidiactl"):
        write(where.root / name, "")
    write(
        where.root / "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun\n"
    )
    found = list(devices.graphics(where))
    assert severities(found) == {"gpu": "ok", "gpu.containers": "warning"}
    assert "535.183.01" in found[0].message
    write(tmp_path / "bin/nvidia-ctk", "#!/bin/sh\n").chmod(0o755)
    assert severities(devices.graphics(here(tmp_path, environ={"PATH": str(tmp_path / "bin")}))) == {"gpu": "ok"}


def test_no_stick_is_worth_knowing_and_an_error_when_it_was_asked_for(tmp_path: Path) -> None:
    assert severities(devices.sticks(here(tmp_path))) == {"stick": "info"}
    assert severities(devices.sticks(here(tmp_path), demanded=True)) == {"stick": "error"}


def test_every_stick_is_described(tmp_path: Path) -> None:
    where = here(tmp_path)
    bus = Bus(where.root)
    bus.plug("1-2", "ready", 7, speed="480")
    bus.plug("2-1", "boot", 5)
    found = list(devices.sticks(where))
    assert [(finding.id, str(finding.severity)) for finding in found] == [
        ("stick", "warning"),
        ("stick.access", "ok"),
        ("stick", "ok"),
        ("stick.access", "ok"),
    ]
    assert "port 1-2, device 7: ready" in found[0].message
    assert "USB 2, 480 Mbit/s" in found[0].message
    assert "port 2-1, device 5: boot" in found[2].message


def test_a_closed_stick_gets_the_udev_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = here(tmp_path)
    Bus(where.root).plug("2-1", "boot", 5)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    found = list(devices.sticks(where, demanded=True))
    assert severities(found) == {"stick": "ok", "stick.access": "error"}
    assert str(found[1].remedy).count("SUBSYSTEM==") == 2


RULE = 'SUBSYSTEM=="usb",ATTRS{{idVendor}}=="{}",GROUP="plugdev"\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "info"),
        ({"etc/udev/rules.d/99-a.rules": RULE.format("1a6e") + RULE.format("18d1")}, "ok"),
        (
            {"lib/udev/rules.d/60-a.rules": RULE.format("1a6e"), "etc/udev/rules.d/61-b.rules": RULE.format("18d1")},
            "ok",
        ),
        ({"etc/udev/rules.d/99-a.rules": RULE.format("1a6e")}, "warning"),
        ({"etc/udev/rules.d/99-a.rules": "# " + RULE.format("1a6e") + "#" + RULE.format("18d1")}, "info"),
        (
            {
                "etc/udev/rules.d/60-a.rules": "",
                "lib/udev/rules.d/60-a.rules": RULE.format("1a6e") + RULE.format("18d1"),
            },
            "info",
        ),
        ({"etc/udev/rules.d/99-a.txt": RULE.format("1a6e") + RULE.format("18d1")}, "info"),
    ],
)
def test_rules_for_both_identities_are_looked_for(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    where = here(tmp_path)
    for name, text in files.items():
        write(where.root / name, text)
    assert severities(devices.udev(where)) == {"udev": expected}


def test_the_udev_lines_that_we_tell_are_rules_that_we_find(tmp_path: Path) -> None:
    where = here(tmp_path)
    remedy = str(next(iter(devices.udev(where))).remedy)
    write(where.root / "etc/udev/rules.d/99-x.rules", "\n".join(line.strip() for line in remedy.splitlines()))
    assert severities(devices.udev(where)) == {"udev": "ok"}


@given(st.binary(max_size=200))
def test_any_file_may_lie_among_the_rules(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    where = here(tmp_path_factory.mktemp("udev"))
    write(where.root / "etc/udev/rules.d/1.rules", "").write_bytes(content)
    assert len(list(devices.udev(where))) == 1


# --- the proof


class Stub:
    """An engine that answers a probe as told, and remembers the job."""

    def __init__(self, outcome: Outcome, facts: dict[str, Any] | None = None) -> None:
        self.outcome, self.facts = outcome, facts
        self.jobs: list[Job] = []

    def run(self, job: Job, _on_event: OnEvent, _cancelled: threading.Event) -> Outcome:
        self.jobs.append(job)
        job.log.write_text("what the library said\n")
        if self.facts is not None:
            (job.out / "record.json").write_text(json.dumps({"facts": self.facts}))
        return self.outcome


FACTS = {
    "edgetpu_runtime": "BuildLabel(X), RuntimeVersion(14)",
    "edgetpu_variant": "std",
    "stick": {"port": "2-1", "usb": 3, "speed_mbit_s": 5000},
}


def opened(tmp_path: Path, engine: Stub, before: list[Finding] | None = None, *, busy: bool = False) -> list[Finding]:
    bus = Bus(tmp_path / "root")
    bus.plug("2-1", "ready", 5)
    look = lambda: proof.edgetpu.usable(bus.root)  # noqa: E731

    def hold(*words: Any) -> Any:
        return lock.held(*words, look=look, place=tmp_path)

    def ask() -> list[Finding]:
        return list(proof.opening(before or [], lambda: engine, hold))  # type: ignore[arg-type,return-value]

    if busy:
        with hold("edgetpu", "benchmark/x", print, lambda: False):
            return ask()
    return ask()


def test_the_stick_is_opened_in_the_image_that_measures_and_is_held_meanwhile(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine)
    assert severities(found) == {"open": "ok"}
    assert "RuntimeVersion(14), libedgetpu std" in found[0].message
    (job,) = engine.jobs
    assert (job.image, job.stage, job.devices, job.stick) == (
        "benchmark-edgetpu",
        "benchmark.probe",
        ("edgetpu",),
        "2-1",
    )
    assert (PROJECT / "stages" / (job.stage.replace(".", "/") + ".py")).is_file()


def test_what_the_runtime_says_is_what_is_told(tmp_path: Path) -> None:
    said = {"event": "error", "message": "it cannot be opened", "remedy": "another cable"}
    assert opened(tmp_path, Stub(Outcome(exit_code=2, error=said))) == [
        error("open", "it cannot be opened", "another cable")
    ]
    crashed = opened(tmp_path, Stub(Outcome(exit_code=1)))
    assert severities(crashed) == {"open": "error"}
    assert "what the library said" in str(crashed[0].remedy)


def test_a_stick_in_use_is_not_opened(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine, busy=True)
    assert severities(found) == {"open": "error"}
    assert f"process {os.getpid()} of " in found[0].message
    assert engine.jobs == []


def test_nothing_is_opened_before_all_is_there(tmp_path: Path) -> None:
    engine = Stub(Outcome(exit_code=0), FACTS)
    found = opened(tmp_path, engine, [ok("stick", "there"), error("image", "not built", "build it")])
    assert found[0].message == "not tried: first mend image"
    assert found[0].severity is Severity.INFO
    assert engine.jobs == []


# --- the command


def test_nothing_that_is_silent_holds_up_an_examination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    hung = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    hung.bind(str(tmp_path / "docker.sock"))
    hung.listen()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.setattr(makers.Images, "recorded", lambda _self, _name: None)
    lock_file = write(tmp_path / "vendor.lock", f"md5:00 x.deb {silent}\n")
    original = makers.vendor_trouble
    monkeypatch.setattr(makers, "vendor_trouble", lambda _lock: original(lock_file))
    started = time.monotonic()
    found = severities(doctor.examine(here(tmp_path)))
    assert time.monotonic() - started < 20  # both would be waited for without end
    hung.close()
    assert found["docker"] == "warning"
    assert found.get("compiler.image", found.get("compiler")) == "warning"  # the latter when time was up before it knew
    assert found["stick"] == found["gpu"] == found["governor"] == "info"


def test_the_command_prints_one_object_and_ends_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _where: [warning("docker", "none", "start it")])
    commands.show_doctor(edgetpu=False, as_json=True)
    assert json.loads(capsys.readouterr().out)["findings"][0]["id"] == "docker"
    monkeypatch.setattr(doctor, "prove", lambda _where: [error("stick", "none", "plug one in")])
    with pytest.raises(SystemExit) as ended:
        commands.show_doctor(edgetpu=True, as_json=False)
    assert ended.value.code == 8
    assert capsys.readouterr().out.splitlines()[0].split(maxsplit=2) == ["error", "stick", "none"]
