"""Says what a user's data is: one digest of a folder's or zip file's content, quickly the second time.

The digest covers what the `folder` source of the dataset stage can see: `<split>/<class>/<file>`, the names of the
splits and classes, and zip files beside them. Hidden names do not count. Nothing is written but the index.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.digestindex import DigestIndex, FileState
from coralline.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[int, int], None]

LAYOUT = "expected <split>/<class>/*.png (or .jpg, .jpeg), splits 'train' and 'test' (or 'val'), or a zip file of it"
DEPTH = 2  # folders below the data folder: splits, classes
BLOCK = 1 << 20
WAITING = 10_000  # files that wait for a thread at a time: each takes 1.7 kB of memory
GIVE = f"give a folder or zip file: {LAYOUT}"


def digest(path: Path, index: Path, progress: Progress | None = None) -> str:
    """Return the SHA-256 over the sorted (relative path, content digest) pairs of the data at `path`.

    Files that have not changed since an earlier look are taken from the database `index`. An index that is damaged is
    made anew, one that cannot be used costs only time. `progress(done, total)` counts the files that had to be read.

    Raises:
        ProfileError: the data is missing, empty, unreadable, neither folder nor zip file, or linked to elsewhere.
    """
    home = path.resolve()
    match _kind(path, home):
        case stat.S_IFREG:
            return _combined([], _digests(home, [_zip_file(home)], index, progress))
        case stat.S_IFDIR:
            files, folders = _walk(home)
        case _:
            raise ProfileError(f"the data '{path}' is neither a folder nor a file", hint=GIVE)
    if not files:
        raise ProfileError(f"the data folder '{path}' has no images", hint=GIVE)
    return _combined(folders, _digests(home, files, index, progress))


def file_digest(path: Path, index: Path, progress: Progress | None = None) -> str:
    """Return the SHA-256 of one file, such as weights; an unchanged one is taken from the database `index`.

    Raises:
        ProfileError: it is missing, unreadable or not a file.
    """
    home = path.resolve()
    if _kind(path, home) != stat.S_IFREG:
        raise ProfileError(f"'{path}' is not a file", hint="give one file and no folder")
    return _digests(home, [_state("", home.stat())], index, progress)[""]


def _kind(path: Path, home: Path) -> int:
    """Return what there is at `home`, which the user calls `path`."""
    try:
        return stat.S_IFMT(home.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ProfileError(f"no such data: '{path}'", hint=GIVE) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _combined(folders: list[str], digests: dict[str, str]) -> str:
    """One digest for all: folders of splits and classes count although they may be empty."""
    preimage = ["coralline.datafolder", 1, sorted(folders), sorted(digests.items())]
    return hashlib.sha256(json.dumps(preimage, separators=(",", ":")).encode("ascii")).hexdigest()


def _zip_file(path: Path) -> FileState:
    """Check that a file is a zip file, as far as its first bytes say; its own name is no part of the data."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise _unreadable(path, error) from error
    if start != b"PK\x03\x04":
        raise ProfileError(f"the data '{path}' is neither a folder nor a zip file", hint=GIVE)
    return _state("", path.stat())


def _walk(home: Path) -> tuple[list[FileState], list[str]]:
    """List the files that count, and the folders of splits and classes, which count although they may be empty."""
    files: list[FileState] = []
    folders: list[str] = []
    waiting = [("", 0)]
    while waiting:
        prefix, depth = waiting.pop()
        for name, status in _entries(home, prefix):
            if stat.S_ISDIR(status.st_mode):
                if depth < DEPTH:
                    folders.append(name)
                    waiting.append((f"{name}/", depth + 1))
            elif stat.S_ISREG(status.st_mode) and (depth == DEPTH or (depth == 0 and name.endswith(".zip"))):
                files.append(_state(name, status))
    return files, folders


def _entries(home: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Each thing in a folder that is not hidden, with its path relative to `home` and what it is or points to."""
    folder = home / prefix
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink():
                    _check_link(home, Path(entry.path))
                yield prefix + entry.name, entry.stat()
    except OSError as error:
        raise _unreadable(Path(error.filename or folder), error) from error


def _check_link(home: Path, link: Path) -> None:
    """Refuse a link that leads out of the folder: a container would not see what it points to."""
    if home not in Path(os.path.realpath(link)).parents:
        raise ProfileError(
            f"'{link}' is a link that leads out of the data folder",
            hint="put the file itself there instead of the link",
        )


def _digests(home: Path, files: list[FileState], index: Path, progress: Progress | None) -> dict[str, str]:
    """Return the digest of each file, reading those that the index does not know."""
    with DigestIndex(index, os.fspath(home)) as known:
        digests = known.look_up(files)
        unknown = [file for file in files if file.path not in digests]
        if unknown:
            looked_ns = time.time_ns()
            try:
                _read_all(home, unknown, digests, progress)
            finally:  # an interrupted look at a large folder is not lost
                known.remember(files, digests, looked_ns)
    return digests


def _read_all(home: Path, files: list[FileState], digests: dict[str, str], progress: Progress | None) -> None:
    """Read files on all cores and add their digests to `digests`."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            fresh = (
                value
                for first in range(0, len(files), WAITING)
                for value in pool.map(lambda file: _read(home / file.path), files[first : first + WAITING])
            )
            for done, (file, value) in enumerate(zip(files, fresh, strict=True), start=1):
                digests[file.path] = value
                if progress is not None:
                    progress(done, len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for the rest
            raise


def _read(path: Path) -> str:
    digest_of_file = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest_of_file.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest_of_file.hexdigest()


def _state(path: str, status: os.stat_result) -> FileState:
    return FileState(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _unreadable(path: Path, error: OSError) -> ProfileError:
    return ProfileError(
        f"the data at '{path}' cannot be read: {error.strerror}",
        hint="make it readable for this user, for instance with `chmod -R u+rX`",
    )
