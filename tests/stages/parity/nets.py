"""Int8 files made from others, for the tests of parity."""

from __future__ import annotations

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

SIZE = 16


def shifted(content: bytes, layer: str, by: int) -> bytes:
    """Add the same to every bias of a layer: another file with the same graph."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    (operator,) = [one for one in graph.operators if layer in graph.tensors[one.outputs[0]].name.decode().split("/")]
    buffer = model.buffers[graph.tensors[operator.inputs[2]].buffer]
    buffer.data = np.frombuffer((np.frombuffer(buffer.data, "<i4") + by).astype("<i4").tobytes(), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def with_open_batch(content: bytes) -> bytes:
    """State no batch size, as a network is converted that was not given one."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        tensor.shapeSignature = [-1, *tensor.shape[1:]]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
