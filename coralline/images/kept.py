"""How images enter and leave the daemon: loaded, settled under the id that they have at every site, saved, untagged.

A builder writes the time and its own name into an image's configuration, so that the id differs with every build of the
same layers. Settling gives the image a configuration without them.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.errors import ImageError
from coralline.images import archive, builder
from coralline.images.built import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def load(layers: Iterable[archive.Layer], configuration: bytes, *, tag: str, log: Path) -> str | None:
    """Hand the configured image to the daemon under a name; return its id, or None when the daemon refuses it."""
    command = [builder.client().program, "load", "--quiet"]
    try:
        with (
            log.open("ab") as out,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=out, env=builder.environment()
            ) as process,
        ):
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            image_id = archive.write(process.stdin, layers, configuration, tag=tag, epoch=EPOCH)
    except BrokenPipeError:  # it has seen enough to refuse it
        return None
    return image_id if process.returncode == 0 and daemon.image(image_id) is not None else None


def settle(image_id: str, *, name: str, log: Path) -> str:
    """Give a built image the configuration that it has at every site, and its name; return its id then.

    The layers stay where they are: the daemon has them already and needs to be told the configuration only. A daemon
    that wants them all the same keeps the image as it was built, whose id then says when that was.
    """
    found = facts(image_id)
    beside = f"coralline-settling:{image_id.removeprefix('sha256:')[:24]}"
    settled = load([], archive.normalised(found, EPOCH), tag=beside, log=log)
    if settled is None or facts(settled)["RootFS"] != found["RootFS"]:
        remove(beside)
        return image_id
    tag(settled, name)
    remove(beside)
    if not (daemon.image(image_id) or found)["RepoTags"]:  # a name that it has is somebody else's
        remove(image_id)
    return settled


def save(image_id: str, out: Path, tell: Callable[[int], None] = lambda _: None) -> None:
    """Write the image as the daemon writes it; `tell` gets the bytes written so far.

    Raises:
        ImageError: the daemon cannot save it.
    """
    command = [builder.client().program, "save", image_id]
    with (
        out.open("xb") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=builder.environment()) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        while piece := process.stdout.read(archive.CHUNK):
            file.write(piece)
            tell(file.tell())
        said = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise ImageError(f"the image {image_id} cannot be saved: {said}", hint="is the daemon well? ./run doctor")


def take(file: Path) -> None:
    """Load an archive that `save` or an export wrote, under the name that it was written with.

    Raises:
        ImageError: the daemon refuses it.
    """
    command = [builder.client().program, "load", "--quiet", "--input", os.fspath(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=builder.environment())
    if done.returncode != 0:
        raise ImageError(f"{file} cannot be loaded into Docker: {done.stderr.strip()}", hint="copy or pack it again")


def tag(image_id: str, name: str) -> None:
    """Give an image a name."""
    _docker("tag", image_id, name)


def remove(name: str) -> None:
    """Take a name away, and the image with its last one; one that is in use, or gone already, stays as it is."""
    _docker("rmi", name)


def remove_all(prefix: str) -> None:
    """Take away all names that begin so, and the images that have no other."""
    listed = _docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={prefix}*")
    for name in listed.split():
        remove(name)


def facts(name: str) -> dict[str, Any]:
    """Return what the daemon knows of an image.

    Raises:
        ImageError: the daemon does not have it.
    """
    found = daemon.image(name)
    if found is None:
        raise ImageError(f"the image {name} is gone", hint="something removed it; try again")
    return found


def _docker(*words: str) -> str:
    command = [builder.client().program, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=builder.environment()).stdout
