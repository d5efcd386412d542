"""What travels between this machine and another daemon: folders as tar streams, the same bytes for the same folder.

Sending reads as it goes, so nothing is held in memory. What comes back was made by a step, so it is unpacked with
suspicion: plain files and folders below one name, nothing that leads elsewhere, and a bound on all of it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Count = Callable[[int], None]  # is told the bytes of each piece

PIECE_BYTES = 1 << 20
MOST_FILES = 1_000_000
MOST_BYTES = 256 << 30
LARGEST_HEADER = 1 << 20  # of one member, with its long names
CACHES = "__pycache__"
LONGEST_SHOWN = 200  # characters of a name
# What a file system says of a name that cannot be; anything else, such as that it is full, is no fault of theirs.
BAD_NAMES = (
    *(errno.EEXIST, errno.EILSEQ, errno.EISDIR, errno.ELOOP),
    *(errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A folder, or a file to be sent as the only one in a folder; it is called `name` on the way.

    On arrival all of it belongs to `owner` and `group`.
    """

    source: Path
    name: str
    owner: int
    group: int

    def size_bytes(self) -> int:
        """Count the bytes of all files."""
        return sum(path.stat().st_size for path, _ in self._entries() if not path.is_dir())

    def stream(self, sent: Count) -> Iterator[bytes]:
        """Yield the tar archive in pieces; `sent` is told how many bytes of files went into each."""
        for path, name in self._entries():
            header = self._header(path, name)
            yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if header.isreg():
                yield from _contents(path, header.size, sent)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _entries(self) -> Iterator[tuple[Path, str]]:
        if not self.source.is_dir():
            yield self.source.parent, self.name
            yield self.source, f"{self.name}/{self.source.name}"
            return
        yield self.source, self.name
        yield from _walk(self.source, (self.source.resolve(),), f"{self.name}/")

    def _header(self, path: Path, name: str) -> tarfile.TarInfo:
        header = tarfile.TarInfo(name)
        header.uid, header.gid = self.owner, self.group
        if path.is_dir():
            header.type, header.mode = tarfile.DIRTYPE, 0o755
        else:
            status = path.stat()
            header.size, header.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
        return header


def _walk(folder: Path, above: tuple[Path, ...], prefix: str) -> Iterator[tuple[Path, str]]:
    """Yield what lies in a folder, by name; a link counts as what it points to while that lies in the parcel too."""
    for path in sorted(folder.iterdir()):
        real = path.resolve() if path.is_symlink() else above[-1] / path.name
        if above[0] not in real.parents or path.name == CACHES:
            continue
        if path.is_file():
            yield path, prefix + path.name
        elif path.is_dir() and real not in above:
            yield path, prefix + path.name
            yield from _walk(path, (*above, real), f"{prefix}{path.name}/")


def _contents(path: Path, size: int, sent: Count) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left and (piece := file.read(min(PIECE_BYTES, left))):
            left -= len(piece)
            yield piece
            sent(len(piece))
    if left:
        raise ArtifactError(f"{path} became shorter while it was sent", hint="wait until nothing writes there")
    yield bytes(-size % tarfile.BLOCKSIZE)


def unpack(stream: Iterable[bytes], target: Path, received: Count, *, most_bytes: int = MOST_BYTES) -> None:
    """Write the files of a tar archive, which all lie below one name, into the existing folder `target`.

    Raises:
        ArtifactError: the archive is cut short or damaged, or holds anything but plain files and folders of that name.
    """
    reader = _Bounded(stream)
    try:
        with tarfile.open(fileobj=reader, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            _unpack(archive, reader, target, received, most_bytes)
    except (tarfile.TarError, ValueError, RecursionError) as error:  # tarfile trusts the numbers and nests the headers
        raise _refused(f"is no archive: {error}") from error


def _unpack(archive: tarfile.TarFile, reader: _Bounded, target: Path, received: Count, most_bytes: int) -> None:
    count = total = 0
    while (member := _next(archive, reader)) is not None:
        count, total = count + 1, total + member.size
        if count > MOST_FILES or total > most_bytes:
            raise _refused("is larger than anything that a step makes")
        place = _place(member, target)
        with _names_refused(member):
            if member.isdir():
                place.mkdir(mode=0o755, exist_ok=True)
            else:
                reader.allowed = member.size + LARGEST_HEADER
                _write(archive, member, place, received)
    while reader.read(tarfile.RECORDSIZE):
        pass
    if reader.last.strip(b"\0"):  # tarfile takes the end of the stream for the end of the archive
        raise _refused("is cut short")


def _next(archive: tarfile.TarFile, reader: _Bounded) -> tarfile.TarInfo | None:
    reader.allowed = LARGEST_HEADER
    archive.members = []  # type: ignore[attr-defined] # a million of them would be kept for nothing
    return archive.next()


def _place(member: tarfile.TarInfo, target: Path) -> Path:
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise _refused(f"holds {_shown(member)}, which is neither a file nor a folder")
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise _refused(f"holds {_shown(member)}, which leads out of it")
    return target.joinpath(*path.parts[1:])


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, received: Count) -> None:
    content = archive.extractfile(member)
    assert content is not None  # noqa: S101 - it is a plain file
    mode = 0o755 if member.mode & 0o100 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(place, flags, mode), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        while piece := content.read(PIECE_BYTES):
            file.write(piece)
            received(len(piece))


@contextlib.contextmanager
def _names_refused(member: tarfile.TarInfo) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in BAD_NAMES:
            raise
        raise _refused(f"holds {_shown(member)} twice, or where it cannot be: {error.strerror}") from error


def _shown(member: tarfile.TarInfo) -> str:
    return repr(member.name[:LONGEST_SHOWN])


def _refused(what: str) -> ArtifactError:
    return ArtifactError(
        f"what came back from the other machine {what}", hint="nothing of it was published; see the step's log"
    )


class _Bounded(io.RawIOBase):
    """A file over a stream of pieces that gives no more than `allowed` bytes: a header must not ask for gigabytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._rest = b""
        self.last = b"."
        self.allowed = LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; fewer only at the end."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        self.allowed -= size
        if self.allowed < 0:
            raise _refused("has a header without end")
        given, self._rest = self._rest[:size], self._rest[size:]
        self.last = (self.last + given)[-2 * tarfile.BLOCKSIZE :]
        return given
