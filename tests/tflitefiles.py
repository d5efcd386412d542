"""Small TFLite files for tests, written from plain values: graphs that no converter would make, or not today.

tflite([Op("CONV_2D", 3, inputs=(0, 1), outputs=(2,))], [T("in", (1, 8, 8, 3)), ...], inputs=(0,), outputs=(2,))
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.tflite.names import CUSTOM, OPERATORS, TENSOR_TYPES
from stages.tflite.options import FIELDS
from tests.flatfiles import flat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class T:
    """One tensor; `data` makes it a constant, `scales` quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    data: bytes = b""
    scales: tuple[float, ...] = (0.5,)
    signature: tuple[int, ...] = ()


@dataclass(frozen=True)
class Op:
    """One operator; a name that TFLite does not have makes it a custom one."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int] = field(default_factory=dict)


def tflite(operators: Sequence[Op], tensors: Sequence[T], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """Write a file with one graph."""
    buffers: list[bytes] = [b""]
    written = [_tensor(tensor, buffers) for tensor in tensors]
    graph = {
        0: written,
        1: _ints(inputs),
        2: _ints(outputs),
        3: [_operator(index, operator) for index, operator in enumerate(operators)],
    }
    codes = [_code(operator) for operator in operators]
    root = {0: ("I", 3), 1: codes, 2: [graph], 4: [{0: data} if data else {} for data in buffers]}
    return flat(root, b"TFL3")


class Numbers(bytes):
    """The bytes of a vector whose elements have `width` bytes."""

    width: int = 4


def _ints(values: Sequence[int], kind: str = "i") -> Numbers:
    made = Numbers(struct.pack(f"<{len(values)}{kind}", *values))
    made.width = struct.calcsize("<" + kind)
    return made


def _tensor(tensor: T, buffers: list[bytes]) -> dict[int, Any]:
    fields: dict[int, Any] = {
        0: _ints(tensor.shape),
        1: ("b", TENSOR_TYPES.index(tensor.dtype)),
        2: ("I", len(buffers) if tensor.data else 0),
        3: tensor.name.encode(),
    }
    if tensor.data:
        buffers.append(tensor.data)
    if tensor.scales:
        scales = Numbers(struct.pack(f"<{len(tensor.scales)}f", *tensor.scales))
        fields[4] = {2: scales, 3: _ints([0] * len(tensor.scales), "q")}
    if tensor.signature:
        fields[7] = _ints(tensor.signature)
    return fields


def _operator(index: int, operator: Op) -> dict[int, Any]:
    fields: dict[int, Any] = {0: ("I", index), 1: _ints(operator.inputs), 2: _ints(operator.outputs)}
    if operator.options:
        known = FIELDS[operator.name]
        fields[4] = {known[name][0]: (known[name][1], value) for name, value in operator.options.items()}
    return fields


def _code(operator: Op) -> dict[int, Any]:
    version = {2: ("i", operator.version)}
    if operator.name not in OPERATORS:
        return {0: ("b", CUSTOM), 1: operator.name.encode(), 3: ("i", CUSTOM), **version}
    number = OPERATORS.index(operator.name)
    return {0: ("b", min(number, 127)), 3: ("i", number), **version}
