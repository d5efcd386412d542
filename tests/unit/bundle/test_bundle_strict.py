"""What a bundle may not hold although its digests are right: other shapes, other texts, other headers."""

from __future__ import annotations

import hashlib
import json
import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from bundles import Sample, forge, members_of, refused
from hypothesis import given
from hypothesis import strategies as st

from coralline.bundle import archive, foreign, headers, layout
from coralline.bundle.archive import Archive, Source
from coralline.bundle.reader import Bundle
from coralline.errors import ArtifactError
from coralline.store import text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def with_run(content: bytes, place: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle with another run.json."""
    place.write_bytes(content)
    told = json.loads(members_of(place)["run.json"])
    change(told)
    return forge(place, lambda members: members.update({"run.json": (json.dumps(told, indent=1) + "\n").encode()}))


def nested(levels: int) -> list[Any]:
    told: list[Any] = []
    for _ in range(levels):
        told = [told]
    return told


RUNS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a step without a key": lambda told: told["steps"].update(more={"state": "blocked", "reason": ""}),
    "a key that is none": lambda told: told["steps"].update(more={"state": "failed", "reason": "", "key": ["x"]}),
    "made without a key": lambda told: told["steps"].update(more={"state": "made", "reason": "", "key": None}),
    "a step without a reason": lambda told: told["steps"].update(more={"state": "failed", "key": None}),
    "a reason that moves the cursor": lambda told: told["steps"]["compile"].update(reason="\x1b[2J"),
    "a step that is none": lambda told: told["steps"].update(more=None),
    "models that are none": lambda told: told["request"].update(models=None),
    "models that are no words": lambda told: told["request"].update(models=[1]),
    "a profile that is no word": lambda told: told["request"].update(profile=3),
    "values that are none": lambda told: told["request"].update(values=[]),
    "values that move the cursor": lambda told: told["request"]["values"].update({"\x1b[2J": "\x1b[2J"}),
    "a label too long for a file": lambda told: told["steps"].update(
        {"x" * 300: {"state": "failed", "reason": "", "key": None}}
    ),
    "an end that is no word": lambda told: told.update(ended="yes"),
    "a name that is later than all": lambda told: told.update(run="zzz"),
    "no end": lambda told: told.pop("ended"),
}


@pytest.mark.parametrize("lie", RUNS)
def test_a_run_that_would_trip_who_lists_runs_is_refused(good: bytes, tmp_path: Path, lie: str) -> None:
    assert refused(with_run(good, tmp_path / "it.zip", RUNS[lie])).startswith("run.json ")


def test_the_run_of_a_sweep_is_read(good: bytes, tmp_path: Path) -> None:
    def sweep(told: dict[str, Any]) -> None:
        step = {"state": "failed", "reason": "no room\nleft", "key": None, "point": {"train.seed": 1}}
        told["steps"]["train/x@train.seed=1,train.learning_rate=1e-05"] = step

    told = refused(with_run(good, tmp_path / "it.zip", sweep))
    assert told.startswith("ro-crate-metadata.json "), "the run itself is well told; its digest in the crate is not"


RECORDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a time without end": lambda told: told.update(seconds=1e300),
    "a time after all times": lambda told: told.update(started="9999-12-31T23:59:59Z", seconds=10),
    "no axes": lambda told: told.pop("axes"),
    "axes that are no words": lambda told: told.update(axes={"model": 3}),
    "a value that is none": lambda told: told["numbers"][0].update(value="x"),
    "a value that is no number": lambda told: told["numbers"][0].update(value=float("nan")),
    "a value without end": lambda told: told["numbers"][0].update(value=float("inf")),
    "a processor that moves the cursor": lambda told: told["host"].update(cpu_model="\x1b]0;evil\x07"),
    "an image that moves the cursor": lambda told: told["engine"].update({"image": ["\x1b[2J"]}),
    "a label too long for a file": lambda told: told.update(label="x" * 300),
    "facts nested without end": lambda told: told["facts"].update(deep=nested(200)),
    "a metric that moves the cursor": lambda told: told["numbers"][0].update(metric="\x1b[2J"),
    "an interval that is none": lambda told: told["numbers"][0].update(interval=3),
    "a host that is none": lambda told: told.update(host=[]),
    "threads that are none": lambda told: told.update(threads=None),
    "an engine without a name": lambda told: told.update(engine={}),
}


@pytest.mark.parametrize("lie", RECORDS)
def test_a_record_that_would_trip_who_reads_it_is_refused(
    lasting: Sample, good: bytes, tmp_path: Path, lie: str
) -> None:
    place, name = tmp_path / "it.zip", f"objects/{lasting.keys['one']}/record.json"
    place.write_bytes(good)
    told = json.loads(members_of(place)[name])
    told.pop("seal")
    RECORDS[lie](told)
    message = refused(forge(place, lambda members: members.update({name: text_of(told).encode()})))
    assert message.startswith((f"{name} ", "run.json and the records "))


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("record.json", (b"{\n", b'{\n "numbers": [],\n')),  # twice: others may read the first
        ("record.json", (b'"axes"', b' "axes"')),
        ("files.json", (b",", b", ")),
    ],
)
def test_another_text_that_says_the_same_is_refused(
    lasting: Sample, good: bytes, tmp_path: Path, file: str, change: tuple[bytes, bytes]
) -> None:
    place, name = tmp_path / "it.zip", f"objects/{lasting.keys['one']}/{file}"
    place.write_bytes(good)
    forge(place, lambda members: members.update({name: members[name].replace(*change, 1)}))
    assert refused(place) == f"{name} is not written as such documents are"


def test_a_list_of_files_names_no_place_outside_even_without_outputs(lasting: Sample, tmp_path: Path) -> None:
    place = lasting.bundle(tmp_path / "it.zip", outputs=False)
    name = f"objects/{lasting.keys['one']}/files.json"
    forge(place, lambda members: members.update({name: b'{"../../x":["' + b"0" * 64 + b'",1]}\n'}))
    assert "is not a name that a bundle may hold" in refused(place)


def resealed(content: bytes) -> bytes:
    """The bundle with the right digest of the list that it has now; its manifest is what it was."""
    end = content.rindex(b"PK\x05\x06")
    start = end - struct.unpack("<L", content[end + 12 : end + 16])[0]
    digest = hashlib.sha256(content[start : end + headers.END.size]).hexdigest().encode()
    return content[:-64] + digest


def test_no_byte_of_the_list_can_be_another_under_the_same_manifest(good: bytes, tmp_path: Path) -> None:
    """A signature binds the manifest: so all else must follow from that."""
    assert resealed(good) == good
    end = good.rindex(b"PK\x05\x06")
    start = end - struct.unpack("<L", good[end + 12 : end + 16])[0]
    for place in (*range(start, start + 60), *range(end + 4, end + 12)):
        spoiled = bytearray(good)
        spoiled[place] ^= 1
        (tmp_path / "it.zip").write_bytes(resealed(bytes(spoiled)))
        assert refused(tmp_path / "it.zip")


def test_a_comment_of_a_member_hides_nothing(good: bytes, tmp_path: Path) -> None:
    end = good.rindex(b"PK\x05\x06")
    size = struct.unpack("<L", good[end + 12 : end + 16])[0]
    entry = end - size
    after = entry + headers.LISTED.size + struct.unpack("<H", good[entry + 28 : entry + 30])[0]
    comment = b"hidden"
    longer = bytearray(good[:after] + comment + good[after:])
    longer[entry + 32 : entry + 34] = struct.pack("<H", len(comment))
    longer[end + 6 + 12 : end + 6 + 16] = struct.pack("<L", size + len(comment))
    (tmp_path / "it.zip").write_bytes(resealed(bytes(longer)))
    assert refused(tmp_path / "it.zip").startswith("the list of members is damaged")


def test_a_checksum_that_is_not_its_member_s_is_refused(good: bytes, tmp_path: Path) -> None:
    end = good.rindex(b"PK\x05\x06")
    start = end - struct.unpack("<L", good[end + 12 : end + 16])[0]
    spoiled = bytearray(good)
    spoiled[14] ^= 1
    spoiled[start + 16] ^= 1
    (tmp_path / "it.zip").write_bytes(resealed(bytes(spoiled)))
    assert refused(tmp_path / "it.zip") == "logs/one.log is damaged"


@pytest.mark.parametrize(("count", "offset"), [(3, 1 << 31), (1 << 16, 1_000), (3, 1_000)])
def test_a_bundle_so_large_that_it_needs_wide_fields_is_read(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, offset: int
) -> None:
    for module, names in ((zipfile, ("ZIP_FILECOUNT_LIMIT", "ZIP64_LIMIT")), (headers, ("MOST_COUNT", "MOST_OFFSET"))):
        for name, value in zip(names, (count, offset), strict=True):
            monkeypatch.setattr(module, name, value)
    (tmp_path / "it.zip").write_bytes(good)
    members = members_of(tmp_path / "it.zip")
    small = {name: text for name, text in members.items() if len(text) < 900}
    with (tmp_path / "wide.zip").open("w+b") as file:
        archive.write(file, [Source(name, len(text), lambda text=text: (text,)) for name, text in small.items()], b"{}")  # type: ignore[misc]
    assert b"PK\x06\x06" in (tmp_path / "wide.zip").read_bytes()
    with Archive(tmp_path / "wide.zip") as opened:
        assert {name: opened.read(name) for name in opened.members} == {**small, "manifest.json": b"{}"}


def test_a_reason_of_several_lines_is_read(tmp_path: Path) -> None:
    """Of what a report went on without, it has the reason in its key: that may be all that a failed step said."""
    sample = Sample(tmp_path / "store", missing={"compile": "failed: no room\nfree some"}).make()
    with Bundle(sample.bundle(tmp_path / "it.zip")) as bundle:
        record = bundle.record(sample.keys["two"])
    assert record["key_parts"]["missing"] == {"compile": "failed: no room\nfree some"}


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'"",', b"0,", b'{"a":1},'])
def test_a_document_of_very_many_values_is_refused_before_they_take_memory(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: bytes
) -> None:
    monkeypatch.setattr("coralline.bundle.reader.MOST_VALUES", 1_000)
    place = tmp_path / "it.zip"
    place.write_bytes(good)
    wide = b'{"x":[' + unit * 200_000 + b"0]}"
    forge(place, lambda members: members.update({"run.json": wide}))
    tracemalloc.start()
    try:
        assert refused(place).startswith("run.json holds more than")
        assert tracemalloc.get_traced_memory()[1] < 6 * place.stat().st_size
    finally:
        tracemalloc.stop()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=40,
    )
)
def test_values_are_counted_and_none_is_changed(told: Any) -> None:
    def values(of: Any) -> int:
        inside = of.values() if isinstance(of, dict) else of if isinstance(of, list) else ()
        return 1 + sum(map(values, inside))

    for text in (json.dumps(told), json.dumps(told, indent=1, ensure_ascii=False)):
        assert values(told) <= foreign.count(text.encode())
        assert foreign.parse(text.encode()) == told


@pytest.mark.parametrize(
    "text", [b'"' * 200_001, b'"\\"' * 100_000, b'"' + b"\\" * 200_001, b'["' + b"[" * 300_000, b"[" * 300_000]
)
def test_texts_without_end_are_refused_in_no_time(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"deep|line 1"):
        foreign.parse(text)


@given(st.integers(0, 2 * foreign.DEEPEST), st.text())
def test_depth_is_that_of_brackets_outside_of_strings(levels: int, text: str) -> None:
    told = json.dumps([text + "[{" * 50, nested(levels)])
    if levels + 2 > foreign.DEEPEST:
        with pytest.raises(ValueError, match="nested more than"):
            foreign.parse(told.encode())
    else:
        assert foreign.parse(told.encode()) == json.loads(told)


def test_a_list_of_very_many_members_is_refused_before_it_is_read(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    monkeypatch.setattr(archive, "BLOCK", 50)  # marks lie across blocks
    (tmp_path / "it.zip").write_bytes(good)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refused(tmp_path / "it.zip") == "the list of members has more than 2 members"


def test_deep_folders_cost_no_memory_and_are_refused(tmp_path: Path) -> None:
    deep = "objects/" + "a" * 64 + "/" + "n/" * layout.DEEPEST + "n"
    with pytest.raises(ArtifactError, match="is not a name that a bundle may hold"):
        layout.check_name(deep)
    names = [f"objects/{'a' * 64}/{number:x}/{'/'.join(['n' * 30] * 27)}" for number in range(2_000)]
    with (tmp_path / "it.zip").open("w+b") as file:
        archive.write(file, [Source(name, 0, lambda: ()) for name in sorted(names)], b"{}")
    tracemalloc.start()
    try:
        Archive(tmp_path / "it.zip").close()
        assert tracemalloc.get_traced_memory()[1] < 10 * (tmp_path / "it.zip").stat().st_size
    finally:
        tracemalloc.stop()


def test_more_members_than_can_be_read_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    members = [Source(f"logs/{name}.log", 0, lambda: ()) for name in "ab"]
    with (tmp_path / "it.zip").open("w+b") as file, pytest.raises(ArtifactError, match="would have 3 files"):
        archive.write(file, members, b"{}")
