"""The int8 file of a float graph as a TensorFlow function of its kernels and biases, which can be trained.

Activations are rounded within the ranges of the int8 file and kernels to the steps that they will have there; gradients
pass through the rounding. It is the graph that is simulated and not the Keras network: what is fused, folded and ranged
in the file is so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.constants import BIAS, KERNEL, WEIGHTED, own_buffer
from stages.tflite.model import Operator, Tensor, read_model
from stages.tflite.options import SAME

BITS = 8
LEAST_LIMIT = 1e-12  # a channel whose weights are all zero has no range
ACTIVATIONS: Dict[int, Callable[[Any], Any]] = {  # enum ActivationFunctionType
    0: lambda values: values,
    1: tf.nn.relu,
    2: lambda values: tf.clip_by_value(values, -1, 1),
    3: tf.nn.relu6,
    4: tf.tanh,
}
WINDOWED: Dict[str, Any] = {"MAX_POOL_2D": tf.nn.max_pool2d, "AVERAGE_POOL_2D": tf.nn.avg_pool2d}
SIMPLE: Dict[str, Any] = {
    "ADD": tf.add,
    "LOGISTIC": tf.sigmoid,
    "MUL": tf.multiply,
    "PAD": tf.pad,
    "RELU": tf.nn.relu,
    "RELU6": tf.nn.relu6,
    "SOFTMAX": tf.nn.softmax,
    "SUB": tf.subtract,
    "TANH": tf.tanh,
}


class UnknownOperatorError(Exception):
    """The graph has an operator that is not simulated."""


@dataclass(frozen=True)
class Weighted:
    """The variables of one operator, in TFLite's layout; `makes` is the name of its output."""

    name: str
    makes: str
    kernel: Any
    bias: Optional[Any]


class Simulation:
    """`flatbuffer` is the float graph and `content` the int8 file of it whose ranges are simulated."""

    def __init__(self, flatbuffer: bytes, content: bytes) -> None:
        self._flatbuffer, self._graph = flatbuffer, read_model(flatbuffer).main
        known = {*SIMPLE, *WINDOWED, *WEIGHTED, "CONCATENATION", "MEAN", "RESHAPE"}
        unknown = sorted({one.name for one in self._graph.operators} - known)
        if unknown:
            raise UnknownOperatorError(", ".join(unknown))
        self._limits = _limits(content)
        self._own: Dict[Tuple[int, int], Any] = {  # (operator, input) -> variable
            (place, which): tf.Variable(_values(self._graph.tensors[operator.inputs[which]]))
            for place, operator in enumerate(self._graph.operators)
            if operator.name in WEIGHTED
            for which in (KERNEL, BIAS)
            if which < len(operator.inputs) and operator.inputs[which] >= 0
        }

    @property
    def variables(self) -> List[Any]:
        """All kernels and biases."""
        return list(self._own.values())

    @property
    def weighted(self) -> List[Weighted]:
        """All operators with variables."""
        return [
            Weighted(
                one.name,
                self._graph.tensors[one.outputs[0]].name,
                self._own[place, KERNEL],
                self._own.get((place, BIAS)),
            )
            for place, one in enumerate(self._graph.operators)
            if (place, KERNEL) in self._own
        ]

    def __call__(self, pixels: Any) -> Any:
        """Compute the outputs of a batch of float images."""
        made: Dict[int, Any] = {self._graph.inputs[0]: pixels}
        for place, operator in enumerate(self._graph.operators):
            entries = [made[index] if index in made else self._constant(index) for index in operator.inputs]
            values = self._run(place, operator, entries)
            values = ACTIVATIONS[operator.options.get("fused_activation", 0)](values)
            index = operator.outputs[0]
            made[index] = self._rounded(index, values) if operator.name != "SOFTMAX" else values
        return made[self._graph.outputs[0]]

    def written(self) -> bytes:
        """Write the float graph with the kernels and biases as they are now."""
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(self._flatbuffer))
        for (place, which), variable in self._own.items():
            buffer = own_buffer(model, model.subgraphs[0].operators[place], which)
            buffer.data = np.frombuffer(variable.numpy().astype("<f4").tobytes(), np.uint8)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))

    def _constant(self, index: int) -> Any:
        return None if index < 0 else self._rounded(index, _values(self._graph.tensors[index]))

    def _rounded(self, index: int, values: Any) -> Any:
        """Round to the steps of the tensor of this name in the int8 file, where it has one."""
        limits = self._limits.get(self._graph.tensors[index].name)
        return tf.quantization.fake_quant_with_min_max_args(values, *limits, num_bits=BITS) if limits else values

    def _run(self, place: int, operator: Operator, entries: List[Any]) -> Any:
        name, told = operator.name, operator.options
        if name in WEIGHTED:
            return self._weighted(place, operator, entries[0])
        if name in WINDOWED:
            window, strides = (told["filter_y"], told["filter_x"]), (told["stride_y"], told["stride_x"])
            return WINDOWED[name](entries[0], window, strides, _padding(told))
        if name == "CONCATENATION":
            return tf.concat(entries, told["axis"])
        if name == "MEAN":
            return tf.reduce_mean(entries[0], np.ravel(entries[1]).tolist(), keepdims=bool(told["keep_dims"]))
        if name == "RESHAPE":
            return tf.reshape(entries[0], [-1, *self._graph.tensors[operator.outputs[0]].shape[1:]])
        return SIMPLE[name](*entries)

    def _weighted(self, place: int, operator: Operator, values: Any) -> Any:
        told, kernel = operator.options, self._own[place, KERNEL]
        strides = told.get("stride_y", 1), told.get("stride_x", 1)
        spread = told.get("dilation_y", 1), told.get("dilation_x", 1)
        if operator.name == "FULLY_CONNECTED":  # TensorFlow 2.15 gives it one scale for all of its weights
            made = tf.matmul(tf.reshape(values, [-1, kernel.shape[1]]), _rounded_kernel(kernel), transpose_b=True)
        elif operator.name == "CONV_2D":
            kernel = _rounded_kernel(tf.transpose(kernel, (1, 2, 3, 0)), per_channel=True)
            made = tf.nn.conv2d(values, kernel, strides, _padding(told), dilations=spread)
        else:
            shape = [*kernel.shape[1:3], -1, told["depth_multiplier"]]
            kernel = tf.reshape(_rounded_kernel(kernel, per_channel=True), shape)
            made = tf.nn.depthwise_conv2d(values, kernel, (1, *strides, 1), _padding(told), dilations=spread)
        return made + self._own[place, BIAS] if (place, BIAS) in self._own else made


def _rounded_kernel(kernel: Any, *, per_channel: bool = False) -> Any:
    """Round symmetrically to 8 bits: a scale for each entry of the last axis, or one for all."""
    axes = list(range(len(kernel.shape) - 1)) if per_channel else None
    limits = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes), LEAST_LIMIT))
    quantise = tf.quantization.fake_quant_with_min_max_vars_per_channel
    if not per_channel:
        quantise = tf.quantization.fake_quant_with_min_max_vars
    return quantise(kernel, -limits, limits, BITS, narrow_range=True)


def _limits(content: bytes) -> Dict[str, Tuple[float, float]]:
    """Real values of the lowest and the highest int8 value, by the name of the tensor; none for weights."""
    graph = read_model(content).main
    weights = {index for one in graph.operators if one.name in WEIGHTED for index in one.inputs[KERNEL:]}
    return {
        tensor.name: (
            (-128 - tensor.zero_points[0]) * tensor.scales[0],
            (127 - tensor.zero_points[0]) * tensor.scales[0],
        )
        for index, tensor in enumerate(graph.tensors)
        if tensor.dtype == "int8" and len(tensor.scales) == 1 and index not in weights
    }


def _values(tensor: Tensor) -> Any:
    kind = {"float32": "<f4", "int32": "<i4"}[tensor.dtype]
    return np.frombuffer(tensor.data, kind).reshape(tensor.shape)


def _padding(told: Dict[str, int]) -> str:
    return "SAME" if told["padding"] == SAME else "VALID"
