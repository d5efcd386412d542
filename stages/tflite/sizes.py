"""How many bytes of a file are weights, how many are what only quantisation and biases need, and in which widths.

The rest of a file is its shell: names, shapes, options. A weight tensor is what a convolution or a dense layer
multiplies with, also where a DEQUANTIZE hands it on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from stages.tflite.flat import MalformedFile
from stages.tflite.model import ABSENT, Model, Operator, Subgraph, Tensor

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
KERNEL, BIAS = 1, 2
BITS = {"float64": 64, "float32": 32, "float16": 16, "int16": 16, "int8": 8, "uint8": 8, "int4": 4}
SCALE_BYTES, ZERO_POINT_BYTES = 4, 8  # float32 and int64, schema.fbs, QuantizationParameters


@dataclass(frozen=True)
class Weights:
    """The weights of one operator: the operator's name and place, and the constant that holds them."""

    operator: str
    place: int
    index: int
    tensor: Tensor
    bias: Optional[Tensor]

    @property
    def count(self) -> int:
        """How many weights there are."""
        return math.prod(self.tensor.shape)

    @property
    def bits(self) -> int:
        """Width of one of them as it is stored."""
        return BITS[self.tensor.dtype]


def weights(model: Model) -> List[Weights]:
    """List the weights of all operators of the main graph; what several operators share stands there for each.

    Raises:
        MalformedFile: the bytes of a constant are not those that its type and shape take.
    """
    graph = model.main
    makers = {operator.outputs[0]: operator for operator in graph.operators if operator.outputs}
    found = []
    for place, operator in enumerate(graph.operators):
        index = _kernel(graph, makers, operator)
        if index is not None:
            tensor = graph.tensors[index]
            one = Weights(operator.name, place, index, tensor, _bias(graph, makers, operator))
            if tensor.dtype not in BITS or len(tensor.data) != -(-one.count * one.bits // 8):
                raise MalformedFile("weights '%s' of %s in %d bytes" % (tensor.name, tensor.dtype, len(tensor.data)))
            found.append(one)
    return found


def sizes(model: Model) -> Dict[str, Any]:
    """Add up `payload_bytes` (weights), `overhead_bytes` (scales, zero points, biases), and both by kind of operator.

    What several operators share counts once, where it comes first; so do zero points that several tensors share.
    """
    seen: Set[int] = set()
    kinds: Dict[Tuple[str, str], Dict[str, int]] = {}
    constants: List[Tensor] = []
    overhead = 0
    for one in weights(model):
        if one.tensor.buffer in seen:
            continue
        seen.add(one.tensor.buffer)
        kind = kinds.setdefault((one.operator, one.tensor.dtype), {"operators": 0, "weights": 0, "bytes": 0})
        kind["operators"] += 1
        kind["weights"] += one.count
        kind["bytes"] += len(one.tensor.data)
        constants += [one.tensor, *([one.bias] if one.bias else [])]
        overhead += len(one.bias.data) if one.bias else 0
    overhead += sum(SCALE_BYTES * len(tensor.scales) for tensor in constants) + zero_point_bytes(constants)
    return {
        "payload_bytes": sum(kind["bytes"] for kind in kinds.values()),
        "overhead_bytes": overhead,
        "weights": [{"operator": name, "dtype": dtype, **kind} for (name, dtype), kind in sorted(kinds.items())],
    }


def zero_point_bytes(constants: Iterable[Tensor]) -> int:
    """Add up the zero points of constants; what several share counts once."""
    zero_points = {tensor.zero_points_at: len(tensor.zero_points) for tensor in constants}
    return ZERO_POINT_BYTES * sum(zero_points.values())


def _bias(graph: Subgraph, makers: Dict[int, Operator], operator: Operator) -> Optional[Tensor]:
    if operator.name == "TRANSPOSE_CONV" or len(operator.inputs) <= BIAS:
        return None
    index = _constant(graph, makers, operator.inputs[BIAS])
    return None if index is None else graph.tensors[index]


def _kernel(graph: Subgraph, makers: Dict[int, Operator], operator: Operator) -> Optional[int]:
    """Find the constant that an operator multiplies with."""
    if operator.name not in WEIGHTED or len(operator.inputs) <= KERNEL:
        return None
    return _constant(graph, makers, operator.inputs[KERNEL])


def _constant(graph: Subgraph, makers: Dict[int, Operator], index: int) -> Optional[int]:
    """Find the constant behind an input: itself, or what a DEQUANTIZE makes it of, as in float16 files."""
    maker = makers.get(index)
    if maker is not None and maker.name == "DEQUANTIZE" and maker.inputs:
        index = maker.inputs[0]
    return index if index != ABSENT and graph.tensors[index].is_constant else None
