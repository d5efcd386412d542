"""A library that ends its process: what the step says, what it leaves, and how it goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from bus import Bus
from hypothesis import given
from hypothesis import strategies as st

from stages.benchmark import guard, predict
from stages.benchmark.kept import Kept
from stages.benchmark.runtime import Runtime
from stages.benchmark.trouble import DeviceError, told
from stages.contract import Step
from stages.images import ImageSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PROJECT = Path(__file__).resolve().parents[3]

# Stands for `python -m stages.benchmark`: does what `WHAT` says, as the stage's child would.
CHILD = """
import json, os, pathlib, shutil, signal, sys
print(json.dumps({"event": "progress", "done": 1, "total": 2, "unit": "image", "message": ""}), flush=True)
assert os.environ["CORALLINE_GUARDED"] == "1" and "CORALLINE_LEASH" not in os.environ
what = os.environ["WHAT"]
if what == "unplugged":
    shutil.rmtree(os.environ["STICK"])
    sys.exit(1)
if what == "wrong":
    print(json.dumps({"event": "error", "message": "wrong", "remedy": "right"}), flush=True)
    sys.exit(2)
if what.startswith("SIG"):
    os.kill(os.getpid(), getattr(signal, what))
sys.exit(int(what))
"""


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    partial = tmp_path / "partial"
    partial.mkdir()
    with (tmp_path / "events").open("w", encoding="utf-8") as events:
        yield Step("benchmark", "benchmark", {"runtime": "edgetpu"}, 1, {}, tmp_path, partial, events=events)


def supervised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, what: str) -> tuple[Any, list[Any]]:
    """Supervise a stand-in child; return the exit code of the step and its events."""
    bus = Bus(tmp_path / "root")
    bus.plug("2-1", "ready", 5)
    (tmp_path / "stand_in.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("WHAT", what)
    monkeypatch.setenv("STICK", str(bus.root / "sys/bus/usb/devices/2-1"))
    monkeypatch.setenv("CORALLINE_LEASH", "1")
    monkeypatch.setattr(guard, "ROOT", bus.root)
    code = None
    try:
        guard.supervise(step, "stand_in")
    except SystemExit as ended:
        code = ended.code
    step.events.close()
    return code, [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]


def test_a_child_that_makes_its_outputs_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    code, events = supervised(monkeypatch, tmp_path, step, "0")
    assert code is None
    assert [event["event"] for event in events] == ["progress"]


def test_an_abort_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step) -> None:
    code, events = supervised(monkeypatch, tmp_path, step, "SIGABRT")
    assert code == 2
    assert events[-1]["kind"] == "device"
    assert "gave up on a USB transfer (SIGABRT; it is still on the bus)" in events[-1]["message"]
    assert all(word in events[-1]["remedy"] for word in ("power", "cable", "port"))


def test_what_is_kept_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step) -> None:
    Kept(step.partial, 8).add(np.ones((2, 3), np.float32))
    _, events = supervised(monkeypatch, tmp_path, step, "SIGABRT")
    assert "the predictions made so far are kept" in events[-1]["message"]


def test_a_stick_that_is_pulled_out_is_told_apart_from_a_bug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    code, events = supervised(monkeypatch, tmp_path, step, "unplugged")
    assert code == 2
    assert "port 2-1 is empty now" in events[-1]["message"]


@pytest.mark.parametrize(("what", "expected"), [("1", 1), ("70", 70), ("SIGKILL", 137)])
def test_any_other_crash_stays_a_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step, what: str, expected: int
) -> None:
    code, events = supervised(monkeypatch, tmp_path, step, what)
    assert code == expected
    assert [event["event"] for event in events] == ["progress"]


def test_what_the_child_found_wrong_is_not_said_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: Step
) -> None:
    code, events = supervised(monkeypatch, tmp_path, step, "wrong")
    assert code == 2
    assert [event.get("message") for event in events if event["event"] == "error"] == ["wrong"]


def test_device_trouble_is_an_event_of_its_own_kind(tmp_path: Path, step: Step) -> None:
    with pytest.raises(SystemExit) as ended, told(step):
        raise DeviceError("no stick", "plug one in")
    step.events.close()
    assert ended.value.code == 2
    assert json.loads((tmp_path / "events").read_text()) == {
        "event": "error",
        "kind": "device",
        "message": "no stick",
        "remedy": "plug one in",
    }


# Stands for the vendor's packages: the CPU interpreter in the place of the stick, and an abort at the given invocation.
STAND_IN = """
import json, os, pathlib, sys, time, types
import tflite_runtime.interpreter as tflite
for name in ("pycoral", "pycoral.utils", "pycoral.utils.edgetpu"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["pycoral.utils.edgetpu"].list_edge_tpus = lambda: [{"type": "usb", "path": "/sys/bus/usb/devices/2-1"}]
sys.modules["pycoral.utils.edgetpu"].get_runtime_version = lambda: "RuntimeVersion(14)"
calls = 0
class Interpreter(tflite.Interpreter):
    def __init__(self, path, experimental_delegates, num_threads):
        super().__init__(path, num_threads=num_threads)
    def invoke(self):
        global calls
        calls += 1
        if calls == int(os.environ["ABORT_AT"]):
            os.abort()
        time.sleep(0.02)  # a stick takes some time too, in which finished predictions are written
        super().invoke()
tflite.Interpreter, tflite.load_delegate = Interpreter, lambda library, options: None
from stages.benchmark import edgetpu, guard
edgetpu.ROOT = guard.ROOT = pathlib.Path(os.environ["BUS"])
"""
TIMED = 12  # the first, one to warm up and ten of latency


def run_stage(tmp_path: Path, blobs: Path, model: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the stage as an engine does, and leave its outputs in `out` and what survives in `partial`."""
    for name in ("out", "partial"):
        (tmp_path / name).mkdir(exist_ok=True)
    document = {
        "stage": "benchmark",
        "label": "benchmark",
        "parameters": {
            "model": "resnet50v2",
            "runtime": "edgetpu",
            "threads": 1,
            "warmup_runs": 1,
            "min_runs": 10,
            "min_seconds": 0.0,
        },
        "threads": 1,
        "inputs": {"model": str(model), "dataset": str(blobs)},
        "out": str(tmp_path / "out"),
        "partial": str(tmp_path / "partial"),
        "missing": [],
    }
    (tmp_path / "step.json").write_text(json.dumps(document))
    path = os.pathsep.join([str(tmp_path), str(PROJECT), *sys.path])
    surrounding = {**os.environ, "CORALLINE_STEP": str(tmp_path / "step.json"), "PYTHONPATH": path, **variables}
    command = [sys.executable, "-m", "stages.benchmark"]
    return subprocess.run(command, env=surrounding, capture_output=True, text=True, check=False)


def test_without_the_vendor_s_packages_nothing_is_measured_on_the_cpu_instead(tmp_path: Path, blobs: Path) -> None:
    ended = run_stage(tmp_path, blobs, tmp_path)
    assert ended.returncode == 1
    assert "No module named 'pycoral'" in ended.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_stick_lost_in_the_middle_is_told_and_the_next_run_goes_on(tmp_path: Path, blobs: Path) -> None:
    converted = PROJECT / "tests" / "fixtures" / "blobs" / "ptq-int8"
    (tmp_path / "sitecustomize.py").write_text(STAND_IN)
    shutil.copy(converted / "model.tflite", tmp_path / "model_edgetpu.tflite")
    conversion = json.loads((converted / "conversion.json").read_text())
    (tmp_path / "compile.json").write_text(json.dumps({"conversion": conversion}))
    Bus(tmp_path / "root").plug("2-1", "ready", 5)
    bus = str(tmp_path / "root")

    lost = run_stage(tmp_path, blobs, tmp_path, BUS=bus, ABORT_AT=str(TIMED + 12))
    assert lost.returncode == 2, lost.stderr
    event = json.loads(lost.stdout.splitlines()[-1])
    assert event["kind"] == "device"
    assert "SIGABRT" in event["message"]
    assert "are kept" in event["message"]
    assert not (tmp_path / "out" / "record.json").exists()

    again = run_stage(tmp_path, blobs, tmp_path, BUS=bus, ABORT_AT="0")
    assert again.returncode == 0, again.stderr
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["facts"]["predictions_of_an_earlier_attempt"] == 8
    assert record["facts"]["runtime"]["stick"] == {"port": "2-1", "speed_mbit_s": 5000, "usb": 3}


@given(st.lists(st.integers(1, 5), max_size=5), st.integers(0, 400), st.booleans())
def test_kept_rows_come_back_up_to_the_first_damage(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int, flip: bool
) -> None:
    folder = tmp_path_factory.mktemp("partial")
    blocks = [np.full((size, 3), number, np.float32) for number, size in enumerate(sizes)]
    for block in blocks:
        Kept(folder, 99).add(block)
    file = folder / "predictions.blocks"
    data = file.read_bytes() if file.exists() else b""
    if data:
        at = cut % len(data)
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if flip else data[:at])
    whole = np.concatenate([*blocks, np.empty((0, 3), np.float32)])
    kept = Kept(folder, 99)
    assert kept.count <= len(whole)
    assert kept.rows is None or np.array_equal(kept.rows, whole[: kept.count])
    kept.add(np.full((1, 3), 9, np.float32))
    assert Kept(folder, 99).count == kept.count + 1


def test_rows_that_cannot_be_of_this_data_are_forgotten(tmp_path: Path) -> None:
    Kept(tmp_path, 9).add(np.ones((5, 3), np.float32))
    assert Kept(tmp_path, 4).count == 0
    Kept(tmp_path, 9).add(np.ones((5, 3), np.float32))
    Kept(tmp_path, 9).add(np.ones((2, 4), np.float32))
    assert Kept(tmp_path, 9).count == 0


def test_predictions_go_on_where_a_dead_attempt_stopped(blobs: Path, step: Step) -> None:
    step.inputs = {"dataset": blobs}
    images = ImageSet.read(step)
    rows = images.rows("test")
    done: list[int] = []

    def worker(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(done) == 9:
            raise RuntimeError("unplugged")
        done.append(len(pixels))
        means = pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float32)
        return np.stack([means, means + 1, means * 2], axis=1)

    runtime = Runtime([], 32, 0.0, "", single=lambda _: lambda: None, workers=[worker])
    with pytest.raises(RuntimeError, match="unplugged"):
        predict.predict(step, runtime, images, rows)
    done[:] = [0] * 100  # never 9 again
    resumed, recalled = predict.predict(step, runtime, images, rows)
    assert recalled == 8  # whole parts are kept
    assert len(done) - 100 == len(rows) - recalled
    step.partial = None
    fresh, nothing = predict.predict(step, runtime, images, rows)
    assert nothing == 0
    assert np.array_equal(resumed, fresh)
