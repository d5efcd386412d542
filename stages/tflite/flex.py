"""Read a FlexBuffer map of whole numbers, strings and vectors of these, with every offset checked and counted.

Values of other kinds (floats, maps inside the map, ...) are None, for nothing here needs them; so nothing is read
deeper than one vector. Layout: FlexBuffers, https://flatbuffers.dev/internals/#flexbuffers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple, Union

from stages.tflite.flat import TABLE_WORK, UINT8, Buffer, MalformedFile

# The kinds of values that are read, by their number in flexbuffers.h, enum Type.
INT, UINT, STRING, INDIRECT_INT, INDIRECT_UINT = 1, 2, 5, 6, 7
MAP, VECTOR, VECTOR_INT, VECTOR_UINT, VECTOR_STRING = 9, 10, 11, 12, 15

SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}
UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
LONGEST_KEY = 64

Scalar = Union[None, int, Buffer]  # a string is its bytes, unread
Value = Union[Scalar, Tuple[Scalar, ...]]


def read_map(buffer: Buffer) -> Dict[str, Value]:
    """Read the map that the buffer holds, keys in the order of the file.

    Raises:
        MalformedFile: it holds something else, or is damaged.
    """
    end = len(buffer.content)
    width, kind = buffer.number(UINT8, end - 1), buffer.number(UINT8, end - 2)
    if width not in UNSIGNED or kind >> 2 != MAP:
        raise MalformedFile("no map, but a value of kind %d in %d bytes" % (kind >> 2, width))
    root = _Reference(buffer, end - 2 - width, width, kind)
    values = root.elements()
    keys = _read_keys(root)
    if len(set(keys)) != len(values):
        raise MalformedFile("%d values for %d different keys" % (len(values), len(set(keys))))
    return {key: value.value() for key, value in zip(keys, values)}


def _read_keys(root: _Reference) -> Tuple[str, ...]:
    """Read the keys of a map: a vector of their offsets, which stands where the map says before its values."""
    buffer, values = root.buffer, root.target()
    width = buffer.number(UNSIGNED[root.width], values - 2 * root.width)
    if width not in UNSIGNED:
        raise MalformedFile("keys of %d bytes" % width)
    place = values - 3 * root.width
    vector = place - buffer.number(UNSIGNED[root.width], place)
    count = buffer.number(UNSIGNED[width], vector - width)
    offsets = buffer.row(UNSIGNED[width], vector, count)
    return tuple(_read_key(buffer, vector + width * index - offset) for index, offset in enumerate(offsets))


def _read_key(buffer: Buffer, position: int) -> str:
    """Read a key, which ends with a zero."""
    length = min(LONGEST_KEY, len(buffer.content) - position)
    key, end, _ = bytes(buffer.part(position, length).content).partition(b"\0")
    if not end:
        raise MalformedFile("a key at %d without an end" % position)
    return key.decode("utf-8", "replace")


@dataclass(frozen=True)
class _Reference:
    """Where a value, or the offset back to it, stands; `packed` is its kind and the width of what it holds."""

    buffer: Buffer
    place: int
    place_width: int
    packed: int

    @property
    def kind(self) -> int:
        return self.packed >> 2

    @property
    def width(self) -> int:
        return 1 << (self.packed & 3)

    def target(self) -> int:
        """Find what the offset points back to."""
        return self.place - int(self.buffer.number(UNSIGNED[self.place_width], self.place))

    def value(self) -> Value:
        """Read the value; of a vector, the numbers and strings in it."""
        if self.kind == VECTOR:
            return tuple(element.scalar() for element in self.elements())
        if self.kind in (VECTOR_INT, VECTOR_UINT):
            kinds = SIGNED if self.kind == VECTOR_INT else UNSIGNED
            return self.buffer.row(kinds[self.width], self.target(), self._count(self.width))
        if self.kind == VECTOR_STRING:
            return self._strings()
        return self.scalar()

    def scalar(self) -> Scalar:
        """Read a number or a string; None for all else."""
        if self.kind in (INT, UINT):
            kinds = SIGNED if self.kind == INT else UNSIGNED
            return int(self.buffer.number(kinds[self.place_width], self.place))
        if self.kind in (INDIRECT_INT, INDIRECT_UINT):
            kinds = SIGNED if self.kind == INDIRECT_INT else UNSIGNED
            return int(self.buffer.number(kinds[self.width], self.target()))
        if self.kind == STRING:
            return self.buffer.part(self.target(), self._count(self.width))
        return None

    def elements(self) -> Tuple[_Reference, ...]:
        """Find the values of a vector or map; behind them stands the kind of each."""
        first, width, count = self.target(), self.width, self._count(self.width)
        self.buffer.work.spend(TABLE_WORK * count)
        kinds = self.buffer.row(UINT8, first + count * width, count)
        return tuple(_Reference(self.buffer, first + index * width, width, kind) for index, kind in enumerate(kinds))

    def _strings(self) -> Tuple[Buffer, ...]:
        """View the strings of a typed vector, which has no room to say how wide their lengths are: one byte."""
        first, count = self.target(), self._count(self.width)
        offsets = self.buffer.row(UNSIGNED[self.width], first, count)
        targets = [first + self.width * index - offset for index, offset in enumerate(offsets)]
        return tuple(self.buffer.part(target, self.buffer.number(UINT8, target - 1)) for target in targets)

    def _count(self, width: int) -> int:
        """Read the length of a string or vector, which stands before it."""
        return int(self.buffer.number(UNSIGNED[width], self.target() - width))
