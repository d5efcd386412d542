"""Writes `masks.csv`: the mask of each image with its digest, in the order of `images.csv`; opens no mask.

Masks lie as their images do, under the same names. `stages/masks.py` reads them.
"""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING, Iterable

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ("path", "mask", "sha256")
NAME = "masks.csv"
FOLDER = "masks"


def write(out: Path, images: Iterable[str]) -> None:
    """List the masks in `out`/masks, which have the paths of the `images`."""
    lines = ((path, path, hashlib.sha256((out / FOLDER / path).read_bytes()).hexdigest()) for path in images)
    write_list(out, lines)


def write_list(out: Path, lines: Iterable[tuple[str, str, str]]) -> None:
    """Write lines of image, mask and the mask's SHA-256."""
    with (out / NAME).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows(lines)
