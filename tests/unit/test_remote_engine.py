"""What a remote engine knows without a daemon; tests/system/ordeals/test_remote_host.py has one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeEngine, project, spec, step
from hypothesis import given
from hypothesis import strategies as st

from coralline import host
from coralline.catalogue import PROJECT
from coralline.code import Code
from coralline.devices import lock
from coralline.engines.remote import elsewhere, tunnel
from coralline.engines.remote.build import RemoteBuild
from coralline.engines.remote.elsewhere import Elsewhere
from coralline.engines.remote.leftovers import parsed_time
from coralline.engines.remote.wire import Wire
from coralline.errors import EngineError
from coralline.outposts import Beside, beside
from coralline.plan import Planner
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coralline.graph import Step

PI = {
    "proc/cpuinfo": (
        "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32\nprocessor\t: 1\nFeatures\t: fp asimd crc32\n\n"
        "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
    ),
    "proc/meminfo": "MemTotal:        3884576 kB\nMemFree: 1 kB\n",
    "proc/self/status": "Name:\tpython3\nPid:\t7\nCpus_allowed_list:\t0-2,5\n",
    "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8\n",
    "etc/machine-id": "0123\n",
    "sys/bus/usb/devices/2-1/idVendor": "18d1\n",
    "sys/bus/usb/devices/2-1/idProduct": "9302\n",
    "sys/bus/usb/devices/2-1/busnum": "2\n",
    "sys/bus/usb/devices/2-1/devnum": "3\n",
    "sys/bus/usb/devices/2-1/speed": "5000\n",
}
ABOUT = {"Architecture": "aarch64", "ID": "AB:CD", "KernelVersion": "6.6", "MemTotal": 1, "NCPU": 4}


def kept(home: Path, nodes: dict[str, list[int]] | None = None, **files: str) -> Elsewhere:
    told = {"files": {**PI, **files}, "nodes": {"dev/bus/usb/002/003": [0o660, 46]} if nodes is None else nodes}
    return elsewhere.keep(home, ABOUT, json.dumps(told).encode())


def test_another_machine_is_read_from_copies_of_its_files(tmp_path: Path) -> None:
    facts = kept(tmp_path).facts()
    assert facts["cpu_model"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts["cpu_flags"] == "fp asimd crc32"
    assert (facts["cores"], facts["memory_kib"]) == (4, 3_884_576)
    assert (facts["machine"], facts["kernel"]) == ("aarch64", "6.6.31+rpt-rpi-v8")
    assert facts["fingerprint"] != host.described()["fingerprint"]


def test_this_machine_seen_from_elsewhere_is_the_same(tmp_path: Path) -> None:
    told = json.loads(
        subprocess.run([sys.executable, PROJECT / "stages/machine.py"], capture_output=True, check=True).stdout
    )
    told["files"]["etc/machine-id"] = Path("/etc/machine-id").read_text() if Path("/etc/machine-id").exists() else ""
    about = {**ABOUT, "Architecture": os.uname().machine, "ID": ""}
    assert elsewhere.keep(tmp_path, about, json.dumps(told).encode()).facts() == host.described()


def test_a_stick_is_found_with_its_group_and_closed_ones_are_told(tmp_path: Path) -> None:
    found = kept(tmp_path)
    assert (found.missing("edgetpu"), found.sticks(), found.groups()) == (None, ["2-1"], [46])
    for mode, group in ((0o660, 0), (0o600, 46), (0o664, 0)):
        closed = kept(tmp_path, {"dev/bus/usb/002/003": [mode, group]})
        assert "on the other machine: the Edge TPU at port 2-1 is closed" in str(closed.missing("edgetpu"))
        assert "udevadm" in closed.remedy("edgetpu")
    assert kept(tmp_path, {"dev/bus/usb/002/003": [0o666, 0]}).missing("edgetpu") is None
    assert "has no device node" in str(kept(tmp_path, {}).missing("edgetpu"))


def test_what_was_found_is_recalled_for_the_same_daemon_only(tmp_path: Path) -> None:
    found = kept(tmp_path)
    assert elsewhere.recall(tmp_path, ABOUT) == found
    assert elsewhere.recall(tmp_path, {**ABOUT, "NCPU": 8}) == Elsewhere()
    assert elsewhere.recall(tmp_path, {**ABOUT, "ID": "EF"}) == Elsewhere()


def test_what_changes_from_moment_to_moment_is_another_copy_of_nothing(tmp_path: Path) -> None:
    moved = PI["proc/self/status"].replace("Pid:\t7", "Pid:\t8")
    assert kept(tmp_path) == kept(tmp_path, **{"proc/self/status": moved})


def test_a_machine_without_identity_has_that_of_its_daemon(tmp_path: Path) -> None:
    nameless = kept(tmp_path, **{"etc/machine-id": ""})
    assert nameless.root is not None
    assert (nameless.root / "etc/machine-id").read_text() == "AB:CD"


def test_before_it_was_asked_nothing_is_known() -> None:
    unknown = Elsewhere()
    assert (unknown.fingerprint("edgetpu"), unknown.missing("edgetpu"), unknown.facts()) == ("not asked yet", None, {})


@pytest.mark.parametrize(
    "printed",
    [
        *(b"", b"[]", b'{"files": {}}', b'{"files": {"../x": ""}, "nodes": {}}', b'{"files": {"/x": ""}, "nodes": {}}'),
        *(b'{"files": {}, "nodes": {"x": 1}}', b'{"files": {}, "nodes": {"../../x": [1, 1]}}'),
    ],
)
def test_an_answer_that_is_none_is_refused_and_writes_nothing(tmp_path: Path, printed: bytes) -> None:
    with pytest.raises(EngineError, match="does not say what it is"):
        elsewhere.keep(tmp_path / "home", ABOUT, printed)
    assert not any(tmp_path.rglob("*"))


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, printed: bytes) -> None:
    with pytest.raises(EngineError):
        elsewhere.keep(tmp_path_factory.mktemp("home"), ABOUT, printed)


def test_the_ssh_command_shares_no_connection_and_takes_no_word_for_an_option() -> None:
    words = tunnel.command("ssh://pi@Berry:2222", Path("/run/x/docker.sock"))
    assert words[0] == "ssh"
    assert words[words.index("-p") + 1] == "2222"
    assert words[words.index("-L") + 1] == "/run/x/docker.sock:/var/run/docker.sock"
    assert words[words.index("--") + 1 :] == ["pi@Berry", "echo coralline; exec cat"]
    assert {"BatchMode=yes", "ControlPath=none", "ExitOnForwardFailure=yes"} <= set(words)


@pytest.mark.parametrize(
    ("address", "target"), [("ssh://[fe80::1]", "fe80::1"), ("ssh://pi@[::1]:22", "pi@::1"), ("ssh://berry", "berry")]
)
def test_ssh_gets_the_target_as_it_reads_it(address: str, target: str) -> None:
    words = tunnel.command(address, Path("/run/x/docker.sock"))
    assert words[words.index("--") + 1] == target


def test_a_socket_s_path_is_short_wherever_temporary_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >"$(dirname "$0")/words"; echo coralline; cat\n'
    )
    (tmp_path / "bin" / "ssh").chmod(0o755)
    far = tmp_path / "a:b%h" / ("x" * 200)
    far.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(far))
    tunnel.Tunnel("ssh://pi@berry").close()
    words = (tmp_path / "bin" / "words").read_text().splitlines()
    ours, theirs = words[words.index("-L") + 1].split(":")
    assert (len(ours) < 100, "%" in ours, theirs) == (True, False, "/var/run/docker.sock")


@pytest.mark.parametrize(
    ("said", "reason", "hint"),
    [
        ("pi@berry: Permission denied (publickey).", "key is not accepted", "ssh-copy-id pi@berry"),
        ("Host key verification failed.", "host key", "ssh pi@berry"),
        ("channel 2: open failed: connect failed: Permission denied", "may not use Docker", "`docker`"),
        ("channel 2: open failed: connect failed: No such file or directory", "no Docker daemon runs", "systemctl"),
        (
            "bind [127.0.0.1]:8888: Address already in use\nCould not request local forwarding.",
            "your ssh configuration",
            "~/.ssh/config",
        ),
        ("channel 2: open failed: administratively prohibited: open failed", "forwards no sockets", "AllowStream"),
        ("ssh: Could not resolve hostname berry: Name or service not known", "no machine of that name", "name"),
        ("ssh: connect to host berry port 22: Connection refused", "no ssh server", "port"),
        ("ssh: connect to host berry port 22: Connection timed out", "does not answer", "on"),
        ("", "ended without a word", "ssh pi@berry docker version"),
    ],
)
def test_what_ssh_says_becomes_one_line_and_what_to_do(said: str, reason: str, hint: str) -> None:
    error = tunnel.explained("ssh://pi@berry", said)
    assert error.message.startswith("no Docker daemon at ssh://pi@berry: ")
    assert reason in error.message
    assert hint in error.hint


class Ignorant(BaseHTTPRequestHandler):
    """A daemon that has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def ignorant(tmp_path: Path) -> Iterator[Path]:
    with UnixStreamServer(str(tmp_path / "docker.sock"), Ignorant) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield tmp_path / "docker.sock"
        server.shutdown()
        thread.join()


class Socket:
    """Stands for a line whose daemon has a socket here."""

    address = "ssh://pi@berry"

    def __init__(self, path: Path) -> None:
        self._path = path

    def socket(self) -> Path:
        return self._path

    def about(self) -> dict[str, str]:
        return {"Architecture": "aarch64", "ID": "AB:CD"}


def test_a_build_over_there_ends_with_the_run_and_without_a_traceback(
    tmp_path: Path, ignorant: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    client = tmp_path / "bin" / "docker"
    waited = tmp_path / "waited"
    client.write_text(f"#!/bin/sh\n[ $1 = pull ] || exit 0\nsleep 60\ntouch {waited}\n")
    client.chmod(0o755)
    shutil.copytree(PROJECT / "docker", tmp_path / "project" / "docker")
    monkeypatch.setenv("PATH", f"{client.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))

    def stop(told: dict[str, Any]) -> None:
        assert told["message"].startswith("asking the registry")
        raise KeyboardInterrupt

    there = RemoteBuild(tmp_path / "project", tmp_path / "home", Socket(ignorant))  # type: ignore[arg-type]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell leaves it to what it runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            there._built("report", stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not waited.exists()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),  # as write(2) says it of no file by name
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        PermissionError(errno.EACCES, "Permission denied", "/somewhere/weights.h5"),
    ],
)
def test_trouble_with_files_here_is_no_lost_line(error: OSError) -> None:
    line = Wire("tcp://berry:2375")
    with pytest.raises(OSError, match=str(error.strerror)) as caught, line.trouble():
        raise error
    assert caught.value is error


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), TimeoutError("timed out"), OSError(113, "far")])
def test_trouble_with_the_line_names_the_daemon(error: OSError) -> None:
    with pytest.raises(EngineError, match="tcp://berry:2375"), Wire("tcp://berry:2375").trouble():
        raise error


@pytest.mark.parametrize(
    "text", ["2026-11-21T23:24:02Z", "2026-11-21T23:24:02.502898509Z", "2026-11-21T23:24:02.5+01:00"]
)
def test_times_are_read_as_daemons_write_them(text: str) -> None:
    assert parsed_time(text).year == 2026
    assert parsed_time(text).tzinfo is not None


class Room:
    """A pool that only says whether it has room: for one step at a time."""

    def __init__(self, slots: int = 1) -> None:
        self.slots = slots
        self.asked: list[list[str]] = []

    def has_room(self, _step: Step, running: Sequence[Step]) -> bool:
        self.asked.append([one.label for one in running])
        return not running

    def submit(self, decision: Any, _inputs: object, *, again: bool) -> Any:
        return (self, decision, again)


def test_a_measurement_elsewhere_and_work_here_do_not_wait_for_each_other() -> None:
    here, there = Room(slots=2), Room()
    pool = Beside(here, {"benchmark": there})  # type: ignore[arg-type, dict-item]
    training, measuring = step(spec("train")), step(spec("benchmark"))
    assert pool.slots == 3
    assert pool.has_room(measuring, [training])
    assert pool.has_room(training, [measuring])
    assert not pool.has_room(replace(measuring, label="benchmark/other"), [measuring, training])
    assert here.asked == [[]]
    assert there.asked == [[]]


def test_without_placed_stages_the_pool_is_what_it_was() -> None:
    room = Room()
    assert beside(room, None, {}) is room  # type: ignore[arg-type]


def test_an_outpost_decides_host_device_and_image_of_its_stages(tmp_path: Path) -> None:
    class Outpost(FakeEngine):
        def missing(self, need: str) -> str:
            return f"no {need} over there"

        def fingerprint(self, _need: str | None) -> str:
            return "theirs"

    root = project(tmp_path / "project", "measure")
    measuring = step(replace(spec("measure"), measures=True))
    wanting = replace(measuring, variant=replace(measuring.variant, needs="edgetpu"))
    planner = Planner(
        store=Store(tmp_path / "artifacts"),
        engine=FakeEngine(),
        code=Code(root, tmp_path / "code.json"),
        external=str,
        device_missing=lambda _need: None,
        placed={"measure": Outpost()},  # type: ignore[dict-item]
    )
    decided = planner.decide(measuring, {})
    assert decided.parts is not None
    assert decided.parts["host"] == "theirs"
    assert planner.decide(wanting, {}).reason == "no edgetpu over there"
    assert planner.missing(wanting) == "no edgetpu over there"


def test_a_stick_is_held_where_the_step_runs_and_waited_for_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stages import hold;"
        f"print(hold.wait(['2-1', '2-2'], Path({str(tmp_path)!r}), 'benchmark'), flush=True); sys.stdin.read()"
    )

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code]
        return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start() as first, start() as second:
        assert first.stdout is not None
        assert second.stdout is not None
        assert {first.stdout.readline(), second.stdout.readline()} == {"2-1\n", "2-2\n"}
        assert lock.holder("2-1", tmp_path) == "a step from another machine: benchmark"  # the lock of both sides is one
        with start() as third:
            assert third.stdout is not None
            assert "is used by another process" in json.loads(third.stdout.readline())["message"]
            second.communicate()
            assert third.stdout.readline() in ("2-1\n", "2-2\n")
            third.communicate()
        first.communicate()
    assert lock.holder("2-1", tmp_path) is None
