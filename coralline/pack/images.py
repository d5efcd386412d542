"""The images of a pack: one archive for each, for each base and for the orchestrator; present ones are kept."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coralline import offline
from coralline.errors import ImageError
from coralline.images import Images, archive, builder, kept
from coralline.images.built import EPOCH
from coralline.images.export import export
from coralline.images.saved import Saved
from coralline.notices import Kind, Notice, Notify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORCHESTRATOR = "orchestrator"
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image of the daemon, and what its archive is called."""

    name: str
    id: str
    tag: str


def save(names: list[str], project: Path, folder: Path, notify: Notify) -> list[str]:
    """Have the archives of the named images below `folder`, built where they are missing; return their paths in it."""
    (folder / offline.IMAGES).mkdir(exist_ok=True)
    paths = []
    for wanted in {one.name: one for one in _wanted(names, project, notify)}.values():
        paths.append(f"{offline.IMAGES}/{wanted.name}.tar")
        out = folder / paths[-1]
        if not _is_there(wanted, out):
            export(wanted.id, wanted.tag, out, _telling(notify, wanted.name))
    return paths


def _wanted(names: list[str], project: Path, notify: Notify) -> Iterator[Wanted]:
    images = Images(project)
    for name in names:
        label = f"image {name}"
        image_id = images.build(
            name,
            lambda event, label=label: notify(Notice(kind=Kind.PROGRESS, label=label, text=event["message"])),  # type: ignore[misc]
        )
        base = images.base(name)
        assert base is not None, name  # noqa: S101 - an image that is there has one
        yield Wanted(f"base-{base['suite']}", base["id"], base["tag"])
        yield Wanted(name, image_id, images.tag(name))
    notify(Notice(kind=Kind.PROGRESS, label=f"image {ORCHESTRATOR}"))
    tag = _orchestrator(project)
    yield Wanted(ORCHESTRATOR, kept.facts(tag)["Id"], tag)


def _orchestrator(project: Path) -> str:
    """Have the orchestrator's image, by the one way that there is to make it, and return its name."""
    command = ["sh", os.fspath(project / "docker" / ORCHESTRATOR / "build.sh")]
    done = subprocess.run(command, capture_output=True, text=True, env=builder.environment(), check=False)
    if done.returncode != 0:
        raise ImageError("the image of the orchestrator cannot be built", hint=done.stderr.strip()[-800:])
    return done.stdout.strip()


def _is_there(wanted: Wanted, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with Saved(path) as saved:
            same = saved.configuration == json.loads(archive.normalised(kept.facts(wanted.id), EPOCH))
            return same and wanted.tag in saved.names
    except ImageError:  # damaged, or no archive: written again
        return False


def _telling(notify: Notify, name: str) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        label, megabytes = f"image {name}", (done // MEGABYTE, total // MEGABYTE)
        notify(Notice(kind=Kind.PROGRESS, label=label, text="saving", done=megabytes[0], total=megabytes[1], unit="MB"))

    return tell
