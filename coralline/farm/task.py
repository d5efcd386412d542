"""One step on a worker: what travels to it, plain and by name, and what it does there and answers.

The worker makes the step as a run on one machine does (`make.py`), in the same store. Before that it makes sure that it
has the same project and image and sees the same store: else its artifact would lie under a key that does not hold.
"""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, host, key
from coralline.code import Code
from coralline.engines import HOME, choose
from coralline.errors import ArtifactError, CorallineError, EngineError
from coralline.farm import machine
from coralline.frozen import Frozen
from coralline.make import Maker
from coralline.notices import Kind, Notice
from coralline.runs import Run
from coralline.store import Artifact, Store, flock

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from coralline.engines.base import Engine
    from coralline.notices import Notify
    from coralline.plan import Decision

LOOK_EVERY_S = 0.5  # how soon a step ends that nobody wants any more
TELL_EVERY_S = 0.5  # progress that comes faster is not sent
FORGET_AFTER_S = 60.0  # a network file system may remember for so long that a folder was not there (acdirmax, nfs(5))
FROZEN = Frozen(catalogue.PROJECT, HOME)  # one for all steps of this worker
HELD = "held"  # a file of the run that its front holds locked: shows whether locks hold between machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A decided step of a run, with key and digest of what it reads; `farm` is the kind of farm, for the record."""

    decision: Decision
    inputs: Mapping[str, tuple[str, str]]
    externals: Mapping[str, str]
    engine: str
    run: str
    farm: str
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The artifact that a worker made or found."""

    key: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An error of the user's kind, to be told where the user is."""

    kind: type[CorallineError]
    message: str
    hint: str
    replay: str | None

    @classmethod
    def of(cls, error: CorallineError) -> Failed:
        """Return what stands for an error on its way."""
        return cls(kind=type(error), message=error.message, hint=error.hint, replay=error.replay)

    def error(self) -> CorallineError:
        """Return the error itself."""
        return self.kind(self.message, hint=self.hint, replay=self.replay)


def carry_out(task: Task, notify: Notify, cancelled: threading.Event, scratch: Path, threads: int) -> Made | Failed:
    """Make a step on this machine, in the store that its run is in. A user's error is an answer, a bug is raised.

    `scratch` is a folder of this machine; `threads` is how many of its cores are ours: a job may have asked for few.

    Raises:
        InterruptedRunError: `cancelled` was set.
    """
    try:
        artifact = _make(task, notify, cancelled, scratch, threads)
    except CorallineError as error:
        return Failed.of(error)
    return Made(key=artifact.key, record=artifact.record)


def _make(task: Task, notify: Notify, cancelled: threading.Event, scratch: Path, threads: int) -> Artifact:
    root, chosen = catalogue.artifacts(), engine(task.engine)
    run = _run(root, task.run)
    if not flock.is_held(run.folder / HELD):
        notify(Notice(kind=Kind.WARNING, label=task.decision.step.label, text=NO_LOCKS))
    decision = _decision_here(task.decision, chosen)
    with Store(root).used() as store:
        maker = Maker(
            store=store,
            engine=chosen,
            frozen=FROZEN,
            run=run,
            externals={name: Path(path) for name, path in task.externals.items()},
            digest=functools.partial(_digest, task.externals, scratch / "data.sqlite"),
            notify=notify,
            cancelled=cancelled,
            cores=lambda: min(threads, host.cores()),
            farm=task.farm,
        )
        inputs = {name: _input(store, decision, name, *known) for name, known in task.inputs.items()}
        return maker.make(decision, inputs, again=task.again)


NO_LOCKS = (
    "locks do not hold between the machines of this farm on the store's file system: let no other run use this store "
    "meanwhile (docs/how-to/farm.md)"
)


@functools.cache
def engine(name: str) -> Engine:
    """Return this machine's engine of that name, one for all its steps."""
    return choose(name, lambda _notice: None)


def _run(root: Path, name: str) -> Run:
    folder = root / "runs" / name
    if not _seen((folder / HELD).exists):
        raise EngineError(
            f"the worker on {os.uname().nodename} does not see the run {name} below {root}",
            hint="start workers with CORALLINE_ARTIFACTS naming the run's store, on a file system that all share",
        )
    return Run(name, folder)


def _input(store: Store, decision: Decision, name: str, known: str, digest: str) -> Artifact:
    """Return what a step reads, which is what it was decided with."""
    _seen(lambda: store.find(known))
    artifact = store.find(known)
    if artifact is None or artifact.digest != digest:
        what = "is not" if artifact is None else "was replaced"
        raise ArtifactError(
            f"{decision.step.label}: its input {name} {what} in the store", hint="run the same command again"
        )
    return artifact


def _seen(look: Callable[[], object]) -> bool:
    """Whether something is there, also where a file system remembers for a while that it was not."""
    until = time.monotonic() + FORGET_AFTER_S
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def _decision_here(decision: Decision, chosen: Engine) -> Decision:
    """Return the decision as it holds on this machine, whose fingerprint counts where the step measures."""
    step, parts = decision.step, decision.parts
    if parts is None:
        raise AssertionError(step.label)  # its inputs are made
    chosen.prepare(step.variant.image, lambda _event: None)
    here = {
        **parts,
        "code": Code(catalogue.PROJECT, HOME / "code.json").of_step(step.spec, step.parameters),
        "image": {"name": step.variant.image, "engine": chosen.name, **chosen.recipe(step.variant.image)},
    }
    differs = key.difference(parts, here)
    if differs is not None:
        raise other_project(differs)
    if step.spec.measures:
        here["host"] = machine.fingerprint(step.variant.needs)
    return replace(decision, parts=here, key=key.key_of(here))


def other_project(differs: str) -> EngineError:
    """Say that this worker cannot make what was decided elsewhere."""
    return EngineError(
        f"the worker on {os.uname().nodename} has another project or image: {differs}",
        hint="start workers from the same checkout, or from an equal one, and start them again when it has changed; "
        "build images from the same base",
    )


def _digest(externals: Mapping[str, str], index: Path, name: str) -> str:
    from coralline import datafolder

    digest = datafolder.digest if name == "data" else datafolder.file_digest
    return digest(Path(externals[name]), index, lambda _done, _total: None)


class Teller:
    """Passes on what a step tells, progress not too often; names the machine when the step starts."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._next_s = 0.0

    def __call__(self, notice: Notice) -> None:
        """Send a notice as plain values."""
        now = time.monotonic()
        if notice.kind is Kind.PROGRESS:
            if now < self._next_s and notice.done < notice.total:
                return
            self._next_s = now + TELL_EVERY_S
        text = f"{notice.text} (on {os.uname().nodename})" if notice.kind is Kind.START else notice.text
        told = {"kind": str(notice.kind), "label": notice.label, "text": text}
        self._send({**told, "done": notice.done, "total": notice.total, "unit": notice.unit})
