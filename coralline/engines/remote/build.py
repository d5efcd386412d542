"""Images for a machine with another kind of processor: built by its own daemon, from the same Dockerfiles and locks.

The builder is the one for this machine (`coralline/images`), in a process whose Docker daemon is the other machine's:
`buildthere.py`. Its base can only be the pinned image of a registry, which has one for each kind of processor; a base
from Debian's packages would be one for this machine. What a vendor pins for x86-64 alone is refused.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from coralline.errors import ImageError
from coralline.images import Images, built
from coralline.images.failures import Failures

if TYPE_CHECKING:
    from pathlib import Path

    from coralline.engines.base import OnEvent
    from coralline.engines.remote.wire import Wire


class RemoteBuild:
    """Builds on the daemon at the end of `wire`; what was built is recorded below `home`, for each daemon apart."""

    def __init__(self, project: Path, home: Path, wire: Wire) -> None:
        self._project = project
        self._home = home
        self._wire = wire
        self._failures = Failures()

    def recipe(self, name: str) -> dict[str, Any]:
        """Return what the image is made from, and for which kind of processor."""
        return {**self._images().recipe(name), "platform": self._platform()}

    def blocked(self, name: str) -> str | None:
        """Say why the image cannot be had there, as far as is known."""
        if self._images().is_vendor(name):
            return f"the vendor's files in the image {name} are for x86-64, the other machine is {self._platform()}"
        return self._failures.reason(self._failure(name), built.digest_of(self.recipe(name)))

    def identity(self, name: str) -> dict[str, str]:
        """Return the image's id and its base, for records."""
        return self._images().identity(name)

    def ensure(self, name: str, progress: OnEvent) -> str:
        """Return the id of the image there, built when it is missing.

        Raises:
            ImageError: it cannot be built there: why, and what to do.
        """
        known = self._images().recorded(name)
        if known is not None and self._has(str(known["id"])):
            return str(known["id"])
        if not self._wire.address.startswith("ssh://"):
            raise ImageError(
                f"the image {name} must be built by the daemon at {self._wire.address}, which goes only by ssh",
                hint="write --on STAGE=ssh://USER@HOST",
            )
        try:
            self._check(name, progress)
            return self._built(name, progress)
        except ImageError as error:
            self._failures.remember(self._failure(name), built.digest_of(self.recipe(name)), error.message)
            raise

    def _check(self, name: str, progress: OnEvent) -> None:
        """Refuse what cannot be built there, before anything is built."""
        from docker.errors import APIError

        if (reason := self.blocked(name)) is not None:
            raise ImageError(reason, hint="place the stage on a machine with a processor of this machine's kind")
        base = tomllib.loads(self._images().base_path(name).read_text(encoding="utf-8"))["image"]
        progress({"event": "build", "image": name, "message": f"asking the registry for {base}, over there"})
        try:
            self._wire.api.pull(*base.split("@"))
        except APIError as error:
            raise ImageError(
                f"the image {name} cannot be built for {self._platform()}: its base cannot be had over there: "
                f"{error.explanation}",
                hint="connect that machine to the registry: a base made here is one for this machine's processor",
            ) from error

    def _built(self, name: str, progress: OnEvent) -> str:
        command = [
            sys.executable,
            "-m",
            "coralline.engines.remote.buildthere",
            name,
            str(self._project),
            str(self._records()),
        ]
        address = {"DOCKER_HOST": f"unix://{self._wire.socket()}"}
        with subprocess.Popen(
            command, env={**os.environ, **address}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as process:
            told: dict[str, Any] = {}
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            try:
                for line in process.stdout:
                    told = json.loads(line)
                    if "event" in told:
                        progress(told)
            except BaseException:
                process.send_signal(signal.SIGINT)  # it ends what it started
                process.wait()
                raise
        if "id" not in told:
            raise ImageError(str(told.get("message", f"building {name} ended badly")), hint=str(told.get("hint", "")))
        return str(told["id"])

    def _has(self, image_id: str) -> bool:
        from docker.errors import ImageNotFound

        try:
            self._wire.api.inspect_image(image_id)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return False
        return True

    def _platform(self) -> str:
        return str(self._wire.about()["Architecture"])

    def _images(self) -> Images:
        return Images(self._project, self._records())

    def _records(self) -> Path:
        return self._home / built.digest_of(self._wire.about()["ID"])[:16]

    def _failure(self, name: str) -> Path:
        return self._records() / f"{name}.failed-there.json"
