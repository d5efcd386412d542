from __future__ import annotations

import io
import json
import re
import stat
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from bundles import forge, members_of, refused, seal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coralline.bundle import archive, headers, layout
from coralline.bundle.reader import Bundle
from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundles import Members, Sample

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_one_changed_byte_of_any_member_is_refused_by_the_member_s_name(good: bytes, tmp_path: Path) -> None:
    place = tmp_path / "it.zip"
    with zipfile.ZipFile(io.BytesIO(good)) as opened:
        listed = [member for member in opened.infolist() if member.file_size]
    for member in listed:
        spoiled = bytearray(good)
        spoiled[member.header_offset + 30 + len(member.filename) + member.file_size // 2] ^= 1
        place.write_bytes(spoiled)
        assert refused(place).startswith(f"{member.filename} ")


@given(data=st.data())
@QUIET
def test_one_changed_byte_anywhere_is_refused(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    spoiled = bytearray(good)
    place = data.draw(st.integers(0, len(good) - 1))
    spoiled[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "it.zip").write_bytes(spoiled)
    assert refused(tmp_path / "it.zip")


def test_every_byte_of_the_headers_and_the_list_counts(good: bytes, tmp_path: Path) -> None:
    """The bytes that other readers of zip files pass over: all of the last kilobyte, and of the first header."""
    for place in (*range(30), *range(len(good) - 1_000, len(good))):
        spoiled = bytearray(good)
        spoiled[place] ^= 0x41
        (tmp_path / "it.zip").write_bytes(spoiled)
        assert refused(tmp_path / "it.zip")


@given(data=st.data())
@QUIET
def test_bytes_cut_out_put_in_or_appended_are_refused(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    spoiled = good[:start] + data.draw(st.binary(max_size=40)) + good[end:]
    (tmp_path / "it.zip").write_bytes(spoiled)
    if spoiled != good:
        assert refused(tmp_path / "it.zip")


@given(content=st.binary(max_size=400))
@QUIET
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "it.zip").write_bytes(content)
    assert refused(tmp_path / "it.zip")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "objects/" + "a" * 64 + "/../../../x",
        "objects/" + "a" * 64 + "/a//b",
        "objects/" + "a" * 64 + "/.",
        "objects/" + "a" * 64 + "/a\\b",
        "objects/" + "a" * 64 + "/a\nb",
        "objects/" + "a" * 64 + "/right\u202eleft",
        "objects/" + "a" * 64 + "/" + "n" * 256,
        "objects/" + "a" * 64 + "/" + "n/" * 600 + "n",
        "objects/" + "A" * 64 + "/record.json",
        "objects/short/record.json",
        "logs/a/b.log",
        "runs/x",
        ".hidden",
        "",
    ],
)
def test_names_that_no_bundle_has_are_refused_in_reading_and_in_writing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError):
        layout.check_name(name)
    assert "a bundle" in refused(zip_with(tmp_path / "it.zip", (name, b"x")))
    with pytest.raises(ArtifactError), (tmp_path / "other.zip").open("w+b") as file:
        archive.write(file, [archive.Source(name, 1, lambda: (b"x",))], b"{}")


@given(name=st.text(max_size=40) | st.from_regex(r"\A(objects/[0-9a-f]{64}/|logs/)?[a./\\]{0,9}\Z"))
@settings(deadline=None)
def test_a_name_that_passes_stays_in_its_place(name: str) -> None:
    try:
        layout.check_name(name)
    except (ArtifactError, UnicodeEncodeError):
        return
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(name.split("/"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "header"),
        ({"external_attr": (stat.S_IFREG | 0o4755) << 16}, "header"),
        ({"date_time": (2026, 1, 1, 0, 0, 0)}, "header"),
        ({"compress_type": zipfile.ZIP_DEFLATED}, "header|not where"),
        ({"compress_type": zipfile.ZIP_LZMA}, "header|not where"),
        ({"extra": b"\x99\x99\x04\x00evil"}, "not where"),
    ],
)
def test_a_link_a_time_a_compressed_or_padded_member_is_refused(
    tmp_path: Path, spoil: dict[str, Any], told: str
) -> None:
    member = zipfile.ZipInfo("run.json", headers.MOMENT)
    member.external_attr = headers.MODE
    member.create_system = headers.UNIX
    for name, value in spoil.items():
        setattr(member, name, value)
    assert re.search(told, refused(zip_with(tmp_path / "it.zip", (member, b"0" * 100_000))))


def test_members_that_share_bytes_or_names_or_are_out_of_order_are_refused(tmp_path: Path) -> None:
    assert "out of order" in refused(zip_with(tmp_path / "order.zip", ("run.json", b"x"), ("logs/a.log", b"y")))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zip_with(tmp_path / "twice.zip", ("run.json", b"x"), ("run.json", b"y"))
    assert "one twice" in refused(twice)
    key = "objects/" + "a" * 64
    both = zip_with(tmp_path / "both.zip", (f"{key}/a", b"x"), (f"{key}/a/b", b"y"))
    assert refused(both) == f"{key}/a is a file and a folder"


def test_bytes_between_members_are_refused(tmp_path: Path) -> None:
    zipped = io.BytesIO(b"hidden")
    zipped.seek(6)
    with zipfile.ZipFile(zipped, "a") as opened:
        opened.writestr(plain("run.json"), b"x")
    assert "not where" in refused(seal(tmp_path / "it.zip", zipped))


def test_a_list_that_claims_more_than_there_is_is_refused_before_it_is_read(good: bytes, tmp_path: Path) -> None:
    end = good.rindex(b"PK\x05\x06")
    for size in (0xFFFFFFFF, 0xFFFFFFF0, len(good)):
        (tmp_path / "it.zip").write_bytes(good[: end + 12] + struct.pack("<L", size) + good[end + 16 :])
        assert refused(tmp_path / "it.zip").startswith("the list of members ")


def test_what_is_bundled_is_neither_too_large_nor_of_another_size_than_said(tmp_path: Path) -> None:
    for size, blocks in ((layout.MOST_BYTES + 1, ()), (3, (b"four",)), (3, (b"no",))):
        with pytest.raises(ArtifactError), (tmp_path / "it.zip").open("w+b") as file:
            archive.write(file, [archive.Source("run.json", size, lambda blocks=blocks: blocks)], b"{}")  # type: ignore[misc]


def edit(name: str, change: Callable[[Any], None]) -> Callable[[Members, dict[str, str]], str]:
    """Change a JSON document of a bundle; `ONE` and `TWO` in its name stand for the keys."""

    def apply(members: Members, keys: dict[str, str]) -> str:
        place = name.replace("ONE", f"objects/{keys['one']}").replace("TWO", f"objects/{keys['two']}")
        told = json.loads(members[place])
        change(told)
        members[place] = (json.dumps(told, indent=1, sort_keys=place != "run.json") + "\n").encode()
        return place

    return apply


def record(**values: Any) -> Callable[[Members, dict[str, str]], str]:
    """Change a record that has no seal, as those of older stores have none."""
    return edit("ONE/record.json", lambda told: (told.pop("seal", None), told.update(values)))


NOWHERE = "objects/" + "0" * 64 + "/record.json"
LIES: dict[str, tuple[Callable[[Members, dict[str, str]], str], str]] = {
    "another parameter": (edit("ONE/record.json", lambda told: told["key_parts"]["parameters"].update(size=4)), ""),
    "another key": (edit("ONE/record.json", lambda told: told.update(key="0" * 64)), ""),
    "another digest": (edit("ONE/record.json", lambda told: told.update(digest="0" * 64)), ""),
    "another time": (edit("ONE/record.json", lambda told: told.update(seconds=99)), ""),
    "another time, unsealed": (record(seconds=99), "ONE/provenance.json"),
    "a label with a way out": (record(label="../x"), ""),
    "a number without a value": (record(numbers=[{}]), ""),
    "numbers that are none": (record(numbers=3), ""),
    "no time": (record(started=None), "run.json"),
    "a time that is none": (record(started="now"), "run.json"),
    "a record of another version": (edit("ONE/record.json", lambda told: told.update(version=2)), ""),
    "another file in the list": (edit("ONE/files.json", lambda told: told.update(x=["0" * 64, 1])), "ONE/record.json"),
    "a list that is none": (edit("ONE/files.json", lambda told: told.update(x=["0", -1])), ""),
    "a list with its record": (edit("ONE/files.json", lambda told: told.update({"record.json": ["0" * 64, 1]})), ""),
    "another subject": (edit("ONE/provenance.json", lambda told: told["subject"].pop()), ""),
    "another start": (
        edit("ro-crate-metadata.json", lambda told: told["@graph"][1].update(datePublished="2020-01-01T00:00:00Z")), "",
    ),
    "a step with an artifact that is missing": (
        edit("run.json", lambda told: told["steps"]["one"].update(key="0" * 64)), NOWHERE,
    ),
    "an artifact of no step": (
        edit("run.json", lambda told: told["steps"]["two"].update(state="failed")), "TWO/record.json",
    ),
    "a run with a way out": (edit("run.json", lambda told: told.update(run="../../x")), ""),
    "a step with a way out": (edit("run.json", lambda told: told["steps"].update({"../x": {"state": "failed"}})), ""),
    "a run of another version": (edit("run.json", lambda told: told.update(version=7)), ""),
    "steps that are none": (edit("run.json", lambda told: told.update(steps=[1])), ""),
    "a manifest of a later form": (edit("manifest.json", lambda told: told.update(version=3)), ""),
    "a manifest of no form": (edit("manifest.json", lambda told: told.update(version=True)), ""),
    "a Coralline that moves the cursor": (edit("manifest.json", lambda told: told.update(coralline="\x1b[2J")), ""),
    "a maker's version that is none": (record(coralline=3), ""),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_bundle_that_contradicts_itself_is_refused_by_name(
    lasting: Sample, good: bytes, tmp_path: Path, lie: str
) -> None:
    change, blamed = LIES[lie]
    place = tmp_path / "it.zip"
    place.write_bytes(good)
    changed = ""

    def apply(members: Members) -> None:
        nonlocal changed
        changed = change(members, lasting.keys)

    message = refused(forge(place, apply))
    blamed = blamed.replace("ONE", f"objects/{lasting.keys['one']}").replace("TWO", f"objects/{lasting.keys['two']}")
    assert message.startswith(f"{blamed or changed} "), message


def test_an_output_that_is_changed_missing_or_added_is_named(lasting: Sample, good: bytes, tmp_path: Path) -> None:
    home, place = f"objects/{lasting.keys['one']}", tmp_path / "it.zip"
    for change, name in (
        (lambda members: members.update({f"{home}/out.json": b"[]"}), "out.json"),
        (lambda members: members.pop(f"{home}/out.json"), "out.json"),
        (lambda members: members.update({f"{home}/extra.txt": b"x"}), "extra.txt"),
    ):
        place.write_bytes(good)
        assert refused(forge(place, change)).startswith(f"{home}/{name} ")


def test_a_document_that_would_exhaust_the_reader_is_refused(lasting: Sample, good: bytes, tmp_path: Path) -> None:
    place, name = tmp_path / "it.zip", f"objects/{lasting.keys['one']}/record.json"
    for content in (b"[" * 200_000, b'{"key": ' + b"9" * 5_000 + b"}", b"\xff", b"null", b""):
        place.write_bytes(good)
        assert refused(forge(place, lambda members, content=content: members.update({name: content}))).startswith(name)  # type: ignore[misc]


def test_too_large_a_document_is_refused_before_it_is_read(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_DOCUMENT_BYTES", 100)
    (tmp_path / "it.zip").write_bytes(good)
    assert "too large" in refused(tmp_path / "it.zip")


def test_a_forged_bundle_without_a_lie_is_read(good: bytes, tmp_path: Path) -> None:
    """What the tests above change is all that is wrong with what they make."""
    place = tmp_path / "it.zip"
    place.write_bytes(good)
    with Bundle(forge(place, lambda _members: None)):
        assert place.read_bytes() == good
    assert members_of(place)


def plain(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, headers.MOMENT)
    member.create_system, member.external_attr = headers.UNIX, headers.MODE
    return member


def zip_with(place: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A zip file of any members, and with the seal of a bundle."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as opened:
        for member, content in members:
            opened.writestr(plain(member) if isinstance(member, str) else member, content)
    return seal(place, zipped)
