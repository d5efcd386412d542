"""Two builds of an image beside each other: which layers differ, and the first file that does where both are here."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.images import kept
from coralline.images.difference import Difference, first
from coralline.images.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.images.archive import Layer
    from coralline.images.digests import Digests

INSTALLED = "in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A layer that is not the same, from 1: where it can be looked for the first file, and for a base the packages."""

    layer: int
    file: Difference | None
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A fresh build beside another one: `other` says which."""

    other: str
    same_id: bool
    differing: tuple[Differing, ...]

    @property
    def equal(self) -> bool:
        """Whether layers and configuration are the same bytes."""
        return self.same_id and not self.differing

    @property
    def holds(self) -> bool:
        """Whether it bears out that images can be built again.

        What is in use may stand on packages that Debian has replaced since: where no snapshot of them can be had, that
        is no fault of the recipe, and it is said.
        """
        return self.equal or (self.other == INSTALLED and any(layer.packages for layer in self.differing))


def compare(mine: Digests, other: Digests, label: str, folder: Path) -> Compared:
    """Compare two builds; layers are only read where digests differ, and then below `folder`.

    Raises:
        ImageError: an image that is at hand cannot be read.
    """
    pairs = enumerate(zip_longest(mine.layers, other.layers), start=1)
    unlike = [number for number, (one, two) in pairs if one != two]
    packages = _packages(mine, other)
    with _layers(mine if unlike else None, folder) as here, _layers(other if unlike else None, folder) as there:
        differing = [
            Differing(layer=number, file=_file(number, here, there), packages=packages if number == 1 else ())
            for number in unlike
        ]
    return Compared(other=label, same_id=mine.id == other.id, differing=tuple(differing))


@contextmanager
def _layers(image: Digests | None, folder: Path) -> Iterator[list[Layer]]:
    """Give the layers of an image that is at hand, else none."""
    if image is None or (image.file is None and not image.image):
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="layers-", dir=folder) as place:
        path = image.file
        if path is None:
            path = Path(place, "image.tar")
            kept.save(image.image, path)
        with Saved(path) as saved, saved.layers(Path(place)) as layers:
            yield layers


def _packages(mine: Digests, other: Digests) -> tuple[str, ...]:
    """Name the packages of the bases that differ: this one's, or one that only the other has."""
    if not mine.packages or not other.packages:
        return ()
    return tuple(sorted(set(mine.packages) ^ set(other.packages)))


def _file(number: int, here: list[Layer], there: list[Layer]) -> Difference | None:
    return first(here[number - 1], there[number - 1]) if number <= min(len(here), len(there)) else None
