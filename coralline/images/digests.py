"""What one build of an image is made of, to be set beside another site's: layers, id, and the packages of its base."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.errors import ImageError, ProfileError
from coralline.images import archive
from coralline.images.built import EPOCH, PREFIX
from coralline.images.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coralline.images import Images

SCHEMA = "coralline.image-digests"
LARGEST = 16 << 20  # bytes of a document of another site


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """One build of the image `name`; `id` is the one that it has once the builder's own notes are left out.

    `packages` are those of the base, empty where nobody knows them. `image` is what this machine's daemon calls it, and
    `file` the archive that holds it, where there is one: only then can a difference be looked for in the layers.
    """

    name: str
    id: str
    layers: tuple[str, ...]
    packages: tuple[str, ...] = ()
    way: str = ""
    image: str = ""
    file: Path | None = None


def built(images: Images, name: str) -> Digests | None:
    """Return the digests of an image that the daemon has, or None."""
    known, base = images.recorded(name), images.base(name)
    found = daemon.image(known["id"]) if known is not None else None
    if known is None or base is None or found is None:
        return None
    return Digests(
        name=name,
        id=_id(found),
        layers=tuple(found["RootFS"]["Layers"]),
        packages=tuple(base["packages"]),
        way=str(base["way"]),
        image=str(known["id"]),
    )


def read(path: Path) -> dict[str, Digests]:
    """Return the images that another site tells of: what its `--json` printed, or an archive that it saved.

    Raises:
        ProfileError: there is no such file.
        ImageError: it is neither.
    """
    try:
        with path.open("rb") as file:
            is_document = file.read(1) == b"{"
    except OSError as error:
        raise ProfileError(
            f"{str(path)!r} cannot be read: {error.strerror}", hint="give what `./run image.verify --json` printed"
        ) from error
    found = _told(path) if is_document else [_archived(path)]
    return {image.name: image for image in found}


def document(images: Iterable[Digests]) -> list[dict[str, Any]]:
    """Return what another site needs to compare its own images with these."""
    return [
        {
            "name": image.name,
            "id": image.id,
            "layers": list(image.layers),
            "base_way": image.way,
            "base_packages": list(image.packages),
        }
        for image in images
    ]


def _told(path: Path) -> list[Digests]:
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError  # noqa: TRY301 - refused in the same words
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA or told["version"] != 1:
            raise ValueError  # noqa: TRY301
        return [_one(entry) for entry in told["images"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ImageError(
            f"{path.name} is not what `./run image.verify --json` prints", hint="make it again at the other site"
        ) from error


def _one(entry: Any) -> Digests:
    name, image_id, layers, packages = entry["name"], entry["id"], entry["layers"], entry["base_packages"]
    if not all(isinstance(word, str) for word in (name, image_id, entry["base_way"], *layers, *packages)):
        raise TypeError
    return Digests(name=name, id=image_id, layers=tuple(layers), packages=tuple(packages), way=entry["base_way"])


def _archived(path: Path) -> Digests:
    with Saved(path) as saved:
        told = saved.configuration
        names = [name.rpartition("/")[2].partition(":")[0] for name in saved.names]
        ours = [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
        if not ours or not isinstance(told.get("config"), dict):
            raise ImageError(f"{path.name} holds no image of ours", hint="save one: ./run image.save NAME --to FILE")
        facts = {
            "Config": told["config"],
            "RootFS": {"Layers": saved.digests},
            "Architecture": told.get("architecture"),
            "Os": told.get("os"),
        }
        return Digests(name=ours[0], id=_id(facts), layers=tuple(saved.digests), file=path)


def _id(facts: dict[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(archive.normalised(facts, EPOCH)).hexdigest()
