"""Read tables of a FlatBuffer with every offset checked: foreign bytes give a `MalformedFile` and nothing else.

The accessors of the `flatbuffers` package are not used because they trust the file. The work is limited as well as
the bounds: a small file may name one large table many times. Layout: FlatBuffers internals,
https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Tuple, Union

# Number kinds in the letters of `struct`; a FlatBuffer is little-endian everywhere.
INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64, FLOAT32 = "bBhHiIqQf"
WIDTHS = {kind: struct.calcsize("<" + kind) for kind in "bBhHiIqQf"}

MOST_WORK = 2_000_000  # elements read from one file: several times the largest published models, half a second
TABLE_WORK = 64  # a table, or a view, costs as much as so many elements of a vector
LONGEST_NAME = 65_536

Octets = Union[bytes, bytearray, memoryview]


class MalformedFile(ValueError):  # noqa: N818 - it names the file's state
    """The bytes are not the format that they claim to be; the message says where."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Say in every complaint of the block which part of the file was being read."""
    try:
        yield
    except MalformedFile as error:
        raise MalformedFile("%s: %s" % (what, error)) from error


class Work:
    """What the reading of one file has cost so far, and the end of it; files inside that file share it."""

    def __init__(self) -> None:
        self._done = 0

    def spend(self, work: int) -> None:
        """Count work, and refuse to do more than a real model asks for."""
        self._done += work
        if self._done > MOST_WORK:
            raise MalformedFile("its structure is larger than that of any real model")


class Buffer:
    """The bytes of a file; every read is checked against its end and counted.

    `start` is where these bytes begin in the file that they were taken from, see `part`.
    """

    def __init__(self, content: Octets, work: Optional[Work] = None, start: int = 0) -> None:
        self.content = content
        self.work = work or Work()
        self.start = start

    def root(self) -> Table:
        """Read the table that the file begins with."""
        return self.table_at(0)

    def number(self, kind: str, position: int) -> Any:
        """Read one number; positions come from the file and may be anything."""
        self._check(position, WIDTHS[kind], 1)
        return struct.unpack_from("<" + kind, self.content, position)[0]

    def numbers(self, kind: str, position: int) -> Tuple[Any, ...]:
        """Read all elements of the vector at `position`."""
        return self.row(kind, position + 4, self.number(UINT32, position))

    def row(self, kind: str, position: int, count: int) -> Tuple[Any, ...]:
        """Read `count` numbers that stand one behind the other."""
        self._check(position, count * WIDTHS[kind], count)
        return struct.unpack_from("<%d%s" % (count, kind), self.content, position)

    def part(self, position: int, length: int) -> Buffer:
        """View `length` bytes as a file of their own, not copied, whose reading costs this one's work."""
        self._check(position, length, TABLE_WORK)
        return Buffer(memoryview(self.content)[position : position + length], self.work, self.start + position)

    def vector_part(self, position: int) -> Buffer:
        """View the bytes of the vector at `position` as a file of their own."""
        return self.part(position + 4, self.number(UINT32, position))

    def octets(self, position: int) -> memoryview:
        """View the bytes of the vector at `position`, not copied."""
        return memoryview(self.vector_part(position).content)

    def table_at(self, position: int) -> Table:
        """Read the table that the offset at `position` points to."""
        return Table.read(self, position + self.number(UINT32, position))

    def tables(self, position: int) -> List[Table]:
        """Read all tables of the vector at `position`."""
        return [Table.read(self, target) for target in self._targets(position)]

    def vector_parts(self, position: int) -> List[Buffer]:
        """View every vector of bytes in the vector at `position` as a file of its own."""
        return [self.vector_part(target) for target in self._targets(position)]

    def _targets(self, position: int) -> Iterator[int]:
        """Find where the offsets in the vector at `position` point to; each counts from its own place."""
        first, count = position + 4, self.number(UINT32, position)
        self._check(first, 4 * count, count)
        for place in range(first, first + 4 * count, 4):
            yield place + self.number(UINT32, place)

    def _check(self, position: int, length: int, work: int) -> None:
        if position < 0 or position + length > len(self.content):
            raise MalformedFile("bytes %d to %d lie outside its %d" % (position, position + length, len(self.content)))
        self.work.spend(work)


@dataclass(frozen=True)
class Table:
    """A table of numbered fields, each of which may be absent."""

    buffer: Buffer
    position: int
    fields: Tuple[int, ...]

    @classmethod
    def read(cls, buffer: Buffer, position: int) -> Table:
        """Read the table at `position`, with the offsets of its fields from its vtable."""
        buffer.work.spend(TABLE_WORK)
        vtable = position - buffer.number(INT32, position)
        size = buffer.number(UINT16, vtable)
        if size < 4 or size % 2:
            raise MalformedFile("a vtable of %d bytes at %d" % (size, vtable))
        return cls(buffer, position, buffer.row(UINT16, vtable + 4, (size - 4) // 2))

    def number(self, field: int, kind: str, default: int) -> int:
        """Read a whole number, or take `default`."""
        place = self.place(field)
        return default if place is None else int(self.buffer.number(kind, place))

    def size(self, field: int, kind: str = INT32) -> int:
        """Read a signed number of bytes or elements, zero when absent; less than none is refused."""
        size = self.number(field, kind, 0)
        if size < 0:
            raise MalformedFile("a size of %d in field %d of the table at %d" % (size, field, self.position))
        return size

    def real(self, field: int) -> float:
        """Read a number with a fraction, zero when absent; the file may say that it is not a number."""
        place = self.place(field)
        return 0.0 if place is None else float(self.buffer.number(FLOAT32, place))

    def numbers(self, field: int, kind: str) -> Tuple[Any, ...]:
        """Read a vector of numbers; empty when absent."""
        place = self.target(field)
        return () if place is None else self.buffer.numbers(kind, place)

    def octets(self, field: int) -> memoryview:
        """View a vector of bytes; empty when absent."""
        place = self.target(field)
        return memoryview(b"") if place is None else self.buffer.octets(place)

    def text(self, field: int) -> str:
        """Read a string, empty when absent; bytes that are not UTF-8 are replaced, for a name is only shown."""
        octets = self.octets(field)
        if len(octets) > LONGEST_NAME:
            raise MalformedFile("a name of %d bytes" % len(octets))
        self.buffer.work.spend(len(octets))
        return bytes(octets).decode("utf-8", "replace")

    def part(self, field: int) -> Buffer:
        """View a vector of bytes that is a file of its own; empty when absent."""
        place = self.target(field)
        return self.buffer.part(0, 0) if place is None else self.buffer.vector_part(place)

    def parts(self, field: int) -> List[Buffer]:
        """View a vector of such vectors; empty when absent."""
        place = self.target(field)
        return [] if place is None else self.buffer.vector_parts(place)

    def table(self, field: int) -> Optional[Table]:
        """Read a table inside this one, or None."""
        place = self.place(field)
        return None if place is None else self.buffer.table_at(place)

    def tables(self, field: int) -> List[Table]:
        """Read a vector of tables; empty when absent."""
        place = self.target(field)
        return [] if place is None else self.buffer.tables(place)

    def place(self, field: int) -> Optional[int]:
        """Find where the field's value or offset stands, or None when the file leaves it out."""
        offset = self.fields[field] if field < len(self.fields) else 0
        return self.position + offset if offset else None

    def target(self, field: int) -> Optional[int]:
        """Find where the field's offset points to, or None when the file leaves it out."""
        place = self.place(field)
        return None if place is None else place + int(self.buffer.number(UINT32, place))
