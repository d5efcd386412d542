"""The pool of a farm: hands ready steps to Dask's scheduler, and turns what comes back into what a thread gives."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

from coralline.errors import EngineError, StageError
from coralline.farm import machine, worker
from coralline.farm.roster import lost
from coralline.farm.task import HELD, Failed, Made, Task
from coralline.make import InterruptedRunError
from coralline.notices import Kind, Notice
from coralline.store import Artifact, flock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from coralline.farm.roster import Farm
    from coralline.graph import Step
    from coralline.make import Maker
    from coralline.plan import Decision

LOOK_EVERY_S = 1.0
SAY_AFTER_S = 10.0


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
            inputs={name: (artifact.key, artifact.digest) for name, artifact in inputs.items()},
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


def _in_our_words(label: str, error: BaseException) -> BaseException:
    """Name a step whose workers died one after the other; anything else is a bug and keeps its traceback."""
    if type(error).__name__ != "KilledWorker":
        return error
    return StageError(
        f"{label} failed: the workers that made it died, one after the other",
        hint="is there enough memory? The last worker's own log, on its machine, says more",
    )
