"""Builds images from nothing at places that differ in all that must not matter, and says whether the bytes are equal.

Each is built twice, or once where another site has built it already; what is in use is compared too, and left alone.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coralline.images import built as records
from coralline.images import digests, kept
from coralline.images.comparison import INSTALLED, Compared, compare
from coralline.images.rebuild import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.engines.base import OnEvent
    from coralline.images import Images
    from coralline.images.digests import Digests

AGAIN = "built twice"
BEGUN = "begun"  # the event that tells of another build


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
            compared = [compare(made[0], other, label, self._folder) for label, other in others.items()]
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
