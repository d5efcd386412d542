"""What was built here: one JSON file for each image, valid for one recipe, and a lock so that one process builds it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

EPOCH = 1735689600  # 2025-01-01: every time in an image is this one
PREFIX = "coralline-"  # of the names of the images in use
BESIDE = ".coralline-save-"  # begins the names of folders in which an archive is written


def load(path: Path, recipe: str) -> dict[str, Any] | None:
    """Return what was recorded for this recipe, or None when nothing was, or for another one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("recipe_digest") == recipe else None


def save(path: Path, document: dict[str, Any]) -> None:
    """Record it; a reader sees this or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, waiting for whoever has it; the kernel lets go when a holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest_of_files(paths: Iterable[Path]) -> str:
    """Return one SHA-256 for the names and contents of files."""
    pairs = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    return digest_of(pairs)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a plain value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
