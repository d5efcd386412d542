"""The documents that a bundle derives from records and runs: each is the same bytes for the same record.

The reader derives them once more and compares, so a bundle in which they disagree with the records is refused. Of an
earlier form, in which they had other words, it compares the digests that they state.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from coralline import provenance
from coralline.bundle import crate
from coralline.bundle.layout import CRATE, ENVELOPE, STATEMENT, member_of, object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Listing = dict[str, list[Any]]  # path -> [sha256, size in bytes]
FORM = 2  # of the documents below: goes up when one of them is derived otherwise, and earlier ones can still be read

# What stands before these in a log names the machine that wrote it, and nothing else.
_PART = rb"[^\s/:\"'()<>,;]{1,255}/"
_INSIDE = rb"(?:objects|building|partial)/[0-9a-f]{64}|stages/|lib/python3"
_PLACES = re.compile(rb"/(?:%b){0,32}(?=%b)|/(?:home|Users)/%b|/root/" % (_PART, _INSIDE, _PART))


@dataclass(frozen=True, slots=True)
class Story:
    """All that the derived documents are made from: a run and the record and list of files of each artifact."""

    run: dict[str, Any]
    records: Mapping[str, dict[str, Any]]  # by key
    files: Mapping[str, Listing]  # by key
    version: str  # of the Coralline that bundles

    def statements(self) -> Iterator[tuple[str, bytes]]:
        """Yield the provenance of each artifact, by member."""
        for key, record in sorted(self.records.items()):
            told = provenance.statement(record, self.files[key])
            yield member_of(key, STATEMENT), text(told)

    def crate(self, members: Mapping[str, list[Any]]) -> bytes:
        """Return the description of the crate that has these members; signatures are not told of in it."""
        told = {name: entry for name, entry in members.items() if name != CRATE and not _is_envelope(name)}
        return text(crate.describe(self.run, self.records, told))

    def misstated(self, members: Mapping[str, list[Any]], document: Callable[[str], Any]) -> Iterator[str]:
        """Yield which documents of an earlier form state other digests than records and members have."""
        for key, record in self.records.items():
            name = member_of(key, STATEMENT)
            if document(name)["subject"] != provenance.subjects(record, self.files[key]):
                yield name
        stated = {unquote(one["@id"]): one["sha256"] for one in document(CRATE)["@graph"] if "sha256" in one}
        if any(members.get(name, [""])[0] != digest for name, digest in stated.items()):
            yield CRATE

    def manifest(self, members: Mapping[str, list[Any]]) -> bytes:
        """Return the list of all members but itself."""
        told = {"schema": "coralline.bundle", "version": FORM, "coralline": self.version, "members": dict(members)}
        return text(told)


def _is_envelope(name: str) -> bool:
    inside = object_of(name)
    return inside is not None and inside[1] == ENVELOPE


def run(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run without what names a place: of a profile that is a file of the user's, its name remains.

    Reasons are told as logs are. Its steps stay in the order of the graph, so it must not be written with `text`.
    """
    request = {**told["request"], "profile": str(told["request"].get("profile", "")).rpartition("/")[2]}
    steps = {label: {**step, "reason": _without_places(step["reason"])} for label, step in told["steps"].items()}
    return {**told, "request": request, "steps": steps}


def _without_places(reason: str) -> str:
    return log(reason.encode()).decode()


def log(content: bytes) -> bytes:
    """Return a log in which files of the store, the project and the packages begin there, and homes are not named."""
    return _PLACES.sub(b"", content)


def text(told: Any) -> bytes:
    """Return a document as a bundle writes it: in one order, readable."""
    return (json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def entry(content: bytes) -> list[Any]:
    """Return what the manifest says of a document."""
    return [hashlib.sha256(content).hexdigest(), len(content)]
