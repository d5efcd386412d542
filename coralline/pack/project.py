"""The project as one tar: what makes it run, the same bytes from the same files, and nothing of its user's."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from coralline.images.built import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "coralline"
FOLDERS = ("benchmarks", "coralline", "docker", "docs", "profiles", "requirements", "stages", "tests")
FILES = ("*.md", "CITATION.cff", "LICENSE", "pyproject.toml", "run", "tasks.py")


def write(project: Path, out: Path) -> None:
    """Write the archive; files that were added to the project's folders are in it, committed or not."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in files(project):
            archive.add(path, f"{NAME}/{path.relative_to(project)}", recursive=False, filter=_plain)


def files(project: Path) -> list[Path]:
    """Return the project's own files; what tools leave behind and what begins with a dot is none of it."""
    named = [path for pattern in FILES for path in project.glob(pattern)]
    inside = [path for folder in FOLDERS for path in _below(project / folder)]
    return sorted(path for path in (*named, *inside) if path.is_file() and not path.is_symlink())


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in parts):
            yield path


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = EPOCH, 0, 0, "", ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry
