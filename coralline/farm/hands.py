"""The pool of a farm: hands ready steps to Dask's scheduler, and turns what comes back into what a thread gives.

Dask gives a ready step to a worker at once, also to one that is at work for hours; it moves it to an idle one only from
a worker with more steps than threads, and counts the death of a worker against all steps that it was given. So what no
worker has begun is handed over once more: when there is room on another (`watch.py`), or when Dask has given it up.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from coralline.errors import EngineError, StageError
from coralline.farm import machine, project, worker
from coralline.farm.roster import gone, lost
from coralline.farm.task import HELD, Failed, Made, Task
from coralline.farm.watch import Watch
from coralline.make import InterruptedRunError
from coralline.notices import Kind, Notice
from coralline.store import Artifact, flock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from coralline.farm.roster import Farm
    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.plan import Decision

KILLED = "KilledWorker"  # what Dask raises for a step whose workers died, one after the other
MOST_DEATHS = 4  # of workers that had begun a step, until the step is to blame: Dask's own number
MOST_ROUNDS = 8  # in which Dask gives a step up that no worker ever began: such a farm is broken


@dataclass(slots=True, eq=False)
class Handed:
    """A step on its way: `given` is Dask's future, `future` ours, `worker` the address of who began it last.

    `times` counts how often it was handed over, `begun` how often a worker began it, `lost` how often Dask gave it up.
    """

    step: Step
    payload: bytes
    future: Future[Artifact]
    name: str = ""
    wanted: Mapping[str, float] = field(default_factory=dict)
    given: Future[Any] | None = None
    handed_s: float = field(default_factory=time.monotonic)
    worker: str = ""
    times: int = 0
    begun: int = 0
    lost: int = 0


class Hands:
    """The pool of a farm: every ready step is handed over at once, and Dask's scheduler finds a worker with room."""

    def __init__(self, farm: Farm, maker: Maker) -> None:
        self.slots = farm.slots
        self._farm = farm
        self._maker = maker
        self._executors: dict[tuple[tuple[str, float], ...], Executor] = {}
        self._handed: dict[Future[Artifact], Handed] = {}
        self._given_up: queue.SimpleQueue[Handed] = queue.SimpleQueue()
        self._watch = Watch(farm, self, maker.notify)
        self._lock = threading.Lock()
        self._stopped = False
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
            inputs={name: (artifact.key, artifact.digest) for name, artifact in inputs.items()},
            externals={name: os.fspath(path) for name, path in self._maker.externals.items()},
            engine=self._maker.engine.name,
            run=self._maker.run.id,
            farm=self._farm.kind,
            again=again,
        )
        future: Future[Artifact] = Future()
        self._handed[future] = Handed(step, pickle.dumps(task), future)
        self.hand(self._handed[future])
        return future

    def handed(self) -> list[Handed]:
        """Return all that has been handed over and is not made yet."""
        return list(self._handed.values())

    def given_up(self) -> Iterator[Handed]:
        """Give what Dask has given up and no worker ever began, each once."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._given_up.get_nowait()

    def give_up(self, error: EngineError) -> None:
        """End all that was handed over with an error."""
        for future in list(self._handed):
            self._settle(future, error)

    def hand(self, handed: Handed, place: str | None = None) -> None:
        """Hand a step over, or end it where that cannot be done: stopped meanwhile, or without a scheduler."""
        over: tuple[type[Exception], ...] = (EngineError, *gone())
        try:
            self._hand_over(handed, place)
        except over:
            self._settle(handed.future, self._over_for(handed))

    def _hand_over(self, handed: Handed, place: str | None = None) -> None:
        """Hand a step over, for the first time or in place of the time before; to one worker, or whom Dask chooses."""
        handed.wanted = self._wanted(handed.step)
        executor: Any = self._executor(handed.wanted)  # an Executor that also takes a name and a place
        before, handed.given = handed.given, None
        if before is not None:
            before.cancel()
        handed.times, handed.handed_s = handed.times + 1, time.monotonic()
        handed.name = f"{handed.step.label}-{self._topic}-{handed.times}"
        words = (handed.payload, self._topic, project.digest())
        given = handed.given = executor.submit(worker.make, *words, key=handed.name, workers=place)
        given.add_done_callback(lambda given: self._pass_on(handed, given))

    def _executor(self, wanted: Mapping[str, float]) -> Executor:
        """Return the client's executor for steps that take so much of a machine."""
        known = tuple(sorted(wanted.items()))
        if known not in self._executors:
            made = self._farm.client.get_executor(resources=wanted, pure=False)
            self._executors.setdefault(known, made)  # of two threads' one: `stop` must know what was handed over
        return self._executors[known]

    def stop(self) -> None:
        """Take back all that was handed over; the workers end these steps within a second or two."""
        if not self._stopped:
            self._stopped = True
            for executor in list(self._executors.values()):
                with contextlib.suppress(*gone()):  # without its scheduler all is over anyway
                    executor.shutdown(wait=False)

    def __enter__(self) -> Self:
        """Begin: listen to what the workers tell, and show them that locks hold."""
        self._stack.enter_context(flock.through(self._maker.run.folder / HELD, alone=True))
        self._farm.client.subscribe_topic(self._topic, self._hear)
        self._stack.enter_context(self._watch)
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
        return machine.wanted(step, most or math.inf)  # of workers that are not there yet nothing is known

    def _pass_on(self, handed: Handed, given: Future[Any]) -> None:
        """Turn what came of a step on a worker into what `Maker.make` gives or raises."""
        label, future = handed.step.label, handed.future
        if given is not handed.given:  # it was handed over once more
            return
        if given.cancelled():
            self._settle(future, self._over_for(handed))
            return
        error = given.exception()
        if error is not None and type(error).__name__ == KILLED and self._is_innocent(handed):
            self._given_up.put(handed)  # for our own thread: this one is Dask's, which must not wait for Dask
            return
        if error is not None:
            self._settle(future, _in_our_words(label, error))
            return
        answer: Made | Failed = given.result()
        if isinstance(answer, Failed):
            self._settle(future, answer.error())
        else:
            home = self._maker.store.root / "objects" / answer.key
            self._settle(future, Artifact(answer.key, home, answer.record))

    def _is_innocent(self, handed: Handed) -> bool:
        handed.lost += 1
        return handed.begun < MOST_DEATHS and handed.lost < MOST_ROUNDS

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        if worker.TAKEN in event[1]:
            self._take_note(event[1][worker.TAKEN], event[1]["worker"])
            return
        told = {name: value for name, value in event[1].items() if name in Notice.__slots__}  # Dask adds the worker
        self._maker.notify(Notice(**{**told, "kind": Kind(told["kind"])}))

    def _take_note(self, name: str, address: str) -> None:
        for handed in self.handed():
            if handed.name == name:
                handed.worker = address
                handed.begun += 1

    def _over_for(self, handed: Handed) -> BaseException:
        """Say why nobody will make a step any more."""
        return InterruptedRunError(handed.step.label) if self._stopped else lost()

    def _settle(self, future: Future[Artifact], outcome: Artifact | BaseException) -> None:
        """End a future, once: whoever comes second, such as a worker after all, comes too late."""
        with self._lock:
            if self._handed.pop(future, None) is None:
                return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _in_our_words(label: str, error: BaseException) -> BaseException:
    """Name a step whose workers died one after the other; anything else is a bug and keeps its traceback."""
    if type(error).__name__ != KILLED:
        return error
    return StageError(
        f"{label} failed: the workers that made it died, one after the other",
        hint="is there enough memory? The last worker's own log, on its machine, says more",
    )
