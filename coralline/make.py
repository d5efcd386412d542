"""Makes one step: holds its key, runs it on the engine, checks and publishes what it made."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coralline import __version__, catalogue, host, revision
from coralline.devices import lock
from coralline.engines.base import Event, Job, Outcome
from coralline.errors import ArtifactError, CorallineError, DeviceError, ProfileError, StageError
from coralline.notices import Kind, Notice, Notify

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from coralline.engines.base import Engine
    from coralline.frozen import Frozen
    from coralline.plan import Decision
    from coralline.runs import Run
    from coralline.store import Artifact, Store

LEAST_FREE_BYTES = 512 * 2**20  # less than this does not hold one trained model with its checkpoints
FULL_BYTES = 16 * 2**20  # less than this is left only where something could not be written
LOG_LINES = 12  # enough for the end of a Python traceback


class InterruptedRunError(Exception):
    """The run was told to stop; nothing is wrong with the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes steps of one run. Safe to call from several threads. `hold` takes what a step needs for itself alone.

    `farm` is the kind of the farm that this machine works for, if it does: see `plan.Planner`. `facts` and `cores` are
    those of the machine that the engine runs steps on. Steps run what is `frozen` of the project's code.
    """

    store: Store
    engine: Engine
    frozen: Frozen
    run: Run
    externals: Mapping[str, Path]
    digest: Callable[[str], str]
    notify: Notify
    cancelled: threading.Event
    hold: lock.Hold = lock.held
    facts: Callable[[], Mapping[str, str | int]] = host.described
    cores: Callable[[], int] = host.cores
    farm: str = ""

    def make(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Artifact:
        """Make the artifact of a decided step, or find that another process made it meanwhile.

        Raises:
            ProfileError: the step says that its input is wrong.
            StageError: the step failed.
            DeviceError: the device that it needs is gone, or was lost while it worked.
            ArtifactError: it ended well, but its outputs are not what its spec declares; or there is no room for them.
            InterruptedRunError: the run was told to stop.
        """
        key, label = str(decision.key), decision.step.label
        with (
            full_disk_told(self.store.root),
            self.store.building(key, lambda: self._waiting(label), self.cancelled.is_set) as folder,
        ):
            if folder is None:
                raise InterruptedRunError(label)
            found = None if again else self.store.find(key)
            return found or self._run(decision, inputs, folder)

    def _waiting(self, label: str) -> None:
        self.notify(Notice(kind=Kind.WAITING, label=label, text="another run is making it"))

    def _run(self, decision: Decision, inputs: Mapping[str, Artifact], folder: Path) -> Artifact:
        step = decision.step
        self.engine.prepare(step.variant.image, lambda _event: None)  # somebody may have removed it meanwhile
        with self.hold(step.variant.needs, step.label, self._told_to_wait(step.label), self.cancelled.is_set) as held:
            if held is None:
                raise InterruptedRunError(step.label)
            job = replace(self._job(decision, inputs, folder), stick=held.stick)
            return self._run_job(decision, inputs, job)

    def _told_to_wait(self, label: str) -> Callable[[str], None]:
        return lambda text: self.notify(Notice(kind=Kind.WAITING, label=label, text=text))

    def _run_job(self, decision: Decision, inputs: Mapping[str, Artifact], job: Job) -> Artifact:
        step, warnings = decision.step, list[str]()
        self.notify(Notice(kind=Kind.START, label=step.label, text=decision.reason))
        known = revision.of(catalogue.PROJECT)  # before the step, in whose time somebody may commit
        started, clock = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.perf_counter()
        outcome = self.engine.run(job, lambda event: self._hear(step.label, event, warnings), self.cancelled)
        if self.cancelled.is_set():
            raise InterruptedRunError(step.label)
        if outcome.exit_code != 0:
            raise self._failure(job, outcome)
        record = {
            "schema": "coralline.record",
            "version": 1,
            "coralline": __version__,
            "label": step.label,
            "stage": step.spec.name,
            "axes": dict(step.axes),
            "run": self.run.id,
            "key_parts": decision.parts,
            "engine": {"name": self.engine.name, **self.engine.identity(step.variant.image)},
            "host": dict(self.facts()),
            "threads": job.threads,
            "revision": known,
            "started": started,
            "seconds": round(time.perf_counter() - clock, 3),
            "warnings": warnings,
            **({"farm": self.farm} if self.farm else {}),
        }
        self._check_unchanged(decision, inputs)
        artifact = self.store.publish(job.out, job.key, step.outputs, record)
        self.store.forget_partial(job.key)
        return artifact

    def _job(self, decision: Decision, inputs: Mapping[str, Artifact], folder: Path) -> Job:
        step, key = decision.step, str(decision.key)
        external = {name: self.externals[str(declared.external)] for name, declared in step.externals.items()}
        return Job(
            label=step.label,
            stage=step.spec.name,
            code=self.frozen.holding(decision.parts["code"] if decision.parts else {}),
            image=step.variant.image,
            parameters=dict(step.parameters),
            threads=self.cores() if step.spec.cores == "all" else 1,
            inputs={name: artifact.path for name, artifact in inputs.items()} | external,
            out=folder,
            partial=self.store.partial(key) if step.spec.resumable else None,
            missing=[{"step": label, "reason": reason} for label, reason in sorted(decision.missing.items())],
            log=self.run.log(step.label),
            memory_bytes=int(step.spec.memory_gib * 2**30),
            devices=(step.variant.needs,) if step.variant.needs else (),
            run_id=self.run.id,
            key=key,
        )

    def _check_unchanged(self, decision: Decision, inputs: Mapping[str, Artifact]) -> None:
        """Refuse what was made from something that changed while it was read: its key would lie."""
        for name, artifact in inputs.items():
            if not artifact.is_still_there():
                raise ArtifactError(
                    f"{decision.step.label}: its input {name} was replaced while it was read",
                    hint="another run made it again, or fsck put it aside; the same command goes on from what is there",
                )
        for name, declared in decision.step.externals.items():
            if declared.keyed and decision.parts is not None:
                told = decision.parts["inputs"][name]
                if self.digest(str(declared.external)) != told:
                    raise ProfileError(
                        f"{decision.step.label}: --{declared.external} changed while it was read",
                        hint="wait until nothing writes there, and run again",
                    )

    def _replay(self, job: Job) -> str | None:
        with contextlib.suppress(CorallineError):  # the step's own failure is what must be told
            return self.engine.replay(replace(job, code=catalogue.PROJECT))  # where it will be mended
        return None

    def _hear(self, label: str, event: Event, warnings: list[str]) -> None:
        if event["event"] == "progress":
            self.notify(_progress(label, event))
        elif event["event"] == "warning":
            warnings.append(str(event.get("message", "")))
            self.notify(Notice(kind=Kind.WARNING, label=label, text=warnings[-1]))

    def _failure(self, job: Job, outcome: Outcome) -> CorallineError:
        if outcome.exit_code == 2 and outcome.error is not None:
            kind = DeviceError if outcome.error.get("kind") == "device" else ProfileError
            return kind(f"{job.label}: {outcome.error.get('message')}", hint=str(outcome.error.get("remedy")))
        if self._ran_out_of_room(job):
            return no_room(self.store.root)
        what = outcome.reason or f"exit code {outcome.exit_code}"
        return StageError(
            f"{job.label} failed: {what}",
            hint=f"the whole log: {job.log}\n" + _last_lines(job.log),
            replay=self._replay(job),
        )

    def _ran_out_of_room(self, job: Job) -> bool:
        """Whether the step failed for want of room: what it cannot write itself, it says in its log at best."""
        free = shutil.disk_usage(self.store.root).free
        return free < FULL_BYTES or (free < LEAST_FREE_BYTES and os.strerror(errno.ENOSPC) in _last_lines(job.log))


@contextlib.contextmanager
def full_disk_told(root: Path) -> Iterator[None]:
    """Turn the system's word for a full disk, or a full quota, into ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_room(root) from error


def no_room(root: Path) -> ArtifactError:
    """Say that the disk of the store is full."""
    return ArtifactError(
        f"no space left on the disk of {root}", hint="free some; finished artifacts are kept, the same command goes on"
    )


def _progress(label: str, event: Event) -> Notice:
    return Notice(
        kind=Kind.PROGRESS,
        label=label,
        text=str(event.get("message", "")),
        done=int(event.get("done", 0)),
        total=int(event.get("total", 0)),
        unit=str(event.get("unit", "")),
    )


def _last_lines(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join("  | " + line[:300] for line in lines[-LOG_LINES:])
