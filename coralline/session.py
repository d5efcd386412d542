"""The whole way from a request to a plan or a finished run: wires graph, planner, engine and execution together."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline import catalogue, devices, graph, runs
from coralline.code import Code
from coralline.engines import HOME, choose, outposts
from coralline.errors import CorallineError, DeviceError, EngineError, ImageError, NothingToDoError
from coralline.notices import Kind, Notice, Notify
from coralline.placement import Placement
from coralline.plan import Action, Decision, Planner
from coralline.store import Store, uses
from coralline.workplace import Here, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.engines.base import Engine, Outpost
    from coralline.execute import Ended
    from coralline.graph import Step
    from coralline.request import Request
    from coralline.store.uses import Claims
    from coralline.workplace import Workplace
    from stages.spec import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where this session works: the artifacts folder, the wanted engine (docker, local or auto) and how many jobs.

    `placement` says what runs on other machines, `claims` what of the store is in use by this session, `workplace` is
    where its steps run, and `placed` has the engines of stages that are placed on other machines' daemons.
    """

    artifacts: Path = catalogue.PROJECT / "artifacts"
    engine: str = "auto"
    jobs: int = 0
    placement: Placement = field(default_factory=Placement)
    claims: Claims | None = None
    workplace: Workplace = field(default_factory=Here)
    placed: Mapping[str, Outpost] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store below the artifacts folder."""
        return Store(self.artifacts, self.claims)


def plan(request: Request, setting: Setting, notify: Notify) -> dict[str, Decision]:
    """Say what would be done for each step and why; makes nothing."""
    steps = _draw(request)
    engine = choose(setting.engine, notify)
    with (
        outposts(setting.placement.daemons, notify) as placed,
        opened(setting.placement.farm, setting.store, setting.jobs) as workplace,
    ):
        known = replace(setting, workplace=workplace, placed=placed)
        return _planner(request, known, engine, steps, notify).plan(steps)


def build(request: Request, setting: Setting, notify: Notify) -> tuple[runs.Run, Ended]:
    """Carry out a request. What is finished stays, whatever happens; see `Ended` for what did not work.

    Raises:
        CorallineError: nothing could be started.
    """
    from coralline.make import full_disk_told

    steps = _draw(request)
    engine = choose(setting.engine, notify)
    with contextlib.ExitStack() as stack:
        with full_disk_told(setting.artifacts):
            claims = stack.enter_context(uses.claims(setting.artifacts))  # what we use from here on is not collected
        with interruptible():
            placed = stack.enter_context(outposts(setting.placement.daemons, notify))
            workplace = stack.enter_context(opened(setting.placement.farm, setting.store, setting.jobs))
        known = replace(setting, claims=claims, workplace=workplace, placed=placed)
        return _build(request, known, engine, steps, notify)


def _build(
    request: Request, setting: Setting, engine: Engine, steps: Mapping[str, Step], notify: Notify
) -> tuple[runs.Run, Ended]:
    from coralline.execute import Execution
    from coralline.frozen import Frozen
    from coralline.make import Maker, full_disk_told
    from coralline.outposts import beside

    with interruptible():
        engine, planner = _made_ready(request, setting, engine, steps, notify)
    with full_disk_told(setting.artifacts):
        run = runs.start(setting.artifacts, _described(request, setting, engine), setting.store.claim)
    cancelled = threading.Event()
    maker = Maker(
        store=setting.store,
        engine=engine,
        frozen=Frozen(catalogue.PROJECT, HOME),
        run=run,
        externals=request.externals,
        digest=functools.partial(external_digest, request, setting, notify),
        notify=notify,
        cancelled=cancelled,
    )
    with full_disk_told(setting.artifacts), stopping(cancelled, notify):
        pool = beside(setting.workplace.pool(maker), maker, setting.placed)
        ended = Execution(steps, planner, maker, pool, notify).run()
    planner.code.remember()
    return run, ended


def _draw(request: Request) -> dict[str, Step]:
    steps = graph.draw(request)
    if not steps:
        raise NothingToDoError(
            "nothing is left to do", hint="the chosen models have none of the chosen stages or recipes"
        )
    return steps


def _planner(request: Request, setting: Setting, engine: Engine, steps: Mapping[str, Step], notify: Notify) -> Planner:
    forced = graph.descendants(steps, request.again_from) if request.again_from else set()
    return Planner(
        store=setting.store,
        engine=engine,
        code=Code(catalogue.PROJECT, HOME / "code.json"),
        external=functools.cache(functools.partial(external_digest, request, setting, notify)),
        forced=frozenset(forced),
        device_missing=setting.workplace.device_missing,
        machines=setting.workplace.machines,
        placed=setting.placed,
    )


def external_digest(request: Request, setting: Setting, notify: Notify, name: str) -> str:
    """Return the digest of what the user gave with `--name`, a folder or a file."""
    from coralline import datafolder

    path = request.externals[name]

    def progress(done: int, total: int) -> None:
        notify(Notice(kind=Kind.PROGRESS, label=name, text=f"reading {path.name}", done=done, total=total, unit="file"))

    digest = datafolder.digest if name == "data" else datafolder.file_digest  # all else is one file of any kind
    return digest(path, setting.artifacts / "index" / "data.sqlite", progress)


def _made_ready(
    request: Request, setting: Setting, engine: Engine, steps: Mapping[str, Step], notify: Notify
) -> tuple[Engine, Planner]:
    """Make the images of all steps that will run; with `auto`, take the local engine where Docker's cannot be made."""
    from coralline.make import full_disk_told

    planner = _planner(request, setting, engine, steps, notify)
    with full_disk_told(setting.artifacts):
        decided = planner.plan(steps)
    _check_demands(request, planner, decided)
    to_run = [decision.step for decision in decided.values() if decision.action is Action.RUN]
    images = {step.variant.image for step in to_run if step.spec.name not in setting.placed}
    if to_run:
        _check_room(setting.artifacts)
    for stage, outpost in setting.placed.items():
        prepare_images(outpost, {step.variant.image for step in to_run if step.spec.name == stage}, notify)
    try:
        prepare_images(engine, images, notify)
    except (ImageError, EngineError) as error:
        if setting.engine != "auto" or engine.name != "docker":
            raise
        notify(Notice(kind=Kind.WARNING, text=f"not in containers: {error.message}; using the local engine"))
        return _made_ready(request, setting, choose("local", notify), steps, notify)
    if to_run:
        _check_demands(request, planner, planner.plan(steps))  # the vendor's image may be out of reach after all
    return engine, planner


def prepare_images(engine: Engine, images: set[str], notify: Notify) -> None:
    """Make images ready; one that cannot be had here at all blocks its own steps and no others."""
    for image in sorted(images):
        try:
            engine.prepare(image, lambda event, image=image: notify(preparing(image, event)))  # type: ignore[misc]
        except CorallineError as error:
            reason = engine.blocked(image)
            if reason is None:
                raise
            notify(Notice(kind=Kind.WARNING, text=f"image {image}: {error.message}"))


def preparing(image: str, event: dict[str, Any]) -> Notice:
    """Turn what an engine says while it makes an image into a notice."""
    return Notice(
        kind=Kind.WARNING if event["event"] == "warning" else Kind.PROGRESS,
        label=f"image {image}",
        text=str(event.get("message", "")),
        done=int(event.get("done", 0)),
        total=int(event.get("total", 0)),
        unit=str(event.get("unit", "")),
    )


def _check_demands(request: Request, planner: Planner, decided: Mapping[str, Decision]) -> None:
    """Refuse to start without a device that was asked for: nobody wants to find out after an hour of training."""
    for decision in decided.values():
        need = decision.step.variant.needs
        asked = (need == "gpu" and request.gpus) or (need == "edgetpu" and request.demand_edgetpu)
        if decision.action is Action.BLOCKED and need is not None and asked:
            absent, outpost = planner.missing(decision.step), planner.placed.get(decision.step.spec.name)
            here = devices.remedy(need, present=absent is None)
            raise DeviceError(absent or decision.reason, hint=outpost.remedy(need) if outpost and absent else here)


def _check_room(artifacts: Path) -> None:
    from coralline.make import LEAST_FREE_BYTES, no_room

    place = artifacts
    while not place.exists():
        place = place.parent
    if shutil.disk_usage(place).free < LEAST_FREE_BYTES:
        raise no_room(artifacts)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end preparations as Ctrl-C does, so that builders are not left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def stopping(cancelled: threading.Event, notify: Notify) -> Iterator[None]:
    """End the run in order at the first SIGINT or SIGTERM, and at once at the second."""

    def stop(_signal: int, _frame: object) -> None:
        if cancelled.is_set():
            os._exit(130)
        cancelled.set()
        notify(Notice(kind=Kind.NOTE, text="stopping; finished artifacts are kept (once more to stop at once)"))

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _described(request: Request, setting: Setting, engine: Engine) -> dict[str, Any]:
    farm = setting.placement.farm
    swept = {"swept": {name: [_plain(one) for one in several] for name, several in request.swept.items()}}
    return {
        "models": list(request.models),
        "recipes": list(request.recipes),
        "profile": Path(request.profile).name,  # a path says nothing elsewhere; its values are all here
        "values": {name: _plain(value) for name, value in request.values.items()},
        "externals": sorted(request.externals),
        "engine": engine.name,
        **(swept if request.swept else {}),
        **({"farm": farm.kind} if farm else {}),
        **({"placed": sorted(setting.placed)} if setting.placed else {}),
    }


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value
