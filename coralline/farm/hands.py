"""A farm as its user's side sees it: which machines work there, and the pool that steps are handed to."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from coralline import flock
from coralline.errors import EngineError, StageError
from coralline.farm import machine, worker
from coralline.farm.task import HELD, Failed, Made, Task
from coralline.make import InterruptedRunError
from coralline.notices import Kind, Notice
from coralline.store import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from distributed import Client

    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.plan import Decision
    from coralline.store import Store

LOST_AFTER_S = 15.0  # a scheduler that is there answers in milliseconds, also from far away
LOOK_EVERY_S = 1.0
SAY_AFTER_S = 10.0
MOMENT_S = 1.0


@dataclass(slots=True, kw_only=True)
class Farm:
    """The workers behind one Dask scheduler.

    `kind` names the farm in records, `lacking` is said when there is no worker. Of workers that are still to come
    `memory_gib` and `brings`, their devices, are known; `refused` is what a batch system said that starts none. At most
    `slots` steps are handed over at once.
    """

    client: Client
    store: Store
    kind: str
    lacking: str
    memory_gib: int = 0
    brings: Sequence[str] = ()
    slots: int = sys.maxsize
    refused: list[str] = field(default_factory=list)
    _known: dict[str, dict[str, str]] = field(default_factory=dict)
    _there: dict[str, dict[str, float]] = field(default_factory=dict)
    _look_again_s: float = 0.0

    def workers(self) -> dict[str, dict[str, float]]:
        """Return what each worker that is there, or was a moment ago, offers, by its address."""
        now = time.monotonic()
        if now >= self._look_again_s:
            with _told_when_lost():
                told = self.client.scheduler_info()["workers"]
            self._there = {address: dict(one["resources"]) for address, one in told.items()}
            self._look_again_s = now + MOMENT_S
        return self._there

    def most_memory_gib(self) -> float:
        """Return the memory of the largest worker, in whole GiB."""
        return max([float(self.memory_gib), *(one.get(machine.MEMORY, 0) for one in self.workers().values())])

    def device_missing(self, need: str) -> str | None:
        """Say that no worker has a device, or None when one has."""
        if need in self.brings or any(need in one for one in self.workers().values()):
            return None
        return f"no worker of the farm has a device '{need}'"

    def pool(self, maker: Maker) -> Hands:
        """Return what ready steps are handed to."""
        return Hands(self, maker)

    def machines(self, step: Step) -> list[str]:
        """Return the fingerprints under which this farm's measurements of a step are known: its workers', and the last.

        A batch system gives other machines every time; what one of them measured for this step before is its own.
        """
        there = {told[step.variant.needs or ""] for told in self._fingerprints().values()}
        last = self.store.last(step.label)
        if last is not None and last.record.get("farm") == self.kind:
            there.add(str(last.record["key_parts"]["host"]))
        return sorted(there)

    def _fingerprints(self) -> dict[str, dict[str, str]]:
        """Ask workers that came since the last look which machines they are."""
        there = set(self.workers())
        new = sorted(there - self._known.keys())
        if new:
            with _told_when_lost():
                told = self.client.run(machine.fingerprints, workers=new, on_error="ignore")  # one may have just gone
            self._known |= {address: found for address, found in told.items() if isinstance(found, dict)}
        return {address: found for address, found in self._known.items() if address in there}


@contextlib.contextmanager
def connected(address: str, store: Store, jobs: int) -> Iterator[Farm]:
    """Give the farm of a Dask scheduler that runs already; `jobs` steps at once, or 0 for as many as are ready.

    Raises:
        EngineError: none answers there.
    """
    from distributed import Client

    quiet()
    hint = "start one there: ./run farm.scheduler; docs/how-to/farm.md tells of networks and certificates"
    try:
        client = Client(address, timeout=LOST_AFTER_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise EngineError(f"no Dask scheduler answers at {address}: {_first_line(error)}", hint=hint) from error
    with client:
        word = address.replace("tcp://", "dask://")  # as --on takes it
        lacking = f"no worker is there; on each machine that shall work: ./run farm.worker {word}"
        yield Farm(client=client, store=store, kind="dask", lacking=lacking, slots=jobs or sys.maxsize)


def quiet() -> None:
    """Keep Dask's own words off the terminal, once it is imported: what matters is said by us."""
    for name in ("distributed", "tornado", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]


class Hands:
    """The pool of a farm: every ready step is handed over at once, and Dask's scheduler finds a worker with room."""

    def __init__(self, farm: Farm, maker: Maker) -> None:
        self.slots = farm.slots
        self._farm = farm
        self._maker = maker
        self._executors: dict[tuple[tuple[str, float], ...], Executor] = {}
        self._waited_for: set[Future[Artifact]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._over = threading.Event()
        self._topic = f"coralline-{maker.run.id}-{os.urandom(4).hex()}"
        self._told_memory: set[str] = set()
        self._stack = contextlib.ExitStack()

    def has_room(self, _step: Step, _running: Sequence[Step]) -> bool:
        """Tell that a step may be handed over: it waits for its worker there."""
        return True

    def submit(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Future[Artifact]:
        """Hand a step over."""
        step = decision.step
        task = Task(
            decision=decision,
            inputs={name: artifact.key for name, artifact in inputs.items()},
            externals={name: os.fspath(path) for name, path in self._maker.externals.items()},
            engine=self._maker.engine.name,
            run=self._maker.run.id,
            farm=self._farm.kind,
            again=again,
        )
        name = f"{step.label}-{self._topic}"
        executor: Any = self._executor(step)  # an Executor that also takes a name
        given = executor.submit(worker.make, pickle.dumps(task), self._topic, key=name)
        future: Future[Artifact] = Future()
        self._waited_for.add(future)
        given.add_done_callback(lambda given: self._pass_on(step.label, given, future))
        return future

    def _executor(self, step: Step) -> Executor:
        """Return the client's executor for steps that take as much of a machine as this one."""
        wanted = self._wanted(step)
        known = tuple(sorted(wanted.items()))
        if known not in self._executors:
            self._executors[known] = self._farm.client.get_executor(resources=wanted, pure=False)
        return self._executors[known]

    def stop(self) -> None:
        """Take back all that was handed over; the workers end these steps within a second or two."""
        if not self._stopped:
            self._stopped = True
            for executor in self._executors.values():
                executor.shutdown(wait=False)

    def __enter__(self) -> Self:
        """Begin: listen to what the workers tell, and show them that locks hold."""
        self._stack.enter_context(flock.through(self._maker.run.folder / HELD, alone=True))
        self._farm.client.subscribe_topic(self._topic, self._hear)
        watcher = threading.Thread(target=self._watch, daemon=True, name="farm")
        watcher.start()
        self._stack.callback(watcher.join)
        self._stack.callback(self._over.set)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stack.close()

    def _wanted(self, step: Step) -> dict[str, float]:
        most = self._farm.most_memory_gib()
        if 0 < most < step.spec.memory_gib and step.spec.name not in self._told_memory:
            self._told_memory.add(step.spec.name)
            text = f"{step.spec.name} may need {step.spec.memory_gib:g} GiB, and the largest worker has {most:g}"
            self._maker.notify(Notice(kind=Kind.WARNING, text=text))
        return machine.wanted(step, most)

    def _pass_on(self, label: str, given: Future[Any], future: Future[Artifact]) -> None:
        """Turn what came of a step on a worker into what `Maker.make` gives or raises."""
        if given.cancelled():
            self._settle(future, InterruptedRunError(label) if self._stopped else lost())
            return
        error = given.exception()
        if error is not None:
            self._settle(future, _in_our_words(label, error))
            return
        answer: Made | Failed = given.result()
        if isinstance(answer, Failed):
            self._settle(future, answer.error())
        else:
            home = self._maker.store.root / "objects" / answer.key
            self._settle(future, Artifact(answer.key, home, answer.record))

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        told = {name: value for name, value in event[1].items() if name in Notice.__slots__}  # Dask adds the worker
        self._maker.notify(Notice(**{**told, "kind": Kind(told["kind"])}))

    def _watch(self) -> None:
        """Say so while steps wait and there is nobody to make them; give them up when nobody will come."""
        idle_s, heard = 0.0, 0
        while not self._over.wait(LOOK_EVERY_S):
            try:
                is_idle = bool(self._waited_for) and not self._farm.workers()
            except EngineError:  # its futures say so too
                return
            idle_s = idle_s + LOOK_EVERY_S if is_idle else 0.0
            if idle_s == SAY_AFTER_S:
                self._maker.notify(Notice(kind=Kind.NOTE, text=self._farm.lacking))
            for refusal in dict.fromkeys(self._farm.refused[heard:]):
                self._maker.notify(Notice(kind=Kind.WARNING, text=f"{self._farm.kind} refuses a job: {refusal}"))
            heard = len(self._farm.refused)
            if is_idle and heard:
                self._give_up(self._farm.refused[-1])

    def _give_up(self, refusal: str) -> None:
        for future in list(self._waited_for):
            error = EngineError(
                f"{self._farm.kind} refuses to start a worker: {refusal}",
                hint="mend ~/.config/dask/jobqueue.yaml; docs/how-to/farm.md shows one",
            )
            self._settle(future, error)

    def _settle(self, future: Future[Artifact], outcome: Artifact | BaseException) -> None:
        """End a future, once: whoever comes second, such as a worker after all, comes too late."""
        with self._lock:
            if future not in self._waited_for:
                return
            self._waited_for.discard(future)
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def lost() -> EngineError:
    """Say that nobody hands steps to workers any more."""
    return EngineError(
        "the farm's scheduler is gone",
        hint="start it and its workers again; finished artifacts are kept, the same command goes on",
    )


@contextlib.contextmanager
def _told_when_lost() -> Iterator[None]:
    """Turn what Dask's client raises without its scheduler into our words."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise lost() from error


def _in_our_words(label: str, error: BaseException) -> BaseException:
    """Name a step whose workers died one after the other; anything else is a bug and keeps its traceback."""
    if type(error).__name__ != "KilledWorker":
        return error
    return StageError(
        f"{label} failed: the workers that made it died, one after the other",
        hint="is there enough memory? The last worker's own log, on its machine, says more",
    )
