"""The artifacts folder: an artifact is complete or absent, made by one process at a time, and stays what it was.

    objects/KEY/     the artifacts
    building/KEY/    what a step is writing; becomes objects/KEY by one rename
    partial/KEY/     checkpoints of resumable steps
    last/LABEL       the key last used for a step, so that a new key can be explained
    locks/KEY        held by the process that makes KEY; the kernel lets go when it dies
    quarantine/      what was found broken, or made again with --from
    runs/ID/         plans, logs and keys of runs (see runs.py)
    index/           memories that can be thrown away

docs/explanation/store.md says why each step is needed. Collecting what nobody needs is not done here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coralline.errors import ArtifactError
from coralline.key import canonical
from coralline.outputs import check_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stages.spec import Spec

RECORD = "record.json"
FILES = "files.json"
MANY_FILES = 200  # from here on one sync of the file system is cheaper than one for each file


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished artifact: its key, folder and record."""

    key: str
    path: Path
    record: dict[str, Any]

    @property
    def digest(self) -> str:
        """The digest of its content, without the record."""
        digest: str = self.record["digest"]
        return digest


class Store:
    """The artifacts below `root`; created when first written to."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: str) -> Artifact | None:
        """Return the artifact of `key`, or None; one with an unreadable record counts as absent. Moves nothing."""
        home = self.root / "objects" / key
        try:
            record = json.loads((home / RECORD).read_bytes())
            if record["key"] == key and record["digest"]:
                return Artifact(key, home, record)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            pass
        return None

    def last(self, label: str) -> Artifact | None:
        """Return the artifact last used for the step `label`, or None."""
        try:
            key = (self.root / "last" / label.replace("/", ".")).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return self.find(key) if key else None

    def remember(self, label: str, key: str) -> None:
        """Note that `key` was used for the step `label`."""
        note = self.root / "last" / label.replace("/", ".")
        with contextlib.suppress(OSError):
            if note.read_text(encoding="ascii") == key:
                return
        note.parent.mkdir(parents=True, exist_ok=True)
        beside = note.with_name(f"{note.name}.{os.getpid()}")
        beside.write_text(key, encoding="ascii")
        beside.replace(note)

    @contextlib.contextmanager
    def building(self, key: str, waiting: Callable[[], None], stop: Callable[[], bool]) -> Iterator[Path | None]:
        """Hold `key` and give its empty building folder; None when `stop` says so while another process holds it.

        `waiting` is called once if somebody else holds the key. Look it up again inside: they may have made it.
        """
        with self._lock(key, waiting, stop) as held:
            if not held:
                yield None
                return
            if self.find(key) is None:  # nobody else can be publishing it now: what is there is broken
                self._put_aside(self.root / "objects" / key)
            folder = self.root / "building" / key
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def partial(self, key: str) -> Path:
        """Return the folder of `key` that survives a kill; made when missing."""
        folder = self.root / "partial" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, folder: Path, key: str, spec: Spec, record: dict[str, Any]) -> Artifact:
        """Make what lies in `folder` the artifact of `key`, durably.

        `record` is what the host knows; the step's own record is merged in. On return bytes and name are on disk.

        Raises:
            ArtifactError: a declared output is missing, empty or malformed, or the step left no record.
        """
        told = check_outputs(folder, spec)
        (folder / RECORD).unlink()
        files = _files(folder)
        merged = {**record, "key": key, "digest": _digest(files), "numbers": told["numbers"], "facts": told["facts"]}
        (folder / FILES).write_bytes(canonical(files) + b"\n")
        (folder / RECORD).write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        _sync(folder, len(files))
        return self._rename(folder, key, merged)

    def forget_partial(self, key: str) -> None:
        """Remove the checkpoints of a finished step."""
        shutil.rmtree(self.root / "partial" / key, ignore_errors=True)

    def _put_aside(self, home: Path) -> None:
        """Move an artifact aside, where somebody may look at it and whoever still reads it can go on."""
        aside = self.root / "quarantine" / f"{home.name}.{time.time_ns()}"
        if home.exists():
            aside.parent.mkdir(parents=True, exist_ok=True)
            home.rename(aside)

    def _rename(self, folder: Path, key: str, record: dict[str, Any]) -> Artifact:
        home = self.root / "objects" / key
        home.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(home)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            _exchange(folder, home)  # made again on purpose: the newer one counts, and neither is ever absent
            self._put_aside(folder)  # another run may be reading the older one
        _sync_folder(home.parent)
        return Artifact(key, home, record)

    @contextlib.contextmanager
    def _lock(self, key: str, waiting: Callable[[], None], stop: Callable[[], bool]) -> Iterator[bool]:
        path = self.root / "locks" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        told = False
        while not stop():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if _try_lock(descriptor) and _still_named(descriptor, path):
                try:
                    yield True
                finally:
                    path.unlink(missing_ok=True)
                    os.close(descriptor)
                return
            os.close(descriptor)
            if not told:
                waiting()
                told = True
            time.sleep(0.1)
        yield False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_named(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one with this name: its last holder removes it."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _files(folder: Path) -> dict[str, list[Any]]:
    """Digest and size of every file below `folder`, by relative path.

    Raises:
        ArtifactError: something that is neither a file nor a folder, such as a link out of the artifact.
    """
    paths = [path for path in sorted(folder.rglob("*")) if not _is_folder(path)]
    with ThreadPoolExecutor() as pool:
        entries = list(pool.map(_entry, paths))
    return {str(path.relative_to(folder)): entry for path, entry in zip(paths, entries, strict=True)}


def _is_folder(path: Path) -> bool:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise ArtifactError(
            f"{path.name} is neither a file nor a folder", hint="a stage may only write files and folders"
        )
    return path.is_dir()


def _entry(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return [hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size]


def _digest(files: dict[str, list[Any]]) -> str:
    return hashlib.sha256(canonical(["coralline.content", 1, files])).hexdigest()


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders in one step (renameat2 with RENAME_EXCHANGE, Linux 3.15)."""
    at_cwd, exchange = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), os.fspath(other))


def _sync(folder: Path, count: int) -> None:
    if count > MANY_FILES:
        os.sync()
        return
    for path in folder.rglob("*"):
        _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
