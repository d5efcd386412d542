"""What a site without network takes is checked: nothing damaged, missing or elsewhere is used."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline.errors import CorallineError, ImageError, ProfileError
from coralline.images import Images, kept
from coralline.offline import SUMS, VARIABLE, Pack


def packed(folder: Path, **files: bytes) -> Pack:
    lines = []
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {path.relative_to(folder)}\n")
    (folder / SUMS).write_text("".join(lines))
    return Pack(folder)


def locked(folder: Path, *contents: bytes) -> Path:
    lock = folder / "requirements.lock"
    lock.write_text("".join(f"    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n" for content in contents))
    return lock


def test_the_wheels_of_a_lock_are_checked_and_no_others(tmp_path: Path) -> None:
    pack = packed(tmp_path, wheels__a_whl=b"a", wheels__b_whl=b"b")
    (tmp_path / "wheels" / "b.whl").write_bytes(b"B")
    assert pack.wheels(locked(tmp_path, b"a")) == tmp_path / "wheels"
    with pytest.raises(ImageError, match=r"wheels/b\.whl is damaged: SHA-256 df7e7"):
        pack.wheels(locked(tmp_path, b"a", b"b"))
    (tmp_path / "wheels" / "b.whl").unlink()
    with pytest.raises(ImageError, match=r"wheels/b\.whl is missing"):
        pack.wheels(locked(tmp_path, b"a", b"b"))


def test_an_image_is_checked(tmp_path: Path) -> None:
    pack = packed(tmp_path, images__train_tar=b"layers")
    assert pack.image("train") == tmp_path / "images" / "train.tar"
    assert pack.image("convert") is None
    (tmp_path / "images" / "train.tar").write_bytes(b"Layers")
    with pytest.raises(ImageError, match=r"images/train\.tar is damaged"):
        pack.image("train")


@pytest.mark.parametrize(
    "text", ["nonsense\n", "0" * 64 + " one\n", f"{'0' * 64}  ../up\n", f"{'0' * 64}  /etc/passwd\n"]
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / SUMS).write_text(text)
    with pytest.raises(ProfileError, match="is damaged"):
        Pack(tmp_path).sums()


@given(st.text(alphabet=st.sampled_from("0a./ \n\\x~"), max_size=200), st.text(max_size=20))
def test_no_list_leads_out_of_its_folder(tmp_path_factory: pytest.TempPathFactory, text: str, path: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "lists"
    folder.mkdir(exist_ok=True)
    (folder / SUMS).write_text(f"{'0' * 64}  {path}\n{text}", encoding="utf-8")
    try:
        found = Pack(folder).sums()
    except CorallineError:
        return
    assert all(".." not in PurePosixPath(name).parts and not name.startswith("/") for name in found)


def test_a_folder_that_is_no_pack_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="is not a packed folder"):
        Pack(tmp_path).sums()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A daemon that has an image once its archive was loaded: the names of what was."""
    loaded: list[str] = []
    monkeypatch.setattr(kept, "take", lambda path: loaded.append(path.stem))
    monkeypatch.setattr(Images, "find", lambda _, name: "sha256:1" if name in loaded else None)
    return loaded


def test_images_come_from_the_pack_with_their_base(
    tmp_path: Path, daemon: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path, images__train_tar=b"1", **{"images__base-bookworm_tar": b"2"})
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert Images(home=tmp_path / "home").build("train", _silent) == "sha256:1"
    assert daemon == ["base-bookworm", "train"]


def test_an_image_that_was_not_packed_is_not_looked_for_on_a_network(
    tmp_path: Path, daemon: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(tmp_path, **{"images__base-bookworm_tar": b"2"})
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ImageError, match="the image train is not in"):
        Images(home=tmp_path / "home").build("train", _silent)
    assert "train" not in daemon


def _silent(_event: dict[str, Any]) -> None:
    pass
