"""Packing for a site without network: the right wheels, nothing twice, and the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from coralline import offline, pack
from coralline.catalogue import PROJECT
from coralline.commands import pack as packcommands
from coralline.errors import ImageError, ProfileError
from coralline.images.built import BESIDE
from coralline.pack import project, wheels
from coralline.pack.wheels import Pin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOCKS = sorted([*(PROJECT / "docker").glob("*/requirements.lock"), *(PROJECT / "requirements").glob("*.lock")])


def save_wheel(folder: Path, name: str, version: str = "1.0", tags: str = "py3-none-any") -> Pin:
    """Write a wheel that pip takes; return it as a lock has it."""
    path = folder / f"{name}-{version}-{tags}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n".encode(),
    }
    digests = {n: base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b"=").decode() for n, b in files.items()}
    rows = [f"{n},sha256={digest},{len(files[n])}\n" for n, digest in digests.items()]
    with zipfile.ZipFile(path, "w") as archive:
        for place, content in [*files.items(), (f"{info}/RECORD", "".join(rows).encode())]:
            archive.writestr(zipfile.ZipInfo(place), content)
    return Pin(name, version, frozenset([hashlib.sha256(path.read_bytes()).hexdigest()]), "3.11")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index; the pip is that of ./run."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(sys, "executable", str(PROJECT / ".coralline" / "host" / "bin" / "python"))
    return folder


def told() -> tuple[list[tuple[int, int]], Callable[[int, int], None]]:
    heard: list[tuple[int, int]] = []
    return heard, lambda done, total: heard.append((done, total))


def test_what_is_locked_is_fetched_and_not_fetched_again(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [save_wheel(index, name) for name in ("one", "two", "three")]
    heard, tell = told()
    names = wheels.fetch(wanted, tmp_path / "wheels", tell)
    assert names == ["one-1.0-py3-none-any.whl", "three-1.0-py3-none-any.whl", "two-1.0-py3-none-any.whl"]
    assert sorted(path.name for path in (tmp_path / "wheels").iterdir()) == names
    assert heard == [(0, 3), (1, 3), (2, 3)]
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("nothing is missing"))
    assert wheels.fetch(wanted, tmp_path / "wheels", tell) == names


def test_a_damaged_wheel_is_fetched_again(index: Path, tmp_path: Path) -> None:
    wanted = save_wheel(index, "one")
    _, tell = told()
    [name] = wheels.fetch([wanted], tmp_path, tell)
    (tmp_path / name).write_bytes(b"half")
    wheels.fetch([wanted], tmp_path, tell)
    assert offline.digest(tmp_path / name) in wanted.digests


def test_two_versions_and_two_pythons_of_a_package_are_fetched(index: Path, tmp_path: Path) -> None:
    older, newer = save_wheel(index, "one"), save_wheel(index, "one", "2.0")
    compiled = [save_wheel(index, "two", tags=f"cp3{n}-cp3{n}-manylinux_2_28_x86_64") for n in (11, 12)]
    digests = frozenset().union(*(pin.digests for pin in compiled))
    both = [Pin("two", "1.0", digests, python) for python in ("3.11", "3.12")]
    _, tell = told()
    assert len(wheels.fetch([older, newer, *both], tmp_path / "wheels", tell)) == 4


def test_another_file_of_the_same_name_is_refused_and_what_came_before_stays(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "BATCH", 1)
    good, bad = save_wheel(index, "one"), save_wheel(index, "two")
    _, tell = told()
    with pytest.raises(ImageError, match=r"no wheel of two 1\.0 for Python 3\.11") as caught:
        wheels.fetch([good, Pin("two", "1.0", frozenset(["0" * 64]), "3.11")], tmp_path / "wheels", tell)
    assert "DO NOT MATCH THE HASHES" in caught.value.hint
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["one-1.0-py3-none-any.whl"]
    assert bad.among({"two-1.0-py3-none-any.whl": next(iter(bad.digests))}) is not None


@pytest.mark.parametrize(
    ("wheel", "pythons"),
    [
        ("a-1-py3-none-any.whl", {"3.11", "3.12", "3.14"}),
        ("a-1-py2.py3-none-any.whl", {"3.11", "3.12", "3.14"}),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {"3.11"}),
        ("a-1-cp311-none-manylinux1_x86_64.whl", {"3.11"}),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", {"3.11", "3.12", "3.14"}),
        ("a-1-cp312-abi3-manylinux_2_28_x86_64.whl", {"3.12", "3.14"}),
        ("a-1-py312-none-any.whl", {"3.12", "3.14"}),
        ("a-1-2-cp314-cp314-any.whl", {"3.14"}),
        ("a-1-cp39-cp39-any.whl", set()),
        ("a-1-py2-none-any.whl", set()),
    ],
)
def test_a_wheel_says_which_pythons_it_is_for(wheel: str, pythons: set[str]) -> None:
    assert {python for python in ("3.11", "3.12", "3.14") if wheels.fits(wheel, python)} == pythons


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: f"{lock.parent.name}/{lock.name}")
def test_every_line_of_a_lock_is_read(lock: Path) -> None:
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line and line[:1] not in " #"]
    here = [line for line in lines if "sys_platform == 'win32'" not in line]
    found = wheels.pins(lock, "3.11")
    assert [f"{pin.name}=={pin.version}" for pin in found] == [line.split(" ")[0].split("\\")[0] for line in here]
    assert all(pin.digests for pin in found)


def test_the_packed_project_is_what_git_has() -> None:
    listed = subprocess.run(["git", "-C", PROJECT, "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("what git has: this copy has no repository")
    there = [name for name in listed.stdout.splitlines() if not name.startswith(".") and (PROJECT / name).exists()]
    assert there
    assert not set(there) - {str(path.relative_to(PROJECT)) for path in project.files(PROJECT)}


def test_the_packed_project_is_the_same_bytes_from_another_place_at_another_time(tmp_path: Path) -> None:
    for place in ("one", "another"):
        copy = tmp_path / place
        (copy / "coralline" / "__pycache__").mkdir(parents=True)
        (copy / "coralline" / "__pycache__" / "x.pyc").write_text(place)
        (copy / "artifacts").mkdir()
        (copy / "artifacts" / "weights.h5").write_text(place)
        (copy / "tasks.py").write_text("pass\n")
        (copy / "run").write_text("#!/bin/sh\n")
        (copy / "run").chmod(0o700 if place == "one" else 0o775)
        project.write(copy, tmp_path / f"{place}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "another.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        assert {entry.name: entry.mode for entry in archive} == {"coralline/run": 0o755, "coralline/tasks.py": 0o644}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(_wanted: Any, folder: Path, _tell: Any) -> list[str]:
        folder.mkdir(exist_ok=True)
        (folder / "a-1-py3-none-any.whl").write_bytes(b"a wheel")
        return ["a-1-py3-none-any.whl"]

    monkeypatch.setattr(wheels, "fetch", fetch)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project that nobody works on."""
    for name in ("docker", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / "project" / name)
    return tmp_path / "project"


@pytest.mark.usefixtures("fetched")
def test_two_packs_have_the_same_digests_which_sha256sum_reads(copy: Path, tmp_path: Path) -> None:
    places = (tmp_path / "one", tmp_path / "deep" / "two")
    made = [pack.make(copy, place, lambda _: None, images=False, gpus=False) for place in places]
    assert made[0].sha256 == made[1].sha256
    checked = subprocess.run(["sha256sum", "-c", "--strict", offline.SUMS], cwd=places[0], check=False)
    assert checked.returncode == 0
    assert made[0].files == 3


@pytest.mark.usefixtures("fetched")
def test_the_answer_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packcommands.pack(str(tmp_path / "pack"), images=False, gpus=False, as_json=True, debug=False)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["files"], answer["folder"]) == ("coralline.pack", 3, str(tmp_path / "pack"))
    assert answer["sha256"] == offline.digest(tmp_path / "pack" / offline.SUMS)


@pytest.mark.usefixtures("fetched")
def test_half_a_pack_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack.make(PROJECT, tmp_path, lambda _: None, images=False, gpus=False)
    monkeypatch.setattr(project, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pack.make(PROJECT, tmp_path, lambda _: None, images=False, gpus=False)
    assert not (tmp_path / offline.SUMS).exists()


@pytest.mark.usefixtures("fetched")
def test_what_a_killed_pack_was_writing_is_taken_away(copy: Path, tmp_path: Path) -> None:
    for left in (f"images/{BESIDE}x", f"wheels/{wheels.BESIDE}x"):
        (tmp_path / "pack" / left).mkdir(parents=True)
        (tmp_path / "pack" / left / "saved.tar").write_bytes(b"half of it")
    pack.make(copy, tmp_path / "pack", lambda _: None, images=False, gpus=False)
    assert not [path for path in (tmp_path / "pack").rglob("*") if path.name == "saved.tar"]


@pytest.mark.usefixtures("fetched")
@pytest.mark.parametrize("name", [offline.SUMS, pack.READ_ME])
def test_a_folder_of_somebody_else_keeps_its_files(copy: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / name).write_text("mine")
    with pytest.raises(ProfileError, match=f"holds {name}"):
        pack.make(copy, tmp_path / "stick", lambda _: None, images=False, gpus=False)
    assert {path.name: path.read_text() for path in (tmp_path / "stick").iterdir()} == {name: "mine"}


@pytest.mark.usefixtures("fetched")
def test_a_full_disk_is_said_in_words(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / pack.PROJECT_FILE).symlink_to("/dev/full")
    with pytest.raises(ProfileError, match="cannot be written: No space left on device"):
        pack.make(copy, tmp_path / "pack", lambda _: None, images=False, gpus=False)


def test_a_pack_has_the_wheels_of_the_host_side_and_of_every_stage() -> None:
    wanted = pack._pins(PROJECT, gpus=False)
    assert {pin.python for pin in wanted if pin.name == "invoke"} == set(pack.HOST_PYTHONS)
    for stage in ("dataset", "train", "convert", "benchmark", "benchmark-litert", "evolve", "synthesise", "report"):
        assert set(wheels.pins(PROJECT / "docker" / stage / "requirements.lock", "3.11")) <= set(wanted), stage
    gpu = set(wheels.pins(PROJECT / "docker" / "train-gpu" / "requirements.lock", "3.11"))
    assert gpu <= set(pack._pins(PROJECT, gpus=True))
    assert not {pin.name for pin in wanted} & {"pytest", "ruff"}


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [PROJECT / "run", "pack", "--to", tmp_path / "file" / "pack"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --to ")
    shutil.rmtree(tmp_path)
