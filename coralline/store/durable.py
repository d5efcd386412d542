"""Bytes and names that are on disk when a function returns, and two names exchanged in one step."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # NFS, for one, cannot: rename(2)
MANY_FILES = 200  # from here on one sync of the file system is cheaper than one for each file


def exchange(one: Path, other: Path) -> None:
    """Swap two folders in one step (renameat2 with RENAME_EXCHANGE, Linux 3.15).

    Raises:
        OSError: they are not there; or one of NO_EXCHANGE, where the file system cannot do it.
    """
    at_cwd, flag = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), flag) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.fspath(other))


def sync(folder: Path) -> None:
    """Wait until a folder is on disk with all that it holds."""
    paths = list(folder.rglob("*"))
    if len(paths) > MANY_FILES:
        os.sync()
        return
    for path in (*paths, folder):
        sync_folder(path)


def sync_folder(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
