"""Which of the user's data is no longer what a run was made from, and, where an index of images tells, which file."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
from typing import TYPE_CHECKING

from coralline.verify.subject import UNREADABLE, content, document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from coralline.store import Artifact
    from coralline.verify.subject import Original, Subject

MOST_NAMED = 3
INDEX = "images.csv"
IMAGES = (".png", ".jpg", ".jpeg")


def changed(subject: Subject, externals: Mapping[str, Path], digest: Callable[[str], str]) -> dict[str, str]:
    """Say for each external whose digest is not the recorded one what differs, in words."""
    found: dict[str, str] = {}
    for label, step in subject.steps.items():
        original = subject.originals.get(label)
        for name, declared in step.externals.items():
            external = str(declared.external)
            if original is None or not declared.keyed:
                continue
            told, now = original.artifact.record["key_parts"]["inputs"].get(name), digest(external)
            if told != now:
                found[external] = _words(external, original, externals[external], str(told), now)
    return found


def _words(external: str, original: Original, place: Path, told: str, now: str) -> str:
    try:
        names = list(itertools.islice(_files(original.artifact, place), MOST_NAMED + 1)) if original.is_usable else []
    except UNREADABLE:  # an index of somebody else's
        names = []
    if not names:
        return f"{external}: its digest was {told[:12]} and is {now[:12]}"
    return f"{external}: " + ", ".join(names[:MOST_NAMED]) + (" and others" if names[MOST_NAMED:] else "")


def _files(dataset: Artifact, place: Path) -> Iterator[str]:
    """Name the images of a user's folder that are not what the data set's index says, or that it does not know."""
    if not place.is_dir() or not (dataset.path / INDEX).is_file() or _is_unpacked(dataset):
        return
    known = _indexed(dataset.path / INDEX)
    for path, sha256 in known.items():
        file = place / path
        if not file.is_file():
            yield f"{path} is gone"
        elif not file.resolve().is_relative_to(place.resolve()) or _sha256(file) != sha256:
            yield f"{path} changed"
    for file in sorted(one for one in place.glob("*/*/*") if one.suffix.lower() in IMAGES):
        if (path := file.relative_to(place).as_posix()) not in known and not path.startswith("."):
            yield f"{path} is new"


def _is_unpacked(dataset: Artifact) -> bool:
    """Whether the images came from zip files, of which the index says nothing."""
    return bool(document(dataset.path / "dataset.json")["images"] != "data")


def _indexed(index: Path) -> dict[str, str]:
    table = io.StringIO(content(index).decode("utf-8"), newline="")
    return {row["path"]: row["sha256"] for row in csv.DictReader(table)}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
