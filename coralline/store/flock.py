"""Locks on files that the kernel lets go of when their holder dies, however it dies.

They hold among all processes that see the file through one kernel; across machines only where the file system says so
(docs/explanation/store.md).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING

from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def take(descriptor: int, *, alone: bool, wait: bool) -> bool:
    """Lock an open file, `alone` or together with others; False when somebody else holds it and `wait` is False.

    Raises:
        ArtifactError: its file system has no locks.
    """
    how = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise ArtifactError(
            f"the file system of the store has no locks ({error.strerror})",
            hint="keep the store on a local disk, or have locks switched on where it is mounted",
        ) from error
    return True


def opened(path: Path) -> int:
    """Open a file to be locked; made when missing.

    Raises:
        ArtifactError: this user may not write there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno not in CLOSED:
            raise
        raise ArtifactError(
            f"this user cannot write {path}: {error.strerror}",
            hint="run this as the user who owns the store, or name another store with CORALLINE_ARTIFACTS",
        ) from error


@contextlib.contextmanager
def through(gate: Path, *, alone: bool) -> Iterator[None]:
    """Hold a lock on the file `gate`, which stays: together with others, or `alone`, after all others have left."""
    descriptor = opened(gate)
    try:
        take(descriptor, alone=alone, wait=True)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on a file alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not take(descriptor, alone=False, wait=False)
    finally:
        os.close(descriptor)


def still_named(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one with this name: the last holder of a lock may remove its file."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
