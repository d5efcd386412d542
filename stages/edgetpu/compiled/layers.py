"""Inputs and outputs of an executable, as the chip sees them: sizes with padding, and how bytes become values.

Field numbers are those of google-coral/libedgetpu, executable/executable.fbs, table Layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Tuple

from stages.tflite.flat import INT16, INT32, MalformedFile, Table

# executable.fbs, enum DataType, in the words of NumPy. The first two have a zero point, "fixed" ones have none.
DATA_TYPES = {
    0: "uint8",
    1: "uint16",
    2: "int32",
    3: "bfloat16",
    4: "float16",
    5: "float32",
    8: "int8",
    9: "int16",
}
STATE = "_variable_output"  # libedgetpu, tflite/custom_op.cc: such an output keeps a tensor between inferences


@dataclass(frozen=True)
class Layer:
    """One input or output; `size_bytes` includes padding, `executions` is how often it moves in an inference.

    `scale` is None where the file gives none.
    """

    name: str
    size_bytes: int
    shape: Tuple[int, int, int]
    data_type: str
    zero_point: int
    scale: Optional[float]
    executions: int

    @property
    def is_state(self) -> bool:
        """Whether it is an output that no tensor of the graph receives."""
        return self.name.endswith(STATE)


def read_layer(table: Table) -> Layer:
    """Read one layer."""
    numerics, data_type = table.table(5), table.number(6, INT16, 0)
    scale = 0.0 if numerics is None else numerics.real(1)
    if not math.isfinite(scale):
        raise MalformedFile("a layer with a scale of %r" % scale)
    return Layer(
        name=table.text(0),
        size_bytes=table.size(1),
        shape=(table.size(2), table.size(3), table.size(4)),  # y, x, z
        data_type=DATA_TYPES.get(data_type, "type %d" % data_type),
        zero_point=0 if numerics is None else numerics.number(0, INT32, 0),
        scale=scale or None,
        executions=table.number(9, INT32, 1),
    )
