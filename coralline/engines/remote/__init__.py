"""Runs the steps of a stage on the Docker daemon of another machine, confined as here, and leaves nothing there.

How a step travels is in `visit.py`, what is kept there meanwhile in `lodging.py`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.engines import base
from coralline.engines.remote import elsewhere
from coralline.engines.remote.images import RemoteImages
from coralline.engines.remote.wire import Wire
from coralline.errors import EngineError

if TYPE_CHECKING:
    from coralline.engines.base import Job, OnEvent, Outcome
    from coralline.engines.remote.lodging import Lodging

NO_LIMIT = "the other machine's kernel cannot limit memory: the step runs without its limit"
CANCELLED = 137  # as if it had been killed
NODES = {Path("/dev"): Path("/host/dev")}
IDENTITY = {Path("/etc/machine-id"): Path("/host/etc/machine-id")}


class RemoteEngine:
    """Containers of the daemon at `address`; what is known of other machines is kept below `home`."""

    name = "docker"  # a step has the same key wherever its container runs

    def __init__(self, project: Path, home: Path, address: str) -> None:
        self.address = address
        self._stages = project / "stages"
        self._home = home / "machines"
        self._wire = Wire(address)
        self._images = RemoteImages(project, home, self._wire)
        self._lodging: Lodging | None = None
        self._machine = elsewhere.Elsewhere()
        self._is_asked = False
        self._lock = threading.RLock()

    def available(self) -> str | None:
        """Say why the daemon cannot be used, or None when it answers."""
        try:
            self.check()
        except EngineError as error:
            return error.message
        return None

    def check(self) -> None:
        """Raise EngineError, which says what to do, unless the daemon answers and runs Linux."""
        about = self._wire.about()
        if about.get("OSType") != "linux":
            raise EngineError(
                f"the Docker daemon at {self.address} runs {about.get('OSType')} containers", hint="steps need Linux"
            )

    def recipe(self, image: str) -> dict[str, Any]:
        """Return what the image is made from; another kind of processor is another recipe."""
        return self._images.recipe(image)

    def blocked(self, image: str) -> str | None:
        """Say why the image cannot be had there, as far as is known."""
        return self._images.blocked(image)

    def prepare(self, image: str, progress: OnEvent) -> None:
        """See to it that the image is there, and that the machine was asked what it is."""
        with self._lock, self._wire.trouble():
            self._images.ensure(image, progress)
            self._ask()

    def identity(self, image: str) -> dict[str, str]:
        """Return what the image is, and that it ran elsewhere."""
        return {**self._images.identity(image), "daemon": "another machine's"}

    def machine(self) -> elsewhere.Elsewhere:
        """Return what is known of the machine; it is asked where nothing is known, and an image of ours is there."""
        with self._lock, self._wire.trouble():
            if self._machine.root is None:
                self._machine = elsewhere.recall(self._home, self._wire.about())
            if self._machine.root is None:
                self._ask()
            return self._machine

    def missing(self, need: str) -> str | None:
        """Say why the machine lacks a device, as far as is known: sticks come and go, so it is asked once."""
        with self._lock, self._wire.trouble():
            self._ask()
            return self.machine().missing(need)

    def remedy(self, need: str) -> str:
        """Say what to do about a missing device."""
        return self.machine().remedy(need)

    def fingerprint(self, need: str | None) -> str:
        """Stand for the machine and its device in keys; final once it was asked."""
        return self.machine().fingerprint(need)

    def facts(self) -> dict[str, str | int]:
        """Return what records say of a host."""
        return self.machine().facts()

    def cores(self) -> int:
        """Processors that a step may use there."""
        return self.machine().cores()

    def replay(self, job: Job) -> str:
        """Refuse: what the step read there is gone.

        Raises:
            EngineError: always.
        """
        raise EngineError(f"{job.label} ran on another machine", hint="the same command runs it again")

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        """Run the step there to its end; what it made is in `job.out` on return.

        Raises:
            EngineError: the daemon is out of reach, or the line to it was lost; the step there ends itself.
            ArtifactError: what came back is no folder of plain files.
        """
        from coralline.engines.remote.travel import StoppedError, Travel
        from coralline.engines.remote.visit import Visit

        def travel(text: str, total: int, limit_s: float | None) -> Travel:
            return Travel(text, total, on_event, None if limit_s else cancelled, limit_s)

        listener = base.Listener(job.log, on_event)
        try:
            with self._wire.trouble():
                if not self._wire.about().get("MemoryLimit", True):
                    on_event({"event": "warning", "message": NO_LIMIT})
                image = self._images.found(job.image)
                lodging, machine = self._guest(image), self.machine()
                visit = Visit(job, image, lodging=lodging, machine=machine, travel=travel)
                return visit.run(listener, cancelled)
        except StoppedError:
            return base.Outcome(exit_code=CANCELLED)
        finally:
            listener.close()

    def sweep(self) -> list[str]:
        """Remove what guests left there that are gone; return what it was."""
        with self._lock, self._wire.trouble():
            image = self._images.any()
            return [] if image is None else self._guest(image).sweep()

    def close(self) -> None:
        """Take everything of ours away from there, and close the line."""
        with self._lock:
            if self._lodging is not None:
                self._lodging.close()
            self._lodging = None
            self._wire.close()

    def _guest(self, image: str) -> Lodging:
        """Return our lodging; after the line was lost a new one, once what others left there is taken away."""
        from coralline.engines.remote.lodging import Lodging

        with self._lock:
            if self._lodging is not None and not self._lodging.holds():
                self._lodging.close()
                self._lodging = None
            if self._lodging is None:
                self._lodging = Lodging(self._wire.api, image, self._wire.holds)
                self._lodging.sweep()
            return self._lodging

    def _ask(self) -> None:
        """Ask the machine what it is, once for each process, when it has an image of ours to ask in."""
        from docker.errors import APIError

        image = None if self._is_asked else self._images.any()
        if image is None:
            return
        guest = self._guest(image)
        command = ["python3", "-c", (self._stages / "machine.py").read_text(encoding="utf-8")]
        try:
            printed = guest.output(image, command, NODES | IDENTITY)
        except APIError:  # a machine without systemd has no such file
            printed = guest.output(image, command, NODES)
        self._machine = elsewhere.keep(self._home, self._wire.about(), printed)
        self._is_asked = True
