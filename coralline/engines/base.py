"""What an engine is: the one interface through which steps run, and what every engine does in the same way.

An engine gets a `Job` and returns an `Outcome`; it knows nothing of keys, plans or the store. How the step is started
and confined is the engine's own affair (`docker.py`, `local.py`).
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

STEP_VERSION = 1
LONGEST_LINE = 1 << 20  # a step that prints without end must not fill the host's memory
LARGEST_COUNT = 1 << 53  # the pace of a step is reckoned in floating point


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that an engine needs to run one step: which code, in which image, on what, with which limits.

    `code` is the folder that holds the package `stages`. `inputs`, `out` and `partial` are folders of the host; `out`
    exists and is empty. `devices` names what the step may use besides processor and memory: `gpu`, `edgetpu`; `stick`
    is the port of the Edge TPU that is held for it. The step's log is written to `log`, its `step.json` beside it.
    """

    label: str
    stage: str
    code: Path
    image: str
    parameters: dict[str, Any]
    threads: int
    inputs: Mapping[str, Path]
    out: Path
    partial: Path | None = None
    missing: list[dict[str, str]] = field(default_factory=list)
    log: Path
    memory_bytes: int
    devices: tuple[str, ...] = ()
    stick: str = ""
    run_id: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a step ended: its exit code (0 made, 2 wrong input, else a crash).

    `reason` says what the engine knows beyond the code, such as `out of memory: limit 8.0 GiB`; `error` is the step's
    last error event, with `message` and `remedy`.
    """

    exit_code: int
    reason: str | None = None
    error: Event | None = None


class Engine(Protocol):
    """Where steps run."""

    @property
    def name(self) -> str:
        """What the user calls this engine, and records name it."""
        ...

    def available(self) -> str | None:
        """Say why this engine cannot be used here, or None when it can. Cheap."""
        ...

    def recipe(self, image: str) -> dict[str, Any]:
        """Return the parts of a key that stand for the image: digests of what it is made from.

        Final once `prepare` has run: before, the base of a container image may still be unmade. A plan that was made
        earlier is to be made again when the recipe changed.
        """
        ...

    def blocked(self, image: str) -> str | None:
        """Say why the image cannot be had here, as far as is known without network, or None. Cheap."""
        ...

    def prepare(self, image: str, progress: OnEvent) -> None:
        """Make the image ready, building what is missing.

        Raises:
            ImageError: the image cannot be built, with the reason and the remedy.
            EngineError: the engine itself refuses.
        """
        ...

    def identity(self, image: str) -> dict[str, str]:
        """Return what the image is, for the record: its id and the base that it was built on."""
        ...

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        """Run the step to its end; once `cancelled` is set, end it within two seconds and leave nothing running."""
        ...

    def replay(self, job: Job) -> str:
        """Return the command line that runs the step again by hand."""
        ...


class Outpost(Engine, Protocol):
    """An engine whose steps run on another machine: what is asked of this one elsewhere is asked of it."""

    def missing(self, need: str) -> str | None:
        """Say why that machine lacks a device, or None when it can be used or nothing is known yet."""
        ...

    def remedy(self, need: str) -> str:
        """Say what to do about a missing device."""
        ...

    def fingerprint(self, need: str | None) -> str:
        """Stand for that machine and the device measured, in keys. Final once `prepare` has run."""
        ...

    def facts(self) -> dict[str, str | int]:
        """Return what records say of a host."""
        ...

    def cores(self) -> int:
        """Processors that a step may use there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a step sees its folders: inside a container, or on the host itself."""

    inputs: Mapping[str, Path]
    out: Path
    partial: Path | None

    @classmethod
    def of_host(cls, job: Job) -> Places:
        """Return the places as the host names them."""
        return cls(inputs=job.inputs, out=job.out, partial=job.partial)


def environment(job: Job) -> dict[str, str]:
    """Return the variables that every engine sets for a step, so that both give the same bytes."""
    return {
        "CORALLINE_LEASH": "1",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": str(job.threads),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",  # the order of sets must not depend on chance
        "PYTHONUNBUFFERED": "1",  # the log is live
        "TZ": "UTC",
        **({"CORALLINE_STICK": job.stick} if job.stick else {}),
    }


def step_path(job: Job) -> Path:
    """Return where the job's `step.json` is kept: beside its log."""
    return job.log.with_name(job.log.stem + ".step.json")


def write_step(job: Job, places: Places) -> Path:
    """Write the job's `step.json` as the step contract wants it (docs/architecture.md), and return where it is."""
    document = {
        "schema": "coralline.step",
        "version": STEP_VERSION,
        "stage": job.stage,
        "label": job.label,
        "parameters": job.parameters,
        "threads": job.threads,
        "inputs": {name: str(place) for name, place in places.inputs.items()},
        "out": str(places.out),
        "partial": None if places.partial is None else str(places.partial),
        "missing": job.missing,
    }
    path = step_path(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


class Listener:
    """Hears what a step prints: events go to `on_event`, all else to the log, live. Safe to feed from two threads."""

    def __init__(self, log: Path, on_event: OnEvent) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("wb", buffering=0)  # unbuffered: the log is complete however the host process ends
        self._on_event = on_event
        self._rest = b""
        self._lock = threading.Lock()
        self.error: Event | None = None

    def stdout(self, chunk: bytes) -> None:
        """Take what the step wrote to standard output, in pieces of any size."""
        with self._lock:
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._line(line + b"\n")
            if len(self._rest) > LONGEST_LINE:
                self._write(self._rest)
                self._rest = b""

    def stderr(self, chunk: bytes) -> None:
        """Take what the step wrote to standard error."""
        with self._lock:
            self._write(chunk)

    def close(self) -> None:
        """Take the last line, which may lack its end, and close the log."""
        with self._lock:
            if self._rest:
                self._line(self._rest)
                self._rest = b""
            self._log.close()

    def _write(self, text: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk ends the log; nobody reading would stall the step for ever
            self._log.write(text)

    def _line(self, line: bytes) -> None:
        event = parse_event(line)
        if event is None or event["event"] != "progress":  # the log tells of warnings and errors too
            self._write(line)
        if event is None:
            return
        if event["event"] == "error":
            self.error = event
        self._on_event(event)


def parse_event(line: bytes) -> Event | None:
    """Read one line of a step's standard output: an event, or None when it is something else."""
    if not line.startswith(b"{"):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("event"), str)
    return event if is_event and _is_count(event.get("done", 0)) and _is_count(event.get("total", 0)) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST_COUNT


def gibibytes(size_bytes: int) -> str:
    """Write a size as people read it."""
    return f"{size_bytes / 2**30:.1f} GiB"
