"""Read tables of a FlatBuffer with every offset checked: foreign bytes give a `MalformedFile` and nothing else.

The accessors of the `flatbuffers` package are not used because they trust the file. The work is limited as well as
the bounds: a small file may name one large table many times. Layout: FlatBuffers internals,
https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

# Number kinds in the letters of `struct`; a FlatBuffer is little-endian everywhere.
INT8, UINT8, UINT16, INT32, UINT32, INT64, FLOAT32 = "bBHiIqf"
WIDTHS = {kind: struct.calcsize("<" + kind) for kind in (INT8, UINT8, UINT16, INT32, UINT32, INT64, FLOAT32)}

MOST_WORK = 2_000_000  # elements read from one file: several times the largest published models, half a second
TABLE_WORK = 64  # a table costs as much as so many elements of a vector
LONGEST_NAME = 65_536


class MalformedFile(ValueError):  # noqa: N818 - it names the file's state
    """The bytes are not the format that they claim to be; the message says where."""


class Buffer:
    """The bytes of a file; every read is checked against its end and counted."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._work = 0

    def root(self) -> Table:
        """Read the table that the file begins with."""
        return self.table_at(0)

    def number(self, kind: str, position: int) -> Any:
        """Read one number; positions come from the file and may be anything."""
        self._check(position, WIDTHS[kind], 1)
        return struct.unpack_from("<" + kind, self.content, position)[0]

    def numbers(self, kind: str, position: int) -> Tuple[Any, ...]:
        """Read all elements of the vector at `position`."""
        first, count = self._vector(WIDTHS[kind], position)
        return struct.unpack_from("<%d%s" % (count, kind), self.content, first)

    def octets(self, position: int) -> memoryview:
        """View the bytes of the vector at `position`, not copied."""
        count = self.number(UINT32, position)
        self._check(position + 4, count, 1)
        return memoryview(self.content)[position + 4 : position + 4 + count]

    def table_at(self, position: int) -> Table:
        """Read the table that the offset at `position` points to."""
        return Table.read(self, position + self.number(UINT32, position))

    def tables(self, position: int) -> List[Table]:
        """Read all tables of the vector at `position`."""
        first, count = self._vector(WIDTHS[UINT32], position)
        return [self.table_at(first + 4 * i) for i in range(count)]

    def spend(self, work: int) -> None:
        """Count work, and refuse to do more than a real model asks for."""
        self._work += work
        if self._work > MOST_WORK:
            raise MalformedFile("its structure is larger than that of any real model")

    def _vector(self, width: int, position: int) -> Tuple[int, int]:
        """Find the first element and count of a vector that lies wholly inside the file."""
        count = self.number(UINT32, position)
        self._check(position + 4, count * width, count)
        return position + 4, count

    def _check(self, position: int, length: int, work: int) -> None:
        if position < 0 or position + length > len(self.content):
            raise MalformedFile("bytes %d to %d lie outside its %d" % (position, position + length, len(self.content)))
        self.spend(work)


@dataclass(frozen=True)
class Table:
    """A table of numbered fields, each of which may be absent."""

    buffer: Buffer
    position: int
    fields: Tuple[int, ...]

    @classmethod
    def read(cls, buffer: Buffer, position: int) -> Table:
        """Read the table at `position`, with the offsets of its fields from its vtable."""
        buffer.spend(TABLE_WORK)
        vtable = position - buffer.number(INT32, position)
        size = buffer.number(UINT16, vtable)
        if size < 4 or size % 2:
            raise MalformedFile("a vtable of %d bytes at %d" % (size, vtable))
        slots = range(vtable + 4, vtable + size, 2)
        return cls(buffer, position, tuple(buffer.number(UINT16, slot) for slot in slots))

    def number(self, field: int, kind: str, default: int) -> int:
        """Read a whole number, or take `default`."""
        place = self._place(field)
        return default if place is None else int(self.buffer.number(kind, place))

    def numbers(self, field: int, kind: str) -> Tuple[Any, ...]:
        """Read a vector of numbers; empty when absent."""
        place = self._target(field)
        return () if place is None else self.buffer.numbers(kind, place)

    def octets(self, field: int) -> memoryview:
        """View a vector of bytes; empty when absent."""
        place = self._target(field)
        return memoryview(b"") if place is None else self.buffer.octets(place)

    def text(self, field: int) -> str:
        """Read a string, empty when absent; bytes that are not UTF-8 are replaced, for a name is only shown."""
        octets = self.octets(field)
        if len(octets) > LONGEST_NAME:
            raise MalformedFile("a name of %d bytes" % len(octets))
        self.buffer.spend(len(octets))
        return bytes(octets).decode("utf-8", "replace")

    def table(self, field: int) -> Optional[Table]:
        """Read a table inside this one, or None."""
        place = self._place(field)
        return None if place is None else self.buffer.table_at(place)

    def tables(self, field: int) -> List[Table]:
        """Read a vector of tables; empty when absent."""
        place = self._target(field)
        return [] if place is None else self.buffer.tables(place)

    def _place(self, field: int) -> Optional[int]:
        """Find where the field's value or offset stands, or None when the file leaves it out."""
        offset = self.fields[field] if field < len(self.fields) else 0
        return self.position + offset if offset else None

    def _target(self, field: int) -> Optional[int]:
        """Find where the field's offset points to."""
        place = self._place(field)
        return None if place is None else place + int(self.buffer.number(UINT32, place))
