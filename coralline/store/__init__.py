"""The artifacts folder: an artifact is complete or absent, made by one process at a time, and stays what it was.

    objects/KEY/     the artifacts
    building/KEY/    what a step is writing; becomes objects/KEY by one rename
    partial/KEY/     checkpoints of resumable steps
    last/LABEL       the key last used for a step, so that a new key can be explained
    locks/KEY        held by the process that makes KEY; the kernel lets go when it dies
    quarantine/      what was found broken, or made again with --from
    uses/WHO         what a process that goes on has claimed (see uses.py)
    runs/ID/         plans, logs and keys of runs (see runs.py)
    index/           memories that can be thrown away

docs/explanation/store.md says why each step is needed. What nobody needs is collected by collect.py.
"""

from __future__ import annotations

import contextlib
import errno
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
from coralline.store import durable, flock, uses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from stages.spec import Output

RECORD = "record.json"
FILES = "files.json"


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

    def is_still_there(self) -> bool:
        """Whether its folder holds what it held: it may have been made again with other bytes, or put aside."""
        try:
            return bool(json.loads((self.path / RECORD).read_bytes())["digest"] == self.digest)
        except (OSError, ValueError, LookupError, TypeError):
            return False


class Store:
    """The artifacts below `root`; created when first written to. What is found may be collected: see `used`."""

    def __init__(self, root: Path, claims: uses.Claims | None = None) -> None:
        self.root = root
        self._claims = claims

    @contextlib.contextmanager
    def used(self) -> Iterator[Store]:
        """Give this store to one who works with it: what they look up or make is not collected while they do."""
        with uses.claims(self.root) as claims:
            yield Store(self.root, claims)

    def claim(self, name: str) -> None:
        """Say that this key, or run, is in use; nothing for a store that was not given out by `used`."""
        if self._claims is not None:
            self._claims.add(name)

    def find(self, key: str) -> Artifact | None:
        """Return the artifact of `key`, or None; one with an unreadable record counts as absent. Moves nothing."""
        self.claim(key)  # before looking: see uses.py
        return self._read(key)

    def _read(self, key: str) -> Artifact | None:
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
        return self._read(key) if key else None

    def remember(self, label: str, key: str) -> None:
        """Note that `key` was used for the step `label`."""
        note = self.root / "last" / label.replace("/", ".")
        with contextlib.suppress(OSError):
            if note.read_text(encoding="ascii") == key:
                return
        note.parent.mkdir(parents=True, exist_ok=True)
        beside = note.with_name(f"{note.name}.{os.urandom(4).hex()}")  # another machine's process may have our number
        beside.write_text(key, encoding="ascii")
        with uses.gate(self.root, alone=False):  # who collects must not take the new note for the old one
            beside.replace(note)

    @contextlib.contextmanager
    def building(self, key: str, waiting: Callable[[], None], stop: Callable[[], bool]) -> Iterator[Path | None]:
        """Hold `key` and give its empty building folder; None when `stop` says so while another process holds it.

        `waiting` is called once if somebody else holds the key. Look it up again inside: they may have made it.
        """
        self.claim(key)
        with self._lock(key, waiting, stop) as held:
            if not held:
                yield None
                return
            if self._read(key) is None:  # nobody else can be publishing it now: what is there is broken
                self.put_aside(key)
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

    def publish(self, folder: Path, key: str, outputs: Iterable[Output], record: dict[str, Any]) -> Artifact:
        """Make what lies in `folder` the artifact of `key`, durably.

        `record` is what the host knows; the step's own record is merged in. On return bytes and name are on disk.

        Raises:
            ArtifactError: a declared output is missing, empty or malformed, or the step left no record.
        """
        told = check_outputs(folder, outputs)
        (folder / RECORD).unlink()
        files = listing(folder)
        merged = {
            **record,
            "key": key,
            "digest": content_digest(files),
            "numbers": told["numbers"],
            "facts": told["facts"],
        }
        (folder / FILES).write_bytes(canonical(files) + b"\n")
        (folder / RECORD).write_text(sealed(merged), encoding="utf-8")
        durable.sync(folder)
        return self._rename(folder, key, merged)

    def adopt(self, folder: Path, key: str, record: dict[str, Any]) -> Artifact:
        """Make a whole artifact from elsewhere, which the caller has checked, the artifact of `key`, durably."""
        durable.sync(folder)
        return self._rename(folder, key, record)

    def forget_partial(self, key: str) -> None:
        """Remove the checkpoints of a finished step."""
        shutil.rmtree(self.root / "partial" / key, ignore_errors=True)

    def put_aside(self, key: str) -> Path | None:
        """Move what lies under `key`, which the caller holds, to the quarantine; None when nothing does."""
        home = self.root / "objects" / key
        return self._move_aside(home) if os.path.lexists(home) else None

    def _move_aside(self, folder: Path) -> Path:
        """Move a folder where somebody may look at it, and whoever still reads it can go on."""
        aside = self.root / "quarantine" / f"{folder.name}.{time.time_ns()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        return folder.rename(aside)

    def _rename(self, folder: Path, key: str, record: dict[str, Any]) -> Artifact:
        home = self.root / "objects" / key
        home.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(home)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            self._replace(folder, home)
        durable.sync_folder(home.parent)
        return Artifact(key, home, record)

    def _replace(self, folder: Path, home: Path) -> None:
        """Put what was made again on purpose in the place of the older one, which another run may be reading."""
        try:
            durable.exchange(folder, home)  # neither is ever absent
        except OSError as error:
            if error.errno not in durable.NO_EXCHANGE:
                raise
            self._move_aside(home)  # whoever looks now will wait for our lock, and then find it
            folder.rename(home)
        else:
            self._move_aside(folder)

    @contextlib.contextmanager
    def held(self, key: str) -> Iterator[bool]:
        """Hold `key` unless somebody else does; gives whether it is held."""
        path = self.root / "locks" / key
        descriptor = _take(path)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                path.unlink(missing_ok=True)
                os.close(descriptor)

    @contextlib.contextmanager
    def _lock(self, key: str, waiting: Callable[[], None], stop: Callable[[], bool]) -> Iterator[bool]:
        told = False
        while not stop():
            with self.held(key) as is_mine:
                if is_mine:
                    yield True
                    return
            if not told:
                waiting()
                told = True
            time.sleep(0.1)
        yield False


def _take(path: Path) -> int | None:
    """Open a file and lock it alone; None when somebody else holds it, or has just removed it."""
    descriptor = flock.opened(path)
    if flock.take(descriptor, alone=True, wait=False) and flock.still_named(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def sealed(record: dict[str, Any]) -> str:
    """Write a record with the SHA-256 of its own text, so that a change of any byte can be told."""
    bare = {name: value for name, value in record.items() if name != "seal"}
    return text_of({**bare, "seal": hashlib.sha256(text_of(bare).encode()).hexdigest()})


def text_of(record: dict[str, Any]) -> str:
    """Write a record as it is, in the one form in which records are written."""
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


def listing(folder: Path) -> dict[str, list[Any]]:
    """Return digest and size of every file below `folder`, by relative path.

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


def content_digest(files: Mapping[str, Any]) -> str:
    """Return the digest of an artifact whose files are these: path -> [sha256, size in bytes]."""
    return hashlib.sha256(canonical(["coralline.content", 1, files])).hexdigest()
