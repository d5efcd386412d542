"""A store with one run of everything, made by an engine of small outputs, and the answers of `verify` about it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from fakes import FakeEngine, declared, write_record

from coralline import __version__, runs
from coralline.bundle import contents, writer
from coralline.commands import requests
from coralline.commands import verify as verifycommands
from coralline.engines.base import Job, Outcome
from coralline.store import Store
from coralline.tasks.options import REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

MODEL = "resnet50v2"
BEGINNINGS = {
    "hdf5": b"\x89HDF\r\n\x1a\n",
    "png": b"\x89PNG\r\n\x1a\n",
    "tflite": b"\0\0\0\0TFL3",
    "html": b"<!doctype html>",
}
BENCHMARK = f"benchmark/{MODEL}/float32/tflite-cpu"
TRAIN, CONVERT = f"train/{MODEL}", f"convert/{MODEL}/float32"


def make(job: Job) -> Outcome:
    """Write outputs that depend on the label and the parameters alone."""
    if job.stage in ("train", "qat"):
        (job.out / "predictions.csv").write_text(predictions(90))
    for output in declared(job):
        told = json.dumps({"label": job.label, "parameters": job.parameters, "output": output.path}, sort_keys=True)
        place = job.out / output.path
        if output.path == "predictions.csv":
            place.write_text(predictions(90))
        elif output.path == "latency.json":
            place.write_text(json.dumps(latency(10.0)))
        elif output.kind == "csv":
            place.write_text(f"a,b\n{hashlib.sha256(told.encode()).hexdigest()},1\n")
        else:
            place.write_bytes(BEGINNINGS.get(output.kind, b"") + told.encode())
    write_record(job)
    if job.stage == "benchmark":
        write_facts(job)
    return Outcome(exit_code=0)


def write_facts(job: Job) -> None:
    """Leave the record of a measurement, which holds its latencies too."""
    facts = {"latency": json.loads((job.out / "latency.json").read_text())}
    (job.out / "record.json").write_text(json.dumps({"numbers": [], "facts": facts}))


def predictions(right: int, images: int = 100) -> str:
    rows = (
        f"{index}.png,{index % 2},{index % 2 if index < right else 1 - index % 2},0.5,0.5" for index in range(images)
    )
    return "\n".join(["path,label,predicted,p0,p1", *rows, ""])


def latency(p50: float, *remarks: str) -> dict[str, Any]:
    return {"milliseconds": {"p50": p50, "p99": 1.2 * p50}, "all_threads": None, "remarks": remarks}


def writing(name: str, content: str) -> Callable[[Job], Outcome]:
    """Make everything as usual but one file."""

    def behave(job: Job) -> Outcome:
        outcome = make(job)
        (job.out / name).write_text(content)
        if name == "latency.json":
            write_facts(job)
        return outcome

    return behave


class Steps(dict[str, Any]):
    """What each label does: something of its own, or the usual."""

    def get(self, label: str, _default: Any = None) -> Any:
        return super().get(label, make)


class Bench:
    """A store with one run of everything, and the answers of `verify` about it."""

    def __init__(self, artifacts: Path, engine: FakeEngine, output: pytest.CaptureFixture[str]) -> None:
        self.artifacts, self.engine, self._output = artifacts, engine, output

    def all(self, **given: Any) -> None:
        defaults = {name: default for name, (default, _) in REQUEST.items()}
        words = {"model": MODEL, "recipes": "float32", **given}
        requests.run_all({**defaults, "set_": [], "on": [], **words})
        self.engine.ran.clear()
        self._output.readouterr()

    def verify(self, code: int = 0, **given: Any) -> dict[str, Any]:
        names = ("run", "against", "only", "key", "data", "init", "meter")
        words = {**dict.fromkeys(names), "engine": "", "jobs": "", "debug": False, **given}
        try:
            verifycommands.verify(words, as_json=True)
            ended: Any = 0
        except SystemExit as raised:
            ended = raised.code
        said = self._output.readouterr()
        assert ended == code, said.err + said.out
        self.told = said.err
        found: dict[str, Any] = json.loads(said.out) if said.out else {}
        return found

    def verdicts(self, code: int = 0, **given: Any) -> dict[str, Any]:
        return {told["step"]: told for told in self.verify(code, **given)["verdicts"]}

    def run(self) -> runs.Run:
        return runs.load(self.artifacts)

    def home(self, label: str) -> Path:
        return self.artifacts / "objects" / str(self.run().steps[label]["key"])

    def rewrite_run(self, change: Callable[[dict[str, Any]], None]) -> None:
        place = self.run().folder / "run.json"
        told = json.loads(place.read_text())
        change(told)
        place.write_text(json.dumps(told))

    def bundle(self, place: Path, *, outputs: bool) -> Path:
        gathered = contents.gather(self.run(), Store(self.artifacts), outputs=outputs, version=__version__)
        writer.write(gathered, place)
        return place


def words_of(told: Mapping[str, Any]) -> dict[str, str]:
    return {label: one["verdict"] for label, one in told.items()}
