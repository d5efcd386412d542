"""Makes the artifacts of a run again in a fresh store, each from the run's own inputs.

A step reads what it read then: the originals where they are here and intact, else what was rebuilt. So a difference is
told where it arises and does not spread, and equal steps prove an equal chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coralline import host, runs
from coralline.errors import CorallineError
from coralline.execute import Execution
from coralline.make import Maker
from coralline.notices import Kind, Notice, Notify
from coralline.plan import Action, Decision
from coralline.pool import Threads
from coralline.verify.replan import Notes, Replanner

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coralline.code import Code
    from coralline.engines.base import Engine
    from coralline.execute import Ended
    from coralline.frozen import Frozen
    from coralline.store import Artifact, Store
    from coralline.verify.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaker(Maker):
    """Makes steps from the run's own inputs; where one fails, what needs it goes on with the original."""

    subject: Subject
    notes: Notes

    def make(self, decision: Decision, inputs: Mapping[str, Artifact], *, again: bool) -> Artifact:
        """Make a step again; see `Maker.make`."""
        step = decision.step
        labels = step.sources | step.gathered
        read = {name: self._read(labels[name], made) for name, made in inputs.items()}
        try:
            return Maker.make(self, decision, read, again=again)
        except CorallineError as error:
            original = self.subject.originals.get(step.label)
            if original is None or not original.is_usable:
                raise
            self.notes.failed[step.label] = error
            self.notify(Notice(kind=Kind.FAILED, label=step.label, text=error.message.partition("\n")[0]))
            return original.artifact

    def _read(self, label: str, made: Artifact) -> Artifact:
        original = self.subject.originals.get(label)
        return made if original is None or not original.is_usable else original.artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """Where and how artifacts are made again; `digest` gives that of what is the user's."""

    store: Store
    behind: Store | None
    engine: Engine
    code: Code
    frozen: Frozen
    externals: Mapping[str, Path]
    digest: Callable[[str], str]
    jobs: int
    notify: Notify
    cancelled: threading.Event

    def run(self, subject: Subject, inputs: Mapping[str, str], notes: Notes) -> Ended:
        """Make all wanted steps again and say how it ended."""
        planner = self._planner(subject, inputs, notes)
        maker = Remaker(
            store=self.store,
            engine=self.engine,
            frozen=self.frozen,
            run=runs.start(self.store.root, {}),
            externals=self.externals,
            digest=self.digest,
            notify=self.notify,
            cancelled=self.cancelled,
            subject=subject,
            notes=notes,
        )

        def notify(notice: Notice) -> None:
            if notice.label not in notes.failed:  # of these all is told, and the original is not news
                self.notify(notice)

        pool = Threads(maker, self.jobs or host.cores())
        return Execution(subject.steps, planner, maker, pool, notify).run()

    def images(self, subject: Subject, inputs: Mapping[str, str]) -> set[str]:
        """Return the images of the steps that will be made, as far as that is known before the first one is."""
        decided = self._planner(subject, inputs, Notes()).plan(subject.steps)
        return {one.step.variant.image for one in decided.values() if one.action is Action.RUN}

    def _planner(self, subject: Subject, inputs: Mapping[str, str], notes: Notes) -> Replanner:
        return Replanner(
            store=self.store,
            engine=self.engine,
            code=self.code,
            external=self.digest,
            subject=subject,
            notes=notes,
            behind=self.behind,
            inputs=inputs,
        )
