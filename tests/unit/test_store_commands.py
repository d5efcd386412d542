"""What the tasks that care for the store print, and with which code they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from artifactfiles import key, publish, run_of

from coralline import catalogue, runs
from coralline.commands import store as storecommands
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Told = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path))
    return Store(tmp_path)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Told:
    def run(task: Callable[..., None], *words: str, code: int = 0, **options: Any) -> str:
        if code:
            with pytest.raises(SystemExit) as ended:
                task(*words, **options)
            assert ended.value.code == code
        else:
            task(*words, **options)
        said = capsys.readouterr()
        return said.err if code == 2 else said.out

    return run


def collect(printed: Told, older_than: str | None = "0h", size: str | None = None, **options: Any) -> str:
    words = {"older_than": older_than, "size": size, "delete": False, "as_json": False, **options}
    return printed(storecommands.collect, **words)


def test_runs_are_listed_newest_first_with_what_was_asked_and_how_it_went(store: Store, printed: Told) -> None:
    assert printed(storecommands.show_runs, as_json=False) == "there is no run yet\n"
    old = run_of(store.root, "1" * 64, state="failed", ended=False)
    new = run_of(store.root, "1" * 64, "2" * 64)
    printed(storecommands.keep_run, new.id, undo=False)
    _, _, *lines = printed(storecommands.show_runs, as_json=False).splitlines()
    assert [line.split() for line in lines] == [
        [new.id, "ended", "m", "r", "quick", "fake", "2", "kept"],
        [old.id, "interrupted", "m", "r", "quick", "fake", "1"],
    ]
    told = json.loads(printed(storecommands.show_runs, as_json=True))["runs"]
    assert told[0]["steps"] == {"made": 2, "reused": 0, "blocked": 0, "failed": 0}
    assert (told[0]["kept"], told[1]["kept"], told[1]["state"]) == (True, False, "interrupted")


def test_gc_only_looks_until_it_is_told_to_delete(store: Store, printed: Told) -> None:
    old = run_of(store.root, publish(store, "a").key, days_ago=90)
    latest = run_of(store.root, publish(store, "b").key)
    told = collect(printed)
    assert f"run {old.id}" in told
    assert "would free" in told
    assert told.endswith("next    the same with --delete\n")
    assert len(list(runs.every(store.root))) == 2
    answer = json.loads(collect(printed, delete=True, as_json=True))
    assert (answer["deleted"], answer["runs_that_stay"], answer["spared"]) == (True, [latest.id], [])
    assert {(piece["kind"], piece["name"]) for piece in answer["pieces"]} == {("run", old.id), ("artifact", key("a"))}
    assert answer["bytes"] > 0
    assert collect(printed).startswith("would free 0 B")


def test_gc_says_when_what_stays_is_still_too_much(store: Store, printed: Told) -> None:
    run_of(store.root, publish(store, "a").key)
    assert "the rest takes" in collect(printed, None, "1K")


@pytest.mark.parametrize(("older_than", "size"), [("5", None), ("x", None), ("-1d", None), (None, "5Q"), (None, "G")])
def test_gc_refuses_what_is_no_age_or_size(
    store: Store, printed: Told, older_than: str | None, size: str | None
) -> None:
    assert store.root.exists()
    assert "is not possible\n  expected a number with its unit" in collect(printed, older_than, size, code=2)


def test_keep_can_be_undone_and_wants_a_run_that_there_is(store: Store, printed: Told) -> None:
    run = run_of(store.root)
    for undo in (False, True):
        assert run.id in printed(storecommands.keep_run, run.id[:12], undo=undo)
        assert run.is_kept is not undo
    assert "no run 1999" in printed(storecommands.keep_run, "1999", undo=False, code=2)


def test_fsck_tells_faults_and_what_depended_on_them_and_ends_with_7(store: Store, printed: Told) -> None:
    first = publish(store, "first", "[1]")
    second = publish(store, "second", "[2]", {"first": first.digest})
    run = run_of(store.root, first.key, second.key)
    assert "corrupt: none" in printed(storecommands.check_store, as_json=False)
    (first.path / "out.json").write_text("[0]")
    told = printed(storecommands.check_store, as_json=False, code=7)
    for line in (
        f"corrupt thing/first {first.key}",
        "  out.json was changed",
        f"  made from it: thing/second {second.key[:12]}",
        f"  used by {run.id}",
    ):
        assert line in told.splitlines()
    (second.path / "out.json").unlink()
    (corrupt,) = json.loads(printed(storecommands.check_store, as_json=True, code=7))["corrupt"]
    assert corrupt["faults"] == ["out.json is missing"]


def test_fsck_names_what_it_could_not_look_at_and_does_not_end_well(store: Store, printed: Told) -> None:
    home = publish(store, "a").path
    (home / "out.json").write_text("[0]")
    with store.building(key("a"), lambda: None, lambda: False):
        told = printed(storecommands.check_store, as_json=False, code=7)
        assert f"in use, not looked at again: thing/a {key('a')}" in told
        answer = json.loads(printed(storecommands.check_store, as_json=True, code=7))
        assert (answer["corrupt"], answer["in_use"]) == ([], [{"key": key("a"), "label": "thing/a"}])


def test_diff_prints_a_table_for_each_step_that_differs(store: Store, printed: Told) -> None:
    left = run_of(store.root, publish(store, "a", "[1]", numbers=(("accuracy", 0.5),), epochs=4).key)
    right = run_of(store.root, publish(store, "a", "[1]", numbers=(("accuracy", 0.75),), epochs=6).key)
    told = printed(storecommands.compare_runs, left.id, right.id, as_json=False)
    assert [line.split() for line in told.splitlines()][3:5] == [
        ["parameter", "epochs", "4", "6", "+2"],
        ["metric", "accuracy", "0.5", "0.75", "+0.25"],
    ]
    assert told.startswith("thing/0: made differently, the same bytes\n")
    answer = json.loads(printed(storecommands.compare_runs, left.id, right.id, as_json=True))
    assert [row["name"] for row in answer["steps"]["thing/0"]] == ["epochs", "accuracy"]
    assert "no run x" in printed(storecommands.compare_runs, left.id, "x", as_json=False, code=2)


def test_lists_of_which_some_differ_show_what_the_other_lacks(store: Store, printed: Told) -> None:
    one = publish(store, "a").key
    left, right = run_of(store.root, one), run_of(store.root, one)
    for run, models in ((left, ["x", "y"]), (right, ["y", "z"])):
        run.request = run.request | {"models": models}
        run.save()
    told = printed(storecommands.compare_runs, left.id, right.id, as_json=False)
    assert ["request", "models", "x", "z"] in [line.split() for line in told.splitlines()]
