"""Remembers the digests of files that have not changed: a database that may be lost, damaged or shared at any time.

A file is unchanged when its size, modification and status times and inode are. One whose status changed within two
seconds of being read is not remembered: it could change again within the same tick of its file system's clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

RACY_NS = 2_000_000_000
PATIENCE_S = 10.0  # how long to wait for another process that writes
SCHEMA = "CREATE TABLE IF NOT EXISTS folder_1 (home TEXT PRIMARY KEY, listing BLOB NOT NULL, sha256 TEXT NOT NULL)"

Result = TypeVar("Result")


class FileState(NamedTuple):
    """A file: its path relative to the home, and what tells that it is unchanged."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class DigestIndex:
    """The index in the database at `place`, for the files below one `home`. Use as a context manager.

    No method raises for a bad database: a damaged one is made anew, one that cannot be used is done without.
    """

    def __init__(self, place: Path, home: str) -> None:
        self._place = place
        self._home = json.dumps(home)  # also holds names that are not UTF-8
        self._connection: sqlite3.Connection | None = None
        self._known: dict[str, list[int | str]] = {}

    def __enter__(self) -> Self:
        self._known = self._attempt(self._read, {})
        return self

    def __exit__(self, *_error: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def look_up(self, files: Iterable[FileState]) -> dict[str, str]:
        """Return the digests, by path, of those files that are known and unchanged."""
        digests = {}
        for path, *state in files:
            known = self._known.get(path)
            if known is not None and known[:-1] == state:
                digests[path] = str(known[-1])
        return digests

    def remember(self, files: Iterable[FileState], digests: Mapping[str, str], looked_ns: int) -> None:
        """Keep what is known of `files`, which were looked at from `looked_ns` on, and forget all others."""
        entries = {
            path: [*state, digests[path]]
            for path, *state in files
            if path in digests and state[2] < looked_ns - RACY_NS
        }
        listing = json.dumps(entries, separators=(",", ":")).encode("ascii")
        self._attempt(lambda connection: self._write(connection, listing), None)

    def _attempt(self, action: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Do something with the database; when it is damaged, once more with a new one."""
        for last in (False, True):
            try:
                return action(self._open())
            except sqlite3.OperationalError:  # locked for long, on a read-only or full disk: work without it
                return otherwise
            except sqlite3.DatabaseError:
                self._discard(last=last)
        return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            with contextlib.suppress(OSError):
                self._place.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._place, timeout=PATIENCE_S, isolation_level=None)
            self._connection = connection
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # what a power cut damages is noticed and read again
            connection.execute(SCHEMA)
        return self._connection

    def _discard(self, *, last: bool) -> None:
        """Remove a damaged database; another process that has it open goes on with its own copy."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for ending in ("", "-wal", "-shm") if not last else ():
            with contextlib.suppress(OSError):
                self._place.with_name(self._place.name + ending).unlink()

    def _read(self, connection: sqlite3.Connection) -> dict[str, list[int | str]]:
        """Return what is known of the home; a listing with the wrong checksum counts as damage."""
        row = connection.execute("SELECT listing, sha256 FROM folder_1 WHERE home = ?", (self._home,)).fetchone()
        if row is None:
            return {}
        listing, sha256 = row
        if not isinstance(listing, bytes) or hashlib.sha256(listing).hexdigest() != sha256:
            raise sqlite3.DatabaseError("the listing was damaged on disk")
        known: dict[str, list[int | str]] = json.loads(listing)
        return known

    def _write(self, connection: sqlite3.Connection, listing: bytes) -> None:
        row = (self._home, listing, hashlib.sha256(listing).hexdigest())
        connection.execute("INSERT OR REPLACE INTO folder_1 VALUES (?, ?, ?)", row)
