"""Graph x store -> reuse, run or blocked for each step, each with its reason. Looks, makes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from coralline import devices, host, key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from coralline.code import Code
    from coralline.engines.base import Engine, Outpost
    from coralline.graph import Step
    from coralline.key import Parts
    from coralline.store import Artifact, Store


class Action(StrEnum):
    """What is to be done with a step."""

    REUSE = "reused"
    RUN = "run"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with one step and why; `parts` and `key` are None while an input is still to be made."""

    step: Step
    action: Action
    reason: str
    key: str | None = None
    parts: Parts | None = None
    artifact: Artifact | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Decides step by step; what it is told of earlier steps may come from a plan or from what was just made.

    `external` gives the digest of what is the user's, by its name in the request; `forced` names steps to make again.
    `machines` gives the fingerprints of the machines whose measurements of a step count as ours. Where there is not
    exactly one, a measurement that is to be made has no key until a machine has taken it. `placed` has the engines of
    stages that run on another machine's daemon, by stage.
    """

    store: Store
    engine: Engine
    code: Code
    external: Callable[[str], str]
    forced: frozenset[str] = frozenset()
    device_missing: Callable[[str], str | None] = devices.missing
    placed: Mapping[str, Outpost] = field(default_factory=dict)
    machines: Callable[[Step], Sequence[str]] = lambda step: [host.fingerprint(devices.identity(step.variant.needs))]

    def plan(self, steps: Mapping[str, Step]) -> dict[str, Decision]:
        """Decide for all steps, in the order of the graph."""
        decided: dict[str, Decision] = {}
        for label, step in steps.items():
            decided[label] = self.decide(step, decided)
        return decided

    def decide(self, step: Step, earlier: Mapping[str, Decision]) -> Decision:
        """Decide for one step, given the decisions for all that it needs."""
        reason = self._blocked_by(step, earlier)
        if reason is not None:
            return Decision(step=step, action=Action.BLOCKED, reason=reason)
        missing = {label: earlier[label].reason for label in step.gathered.values() if _is_blocked(earlier[label])}
        waiting = [label for label in step.needs if label not in missing and earlier[label].artifact is None]
        parts = None if waiting else self._parts(step, earlier, missing)
        possible = [] if parts is None else self._on_each_machine(step, parts)
        found = [(*one, self.store.find(one[0])) for one in possible]  # claims the key for this run, found or not
        for known, here, artifact in found if step.label not in self.forced else []:
            if artifact is not None:
                return Decision(
                    step=step,
                    action=Action.REUSE,
                    reason="reused",
                    key=known,
                    parts=here,
                    artifact=artifact,
                    missing=missing,
                )
        reason = self._unavailable(step)
        if reason is not None:
            return Decision(step=step, action=Action.BLOCKED, reason=reason)
        reason = self._why(step, parts if possible == [] else possible[0][1], waiting)
        only: tuple[str | None, Parts | None] = possible[0] if len(possible) == 1 else (None, parts)
        return Decision(step=step, action=Action.RUN, reason=reason, key=only[0], parts=only[1], missing=missing)

    def _blocked_by(self, step: Step, earlier: Mapping[str, Decision]) -> str | None:
        for label in step.sources.values():
            if _is_blocked(earlier[label]):
                reason = earlier[label].reason
                return reason if reason.startswith("needs ") else f"needs {label}: {reason}"
        return None

    def missing(self, step: Step) -> str | None:
        """Say why the device that a step needs is not where it would run, or None."""
        need, outpost = step.variant.needs, self.placed.get(step.spec.name)
        if need is None:
            return None
        return self.device_missing(need) if outpost is None else outpost.missing(need)

    def _unavailable(self, step: Step) -> str | None:
        return self.missing(step) or self._engine(step).blocked(step.variant.image)

    def _engine(self, step: Step) -> Engine:
        return self.placed.get(step.spec.name, self.engine)

    def _parts(self, step: Step, earlier: Mapping[str, Decision], missing: Mapping[str, str]) -> Parts:
        labels = step.sources | {name: label for name, label in step.gathered.items() if label not in missing}
        artifacts = {name: _artifact(earlier[label]) for name, label in labels.items()}
        if step.gathered:  # a report names the artifacts it speaks of, so their keys count too
            inputs = {name: f"{artifact.digest} {artifact.key}" for name, artifact in artifacts.items()}
        else:
            inputs = {name: artifact.digest for name, artifact in artifacts.items()}
        for name, declared in step.externals.items():
            if declared.keyed and declared.external is not None:
                inputs[name] = self.external(declared.external)
        return key.parts_of(
            step,
            inputs=inputs,
            code=self.code.of_step(step.spec, step.parameters),
            image={"engine": self._engine(step).name, **self._engine(step).recipe(step.variant.image)},
            missing=missing,
        )

    def _on_each_machine(self, step: Step, parts: Parts) -> list[tuple[str, Parts]]:
        """Return key and parts for each machine on which the step may be made; but for measurements all are one."""
        hosts = self._machines(step) if step.spec.measures else [None]
        each = [{**parts, "host": one} for one in hosts]
        return [(key.key_of(here), here) for here in each]

    def _machines(self, step: Step) -> Sequence[str]:
        outpost = self.placed.get(step.spec.name)
        return self.machines(step) if outpost is None else [outpost.fingerprint(step.variant.needs)]

    def _why(self, step: Step, parts: Parts | None, waiting: list[str]) -> str:
        if step.label in self.forced:
            return "asked for with --from"
        if waiting:
            return f"input {waiting[0]} is to be made"
        last = self.store.last(step.label)
        if last is None or parts is None:
            return "not made before"
        return key.difference(last.record["key_parts"], parts) or "not in the store any more"


def _is_blocked(decision: Decision) -> bool:
    return decision.action is Action.BLOCKED


def _artifact(decision: Decision) -> Artifact:
    if decision.artifact is None:
        raise AssertionError(decision.step.label)  # the caller has looked
    return decision.artifact


def as_rows(plan: Mapping[str, Decision]) -> list[dict[str, Any]]:
    """Return the plan as plain values, for `--json`."""
    return [
        {"step": label, "action": str(decision.action), "reason": decision.reason, "key": decision.key}
        for label, decision in plan.items()
    ]
