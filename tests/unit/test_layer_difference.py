"""Two layers: the first file that differs, and how."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coralline.errors import ImageError
from coralline.images.archive import Layer
from coralline.images.difference import Difference, first

PATIENT = settings(deadline=None)  # tests share a machine with whatever else runs
NAMES = st.text("abc", min_size=1, max_size=4)


def layer(*files: tuple[str, bytes, dict[str, Any]]) -> Layer:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content, fields in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in fields.items():
                setattr(entry, field, value)
            made.addfile(entry, io.BytesIO(content))
    return of(out.getvalue())


def of(data: bytes) -> Layer:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return Layer(digest=digest, size_bytes=len(data), open=lambda: io.BytesIO(data))


PLAIN = ("usr/b", b"same", {"mode": 0o644, "mtime": 5})


@pytest.mark.parametrize(
    ("content", "fields", "what"),
    [
        (b"else", {}, "content, sha256 "),
        (b"longer", {}, "size 4 and 6"),
        (b"same", {"mode": 0o600}, "mode 644 and 600"),
        (b"same", {"mtime": 6}, "time 5 and 6"),
        (b"same", {"uid": 1000}, "owner 0:0 and 1000:0"),
        (b"", {"type": tarfile.SYMTYPE, "linkname": "x"}, "kind file and link"),
    ],
)
def test_the_first_file_that_differs_is_named_with_what_differs(
    content: bytes, fields: dict[str, Any], what: str
) -> None:
    beside = ("etc/a", b"", {})
    told = first(layer(beside, PLAIN), layer(beside, ("usr/b", content, {**PLAIN[2], **fields})))
    assert told is not None
    assert told.path == "/usr/b"
    assert told.what.startswith(what)
    assert told.files == 1


def test_a_file_that_only_one_has_is_named() -> None:
    more = ("a", b"", {})
    assert first(layer(PLAIN, more), layer(PLAIN)) == Difference(path="/a", what="only in the first", files=1)
    assert first(layer(PLAIN), layer(PLAIN, more)) == Difference(path="/a", what="only in the second", files=1)


def test_another_order_or_another_tar_is_said() -> None:
    more = ("a", b"", {})
    told = first(layer(PLAIN, more), layer(more, PLAIN))
    assert told is not None
    assert told.what == "the same files in another order"
    whole = layer(PLAIN)
    padded = of(whole.open().read() + bytes(512))
    assert str(first(whole, padded)) == "/: the same files, written by another tar"


@PATIENT
@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=5), st.dictionaries(NAMES, st.binary(max_size=20)))
def test_layers_are_the_same_exactly_when_nothing_is_told(one: dict[str, bytes], two: dict[str, bytes]) -> None:
    mine, theirs = (layer(*((name, content, {}) for name, content in sorted(files.items()))) for files in (one, two))
    told = first(mine, theirs)
    assert (told is None) == (one == two)
    if told is not None:
        name = told.path[1:]
        assert one.get(name) != two.get(name)
        assert told.files == sum(one.get(each) != two.get(each) for each in one.keys() | two.keys())


def test_a_damaged_layer_is_refused_in_words() -> None:
    with pytest.raises(ImageError, match="is damaged"):
        first(layer(PLAIN), of(b"no tar at all" * 100))
