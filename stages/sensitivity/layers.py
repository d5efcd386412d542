"""The layers of a float TFLite file that have weights, and the same file with one of them at few bits.

Weights are rounded with a scale for each output channel, the one that changes them least. Scaling a channel by its
BatchNorm, before or after, changes nothing about that, so the file with BatchNorm folded in speaks for the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator, List, Tuple

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.constants import KERNEL, WEIGHTED, own_buffer
from stages.convert.rounding import to_nearest
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNEL_LAST = "DEPTHWISE_CONV_2D"  # whose kernels are [1, height, width, channel]; all others have the channel first


@dataclass(frozen=True)
class Layer:
    """An operator with weights: its place in the graph, the name of what it makes, the shape of its kernel."""

    place: int
    name: str
    operator: str
    shape: Tuple[int, ...]

    @property
    def weights(self) -> int:
        """Count the weights."""
        return int(np.prod(self.shape))

    def bytes_at(self, bits: int) -> int:
        """Bytes that the weights take at so many bits, without scales."""
        return -(-self.weights * bits // 8)


def layers(flatbuffer: bytes) -> List[Layer]:
    """List the layers in the order of their execution; weights that are computed at run time are none."""
    return list(_layers(flatbuffer))


def _layers(flatbuffer: bytes) -> Iterator[Layer]:
    graph = read_model(flatbuffer).main
    for place, operator in enumerate(graph.operators):
        kernel = graph.tensors[operator.inputs[KERNEL]] if operator.name in WEIGHTED else None
        if kernel is not None and kernel.is_constant:
            yield Layer(place, graph.tensors[operator.outputs[0]].name, operator.name, tuple(kernel.shape))


class Rounder:
    """Makes copies of a file in which some layers have few bits: their weights stay float32, on fewer steps."""

    def __init__(self, flatbuffer: bytes) -> None:
        self._flatbuffer = flatbuffer

    def at(self, *wanted: Tuple[Layer, int]) -> bytes:
        """Round the given layers, each to its number of bits."""
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(self._flatbuffer))
        for layer, bits in wanted:
            buffer = own_buffer(model, model.subgraphs[0].operators[layer.place], KERNEL)
            weights = np.frombuffer(bytes(buffer.data), "<f4").reshape(layer.shape)
            buffer.data = np.frombuffer(_rounded(weights, layer, bits).tobytes(), np.uint8)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _rounded(weights: NDArray[np.float32], layer: Layer, bits: int) -> NDArray[Any]:
    """Round to `bits` with a scale for each channel, which is the last axis of some kernels and the first of others."""
    axis = len(layer.shape) - 1 if layer.operator == CHANNEL_LAST else 0
    rows = np.moveaxis(weights, axis, 0)
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    codes, scales = to_nearest(flat, None, bits)
    found = (codes * scales[:, None]).reshape(rows.shape)
    return np.ascontiguousarray(np.moveaxis(found, 0, axis)).astype("<f4")
