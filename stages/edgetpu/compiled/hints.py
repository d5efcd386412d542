"""The transfers over the bus that the compiler foresees for one run of an executable, in their order.

Field numbers are those of google-coral/libedgetpu, executable/executable.fbs, tables DmaHints to FenceHint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

from stages.tflite.flat import INT16, INT32, UINT8, MalformedFile, Table

DESCRIPTOR, INSTRUCTION, INTERRUPT, FENCE = 1, 2, 3, 4  # union AnyHint
INSTRUCTIONS = "instructions"
CONTENTS = {0: "output", 1: "input", 2: "parameters", 3: "scratch"}  # enum Description
DIRECTIONS = {0: "in", 1: "out"}  # enum Direction, seen from the chip


@dataclass(frozen=True)
class Transfer:
    """Bytes that cross the bus: what they are, and whether they go `in` to the chip or `out` of it."""

    content: str
    direction: str
    size_bytes: int


@dataclass(frozen=True)
class Hints:
    """All transfers of one run; without `is_complete` the chip asks for more than is listed here."""

    transfers: Tuple[Transfer, ...] = ()
    interrupts: int = 0
    fences: int = 0
    is_complete: bool = False


def read_hints(table: Optional[Table], chunks: Sequence[int]) -> Hints:
    """Read the hints of an executable whose instructions come in `chunks` of so many bytes."""
    if table is None:
        return Hints()
    hints = [(hint.number(0, UINT8, 0), hint) for hint in table.tables(0)]
    kinds = [kind for kind, _ in hints]
    unknown = sorted(set(kinds) - {DESCRIPTOR, INSTRUCTION, INTERRUPT, FENCE})
    if unknown:
        raise MalformedFile("a hint of kind %d" % unknown[0])
    moving = (DESCRIPTOR, INSTRUCTION)
    return Hints(
        transfers=tuple(_read_transfer(hint, kind, chunks) for kind, hint in hints if kind in moving),
        interrupts=kinds.count(INTERRUPT),
        fences=kinds.count(FENCE),
        is_complete=bool(table.number(1, UINT8, 0)),
    )


def _read_transfer(hint: Table, kind: int, chunks: Sequence[int]) -> Transfer:
    value, direction = hint.table(1), hint.number(2, INT16, 0)
    if value is None or direction not in DIRECTIONS:
        raise MalformedFile("a hint of a transfer that says too little")
    if kind == INSTRUCTION:
        return Transfer(INSTRUCTIONS, DIRECTIONS[direction], _chunk(value, chunks))
    meta = value.table(0)
    content = 0 if meta is None else meta.number(0, INT16, 0)
    if content not in CONTENTS:
        raise MalformedFile("a hint of a transfer of kind %d" % content)
    return Transfer(CONTENTS[content], DIRECTIONS[direction], value.size(2))


def _chunk(value: Table, chunks: Sequence[int]) -> int:
    """Find how long the chunk of instructions is; always the whole chunk is sent."""
    index = value.number(0, INT32, 0)
    if not 0 <= index < len(chunks):
        raise MalformedFile("a hint of instruction chunk %d, there are %d" % (index, len(chunks)))
    return chunks[index]
