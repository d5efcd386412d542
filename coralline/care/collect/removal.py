"""Takes away what a survey found, but for what has come into use since then; a kill loses nothing that is needed.

Pieces are moved out of reach first, a batch at a time and alone in the gate (see uses.py), and deleted afterwards, when
runs may pass again. Runs are moved before what they used: a kill leaves artifacts without a run, never the reverse.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from coralline import runs
from coralline.care.collect.survey import REMOVING, Kind, Piece, Survey, disk_bytes, stamp_of
from coralline.notices import Kind as Told
from coralline.notices import Notice, Notify
from coralline.store import Store, flock, uses

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 500  # pieces for which runs have to wait at the gate: some tens of milliseconds
KEYED = ("objects", "partial", "building", "locks")


@dataclass(slots=True)
class Removed:
    """What was taken away, and what was spared because it came into use or changed since the survey."""

    pieces: list[Piece] = field(default_factory=list)
    spared: list[Piece] = field(default_factory=list)

    @property
    def freed_bytes(self) -> int:
        """How much was freed."""
        return sum(piece.size_bytes for piece in self.pieces)


def remove(root: Path, found: Survey, notify: Notify) -> Removed:
    """Take away what a survey found and nobody has begun to use."""
    removed = Removed()
    ordered = sorted(found.pieces, key=lambda piece: piece.kind is not Kind.RUN)
    while batch := ordered[len(removed.pieces) + len(removed.spared) :][:BATCH]:
        for piece, aside in _taken(root, found, batch, removed):
            removed.pieces.append(_deleted(piece, aside, notify))
        done = len(removed.pieces) + len(removed.spared)
        notify(Notice(kind=Told.PROGRESS, label="gc", text="deleting", done=done, total=len(ordered), unit="piece"))
    return removed


def _taken(root: Path, found: Survey, batch: list[Piece], removed: Removed) -> list[tuple[Piece, Path]]:
    """Move a batch out of reach; return what of it is to be deleted now, and where it lies."""
    moved = []
    with uses.gate(root, alone=True):
        used = uses.claimed(root) | _used_since(root, found)
        for piece in batch:
            aside = root / REMOVING / f"{piece.name}.{time.time_ns()}"
            if piece.name not in used and _take(root, piece, aside):
                moved.append((piece, aside))
            else:
                removed.spared.append(piece)
    return moved


def _deleted(piece: Piece, aside: Path, notify: Notify) -> Piece:
    """Delete what was moved aside; return the piece with the size that this freed."""
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:  # fsck puts aside whatever it finds in the place of an artifact
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    if not os.path.lexists(aside):
        return piece
    notify(Notice(kind=Told.WARNING, label="gc", text=f"{aside} cannot be deleted by this user"))
    return replace(piece, size_bytes=max(0, piece.size_bytes - disk_bytes(aside)))


def _used_since(root: Path, found: Survey) -> set[str]:
    """Return what is used by runs that began, ended or were marked since the survey, and their own names."""
    names = [name for name in runs.names(root) if name not in found.settled]
    going = [piece.name for piece in found.pieces if piece.kind is Kind.RUN]
    names += [name for name in going if (root / "runs" / name / runs.KEPT).exists()]
    return set(itertools.chain(names, *(runs.read(root, name).keys for name in names)))


def _take(root: Path, piece: Piece, aside: Path) -> bool:
    """Move one piece; False when it is held, is not what it was, or belongs to another user."""
    match piece.path.parent.name:
        case "uses":
            return not flock.is_held(piece.path) and _unlinked(piece.path)
        case "last":
            return not _leads_somewhere(root, piece) and _unlinked(piece.path)
        case name if name in KEYED:
            with Store(root).held(piece.name) as is_mine:
                return is_mine and (name == "locks" or _moved(piece, aside))
        case _:
            return _moved(piece, aside)


def _leads_somewhere(root: Path, note: Piece) -> bool:
    """Whether a note was written anew, or the artifact that it names was spared."""
    try:
        return stamp_of(note.path) != note.stamp or (root / "objects" / note.path.read_text().strip()).exists()
    except (OSError, ValueError):
        return False


def _moved(piece: Piece, aside: Path) -> bool:
    if stamp_of(piece.path) != piece.stamp:
        return False
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        piece.path.rename(aside)
    except PermissionError:
        return False
    return True


def _unlinked(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
