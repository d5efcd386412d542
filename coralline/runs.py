"""Runs: one folder for each execution of a request, with its plan, the keys it used and the logs of its steps."""

from __future__ import annotations

import itertools
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coralline.errors import ProfileError, nearest

if TYPE_CHECKING:
    from pathlib import Path

LOOK_BACK = 20  # among so many runs one that ended is preferred: one still going, or killed, says little


@dataclass(slots=True)
class Run:
    """One execution: `steps` holds for each label its state, key and reason, in the order of the graph."""

    id: str
    folder: Path
    request: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: bool = False

    def log(self, label: str) -> Path:
        """Where the log of a step is kept."""
        return self.folder / "logs" / (label.replace("/", ".") + ".log")

    def save(self) -> None:
        """Write the run as it stands; a reader sees this or the one before."""
        document = {
            "schema": "coralline.run",
            "version": 1,
            "run": self.id,
            "request": self.request,
            "steps": self.steps,
            "ended": self.ended,
        }
        beside = self.folder / f"run.json.{os.getpid()}"
        beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        beside.replace(self.folder / "run.json")


def start(root: Path, request: dict[str, Any]) -> Run:
    """Begin a run below `root`, in a folder that is its own; names sort by the time of their beginning."""
    while True:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds)) + f"-{nanoseconds // 10**6:03}"
        folder = root / "runs" / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            time.sleep(0.001)  # another run began in the same millisecond
        else:
            return Run(name, folder, request)


def load(root: Path, name: str | None = None) -> Run:
    """Read a run by name, by a unique beginning of its name, or the latest that ended.

    Raises:
        ProfileError: there is none, or none of that name.
    """
    known = sorted(path.parent.name for path in (root / "runs").glob("*/run.json"))
    if not known:
        raise ProfileError("there is no run yet", hint="make one: ./run all --model inceptionv3")
    matching = [run for run in known if name is None or run.startswith(name)]
    if name is not None and len(matching) > 1 and name not in matching:
        raise ProfileError(f"more than one run {name!r}", hint=nearest(name, matching, "runs"))
    readable = filter(None, (_read(root, run) for run in reversed(matching)))
    found = list(itertools.islice(readable, LOOK_BACK if name is None else 1))
    if not found:
        raise ProfileError(f"no run {name or ''}".rstrip(), hint=nearest(name or "", known[-10:], "latest runs"))
    return next((run for run in found if run.ended), found[0])


def _read(root: Path, name: str) -> Run | None:
    folder = root / "runs" / name
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Run(name, folder, told["request"], told["steps"], told["ended"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
