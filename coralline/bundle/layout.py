"""What a bundle holds and under which names: the one place that its writer and its reader agree on.

ro-crate-metadata.json       the bundle as other tools read it (crate.py)
manifest.json                path -> [sha256, size] of every other member but its own signature
manifest.dsse.json           the manifest, signed; only with --sign
run.json                     as in runs/ID
logs/LABEL.log               the logs of the steps that the run made
locks/NAME-DIGEST.lock       the locked packages of the images, where they are still those that were used
objects/KEY/record.json, files.json, provenance.json, provenance.dsse.json
objects/KEY/...              the outputs, with --artifacts
"""

from __future__ import annotations

import re
from typing import Any

from coralline.errors import ArtifactError

CRATE = "ro-crate-metadata.json"
MANIFEST = "manifest.json"
SEALED_MANIFEST = "manifest.dsse.json"
RUN = "run.json"
RECORD, FILES, STATEMENT, ENVELOPE = "record.json", "files.json", "provenance.json", "provenance.dsse.json"
OWN = frozenset({RECORD, FILES, STATEMENT, ENVELOPE})  # of an artifact's folder; all else there is an output

MOST_MEMBERS = 400_000
MOST_BYTES = 2 * 10**9  # of one member: zip needs no wider fields up to here
MOST_DOCUMENT_BYTES = 96 * 2**20  # of a member that is read as a whole: the manifest of so many members
MOST_DOCUMENTS_BYTES = 2**30  # of all those together
MOST_VALUES = 15 * MOST_MEMBERS  # in all documents that are parsed: each list of files has three for each of them
LONGEST_NAME, LONGEST_PART = 1_000, 255  # bytes
DEEPEST = 32  # folders, one in another

_KNOWN = re.compile(
    rf"{re.escape(CRATE)}|{re.escape(MANIFEST)}|{re.escape(SEALED_MANIFEST)}|{re.escape(RUN)}"
    r"|logs/[^/]+\.log|locks/[^/]+\.lock|objects/(?P<key>[0-9a-f]{64})/(?P<path>.+)"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def broken(member: str, what: str) -> ArtifactError:
    """Say what is wrong with which member of a bundle."""
    return ArtifactError(
        f"{member} {what}", hint="the bundle was damaged or changed; nothing was taken from it: ask for it again"
    )


def check_name(name: str) -> None:
    """Refuse a member that could be written anywhere but in its own place, or that cannot be told from another.

    Raises:
        ArtifactError: it is no name of a bundle's member.
    """
    parts = name.split("/")
    if (
        not name.isprintable()
        or "\\" in name
        or any(part in {"", ".", ".."} or len(part.encode()) > LONGEST_PART for part in parts)
        or len(name.encode()) > LONGEST_NAME
        or len(parts) > DEEPEST
    ):
        raise broken(repr(name[:LONGEST_PART]), "is not a name that a bundle may hold")
    if not _KNOWN.fullmatch(name):
        raise broken(name, "is not a part of a bundle")


def object_of(name: str) -> tuple[str, str] | None:
    """Return the artifact's key and the path in it of a member below `objects/`, else None."""
    found = _KNOWN.fullmatch(name)
    return (found["key"], found["path"]) if found and found["key"] else None


def member_of(key: str, path: str) -> str:
    """Return the member that holds a file of an artifact."""
    return f"objects/{key}/{path}"


def is_listing(value: Any) -> bool:
    """Whether a foreign value is a list of files as `files.json` and the manifest hold it: path -> [sha256, size]."""
    return isinstance(value, dict) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and _DIGEST.fullmatch(entry[0])
        and type(entry[1]) is int
        and 0 <= entry[1] <= MOST_BYTES
        for entry in value.values()
    )
