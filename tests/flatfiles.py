"""Small FlatBuffers and FlexBuffers for tests, written from plain values without the vendors' writers.

They are not aligned, which the readers do not ask for.
"""

from __future__ import annotations

import struct
from typing import Any

# A table is `{field: value}`. A value is `(kind, number)`, bytes (of elements of `width` bytes, if it has that), a
# table, or a list of tables or of bytes.
Fields = dict[int, Any]

STRING, MAP, VECTOR, INT = 5, 9, 10, 1  # kinds of a FlexBuffer


def flat(root: Fields, mark: bytes = b"") -> bytes:
    """Write a FlatBuffer; every offset points forward, as the format asks."""
    out = bytearray(4) + mark
    struct.pack_into("<I", out, 0, _table(out, root))
    return bytes(out)


def _table(out: bytearray, fields: Fields) -> int:
    """Append a table behind its vtable, then what it points to; return where the table stands."""
    vtable, slots = len(out), max(fields, default=-1) + 1
    out += struct.pack("<HH", 4 + 2 * slots, 0) + bytes(2 * slots)
    position = len(out)
    out += struct.pack("<i", position - vtable)
    places = {}
    for field, value in fields.items():
        struct.pack_into("<H", out, vtable + 4 + 2 * field, len(out) - position)
        places[len(out)] = value
        out += struct.pack("<" + value[0], value[1]) if isinstance(value, tuple) else bytes(4)
    for place, value in places.items():
        if not isinstance(value, tuple):
            _point(out, place, value)
    return position


def _point(out: bytearray, place: int, value: Any) -> None:
    """Append a value that is pointed to, and point to it."""
    if isinstance(value, dict):
        struct.pack_into("<I", out, place, _table(out, value) - place)
        return
    struct.pack_into("<I", out, place, len(out) - place)
    out += struct.pack("<I", len(value) // getattr(value, "width", 1))
    if isinstance(value, (bytes, bytearray, memoryview)):
        out += value
        return
    first = len(out)
    out += bytes(4 * len(value))
    for index, entry in enumerate(value):
        _point(out, first + 4 * index, entry)


def flex(values: dict[str, Any]) -> bytes:
    """Write a FlexBuffer map of ints, bytes and tuples of these, all offsets and lengths in eight bytes."""
    out = bytearray()
    keys = []
    for key in values:
        keys.append(len(out))
        out += key.encode() + b"\0"
    inline = [_content(out, value) for value in values.values()]
    out += struct.pack("<Q", len(keys))
    vector = len(out)
    for place in keys:
        out += struct.pack("<Q", len(out) - place)
    out += struct.pack("<QQQ", len(out) - vector, 8, len(values))
    return bytes(_vector(out, inline, MAP))


def _content(out: bytearray, value: Any) -> tuple[int, int]:
    """Append what a value holds; return its kind and the number, or the place of the content."""
    if isinstance(value, int):
        return INT, value
    if isinstance(value, bytes):
        out += struct.pack("<Q", len(value))
        out += value + b"\0"
        return STRING, len(out) - len(value) - 1
    inline = [_content(out, entry) for entry in value]
    out += struct.pack("<Q", len(inline))
    place = len(out)
    _elements(out, inline)
    return VECTOR, place


def _elements(out: bytearray, inline: list[tuple[int, int]]) -> None:
    for kind, number in inline:
        out += struct.pack("<q", number if kind == INT else len(out) - number)
    out += bytes(kind << 2 | 3 for kind, _ in inline)


def _vector(out: bytearray, inline: list[tuple[int, int]], kind: int) -> bytearray:
    """Append the root's elements, and the root."""
    place = len(out)
    _elements(out, inline)
    return out + struct.pack("<QBB", len(out) - place, kind << 2 | 3, 8)
