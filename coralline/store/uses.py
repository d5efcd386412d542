"""Who uses what of a store: a name that a living process has claimed, be it of a key or of a run, is not collected.

    locks/collecting   the gate: passed by many who claim, or by one who collects
    uses/WHO           the names that one process has claimed, a line each; locked as long as it lives

A name is claimed before it is looked up. Whoever collects looks at the claims and moves what it takes away alone in the
gate: a claim is either seen, or made after the thing was gone, and then its maker finds nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from coralline.errors import ArtifactError
from coralline.store import flock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USES = "uses"
GATE = "locks/collecting"


class Claims:
    """The names that one user of a store has claimed so far. Safe to call from several threads."""

    def __init__(self, root: Path, note: Path) -> None:
        self._root = root
        self._note = note
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        """Claim a name: from here on, what carries it is not collected."""
        with self._lock:
            if name in self._names:
                return
            with gate(self._root, alone=False), self._note.open("ab", buffering=0) as file:
                file.write(name.encode() + b"\n")  # closed at once: a network file system sends it only then
            self._names.add(name)


@contextlib.contextmanager
def claims(root: Path) -> Iterator[Claims]:
    """Give the claims of a new user of the store; they end with the block, or with this process."""
    note = root / USES / os.urandom(8).hex()
    with gate(root, alone=False):  # else it could be taken for one whose process has died, before it is locked
        note.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(note, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            flock.take(descriptor, alone=True, wait=True)
        except BaseException:
            os.close(descriptor)
            raise
    try:
        yield Claims(root, note)
    finally:
        note.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def gate(root: Path, *, alone: bool) -> Iterator[None]:
    """Pass the gate: together with all who claim, or alone."""
    with flock.through(root / GATE, alone=alone):
        yield


def claimed(root: Path) -> set[str]:
    """Return all names that living processes have claimed.

    Raises:
        ArtifactError: a note of another user's cannot be read, so that nobody knows what is in use.
    """
    try:
        return {name for note in notes(root) if flock.is_held(note) for name in _names(note)}
    except PermissionError as error:
        raise ArtifactError(
            f"{error.filename} cannot be read by this user", hint="ask its owner to make it readable, or to do this"
        ) from error


def left_behind(root: Path) -> list[Path]:
    """Return the notes of processes that died."""
    return [note for note in notes(root) if not flock.is_held(note)]


def notes(root: Path) -> list[Path]:
    """Return the notes of all users, living or not."""
    try:
        return sorted((root / USES).iterdir())
    except FileNotFoundError:
        return []


def _names(note: Path) -> list[str]:
    try:
        return note.read_text(encoding="utf-8").split()
    except FileNotFoundError:  # its user has just ended
        return []
