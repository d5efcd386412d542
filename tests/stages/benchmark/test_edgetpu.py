"""The Edge TPU runtime as far as it goes without a stick, on stand-ins for the vendor's packages and for the bus.

Nothing here runs on a TPU: that the compiled file runs on one is shown only by a machine with a stick.
"""

from __future__ import annotations

import importlib
import io
import json
import shutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import tflite_runtime.interpreter
from bus import Bus, Player

from stages.benchmark import libedgetpu, sticks
from stages.benchmark.trouble import DeviceError
from stages.contract import Step

if TYPE_CHECKING:
    from pathlib import Path

STICK = {"type": "usb", "path": "/sys/bus/usb/devices/2-1"}
OTHER = {"type": "usb", "path": "/sys/bus/usb/devices/2-3"}
CARD = {"type": "pci", "path": "/dev/apex_0"}


def pycoral(sticks: list[dict[str, str]]) -> dict[str, ModuleType]:
    """The three modules of the vendor's package, seeing these sticks."""
    names = ("pycoral", "pycoral.utils", "pycoral.utils.edgetpu")
    modules: dict[str, Any] = {name: ModuleType(name) for name in names}
    modules["pycoral.utils.edgetpu"].list_edge_tpus = lambda: sticks
    modules["pycoral.utils.edgetpu"].get_runtime_version = lambda: "BuildLabel(X), RuntimeVersion(14)"
    return modules


class WithoutDelegate(tflite_runtime.interpreter.Interpreter):  # type: ignore[misc]  # no types there
    """The CPU interpreter in the place of one with the stick's delegate, of which there is none."""

    def __init__(self, path: str, experimental_delegates: list[None], num_threads: int) -> None:
        assert experimental_delegates == [None]
        super().__init__(path, num_threads=num_threads)


def load(monkeypatch: pytest.MonkeyPatch, bus: Bus, listed: list[dict[str, str]]) -> Any:
    for name, module in pycoral(listed).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "stages.benchmark.edgetpu", raising=False)
    runtime = importlib.import_module("stages.benchmark.edgetpu")
    monkeypatch.setattr(runtime, "ROOT", bus.root)
    return runtime


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path / "root")


def opened_as(monkeypatch: pytest.MonkeyPatch, runtime: Any) -> list[tuple[str, dict[str, str]]]:
    """Let a stand-in open sticks, and return what it is asked for."""
    asked: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(runtime, "load_delegate", lambda library, options: asked.append((library, options)))
    monkeypatch.setattr(runtime, "Interpreter", WithoutDelegate)
    return asked


@pytest.fixture
def step(tmp_path: Path, converted: Path, blobs: Path) -> Step:
    compiled = tmp_path / "compiled"
    compiled.mkdir()
    shutil.copy(converted / "model.tflite", compiled / "model_edgetpu.tflite")
    conversion = json.loads((converted / "conversion.json").read_text())
    (compiled / "compile.json").write_text(json.dumps({"conversion": conversion}))
    values = {"runtime": "edgetpu", "threads": 1}
    inputs = {"model": compiled, "dataset": blobs}
    return Step("benchmark", "benchmark", values, 2, inputs, tmp_path, None, events=io.StringIO())


def test_without_a_stick_nothing_runs(monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus) -> None:
    runtime = load(monkeypatch, bus, [CARD])
    with pytest.raises(DeviceError, match="no Edge TPU is attached"):
        runtime.open_runtime(step)


# A failed load leaves a half-made object whose destructor complains (google-coral/edgetpu issue 167).
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_a_stick_that_cannot_be_opened_is_no_reason_to_use_the_cpu(
    monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus
) -> None:
    bus.plug("2-1", "ready", 5)
    runtime = load(monkeypatch, bus, [STICK])
    with pytest.raises(DeviceError, match="cannot be opened"):
        runtime.open_runtime(step)  # the real loader: there is no libedgetpu here


def test_one_stick_is_one_worker_and_is_recorded_with_its_speed(
    monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus
) -> None:
    bus.plug("2-1", "ready", 5)
    runtime = load(monkeypatch, bus, [CARD, STICK])
    asked = opened_as(monkeypatch, runtime)
    opened = runtime.open_runtime(step)
    assert asked == [("libedgetpu.so.1", {"device": "usb:0"})]
    assert len(opened.workers) == 1
    assert opened.facts["stick"] == {"port": "2-1", "speed_mbit_s": 5000, "usb": 3}
    assert opened.facts["sticks"] == [STICK]
    assert opened.facts["edgetpu_runtime"] == "BuildLabel(X), RuntimeVersion(14)"
    assert opened.facts["edgetpu_variant"] is None  # nothing here says which
    assert step.events.getvalue() == ""  # type: ignore[attr-defined]  # a StringIO


def test_the_stick_that_the_host_holds_is_the_one_that_is_opened(
    monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus
) -> None:
    bus.plug("2-1", "ready", 5)
    bus.plug("2-3", "ready", 6)
    runtime = load(monkeypatch, bus, [STICK, OTHER])
    asked = opened_as(monkeypatch, runtime)
    monkeypatch.setenv("CORALLINE_STICK", "2-3")
    assert runtime.open_runtime(step).facts["stick"]["port"] == "2-3"
    assert asked == [("libedgetpu.so.1", {"device": "usb:1"})]
    bus.unplug("2-3")
    with pytest.raises(DeviceError, match="port 2-3 is gone; there are sticks at 2-1"):
        runtime.open_runtime(step)


def test_usb_2_is_warned_of(monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus) -> None:
    bus.plug("2-1", "ready", 5, speed="480")
    runtime = load(monkeypatch, bus, [STICK])
    opened_as(monkeypatch, runtime)
    assert runtime.open_runtime(step).facts["stick"]["usb"] == 2
    assert "USB 2 (480 Mbit/s)" in step.events.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_a_stick_without_firmware_gets_it_from_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, step: Step, bus: Bus
) -> None:
    bus.plug("2-1", "boot", 5)
    runtime = load(monkeypatch, bus, [STICK])
    asked = opened_as(monkeypatch, runtime)

    def wake(command: list[str], **_options: object) -> None:
        assert command[1:] == ["-m", "stages.benchmark.wake", "usb:0"]
        assert not asked  # not by the process that measures
        bus.unplug("2-1")
        bus.plug("2-1", "ready", 6)

    monkeypatch.setattr(runtime.subprocess, "run", wake)
    assert runtime.open_runtime(step).facts["stick"]["port"] == "2-1"
    assert len(asked) == 1


def test_the_recorded_change_of_identity_is_waited_out(bus: Bus) -> None:
    player = Player(bus)
    assert [stick.state for stick in sticks.find_sticks(bus.root)] == ["boot"]
    found = sticks.wait_until_ready(
        player.port, lambda: sticks.find_sticks(bus.root), clock=player.clock, sleep=player.sleep
    )
    assert found == sticks.Stick("3-2", 480, "ready")
    assert 2.738 <= player.now < 2.738 + 2 * sticks.POLL_S


def test_another_stick_is_not_taken_for_the_one_waited_for(bus: Bus) -> None:
    player = Player(bus)
    player.stop_before((None,))
    bus.plug("4-1", "ready", 9)
    with pytest.raises(DeviceError, match="port 3-2"):
        sticks.wait_until_ready(
            player.port, lambda: sticks.find_sticks(bus.root), limit_s=1.0, clock=player.clock, sleep=player.sleep
        )


@pytest.mark.parametrize(("last", "message"), [(None, "did not take its firmware"), ("ready", "is gone from the bus")])
def test_a_stick_that_does_not_come_back_ends_the_step(bus: Bus, last: str | None, message: str) -> None:
    player = Player(bus)
    player.stop_before((last,))
    with pytest.raises(DeviceError, match=message):
        sticks.wait_until_ready(
            player.port, lambda: sticks.find_sticks(bus.root), limit_s=4.0, clock=player.clock, sleep=player.sleep
        )


FETCHED = ("opt/coralline/vendor.json", '{"libedgetpu1-std_16.0_amd64.deb": {}, "pycoral-2.0.0-cp39.whl": {}}')
DOCUMENTS = ("usr/share/doc/libedgetpu1-%s/copyright", "x")
STATUS = "Package: libc6\nStatus: install ok installed\n\nPackage: libedgetpu1-max\nPriority: optional\nStatus: %s\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], None),
        ([FETCHED], "std"),
        ([("opt/coralline/vendor.json", "[]")], None),
        ([("opt/coralline/vendor.json", "{")], None),
        ([(DOCUMENTS[0] % "max", "x")], "max"),
        ([FETCHED, (DOCUMENTS[0] % "std", "x")], "std"),
        ([FETCHED, (DOCUMENTS[0] % "max", "x")], None),
        ([("var/lib/dpkg/status", STATUS % "install ok installed")], "max"),
        ([("var/lib/dpkg/status", STATUS % "deinstall ok config-files")], None),
    ],
)
def test_the_variant_is_what_the_packages_say_and_never_a_guess(
    tmp_path: Path, files: list[tuple[str, str]], expected: str | None
) -> None:
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert libedgetpu.variant(tmp_path) == expected
