"""Where an int8 file rounds activations and constants, and within which limits, by place in its float graph.

By place and not by name: where a QUANTIZE puts an activation into other steps, the file gives it another name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from stages.convert.constants import KERNEL, WEIGHTED
from stages.tflite.model import Operator, Subgraph, Tensor, read_model

LOWEST, HIGHEST = -128, 127

Limits = Tuple[float, float]  # real values of the lowest and the highest int8 value


class UnsimulatedError(Exception):
    """What an int8 file computes cannot be simulated; says why not."""


@dataclass(frozen=True)
class Rounding:
    """What is rounded: `made` by operator, `taken` (a constant, or an activation put into other steps) by its input."""

    made: Dict[int, Limits]
    taken: Dict[Tuple[int, int], Limits]


def rounding(graph: Subgraph, content: bytes) -> Rounding:
    """Read how the int8 file `content` rounds what the float `graph` computes.

    Raises:
        UnsimulatedError: its operators are others.
    """
    file = read_model(content).main
    operators = [one for one in file.operators if one.name not in ("QUANTIZE", "DEQUANTIZE")]
    if [one.name for one in operators] != [one.name for one in graph.operators]:
        raise UnsimulatedError("the int8 file has other operators than its float graph")
    made: Dict[int, Limits] = {}
    taken: Dict[Tuple[int, int], Limits] = {}
    computed = {one.outputs[0] for one in operators} | set(file.inputs)
    for place, operator in enumerate(operators):
        limits = _limits(file.tensors[operator.outputs[0]])
        if limits is not None:
            made[place] = limits
        for which in _inputs(operator):
            limits = _limits(file.tensors[operator.inputs[which]])
            if limits is not None and operator.inputs[which] not in computed:
                taken[place, which] = limits
    return Rounding(made, taken)


def _inputs(operator: Operator) -> List[int]:
    """Places of an operator's inputs, without its weights: they are rounded by themselves."""
    count = KERNEL if operator.name in WEIGHTED else len(operator.inputs)
    return [which for which in range(count) if operator.inputs[which] >= 0]


def _limits(tensor: Tensor) -> Optional[Limits]:
    if tensor.dtype != "int8" or len(tensor.scales) != 1:
        return None
    scale, zero = tensor.scales[0], tensor.zero_points[0]
    return (LOWEST - zero) * scale, (HIGHEST - zero) * scale
