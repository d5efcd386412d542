"""Gives convolutions of a full-int8 file weights of four bits: everything between them stays as it is.

Codes of four bits fit into the int8 tensor that was there, with a scale of four bits. Such a stand-in runs wherever
int8 runs, and so can be judged and corrected as every int8 file is. Of 1x1 convolutions it computes bit for bit what
the packed file computes (tests/stages/benchmark-litert holds that); of larger ones, whose packed weights other kernels
unpack, a few outputs in a hundred are a step apart. Packing comes last: `packed` makes the file that is deployed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Collection, List, Optional

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.compact import write
from stages.convert.constants import BIAS, KERNEL, own_buffer
from stages.convert.pointwise import as_dense, as_four_bits, pointwise
from stages.convert.rounding import gram, in_turn, nearest_codes, to_nearest
from stages.convert.walk import Walk
from stages.tflite.model import read_model
from stages.tflite.packed import pack_int4

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.convert.rounding import Rounded
    from stages.tflite.model import Model, Tensor

BITS = 4
MOST_BIAS = 2**30  # steps of a bias that are surely held by 32 bits
MOST_ROWS = 2**17  # inputs of a layer that its Gram matrix is taken of: places of all images, every n-th of more

Rule = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "Rounded"]  # weights and the Gram matrix of inputs


def nearest(weights: NDArray[np.float64], _: NDArray[np.float64]) -> Rounded:
    """Round with the scale that changes the weights themselves least."""
    return to_nearest(weights, None, BITS)


def least_output_error(weights: NDArray[np.float64], squares: NDArray[np.float64]) -> Rounded:
    """Round so that the outputs on calibration images change least."""
    return in_turn(weights, squares, BITS)


RULES = {"nearest": nearest, "least output error": least_output_error}


def native(model: Model) -> List[int]:
    """Find the 1x1 convolutions that run at four bits: those with an even number of inputs.

    XNNPACK leaves dense layers of four bits with an odd one to kernels that unpack them and round otherwise.
    """
    return [place for place in pointwise(model) if _kernel(model, place).shape[3] % 2 == 0]


def narrowable(model: Model) -> List[int]:
    """Find the convolutions that are trained on few bits: those that run at four, or all larger ones where none does.

    Larger ones are stored in few bits and unpacked before they are computed with.
    """
    return native(model) or [
        place
        for place, operator in enumerate(model.main.operators)
        if operator.name == "CONV_2D"
        and _kernel(model, place).is_constant
        and _kernel(model, place).shape[1:3] != (1, 1)
    ]


def stand_in(content: bytes, pixels: NDArray[np.uint8], rule: Rule, places: Optional[Collection[int]] = None) -> bytes:
    """Round the weights of all that run at four bits, or at `places`, each on what is really handed on to it."""
    walk = Walk(content, pixels)
    places = native(read_model(content)) if places is None else places
    for place, operator in enumerate(walk.operators):
        if place in places:
            _round(walk, operator, rule)
        walk.run(operator)
        walk.forget(place)
    return walk.content()


def on_steps(content: bytes, bits: int) -> bytes:
    """Round the weights of all that can have few bits to the nearest steps: what was trained on them stays as it is."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    for place in narrowable(read_model(content)):
        operator = model.subgraphs[0].operators[place]
        _put(model, operator, to_nearest(_weights(model, operator), None, bits), bits)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def packed(content: bytes, places: Optional[Collection[int]] = None) -> bytes:
    """Make the file that is deployed of a stand-in: packed weights of all or at `places`, dense where they are 1x1."""
    places = narrowable(read_model(content)) if places is None else places
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph, dense = model.subgraphs[0], set(pointwise(read_model(content)))
    for place in places:
        operator = graph.operators[place]
        buffer = own_buffer(model, operator, KERNEL)
        buffer.data = np.frombuffer(pack_int4(np.frombuffer(buffer.data, np.int8)), np.uint8)
        graph.tensors[operator.inputs[KERNEL]].type = schema.TensorType.INT4
        (as_dense if place in dense else as_four_bits)(model, operator)
    return write(model)


def _kernel(model: Model, place: int) -> Tensor:
    return model.main.tensors[model.main.operators[place].inputs[KERNEL]]


def _round(walk: Walk, operator: Any, rule: Rule) -> None:
    """Round the weights of one operator by what it is given."""
    entry = int(operator.inputs[0])
    zero_point = int(walk.graph.tensors[entry].quantization.zeroPoint[0])
    inputs = walk.values[entry].reshape(-1, walk.values[entry].shape[-1])
    inputs = inputs[:: max(1, len(inputs) // MOST_ROWS)].astype(np.float32) - zero_point
    _put(walk.model, operator, rule(_weights(walk.model, operator), gram(inputs)), BITS)


def _weights(model: Any, operator: Any) -> NDArray[np.float64]:
    """Give the weights of an operator as they are now, [output, input]."""
    kernel = model.subgraphs[0].tensors[operator.inputs[KERNEL]]
    scales = np.asarray(kernel.quantization.scale, np.float64)
    codes = np.frombuffer(bytes(model.buffers[kernel.buffer].data), np.int8).reshape(int(kernel.shape[0]), -1)
    found: NDArray[np.float64] = codes * scales[:, None]
    return found


def _put(model: Any, operator: Any, rounded: Rounded, bits: int) -> None:
    """Put the rounded weights of one operator in place, and its bias in the steps that follow from their scales."""
    codes, found = rounded
    graph = model.subgraphs[0]
    if len(operator.inputs) > BIAS and operator.inputs[BIAS] >= 0:
        scale = float(np.float32(graph.tensors[int(operator.inputs[0])].quantization.scale[0]))
        buffer, bias = own_buffer(model, operator, BIAS), graph.tensors[operator.inputs[BIAS]].quantization
        real = np.frombuffer(bytes(buffer.data), "<i4") * np.asarray(bias.scale, np.float64)
        # Beside a bias that would not fit into 32 bits of such steps the weights of a channel are next to nothing.
        least = np.abs(real) / (scale * MOST_BIAS)
        nothing = nearest_codes(np.zeros(1), bits).astype(np.int8)
        codes, found = np.where(found[:, None] < least[:, None], nothing, codes), np.maximum(found, least)
        bias.scale = (scale * found.astype(np.float32)).astype(np.float32)
        buffer.data = np.frombuffer(np.rint(real / bias.scale.astype(np.float64)).astype("<i4").tobytes(), np.uint8)
    own_buffer(model, operator, KERNEL).data = np.frombuffer(codes.tobytes(), np.uint8)
    graph.tensors[operator.inputs[KERNEL]].quantization.scale = found.astype(np.float32)
