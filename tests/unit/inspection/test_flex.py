"""Maps in the form of FlexBuffers, in which the compiler writes what its operator holds."""

from __future__ import annotations

from typing import Any

import pytest
from flatfiles import flex
from hypothesis import given
from hypothesis import strategies as st

from stages.tflite.flat import Buffer, MalformedFile
from stages.tflite.flex import read_map


def unpacked(value: Any) -> Any:
    """Turn what was read back into what was written."""
    if isinstance(value, tuple):
        return tuple(unpacked(entry) for entry in value)
    return bytes(value.content) if isinstance(value, Buffer) else value


scalars = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40))
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
maps = st.dictionaries(keys, st.one_of(scalars, st.lists(scalars, max_size=5).map(tuple)), max_size=6)


@given(maps)
def test_a_map_is_read_as_it_was_written(values: dict[str, Any]) -> None:
    assert {key: unpacked(value) for key, value in read_map(Buffer(flex(values))).items()} == values


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # Maps of one value under "a", laid out by hand: VECTOR_INT, VECTOR_STRING, INDIRECT_INT and FLOAT.
        (b"a\0\x02\x01\xfe\x01\x06\x01\x01\x01\x07\x2c\x02\x24\x01", (1, -2)),
        (b"a\0\x02hi\0\x01\x04\x01\x09\x01\x01\x01\x06\x3c\x02\x24\x01", (b"hi",)),
        (b"a\0\xfb\x01\x04\x01\x01\x01\x06\x18\x02\x24\x01", -5),
        (b"a\0\x01\x03\x01\x01\x01\x07\x0c\x02\x24\x01", None),
    ],
)
def test_other_layouts_are_read_and_other_kinds_are_nothing(content: bytes, expected: Any) -> None:
    assert unpacked(read_map(Buffer(content))["a"]) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lie outside"),
        (b"\x01\x04\x01", "no map"),
        (b"\x00\x24\x03", "no map"),
        (b"\x05\x24\x01", "lie outside"),
        (flex({"a": 1, "b": 2}).replace(b"b\0", b"a\0"), "2 values for 1 different keys"),
        (flex({"k" * 100: 1}), "without an end"),
    ],
)
def test_what_is_no_map_is_called_so(content: bytes, words: str) -> None:
    with pytest.raises(MalformedFile, match=words):
        read_map(Buffer(content))
