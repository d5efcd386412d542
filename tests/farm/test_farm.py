"""Steps made by workers: in order, checked, told of, and never by a worker that would make something else."""

from __future__ import annotations

import pickle
import pickletools
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import make_outputs, spec, step
from field import Field, beside, row, until

from coralline import catalogue
from coralline.engines.base import Job, Outcome
from coralline.errors import ArtifactError, EngineError, ProfileError, StageError
from coralline.farm import entry, task, worker
from coralline.notices import Kind, Notice
from coralline.plan import Action, Decision
from coralline.store import Artifact, Store

if TYPE_CHECKING:
    from pathlib import Path


def test_steps_are_made_by_workers_in_order_and_then_reused(field: Field) -> None:
    ended = field.run(row("first", "second", "third"))
    assert (ended.errors, field.engine.ran, field.planned_on.ran) == ({}, ["first", "second", "third"], [])
    assert field.record(ended, "third")["farm"] == "dask"
    assert {str(one.action) for one in field.plan(row("first", "second", "third")).values()} == {"reused"}


def test_what_workers_tell_reaches_the_user(field: Field) -> None:
    field.run(row("first"))
    until(lambda: any(notice.kind is Kind.PROGRESS for notice in field.told))
    started = next(notice for notice in field.told if notice.kind is Kind.START)
    assert started.label == "first"
    assert "not made before (on " in started.text


def test_an_error_of_the_user_is_told_once_and_not_tried_again(field: Field) -> None:
    wrong = {"event": "error", "message": "the images are grey", "remedy": "give colours"}
    field.engine.behaviours["first"] = lambda _job: Outcome(exit_code=2, error=wrong)
    ended = field.run(row("first", "second"))
    error = ended.errors["first"]
    assert (type(error), error.message, error.hint) == (ProfileError, "first: the images are grey", "give colours")
    assert (field.engine.ran, list(ended.skipped)) == (["first"], ["second"])


def test_a_crashed_step_fails_with_its_replay_and_the_others_go_on(field: Field) -> None:
    field.engine.behaviours["bad"] = lambda _job: Outcome(exit_code=1)
    ended = field.run(beside("bad", "good"))
    assert isinstance(ended.errors["bad"], StageError)
    assert ended.errors["bad"].replay == "replay bad"
    assert ended.decided["good"].artifact is not None


def test_a_bug_on_a_worker_keeps_its_traceback(field: Field) -> None:
    def buggy(_job: Job) -> Outcome:
        raise LookupError("nobody thought of this")

    field.engine.behaviours["first"] = buggy
    with pytest.raises(LookupError, match="nobody thought"):
        field.run(row("first"))


def test_a_worker_with_another_image_is_refused_before_it_makes_anything(field: Field) -> None:
    field.engine.recipes["image-first"] = {"lock": "1" * 64}
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "another project or image: image: requirements.lock" in error.message
    assert field.engine.ran == []


def test_a_worker_that_does_not_see_the_store_says_so(
    field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "elsewhere"))
    monkeypatch.setattr(task, "FORGET_AFTER_S", 0.1)
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "does not see the run" in error.message


def test_what_travels_is_plain_and_found_by_name() -> None:
    decision = Decision(step=step(spec("first")), action=Action.RUN, reason="", key="0" * 64, parts={"stage": "first"})
    sent = task.Task(decision=decision, inputs={}, externals={}, engine="local", run="r", farm="dask", again=False)
    names = {
        str(argument).split(".")[0]
        for opcode, argument, _ in pickletools.genops(pickle.dumps(sent, protocol=2))
        if opcode.name == "GLOBAL"
    }
    assert names <= {"coralline", "stages", "copyreg", "copy_reg", "__builtin__ object", "__builtin__"}
    assert pickle.loads(pickle.dumps(sent)) == sent  # noqa: S301 - our own bytes


def test_the_farm_goes_on_in_its_own_environment_only_once() -> None:
    entry.enter(pytest.fail)  # this test runs there


def test_progress_is_told_now_and_then_and_its_end_always() -> None:
    told: list[dict[str, Any]] = []
    tell = task.Teller(told.append)
    for done in range(1, 101):
        tell(Notice(kind=Kind.PROGRESS, label="x", done=done, total=100, unit="image"))
    tell(Notice(kind=Kind.WARNING, label="x", text="look"))
    assert [one["done"] for one in told] == [1, 100, 0]


def test_locks_that_do_not_hold_are_told_of(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task.flock, "is_held", lambda _path: False)
    field.run(row("first"))
    until(lambda: any(notice.text == task.NO_LOCKS for notice in field.told))


def test_an_input_that_was_replaced_before_it_was_read_is_refused(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Store.find

    def replaced(store: Store, key: str) -> Artifact | None:
        """Look a key up, as a worker does after somebody made it again with other bytes."""
        artifact = found(store, key)
        is_input = artifact is not None and artifact.record["stage"] == "first"
        return replace(artifact, record=artifact.record | {"digest": "0" * 64}) if artifact and is_input else artifact

    field.engine.behaviours["first"] = lambda job: (monkeypatch.setattr(Store, "find", replaced), make_outputs(job))[1]
    error = field.run(row("first", "second")).errors["second"]
    assert isinstance(error, ArtifactError)
    assert "its input first was replaced" in error.message


def test_a_worker_with_another_host_side_reads_nothing_of_a_step(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "project", SimpleNamespace(digest=lambda: "0" * 64))
    monkeypatch.setattr(worker, "pickle", SimpleNamespace(loads=pytest.fail))
    error = field.run(row("first")).errors["first"]
    assert isinstance(error, EngineError)
    assert "has another project or image: coralline/" in error.message
