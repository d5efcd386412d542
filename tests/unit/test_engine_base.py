from __future__ import annotations

import csv
import itertools
import json
import os
import random
import shlex
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline.engines import container
from coralline.engines.attach import demultiplex
from coralline.engines.base import LONGEST_LINE, Event, Job, Listener, Places, environment, parse_event, write_step
from coralline.engines.docker import user
from coralline.engines.owner import is_gone, owner
from coralline.errors import EngineError
from docker import APIClient


class Heard:
    """Stands for a listener: keeps what it was given."""

    def __init__(self) -> None:
        self.out = self.err = b""

    def stdout(self, chunk: bytes) -> None:
        self.out += chunk

    def stderr(self, chunk: bytes) -> None:
        self.err += chunk


def job(tmp_path: Path, **changed: object) -> Job:
    values: dict[str, object] = {
        "label": "convert/inceptionv3/ptq-int8",
        "stage": "convert",
        "code": tmp_path / "code",
        "image": "convert",
        "parameters": {"recipe": "ptq-int8"},
        "threads": 2,
        "inputs": {"model": tmp_path / "model"},
        "out": tmp_path / "out",
        "log": tmp_path / "logs" / "convert.inceptionv3.ptq-int8.log",
        "memory_bytes": 4 << 30,
        "run_id": "run",
        "key": "key",
    }
    return Job(**(values | changed))  # type: ignore[arg-type]


def test_step_json_is_what_the_contract_says(tmp_path: Path) -> None:
    step = write_step(
        job(tmp_path, partial=tmp_path / "partial"), Places.of_host(job(tmp_path, partial=tmp_path / "p"))
    )
    assert step == tmp_path / "logs" / "convert.inceptionv3.ptq-int8.step.json"
    assert json.loads(step.read_text()) == {
        "schema": "coralline.step",
        "version": 1,
        "stage": "convert",
        "label": "convert/inceptionv3/ptq-int8",
        "parameters": {"recipe": "ptq-int8"},
        "threads": 2,
        "inputs": {"model": str(tmp_path / "model")},
        "out": str(tmp_path / "out"),
        "partial": str(tmp_path / "p"),
        "missing": [],
    }


@given(st.lists(st.one_of(st.just(b'{"event": "progress"}'), st.binary(max_size=20).filter(lambda b: b"\n" not in b))))
def test_events_and_text_are_told_apart_however_the_output_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    printed = b"".join(line + b"\n" for line in lines)
    heard: list[Event] = []
    log = tmp_path_factory.mktemp("log") / "log"
    listener = Listener(log, heard.append)
    cut = random.Random(len(printed))
    rest = printed
    while rest:
        size = cut.randint(1, 7)
        listener.stdout(rest[:size])
        rest = rest[size:]
    listener.close()
    assert len(heard) == lines.count(b'{"event": "progress"}')
    assert log.read_bytes() == b"".join(line + b"\n" for line in lines if parse_event(line) is None)


def test_the_last_error_is_kept_even_without_a_line_end(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "log", lambda _: None)
    listener.stdout(b'{"event": "error", "message": "a"}\n{"event": "error", "message": "b"}')
    listener.close()
    assert listener.error == {"event": "error", "message": "b"}
    listener.close()


def test_endless_output_without_lines_is_not_kept_in_memory(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "log", lambda _: None)
    for _ in range(5):
        listener.stdout(b"x" * (LONGEST_LINE // 2))
    assert len(listener._rest) <= LONGEST_LINE
    listener.close()
    assert (tmp_path / "log").stat().st_size == 5 * (LONGEST_LINE // 2)


@pytest.mark.parametrize("line", [b"{}", b'{"event": 1}', b'{"event": "x"', b'["event"]', b"text", b'{"event"\xff'])
def test_what_is_no_event_is_text(line: bytes) -> None:
    assert parse_event(line) is None


COUNTS = [b'"many"', b"null", b"1e999", b"1.5", b"-1", b"9" * 400, b"9" * 5000]


@pytest.mark.parametrize(
    "line", [b'{"event": ' + b"[" * 100_000, *(b'{"event": "progress", "done": %s}' % n for n in COUNTS)]
)
def test_no_line_of_a_step_ends_the_run(tmp_path: Path, line: bytes) -> None:
    heard: list[Event] = []
    listener = Listener(tmp_path / "log", heard.append)
    listener.stdout(line + b"\n")
    listener.close()
    assert heard == []
    assert (tmp_path / "log").read_bytes() == line + b"\n"


@given(st.lists(st.tuples(st.sampled_from((1, 2)), st.binary(max_size=30))), st.integers(1, 9))
def test_frames_are_put_together_again(frames: list[tuple[int, bytes]], size: int) -> None:
    sent = b"".join(struct.pack(">BxxxL", stream, len(body)) + body for stream, body in frames)
    heard, rest = Heard(), b""
    for start in range(0, len(sent), size):
        rest = demultiplex(rest + sent[start : start + size], heard)  # type: ignore[arg-type]
    assert rest == b""
    assert heard.out == b"".join(body for stream, body in frames if stream == 1)
    assert heard.err == b"".join(body for stream, body in frames if stream == 2)


def test_a_frame_without_end_is_refused_and_not_waited_for() -> None:
    with pytest.raises(EngineError, match="not the output of a container"):
        demultiplex(struct.pack(">BxxxL", 1, 0xFFFFFFFF) + b"x", Heard())  # type: ignore[arg-type]


def described(tmp_path: Path, **changed: object) -> container.Container:
    return container.describe(job(tmp_path, **changed), "sha256:1", user="7:8", owner="me")


def test_a_container_gets_nothing_of_the_host_but_its_folders(tmp_path: Path) -> None:
    planned = described(tmp_path, partial=tmp_path / "partial")
    writable = {str(bind.target) for bind in planned.binds if bind.writable}
    assert writable == {"/out", "/partial"}
    assert {str(bind.target) for bind in planned.binds} - writable == {"/coralline/stages", "/step.json", "/in/model"}
    assert planned.command == ("python3", "-m", "stages.convert")
    assert planned.labels["coralline.run"] == "run"
    assert not planned.gpu
    assert not planned.usb


def test_the_replay_command_confines_as_the_engine_does(tmp_path: Path) -> None:
    line = described(tmp_path).command_line()
    for words in ("--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--user 7:8", "--pids-limit"):
        assert words in line
    assert "CORALLINE_LEASH" not in line
    assert line.startswith(f"mkdir -p {tmp_path}/out && docker run --rm ")


def test_the_replay_command_of_a_step_of_a_sweep_binds_what_the_engine_does(tmp_path: Path) -> None:
    log = tmp_path / 'a "b" $c' / "convert.inceptionv3.ptq-int8@train.seed=1,convert.calibration_images=8.log"
    planned = described(tmp_path, log=log)
    words = shlex.split(planned.command_line())
    mounts = [next(csv.reader([after])) for word, after in itertools.pairwise(words) if word == "--mount"]
    assert [fields[1:3] for fields in mounts] == [[f"source={b.source}", f"target={b.target}"] for b in planned.binds]
    assert {tuple(fields[3:]) for fields in mounts} == {(), ("readonly",)}


def test_devices_are_given_only_to_steps_that_need_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert described(tmp_path, devices=("gpu",)).gpu
    assert "--gpus all" in described(tmp_path, devices=("gpu",)).command_line()
    monkeypatch.setattr(container, "USB", tmp_path / "nothing")
    assert not described(tmp_path, devices=("edgetpu",)).usb
    bus = tmp_path / "usb"
    bus.mkdir()
    monkeypatch.setattr(container, "USB", bus)
    planned = described(tmp_path, devices=("edgetpu",))
    assert planned.usb
    assert container.Bind(source=bus, target=bus, writable=True) in planned.binds
    assert "--device-cgroup-rule 'c 189:* rmw'" in planned.command_line()
    assert "--privileged" not in planned.command_line()


def test_the_bus_and_its_rule_are_what_the_sdk_is_given_and_no_privileges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = tmp_path / "usb"
    bus.mkdir()
    monkeypatch.setattr(container, "USB", bus)
    options = described(tmp_path, devices=("edgetpu",), stick="2-1.4")._host_config(APIClient(version="1.41"))
    assert options["DeviceCgroupRules"] == ["c 189:* rmw"]
    assert {"Target": str(bus), "Source": str(bus), "Type": "bind", "ReadOnly": False} in options["Mounts"]
    assert not options.get("Privileged")
    assert options["CapDrop"] == ["ALL"]
    assert "Devices" not in options  # a single node would be another one after the first use
    without = described(tmp_path)._host_config(APIClient(version="1.41"))
    assert not without.get("DeviceCgroupRules")


def test_a_step_is_told_which_stick_is_held_for_it_and_others_nothing(tmp_path: Path) -> None:
    assert environment(job(tmp_path, stick="2-1.4"))["CORALLINE_STICK"] == "2-1.4"
    assert described(tmp_path, stick="2-1.4").variables["CORALLINE_STICK"] == "2-1.4"
    assert "CORALLINE_STICK" not in environment(job(tmp_path))


def test_both_engines_set_the_same_hash_seed_and_threads(tmp_path: Path) -> None:
    variables = environment(job(tmp_path))
    assert variables["PYTHONHASHSEED"] == "0"
    assert variables["OMP_NUM_THREADS"] == "2"


def test_containers_run_as_the_caller_or_as_a_rootless_daemon_s_root() -> None:
    assert user({"SecurityOptions": ["name=seccomp,profile=default"]}) == f"{os.getuid()}:{os.getgid()}"
    assert user({}) == f"{os.getuid()}:{os.getgid()}"
    assert user({"SecurityOptions": ["name=rootless"]}) == "0:0"


def test_a_living_process_keeps_its_containers() -> None:
    assert not is_gone(owner(), running=True)
    assert not is_gone(owner(), running=False)


def test_a_dead_process_loses_them() -> None:
    code = "from coralline.engines.owner import owner; print(owner())"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert is_gone(told.stdout.strip(), running=True)


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    boot, namespace, _, _ = owner().split(" ")
    started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert is_gone(f"{boot} {namespace} {child.pid} {started}", running=True)
    child.wait()


def test_a_recycled_process_id_is_no_owner() -> None:
    boot, namespace, pid, started = owner().split(" ")
    assert is_gone(f"{boot} {namespace} {pid} {int(started) + 1}", running=True)


@pytest.mark.parametrize("name", ["", "another-boot pid:[1] 1 1", "nonsense"])
def test_of_strangers_only_ended_containers_are_taken(name: str) -> None:
    assert not is_gone(name, running=True)
    assert is_gone(name, running=False)
