"""The int8 file of a float graph as a TensorFlow function of its kernels and biases, which can be trained.

Activations are rounded within the ranges of the int8 file and kernels to the steps that they will have there; gradients
pass through the rounding. It is the graph that is simulated and not the Keras network: what is fused, folded and ranged
in the file is so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Collection, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.constants import BIAS, KERNEL, WEIGHTED, own_buffer
from stages.convert.rounding import highest, reach, to_nearest
from stages.convert.steps import Limits, UnsimulatedError, rounding
from stages.tflite.model import Operator, Tensor, read_model
from stages.tflite.options import SAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 8
FINER = 0.1  # at a rate of 1e-4 a step changes by a thousandth in a batch
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
SHAPED = ("CONCATENATION", "MEAN", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR")  # their options or shapes matter


class LearntStep:
    """The size of a step for each output channel, which learns in proportion to itself, by its variable `change`.

    Adam moves every variable by about its rate, whatever the gradient is: for a channel of small weights that would be
    more than all of its step.
    """

    def __init__(self, found: NDArray[np.float32]) -> None:
        self._found = tf.Variable(found, trainable=False)
        self.change = tf.Variable(np.zeros_like(found))

    @property
    def size(self) -> Any:
        """Compute the size."""
        return self._found * tf.exp(self.change / FINER)

    def assign(self, found: NDArray[np.float32]) -> None:
        """Set the size."""
        self._found.assign(found)
        self.change.assign(tf.zeros_like(self.change))


@dataclass(frozen=True)
class Weighted:
    """The variables of one operator, in TFLite's layout; `makes` is the name of its output.

    `step` is there where the kernel has few bits: what a code of 1 stands for, for each output channel.
    """

    name: str
    makes: str
    kernel: Any
    bias: Optional[Any]
    step: Optional[LearntStep] = None


class Simulation:
    """`flatbuffer` is the float graph and `content` the int8 file of it whose ranges are simulated.

    The 1x1 convolutions at the places in `narrow` have kernels of `bits` bits, on steps that can be learnt.

    Raises:
        UnsimulatedError: an operator is not simulated, or the file is not one of this graph.
    """

    def __init__(self, flatbuffer: bytes, content: bytes, narrow: Collection[int] = (), bits: int = BITS) -> None:
        self._flatbuffer, self._graph = flatbuffer, read_model(flatbuffer).main
        known = {*SIMPLE, *WINDOWED, *WEIGHTED, *SHAPED}
        unknown = sorted({one.name for one in self._graph.operators} - known)
        if unknown:
            raise UnsimulatedError("operators %s" % ", ".join(unknown))
        self._rounding = rounding(self._graph, content)
        self._own: Dict[Tuple[int, int], Any] = {  # (operator, input) -> variable
            (place, which): tf.Variable(_values(self._graph.tensors[operator.inputs[which]]))
            for place, operator in enumerate(self._graph.operators)
            if operator.name in WEIGHTED
            for which in (KERNEL, BIAS)
            if which < len(operator.inputs) and operator.inputs[which] >= 0
        }
        self._bits = bits
        self._steps = {place: LearntStep(steps_of(self._own[place, KERNEL].numpy(), bits)) for place in narrow}

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
                self._steps.get(place),
            )
            for place, one in enumerate(self._graph.operators)
            if (place, KERNEL) in self._own
        ]

    def __call__(self, pixels: Any) -> Any:
        """Compute the outputs of a batch of float images."""
        made: Dict[int, Any] = {self._graph.inputs[0]: pixels}
        for place, operator in enumerate(self._graph.operators):
            entries = [self._entry(place, which, made) for which in range(len(operator.inputs))]
            values = self._run(place, operator, entries)
            values = ACTIVATIONS[operator.options.get("fused_activation", 0)](values)
            limits = self._rounding.made.get(place) if operator.name != "SOFTMAX" else None
            made[operator.outputs[0]] = _rounded(values, limits)
        return made[self._graph.outputs[0]]

    def written(self) -> bytes:
        """Write the float graph with the kernels and biases as they are now."""
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(self._flatbuffer))
        for (place, which), variable in self._own.items():
            buffer = own_buffer(model, model.subgraphs[0].operators[place], which)
            buffer.data = np.frombuffer(variable.numpy().astype("<f4").tobytes(), np.uint8)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))

    def _entry(self, place: int, which: int, made: Dict[int, Any]) -> Any:
        """Give an input of an operator, a constant or what an earlier one made, in the steps in which it is read."""
        index = self._graph.operators[place].inputs[which]
        if index < 0 or (place, which) in self._own:
            return None  # left out, or weights, which are rounded where they are used
        values = made[index] if index in made else _values(self._graph.tensors[index])
        return _rounded(values, self._rounding.taken.get((place, which)))

    def _run(self, place: int, operator: Operator, entries: List[Any]) -> Any:
        name, told = operator.name, operator.options
        if name in WEIGHTED:
            return self._weighted(place, operator, entries[0])
        if name in WINDOWED:
            window, strides = (told["filter_y"], told["filter_x"]), (told["stride_y"], told["stride_x"])
            return WINDOWED[name](entries[0], window, strides, _padding(told))
        return self._shaped(operator, entries) if name in SHAPED else SIMPLE[name](*entries)

    def _shaped(self, operator: Operator, entries: List[Any]) -> Any:
        name, told = operator.name, operator.options
        if name == "CONCATENATION":
            return tf.concat(entries, told["axis"])
        if name == "MEAN":
            return tf.reduce_mean(entries[0], np.ravel(entries[1]).tolist(), keepdims=bool(told["keep_dims"]))
        if name == "RESHAPE":
            return tf.reshape(entries[0], [-1, *self._graph.tensors[operator.outputs[0]].shape[1:]])
        return tf.raw_ops.ResizeNearestNeighbor(
            images=entries[0],
            size=entries[1],
            align_corners=bool(told["align_corners"]),
            half_pixel_centers=bool(told["half_pixel_centres"]),
        )

    def _weighted(self, place: int, operator: Operator, values: Any) -> Any:
        told, kernel = operator.options, self._own[place, KERNEL]
        strides = told.get("stride_y", 1), told.get("stride_x", 1)
        spread = told.get("dilation_y", 1), told.get("dilation_x", 1)
        if operator.name == "FULLY_CONNECTED":  # TensorFlow 2.15 gives it one scale for all of its weights
            made = tf.matmul(tf.reshape(values, [-1, kernel.shape[1]]), _rounded_kernel(kernel), transpose_b=True)
        elif operator.name == "CONV_2D":
            kernel = tf.transpose(kernel, (1, 2, 3, 0))
            step = self._steps.get(place)
            rounded = (
                _rounded_kernel(kernel, per_channel=True) if step is None else on_steps(kernel, step.size, self._bits)
            )
            made = tf.nn.conv2d(values, rounded, strides, _padding(told), dilations=spread)
        else:
            shape = [*kernel.shape[1:3], -1, told["depth_multiplier"]]
            kernel = tf.reshape(_rounded_kernel(kernel, per_channel=True), shape)
            made = tf.nn.depthwise_conv2d(values, kernel, (1, *strides, 1), _padding(told), dilations=spread)
        return made + self._own[place, BIAS] if (place, BIAS) in self._own else made


def steps_of(kernel: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Find the steps of a kernel, [output, ...]: those that it is on, or else those that change it least."""
    _, found = to_nearest(kernel.reshape(len(kernel), -1).astype(np.float64), None, bits)
    return found.astype(np.float32)


def on_steps(kernel: Any, step: Any, bits: int) -> Any:
    """Round a kernel, [..., output], to codes of so many bits times its step; gradients reach the kernel and the step.

    Source: Esser et al., Learned step size quantization, arXiv:1902.08153, equations 1 to 3 and section 2.2.
    """
    most, far = float(highest(bits)), reach(bits)
    weight = 1 / np.sqrt(most * np.prod(kernel.shape[:-1]))  # of the step's gradient
    size = tf.maximum(step, LEAST_LIMIT)
    size = size * weight + tf.stop_gradient(size - size * weight)
    values = tf.clip_by_value(kernel / size, -far, far)
    codes = tf.round(values) if far == most else tf.clip_by_value(2 * tf.floor(values / 2) + 1, -most, most)
    return (values + tf.stop_gradient(codes - values)) * size


def _rounded_kernel(kernel: Any, *, per_channel: bool = False) -> Any:
    """Round symmetrically to 8 bits: a scale for each entry of the last axis, or one for all."""
    axes = list(range(len(kernel.shape) - 1)) if per_channel else None
    limits = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes), LEAST_LIMIT))
    quantise = tf.quantization.fake_quant_with_min_max_vars_per_channel
    if not per_channel:
        quantise = tf.quantization.fake_quant_with_min_max_vars
    return quantise(kernel, -limits, limits, BITS, narrow_range=True)


def _rounded(values: Any, limits: Optional[Limits]) -> Any:
    return values if limits is None else tf.quantization.fake_quant_with_min_max_args(values, *limits, num_bits=BITS)


def _values(tensor: Tensor) -> Any:
    kind = {"float32": "<f4", "int32": "<i4"}[tensor.dtype]
    return np.frombuffer(tensor.data, kind).reshape(tensor.shape)


def _padding(told: Dict[str, int]) -> str:
    return "SAME" if told["padding"] == SAME else "VALID"
