"""A tiny data set of images with masks in a second: bright lines among grey blobs; lines are sought."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from synthetic import describe, save

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "drawing"
VALUES = ["none", "blob", "line"]


def make_masked(folder: Path, *, size: int = 16, train: int = 24, test: int = 8, seed: int = 1) -> Path:
    """Write a dataset artifact with masks: 0 none, 1 blob, 2 line."""
    rng = np.random.default_rng(seed)
    rows, listed = [], []
    for split, count in (("train", train), ("test", test)):
        for index in range(count):
            path = f"{split}/{GROUP}/{split}_{index:03d}.png"
            pixels, mask = drawing(rng, size)
            rows.append((split, GROUP, 0, path, save(folder / "images" / path, pixels)))
            listed.append((path, path, save_mask(folder / "masks" / path, mask)))
    describe(folder, rows, size, (GROUP,))
    told = json.loads((folder / "dataset.json").read_text())
    about = {"source": "drawings", "about": "Drawings.", "masks": {"values": VALUES, "sought": "line"}}
    (folder / "dataset.json").write_text(json.dumps({**told, **about}), encoding="utf-8")
    with (folder / "masks.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["path", "mask", "sha256"])
        lines.writerows(sorted(listed))
    return folder


def drawing(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One image and its mask."""
    pixels, mask = rng.integers(0, 20, (size, size, 3), dtype=np.uint8), np.zeros((size, size), np.uint8)
    top, left = rng.integers(0, size - 4, 2)
    pixels[top : top + 4, left : left + 4], mask[top : top + 4, left : left + 4] = 90, 1
    row = int(rng.integers(0, size))
    pixels[row], mask[row] = 255, 2
    return pixels, mask


def save_mask(path: Path, mask: np.ndarray) -> str:
    """Write a mask; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
