"""What the store can do without: what dead processes left, what no run used, old runs with what only they used.

Whole runs go, and never a part of one: a run that is listed can be shown in full. Looks, removes nothing.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from coralline import runs
from coralline.store import flock, uses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator
    from pathlib import Path

REMOVING = "removing"
VERIFY = "verify"  # where verifications make artifacts again, each in a store of its own
BLOCK_BYTES = 512  # what st_blocks counts in, stat(2)


class Kind(StrEnum):
    """What a piece of the store is."""

    RUN = "run"
    ARTIFACT = "artifact"
    CHECKPOINT = "checkpoint"
    QUARANTINED = "quarantined"
    VERIFICATION = "made by a verification"
    LEFT = "left by a process that died"
    NOTE = "note on what is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is to stay: what was used in the last `older_than_s` seconds; with `size_bytes`, all that fits into it."""

    older_than_s: float
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One folder or file that can go; `name` is its key, run or file name, `used_s` when it was last used (Unix time).

    `stamp` is what it looked like in the survey: what has changed since then is not removed.
    """

    kind: Kind
    name: str
    path: Path
    size_bytes: int
    used_s: float
    stamp: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What can go and in which order, the runs that stay, and the size of the store where that was asked for.

    `settled` are all runs that did not go on: another one, or one that was marked since then, keeps what it used.
    """

    pieces: list[Piece]
    stay: list[str]
    settled: frozenset[str]
    size_bytes: int | None

    @property
    def freed_bytes(self) -> int:
        """How much would be freed."""
        return sum(piece.size_bytes for piece in self.pieces)


def survey(root: Path, limits: Limits, progress: Callable[[int, int], None], now_s: float | None = None) -> Survey:
    """Say what can go. `progress(done, total)` counts the folders that were measured.

    What stays: runs that go on, that are marked, that are young enough, and the latest that ended; with all they used.
    """
    look = _Look(root, limits, time.time() if now_s is None else now_s)
    groups = [look.leavings(), *look.quarantined(), *look.verifications(), *look.unused(), *look.old_runs()]
    every = {piece.path for group in groups for piece in group}
    whole = set(look.whole()) if limits.size_bytes is not None else set()
    sizes = _measured(every | whole, progress)
    size = sum(sizes[path] for path in whole) if limits.size_bytes is not None else None
    groups = [[replace(piece, size_bytes=sizes[piece.path]) for piece in group] for group in groups]
    pieces = list(_enough(groups, size, limits.size_bytes))
    gone = {piece.name for piece in pieces if piece.kind is Kind.ARTIFACT}
    return Survey(
        pieces=[*pieces, *look.stale_notes(gone)],
        stay=look.stay,
        settled=look.settled,
        size_bytes=size,
    )


def _measured(paths: Collection[Path], progress: Callable[[int, int], None]) -> dict[Path, int]:
    sizes = {}
    for done, path in enumerate(paths, start=1):
        sizes[path] = disk_bytes(path)
        progress(done, len(paths))
    return sizes


def _enough(groups: Iterable[list[Piece]], size: int | None, limit: int | None) -> Iterator[Piece]:
    """Take group after group; where there is a limit, only until the rest fits."""
    left = size or 0
    for number, group in enumerate(groups):
        if number and limit is not None and left <= limit:
            return
        yield from group
        left -= sum(piece.size_bytes for piece in group)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a survey needs to know of a run."""

    id: str
    folder: Path
    written_s: float
    keys: frozenset[str]
    stays: bool


class _Look:
    """One look at a store."""

    def __init__(self, root: Path, limits: Limits, now_s: float) -> None:
        self._root = root
        self._since = now_s - limits.older_than_s
        begun = runs.names(root)  # before the claims: of these, what has claimed nothing now has ended for good
        self._claimed = uses.claimed(root)
        self.settled = frozenset(begun) - self._claimed
        self._objects = set(_names(root / "objects"))
        self._partial = set(_names(root / "partial"))
        self._known = list(self._runs())  # the newest first
        self.stay = [run.id for run in self._known if run.stays]
        self._needed = self._claimed.union(*(run.keys for run in self._known if run.stays))

    def _runs(self) -> Iterator[_Known]:
        ended = 0
        for run in runs.every(self._root):
            ended += run.ended
            latest = run.ended and ended == 1
            stays = latest or run.id not in self.settled or run.is_kept or run.written_s >= self._since
            keys = frozenset(map(sys.intern, run.keys))  # thousands of runs name the same keys
            yield _Known(id=run.id, folder=run.folder, written_s=run.written_s, keys=keys, stays=stays)

    def leavings(self) -> list[Piece]:
        """List what processes that died left, and checkpoints of what is finished; none of it is of use to anybody."""
        building = [self._root / "building" / name for name in _names(self._root / "building") if not self._held(name)]
        locks = [
            path for name in _names(self._root / "locks") if not flock.is_held(path := self._root / "locks" / name)
        ]
        finished = [self._root / "partial" / key for key in sorted(self._partial & self._objects - self._claimed)]
        removing = [self._root / REMOVING / name for name in _names(self._root / REMOVING)]
        left = [*building, *locks, *uses.left_behind(self._root), *finished, *removing]
        return [self._piece(Kind.LEFT, path) for path in left if path != self._root / uses.GATE]

    def quarantined(self) -> Iterator[list[Piece]]:
        """List what was put aside long enough ago."""
        for name in _names(self._root / "quarantine"):
            nanoseconds = name.rpartition(".")[2]
            piece = self._piece(Kind.QUARANTINED, self._root / "quarantine" / name)
            moved_s = int(nanoseconds) / 1e9 if nanoseconds.isdecimal() else piece.used_s
            if moved_s < self._since:
                yield [piece]

    def verifications(self) -> Iterator[list[Piece]]:
        """List what verifications kept because it differed, or left when they were killed, long enough ago."""
        for name in _names(self._root / VERIFY):
            piece = self._piece(Kind.VERIFICATION, self._root / VERIFY / name)
            if name not in self._claimed and piece.used_s < self._since:
                yield [piece]

    def unused(self) -> Iterator[list[Piece]]:
        """List what no run used, the oldest first."""
        used = self._needed.union(*(run.keys for run in self._known))
        pieces = [self._of_key(key) for key in sorted((self._objects | self._partial) - used)]
        old = [group for group in pieces if group and max(piece.used_s for piece in group) < self._since]
        yield from sorted(old, key=lambda group: group[0].used_s)

    def old_runs(self) -> Iterator[list[Piece]]:
        """List the runs that do not stay, the oldest first, each with what no later run and none that stays used."""
        needed, groups = set(self._needed), []
        for run in self._known:
            if not run.stays:
                groups.append((run, sorted(run.keys - needed)))
                needed |= run.keys
        for run, own in reversed(groups):
            pieces = (self._piece(piece.kind, piece.path, run.written_s) for key in own for piece in self._of_key(key))
            yield [self._piece(Kind.RUN, run.folder, run.written_s), *pieces]

    def stale_notes(self, gone: Container[str]) -> list[Piece]:
        """List the notes on keys that are not there, or about to go."""
        home = self._root / "last"
        keys = {name: _content(home / name) for name in _names(home)}
        stale = [name for name, key in keys.items() if key in gone or key not in self._objects]
        return [self._piece(Kind.NOTE, home / name) for name in stale]

    def whole(self) -> Iterator[Path]:
        """List all that takes room: artifacts, checkpoints, runs and leavings."""
        for folder in ("objects", "partial", "building", "quarantine", "runs", VERIFY, REMOVING):
            yield from (self._root / folder / name for name in _names(self._root / folder))

    def _held(self, key: str) -> bool:
        return key in self._claimed or flock.is_held(self._root / "locks" / key)

    def _of_key(self, key: str) -> list[Piece]:
        found = [self._piece(Kind.ARTIFACT, self._root / "objects" / key)] if key in self._objects else []
        if key in self._partial and key not in self._objects:
            found.append(self._piece(Kind.CHECKPOINT, self._root / "partial" / key))
        return found

    def _piece(self, kind: Kind, path: Path, used_s: float | None = None) -> Piece:
        stamp = stamp_of(path) or (0, 0)
        return Piece(
            kind=kind,
            name=path.name,
            path=path,
            size_bytes=0,  # not measured yet
            used_s=stamp[1] / 1e9 if used_s is None else used_s,
            stamp=stamp,
        )


def stamp_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a folder or file from another of this name: its inode and modification time; None without."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def disk_bytes(path: Path | str) -> int:
    """Return what a file, or a folder with all it holds, takes on disk; less where some is gone, or closed to us."""
    taken = 0
    try:
        status = os.lstat(path)
        taken = status.st_blocks * BLOCK_BYTES
        if not stat.S_ISDIR(status.st_mode):  # where a link leads, nothing would be freed
            return taken
        with os.scandir(path) as entries:
            return taken + sum(
                disk_bytes(entry.path)
                if entry.is_dir(follow_symlinks=False)
                else entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
                for entry in entries
            )
    except (NotADirectoryError, FileNotFoundError, PermissionError):
        return taken


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []


def _content(note: Path) -> str:
    try:
        return note.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
