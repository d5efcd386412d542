"""One process uses a stick at a time: a lock for each port, on this host, among all users and both engines.

libedgetpu says only `failed to load delegate` when another process has the stick. The locks are files that the kernel
lets go of when their holder dies. They lie in /run/lock, or in /tmp where that is not everybody's: both are of this
host alone (a home may be shared by many), every user may write there, and both are empty after a boot.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coralline.devices import edgetpu
from coralline.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACES = (Path("/run/lock"), Path("/tmp"))  # noqa: S108 - names are fixed, links are not followed, nothing is read back as truth
POLL_S = 0.2
TOLD_LENGTH = 120  # any user may write anything into a lock file


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a step may use while it runs: the port of its stick, or nothing (empty)."""

    stick: str = ""


class Hold(Protocol):
    """What holds a device for a step: see `held`."""

    def __call__(
        self, need: str | None, label: str, waiting: Callable[[str], None], stop: Callable[[], bool], /
    ) -> contextlib.AbstractContextManager[Held | None]:
        """Hold it as long as the context lasts."""
        ...


@contextlib.contextmanager
def held(
    need: str | None,
    label: str,
    waiting: Callable[[str], None],
    stop: Callable[[], bool],
    *,
    look: Callable[[], list[edgetpu.Stick]] = edgetpu.usable,
    place: Path | None = None,
) -> Iterator[Held | None]:
    """Hold what a step `needs`: the first free stick. None when `stop` says so while others hold all of them.

    `waiting` is called once, with who holds it, if there is none free. Steps that need no stick hold nothing.

    Raises:
        DeviceError: there is no stick any more.
    """
    if need != "edgetpu":
        yield Held()
        return
    where, told = place or _place(), False
    while not stop():
        sticks = look()
        if not sticks:
            raise DeviceError(edgetpu.trouble() or "the Edge TPU is gone from the bus", hint=edgetpu.remedy())
        for stick in sticks:
            descriptor = _take(where, stick.port, label)
            if descriptor is not None:
                try:
                    yield Held(stick=stick.port)
                finally:
                    os.close(descriptor)
                return
        if not told:
            name = holder(sticks[0].port, where) or "another process"
            waiting(f"the Edge TPU at port {sticks[0].port} is used by {name}")
            told = True
        time.sleep(POLL_S)
    yield None


def holder(port: str, place: Path | None = None) -> str | None:
    """Say who holds the stick at `port`, in their own words, or None when it is free."""
    try:
        descriptor = os.open(_path(place or _place(), port), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _lock(descriptor):
            return None
        said = os.read(descriptor, TOLD_LENGTH).decode("utf-8", errors="replace")
    finally:
        os.close(descriptor)
    return "".join(letter for letter in said if letter.isprintable()) or "another process"


def _take(place: Path, port: str, label: str) -> int | None:
    """Lock the port's file and write who has it; None when somebody else does."""
    descriptor = _open(_path(place, port))
    if not _lock(descriptor):
        os.close(descriptor)
        return None
    with contextlib.suppress(OSError):  # a full disk: the lock holds, only the words are missing
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} of {_user()}: {label}".encode())
    return descriptor


def _open(path: Path) -> int:
    """Open the lock file, made for all users when missing.

    Not with O_CREAT at once: in a sticky folder the kernel then refuses a file that another user made
    (proc_sys_fs(5), protected_regular).
    """
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            return _opened(path, os.O_RDWR)
        with contextlib.suppress(FileExistsError):
            descriptor = _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            os.fchmod(descriptor, 0o666)
            return descriptor
    return _opened(path, os.O_RDWR)


def _opened(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        raise DeviceError(
            f"{path} cannot be opened: {error.strerror}", hint="remove it, as its owner or root"
        ) from error


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _place() -> Path:
    """Return the first place that every user of this host may write to, so that all take the same."""
    wanted = stat.S_ISVTX | stat.S_IWOTH
    for place in PLACES:
        with contextlib.suppress(OSError):
            if place.stat().st_mode & wanted == wanted:
                return place
    raise DeviceError(
        "there is no place for the Edge TPU's lock: neither /run/lock nor /tmp is open to every user",
        hint="make one so, as root: chmod 1777 /tmp",
    )


def _path(place: Path, port: str) -> Path:
    return place / f"coralline-edgetpu-{port}.lock"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name; OSError since Python 3.13
        return str(os.getuid())
