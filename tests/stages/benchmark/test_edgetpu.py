"""The Edge TPU runtime as far as it goes without a stick, on stand-ins for the vendor's two packages.

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

from stages.contract import InputError, Step

if TYPE_CHECKING:
    from pathlib import Path

STICK = {"type": "usb", "path": "/sys/bus/usb/devices/2-1"}


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


def load(monkeypatch: pytest.MonkeyPatch, sticks: list[dict[str, str]]) -> Any:
    for name, module in pycoral(sticks).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "stages.benchmark.edgetpu", raising=False)
    return importlib.import_module("stages.benchmark.edgetpu")


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


def test_without_a_stick_nothing_runs(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    runtime = load(monkeypatch, [{"type": "pci", "path": "/dev/apex_0"}])
    with pytest.raises(InputError, match="no Edge TPU is attached"):
        runtime.open_runtime(step)


# A failed load leaves a half-made object whose destructor complains (google-coral/edgetpu issue 167).
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_a_stick_that_cannot_be_opened_is_no_reason_to_use_the_cpu(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    runtime = load(monkeypatch, [STICK])
    with pytest.raises(InputError, match="cannot be opened"):
        runtime.open_runtime(step)  # the real loader: there is no libedgetpu here


def test_one_stick_is_one_worker_and_is_named(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    runtime = load(monkeypatch, [STICK])
    asked = []
    monkeypatch.setattr(runtime, "load_delegate", lambda library, options: asked.append((library, options)))
    monkeypatch.setattr(runtime, "Interpreter", WithoutDelegate)
    opened = runtime.open_runtime(step)
    assert asked == [("libedgetpu.so.1", {"device": "usb"})]
    assert len(opened.workers) == 1
    assert opened.facts["sticks"] == [STICK]
    assert opened.facts["edgetpu_runtime"] == "BuildLabel(X), RuntimeVersion(14)"
