"""Gives 1x1 depthwise convolutions weights that no other layer has, and changes nothing that they compute.

A depthwise convolution of one tap has one weight for each channel. Quantised with a scale for each channel, that weight
is its own maximum: every layer of this kind holds nothing but 127 and -127, and layers with as many channels hold the
same bytes. A compiled file in which layers share their weights may compute wrongly (google-coral/edgetpu issue 332),
so the weights are spread below 127 in another way in each layer, and the scales make up for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.constants import BIAS, KERNEL, own_buffer
from stages.tflite.model import Model, Operator, read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 127
SPREAD = 31  # weights are 127 to 97: a bias then has steps that are at most 1.31 times as wide. A prime, see `_pattern`


def vary(content: bytes) -> bytes:
    """Spread the weights of all 1x1 depthwise convolutions of an int8 file; return it as it is where it has none."""
    places = _one_tap(read_model(content))
    if not places:
        return content
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    for number, place in enumerate(places):
        _spread(model, model.subgraphs[0].operators[place], number)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _one_tap(model: Model) -> List[int]:
    return [place for place, operator in enumerate(model.main.operators) if _is_one_tap(model, operator)]


def _is_one_tap(model: Model, operator: Operator) -> bool:
    if operator.name != "DEPTHWISE_CONV_2D":
        return False
    kernel = model.main.tensors[operator.inputs[KERNEL]]
    channels = kernel.shape[-1]
    return kernel.shape == (1, 1, 1, channels) and kernel.dtype == "int8" and len(kernel.scales) == channels


def _spread(model: Any, operator: Any, number: int) -> None:
    graph = model.subgraphs[0]
    buffer = own_buffer(model, operator, KERNEL)
    kernel = graph.tensors[operator.inputs[KERNEL]]
    before = np.frombuffer(buffer.data, np.int8).astype(np.int64)
    full = np.abs(before) == MOST  # a weight of zero stays, and so does one that is smaller for another reason
    after = np.where(full, np.sign(before) * _pattern(len(before), number), before)
    scales = np.asarray(kernel.quantization.scale, np.float64)
    wider = np.divide(before, after, out=np.ones_like(scales), where=after != 0)
    buffer.data = np.frombuffer(after.astype(np.int8).tobytes(), np.uint8)
    kernel.quantization.scale = (scales * wider).astype(np.float32)
    if len(operator.inputs) > BIAS and operator.inputs[BIAS] >= 0:
        _rescale_bias(model, operator, kernel.quantization.scale)


def _rescale_bias(model: Any, operator: Any, scales: NDArray[np.float32]) -> None:
    """Say the bias in steps of the input's scale times the weights' new ones, as every kernel takes it to be."""
    graph = model.subgraphs[0]
    buffer = own_buffer(model, operator, BIAS)
    bias = graph.tensors[operator.inputs[BIAS]].quantization
    real = np.frombuffer(buffer.data, "<i4") * np.asarray(bias.scale, np.float64)
    bias.scale = (np.float32(graph.tensors[operator.inputs[0]].quantization.scale[0]) * scales).astype(np.float32)
    buffer.data = np.frombuffer(np.rint(real / bias.scale.astype(np.float64)).astype("<i4").tobytes(), np.uint8)


def _pattern(channels: int, number: int) -> NDArray[np.int64]:
    """Count down from 127, from another start or with another stride for each layer.

    As the number of weights is a prime, no two of the first 900 layers with two channels or more have the same ones.
    """
    start, stride = number % SPREAD, 1 + number // SPREAD
    return MOST - (start + stride * np.arange(channels)) % SPREAD
