"""One program for the chip: its instructions, its parameters, what it takes and gives. Bytes are viewed, not copied.

Field numbers are those of google-coral/libedgetpu, executable/executable.fbs, table Executable. Not read: where the
driver patches addresses into the instructions, and how outputs are laid out over the tiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

from stages.edgetpu.compiled.hints import Hints, read_hints
from stages.edgetpu.compiled.layers import Layer, read_layer
from stages.tflite.flat import INT16, INT32, INT64, UINT8, UINT64, WIDTHS, Buffer, Table

STAND_ALONE, PARAMETER_CACHING, EXECUTION_ONLY = range(3)  # enum ExecutableType
TYPES = {STAND_ALONE: "stand-alone", PARAMETER_CACHING: "parameter-caching", EXECUTION_ONLY: "execution-only"}


@dataclass(frozen=True)
class Executable:
    """One program; a parameter-caching one loads what stays on the chip, the others run an inference.

    `parameters` of a program that runs are streamed on every inference, and its instructions are sent on every one.
    `token_place` is where the file has the token, None where it leaves it out.
    """

    name: str
    type: int
    chip: str
    batch_size: int
    instructions: Tuple[memoryview, ...] = field(repr=False)
    parameters: memoryview = field(repr=False)
    hints: Hints = field(repr=False)
    inputs: Tuple[Layer, ...]
    outputs: Tuple[Layer, ...]
    scratch_bytes: int
    narrow_bytes_per_tile: int
    estimated_cycles: int
    caching_token: int
    token_place: Optional[int]
    uses_dram: bool

    @property
    def type_name(self) -> str:
        """Its type in words."""
        return TYPES.get(self.type, "type %d" % self.type)

    @property
    def instruction_bytes(self) -> int:
        """The length of all its instructions."""
        return sum(len(chunk) for chunk in self.instructions)


def read_executable(buffer: Buffer) -> Executable:
    """Read one serialized executable.

    Raises:
        MalformedFile: it is damaged.
    """
    table = buffer.root()
    instructions = tuple(chunk.octets(0) for chunk in table.tables(5))
    return Executable(
        name=table.text(1),
        type=table.number(13, INT16, STAND_ALONE),
        chip=table.text(10),
        batch_size=table.number(3, INT32, 0),
        instructions=instructions,
        parameters=table.octets(6),
        hints=read_hints(table.table(7), [len(chunk) for chunk in instructions]),
        inputs=tuple(read_layer(layer) for layer in table.tables(8)),
        outputs=tuple(read_layer(layer) for layer in table.tables(9)),
        scratch_bytes=table.size(4),
        narrow_bytes_per_tile=table.size(12),
        estimated_cycles=table.size(16, INT64) or table.size(11),  # the 32-bit field is the older one
        caching_token=table.number(14, UINT64, 0),
        token_place=_token_place(table),
        uses_dram=bool(table.number(15, UINT8, 0)),
    )


def _token_place(table: Table) -> Optional[int]:
    """Find where the token stands in the whole file."""
    place = table.place(14)
    return None if place is None else table.buffer.part(place, WIDTHS[UINT64]).start
