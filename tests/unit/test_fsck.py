"""What is not what its record says is found, moved aside, and told with what may have come from it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from artifactfiles import folder_in_memory, key, publish, run_of
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline.care import fsck
from coralline.errors import ArtifactError
from coralline.notices import Kind, Notice
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def examine(store: Store) -> fsck.Examined:
    return fsck.examine(store, lambda _notice: None)


def edited(home: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((home / "record.json").read_text())
    change(record)
    (home / "record.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def linked(home: Path) -> None:
    shutil.move(home / "out.json", home.parent.parent / "elsewhere")
    (home / "out.json").symlink_to("../../elsewhere")


def linked_whole(home: Path) -> None:
    shutil.move(home, home.parent.parent / "elsewhere")
    home.symlink_to("../elsewhere")


def piped(home: Path) -> None:
    (home / "out.json").unlink()
    os.mkfifo(home / "out.json")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda home: (home / "out.json").write_text("[]"), "out.json was changed"),
    "a shorter file": (lambda home: (home / "out.json").write_text("{"), "out.json was changed"),
    "a lost file": (lambda home: (home / "out.json").unlink(), "out.json is missing"),
    "a file more": (lambda home: (home / "more").write_text(""), "more was added"),
    "a link": (linked, "out.json is not a file any more"),
    "a pipe": (piped, "out.json is not a file any more"),
    "a link more": (lambda home: (home / "more").symlink_to("/"), "more was added"),
    "a folder that is a link": (linked_whole, "it is a file or a link, and no folder"),
    "no record": (
        lambda home: (home / "record.json").unlink(),
        "record.json cannot be read: No such file or directory",
    ),
    "half a record": (
        lambda home: (home / "record.json").write_text("{"),
        "record.json or files.json cannot be understood",
    ),
    "another number": (lambda home: edited(home, lambda r: r["numbers"][0].update(value=2)), "record.json was changed"),
    "another parameter": (
        lambda home: edited(home, lambda r: r["key_parts"]["parameters"].update(name="b")),
        "record.json is of another key",
    ),
    "another list": (
        lambda home: (home / "files.json").write_text("{}\n"),
        "files.json was changed, or the digest in record.json",
    ),
    "no list": (lambda home: (home / "files.json").unlink(), "files.json cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_is_wrong_is_named_and_moved_aside_and_nothing_else_is(store: Store, name: str) -> None:
    spoil, told = FAULTS[name]
    home = publish(store, "a", numbers=(("accuracy", 1.0),)).path
    publish(store, "b")
    assert not examine(store).corrupt
    spoil(home)
    found = examine(store)
    assert [one.key for one in found.corrupt] == [key("a")]
    assert told in found.corrupt[0].faults
    assert found.corrupt[0].moved_to.parent.name == "quarantine"
    assert found.corrupt[0].moved_to.exists()
    assert store.find(key("a")) is None
    assert store.find(key("b"))
    assert not examine(store).corrupt


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_byte_can_change_without_being_noticed(data: st.DataObject) -> None:
    store = Store(folder_in_memory())
    home = publish(store, "a", '{"x": 1}', numbers=(("accuracy", 0.93),)).path
    path = home / data.draw(st.sampled_from(["out.json", "record.json", "files.json"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    found = examine(store)
    assert found.corrupt or found.unsealed  # a change to the word "seal" itself
    shutil.rmtree(store.root)


def test_a_record_from_before_records_were_sealed_is_counted_and_kept(store: Store) -> None:
    home = publish(store, "a").path
    edited(home, lambda record: record.pop("seal"))
    found = examine(store)
    assert found.unsealed == 1
    assert not found.corrupt


def test_what_was_made_from_it_is_told_through_all_steps_and_the_runs_that_used_it(store: Store) -> None:
    first = publish(store, "first", "[1]")
    second = publish(store, "second", "[2]", {"first": first.digest})
    third = publish(store, "third", "[3]", {"second": f"{second.digest} {second.key}"})  # as a report names its inputs
    publish(store, "other", "[4]", {"first": "0" * 64})
    run, _ = run_of(store.root, first.key, second.key), run_of(store.root, "0" * 64)
    (first.path / "out.json").write_text("[0]")
    (corrupt,) = examine(store).corrupt
    assert corrupt.dependents == {second.key: "thing/second", third.key: "thing/third"}
    assert corrupt.runs == [run.id]
    assert corrupt.label == "thing/first"


def test_without_a_record_the_list_of_files_and_the_runs_say_what_it_was(store: Store) -> None:
    first = publish(store, "first", "[1]")
    second = publish(store, "second", "[2]", {"first": first.digest})
    run_of(store.root, first.key)
    (first.path / "record.json").unlink()
    (corrupt,) = examine(store).corrupt
    assert list(corrupt.dependents) == [second.key]
    assert corrupt.label == "thing/0"


def test_what_is_being_made_again_is_left_to_its_maker(store: Store) -> None:
    home = publish(store, "a").path
    (home / "out.json").write_text("[]")
    with store.building(key("a"), lambda: None, lambda: False):
        found = examine(store)
        assert (found.corrupt, found.in_use, found.is_whole) == ([], {key("a"): "thing/a"}, False)
        assert home.exists()
    assert examine(store).corrupt


@pytest.mark.parametrize("place", ["objects", "artifact", "folder in it"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_listed_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, place: str, number: int
) -> None:
    home = publish(store, "a").path
    (home / "images").mkdir()
    refused = {"objects": home.parent, "artifact": home, "folder in it": home / "images"}[place]
    scandir, listdir = os.scandir, os.listdir

    def refuse(folder: Any) -> Any:  # root, who runs tests too, may list everything
        if os.fspath(folder) == os.fspath(refused):
            raise OSError(number, os.strerror(number), os.fspath(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", lambda folder: [refuse(folder).close(), *listdir(folder)][1:])
    if number == errno.EIO and place != "objects":
        (corrupt,) = examine(store).corrupt
        assert corrupt.faults == [
            f"the folder {'images' if 'in' in place else '.'} cannot be listed: Input/output error"
        ]
    else:
        with pytest.raises(ArtifactError, match=re.escape(str(refused))):
            examine(store)


def test_the_next_builder_finds_it_absent_and_makes_it_again(store: Store) -> None:
    home = publish(store, "a").path
    (home / "out.json").write_text("[]")
    examine(store)
    publish(store, "a")
    assert not examine(store).corrupt
    assert store.find(key("a"))


def test_progress_counts_all_bytes_and_many_faults_are_cut(store: Store) -> None:
    told: list[Notice] = []
    with store.building(key("big"), lambda: None, lambda: False) as folder:
        assert folder is not None
        for number in range(30):
            (folder / f"{number}.bin").write_bytes(bytes(1 << 17))
        (folder / "out.json").write_text("{}")
        (folder / "record.json").write_text('{"numbers": [], "facts": {}}')
        from artifactfiles import SPEC, parts

        store.publish(folder, key("big"), SPEC.outputs, {"label": "big", "key_parts": parts("big")})
    assert fsck.examine(store, told.append).size_bytes == 30 * (1 << 17) + 2
    assert {notice.kind for notice in told} == {Kind.PROGRESS}
    assert (told[-1].done, told[-1].total, told[-1].unit) == (4, 4, "MiB")
    for number in range(30):
        (store.root / "objects" / key("big") / f"{number}.bin").unlink()
    (corrupt,) = examine(store).corrupt
    assert corrupt.faults[-1] == "and 20 more"
    assert len(corrupt.faults) == 11
