"""A full-int8 TFLite file as a packed container and back: every byte of the file returns to its place.

What convolutions and dense layers multiply with and add is taken out of the file, with its scales, and put into the
container in its own width. The rest is the container's graph: operators, shapes, names, ranges of activations.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Set, Tuple

import numpy as np

from stages.container.codes import WHOLE
from stages.container.file import NOWHERE, Container, Tensor
from stages.tflite.flat import UINT32, WIDTHS, Buffer, MalformedFile, Table
from stages.tflite.model import Model, read_model
from stages.tflite.model import Tensor as Constant
from stages.tflite.sizes import SCALE_BYTES, weights, zero_point_bytes

BUFFERS, SUBGRAPHS, TENSORS = 4, 2, 0  # fields of Model and of SubGraph, schema.fbs
DATA, QUANTISATION, SCALES = 0, 4, 2  # fields of Buffer, of Tensor and of QuantizationParameters
STORED = {"int8": "<i1", "int32": "<i4"}

Piece = Tuple[int, bytes]  # where bytes stand in the file, and which


class Part(NamedTuple):
    """A constant that an operator reads: its number among the file's tensors, and how many bits it is given."""

    number: int
    tensor: Constant
    bits: int


def packed(content: bytes, bits: Mapping[int, int]) -> Container:
    """Take the weights out of a full-int8 file; `bits` of a weight by the place of its operator, 8 of all others.

    Raises:
        MalformedFile: the file is no such file.
    """
    places, taken, tensors, seen = _Places(content), [], [], set()
    for part in _parts(read_model(content), bits):
        data, scales = places.data(part.tensor.buffer), places.scales(part.number)
        if data in seen:
            continue
        codes = np.frombuffer(part.tensor.data, STORED[part.tensor.dtype]).astype(np.int32).reshape(part.tensor.shape)
        own = scales not in seen
        tensors.append(
            Tensor(
                part.tensor.name,
                part.bits,
                part.tensor.axis if len(part.tensor.scales) > 1 else None,
                codes,
                np.asarray(part.tensor.scales, np.float32),
                data,
                scales if own else NOWHERE,
            )
        )
        seen |= {data, scales}
        taken += _pieces(tensors[-1])
    return Container(tuple(tensors), _without(content, taken))


def restored(container: Container) -> bytes:
    """Put everything back into the file, a code of few bits as the byte that has its value.

    Raises:
        MalformedFile: the places are not those of one file.
    """
    made, rest, used = bytearray(), container.graph, 0
    for place, octets in sorted(piece for one in container.tensors for piece in _pieces(one)):
        gap = place - len(made)
        if not 0 <= gap <= len(rest) - used:
            raise MalformedFile("%d bytes belong to %d, which is not free" % (len(octets), place))
        made += rest[used : used + gap] + octets
        used += gap
    return bytes(made + rest[used:])


def sizes(container: Container) -> Dict[str, Any]:
    """Add up bytes as stages/tflite/sizes.py does: weights, then scales, zero points and biases, and weights by kind.

    Zero points stay in the graph, and count as what they are all the same.
    """
    content = restored(container)
    model, places = read_model(content), _Places(content)
    stored = {one.codes_at: one for one in container.tensors}
    kinds: Dict[Tuple[str, str], Dict[str, int]] = {}
    constants: List[Constant] = []
    for operator in weights(model):
        constants += [operator.tensor, *([operator.bias] if operator.bias else [])]
        one = stored.pop(places.data(operator.tensor.buffer), None)
        if one is not None:
            kind = kinds.setdefault((operator.operator, "int%d" % one.bits), {"operators": 0, "weights": 0, "bytes": 0})
            kind["operators"] += 1
            kind["weights"] += one.codes.size
            kind["bytes"] += one.packed_bytes
    scales = SCALE_BYTES * sum(one.scales.size for one in container.tensors)
    biases = sum(one.packed_bytes for one in stored.values())  # what is left
    return {
        "payload_bytes": sum(kind["bytes"] for kind in kinds.values()),
        "overhead_bytes": scales + zero_point_bytes(constants) + biases,
        "weights": [{"operator": name, "dtype": dtype, **kind} for (name, dtype), kind in sorted(kinds.items())],
    }


class _Places:
    """Where constants and scales stand in a file."""

    def __init__(self, content: bytes) -> None:
        root = Buffer(content).root()
        self._buffers = root.tables(BUFFERS)
        self._tensors = root.tables(SUBGRAPHS)[0].tables(TENSORS)

    def data(self, buffer: int) -> int:
        """Give the place of a buffer's first byte."""
        return _first(self._buffers[buffer], DATA)

    def scales(self, tensor: int) -> int:
        """Give the place of a tensor's first scale."""
        quantisation = self._tensors[tensor].table(QUANTISATION)
        if quantisation is None:
            raise MalformedFile("tensor %d has no scale" % tensor)
        return _first(quantisation, SCALES)


def _first(table: Table, field: int) -> int:
    place = table.target(field)
    if place is None:
        raise MalformedFile("field %d of the table at %d is not there" % (field, table.position))
    return place + WIDTHS[UINT32]


def _parts(model: Model, bits: Mapping[int, int]) -> List[Part]:
    """List weights and biases in the order of the operators."""
    found = []
    for one in weights(model):
        found.append(Part(one.index, one.tensor, bits.get(one.place, 8)))
        if one.bias is not None:
            found.append(Part(model.main.operators[one.place].inputs[2], one.bias, WHOLE))
    wrong: Set[str] = {part.tensor.dtype for part in found} - set(STORED)
    if wrong:
        raise MalformedFile("weights of %s: only full int8 is packed" % ", ".join(sorted(wrong)))
    return found


def _pieces(tensor: Tensor) -> List[Piece]:
    """Give the bytes that a tensor has in the file."""
    kind = "<i4" if tensor.bits == WHOLE else "<i1"
    found = [(tensor.codes_at, tensor.codes.astype(kind).tobytes())]
    if tensor.scales_at != NOWHERE:
        found.append((tensor.scales_at, tensor.scales.astype("<f4").tobytes()))
    return found


def _without(content: bytes, pieces: List[Piece]) -> bytes:
    kept, place = bytearray(), 0
    for start, octets in sorted(pieces):
        if start < place:
            raise MalformedFile("weights at %d overlap" % start)
        kept += content[place:start]
        place = start + len(octets)
    return bytes(kept + content[place:])
