"""A folder from which a site without network sets itself up: wheels, the project, images on request, and all digests.

The same project gives the same list of digests. A pack that was interrupted is gone on with: what is there is kept.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coralline import offline
from coralline.environments import PYTHON
from coralline.errors import ProfileError
from coralline.images import Images, built
from coralline.notices import Kind, Notice, Notify
from coralline.pack import project as own
from coralline.pack import wheels

if TYPE_CHECKING:
    from pathlib import Path

HOST_PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # the site's may be any of them
DEVELOPERS = ("lint", "stage-tests", "test")  # locks that no run needs
PROJECT_FILE, READ_ME = "coralline.tar", "README.txt"
HOW = f"""\
Coralline with all that it needs, for Linux on x86-64 without network.

    tar -xf {PROJECT_FILE} && cd {own.NAME}
    ./run --offline DIR all --model inceptionv3      DIR is this folder

The steps run in Python {PYTHON}, or in the images below images/ where Docker is there. Once a run has set up what it
needs, --offline DIR may be left away. `sha256sum -c {offline.SUMS}` checks all. More: docs/how-to/without-network.md
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was packed: `sha256` is the digest of the list of digests."""

    folder: Path
    files: int
    size_bytes: int
    sha256: str


def make(project: Path, folder: Path, notify: Notify, *, images: bool, gpus: bool) -> Packed:
    """Make `folder` a complete pack of the project, fetching what it lacks.

    Raises:
        ProfileError: `folder` cannot be written to, or is somebody else's.
        ImageError: a wheel cannot be had, or an image cannot be built.
        EngineError: `images` are wanted and there is no Docker.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_is_ours(folder)
        with built.held(project / ".coralline" / "pack.lock"):  # what another is writing looks like what a kill left
            return _filled(project, folder, notify, images=images, gpus=gpus)
    except OSError as error:
        raise ProfileError(
            f"--to {str(folder)!r} cannot be written: {error.strerror or error}",
            hint="name a folder, on a disk with room; what is there stays, and the same command goes on",
        ) from error


def _check_is_ours(folder: Path) -> None:
    """Refuse a folder in which files of the user's would be written over."""
    theirs = [name for name in (offline.SUMS, READ_ME) if (folder / name).exists()]
    if theirs and not (folder / PROJECT_FILE).exists():
        raise ProfileError(
            f"--to {str(folder)!r} holds {theirs[0]}, which no `./run pack` wrote", hint="name a new folder in it"
        )


def _filled(project: Path, folder: Path, notify: Notify, *, images: bool, gpus: bool) -> Packed:
    (folder / offline.SUMS).unlink(missing_ok=True)  # nobody may take half a pack for a whole one
    for left in (*folder.glob(f"{offline.WHEELS}/{wheels.BESIDE}*"), *folder.glob(f"{offline.IMAGES}/{built.BESIDE}*")):
        shutil.rmtree(left, ignore_errors=True)  # gigabytes of one that was killed
    fetched = wheels.fetch(_pins(project, gpus=gpus), folder / offline.WHEELS, _telling(notify, "wheels"))
    notify(Notice(kind=Kind.DONE, label="wheels"))
    own.write(project, folder / PROJECT_FILE)
    (folder / READ_ME).write_text(HOW, encoding="utf-8")
    paths = [PROJECT_FILE, READ_ME, *(f"{offline.WHEELS}/{name}" for name in fetched)]
    if images:
        from coralline.pack.images import save

        paths += save(_images(project, gpus=gpus), project, folder, notify)
    return _listed(folder, sorted(paths), notify)


def _pins(project: Path, *, gpus: bool) -> list[wheels.Pin]:
    docker, requirements = project / "docker", project / "requirements"
    stages = [docker / name / "requirements.lock" for name in _images(project, gpus=gpus)]
    tools = [path for path in sorted(requirements.glob("*.lock")) if path.stem not in DEVELOPERS]
    host = [pin for python in HOST_PYTHONS for pin in wheels.pins(requirements / "host.lock", python)]
    return host + [pin for lock in (*stages, *tools) for pin in wheels.pins(lock, PYTHON)]


def _images(project: Path, *, gpus: bool) -> list[str]:
    """Return the images that need no vendor; those for a GPU where one is here, or is asked for."""
    images = Images(project)
    return [name for name in (images.names() if gpus else images.usual()) if not images.is_vendor(name)]


def _listed(folder: Path, paths: list[str], notify: Notify) -> Packed:
    """Write the list of digests, last."""
    tell, lines, size = _telling(notify, "digests", unit="file"), [], 0
    for done, path in enumerate(paths):
        tell(done, len(paths))
        lines.append(f"{offline.digest(folder / path)}  {path}\n")
        size += (folder / path).stat().st_size
    notify(Notice(kind=Kind.DONE, label="digests"))
    text = "".join(lines)
    (folder / offline.SUMS).write_text(text, encoding="utf-8")
    return Packed(
        folder=folder, files=len(paths), size_bytes=size, sha256=hashlib.sha256(text.encode("utf-8")).hexdigest()
    )


def _telling(notify: Notify, label: str, unit: str = "wheel") -> wheels.Tell:
    return lambda done, total: notify(Notice(kind=Kind.PROGRESS, label=label, done=done, total=total, unit=unit))
