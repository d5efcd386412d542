"""Writes the bundle of a run: the same bytes for the same run, whenever, wherever and by whomever it is bundled."""

from __future__ import annotations

import functools
import hashlib
import os
from typing import TYPE_CHECKING

from coralline.bundle import archive, documents
from coralline.bundle.archive import Source
from coralline.bundle.layout import ENVELOPE, MANIFEST, SEALED_MANIFEST, STATEMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from coralline.bundle.contents import Contents

    Progress = Callable[[int, int], None]
    Sign = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]


def write(contents: Contents, place: Path, *, sign: Sign | None = None, progress: Progress | None = None) -> str:
    """Write a bundle to `place`, all of it or nothing, and return its SHA-256.

    `sign` turns documents, by member, into their envelopes; `progress(done, total)` counts bytes.

    Raises:
        ArtifactError: an output is not what its artifact says, or too large for a bundle.
    """
    told, sealed = contents.listing(), dict[str, bytes]()
    if sign is not None:
        statements = {name: text for name, text in contents.documents.items() if name.endswith(f"/{STATEMENT}")}
        sealed = {name.replace(STATEMENT, ENVELOPE): text for name, text in sign(statements).items()}
    told |= {name: documents.entry(envelope) for name, envelope in sealed.items()}
    manifest = contents.story.manifest(told)
    if sign is not None:
        sealed[SEALED_MANIFEST] = sign({MANIFEST: manifest})[MANIFEST]
    members = [*contents.members(), *(_document(name, envelope) for name, envelope in sealed.items())]
    counted = _counted(members, progress) if progress is not None else members
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with beside.open("x+b") as file:
            archive.write(file, counted, manifest)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
    return sha256


def _document(name: str, content: bytes) -> Source:
    return Source(name, len(content), lambda: (content,))


def _counted(members: Iterable[Source], progress: Progress) -> Iterator[Source]:
    """Let the bytes of members be counted as they are written."""
    every = list(members)
    total, done = sum(member.size for member in every), 0

    def count(member: Source) -> Iterator[bytes]:
        nonlocal done
        for block in member.blocks():
            yield block
            done += len(block)
            progress(done, total)

    for member in every:
        yield member._replace(blocks=functools.partial(count, member))
