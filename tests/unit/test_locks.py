"""Locks are what their requirements say, and a refresh says what changed and leaves no half-written file."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from coralline.catalogue import PROJECT
from coralline.commands import images as imagecommands
from coralline.errors import ImageError, ProfileError
from coralline.images import baselock, locks, locktables, vendorlock
from coralline.images.locks import Change, Lock, Refreshed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCKS = locks.python(PROJECT)
HASH = "sha256:" + "a" * 64


def asked(path: Path) -> Iterator[Requirement]:
    """What a requirements file asks for, and what those that it reads do."""
    for line in path.read_text().splitlines():
        words = line.partition("#")[0].strip()
        if words.startswith("-r "):
            yield from asked(path.parent / words.removeprefix("-r "))
        elif words:
            yield Requirement(words)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def direct(lock: Path) -> set[str]:
    """The packages that a lock says were asked for, and not brought by another."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)
    return {plain(block.split("==")[0].split("[")[0]) for block in blocks if re.search(r"#\s+(via )?-r \S+\.in", block)}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_what_its_requirements_say(name: str) -> None:
    lock = LOCKS[name]
    pins = locks.pins(lock.path.read_text())
    wanted = list(asked(lock.requirements))
    assert wanted
    assert direct(lock.path) == {plain(requirement.name) for requirement in wanted}
    for requirement in wanted:
        versions = pins[plain(requirement.name)].split(", ")  # one for each Python that the requirements tell apart
        assert any(requirement.specifier.contains(version, prereleases=True) for version in versions), str(requirement)


def test_every_pinned_thing_of_the_project_has_a_lock_of_its_own_name() -> None:
    known = locks.known(PROJECT)
    files = [*PROJECT.glob("docker/*/requirements.in"), *PROJECT.glob("requirements/*.in")]
    bases, vendors = [*PROJECT.glob("docker/base/*.toml")], [*PROJECT.glob("docker/*/vendor.lock")]
    assert len(known) == len(files) + len(bases) + len(vendors)
    assert all(lock.path.is_file() for lock in known.values())


def test_an_unknown_lock_is_named_with_its_neighbour() -> None:
    with pytest.raises(ProfileError, match="no such lock 'hots'") as caught:
        locks.chosen(["hots"], LOCKS)
    assert "did you mean 'host'?" in caught.value.hint


def test_a_lock_for_several_pythons_has_several_versions_of_a_package() -> None:
    text = (
        "numpy==1.26.4 ; python_version < '3.13' \\\n    --hash=sha256:a\nnumpy==2.3.4 ; python_version >= '3.13' \\\n"
    )
    assert locks.pins(text) == {"numpy": "1.26.4, 2.3.4"}


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """A lock that a stand-in for uv makes: it adds a package to what it finds, or fails when asked to."""
    uv = tmp_path / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        "while [ $# -gt 1 ]; do [ $1 = --output-file ] && out=$2; [ $1 = --upgrade ] && six=2; shift; done\n"
        'grep -q impossible "$1" && { echo "no solution" >&2; exit 1; }\n'
        f'printf "numpy==1.26.4 --hash={HASH}\\nsix==%s --hash={HASH}\\n" "${{six:-1}}" >"$out"\n'
    )
    uv.chmod(0o755)
    monkeypatch.setattr(locks, "_uv", lambda: str(uv))
    (tmp_path / "some.in").write_text("numpy\n")
    (tmp_path / "some.lock").write_text(f"# made some day\nnumpy==1.26.4 --hash={HASH}\nsix==1 --hash={HASH}\n")
    return Lock(name="some", requirements=tmp_path / "some.in", python="3.11")


def test_a_refresh_says_what_changed_and_writes_it(lock: Lock) -> None:
    told = lock.refresh(upgrade=True)
    assert told.lines() == ["some: six 1 -> 2"]
    assert locks.pins(lock.path.read_text()) == {"numpy": "1.26.4", "six": "2"}


def test_checking_writes_nothing(lock: Lock) -> None:
    before = lock.path.read_text()
    assert lock.refresh(upgrade=True, write=False).changed
    assert lock.path.read_text() == before


def test_comments_alone_do_not_make_environments_again(lock: Lock) -> None:
    before = lock.path.read_text()
    told = lock.refresh(upgrade=False)
    assert told.lines() == ["some: nothing changed"]
    assert lock.path.read_text() == before


def test_what_cannot_be_locked_leaves_the_lock_and_says_why(lock: Lock) -> None:
    before = lock.path.read_text()
    lock.requirements.write_text("impossible\n")
    with pytest.raises(ImageError, match=r"some\.in cannot be locked") as caught:
        lock.refresh(upgrade=True)
    assert "no solution" in caught.value.hint
    assert lock.path.read_text() == before


def test_other_hashes_are_a_change_too(lock: Lock) -> None:
    lock.path.write_text(lock.path.read_text().replace("a" * 64, "b" * 64, 1))
    assert lock.refresh(upgrade=False).lines() == ["some: hashes or order changed"]


def some(lock: Lock, *changes: Change, note: str = "") -> Refreshed:
    return Refreshed(name="some", path=lock.path, changed=bool(changes), changes=changes, note=note)


def test_a_change_s_text_is_a_table_of_packages(lock: Lock) -> None:
    told = some(lock, Change(package="six", before="1", after="2"), Change(package="new", before="", after="3"))
    assert list(locktables.markdown([told]))[2:] == ["| some | six | 1 | 2 |", "| some | new |  | 3 |"]
    assert list(locktables.markdown([some(lock)])) == ["Nothing changed."]
    document = locktables.document([told, some(lock, note="kept")], lock.path.parent)
    assert [entry["changes"] for entry in document["locks"]] == [
        [{"package": "six", "before": "1", "after": "2"}, {"package": "new", "before": None, "after": "3"}],
        [],
    ]
    assert document["locks"][1]["note"] == "kept"


def test_what_cannot_be_asked_here_is_kept_and_said_unless_it_was_named(tmp_path: Path) -> None:
    path = tmp_path / "docker" / "compile" / "vendor.lock"
    path.parent.mkdir(parents=True)
    path.write_text("md5:" + "0" * 32 + " a.deb https://vendor.invalid/a.deb\n")
    shutil.copy(PROJECT / "docker" / "fetch.py", tmp_path / "docker")
    vendor = vendorlock.VendorLock(name="vendor-compile", path=path)
    told = imagecommands._refreshed(vendor, upgrade=True, write=True, must=False)
    assert (told.changed, told.note[:35]) == (False, "kept: a.deb cannot be fetched from ")
    with pytest.raises(ImageError):
        imagecommands._refreshed(vendor, upgrade=True, write=True, must=True)


def test_a_file_that_only_an_md5_pins_is_pinned_by_what_was_fetched() -> None:
    text = f"# why\nmd5:{'0' * 32} a.deb https://a/\n{HASH} b.whl https://b/\n"
    facts = {"a.deb": {"sha256": "c" * 64}, "b.whl": {"sha256": "d" * 64}}
    assert vendorlock.completed(text, facts) == f"# why\nsha256:{'c' * 64} a.deb https://a/\n{HASH} b.whl https://b/\n"


@pytest.mark.parametrize("path", sorted(PROJECT.glob("docker/base/*.toml")), ids=lambda path: path.stem)
def test_a_base_s_pin_can_be_read_and_replaced(path: Path) -> None:
    text = path.read_text()
    assert baselock.repinned(text, None) == text
    newest = baselock.repinned(text, HASH)
    assert f'image = "debian:{path.stem}-slim@{HASH}"' in newest
    assert len(set(newest.splitlines()) ^ set(text.splitlines())) == 2
    assert baselock.repinned(newest, HASH) == newest


def test_packages_of_a_base_are_compared_by_name() -> None:
    told = baselock.changes(["a=1", "b=2=x", "c=1"], ["a=1", "b=3=x", "d=1"])
    assert [*map(str, told)] == ["b 2=x -> 3=x", "c 1 -> (absent)", "d (absent) -> 1"]


def test_checking_ends_with_the_code_of_an_image_error_only_where_a_lock_is_stale(
    lock: Lock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locks, "known", lambda _: {"some": lock})
    monkeypatch.setattr(locktables, "document", lambda *_: {})
    options: dict[str, Any] = {"keep": False, "check": True, "markdown": False, "as_json": False, "debug": False}
    imagecommands.lock_images("some", **options)
    lock.path.write_text("numpy==1\n")
    with pytest.raises(SystemExit) as ended:
        imagecommands.lock_images("some", **options)
    assert ended.value.code == ImageError.code
    assert "./run image.lock some --keep" in capsys.readouterr().err


def test_a_lock_names_nothing_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Uv is told to read no configuration; its variables could still name an index."""
    seen: list[list[str]] = []

    def note(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1, "", "stop")

    monkeypatch.setattr(locks, "_uv", lambda: "uv")
    monkeypatch.setattr(locks.subprocess, "run", note)
    with pytest.raises(ImageError):
        replace(LOCKS["host"], requirements=tmp_path / "x.in").refresh(upgrade=True)
    assert {"--no-config", "--no-header", "--generate-hashes", "--universal"} <= set(seen[0])
