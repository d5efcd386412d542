"""Images on the daemon of another machine: found there by their layers, else sent from here.

An image that was built here is sent as it is. For a machine with another kind of processor, or when there is no daemon
here, it is built there: `remotebuild.py`.
"""

from __future__ import annotations

import functools
import platform
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.engines.docker import connect
from coralline.engines.remote.build import RemoteBuild
from coralline.engines.remote.travel import MEBIBYTE, Travel
from coralline.errors import ImageError
from coralline.images import LABEL, Images

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from coralline.engines.base import OnEvent
    from coralline.engines.remote.wire import Wire


class RemoteImages:
    """The project's images on the daemon at the end of `wire`."""

    def __init__(self, project: Path, home: Path, wire: Wire) -> None:
        self._here = Images(project, home / "images")
        self._there = RemoteBuild(project, home / "machines" / "images", wire)
        self._wire = wire
        self._found: dict[str, str] = {}

    def recipe(self, name: str) -> dict[str, Any]:
        """Return what the image is made from: the same as here where the processors are of one kind."""
        return self._here.recipe(name) if self._is_sent else self._there.recipe(name)

    def blocked(self, name: str) -> str | None:
        """Say why the image cannot be had there, as far as is known."""
        if not self._is_sent:
            return self._there.blocked(name)
        return None if self._here.recorded(name) else self._here.unavailable(name)

    def identity(self, name: str) -> dict[str, str]:
        """Return the image's id and base, for records."""
        return self._here.identity(name) if self._is_sent else self._there.identity(name)

    def ensure(self, name: str, progress: OnEvent) -> None:
        """See to it that the image is there.

        Raises:
            ImageError: it can neither be sent nor built there.
        """
        if not self._is_sent:
            self._found[name] = self._there.ensure(name, progress)
            return
        if name in self._found and self._layers(self._found[name]) is not None:
            return
        here = daemon.image(self._here.find(name) or self._here.build(name, progress)) or {}
        found = self._same(name, here)
        if found is None:
            self._send(name, int(here["Size"]), progress)
            found = self._same(name, here)
        if found is None:
            raise ImageError(
                f"the image {name} did not arrive at {self._wire.address}", hint="is its disk full? docker system df"
            )
        self._found[name] = found

    def found(self, name: str) -> str:
        """Return the id that the daemon there gave to an image that was ensured."""
        return self._found[name]

    def any(self) -> str | None:
        """Return the id of any image of ours that is there."""
        found = self._wire.api.images(filters={"label": LABEL})
        return str(found[0]["Id"]) if found else None

    @functools.cached_property
    def _is_sent(self) -> bool:
        """Whether what is built here runs there; without a daemon here nothing is built here. Decided once."""
        return self._wire.about()["Architecture"] == platform.machine() and daemon.trouble() is None

    def _same(self, name: str, here: Mapping[str, Any]) -> str | None:
        """Find the image there by the digests of its layers: daemons may give it an id of their own."""
        known = (here["Id"], self._here.tag(name))
        return next((one for one in known if self._layers(one) == here["RootFS"]["Layers"]), None)

    def _layers(self, reference: str) -> list[str] | None:
        """Return the digests of the layers of an image there, or None when it is not."""
        from docker.errors import ImageNotFound

        try:
            found = self._wire.api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
        return list(found["RootFS"]["Layers"])

    def _send(self, name: str, size: int, progress: OnEvent) -> None:
        here = connect()
        try:
            pieces = _gathered(here.get_image(self._here.tag(name)), Travel(f"sending {name}", size, progress))
            for told in self._wire.api.load_image(pieces):  # type: ignore[no-untyped-call]
                if "error" in told:
                    raise ImageError(
                        f"{self._wire.address} does not take the image {name}: {told['error']}", hint="see its log"
                    )
        finally:
            here.close()


def _gathered(pieces: Iterator[bytes], sent: Travel) -> Iterator[bytes]:
    """Pass an image on in larger pieces than the daemon's, which cost more to send than what is in them."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= MEBIBYTE:
            yield bytes(waiting)
            sent(len(waiting))
            waiting.clear()
    if waiting:
        yield bytes(waiting)
