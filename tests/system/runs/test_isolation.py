"""A step that tries to break out of its container: the network, the host's files, its limits, more rights."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from probing import IMAGE, make_job, make_project

from coralline import daemon
from coralline.catalogue import PROJECT
from coralline.engines.container import PIDS
from coralline.engines.docker import DockerEngine

if TYPE_CHECKING:
    from pathlib import Path

    from coralline.engines.base import Job, Outcome

pytestmark = pytest.mark.skipif(daemon.trouble() is not None, reason=f"no Docker: {daemon.trouble()}")

GIBIBYTE = 1 << 30
MEMORY = ("/dev/shm", "/tmp")  # noqa: S108 - inside the container
FORKS = 10_000
ESCAPE = """
import ctypes, json, os, socket, sys, time
from pathlib import Path
from stages import contract

LIBC = ctypes.CDLL(None, use_errno=True)

def attempt(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__ + " " + os.strerror(error.errno) if error.errno else type(error).__name__
    return "done"

def call(name, *words):
    def what():
        if getattr(LIBC, name)(*words) != 0:
            raise OSError(ctypes.get_errno(), name)
    return what

def connect(family, place, kind=socket.SOCK_STREAM):
    def what():
        with socket.socket(family, kind) as opened:
            opened.settimeout(3)
            opened.connect(place)
    return what

def sockets():
    return {
        "v4": attempt(connect(socket.AF_INET, ("1.1.1.1", 53))),
        "v6": attempt(connect(socket.AF_INET6, ("2606:4700:4700::1111", 53))),
        "datagram": attempt(connect(socket.AF_INET, ("8.8.8.8", 53), socket.SOCK_DGRAM)),
        "gateway": attempt(connect(socket.AF_INET, ("172.17.0.1", 22))),
        "raw": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        "packet": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
        "daemon": attempt(connect(socket.AF_UNIX, "/var/run/docker.sock")),
        "name": attempt(lambda: socket.getaddrinfo("example.org", 80)),
    }

def writable():
    # Every folder of the container in which a file can be made.
    found = []
    for folder, below, _ in os.walk("/"):
        if folder in ("/proc", "/sys"):
            below.clear()
        try:
            with open(os.path.join(folder, "escaped"), "x"):
                found.append(folder)
            os.unlink(os.path.join(folder, "escaped"))
        except OSError:
            pass
    return sorted(found)

def kernel():
    names = ("sysrq-trigger", "sys/kernel/core_pattern", "sys/vm/drop_caches", "self/oom_score_adj", "kcore")
    return {name: attempt(lambda name=name: os.close(os.open("/proc/" + name, os.O_WRONLY))) for name in names}

def rights():
    return {
        "root": attempt(lambda: os.setuid(0)),
        "device": attempt(lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0))),
        "mount": attempt(call("mount", b"none", b"/tmp", b"tmpfs", 0, None)),
        "remount": attempt(call("mount", b"none", b"/in/data", None, 4096 | 32, None)),
        "namespace": attempt(call("unshare", 0x10000000)),
        "root folder": attempt(lambda: os.chroot("/tmp")),
        "host name": attempt(lambda: socket.sethostname("escaped")),
        "nice": attempt(lambda: os.nice(-5)),
        "program": attempt(program),
    }

def program():
    with open("/tmp/program", "w") as file:
        file.write("#!/bin/sh\\n")
    os.chmod("/tmp/program", 0o755)
    os.execv("/tmp/program", ["program"])

def fork(count):
    children = []
    try:
        while len(children) < count:
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)

def take(size):
    piece = 64 << 20
    taken = []
    for _ in range(size // piece):
        taken.append(bytearray(piece))
        taken[-1][::4096] = b"x" * (piece // 4096)

def fill(folder, size):
    def what():
        with open(folder + "/filled", "wb") as file:
            for _ in range(size >> 20):
                file.write(bytes(1 << 20))
    return attempt(what)

WAYS = {"sockets": sockets, "writable": writable, "kernel": kernel, "rights": rights, "fork": fork, "take": take,
        "fill": fill}

def main(step):
    way = WAYS[step.parameters["way"]]
    found = way(*step.parameters.get("words", ()))
    (step.out / "found.json").write_text(json.dumps(found))
    step.record()

contract.run(main)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("escape"), ESCAPE)


@pytest.fixture(scope="module")
def engine(project: Path) -> DockerEngine:
    made = DockerEngine(project, PROJECT / ".coralline")
    made.prepare(IMAGE, lambda _: None)
    if os.getuid() == 0:
        made.__dict__["_user"] = (
            "1234:1234"  # whoever runs the tests: root's own steps are not told apart by their files
        )
    return made


@pytest.fixture
def found(engine: DockerEngine, project: Path, tmp_path: Path) -> Any:
    def find(way: str, *words: Any, memory_bytes: int = GIBIBYTE) -> Any:
        job = escape(tmp_path, project, way, *words, memory_bytes=memory_bytes)
        outcome = run(engine, job)
        assert outcome.exit_code == 0, job.log.read_text()
        return json.loads((job.out / "found.json").read_text())

    return find


def escape(folder: Path, project: Path, way: str, *words: Any, memory_bytes: int = GIBIBYTE) -> Job:
    job = make_job(folder, project, memory_bytes=memory_bytes, way=way, words=list(words))
    if os.getuid() == 0:
        os.chown(job.out, 1234, 1234)
    return job


def run(engine: DockerEngine, job: Job) -> Outcome:
    return engine.run(job, lambda _: None, threading.Event())


def test_no_socket_leads_out(found: Any) -> None:
    assert {name: told for name, told in found("sockets").items() if told == "done"} == {}


def test_files_can_be_made_in_the_output_folder_and_in_scratch_alone(found: Any) -> None:
    assert found("writable") == sorted(["/dev/mqueue", *MEMORY, "/out"])  # of these only /out is on a disk


def test_nothing_of_the_kernel_can_be_set(found: Any) -> None:
    told = found("kernel")
    assert told.pop("self/oom_score_adj") == "done"  # its own, and only upwards
    assert "done" not in told.values()


def test_no_more_rights_can_be_had(found: Any) -> None:
    assert {name: told for name, told in found("rights").items() if told == "done"} == {}


def test_ten_thousand_processes_end_at_the_limit_and_harm_nobody(found: Any) -> None:
    assert 0 < found("fork", FORKS, memory_bytes=8 * GIBIBYTE) < PIDS
    assert daemon.trouble() is None


def test_sixty_four_gibibytes_end_at_the_limit(engine: DockerEngine, project: Path, tmp_path: Path) -> None:
    job = escape(tmp_path, project, "take", 64 * GIBIBYTE)
    outcome = run(engine, job)
    assert (outcome.exit_code, outcome.reason) == (137, "out of memory: limit 1.0 GiB")


@pytest.mark.parametrize("folder", MEMORY)
def test_scratch_is_bounded(found: Any, folder: str) -> None:
    assert found("fill", folder, 2 * GIBIBYTE) == "OSError No space left on device"
