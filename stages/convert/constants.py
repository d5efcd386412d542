"""Constants of a TFLite file: which operators have weights and where, and how to make one an operator's own."""

from __future__ import annotations

import copy
from typing import Any

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
KERNEL, BIAS = 1, 2  # which inputs of these operators


def own_buffer(model: Any, operator: Any, place: int) -> Any:
    """Return the buffer of the operator's input at `place`, which nobody else reads: a copy where somebody does."""
    graph = model.subgraphs[0]
    index = int(operator.inputs[place])
    tensor = graph.tensors[index]
    shared = sum(index in one.inputs for one in graph.operators) > 1
    if shared or sum(one.buffer == tensor.buffer for one in graph.tensors) > 1:
        tensor = copy.copy(tensor)
        tensor.quantization = copy.copy(tensor.quantization)
        model.buffers.append(copy.copy(model.buffers[tensor.buffer]))
        tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
        operator.inputs[place] = len(graph.tensors) - 1
    return model.buffers[tensor.buffer]
