"""One step on another machine: what it reads is sent into volumes there, what it made is fetched from one.

The volumes are gone when the visit is over, but for two kinds: inputs, which the next step may read too, and the
unfinished work of a resumable step that there was no time to fetch, with which the next attempt goes on.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.engines import base, container
from coralline.engines.container import CODE, USB, Bind
from coralline.engines.docker import reason
from coralline.engines.remote.lodging import PARTIAL, SHELF, USER
from coralline.engines.remote.parcel import Parcel
from coralline.engines.remote.travel import StoppedError
from coralline.errors import DeviceError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from coralline.engines.base import Job, Outcome
    from coralline.engines.remote.elsewhere import Elsewhere
    from coralline.engines.remote.lodging import Lodging
    from coralline.engines.remote.travel import Travel

    MakeTravel = Callable[[str, int, float | None], Travel]

STEP = Path("/step")
LOCKS = Path("/run/lock")
RESCUE_S = 1.0  # a run that was told to stop has two seconds for everything


class Visit:
    """The step of `job` in `image`; `travel` tells of what travels."""

    def __init__(self, job: Job, image: str, *, lodging: Lodging, machine: Elsewhere, travel: MakeTravel) -> None:
        self._job = job
        self._image = image
        self._lodging = lodging
        self._machine = machine
        self._travel = travel

    def run(self, listener: base.Listener, cancelled: threading.Event) -> Outcome:
        """Run the step to its end; what it made is in the job's `out` then.

        Raises:
            StoppedError: the run was told to stop while something was sent or fetched.
            DeviceError: the machine has no stick any more.
            ArtifactError: what came back is no folder of plain files.
        """
        job = self._job
        step = base.write_step(job, self._seen())
        with (
            self._lodging.using(self._reads().values()),
            self._volume("step", step) as told,
            self._volume("out", job.out) as out,
        ):
            binds = [*self._inputs(), _bind(told, STEP), _bind(out, Path("/out"), writable=True)]
            partial = None if job.partial is None else self._begun(job.partial)
            if partial is not None:
                binds.append(_bind(partial, Path("/partial"), writable=True))
            planned = self._container(binds, STEP / step.name)
            state = self._attended(planned, listener, cancelled)
            code, is_made = int(state["ExitCode"]), False
            if code == 0 and not cancelled.is_set():
                self._lodging.fetch(out, job.out, self._travel("fetching what it made", 0, None))
                is_made = True
            if partial is not None and job.partial is not None and (is_made or self._rescued(partial, job.partial)):
                self._lodging.forget(partial)
        return base.Outcome(exit_code=code, reason=reason(planned, code, oom=state["OOMKilled"]), error=listener.error)

    def _seen(self) -> base.Places:
        """Say where the step sees its folders: a volume holds a folder, so a file lies in one under its own name."""
        places = container.inside(self._job)
        files = {name: source for name, source in self._job.inputs.items() if source.is_file()}
        inputs = {name: place / files[name].name if name in files else place for name, place in places.inputs.items()}
        return replace(places, inputs=inputs)

    def _reads(self) -> dict[Path, Path]:
        """Return where the step sees its code and its inputs, and where they are here."""
        return {
            CODE / "stages": self._job.code / "stages",
            **{Path("/in") / name: at for name, at in self._job.inputs.items()},
        }

    def _inputs(self) -> Iterator[Bind]:
        """Send the code and the inputs, unless the step before had them sent."""
        for place, source in self._reads().items():
            fill = functools.partial(self._send, source=source, told=f"sending {place.name}")
            yield _bind(self._lodging.kept(source, fill), place)

    @contextlib.contextmanager
    def _volume(self, role: str, source: Path) -> Iterator[str]:
        with self._lodging.volume(role) as volume:
            self._send(volume, source)
            yield volume

    def _send(self, volume: str, source: Path, told: str = "sending") -> None:
        parcel = Parcel(source=source, name=SHELF.name, owner=USER, group=USER)
        self._lodging.send(volume, parcel, self._travel(told, parcel.size_bytes(), None))

    def _begun(self, partial: Path) -> str:
        """Return a volume with the unfinished work of the step, if there is any here or there."""
        for left in self._lodging.left_behind(self._job.key):
            self._fetch(left, partial)
            self._lodging.forget(left)
        volume = self._lodging.new(PARTIAL, key=self._job.key)
        try:
            self._send(volume, partial)
            self._lodging.seal(volume)
        except BaseException:
            self._lodging.forget(volume)
            raise
        return volume

    def _rescued(self, volume: str, partial: Path) -> bool:
        """Fetch the unfinished work of a step that did not end well; there may be no time for it now."""
        try:
            self._fetch(volume, partial, limit_s=RESCUE_S)
        except StoppedError:
            return False
        return True

    def _fetch(self, volume: str, partial: Path, limit_s: float | None = None) -> None:
        """Replace what is here of the unfinished work by what is there, once all of it has arrived."""
        beside = Path(tempfile.mkdtemp(dir=partial.parent, prefix=f"{partial.name}."))
        try:
            self._lodging.fetch(volume, beside, self._travel("fetching unfinished work", 0, limit_s))
            shutil.rmtree(partial)
            beside.replace(partial)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _container(self, binds: list[Bind], step: Path) -> container.Container:
        usb = "edgetpu" in self._job.devices
        sticks = self._machine.sticks() if usb else []
        if usb and not sticks:
            raise DeviceError(str(self._machine.missing("edgetpu")), hint=self._machine.remedy("edgetpu"))
        further = (Bind(source=USB, target=USB, writable=True), Bind(source=LOCKS, target=LOCKS, writable=True))
        planned = container.confined(
            self._job,
            self._image,
            binds=(*binds, *(further if usb else ())),
            user=f"{USER}:{USER}",
            labels=self._lodging.labels(role="step"),
            step=step,
            groups=tuple(self._machine.groups()) if usb else (),
            usb=usb,
        )
        held = ("python3", "-m", "stages.hold", self._job.stage, *sticks)  # takes the stick's lock over there
        return replace(planned, command=held) if usb else planned

    def _attended(
        self, planned: container.Container, listener: base.Listener, cancelled: threading.Event
    ) -> dict[str, Any]:
        with self._lodging.started(planned) as (attachment, name):
            attachment.listen(listener, cancelled)
            state = self._lodging.ended(name, cancelled)
        listener.close()  # the last line may be the error event
        return state


def _bind(volume: str, target: Path, *, writable: bool = False) -> Bind:
    return Bind(source=Path(volume), target=target, writable=writable, volume=True)
