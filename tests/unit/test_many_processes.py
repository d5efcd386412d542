"""Many processes on one store: each artifact is made once, and gc takes nothing from a run that goes on."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from artifactfiles import key, publish
from fakes import FakeEngine, make_outputs, project, spec, step

from coralline import runs
from coralline.care import collect, fsck
from coralline.care.collect import Kind, Limits
from coralline.code import Code
from coralline.execute import Execution
from coralline.frozen import Frozen
from coralline.make import Maker
from coralline.plan import Planner
from coralline.pool import Threads
from coralline.store import Store

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from coralline.engines.base import Job, Outcome

CONTEXT = multiprocessing.get_context("spawn")
STAGES = ("first", "second", "third", "fourth")
PATIENCE_S = 60.0
RUNS = 8
DAY = 86_400.0


def carry_out(root: Path, slow: bool, ran: Any) -> None:
    """Carry out four steps in a row as a session does; with `slow` the second waits until it may go on."""
    store, engine = Store(root / "artifacts"), FakeEngine()
    specs = {"first": spec("first")}
    for before, name in itertools.pairwise(STAGES):
        specs[name] = spec(name, after=[before], resumable=name == "second")
    steps = {name: step(of) for name, of in specs.items()}
    if slow:
        engine.behaviours["second"] = lambda job: wait_for_leave(root, job)
    with store.used() as used:
        run = runs.start(used.root, {}, used.claim)
        planner = Planner(
            store=used,
            engine=engine,
            code=Code(root / "project", root / "index.json"),
            external=str,
            device_missing=lambda _: None,
        )
        planner.plan(steps)  # as a session does before it makes images, which may take long
        maker = Maker(
            store=used,
            engine=engine,
            frozen=Frozen(root / "project", root / "home"),
            run=run,
            externals={},
            digest=str,
            notify=lambda _: None,
            cancelled=threading.Event(),
        )
        ended = Execution(steps, planner, maker, Threads(maker, 2), lambda _: None).run()
    assert not ended.errors
    assert len(ended.decided) == len(STAGES)
    ran.put(engine.ran)


def wait_for_leave(root: Path, job: Job) -> Outcome:
    assert job.partial is not None
    (job.partial / "checkpoint.json").write_text("{}")
    (job.out / "half").write_text("")
    (root / "started").touch()
    appears(root / "leave")
    (job.out / "half").unlink()
    return make_outputs(job)


def appears(path: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} does not appear"
        time.sleep(0.01)


def started(root: Path, *, slow: bool, ran: Any) -> BaseProcess:
    process = CONTEXT.Process(target=carry_out, args=(root, slow, ran))
    process.start()
    return process


def gc(store: Store) -> collect.Removed:
    found = collect.survey(store.root, Limits(older_than_s=0), lambda _done, _total: None, time.time() + DAY)
    return collect.remove(store.root, found, lambda _notice: None)


def names(removed: collect.Removed, kind: Kind) -> set[str]:
    return {piece.name for piece in removed.pieces if piece.kind is kind}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project(tmp_path / "project", *STAGES)
    return tmp_path


def test_eight_runs_at_once_make_each_artifact_once_and_all_end_well(root: Path) -> None:
    ran = CONTEXT.Queue()
    processes = [started(root, slow=False, ran=ran) for _ in range(RUNS)]
    made = [label for _ in processes for label in ran.get(timeout=PATIENCE_S)]
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * RUNS
    assert sorted(made) == sorted(STAGES)
    store = Store(root / "artifacts")
    assert len(list((store.root / "objects").iterdir())) == len(STAGES)
    assert not fsck.examine(store, lambda _notice: None).corrupt
    assert len([run for run in runs.every(store.root) if run.ended]) == RUNS
    assert not list((store.root / "uses").iterdir())


@pytest.fixture
def going(root: Path) -> tuple[Store, BaseProcess, Any]:
    """A run that reuses its first step, is in its second, and has yet to begin its third."""
    ran = CONTEXT.Queue()
    before = started(root, slow=False, ran=ran)
    assert ran.get(timeout=PATIENCE_S) == list(STAGES)
    before.join()
    store = Store(root / "artifacts")
    for name in ("second", "third", "fourth"):
        note = store.last(name)
        assert note is not None
        with store.held(note.key):
            store.put_aside(note.key)
    for run in runs.every(store.root):
        run.ended = False  # then nothing keeps what it used
        run.save()
    publish(store, "nobody's")
    process = started(root, slow=True, ran=ran)
    appears(root / "started")
    return store, process, ran


def test_nothing_is_taken_that_a_run_uses_or_is_about_to_use(root: Path, going: tuple[Store, BaseProcess, Any]) -> None:
    store, process, ran = going
    first = store.last("first")
    assert first is not None
    removed = gc(store)
    assert names(removed, Kind.ARTIFACT) == {key("nobody's")}
    assert names(removed, Kind.CHECKPOINT) == set()
    assert len(list((store.root / "partial").iterdir())) == 1
    assert len(list((store.root / "building").glob("*/half"))) == 1
    (root / "leave").touch()
    assert ran.get(timeout=PATIENCE_S) == ["second", "third", "fourth"]
    process.join()
    assert process.exitcode == 0
    assert gc(store).pieces == []


def test_what_a_killed_run_used_is_no_longer_in_use(going: tuple[Store, BaseProcess, Any]) -> None:
    store, process, _ = going
    assert runs.State.GOING_ON in states(store)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert states(store) == {runs.State.INTERRUPTED}
    gc(store)
    kept = ("objects", "building", "partial", "uses", "runs", "quarantine", "last")
    assert [path for name in kept for path in (store.root / name).iterdir()] == []


def states(store: Store) -> set[runs.State]:
    from coralline.store import uses

    claimed = uses.claimed(store.root)
    return {run.state(claimed) for run in runs.every(store.root)}


def use_at_random(root: Path, seed: int, rounds: int, outcome: Any) -> None:
    """Find or make artifacts again and again; each must stay what it is until its user has done with it."""
    import random

    chance, lost = random.Random(seed), 0
    for _ in range(rounds):
        with Store(root).used() as store:
            name = chance.choice("abcdef")
            found = store.find(key(name)) or publish(store, name)
            time.sleep(chance.random() / 200)
            try:
                lost += (found.path / "out.json").read_text() != "{}"
            except FileNotFoundError:
                lost += 1
    outcome.put(lost)


def test_what_is_found_stays_there_while_somebody_collects_without_end(tmp_path: Path) -> None:
    outcome = CONTEXT.Queue()
    users = [CONTEXT.Process(target=use_at_random, args=(tmp_path, seed, 40, outcome)) for seed in range(3)]
    for user in users:
        user.start()
    collected = 0
    while any(user.is_alive() for user in users):
        collected += len(names(gc(Store(tmp_path)), Kind.ARTIFACT))
    assert [outcome.get(timeout=PATIENCE_S) for _ in users] == [0, 0, 0]
    assert collected > 0
    assert not fsck.examine(Store(tmp_path), lambda _notice: None).corrupt
