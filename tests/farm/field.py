"""A farm inside this process: a Dask cluster with two workers, and steps that are functions."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fakes import FakeEngine, make_outputs, spec, step

from coralline import catalogue, runs
from coralline.code import Code
from coralline.execute import Ended, Execution
from coralline.farm import task
from coralline.farm.roster import Farm, quiet
from coralline.frozen import Frozen
from coralline.make import Maker
from coralline.plan import Planner
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from coralline.engines.base import Job, OnEvent, Outcome
    from coralline.graph import Step
    from coralline.notices import Notice
    from coralline.plan import Decision

PATIENCE_S = 60.0


@dataclass
class WatchedEngine(FakeEngine):
    """Runs steps as functions that know when to end; remembers which worker ran what, and when."""

    spans: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    cancelled: dict[str, threading.Event] = field(default_factory=dict)

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        from distributed import get_worker

        self.cancelled[job.label] = cancelled
        started = time.monotonic()
        try:
            return super().run(job, on_event, cancelled)
        finally:
            self.spans[job.label] = (started, time.monotonic(), str(get_worker().name))

    def overlap(self, one: str, other: str) -> bool:
        """Whether two steps ran at the same time on the same worker."""
        (a, b, here), (c, d, there) = self.spans[one], self.spans[other]
        return here == there and a < d and c < b


class Field:
    """A store, an engine that all workers share, and a farm."""

    def __init__(self, root: Path, client: Any) -> None:
        self.store = Store(root / "artifacts")
        self.engine = WatchedEngine()
        self.planned_on = FakeEngine()  # what the front believes of images
        self.farm = Farm(client=client, store=self.store, kind="dask", lacking="no worker")
        self.told: list[Notice] = []
        self.cancelled = threading.Event()
        self.run_made: runs.Run | None = None

    def planner(self) -> Planner:
        return Planner(
            store=self.store,
            engine=self.planned_on,
            code=Code(self.store.root, self.store.root / "code.json"),
            external=str,
            device_missing=self.farm.device_missing,
            machines=self.farm.machines,
        )

    def plan(self, steps: Mapping[str, Step]) -> dict[str, Decision]:
        return self.planner().plan(steps)

    def run(self, steps: Mapping[str, Step]) -> Ended:
        self.engine.ran.clear()
        self.run_made = runs.start(self.store.root, {})
        maker = Maker(
            store=self.store,
            engine=self.planned_on,
            frozen=Frozen(self.store.root, self.store.root / "home"),
            run=self.run_made,
            externals={},
            digest=str,
            notify=self.told.append,
            cancelled=self.cancelled,
        )
        return Execution(steps, self.planner(), maker, self.farm.pool(maker), self.told.append).run()

    def record(self, ended: Ended, label: str) -> dict[str, Any]:
        artifact = ended.decided[label].artifact
        assert artifact is not None
        found: dict[str, Any] = json.loads((artifact.path / "record.json").read_text())
        return found


def row(*names: str, **options: Any) -> dict[str, Step]:
    """Stages one after the other."""
    before: list[str] = []
    made: dict[str, Step] = {}
    for name in names:
        made[name] = step(spec(name, after=before[-1:], **options))
        before.append(name)
    return made


def beside(*names: str, **options: Any) -> dict[str, Step]:
    """Stages that need nothing."""
    return {name: step(spec(name, **options)) for name in names}


def needing(one: Step, device: str) -> Step:
    """Return the step, but in need of a device."""
    return replace(one, variant=replace(one.variant, needs=device))


@contextlib.contextmanager
def cluster(workers: int = 2, threads: int = 2, **resources: float) -> Iterator[Any]:
    """Give a client of workers that are threads of this process."""
    from distributed import Client, LocalCluster

    offered = {"room": 1.0, "memory": 64.0, **resources}
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            processes=False,
            dashboard_address="127.0.0.1:0",
            resources=offered,
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        quiet()
        yield client


def until(what: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def placed(field: Field, monkeypatch: pytest.MonkeyPatch) -> Field:
    """Let the workers, which are threads of this process, work in its store and with its engine."""
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(field.store.root))
    monkeypatch.setattr(task, "engine", lambda _name: field.engine)
    return field


def hold(seconds: float) -> Any:
    """Behave like a step that takes so long."""

    def behave(job: Job) -> Outcome:
        time.sleep(seconds)
        return make_outputs(job)

    return behave
