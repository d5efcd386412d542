"""A tiny data set artifact in a second: coloured blobs on black, one colour and place for each class."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ("cc_numu", "cc_nue", "nc")


def make_dataset(
    folder: Path,
    *,
    size: int = 32,
    train: int = 20,
    test: int = 8,
    classes: tuple[str, ...] = CLASSES,
    seed: int = 1,
    brightest: int = 255,
) -> Path:
    """Write a dataset artifact with `train` and `test` images of each class."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, count in (("train", train), ("test", test)):
        for label, name in enumerate(classes):
            for index in range(count):
                path = f"{split}/{name}/{split}_{name}_{index:07d}.png"
                digest = save(folder / "images" / path, blob(rng, label, size, brightest))
                rows.append((split, name, label, path, digest))
    describe(folder, rows, size, classes)
    return folder


def blob(rng: np.random.Generator, label: int, size: int, brightest: int = 255) -> np.ndarray:
    """One noisy image with a blob in the colour channel of its class."""
    pixels = rng.integers(0, 30, (size, size, 3), dtype=np.uint8)
    edge = size // 3
    top, left = rng.integers(0, size - edge, 2)
    pixels[top : top + edge, left : left + edge, label % 3] = brightest - 15 * label
    return pixels


def save(path: Path, pixels: np.ndarray) -> str:
    """Write a PNG; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(folder: Path, rows: list[tuple[str, str, int, str, str]], size: int, classes: tuple[str, ...]) -> None:
    """Write `dataset.json` and `images.csv` for the rows."""
    splits: dict[str, dict[str, int]] = {}
    for split, name, *_ in rows:
        splits.setdefault(split, dict.fromkeys(classes, 0))[name] += 1
    document = {
        "schema": "coralline.dataset",
        "version": 1,
        "source": "simulate",
        "classes": list(classes),
        "size": [size, size],
        "splits": splits,
        "images": "artifact",
        "skipped": [],
    }
    (folder / "dataset.json").write_text(json.dumps(document), encoding="utf-8")
    with (folder / "images.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["split", "class", "label", "path", "sha256"])
        lines.writerows(sorted(rows, key=lambda row: (row[0], row[1], row[3])))


def make_step(
    folder: Path, stage: str, parameters: dict[str, object], inputs: dict[str, Path], *, threads: int = 2
) -> Path:
    """Write a `step.json` with empty `out` and `partial` beside it, as an engine would; its path."""
    out, partial = folder / "out", folder / "partial"
    out.mkdir(parents=True)
    partial.mkdir(exist_ok=True)
    document = {
        "schema": "coralline.step",
        "version": 1,
        "stage": stage,
        "label": stage,
        "parameters": parameters,
        "threads": threads,
        "inputs": {name: str(path) for name, path in inputs.items()},
        "out": str(out),
        "partial": str(partial),
        "missing": [],
    }
    (folder / "step.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "step.json"
