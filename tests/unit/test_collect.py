"""What gc takes and what it leaves, on a store at rest."""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from artifactfiles import key, publish, run_of

from coralline import runs
from coralline.care import collect
from coralline.care.collect import Kind, Limits
from coralline.errors import ArtifactError
from coralline.notices import Kind as Told
from coralline.notices import Notice
from coralline.store import Store, uses

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
ALL = Limits(older_than_s=0)
MONTH = Limits(older_than_s=30 * DAY)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def survey(store: Store, limits: Limits = ALL, later_s: float = 10.0) -> collect.Survey:
    return collect.survey(store.root, limits, lambda _done, _total: None, time.time() + later_s)


def gc(store: Store, limits: Limits = ALL, later_s: float = 10.0) -> collect.Removed:
    return collect.remove(store.root, survey(store, limits, later_s), lambda _notice: None)


def names(found: Any, kind: Kind) -> set[str]:
    return {piece.name for piece in found.pieces if piece.kind is kind}


def test_what_only_an_old_run_used_goes_with_it_and_what_a_later_one_used_stays(store: Store) -> None:
    shared, own, new = (publish(store, name).key for name in ("shared", "own", "new"))
    old, latest = run_of(store.root, shared, own, days_ago=90), run_of(store.root, shared, new)
    removed = gc(store, MONTH)
    assert names(removed, Kind.RUN) == {old.id}
    assert names(removed, Kind.ARTIFACT) == {own}
    assert [run.id for run in runs.every(store.root)] == [latest.id]
    assert store.find(own) is None
    assert store.find(shared)
    assert store.find(new)


def test_a_look_changes_nothing(store: Store) -> None:
    run_of(store.root, publish(store, "a").key, days_ago=90)
    publish(store, "b")
    before = sorted(store.root.rglob("*"))
    assert survey(store).pieces
    assert sorted(store.root.rglob("*")) == before


def test_the_latest_run_that_ended_stays_however_old_it_is(store: Store) -> None:
    ended = run_of(store.root, publish(store, "a").key, days_ago=90)
    run_of(store.root, publish(store, "b").key, days_ago=80, ended=False)
    assert names(gc(store), Kind.RUN) != {ended.id}
    assert store.find(key("a"))
    assert not store.find(key("b"))


def test_a_run_of_a_wrong_clock_does_not_stay_in_the_place_of_the_latest(store: Store) -> None:
    latest = run_of(store.root, publish(store, "a").key, days_ago=80)
    ahead = run_of(store.root, publish(store, "b").key, days_ago=90)
    ahead.folder = ahead.folder.rename(ahead.folder.with_name("20990101-000000-000"))
    assert names(gc(store, MONTH), Kind.RUN) == {"20990101-000000-000"}
    assert runs.load(store.root).id == latest.id


def test_an_old_run_that_was_brought_in_lately_is_young(store: Store) -> None:
    run_of(store.root, publish(store, "latest").key)
    run = run_of(store.root, publish(store, "a").key, days_ago=90)
    run.save()
    assert not gc(store, MONTH).pieces
    assert names(gc(store, MONTH, later_s=31 * DAY), Kind.RUN) == {run.id}


def test_a_marked_run_stays_with_all_that_it_used_until_the_mark_is_taken_away(store: Store) -> None:
    run_of(store.root, publish(store, "latest").key)
    run = run_of(store.root, publish(store, "a").key, days_ago=90)
    run.keep(wanted=True)
    assert not gc(store).pieces
    run.keep(wanted=False)
    assert names(gc(store), Kind.ARTIFACT) == {key("a")}


def test_what_no_run_used_goes_when_it_is_old_enough(store: Store) -> None:
    publish(store, "a")
    assert not gc(store, MONTH).pieces
    assert names(gc(store, MONTH, later_s=31 * DAY), Kind.ARTIFACT) == {key("a")}


def test_a_size_is_reached_by_the_oldest_runs_and_no_more_of_them(store: Store) -> None:
    content = '"' + "x" * 100_000 + '"'
    keys = [publish(store, name, content).key for name in "abcd"]
    for number, one in enumerate(keys):
        run_of(store.root, one, days_ago=90 - number)
    whole = survey(store, Limits(older_than_s=0, size_bytes=0)).size_bytes
    assert whole is not None
    removed = gc(store, Limits(older_than_s=0, size_bytes=whole - 150_000))
    assert names(removed, Kind.ARTIFACT) == set(keys[:2])
    assert removed.freed_bytes >= 150_000
    assert all(store.find(one) for one in keys[2:])


def test_a_store_that_is_small_enough_loses_nothing(store: Store) -> None:
    run_of(store.root, publish(store, "a").key, days_ago=90)
    run_of(store.root, publish(store, "b").key, days_ago=80)
    assert not gc(store, Limits(older_than_s=0, size_bytes=2**40)).pieces


def test_checkpoints_of_a_kept_run_stay_and_those_of_an_old_one_go_with_it(store: Store) -> None:
    for name in "ab":
        (store.partial(key(name)) / "checkpoint.json").write_text("{}")
    run_of(store.root, key("a"), ended=False, days_ago=90, state="interrupted")
    run_of(store.root, key("b"), ended=False, state="interrupted")
    assert names(gc(store, MONTH), Kind.CHECKPOINT) == {key("a")}
    assert [path.name for path in (store.root / "partial").iterdir()] == [key("b")]


def test_what_dead_processes_left_goes_at_once(store: Store) -> None:
    run_of(store.root, publish(store, "a").key)
    for place in (f"building/{key('b')}/half", f"locks/{key('b')}", "uses/0123", f"removing/{key('c')}.1/x"):
        (store.root / place).parent.mkdir(parents=True, exist_ok=True)
        (store.root / place).write_text(key("a"))
    (store.partial(key("a")) / "checkpoint.json").write_text("{}")
    store.remember("thing/b", key("b"))
    store.remember("thing/a", key("a"))
    gc(store, MONTH)
    left = {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}
    assert {path for path in left if not path.startswith(("objects", "runs"))} == {"locks/collecting", "last/thing.a"}


def test_a_note_goes_with_the_artifact_that_it_names(store: Store) -> None:
    publish(store, "a")
    store.remember("thing/a", key("a"))
    gc(store)
    assert not list((store.root / "last").iterdir())


def test_what_was_put_aside_goes_when_it_is_old_enough(store: Store) -> None:
    publish(store, "a", "[1]")
    publish(store, "a", "[2]")
    assert names(gc(store, MONTH), Kind.QUARANTINED) == set()
    assert len(names(gc(store, MONTH, later_s=31 * DAY), Kind.QUARANTINED)) == 1
    assert not list((store.root / "quarantine").iterdir())


def test_what_a_verification_left_goes_when_it_is_old_enough_and_nobody_works_in_it(store: Store) -> None:
    left, used = (store.root / "verify" / f"20260101-000000-000.{name}" for name in ("left", "used"))
    for folder in (left, used):
        (folder / "objects").mkdir(parents=True)
    with store.used() as mine:
        mine.claim(used.name)
        assert names(gc(store, MONTH), Kind.VERIFICATION) == set()
        assert names(gc(store, MONTH, later_s=31 * DAY), Kind.VERIFICATION) == {left.name}
        assert used.exists()
    assert not left.exists()


def test_what_cannot_be_deleted_is_not_counted_as_freed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(store, "a", '"' + "x" * 100_000 + '"')
    publish(store, "b", '"' + "x" * 50_000 + '"')
    told: list[Notice] = []
    rmtree = shutil.rmtree

    def refuse(path: Path, **options: Any) -> None:  # root, who runs tests too, may delete everything
        if key("a") not in path.name:
            rmtree(path, **options)

    found = survey(store)
    monkeypatch.setattr("coralline.care.collect.removal.shutil.rmtree", refuse)
    removed = collect.remove(store.root, found, told.append)
    assert 50_000 < removed.freed_bytes < found.freed_bytes - 100_000
    assert [notice.kind for notice in told if "cannot be deleted" in notice.text] == [Told.WARNING]


@pytest.mark.parametrize("what", ["a link", "a file"])
def test_whatever_fsck_put_aside_in_the_place_of_an_artifact_goes_and_frees_what_it_took(
    store: Store, what: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "large").write_bytes(bytes(100_000))
    place = store.root / "quarantine" / f"{key('a')}.1"
    place.parent.mkdir(parents=True)
    if what == "a link":
        place.symlink_to(elsewhere)
    else:
        place.write_text("{}")
    removed = gc(store)
    assert names(removed, Kind.QUARANTINED) == {place.name}
    assert removed.freed_bytes < 100_000
    assert not list((store.root / "removing").iterdir())
    assert (elsewhere / "large").exists()


def test_a_key_that_is_held_is_left_alone(store: Store) -> None:
    with store.building(key("a"), lambda: None, lambda: False) as folder:
        assert folder is not None
        store.partial(key("a"))
        assert not gc(store).pieces
        assert folder.exists()


@pytest.mark.parametrize("place", ["artifact", "checkpoint", "run"])
def test_what_a_living_process_has_claimed_is_left_alone(store: Store, place: str) -> None:
    run = run_of(store.root, key("b"), ended=False)
    publish(store, "a")
    store.partial(key("b"))
    with store.used() as user:
        user.claim({"artifact": key("a"), "checkpoint": key("b"), "run": run.id}[place])
        gc(store)
        assert (store.find(key("a")) is not None) == (place == "artifact")
        assert (store.root / "partial" / key("b")).exists() == (place != "artifact")
    gc(store)
    assert not list((store.root / "objects").iterdir())
    assert not list((store.root / "partial").iterdir())


def test_what_came_into_use_after_the_look_is_spared(store: Store) -> None:
    publish(store, "a")
    publish(store, "b")
    found = survey(store)
    with store.used() as user:
        assert user.find(key("a"))
        removed = collect.remove(store.root, found, lambda _notice: None)
    assert names(removed, Kind.ARTIFACT) == {key("b")}
    assert [piece.name for piece in removed.spared] == [key("a")]


def test_what_a_run_used_that_began_and_ended_after_the_look_is_spared(store: Store) -> None:
    publish(store, "a")
    found = survey(store)
    run_of(store.root, key("a"))
    assert not collect.remove(store.root, found, lambda _notice: None).pieces
    assert store.find(key("a"))


def test_a_run_that_was_marked_after_the_look_is_spared_with_all_that_it_used(store: Store) -> None:
    run_of(store.root, publish(store, "latest").key)
    run = run_of(store.root, publish(store, "a").key, days_ago=90)
    found = survey(store)
    run.keep(wanted=True)
    assert not collect.remove(store.root, found, lambda _notice: None).pieces


def test_what_was_made_again_after_the_look_is_spared(store: Store) -> None:
    publish(store, "a")
    found = survey(store)
    publish(store, "a", "[2]")
    removed = collect.remove(store.root, found, lambda _notice: None)
    assert names(removed, Kind.ARTIFACT) == set()
    assert store.find(key("a"))


def test_what_is_taken_away_while_somebody_asks_for_it_is_not_found(store: Store) -> None:
    publish(store, "a")
    found: list[object] = []
    with store.used() as user:
        thread = threading.Thread(target=lambda: found.append(user.find(key("a"))))
        with uses.gate(store.root, alone=True), store.held(key("a")):
            thread.start()
            time.sleep(0.2)  # it waits at the gate, and must not have looked yet
            store.put_aside(key("a"))
        thread.join()
    assert found == [None]


def test_a_store_of_somebody_else_s_is_named_with_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: object, *_more: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("coralline.store.flock.os.open", closed)
    with pytest.raises(ArtifactError, match=r"this user cannot write .*locks/collecting"), store.used():
        pass


def test_nothing_can_be_claimed_while_somebody_collects(store: Store) -> None:
    publish(store, "a")
    claimed = threading.Event()

    def user() -> None:
        with store.used() as used:
            used.claim("a")
            claimed.set()

    with uses.gate(store.root, alone=True):
        thread = threading.Thread(target=user)
        thread.start()
        assert not claimed.wait(0.2)
    assert claimed.wait(5)
    thread.join()


def test_what_two_old_runs_used_stays_while_the_later_one_does(store: Store) -> None:
    content = '"' + "x" * 100_000 + '"'
    shared, own = publish(store, "shared", content).key, publish(store, "own", content).key
    first, second = run_of(store.root, shared, own, days_ago=90), run_of(store.root, shared, days_ago=80)
    run_of(store.root, publish(store, "latest").key)
    whole = survey(store, Limits(older_than_s=0, size_bytes=0)).size_bytes
    assert whole is not None
    assert names(gc(store, Limits(older_than_s=0, size_bytes=whole - 1)), Kind.ARTIFACT) == {own}
    assert [run.id for run in runs.every(store.root)][1:] == [second.id]
    assert first.id < second.id
    assert names(gc(store), Kind.ARTIFACT) == {shared}
