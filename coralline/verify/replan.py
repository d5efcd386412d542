"""Decides what is made again of a run, from the run's own inputs, and says what differs before anything is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from coralline import runs
from coralline.care.fsck import faults
from coralline.plan import Action, Decision, Planner
from coralline.verify import cause
from coralline.verify.subject import is_copy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.errors import CorallineError
    from coralline.graph import Step
    from coralline.store import Artifact, Store
    from coralline.verify.subject import Subject
    from coralline.verify.verdict import Cause


@dataclass(slots=True)
class Notes:
    """What is known of steps besides what was made: what differs of a key, why it is not made, or how it failed."""

    changed: dict[str, Cause] = field(default_factory=dict)
    unbuilt: dict[str, str] = field(default_factory=dict)
    failed: dict[str, CorallineError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanner(Planner):
    """Decides from the run's own inputs. `behind` is a store whose artifacts count as rebuilt where keys agree.

    `inputs` says what is known of changed data of the user's, by the name of the external.
    """

    subject: Subject
    notes: Notes
    behind: Store | None
    inputs: Mapping[str, str]

    def decide(self, step: Step, earlier: Mapping[str, Decision]) -> Decision:
        """Decide for one step: make it again, or say why not."""
        if step.label not in self.subject.originals and step.label in self.subject.absent:
            return Decision(step=step, action=Action.BLOCKED, reason=self.subject.absent[step.label])
        decided = Planner.decide(self, step, {label: self._read(earlier[label]) for label in step.needs})
        if step.label not in self.subject.wanted:
            return self._left_alone(decided, "read as it is")
        self._compare(decided)
        known = self.notes.changed.get(step.label)
        if decided.action is Action.BLOCKED:
            return self._left_alone(decided, decided.reason)
        if known is not None and self._is_another(step, known):
            return self._left_alone(decided, known.text)
        found = self._found(step.label, decided.key)
        if found is not None:
            return replace(decided, action=Action.REUSE, reason="in the store", artifact=found)
        return replace(decided, reason="again" if known is None else f"again, although {known.text}")

    def _is_another(self, step: Step, known: Cause) -> bool:
        """Whether it is no longer the same step, so that making it would show nothing.

        The exception is an input that was itself rebuilt: where a bundle has no files, the chain is followed on.
        """
        original = self.subject.originals.get(step.label)
        is_followed = original is not None and not original.is_here and not self._changed_data(step)
        return known.kind == "parameter" or (known.kind == "input" and not is_followed)

    def _changed_data(self, step: Step) -> list[str]:
        return [self.inputs[str(i.external)] for i in step.externals.values() if i.external in self.inputs]

    def _found(self, label: str, known: str | None) -> Artifact | None:
        """Find an artifact that was made here by itself: a copy of the original would only be equal to itself."""
        found = None if self.behind is None or known is None else self.behind.find(known)
        original = self.subject.originals.get(label)
        if found is None or (original is not None and is_copy(original.artifact, found)):
            return None
        return found if self._was_made_here(found) and not faults(found.path) else None

    def _was_made_here(self, found: Artifact) -> bool:
        """Whether a run of this store made it, by that run's own word: what was imported may say anything of itself."""
        if self.behind is None:
            return False
        run = runs.read(self.behind.root, str(found.record.get("run")))
        made = (told["key"] for told in run.steps.values() if told["state"] == "made")
        return not run.is_imported and found.key in made

    def _read(self, made: Decision) -> Decision:
        """Swap what was rebuilt for the original, which is what the next step read then."""
        original = self.subject.originals.get(made.step.label)
        if original is None or not original.is_usable:
            return made
        return replace(made, action=Action.REUSE, artifact=original.artifact)

    def _compare(self, decided: Decision) -> None:
        """Note what differs of the key, before anything is made."""
        step = decided.step
        changed = self._changed_data(step)
        if changed:  # also of a step that only reads it, and in whose key it is through another input
            self.notes.changed[step.label] = cause.input_of(changed[0])
        original = self.subject.originals.get(step.label)
        if original is None or decided.parts is None:
            return
        named = {name: f"{name}: {label}" for name, label in step.sources.items()} | step.gathered
        found = cause.of_parts(original.artifact.record["key_parts"], decided.parts, named)
        if found is not None:
            self.notes.changed.setdefault(step.label, found)

    def _left_alone(self, decided: Decision, why: str) -> Decision:
        """Go on with the original of a step that is not made again, where there is one."""
        label = decided.step.label
        self.notes.unbuilt[label] = why
        original = self.subject.originals.get(label)
        if original is not None and original.is_usable:
            return replace(
                decided, action=Action.REUSE, reason=why, key=original.artifact.key, artifact=original.artifact
            )
        if label not in self.subject.wanted and decided.action is not Action.BLOCKED:
            del self.notes.unbuilt[label]
            return decided  # others need it, and the original cannot be read
        return Decision(step=decided.step, action=Action.BLOCKED, reason=why)
