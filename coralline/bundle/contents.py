"""Gathers what goes into the bundle of a run: documents, and outputs that are hashed once more as they are read."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from coralline.bundle import documents, locks
from coralline.bundle.archive import BLOCK, Source
from coralline.bundle.layout import CRATE, FILES, RECORD, RUN, member_of
from coralline.errors import ArtifactError, NothingToDoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from coralline.bundle.documents import Listing
    from coralline.runs import Run
    from coralline.store import Artifact, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a bundle will hold: the documents by member, and where the outputs are, each with its digest and size."""

    story: documents.Story
    documents: Mapping[str, bytes]
    outputs: Mapping[str, tuple[Path, list[Any]]]
    locks_missing: frozenset[str]  # images whose lock is not what it was

    def listing(self) -> Listing:
        """Return digest and size of every member so far."""
        told = {name: documents.entry(content) for name, content in self.documents.items()}
        return told | {name: entry for name, (_, entry) in self.outputs.items()}

    def members(self) -> Iterator[Source]:
        """Yield every member so far."""
        for name, content in self.documents.items():
            yield Source(name, len(content), functools.partial(lambda content: (content,), content))
        for name, (path, (sha256, size)) in self.outputs.items():
            yield Source(name, size, functools.partial(_blocks, path, sha256))


def gather(run: Run, store: Store, *, outputs: bool, version: str) -> Contents:
    """Gather the bundle of a run, with or without outputs, by the Coralline of this version.

    Raises:
        NothingToDoError: the run has made and reused nothing.
        ArtifactError: an artifact of the run is not in the store any more.
    """
    told = documents.run(json.loads((run.folder / "run.json").read_bytes()))
    found = _artifacts(told, store)
    if not found:
        raise NothingToDoError(f"run {run.id} has finished no step", hint="carry the request out, and bundle that run")
    listings = {key: json.loads((artifact.path / FILES).read_bytes()) for key, artifact in found.items()}
    story = documents.Story(told, {key: artifact.record for key, artifact in found.items()}, listings, version)
    packages, changed = locks.gather(artifact.record for artifact in found.values())
    written = {
        RUN: (json.dumps(told, indent=1) + "\n").encode(),
        **dict(_logs(run, told)),
        **packages,
        **dict(story.statements()),
    }
    for key, artifact in found.items():
        written[member_of(key, RECORD)] = (artifact.path / RECORD).read_bytes()
        written[member_of(key, FILES)] = (artifact.path / FILES).read_bytes()
    files = {
        member_of(key, path): (artifact.path / path, entry)
        for key, artifact in (found.items() if outputs else ())
        for path, entry in listings[key].items()
    }
    bare = Contents(story=story, documents=written, outputs=files, locks_missing=frozenset(changed))
    return replace(bare, documents={**written, CRATE: story.crate(bare.listing())})


def _artifacts(run: Mapping[str, Any], store: Store) -> dict[str, Artifact]:
    found = {}
    for label, told in run["steps"].items():
        if told["state"] in {"made", "reused"}:
            artifact = store.find(told["key"])
            if artifact is None:
                raise ArtifactError(
                    f"{label}: its artifact is not in the store any more", hint="carry the same request out again"
                )
            found[artifact.key] = artifact
    return found


def _logs(run: Run, told: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for label in told["steps"]:
        path = run.log(label)
        if path.exists():
            yield f"logs/{path.name}", documents.log(path.read_bytes())


def _blocks(path: Path, sha256: str) -> Iterator[bytes]:
    """Yield a file's bytes.

    Raises:
        ArtifactError: they are not those that the artifact's list of files names.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                yield block
    except FileNotFoundError:
        digest = hashlib.sha256()
    if digest.hexdigest() != sha256:
        raise ArtifactError(
            f"{path.name} of the artifact {path.parent.name} is not what its list of files says",
            hint="./run fsck finds what is damaged; what is missing then is made again",
        )
