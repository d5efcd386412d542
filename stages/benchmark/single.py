"""Writes a TFLite file with one operator of another file and many more weights, to see what a runtime does with them.

Its input is one place of an image, and its channels are repeated until the weights outweigh everything else that the
process needs: how weights are kept depends neither on how many there are nor on how often they are used. Outputs have
many inputs, and depthwise kernels 25 places, because kernels fill up what is smaller.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, List, Tuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from stages.tflite.sizes import Weights

DEPTHWISE = "DEPTHWISE_CONV_2D"
LEAST_WEIGHTS = 2**22
LEAST_INPUTS = 512  # of an output channel
FILLED = 5  # edge of a depthwise kernel


def repeats(weights: Weights) -> Tuple[int, int]:
    """How often output and input channels are there; those of a depthwise convolution are the same."""
    shape = weights.tensor.shape
    if weights.operator == DEPTHWISE:
        return max(1, -(-LEAST_WEIGHTS // (FILLED**2 * shape[-1]))), 1
    deep = -(-LEAST_INPUTS // shape[-1]) | 1  # an odd number of inputs stays odd: XNNPACK refuses those at four bits
    return max(1, -(-LEAST_WEIGHTS // (weights.count * deep))), deep


def count(weights: Weights) -> int:
    """How many weights the file has."""
    wide, deep = repeats(weights)
    return wide * (FILLED**2 * weights.tensor.shape[-1] if weights.operator == DEPTHWISE else weights.count * deep)


def single(content: bytes, weights: Weights) -> bytes:
    """Write the operator that these are the weights of, alone, and what turns them into what it reads."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    operator = graph.operators[weights.place]
    read = {int(index) for index in operator.inputs[1:]}  # in float16 files biases are made of constants too
    makers = [one for one in graph.operators if read & {int(index) for index in one.outputs}]
    kept = [*makers, operator]
    (wide, deep), is_depthwise = repeats(weights), weights.operator == DEPTHWISE
    made = _Cut(model, graph, is_depthwise=is_depthwise)
    _loosen(operator)
    constants = [int(index) for index in operator.inputs[1:] if index >= 0] + [
        int(i) for one in makers for i in one.inputs
    ]
    for index in dict.fromkeys(constants):
        made.repeat(index, wide, deep)
    made.place(int(operator.inputs[0]), wide if is_depthwise else deep)
    made.place(int(operator.outputs[0]), wide)
    return made.written(kept, int(operator.inputs[0]), int(operator.outputs[0]))


def _loosen(operator: Any) -> None:
    """Let a convolution take a single place."""
    told = operator.builtinOptions
    if hasattr(told, "padding"):
        told.padding, told.strideW, told.strideH = schema.Padding.SAME, 1, 1
        told.dilationWFactor = told.dilationHFactor = 1


class _Cut:
    """A part of a file in object form, its tensors changed in their places."""

    def __init__(self, model: Any, graph: Any, *, is_depthwise: bool) -> None:
        self._model, self._graph, self._is_depthwise = model, graph, is_depthwise

    def repeat(self, index: int, wide: int, deep: int) -> None:
        """Give a constant, or what is made of one, so many times its channels; values are of no account."""
        tensor = self._graph.tensors[index]
        shape = [int(edge) for edge in tensor.shape]
        before = math.prod(shape)
        if self._is_depthwise and len(shape) == 4:  # [1, height, width, channel]
            shape = [1, FILLED, FILLED, shape[3] * wide]
        else:
            shape[0] *= wide
            shape[-1] *= deep if len(shape) > 1 else 1
        tensor.shape, tensor.shapeSignature = shape, None
        buffer = self._model.buffers[tensor.buffer]
        if buffer.data is not None and len(buffer.data):
            wanted = -(-len(buffer.data) * math.prod(shape) // before)
            buffer.data = np.resize(np.asarray(buffer.data, np.uint8), wanted)
        self._spread(tensor.quantization, wide)

    def place(self, index: int, times: int) -> None:
        """Make an activation one place with so many times its channels."""
        tensor = self._graph.tensors[index]
        shape = [1] * (len(tensor.shape) - 1) + [int(tensor.shape[-1]) * times]
        tensor.shape, tensor.shapeSignature, tensor.buffer = shape, None, 0

    def written(self, operators: List[Any], entry: int, end: int) -> bytes:
        """Write these operators alone."""
        graph = copy.copy(self._graph)
        used = dict.fromkeys(int(i) for one in operators for i in (*one.inputs, *one.outputs) if i >= 0)
        numbers = {index: place for place, index in enumerate(used)}
        graph.tensors = [self._graph.tensors[index] for index in used]
        graph.inputs, graph.outputs = [numbers[entry]], [numbers[end]]
        for one in operators:
            one.inputs = [numbers.get(int(index), -1) for index in one.inputs]
            one.outputs = [numbers[int(index)] for index in one.outputs]
        graph.operators = operators
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs = self._model.version, self._model.operatorCodes, [graph]
        model.buffers = self._buffers(graph)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _buffers(self, graph: Any) -> List[Any]:
        empty = schema.BufferT()
        found = [empty]
        for tensor in graph.tensors:
            data = self._model.buffers[tensor.buffer].data
            if tensor.buffer and data is not None and len(data):
                found.append(self._model.buffers[tensor.buffer])
                tensor.buffer = len(found) - 1
            else:
                tensor.buffer = 0
        return found

    @staticmethod
    def _spread(quantisation: Any, times: int) -> None:
        if quantisation is not None and quantisation.scale is not None and len(quantisation.scale) > 1:
            quantisation.scale = np.tile(np.asarray(quantisation.scale, np.float32), times)
            quantisation.zeroPoint = np.tile(np.asarray(quantisation.zeroPoint, np.int64), times)
