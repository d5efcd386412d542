"""A zip file in the one form that a bundle has: stored, sorted, without gaps, of no time, user or place.

Nothing is compressed: so the same members are the same bytes whichever zlib a Python has, a small archive cannot
become a large one, and each byte of the file is a byte of a member or of a header that can only be as it is
(headers.py).
The comment at the end is the seal: digests of the manifest and of the list of members. It finds damage; whoever changes
a bundle on purpose can seal it again, which only a signature finds.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from coralline.bundle import headers
from coralline.bundle.headers import MODE, MOMENT, UNIX
from coralline.bundle.layout import (
    MANIFEST,
    MOST_BYTES,
    MOST_DOCUMENT_BYTES,
    MOST_DOCUMENTS_BYTES,
    MOST_MEMBERS,
    broken,
    check_name,
)
from coralline.errors import ArtifactError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO, Self

BLOCK = 1 << 20
AHEAD = 8192  # bytes: of the 128 KiB that Python 3.14 would read ahead, a change would not be seen
LIST = "the list of members"
MOST_LIST_BYTES = 256 * 2**20

_SEAL = re.compile(rb"coralline\.bundle 1 manifest ([0-9a-f]{64}) list ([0-9a-f]{64})")
_SEAL_FORM = b"coralline.bundle 1 manifest %b list %b"
_UNSEALED = _SEAL_FORM % (b"0" * 64, b"0" * 64)


class Member(NamedTuple):
    """Where the bytes of a member are, and their CRC-32."""

    offset: int
    size: int
    checksum: int


class Archive:
    """A bundle's zip file, open to be read. Its form is checked here; what is in it is not, see reader.py.

    Raises:
        ProfileError: there is no such file.
        ArtifactError: it is not such a zip file.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ProfileError(f"{path} is not a file", hint="give the path of a bundle")
        try:
            self._file: BinaryIO = path.open("rb", buffering=AHEAD)
        except OSError as error:
            raise ProfileError(f"{path}: {error.strerror}", hint="give the path of a bundle") from error
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self._documents_bytes = 0
            seal, start = self._end()
            self.members = dict(self._listed(start))
            self._check_seal(*seal, start)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member, a block at a time."""
        offset, left, _ = self.members[name]
        while left > 0:
            block = self._read(offset, min(left, BLOCK))
            yield block
            offset, left = offset + len(block), left - len(block)

    def read(self, name: str) -> bytes:
        """Return a document as a whole.

        Raises:
            ArtifactError: it is missing, or too large to be one.
        """
        if name not in self.members:
            raise broken(name, "is missing")
        self._documents_bytes += self.members[name].size
        if self.members[name].size > MOST_DOCUMENT_BYTES or self._documents_bytes > MOST_DOCUMENTS_BYTES:
            raise broken(name, "is too large for a document, or there are too many")
        return b"".join(self.blocks(name))

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        content = self._file.read(size)
        if len(content) != size:
            raise broken("the end of the file", "is missing")
        return content

    def _end(self) -> tuple[tuple[bytes, bytes], int]:
        """Return the two digests of the seal, and where the list of members begins."""
        place = self.size - len(_UNSEALED) - headers.END.size
        seal = _SEAL.fullmatch(self._read(self.size - len(_UNSEALED), len(_UNSEALED))) if place >= 0 else None
        if seal is None:
            raise broken("the seal at the end of the file", "is missing or damaged, or this is no bundle")
        *_, size, _offset, comment = headers.END.unpack(self._read(place, headers.END.size))
        wide = place - headers.LOCATOR.size - headers.WIDE_END.size
        if wide >= 0 and self._read(wide, 4) == b"PK\x06\x06":
            size, _offset = headers.WIDE_END.unpack(self._read(wide, headers.WIDE_END.size))[-2:]
            place = wide
        if size > min(MOST_LIST_BYTES, place) or comment != len(_UNSEALED):
            raise broken(LIST, "is too long, or damaged")
        return (seal[1], seal[2]), place - size

    def _listed(self, start: int) -> Iterator[tuple[str, Member]]:
        if self._entries(start) > MOST_MEMBERS:  # each takes ten times its bytes once it is read
            raise broken(LIST, f"has more than {MOST_MEMBERS:,} members")
        try:
            with zipfile.ZipFile(self._file) as opened:
                listed = opened.infolist()
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, struct.error) as error:
            raise broken(LIST, f"is damaged: {error}") from error
        names = [member.filename for member in listed]
        if names != sorted(set(names)):
            raise broken(LIST, "has one twice, or is out of order")
        for name in names:
            check_name(name)
        known = set(names)
        for folder in (folder for name in names for folder in _parents(name) if folder in known):
            raise broken(folder, "is a file and a folder")
        ends = [member.header_offset for member in listed[1:]] + [start]
        expected = 0
        for member, end in zip(listed, ends, strict=True):
            header = headers.local(member)
            if member.header_offset != expected or end - expected != len(header) + member.file_size:
                raise broken(member.filename, "is not where the list of members says")
            if not _is_plain(member) or self._read(expected, len(header)) != header:
                raise broken(member.filename, "has a damaged header, or one that a bundle may not have")
            yield member.filename, Member(end - member.file_size, member.file_size, member.CRC)
            expected = end
        self._check_list(headers.listed(listed, start, len(_UNSEALED)), start)

    def _entries(self, start: int) -> int:
        """Return how many members the list that begins there has at most."""
        mark, known, tail, place = headers.ENTRY, 0, b"", start
        while block := self._read(place, min(BLOCK, self.size - place)):
            known += (tail + block).count(mark)
            tail, place = block[-len(mark) + 1 :], place + len(block)
        return known

    def _check_list(self, expected: bytes, start: int) -> None:
        """Demand the only list that such members can have, since readers of zip files pass over much of it."""
        if self.size - len(_UNSEALED) - start != len(expected) or self._read(start, len(expected)) != expected:
            raise broken(LIST, "is damaged, or one that a bundle may not have")

    def _check_seal(self, manifest: bytes, listed: bytes, start: int) -> None:
        if hashlib.sha256(self.read(MANIFEST)).hexdigest().encode() != manifest:
            raise broken(MANIFEST, "is not what the seal says")
        if _digest_of_list(self._file, start, self.size - len(_UNSEALED)) != listed:
            raise broken(LIST, "is not what the seal says")


class Source(NamedTuple):
    """A member to be written: its bytes are asked for when its turn has come."""

    name: str
    size: int
    blocks: Callable[[], Iterable[bytes]]


def write(place: BinaryIO, members: Iterable[Source], manifest: bytes) -> None:
    """Write a bundle into a file that is open to be read and written; `manifest` is written among its members.

    Raises:
        ArtifactError: a name or size that no bundle can hold, or bytes that are more or fewer than was said.
    """
    every = sorted([*members, Source(MANIFEST, len(manifest), lambda: (manifest,))])
    if len(every) > MOST_MEMBERS or len(manifest) > MOST_DOCUMENT_BYTES:
        raise ArtifactError(
            f"the bundle would have {len(every):,} files, and it may have {MOST_MEMBERS:,}",
            hint="leave the artifacts out",
        )
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as opened:
        opened.comment = _UNSEALED
        for member in every:
            _write_member(opened, member.name, member.size, member.blocks())
        start = opened.start_dir
    end = place.seek(0, os.SEEK_END) - len(_UNSEALED)
    listed = _digest_of_list(place, start, end)
    place.seek(end)
    place.write(_SEAL_FORM % (hashlib.sha256(manifest).hexdigest().encode(), listed))


def _write_member(opened: zipfile.ZipFile, name: str, size: int, blocks: Iterable[bytes]) -> None:
    check_name(name)
    if size > MOST_BYTES:
        raise ArtifactError(f"{name} is larger than {MOST_BYTES:,} bytes", hint="leave the artifacts out")
    member = zipfile.ZipInfo(name, MOMENT)
    member.create_system, member.external_attr, member.file_size = UNIX, MODE, size
    written = 0
    with opened.open(member, "w") as place:
        for block in blocks:
            written += place.write(block)
    if written != size:
        raise ArtifactError(f"{name} changed while it was bundled", hint="wait until nothing writes there")


def _parents(name: str) -> Iterator[str]:
    """Yield the folders in which a member is."""
    return (name[: found.start()] for found in re.finditer("/", name))


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether a member is an uncompressed file of no time, and neither a link nor a folder."""
    return (
        member.compress_type == zipfile.ZIP_STORED
        and member.compress_size == member.file_size <= MOST_BYTES
        and member.external_attr == MODE
        and member.date_time == MOMENT
    )


def _digest_of_list(file: BinaryIO, start: int, end: int) -> bytes:
    digest = hashlib.sha256()
    file.seek(start)
    while start < end and (block := file.read(min(BLOCK, end - start))):
        digest.update(block)
        start += len(block)
    return digest.hexdigest().encode()
