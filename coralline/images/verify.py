"""Builds images from nothing at places that differ in all that must not matter, and says whether the bytes are equal.

Each is built twice, or once where another site has built it already; what is in use is compared too, and left alone.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coralline.images import built as records
from coralline.images import digests, kept
from coralline.images.difference import Difference, first
from coralline.images.rebuild import Site
from coralline.images.saved import Saved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.engines.base import OnEvent
    from coralline.images import Images
    from coralline.images.archive import Layer
    from coralline.images.digests import Digests

AGAIN, INSTALLED = "built twice", "in use"
BEGUN = "begun"  # the event that tells of another build


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of one image."""

    image: Digests
    compared: tuple[Compared, ...]


class Verification:
    """Builds images aside and compares them; a context, which leaves nothing behind."""

    def __init__(self, images: Images, home: Path, there: Mapping[str, Digests] | None, file: str = "") -> None:
        self._images, self._home = images, home
        self._there, self._file = there, file
        self.prefix = f"coralline-rebuilt-{records.digest_of(str(home))[:8]}-"  # of every name that it gives
        self._stack = ExitStack()
        self._sites: tuple[Site, ...] = ()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(records.held(self._home / "rebuilt.lock"))  # one at a time: the names are this one's
            stack.callback(kept.remove_all, self.prefix)
            kept.remove_all(self.prefix)  # of one that was killed
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coralline-rebuilt-")))
            self._folder.chmod(0o755)
            near, far = _sites(self._folder, self.prefix)
            self._sites = (near, far) if self._there is None else (far,)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def builds(self) -> int:
        """How often an image is built."""
        return len(self._sites)

    def verify(self, name: str, progress: OnEvent) -> Verdict:
        """Build the image from nothing and compare it with every other build that is at hand.

        Raises:
            ImageError: it cannot be built.
        """
        made = [self._made(site, name, progress) for site in self._sites]
        try:
            others = dict(self._others(name, made))
            compared = [self._compare(made[0], label, other) for label, other in others.items()]
            return Verdict(image=made[0], compared=tuple(compared))
        finally:
            for site in self._sites:
                kept.remove(site.images.tag(name))

    def _made(self, site: Site, name: str, progress: OnEvent) -> Digests:
        progress({"event": BEGUN, "message": f"from nothing, in {site.folder}"})
        site.build(name, progress)
        found = digests.built(site.images, name)
        assert found is not None  # noqa: S101 - it was just built
        return found

    def _others(self, name: str, made: list[Digests]) -> Iterator[tuple[str, Digests]]:
        yield from ((AGAIN, other) for other in made[1:])
        installed = digests.built(self._images, name)
        if installed is not None:
            yield INSTALLED, installed
        if self._there is not None and name in self._there:
            yield self._file, self._there[name]

    def _compare(self, mine: Digests, label: str, other: Digests) -> Compared:
        pairs = list(enumerate(zip_longest(mine.layers, other.layers), start=1))
        unlike = [number for number, (one, two) in pairs if one != two]
        packages = _packages(mine, other)
        with self._layers(mine if unlike else None) as here, self._layers(other if unlike else None) as there:
            differing = [
                Differing(layer=number, file=_file(number, here, there), packages=packages if number == 1 else ())
                for number in unlike
            ]
        return Compared(other=label, same_id=mine.id == other.id, differing=tuple(differing))

    @contextmanager
    def _layers(self, image: Digests | None) -> Iterator[list[Layer]]:
        """Give the layers of an image that is at hand, else none."""
        if image is None or (image.file is None and not image.image):
            yield []
            return
        with tempfile.TemporaryDirectory(prefix="layers-", dir=self._folder) as folder:
            path = image.file
            if path is None:
                path = Path(folder, "image.tar")
                kept.save(image.image, path)
            with Saved(path) as saved, saved.layers(Path(folder)) as layers:
                yield layers


def _sites(folder: Path, prefix: str) -> tuple[Site, Site]:
    return (
        Site(
            folder=folder / "a",
            prefix=f"{prefix}a-",
            umask=0o022,
            user="builder",
            language="C.UTF-8",
            zone="UTC",
        ),
        Site(
            folder=folder / "another" / "place" / "much" / "deeper",
            prefix=f"{prefix}another-",
            umask=0o077,
            user="somebody-else",
            language="C",
            zone="Pacific/Kiritimati",
        ),
    )


def _packages(mine: Digests, other: Digests) -> tuple[str, ...]:
    """Name the packages of the bases that differ: this one's, or one that only the other has."""
    if not mine.packages or not other.packages:
        return ()
    return tuple(sorted(set(mine.packages) ^ set(other.packages)))


def _file(number: int, here: list[Layer], there: list[Layer]) -> Difference | None:
    return first(here[number - 1], there[number - 1]) if number <= min(len(here), len(there)) else None
