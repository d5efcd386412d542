"""The dataset stage with zip files: they are the folder that they hold, and nothing leaves its place or bursts it."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from test_dataset_folder import fails, make, pack, picture, plant, read, rows, tree, warnings

from stages.dataset import archive

if TYPE_CHECKING:
    from pathlib import Path

    from test_dataset_folder import Tree

__all__ = ["tree"]  # a fixture: tests ask for it by its name


def test_a_zip_file_is_unpacked_and_indexed_like_the_folder(tmp_path: Path, tree: Tree) -> None:
    of_folder = make(tmp_path / "one", plant(tmp_path / "data", tree))
    step = make(tmp_path / "two", pack(tmp_path / "data.zip", tree))
    assert (step.out / "images.csv").read_bytes() == (of_folder.out / "images.csv").read_bytes()
    assert read(step, "dataset.json")["images"] == "artifact"
    assert all((step.out / "images" / path).read_bytes() == content for path, content in tree.items())


def test_a_zip_file_with_a_folder_on_top_is_the_same(tmp_path: Path, tree: Tree) -> None:
    tree["metadata.csv"] = b"a table beside the splits"
    step = make(tmp_path, pack(tmp_path / "data.zip", {**tree, "__MACOSX/train/a/._0.png": b"x"}, prefix="events/"))
    assert len(rows(step)) == 12
    assert warnings(step) == []


@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_of_zip_files_is_their_sum(tmp_path: Path, tree: Tree, inside: bool) -> None:
    for split in ("train", "test"):
        part = {path: content for path, content in tree.items() if path.startswith(split)}
        names = part if inside else {path.removeprefix(f"{split}/"): content for path, content in part.items()}
        pack(tmp_path / "data" / f"{split}.zip", names)
    assert [row["path"] for row in rows(make(tmp_path, tmp_path / "data"))] == sorted(tree)


def test_skipped_images_of_a_zip_file_are_not_kept(tmp_path: Path, tree: Tree) -> None:
    step = make(tmp_path, pack(tmp_path / "data.zip", {**tree, "train/a/bad.png": b"bad"}), on_bad_image="skip")
    assert not (step.out / "images" / "train" / "a" / "bad.png").exists()


def test_other_files_of_a_zip_file_are_ignored_aloud(tmp_path: Path, tree: Tree) -> None:
    step = make(tmp_path, pack(tmp_path / "data.zip", {**tree, "train/a/notes.txt": b"", "train/a/deep/er/1.png": b""}))
    assert warnings(step) == [
        "ignored, because they are no images of a class (2): 'train/a/deep/er/1.png', 'train/a/notes.txt'"
    ]
    assert not list(step.out.rglob("*.txt"))


def test_a_damaged_member_is_a_bad_image(tmp_path: Path, tree: Tree) -> None:
    path = pack(tmp_path / "data.zip", tree)
    with zipfile.ZipFile(path) as file:
        place = file.getinfo("train/a/1.png").header_offset + 60
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    assert "train/a/1.png: damaged in the zip file" in fails(tmp_path, path).message
    step = make(tmp_path / "skip", path, on_bad_image="skip")
    assert [item["path"] for item in read(step, "dataset.json")["skipped"]] == ["train/a/1.png"]


@pytest.mark.parametrize(
    "name",
    [
        "../train/a/1.png",
        "/train/a/1.png",
        "train/../../a/1.png",
        "train\\a\\1.png",
        "C:/train/a/1.png",
        "train//a/1.png",
    ],
)
def test_a_name_that_leaves_the_folder_is_refused_and_nothing_written(tmp_path: Path, tree: Tree, name: str) -> None:
    error = fails(tmp_path, pack(tmp_path / "data.zip", {**tree, name: picture(1)}))
    assert "does not stay in one folder" in error.message
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".png"]


@pytest.mark.parametrize(
    ("mode", "reason"), [(stat.S_IFLNK | 0o777, "link or a device"), (stat.S_IFCHR, "link or a device")]
)
def test_links_and_devices_in_a_zip_file_are_refused(tmp_path: Path, tree: Tree, mode: int, reason: str) -> None:
    path = pack(tmp_path / "data.zip", tree)
    with zipfile.ZipFile(path, "a") as file:
        info = zipfile.ZipInfo("train/a/link.png")
        info.create_system, info.external_attr = 3, mode << 16
        file.writestr(info, "/etc/passwd")
    assert reason in fails(tmp_path, path).message


def test_an_encrypted_zip_file_is_refused(tmp_path: Path, tree: Tree) -> None:
    path = pack(tmp_path / "data.zip", tree)
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    struct.pack_into("<H", content, entry + 8, 1)  # the encryption bit of the last entry in the directory
    path.write_bytes(content)
    assert "is encrypted" in fails(tmp_path, path).message


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_another_kind_is_refused(tmp_path: Path, tree: Tree, kind: int) -> None:
    path = pack(tmp_path / "data.zip", tree)
    with zipfile.ZipFile(path, "a", kind) as file:
        file.writestr("train/a/other.png", picture(1))
        start = file.getinfo("train/a/other.png").header_offset + 60
    content = bytearray(path.read_bytes())
    content[start : start + 60] = bytes(60)
    path.write_bytes(content)
    assert "'train/a/other.png' is neither stored nor deflated" in fails(tmp_path, path, on_bad_image="skip").message


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, tree: Tree) -> None:
    error = fails(tmp_path, pack(tmp_path / "data.zip", {**tree, "train/a/bomb.png": bytes(50_000_000)}))
    assert "grows more than 200 times" in error.message
    assert not (tmp_path / "step" / "out" / "images" / "train").exists()


def test_a_member_that_is_too_large_is_refused(tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    assert "at most 100 are read" in fails(tmp_path, pack(tmp_path / "data.zip", tree)).message


def test_too_many_members_are_refused(tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 11)
    assert "it holds 12 files" in fails(tmp_path, pack(tmp_path / "data.zip", tree)).message


def test_images_that_do_not_fit_on_the_disk_are_refused(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 100)
    assert "GiB are free" in fails(tmp_path, pack(tmp_path / "data.zip", tree)).message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_image_twice_in_zip_files_is_refused(tmp_path: Path, tree: Tree) -> None:
    pack(tmp_path / "data" / "one.zip", tree)
    pack(tmp_path / "data" / "two.zip", {"train/a/0.png": picture(99)})
    assert fails(tmp_path, tmp_path / "data").message == "the zip files hold 'train/a/0.png' twice"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_a_file_that_is_no_zip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.zip").write_bytes(content)
    assert "is not a readable zip file" in fails(tmp_path, tmp_path / "data.zip").message
