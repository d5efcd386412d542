"""The step contract, seen from inside: `step.json` in; outputs, `record.json` and progress events out.

A stage's `__main__.py` is `contract.run(main)`. Standard output carries one JSON event a line and nothing else: what
libraries print there goes to standard error, which the host keeps as the step's log. Standard input is a leash: when
the host process dies it closes, and the step ends with all its children.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, TextIO

STEP_VARIABLE = "CORALLINE_STEP"
RECORD_VERSION = 1


class InputError(Exception):
    """The step's input is wrong: `message` says what, `remedy` what to do. Ends the step with exit code 2."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass
class Step:
    """What the engine gave this step.

    `inputs` maps names to read-only folders or files, `out` is the empty folder to fill, `partial` survives a kill
    (only for resumable stages). `missing` lists steps that could not be made, with the reason (gathering stages).
    """

    stage: str
    label: str
    parameters: Dict[str, Any]
    threads: int
    inputs: Dict[str, Path]
    out: Path
    partial: Optional[Path]
    missing: List[Dict[str, str]] = field(default_factory=list)
    events: TextIO = field(default_factory=lambda: sys.stdout)

    @classmethod
    def read(cls, path: Path, events: TextIO) -> Step:
        """Read `step.json` as the engine wrote it."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            stage=told["stage"],
            label=told["label"],
            parameters=told["parameters"],
            threads=told["threads"],
            inputs={name: Path(place) for name, place in told["inputs"].items()},
            out=Path(told["out"]),
            partial=Path(told["partial"]) if told["partial"] else None,
            missing=told["missing"],
            events=events,
        )

    def progress(self, done: int, total: int, unit: str, message: str = "") -> None:
        """Say how far the step is; the host draws the bar and the time left."""
        self._emit({"event": "progress", "done": done, "total": total, "unit": unit, "message": message})

    def warning(self, message: str) -> None:
        """Say something that the user should read although the step goes on."""
        self._emit({"event": "warning", "message": message})

    def record(self, numbers: Sequence[Dict[str, Any]] = (), facts: Optional[Dict[str, Any]] = None) -> None:
        """Write `record.json`: measured `numbers` (see `number`) and other facts, such as versions. Call once, last."""
        document = {
            "schema": "coralline.step-record",
            "version": RECORD_VERSION,
            "numbers": list(numbers),
            "facts": facts or {},
        }
        write_json(self.out / "record.json", document)

    def _emit(self, event: Dict[str, Any]) -> None:
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()


def number(
    metric: str,
    value: float,
    unit: str,
    n: Optional[int] = None,
    interval: Optional[Sequence[float]] = None,
    **where: str,
) -> Dict[str, Any]:
    """One measured number: what, how much, in which unit (`1` for a fraction), from how many, with which 95 % interval.

    `where` overrides the row's model, recipe or runtime; by default they are those of the step.
    """
    return {
        "metric": metric,
        "value": value,
        "unit": unit,
        "n": n,
        "interval": None if interval is None else [float(bound) for bound in interval],
        **where,
    }


def write_json(path: Path, document: Any) -> None:
    """Write JSON that is the same bytes for the same content: sorted keys, two spaces, final newline, no NaN."""
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def run(main: Callable[[Step], None]) -> None:
    """Run a stage's `main` under the contract and exit: 0 made, 2 wrong input, else a crash with its traceback."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # converters and C++ libraries print to descriptor 1 behind Python's back
    _hold_the_leash()
    step = Step.read(Path(os.environ[STEP_VARIABLE]), events)
    try:
        main(step)
    except InputError as error:
        events.write(json.dumps({"event": "error", "message": error.message, "remedy": error.remedy}) + "\n")
        events.flush()
        sys.exit(2)
    events.flush()


def _hold_the_leash() -> None:
    """End this process group when standard input closes, which happens however the host process ends."""

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    # Only an engine makes the step the leader of a group of its own; a step started by hand must not kill the shell.
    if os.environ.get("CORALLINE_LEASH") == "1":
        threading.Thread(target=wait_for_the_end, daemon=True, name="leash").start()
