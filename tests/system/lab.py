"""A place to run Coralline as a user does, in an artifacts folder of its own, and to look at what is left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import subprocess
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.catalogue import PROJECT

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping

RECIPES = "float32,ptq-int8-stock"  # the search of ptq-int8 takes longer, and is tested in the convert image
EVENTS = ("dataset.train_events=60", "dataset.test_events=30")
QUICK = ("train.input_size=32", "convert.calibration_images=8", "benchmark.min_runs=10", "benchmark.min_seconds=0.1")


def asked(model: str, data: str, *settings: str) -> tuple[str, ...]:
    """Return the words of a tiny request."""
    chosen = (word for setting in (*EVENTS, *QUICK, *settings) for word in ("--set", setting))
    return ("--model", model, "--data", data, "--recipes", RECIPES, *chosen)


MODEL, DATA = "unet447", "stability"  # the quickest to train and convert, and to simulate
SETTINGS = ("dataset.pixels=32", "train.epochs=20")  # a blink each: one can be killed after the first, before the last
REQUEST = asked(MODEL, DATA, *SETTINGS)
CLASSIFIER = "resnet50v2"  # the quickest of those that tell classes; its weights and optimiser take 283 MB
CLASSIFICATION = asked(CLASSIFIER, "simulate", "dataset.size=32", "train.epochs=2")
PATIENCE_S = 800.0  # a loaded machine may be ten times slower than an idle one


@dataclass(frozen=True)
class Lab:
    """One artifacts folder and one engine."""

    artifacts: Path
    engine: str
    variables: Mapping[str, str] = field(default_factory=dict)
    project: Path = PROJECT
    request: tuple[str, ...] = REQUEST

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a task to its end and demand its exit code."""
        with self.start(*words) as process:
            out, error = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, error + out
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def all(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Carry out the tiny request."""
        return self.run("all", *self.request, "--engine", self.engine, *words, code=code)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a task in a process group of its own."""
        return subprocess.Popen(
            [self.project / "run", *words],
            env={**os.environ, "CORALLINE_ARTIFACTS": str(self.artifacts), **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start_all(self, *words: str) -> subprocess.Popen[str]:
        """Start carrying out the tiny request."""
        return self.start("all", *self.request, "--engine", self.engine, *words)

    def steps(self) -> dict[str, dict[str, Any]]:
        """What the latest run did with each step."""
        latest = max((self.artifacts / "runs").glob("*/run.json"))
        found: dict[str, dict[str, Any]] = json.loads(latest.read_text())["steps"]
        return found

    def records(self) -> dict[str, dict[str, Any]]:
        """The records of all artifacts that the latest run used, by label."""
        used = {label: told["key"] for label, told in self.steps().items() if told["state"] in {"made", "reused"}}
        return {label: self.record(key) for label, key in used.items()}

    def record(self, key: str) -> dict[str, Any]:
        """The record of an artifact."""
        found: dict[str, Any] = json.loads((self.artifacts / "objects" / key / "record.json").read_text())
        return found

    def digests(self) -> dict[str, str]:
        """Digests of what the latest run used and what is the same bytes every time."""
        made = self.records().items()
        return {label: one["digest"] for label, one in made if one["stage"] in {"dataset", "train", "convert"}}

    def damaged(self) -> list[str]:
        """Artifacts that are not what their own list of files says, looked at byte for byte."""
        return [home.name for home in (self.artifacts / "objects").glob("*") if not _is_whole(home)]

    def left_running(self) -> list[str]:
        """Containers and processes of steps that run in this artifacts folder."""
        return [*self.containers(running=True), *_processes(self.artifacts)]

    def containers(self, *, running: bool = False) -> list[str]:
        """Ids of containers, running or not, that see something of this artifacts folder."""
        return [one["Id"] for one in _mounting(self.artifacts) if one["State"] == "running" or not running]

    def nothing_is_left(self, within_s: float = 5.0) -> bool:
        """Whether everything of this folder ended in time."""
        return holds(lambda: not self.left_running(), within_s)


def read_until(process: subprocess.Popen[str], beginning: str) -> None:
    """Read what a run tells until a line that begins so."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith(beginning):
            return
    end(process)
    raise AssertionError(f"ended without {beginning!r}:\n" + "".join(told))


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a process; what it said last."""
    with process:
        _, error = process.communicate(timeout=30)
    return error


def kill(process: subprocess.Popen[str], name: signal.Signals) -> tuple[int, float, str]:
    """Send a signal to the host process alone; its exit code, the seconds it took to end, what it said last."""
    started = time.monotonic()
    process.send_signal(name)
    process.wait(timeout=30)
    took = time.monotonic() - started
    return process.returncode, took, end(process)


def holds(what: Callable[[], object], within_s: float) -> bool:
    """Whether something comes true in time."""
    until = time.monotonic() + within_s
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def save_png(path: Path, seed: int, *, size: int = 32, grey: bool = False) -> None:
    """Write a PNG of noise without any library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = 1 if grey else 3
    noise = hashlib.shake_256(str(seed).encode()).digest(size * size * channels)
    rows = b"".join(b"\0" + noise[start : start + size * channels] for start in range(0, len(noise), size * channels))
    header = struct.pack(">IIBBBBB", size, size, 8, 0 if grey else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def save_images(root: Path, *, each: int = 6, classes: tuple[str, ...] = ("one", "two")) -> Path:
    """Write a folder of images in the layout that --data wants."""
    numbered = [(split, name, index) for split in ("train", "test") for name in classes for index in range(each)]
    for seed, (split, name, index) in enumerate(numbered):
        save_png(root / split / name / f"{index}.png", seed)
    return root


def _is_whole(home: Path) -> bool:
    listed = json.loads((home / "files.json").read_bytes())
    found = {
        str(path.relative_to(home)): [hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size]
        for path in home.rglob("*")
        if path.is_file() and path.name not in {"record.json", "files.json"}
    }
    return bool(found == listed and json.loads((home / "record.json").read_bytes())["key"] == home.name)


def _mounting(artifacts: Path) -> list[dict[str, Any]]:
    if daemon.trouble() is not None:
        return []
    _, found = daemon.get("/containers/json?all=1")
    inside = str(artifacts) + os.sep
    return [one for one in found if any(mount.get("Source", "").startswith(inside) for mount in one["Mounts"])]


def _processes(artifacts: Path) -> list[str]:
    """Steps of the local engine carry the path of their step.json; a step's children inherit it."""
    marker = f"CORALLINE_STEP={artifacts}{os.sep}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and marker in (entry / "environ").read_bytes():
                found.append(f"process {entry.name} {(entry / 'cmdline').read_text()}")
    return found
