"""Writes what every source of data hands on, `dataset.json` and `images.csv`: the same bytes for the same images.

The form is that of docs/architecture.md; nothing here looks into an image.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from stages.contract import write_json

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ("split", "class", "label", "path", "sha256")
BATCH = 500

Progress = Callable[[int, int], None]


class Place(NamedTuple):
    """Where an image lies: `path` is relative to the root of the images, with forward slashes."""

    split: str
    name: str
    path: str


class Entry(NamedTuple):
    """One line of `images.csv`, but for the label, which follows from the class."""

    split: str
    name: str
    path: str
    sha256: str


def walk(root: Path, classes: Sequence[str], splits: Sequence[str]) -> List[Place]:
    """List `<split>/<class>/*.png` below `root`, of the given splits and classes only."""
    return [
        Place(split, name, path.relative_to(root).as_posix())
        for split in splits
        for name in classes
        for path in sorted((root / split / name).glob("*.png"))
    ]


def digest_all(root: Path, places: Sequence[Place], threads: int) -> List[Entry]:
    """Take the SHA-256 of every file."""

    def digest(place: Place) -> Entry:
        return Entry(*place, hashlib.sha256((root / place.path).read_bytes()).hexdigest())

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(digest, places, chunksize=BATCH))


def counts(entries: Sequence[Entry], classes: Sequence[str]) -> Dict[str, Dict[str, int]]:
    """Count the images of each split and class; a class that a split lacks counts 0."""
    found = Counter((entry.split, entry.name) for entry in entries)
    return {split: {name: found[split, name] for name in classes} for split in sorted({split for split, _ in found})}


def write(
    out: Path,
    source: str,
    classes: Sequence[str],
    size: Optional[Tuple[int, int]],
    entries: Sequence[Entry],
    *,
    images: str,
    skipped: Sequence[Dict[str, str]] = (),
    further: Optional[Dict[str, Any]] = None,
) -> Dict[str, Dict[str, int]]:
    """Write `dataset.json` and `images.csv` to `out` and return the number of images by split and class.

    `classes` is in the order of the labels, `size` is height and width (None where each image has its own), `images`
    says whether the paths are relative to the artifact's `images` or to the user's `data`. `further` is what else
    `dataset.json` says.
    """
    splits = counts(entries, classes)
    document = {
        "schema": "coralline.dataset",
        "version": 1,
        "source": source,
        "classes": list(classes),
        "size": None if size is None else list(size),
        "splits": splits,
        "images": images,
        "skipped": list(skipped),
        **(further or {}),
    }
    write_json(out / "dataset.json", document)
    label = {name: number for number, name in enumerate(classes)}
    with (out / "images.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows((one.split, one.name, label[one.name], one.path, one.sha256) for one in sorted(entries))
    return splits
