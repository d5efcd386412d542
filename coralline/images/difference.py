"""The first file in which two layers differ, and how."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

from coralline.errors import ImageError
from coralline.images.archive import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.images.archive import Layer

MOST_MEMBERS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of `files` that differ, the first by name, and what is not the same: here and there."""

    path: str
    what: str
    files: int

    def __str__(self) -> str:
        more = f" (and {self.files - 1} more)" if self.files > 1 else ""
        return f"{self.path}: {self.what}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a layer says of one file; `content` is the SHA-256 of a regular file's bytes."""

    kind: str
    mode: int
    owner: str
    time: float
    link: str
    device: str
    attributes: str
    size: int
    content: str


def first(one: Layer, other: Layer) -> Difference | None:
    """Compare two layers file by file; None means that the tars hold the same bytes.

    Raises:
        ImageError: one of them is no tar.
    """
    if one.digest == other.digest:
        return None
    mine, theirs = dict(_entries(one)), dict(_entries(other))
    differing = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    if differing:
        path = differing[0]
        return Difference(path=f"/{path}", what=_how(mine.get(path), theirs.get(path)), files=len(differing))
    moved = next((name for name, beside in zip(mine, theirs, strict=True) if name != beside), None)
    if moved is not None:
        return Difference(path=f"/{moved}", what="the same files in another order", files=1)
    return Difference(path="/", what="the same files, written by another tar", files=0)


def _how(mine: Entry | None, theirs: Entry | None) -> str:
    if mine is None or theirs is None:
        return "only in the second" if mine is None else "only in the first"
    before, after = asdict(mine), asdict(theirs)
    changed = [name for name in before if before[name] != after[name]]
    if "content" in changed and before["size"] == after["size"] and before["kind"] == after["kind"]:
        return f"content, sha256 {mine.content[:12]} and {theirs.content[:12]}"
    name = changed[0]
    return f"{name} {_shown(name, before[name])} and {_shown(name, after[name])}"


def _shown(name: str, value: object) -> str:
    return f"{value:o}" if name == "mode" and isinstance(value, int) else str(value)


def _entries(layer: Layer) -> Iterator[tuple[str, Entry]]:
    try:
        with layer.open() as file, tarfile.open(fileobj=file, mode="r|", bufsize=CHUNK) as archive:
            for count, member in enumerate(archive):
                if count >= MOST_MEMBERS:
                    raise ImageError(f"the layer {layer.digest} has more than {MOST_MEMBERS} files", hint="is it ours?")
                yield member.name, _entry(archive, member)
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
        raise ImageError(f"the layer {layer.digest} is damaged: {error}", hint="build it, or save it, again") from error


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    file = archive.extractfile(member) if member.isreg() else None
    return Entry(
        kind=KINDS.get(member.type, "something else"),
        mode=member.mode,
        owner=f"{member.uid}:{member.gid}",
        time=member.mtime,
        link=member.linkname,
        device=f"{member.devmajor}:{member.devminor}" if member.isdev() else "",
        attributes=",".join(f"{name}={member.pax_headers[name]!r}" for name in sorted(member.pax_headers)),
        size=member.size,
        content="" if file is None else _sha256(file),
    )


def _sha256(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while piece := file.read(CHUNK):
        found.update(piece)
    return found.hexdigest()


KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "hard link",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.DIRTYPE: "folder",
    tarfile.FIFOTYPE: "fifo",
}
