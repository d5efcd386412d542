from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from bus import Bus
from hypothesis import given
from hypothesis import strategies as st

from coralline import devices
from coralline.catalogue import PROJECT
from coralline.devices import edgetpu, lock
from coralline.devices.edgetpu import Access, State, Stick
from coralline.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path / "root")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let permissions count for root too, as they do for every other user."""
    monkeypatch.setattr(os, "access", lambda path, _mode: bool(os.stat(path).st_mode & 0o002))  # noqa: PTH116


def test_both_identities_are_sticks_and_nothing_else_is(bus: Bus) -> None:
    bus.plug("2-1", "boot", 5)
    bus.plug("1-1.4", "ready", 12, speed="480")
    bus.plug("3-1", "mouse", 2, speed="1.5")
    (bus.root / "sys/bus/usb/devices/usb1").mkdir()
    node = devices.Path("/dev/bus/usb")
    assert edgetpu.find(bus.root) == [
        Stick(
            port="1-1.4",
            bus=1,
            device=12,
            speed_mbit_s=480,
            state=State.READY,
            node=node / "001/012",
            access=Access.OPEN,
        ),
        Stick(
            port="2-1", bus=2, device=5, speed_mbit_s=5000, state=State.BOOT, node=node / "002/005", access=Access.OPEN
        ),
    ]


@pytest.mark.parametrize(
    ("speed", "usb3"), [("480", False), ("12", False), ("5000", True), ("10000", True), ("", False)]
)
def test_usb_3_begins_at_5_gbit_s(bus: Bus, speed: str, usb3: bool) -> None:
    bus.plug("2-1", "ready", 5, speed=speed)
    assert edgetpu.find(bus.root)[0].is_superspeed is usb3


def test_no_bus_at_all_is_no_stick(tmp_path: Path) -> None:
    assert edgetpu.find(tmp_path) == []
    assert devices.missing("edgetpu", tmp_path) == "no Edge TPU on USB (looked for 1a6e:089a and 18d1:9302)"
    assert "USB 3 port" in devices.remedy("edgetpu", root=tmp_path)


@given(st.dictionaries(st.sampled_from(["idVendor", "idProduct", "busnum", "devnum", "speed"]), st.binary(max_size=8)))
def test_whatever_stands_in_sysfs_is_a_stick_or_none(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    bus = Bus(tmp_path_factory.mktemp("bus"))
    bus.plug("2-1", "ready", 5)
    for name, content in files.items():
        (bus.root / "sys/bus/usb/devices/2-1" / name).write_bytes(content)
    assert len(edgetpu.find(bus.root)) <= 1
    devices.identity("edgetpu", bus.root)


@pytest.mark.usefixtures("nobody")
def test_a_closed_stick_is_told_before_anything_runs_with_the_two_udev_lines(bus: Bus) -> None:
    bus.plug("2-1", "boot", 5, mode=0o664)
    assert devices.missing("edgetpu", bus.root) == (
        "the Edge TPU at port 2-1 is closed to this user (no permission to write /dev/bus/usb/002/005)"
    )
    remedy = devices.remedy("edgetpu", root=bus.root)
    lines = [line.strip() for line in remedy.splitlines() if "SUBSYSTEM" in line]
    assert lines == [
        'SUBSYSTEM=="usb", ATTRS{idVendor}=="1a6e", ATTRS{idProduct}=="089a", MODE="0664", GROUP="plugdev"',
        'SUBSYSTEM=="usb", ATTRS{idVendor}=="18d1", ATTRS{idProduct}=="9302", MODE="0664", GROUP="plugdev"',
    ]
    assert "/etc/udev/rules.d/99-edgetpu-accelerator.rules" in remedy


@pytest.mark.usefixtures("nobody")
def test_one_open_stick_of_several_is_enough_and_the_closed_one_is_left_alone(bus: Bus) -> None:
    bus.plug("2-1", "ready", 5, mode=0o664)
    bus.plug("2-2", "ready", 6, mode=0o666)
    assert devices.missing("edgetpu", bus.root) is None
    assert [stick.port for stick in edgetpu.usable(bus.root)] == ["2-2"]


def test_a_stick_without_a_node_is_named(bus: Bus) -> None:
    bus.plug("2-1", "ready", 5)
    (bus.root / "dev/bus/usb/002/005").unlink()
    assert "has no device node /dev/bus/usb/002/005" in str(devices.missing("edgetpu", bus.root))
    assert "/dev/bus/usb" in devices.remedy("edgetpu", root=bus.root)


def test_only_the_fastest_sticks_are_measured_and_their_speed_is_in_the_key(bus: Bus) -> None:
    bus.plug("1-1", "ready", 5, speed="480")
    assert devices.identity("edgetpu", bus.root) == "480"
    bus.plug("2-1", "ready", 6, speed="5000")
    bus.plug("2-2", "boot", 7, speed="5000")
    assert [stick.port for stick in edgetpu.usable(bus.root)] == ["2-1", "2-2"]
    assert devices.identity("edgetpu", bus.root) == "5000"


HOLD = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from coralline.devices import edgetpu, lock
root, place = Path(sys.argv[2]), Path(sys.argv[3])
with lock.held("edgetpu", "benchmark/x", print, lambda: False, look=lambda: edgetpu.usable(root), place=place) as held:
    print(held.stick, flush=True)
    sys.stdin.read()
"""


def other_process(bus: Bus, place: Path) -> subprocess.Popen[str]:
    """Another run that has a stick; returns once it has."""
    command = [sys.executable, "-c", HOLD, str(PROJECT), str(bus.root), str(place)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "2-1"
    return process


def held(bus: Bus, place: Path, told: list[str], stop: Callable[[], bool]) -> str | None:
    look = lambda: edgetpu.usable(bus.root)  # noqa: E731
    with lock.held("edgetpu", "mine", told.append, stop, look=look, place=place) as got:
        return None if got is None else got.stick


def test_a_second_run_waits_is_told_who_has_the_stick_and_goes_on_when_that_one_dies(bus: Bus, tmp_path: Path) -> None:
    bus.plug("2-1", "ready", 5)
    first = other_process(bus, tmp_path)
    told: list[str] = []
    got: list[str | None] = []
    second = threading.Thread(target=lambda: got.append(held(bus, tmp_path, told, lambda: False)))
    second.start()
    with suppress(subprocess.TimeoutExpired):
        first.wait(timeout=0.5)
    assert (got, len(told)) == ([], 1)
    assert f"process {first.pid} of " in told[0]
    assert "benchmark/x" in told[0]
    first.kill()  # the kernel lets go of its lock
    first.communicate()
    second.join(timeout=10)
    assert got == ["2-1"]


def test_a_second_stick_is_taken_without_waiting(bus: Bus, tmp_path: Path) -> None:
    bus.plug("2-1", "ready", 5)
    first = other_process(bus, tmp_path)
    bus.plug("2-2", "ready", 6)
    assert held(bus, tmp_path, [], lambda: False) == "2-2"
    first.communicate()


def test_a_run_that_is_told_to_stop_waits_no_longer(bus: Bus, tmp_path: Path) -> None:
    bus.plug("2-1", "ready", 5)
    first = other_process(bus, tmp_path)
    answers = iter([False, False, True])
    assert held(bus, tmp_path, [], lambda: next(answers)) is None
    first.communicate()


def test_a_stick_that_left_before_its_step_is_an_error(bus: Bus, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no Edge TPU"):
        held(bus, tmp_path, [], lambda: False)


def test_a_free_stick_has_no_holder_and_a_lock_is_open_to_every_user(bus: Bus, tmp_path: Path) -> None:
    bus.plug("2-1", "ready", 5)
    assert lock.holder("2-1", tmp_path) is None
    assert held(bus, tmp_path, [], lambda: False) == "2-1"
    assert lock.holder("2-1", tmp_path) is None
    assert (tmp_path / "coralline-edgetpu-2-1.lock").stat().st_mode & 0o777 == 0o666


def test_a_link_in_the_place_of_a_lock_is_not_followed(bus: Bus, tmp_path: Path) -> None:
    bus.plug("2-1", "ready", 5)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "coralline-edgetpu-2-1.lock").symlink_to(precious)
    with pytest.raises(DeviceError, match="cannot be opened"):
        held(bus, tmp_path, [], lambda: False)
    assert precious.read_text() == "mine"


def test_steps_that_need_no_stick_hold_none() -> None:
    for need in (None, "gpu"):
        with lock.held(need, "label", lambda _: None, lambda: False) as got:
            assert got == lock.Held()


def test_the_place_of_locks_is_one_that_every_user_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    private.mkdir(mode=0o755)
    public.mkdir()
    public.chmod(0o1777)
    monkeypatch.setattr(lock, "PLACES", (tmp_path / "none", private, public))
    assert lock._place() == public
    monkeypatch.setattr(lock, "PLACES", (private,))
    with pytest.raises(DeviceError, match="no place"):
        lock._place()


def test_a_gpu_is_its_device_files(tmp_path: Path) -> None:
    assert "no NVIDIA GPU" in str(devices.missing("gpu", tmp_path))
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidiactl"):
        (tmp_path / "dev" / name).touch()
    assert devices.missing("gpu", tmp_path) is None
    assert devices.identity("gpu", tmp_path) == ""
