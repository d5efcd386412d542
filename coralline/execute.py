"""A plan is carried out: in the order of the graph, side by side where cores allow, until done, failed or told to stop.

Each step is decided again just before it would run, because only then are its inputs' contents known: a rebuild that
gave the same bytes stops there.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline.errors import CorallineError
from coralline.make import InterruptedRunError, Maker
from coralline.notices import Kind, Notice, Notify
from coralline.plan import Action, Decision, Planner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from coralline.graph import Step
    from coralline.store import Artifact


MEANWHILE = "another run made it meanwhile"


@dataclass(slots=True)
class Ended:
    """How a run ended: what was decided and made, and the errors of steps that failed, by label."""

    decided: dict[str, Decision] = field(default_factory=dict)
    errors: dict[str, CorallineError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


class Execution:
    """One carrying-out of a graph. `jobs` limits how many steps run at once."""

    def __init__(self, steps: Mapping[str, Step], planner: Planner, maker: Maker, *, jobs: int, notify: Notify) -> None:
        self._steps = steps
        self._planner = planner
        self._maker = maker
        self._jobs = jobs
        self._notify = notify
        self._ended = Ended()
        self._running: dict[Future[Artifact], tuple[Decision, float]] = {}

    def run(self) -> Ended:
        """Carry out all steps and say how it ended. What is finished stays, whatever else happens."""
        with ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="step") as pool:
            try:
                while not self._is_over():
                    self._start_ready(pool)
                    self._collect()
            except BaseException:
                self._maker.cancelled.set()  # a bug must not leave the others running for hours
                raise
        self._ended.interrupted = self._maker.cancelled.is_set()
        self._maker.run.ended = not self._ended.interrupted
        self._maker.run.save()
        return self._ended

    def _is_over(self) -> bool:
        if self._running:
            return False
        return self._maker.cancelled.is_set() or all(self._is_settled(label) for label in self._steps)

    def _is_settled(self, label: str) -> bool:
        ended = self._ended
        return label in ended.decided or label in ended.errors or label in ended.skipped

    def _start_ready(self, pool: Executor) -> None:
        started = {decision.step.label for decision, _ in self._running.values()}
        for label, step in self._steps.items():
            if self._maker.cancelled.is_set():
                return
            if label in started or self._is_settled(label) or not all(map(self._is_settled, step.needs)):
                continue
            if self._skips(step) or not self._has_room(step):
                continue
            decision = self._planner.decide(step, self._ended.decided | self._lost(step))
            if decision.action is Action.RUN:
                self._start(pool, decision)
            else:
                self._settle(decision)

    def _skips(self, step: Step) -> bool:
        """Tell whether a step cannot be made because one that it needs failed; then it is settled."""
        lost = [label for label in step.sources.values() if label in self._ended.errors or label in self._ended.skipped]
        if lost:
            self._ended.skipped[step.label] = f"needs {lost[0]}"
            self._note(step.label, "skipped", self._ended.skipped[step.label], None)
            self._notify(Notice(kind=Kind.SKIPPED, label=step.label, text=self._ended.skipped[step.label]))
        return bool(lost)

    def _lost(self, step: Step) -> dict[str, Decision]:
        """Return what a gathering step goes on without, because it failed."""
        reasons = {
            label: f"failed: {error.message}" for label, error in self._ended.errors.items()
        } | self._ended.skipped
        return {
            label: Decision(step=self._steps[label], action=Action.BLOCKED, reason=reasons[label])
            for label in step.gathered.values()
            if label in reasons
        }

    def _has_room(self, step: Step) -> bool:
        """Tell whether a step may start: one that takes all cores or measures runs alone, others share the jobs."""
        if not self._running:
            return True
        alone = [step.spec, *(decision.step.spec for decision, _ in self._running.values())]
        return len(self._running) < self._jobs and not any(spec.cores == "all" or spec.measures for spec in alone)

    def _start(self, pool: Executor, decision: Decision) -> None:
        step = decision.step
        names = {
            **step.sources,
            **{name: label for name, label in step.gathered.items() if label not in decision.missing},
        }
        inputs = {name: self._made(label) for name, label in names.items()}
        again = step.label in self._planner.forced
        future = pool.submit(self._maker.make, decision, inputs, again=again)
        self._running[future] = (decision, time.perf_counter())
        self._note(step.label, "running", decision.reason, decision.key)

    def _made(self, label: str) -> Artifact:
        artifact = self._ended.decided[label].artifact
        if artifact is None:
            raise AssertionError(label)
        return artifact

    def _collect(self) -> None:
        if not self._running:
            return
        done, _ = wait(self._running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in done:
            decision, started = self._running.pop(future)
            self._end(decision, future, time.perf_counter() - started)

    def _end(self, decision: Decision, future: Future[Artifact], seconds: float) -> None:
        label = decision.step.label
        try:
            artifact = future.result()
        except InterruptedRunError:
            self._note(label, "interrupted", "stopped", decision.key)
        except CorallineError as error:
            self._ended.errors[label] = error
            self._note(label, "failed", error.message, decision.key)
            said = error.message.partition("\n")[0].removeprefix(f"{label}: ").removeprefix(f"{label} failed: ")
            self._notify(Notice(kind=Kind.FAILED, label=label, text=said, seconds=seconds))  # in full at the end
        else:
            self._finish(decision, artifact, seconds)

    def _finish(self, decision: Decision, artifact: Artifact, seconds: float) -> None:
        label = decision.step.label
        self._ended.decided[label] = Decision(
            step=decision.step, action=decision.action, reason=decision.reason, key=artifact.key, artifact=artifact
        )
        self._maker.store.remember(label, artifact.key)
        if artifact.record["run"] == self._maker.run.id:
            self._note(label, "made", decision.reason, artifact.key, seconds)
            self._notify(Notice(kind=Kind.DONE, label=label, text=artifact.digest[:12], seconds=seconds))
        else:
            self._note(label, "reused", MEANWHILE, artifact.key)
            self._notify(Notice(kind=Kind.REUSED, label=label, text=MEANWHILE))

    def _settle(self, decision: Decision) -> None:
        """Take note of a step that needs no work: reused or blocked."""
        label = decision.step.label
        self._ended.decided[label] = decision
        if decision.key is not None and decision.artifact is not None:
            self._maker.store.remember(label, decision.key)
        self._note(label, str(decision.action), decision.reason, decision.key)
        self._notify(Notice(kind=Kind(str(decision.action)), label=label, text=decision.reason))

    def _note(self, label: str, state: str, reason: str, key: str | None, seconds: float | None = None) -> None:
        entry = {"state": state, "reason": reason, "key": key}
        if seconds is not None:
            entry |= {"seconds": f"{seconds:.3f}"}
        self._maker.run.steps[label] = entry
        if state not in ("reused", "blocked"):
            self._maker.run.save()
