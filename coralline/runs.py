"""Runs: one folder for each execution of a request, with its plan, the keys it used and the logs of its steps.

A run says of itself whether it ended; that it still goes on is known by what its process has claimed (uses.py).
"""

from __future__ import annotations

import itertools
import json
import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from coralline.errors import ArtifactError, ProfileError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

KEPT = "kept"
IMPORTED = "imported.json"
AHEAD_S = 86_400  # a clock that is wrong by less is soon caught up with
LOOK_BACK = 20  # among so many runs one that ended is preferred: one still going, or killed, says little


class State(StrEnum):
    """How far a run has come."""

    ENDED = "ended"
    INTERRUPTED = "interrupted"
    GOING_ON = "going on"


@dataclass(slots=True)
class Run:
    """One execution: `steps` holds for each label its state, key and reason, in the order of the graph."""

    id: str
    folder: Path
    request: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: bool = False

    @property
    def started_s(self) -> float:
        """When it began, in seconds since 1970; 0 where the name does not tell."""
        try:
            return datetime.strptime(self.id[:15] + "+0000", "%Y%m%d-%H%M%S%z").timestamp()
        except ValueError:
            return 0.0

    @property
    def written_s(self) -> float:
        """When it was last written to, in seconds since 1970: it ended, was killed, or was imported."""
        try:
            return (self.folder / "run.json").stat().st_mtime
        except OSError:
            return self.started_s

    @property
    def keys(self) -> set[str]:
        """The keys of all that it made, used, or was about to make."""
        return {told["key"] for told in self.steps.values() if told["key"]}

    @property
    def is_kept(self) -> bool:
        """Whether it was marked to be kept."""
        return (self.folder / KEPT).exists()

    @property
    def is_imported(self) -> bool:
        """Whether it came from elsewhere, in a bundle."""
        return (self.folder / IMPORTED).exists()

    def keep(self, *, wanted: bool) -> None:
        """Mark it to be kept, with all that it used, or take the mark away."""
        if wanted:
            (self.folder / KEPT).touch()
        else:
            (self.folder / KEPT).unlink(missing_ok=True)

    def state(self, claimed: Container[str]) -> State:
        """Say how far it has come, given all names that living processes have claimed."""
        return State.GOING_ON if self.id in claimed else State.ENDED if self.ended else State.INTERRUPTED

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


def start(root: Path, request: dict[str, Any], claim: Callable[[str], None] = lambda _name: None) -> Run:
    """Begin a run below `root`, in a folder that is its own; names sort by the time of their beginning.

    `claim` is told the name before there is a folder of that name, which could be collected at once.
    """
    while True:
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds)) + f"-{nanoseconds // 10**6:03}"
        folder = root / "runs" / name
        claim(name)
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
    known = [name for name in names(root) if (root / "runs" / name / "run.json").exists()]
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


def names(root: Path) -> list[str]:
    """Return the names of all runs, the oldest first; before all those of a time to come, by a clock that was wrong.

    Else such a run would be the latest for years.

    Raises:
        ArtifactError: the store is closed to this user.
    """
    latest = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() + AHEAD_S))
    try:
        with os.scandir(root / "runs") as entries:
            return sorted((entry.name for entry in entries if entry.is_dir()), key=lambda name: (name < latest, name))
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise ArtifactError(
            f"{error.filename} cannot be read by this user", hint="run this as the user who owns the store"
        ) from error


def every(root: Path) -> Iterator[Run]:
    """Read all runs, the newest first; one that was killed before it wrote anything down is empty."""
    return (read(root, name) for name in reversed(names(root)))


def read(root: Path, name: str) -> Run:
    """Read one run by its full name; an empty one where nothing can be read."""
    return _read(root, name) or Run(name, root / "runs" / name)


def _read(root: Path, name: str) -> Run | None:
    folder = root / "runs" / name
    try:
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Run(name, folder, told["request"], told["steps"], told["ended"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
