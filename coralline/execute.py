"""A plan is carried out: in the order of the graph, side by side where there is room, until done, failed or stopped.

Each step is decided again just before it would run, because only then are its inputs' contents known: a rebuild that
gave the same bytes stops there.
"""

from __future__ import annotations

import heapq
import queue
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline.errors import CorallineError
from coralline.make import InterruptedRunError, Maker
from coralline.notices import Kind, Notice, Notify
from coralline.plan import Action, Decision, Planner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.graph import Step
    from coralline.pool import Pool
    from coralline.store import Artifact


MEANWHILE = "another run made it meanwhile"
LOOK_EVERY_S = 0.2  # how soon a told stop is noticed while nothing ends
SAVING_SHARE = 0.05  # of a run's time at most goes into writing how it stands: with many steps that is a long list


@dataclass(slots=True)
class Ended:
    """How a run ended: what was decided and made, and the errors of steps that failed, by label."""

    decided: dict[str, Decision] = field(default_factory=dict)
    errors: dict[str, CorallineError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


class Execution:
    """One carrying-out of a graph; `pool` is what the steps are handed to."""

    def __init__(self, steps: Mapping[str, Step], planner: Planner, maker: Maker, pool: Pool, notify: Notify) -> None:
        self._steps = steps
        self._planner = planner
        self._maker = maker
        self._pool = pool
        self._notify = notify
        self._ended = Ended()
        self._queue = Queue(steps)
        self._running: dict[Future[Artifact], tuple[Decision, float]] = {}
        self._over: queue.SimpleQueue[Future[Artifact]] = queue.SimpleQueue()
        self._unsaved = False
        self._save_from = 0.0

    def run(self) -> Ended:
        """Carry out all steps and say how it ended. What is finished stays, whatever else happens."""
        with self._pool:
            try:
                while not self._is_over():
                    self._start_ready()
                    self._collect()
            except BaseException:
                self._maker.cancelled.set()  # a bug must not leave the others running for hours
                self._pool.stop()
                raise
        self._ended.interrupted = self._maker.cancelled.is_set()
        self._maker.run.ended = not self._ended.interrupted
        self._maker.run.save()
        return self._ended

    def _is_over(self) -> bool:
        if self._maker.cancelled.is_set():
            self._pool.stop()
            return not self._running
        return not self._running and self._queue.is_empty()

    def _start_ready(self) -> None:
        """Settle what is ready and needs no work, and start what has room; the rest stays ready."""
        later = []
        while len(self._running) < self._pool.slots and not self._maker.cancelled.is_set():
            label = self._queue.next()
            if label is None:
                break
            step = self._steps[label]
            if self._skips(step):
                continue
            if not self._pool.has_room(step, [decision.step for decision, _ in self._running.values()]):
                later.append(label)
                continue
            decision = self._planner.decide(step, self._earlier(step))
            if decision.action is Action.RUN:
                self._start(decision)
            else:
                self._settle(decision)
        self._queue.put_back(later)

    def _skips(self, step: Step) -> bool:
        """Tell whether a step cannot be made because one that it needs failed; then it is settled."""
        lost = [label for label in step.sources.values() if label in self._ended.errors or label in self._ended.skipped]
        if lost:
            self._ended.skipped[step.label] = f"needs {lost[0]}"
            self._note(step, "skipped", self._ended.skipped[step.label], None)
            self._notify(Notice(kind=Kind.SKIPPED, label=step.label, text=self._ended.skipped[step.label]))
            self._queue.settled(step.label)
        return bool(lost)

    def _earlier(self, step: Step) -> dict[str, Decision]:
        """Return what was decided so far, with what a gathering step goes on without because it failed."""
        if not step.gathered:
            return self._ended.decided
        reasons = {
            label: f"failed: {error.message}" for label, error in self._ended.errors.items()
        } | self._ended.skipped
        lost = {
            label: Decision(step=self._steps[label], action=Action.BLOCKED, reason=reasons[label])
            for label in step.gathered.values()
            if label in reasons
        }
        return self._ended.decided | lost

    def _start(self, decision: Decision) -> None:
        step = decision.step
        names = {
            **step.sources,
            **{name: label for name, label in step.gathered.items() if label not in decision.missing},
        }
        inputs = {name: self._made(label) for name, label in names.items()}
        future = self._pool.submit(decision, inputs, again=step.label in self._planner.forced)
        self._running[future] = (decision, time.perf_counter())
        self._note(step, "running", decision.reason, decision.key)
        future.add_done_callback(self._over.put)

    def _made(self, label: str) -> Artifact:
        artifact = self._ended.decided[label].artifact
        if artifact is None:
            raise AssertionError(label)
        return artifact

    def _collect(self) -> None:
        """Wait until something ends, or for a moment; then take note of all that ended."""
        self._save()
        if not self._running:
            return
        try:
            future = self._over.get(timeout=LOOK_EVERY_S)
            while True:
                decision, started = self._running.pop(future)
                self._end(decision, future, time.perf_counter() - started)
                future = self._over.get_nowait()
        except queue.Empty:
            return

    def _end(self, decision: Decision, future: Future[Artifact], seconds: float) -> None:
        step = decision.step
        try:
            artifact = future.result()
        except (InterruptedRunError, CancelledError):
            self._note(step, "interrupted", "stopped", decision.key)
        except CorallineError as error:
            self._ended.errors[step.label] = error
            self._note(step, "failed", error.message, decision.key)
            said = error.message.partition("\n")[0]
            for beginning in (f"{step.label}: ", f"{step.label} failed: "):
                said = said.removeprefix(beginning)
            self._notify(Notice(kind=Kind.FAILED, label=step.label, text=said, seconds=seconds))  # in full at the end
        else:
            self._finish(decision, artifact, seconds)
        self._queue.settled(step.label)

    def _finish(self, decision: Decision, artifact: Artifact, seconds: float) -> None:
        step = decision.step
        self._ended.decided[step.label] = Decision(
            step=step, action=decision.action, reason=decision.reason, key=artifact.key, artifact=artifact
        )
        self._maker.store.remember(step.label, artifact.key)
        if artifact.record.get("run") == self._maker.run.id:
            took = float(artifact.record.get("seconds", seconds))  # on a farm a step waits before it is made
            self._note(step, "made", decision.reason, artifact.key, took)
            self._notify(Notice(kind=Kind.DONE, label=step.label, text=artifact.digest[:12], seconds=took))
        else:
            self._note(step, "reused", MEANWHILE, artifact.key)
            self._notify(Notice(kind=Kind.REUSED, label=step.label, text=MEANWHILE))

    def _settle(self, decision: Decision) -> None:
        """Take note of a step that needs no work: reused or blocked."""
        step = decision.step
        self._ended.decided[step.label] = decision
        if decision.key is not None and decision.artifact is not None:
            self._maker.store.remember(step.label, decision.key)
        self._note(step, str(decision.action), decision.reason, decision.key)
        self._notify(Notice(kind=Kind(str(decision.action)), label=step.label, text=decision.reason))
        self._queue.settled(step.label)

    def _note(self, step: Step, state: str, reason: str, key: str | None, seconds: float | None = None) -> None:
        entry: dict[str, object] = {"state": state, "reason": reason, "key": key}
        if seconds is not None:
            entry |= {"seconds": f"{seconds:.3f}"}
        if step.point:
            entry |= {"point": dict(step.point)}
        self._maker.run.steps[step.label] = entry
        self._unsaved = self._unsaved or state not in ("reused", "blocked")

    def _save(self) -> None:
        """Write how the run stands, unless that took up too much of the time so far."""
        now = time.monotonic()
        if self._unsaved and now >= self._save_from:
            self._maker.run.save()
            self._unsaved = False
            after = time.monotonic()
            self._save_from = after + (after - now) / SAVING_SHARE


class Queue:
    """Which steps are ready: all that they need is settled. Given out in the order of the graph, each once."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._labels = list(steps)
        self._places = {label: place for place, label in enumerate(self._labels)}
        self._waits_for = {label: set(step.needs) for label, step in steps.items()}
        self._needed_by: dict[str, list[str]] = {}
        for label, needs in self._waits_for.items():
            for need in needs:
                self._needed_by.setdefault(need, []).append(label)
        self._ready = [self._places[label] for label, needs in self._waits_for.items() if not needs]
        self._unsettled = len(self._labels)

    def is_empty(self) -> bool:
        """Whether every step is settled."""
        return self._unsettled == 0

    def next(self) -> str | None:
        """Take the next step that is ready."""
        return self._labels[heapq.heappop(self._ready)] if self._ready else None

    def put_back(self, labels: list[str]) -> None:
        """Make steps ready again that were taken and not started."""
        for label in labels:
            heapq.heappush(self._ready, self._places[label])

    def settled(self, label: str) -> None:
        """Take note that a step is over, which may make others ready."""
        self._unsettled -= 1
        for dependent in self._needed_by.get(label, ()):
            self._waits_for[dependent].discard(label)
            if not self._waits_for[dependent]:
                heapq.heappush(self._ready, self._places[dependent])
