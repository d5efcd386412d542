"""The digest of a compiled file, which leaves out the compiler's token and nothing else."""

from __future__ import annotations

import contextlib
import struct

import pytest
from compiledfiles import COMPILED, changed, executables, model, package, payload, tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.edgetpu.compiled.digest import masked_digest
from stages.edgetpu.compiled.inspection import inspect
from stages.tflite.flat import MalformedFile


def token_places(content: bytes) -> list[int]:
    """Find the tokens without the reader: both programs of a published file hold the same eight bytes."""
    token = executables(content)[0].caching_token.to_bytes(8, "little")
    found: list[int] = []
    while (place := content.find(token, found[-1] + 8 if found else 0)) >= 0:
        found.append(place)
    return found


@pytest.mark.parametrize("file", ["gabor", "mobilenet-0.25", "mobilenet-0.25-v2.0", "movenet"])
def test_the_digest_does_not_see_the_token(file: str) -> None:
    content = model(file)
    there = token_places(content)
    assert len(there) == 2
    one = changed(content, [(there[0], b"12345678")])
    both = changed(content, [(place, b"\xff" * 8) for place in there])
    assert masked_digest(content) == masked_digest(one) == masked_digest(both)


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(COMPILED) - 1), flip=st.integers(1, 255))
def test_the_digest_sees_every_other_byte(position: int, flip: int) -> None:
    if any(place <= position < place + 8 for place in token_places(COMPILED)):
        return
    other = changed(COMPILED, [(position, bytes([COMPILED[position] ^ flip]))])
    with contextlib.suppress(MalformedFile):
        assert masked_digest(other) != masked_digest(COMPILED)


def test_the_digest_does_not_see_when_files_were_packed() -> None:
    content = model("mobilenet-0.25")
    local, entry = content.rindex(b"PK\3\4"), content.rindex(b"PK\1\2")
    repacked = changed(content, [(local + 10, b"abcd"), (entry + 12, b"abcd")])
    assert masked_digest(repacked) == masked_digest(content)
    assert masked_digest(changed(content, [(local + 14, b"abcd")])) != masked_digest(content)  # the checksum


def test_a_token_that_covers_the_structure_is_refused() -> None:
    # A table at 4 whose vtable stands behind it, at 16, and whose token stands on the vtable's entry for the token.
    program = struct.pack("<Ii8x", 4, 4 - 16) + struct.pack("<HH14HH", 34, 4, *[0] * 14, 48 - 4) + bytes(16)
    content = tflite(payload(package(program)))
    assert inspect(content)["operators"][0]["packages"][0]["executables"][0]["caching_token"] == f"{48 - 4:016x}"
    with pytest.raises(MalformedFile, match="overlaps its structure"):
        masked_digest(content)


def test_what_is_no_tflite_file_has_no_digest() -> None:
    with pytest.raises(MalformedFile, match="mark"):
        masked_digest(b"PK\5\6" + bytes(18))
