from __future__ import annotations

import errno
import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline.engines.remote import parcel
from coralline.engines.remote.parcel import Parcel
from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", "..", "__pycache__"} and len(name.encode()) < 200
)
TREES = st.recursive(
    st.binary(max_size=2000), lambda below: st.dictionaries(NAMES, below, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


def plant(folder: Path, tree: dict[str, object]) -> None:
    folder.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            plant(folder / name, content)
        else:
            assert isinstance(content, bytes)
            (folder / name).write_bytes(content)


def read(folder: Path) -> dict[str, object]:
    return {path.name: read(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


def ignore(_count: int) -> None:
    pass


def sent(source: Path) -> bytes:
    return b"".join(Parcel(source=source, name="shelf", owner=65_534, group=65_534).stream(ignore))


def unpack(archive: Iterable[bytes], target: Path, **limits: int) -> None:
    target.mkdir(exist_ok=True)
    parcel.unpack(archive, target, ignore, **limits)


def archive(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            made.addfile(member, io.BytesIO(content))
    return file.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@settings(deadline=None)  # writes many files
@given(TREES, st.integers(1, 5000))
def test_a_folder_arrives_as_it_was_sent_whatever_the_pieces(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object], size: int
) -> None:
    home = tmp_path_factory.mktemp("parcel")
    plant(home / "from", tree)
    data = sent(home / "from")
    unpack((data[start : start + size] for start in range(0, len(data), size)), home / "to")
    assert read(home / "to") == tree


def test_the_same_folder_gives_the_same_bytes_whenever_it_was_written(tmp_path: Path) -> None:
    for name, when in (("one", 1), ("two", 2_000_000_000)):
        plant(tmp_path / name, {"b": b"x", "a": {"c": b""}, "__pycache__": {"d": b"not sent"}})
        os.utime(tmp_path / name / "b", (when, when))
    assert sent(tmp_path / "one") == sent(tmp_path / "two")
    assert b"not sent" not in sent(tmp_path / "one")


def test_a_file_is_the_only_one_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"w" * 1000)
    (tmp_path / "other").touch()
    unpack([sent(tmp_path / "weights.h5")], tmp_path / "to")
    assert read(tmp_path / "to") == {"weights.h5": b"w" * 1000}


def test_links_are_sent_as_what_they_point_to_and_never_lead_out_or_round(tmp_path: Path) -> None:
    plant(tmp_path / "data", {"a": {"x": b"1"}})
    (tmp_path / "secret").write_bytes(b"secret")
    for name, to in (("again", "a"), ("out", "../secret"), ("round", "."), ("gone", "nowhere"), ("a/up", "..")):
        (tmp_path / "data" / name).symlink_to(to)
    unpack([sent(tmp_path / "data")], tmp_path / "to")
    assert read(tmp_path / "to") == {"a": {"x": b"1"}, "again": {"x": b"1"}}


def test_everything_belongs_to_the_owner_asked_for(tmp_path: Path) -> None:
    plant(tmp_path / "data", {"a": b""})
    with tarfile.open(fileobj=io.BytesIO(sent(tmp_path / "data"))) as made:
        assert {(one.uid, one.gid) for one in made} == {(65_534, 65_534)}


@pytest.mark.parametrize(
    "hostile",
    [
        member("shelf/../../escaped"),
        member("/shelf/absolute"),
        member("shelf/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("shelf/hard", tarfile.LNKTYPE, "shelf/other"),
        member("shelf/pipe", tarfile.FIFOTYPE),
        member("shelf/device", tarfile.CHRTYPE),
        member("shelf/no/folder"),
    ],
    ids=lambda one: one.name,
)
def test_what_is_no_plain_file_of_its_folder_is_refused_by_name(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    with pytest.raises(ArtifactError, match=r"what came back .* holds"):
        unpack([archive(member("shelf", tarfile.DIRTYPE), hostile, content=b"x")], tmp_path / "to")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["to"]


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="twice"):
        unpack([archive(member("shelf/a"), member("shelf/a"), content=b"x")], tmp_path / "to")


def test_too_much_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="larger"):
        unpack([archive(member("shelf/a"), content=bytes(5000))], tmp_path / "to", most_bytes=4999)
    assert not any((tmp_path / "to").iterdir())


def test_a_header_without_end_is_refused_without_being_read(tmp_path: Path) -> None:
    endless = member("shelf/a")
    endless.pax_headers = {"comment": "x" * (3 * parcel.LARGEST_HEADER)}
    with pytest.raises(ArtifactError, match="without end"):
        unpack([archive(endless)], tmp_path / "to")


def record(name: str, value: str) -> bytes:
    """A header with one record about the next member (pax(1)); its length counts itself."""
    rest = f" {name}={value}\n"
    length = next(n for n in range(len(rest), len(rest) + 9) if len(f"{n}{rest}") == n)
    body = f"{length}{rest}".encode()
    return header("x", tarfile.XHDTYPE, len(body)) + body + bytes(-len(body) % 512)


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    made = member(name, kind)
    made.size = size
    return made.tobuf(tarfile.USTAR_FORMAT)


LIES = {
    "headers in headers": header("x", tarfile.XHDTYPE) * 1500,
    "long names of long names": header("x", tarfile.GNUTYPE_LONGNAME) * 1500,
    "a length of no number": header("x", tarfile.XHDTYPE, 5000) + b"9" * 4995 + b" a=b\n" + bytes(120),
    "holes of no number": record("GNU.sparse.map", "1,x"),
    "a folder in the place of a file": header("shelf/a") + header("shelf/a", tarfile.DIRTYPE),
    "a folder below a file": header("shelf/a") + header("shelf/a/b", tarfile.DIRTYPE),
    "a folder without its folder": header("shelf/b/c", tarfile.DIRTYPE),
    "a name too long": record("path", "shelf/" + 300 * "a"),
    "a folder's name too long": record("path", "shelf/" + 300 * "a") + header("shelf/b", tarfile.DIRTYPE),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_no_archiver_writes_is_refused_in_words(tmp_path: Path, lie: str) -> None:
    data = header("shelf", tarfile.DIRTYPE) + LIES[lie] + header("shelf/last") + bytes(1024)
    with pytest.raises(ArtifactError, match="what came back") as caught:
        unpack([data], tmp_path / "to")
    assert len(caught.value.message) < 500


def test_a_full_disk_here_is_not_blamed_on_what_came_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.RawIOBase):
        def write(self, _piece: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(parcel, "open", lambda *_: Full(), raising=False)
    with pytest.raises(OSError, match="No space left"):
        unpack([archive(member("shelf/a"), content=b"x")], tmp_path / "to")


@given(st.integers(0, 4000))
def test_an_archive_that_is_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    home = tmp_path_factory.mktemp("cut")
    data = archive(member("shelf/a"), member("shelf/b"), content=b"y" * 700)
    data = data[: 4 * 512 + 2 * 512 + 512]  # two members and half of the end
    with pytest.raises(ArtifactError):
        unpack([data[: min(cut, len(data) - 512)]], home / "to")


@given(st.binary(max_size=3000))
def test_any_bytes_are_an_archive_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    home = tmp_path_factory.mktemp("bytes")
    with pytest.raises(ArtifactError):
        unpack([b"x" + data], home / "to")


def test_a_file_that_shrinks_while_it_is_sent_is_said_so(tmp_path: Path) -> None:
    plant(tmp_path / "data", {"a": b"x" * 3000})
    stream = Parcel(source=tmp_path / "data", name="shelf", owner=1, group=1).stream(ignore)
    next(stream)
    next(stream)
    (tmp_path / "data" / "a").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="shorter"):
        list(stream)
