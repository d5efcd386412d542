"""Sequential bias correction: rounding shifts the mean of a channel, and its int32 bias can take the shift back.

On sparse images nearly all of a map is constant background. The rounding error of that constant is the same all over
the map, so it does not average out, and goes straight into every global mean after it. The operators are corrected in
the order of their execution, each on what the corrected ones before it really made: correcting all at once counts the
errors of earlier operators again in every later one, and diverges.

What the range cuts off is left out of the comparison. Else the few bright places that lie beyond it would be made up
for by lifting the background everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.constants import BIAS, WEIGHTED, own_buffer
from stages.convert.walk import Reference, Walk
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 3  # a fused ReLU hides a part of each step; the rest is taken in the next round
INT8, INT32 = np.iinfo(np.int8), np.iinfo(np.int32)


def correct_biases(content: bytes, flatbuffer: bytes, pixels: NDArray[np.uint8]) -> bytes:
    """Make the mean of every corrected operator's output, for each channel, what it is in the float network."""
    walk, reference = Walk(content, pixels), Reference(flatbuffer, pixels)
    for place, operator in enumerate(walk.operators):
        walk.run(operator)
        if walk.name(operator) in WEIGHTED and len(operator.inputs) > BIAS and operator.inputs[BIAS] >= 0:
            wanted = reference.values(walk.tensor_name(int(operator.outputs[0])))
            if wanted is not None:
                _correct(walk, operator, wanted)
        walk.forget(place)
    return walk.content()


def absorb(flatbuffer: bytes, plain: bytes, corrected: bytes) -> bytes:
    """Write into the float file what correcting `plain` to `corrected` added to the biases.

    Whatever is then quantised from it is corrected already, with other ranges too.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(flatbuffer))
    graph = model.subgraphs[0]
    makers = {graph.tensors[one.outputs[0]].name: one for one in graph.operators}
    before, after = _biases(plain), _biases(corrected)
    for name, real in after.items():
        operator = makers.get(name)
        if operator is None or not np.any(real != before[name]):
            continue
        buffer = own_buffer(model, operator, BIAS)
        moved = np.frombuffer(buffer.data, "<f4") + (real - before[name])
        buffer.data = np.frombuffer(moved.astype("<f4").tobytes(), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _biases(content: bytes) -> Dict[bytes, NDArray[np.float64]]:
    """Real values of the biases of an int8 file, by the name of what their operator makes."""
    graph = read_model(content).main
    found: Dict[bytes, NDArray[np.float64]] = {}
    for operator in graph.operators:
        if operator.name in WEIGHTED and len(operator.inputs) > BIAS and operator.inputs[BIAS] >= 0:
            bias = graph.tensors[operator.inputs[BIAS]]
            steps = np.frombuffer(bias.data, "<i4").astype(np.float64)
            found[graph.tensors[operator.outputs[0]].name.encode()] = steps * np.asarray(bias.scales, np.float64)
    return found


def _correct(walk: Walk, operator: Any, real: NDArray[np.float32]) -> None:
    index = int(operator.outputs[0])
    quantisation = walk.graph.tensors[index].quantization
    scale, zero_point = float(quantisation.scale[0]), int(quantisation.zeroPoint[0])
    wanted = _channel_means(np.clip(real, (INT8.min - zero_point) * scale, (INT8.max - zero_point) * scale))
    bias = own_buffer(walk.model, operator, BIAS)
    steps_per_unit = 1 / np.asarray(walk.graph.tensors[operator.inputs[BIAS]].quantization.scale, np.float64)
    for _ in range(ROUNDS):
        found = (_channel_means(walk.values[index]) - zero_point) * scale
        steps = np.rint((wanted - found) * steps_per_unit)
        if not steps.any():
            return
        changed = np.clip(np.frombuffer(bias.data, "<i4") + steps, INT32.min, INT32.max)
        bias.data = np.frombuffer(changed.astype("<i4").tobytes(), np.uint8)
        walk.run(operator)


def _channel_means(values: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over images and places, for each channel (the last axis)."""
    found: NDArray[np.float64] = values.reshape(-1, values.shape[-1]).mean(axis=0, dtype=np.float64)
    return found
