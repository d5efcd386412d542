"""Change numbers of a TFLite file in their places: every other byte stays as it is, and no offset moves.

What does not fit into the places that are there cannot be changed this way, and is refused.
"""

from __future__ import annotations

import struct
from typing import Sequence, Tuple

from stages.tflite.flat import INT32, UINT32, WIDTHS, Buffer, MalformedFile, Table

OPERATOR_CODES, SUBGRAPHS = 1, 2  # fields of Model
TENSORS, OUTPUTS, OPERATORS = 0, 2, 3  # fields of SubGraph
VERSION = 2  # field of OperatorCode
SHAPE_SIGNATURE = 7  # field of Tensor


class Patch:
    """A copy of a file's bytes and where its parts stand in them; the first subgraph is the one that is changed."""

    def __init__(self, content: bytes) -> None:
        self._bytes = bytearray(content)
        root = Buffer(content).root()
        self._codes = root.tables(OPERATOR_CODES)
        self._graph = root.tables(SUBGRAPHS)[0]
        self._tensors = self._graph.tables(TENSORS)
        self._operators = self._graph.tables(OPERATORS)

    def content(self) -> bytes:
        """Return the changed file."""
        return bytes(self._bytes)

    def code_of(self, operator: int) -> int:
        """Find the number of the operator code that an operator uses, maybe with others."""
        return self._operators[operator].number(0, UINT32, 0)

    def set_version(self, code: int, version: int) -> None:
        """Set the version of an operator code."""
        place = self._codes[code].place(VERSION)
        if place is None:
            raise MalformedFile("operator code %d states no version that could be changed" % code)
        self._write(INT32, place, (version,))

    def set_signature(self, tensor: int, shape: Sequence[int]) -> None:
        """State a tensor's shape signature."""
        first, count = self._elements(self._tensors[tensor], SHAPE_SIGNATURE)
        if count != len(shape):
            raise MalformedFile("a signature of %d dimensions, the shape has %d" % (count, len(shape)))
        self._write(INT32, first, shape)

    def set_output(self, number: int, tensor: int) -> None:
        """Make a tensor the graph's output with this number."""
        first, count = self._elements(self._graph, OUTPUTS)
        if not 0 <= number < count:
            raise MalformedFile("output %d does not exist, there are %d" % (number, count))
        self._write(INT32, first + number * WIDTHS[INT32], (tensor,))

    def keep_operators(self, count: int) -> None:
        """Cut the operators behind the first `count` off; their bytes stay in the file, unused."""
        first, there = self._elements(self._graph, OPERATORS)
        if not 0 < count <= there:
            raise MalformedFile("%d operators cannot be kept of %d" % (count, there))
        self._write(UINT32, first - WIDTHS[UINT32], (count,))

    def _elements(self, table: Table, field: int) -> Tuple[int, int]:
        """Find the first element and the count of a vector that is there."""
        place = table.place(field)
        if place is None:
            raise MalformedFile("field %d is not there to be changed" % field)
        vector = place + int(table.buffer.number(UINT32, place))
        return vector + WIDTHS[UINT32], int(table.buffer.number(UINT32, vector))

    def _write(self, kind: str, place: int, values: Sequence[int]) -> None:
        if place < 0 or place + len(values) * WIDTHS[kind] > len(self._bytes):
            raise MalformedFile("bytes at %d lie outside the file" % place)
        struct.pack_into("<%d%s" % (len(values), kind), self._bytes, place, *values)
