"""Recomputes the digests of every artifact; what is not what its record says is moved aside and will be made again.

Files are read on all cores, a few at a time, so that memory does not grow with the store. What looks broken is looked
at once more with its key held: it may have been made again, or collected, in the meantime.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import stat
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import host, runs
from coralline.errors import ArtifactError
from coralline.key import canonical, key_of
from coralline.notices import Kind, Notice, Notify
from coralline.store import FILES, RECORD, Store, content_digest, sealed, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

AHEAD = 4  # files for each core that wait to be read
OWN = {RECORD, FILES}
MOST_FAULTS = 10  # of one artifact that are told; a lost folder of images has tens of thousands

Found = tuple[str, int, str | None]  # the key, how many bytes were read, what is wrong


@dataclass(slots=True, kw_only=True)
class Corrupt:
    """An artifact that is not what its record says, where it was moved, and what may have been made from it."""

    key: str
    label: str
    faults: list[str]
    moved_to: Path
    dependents: dict[str, str] = field(default_factory=dict)  # key -> label, direct and indirect
    runs: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Examined:
    """What was found: how many artifacts, bytes, records without a seal, and the corrupt ones.

    `in_use` are those that looked broken and could not be looked at again, by key with their label: somebody held them.
    """

    artifacts: int = 0
    size_bytes: int = 0
    unsealed: int = 0
    corrupt: list[Corrupt] = field(default_factory=list)
    in_use: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every artifact is what its record says."""
        return not self.corrupt and not self.in_use


def examine(store: Store, notify: Notify) -> Examined:
    """Look at every artifact byte for byte, move corrupt ones to the quarantine, and say what depended on them.

    Raises:
        ArtifactError: something cannot be read, or moved, by this user.
    """
    with _refusals_told():
        keys = sorted(_names(store.root / "objects"))
        told, total = Examined(artifacts=len(keys)), sum(_size(store.root / "objects" / key) for key in keys)
        suspects = set()
        for key, size, fault in _looked(store, keys, told):
            told.size_bytes += size
            suspects.update([key] if fault else [])
            notify(_progress(told.size_bytes, total))
        moved = [found for key in sorted(suspects) if (found := _put_aside(store, key, told)) is not None]
        _find_dependents(store, moved)
    told.corrupt = [corrupt for _, corrupt in moved]
    return told


def faults(home: Path) -> list[str]:
    """Say in which ways the artifact in the folder `home` is not what its record says; nothing when it is.

    Raises:
        ArtifactError: something cannot be read by this user.
    """
    with _refusals_told():
        return [fault for _, _, fault in itertools.starmap(_call, _checks(home, Examined())) if fault]


@contextlib.contextmanager
def _refusals_told() -> Iterator[None]:
    """Turn what the system refuses into our word for it."""
    try:
        yield
    except OSError as error:
        is_closed = isinstance(error, PermissionError)
        raise ArtifactError(
            f"{error.filename or 'the store'} cannot be read{' by this user' if is_closed else f': {error.strerror}'}",
            hint="run this as the user who owns the store" if is_closed else "look after its disk, and run this again",
        ) from error


def _looked(store: Store, keys: Iterable[str], told: Examined) -> Iterator[Found]:
    """Check all artifacts on all cores, in order, with few checks begun at a time."""
    cores = host.cores()
    checks = (check for key in keys for check in _checks(store.root / "objects" / key, told))
    with ThreadPoolExecutor(cores) as pool:
        begun: deque[Future[Found]] = deque()
        try:
            for check in itertools.chain(checks, itertools.repeat(None, AHEAD * cores)):
                if check is not None:
                    begun.append(pool.submit(*check))
                if begun and (check is None or len(begun) > AHEAD * cores):
                    yield begun.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _call(check: Callable[..., Found], *arguments: Any) -> Found:
    return check(*arguments)


def _checks(home: Path, told: Examined) -> Iterator[tuple[Any, ...]]:
    """Check the papers and names of an artifact; give what is left to be done for each file, as calls."""
    for fault in _faulty_papers(home, told):
        yield _broken, home.name, fault
    listed, found = _listed(home), dict[str, bool]()
    try:
        if stat.S_ISDIR(home.lstat().st_mode):
            found = dict(_found(home, ""))
        else:
            yield _broken, home.name, "it is a file or a link, and no folder"
    except FileNotFoundError:
        yield _broken, home.name, "it is gone"  # collected meanwhile, as the second look will tell
    except PermissionError:
        raise
    except OSError as error:
        place = os.path.relpath(error.filename, home)
        yield _broken, home.name, f"the folder {place} cannot be listed: {error.strerror}"
        return
    for path in sorted(found.keys() - listed.keys() - OWN):
        yield _broken, home.name, f"{path} was added"
    for path, (sha256, size) in listed.items():
        if path not in found:
            yield _broken, home.name, f"{path} is missing"
        elif not found[path]:
            yield _broken, home.name, f"{path} is not a file any more"
        else:
            yield _file, home, path, sha256, size


def _broken(key: str, fault: str) -> Found:
    return key, 0, fault


def _file(home: Path, path: str, sha256: str, size: int) -> Found:
    """Compare one file with what is listed of it."""
    try:
        descriptor = os.open(home / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except PermissionError:
        raise
    except OSError as error:
        return home.name, 0, f"{path} cannot be read: {error.strerror}"
    return home.name, found[1], None if found == (sha256, size) else f"{path} was changed"


def _faulty_papers(home: Path, told: Examined) -> Iterator[str]:
    """Say what is wrong with the record and the list of files."""
    try:
        text, listed = (home / RECORD).read_text(encoding="utf-8"), (home / FILES).read_bytes()
        record, files = json.loads(text), json.loads(listed)
        if record["key"] != home.name or key_of(record["key_parts"]) != home.name:
            yield f"{RECORD} is of another key"
        if listed != canonical(files) + b"\n" or content_digest(files) != record["digest"]:
            yield f"{FILES} was changed, or the digest in {RECORD}"
        told.unsealed += "seal" not in record
        if text != (sealed(record) if "seal" in record else text_of(record)):
            yield f"{RECORD} was changed"
    except PermissionError:
        raise
    except OSError as error:
        yield f"{Path(error.filename or home).name} cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        yield f"{RECORD} or {FILES} cannot be understood"


def _listed(home: Path) -> dict[str, list[Any]]:
    """Return the list of files, or nothing where it is none: then that has been told already."""
    try:
        files = json.loads((home / FILES).read_bytes())
        return {str(path): [sha256, size] for path, (sha256, size) in files.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _found(folder: Path, prefix: str) -> Iterator[tuple[str, bool]]:
    """Yield every name below a folder that is not a folder, and whether it is a plain file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _found(folder / entry.name, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.is_file(follow_symlinks=False)


def _put_aside(store: Store, key: str, told: Examined) -> tuple[str, Corrupt] | None:
    """Look again with the key held; move what is still broken aside. None when it is not, or somebody else holds it."""
    home = store.root / "objects" / key
    with store.held(key) as is_mine:
        record = _record(home)
        if not is_mine:
            told.in_use[key] = str(record.get("label") or _label_of(store, key))
        found = faults(home) if is_mine and os.path.lexists(home) else []
        if not found:
            return None
        digest = record.get("digest") or content_digest(_listed(home))
        moved = store.put_aside(key)
    if moved is None:
        return None
    more = [f"and {len(found) - MOST_FAULTS} more"] if len(found) > MOST_FAULTS else []
    label = str(record.get("label") or _label_of(store, key))
    return str(digest), Corrupt(key=key, label=label, faults=found[:MOST_FAULTS] + more, moved_to=moved)


def _find_dependents(store: Store, moved: list[tuple[str, Corrupt]]) -> None:
    """Find what was made from each corrupt artifact, by the digests in all other records, and which runs used it."""
    if not moved:
        return
    made = [_inputs(store.root / "objects" / key) for key in sorted(_names(store.root / "objects"))]
    for digest, corrupt in moved:
        suspect = {digest}
        while more := [m for m in made if m.key not in corrupt.dependents and suspect & m.inputs]:
            corrupt.dependents |= {m.key: m.label for m in more}
            suspect |= {m.digest for m in more}
    for run in runs.every(store.root):
        for _, corrupt in moved:
            if corrupt.key in run.keys:
                corrupt.runs.append(run.id)


@dataclass(frozen=True, slots=True)
class _Made:
    key: str
    label: str
    digest: str
    inputs: frozenset[str]


def _inputs(home: Path) -> _Made:
    record = _record(home)
    parts = record.get("key_parts")
    inputs = parts.get("inputs", {}).values() if isinstance(parts, dict) else ()
    digests = frozenset(str(value).partition(" ")[0] for value in inputs)  # what gathers names the key too
    return _Made(home.name, str(record.get("label")), str(record.get("digest")), digests)


def _record(home: Path) -> dict[str, Any]:
    try:
        record = json.loads((home / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _label_of(store: Store, key: str) -> str:
    """Find which step a key belongs to where its own record does not say."""
    steps = ((label, told) for run in runs.every(store.root) for label, told in run.steps.items())
    return next((label for label, told in steps if told["key"] == key), "?")


def _size(home: Path) -> int:
    sizes = (entry[1] for entry in _listed(home).values())
    return sum(size for size in sizes if isinstance(size, int))


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _progress(done: int, total: int) -> Notice:
    return Notice(kind=Kind.PROGRESS, label="fsck", done=_mebibytes(done), total=_mebibytes(total), unit="MiB")


def _mebibytes(size_bytes: int) -> int:
    return -(-size_bytes // 2**20)  # a little is still something
