"""What TFMOT is told to simulate: weights with a scale for each channel, activations within fixed ranges.

TFMOT's own quantisers differ from what TFLite deploys. Its activation ranges are averages that start at -6 and 6 and
move by a thousandth with each step, so a short training sees wrong ranges; and it gives depthwise kernels one scale for
all channels. Here ranges are observed before the training and then stay, and each kernel has the scales of its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 8
CHANNEL_AXIS = {"Conv2D": 3, "DepthwiseConv2D": 2, "Dense": None}  # None: one scale, as TFLite 2.15 has it
KERNEL = {"Conv2D": "kernel", "DepthwiseConv2D": "depthwise_kernel", "Dense": "kernel"}


class Mode:
    """Whether activations are observed or quantised; read whenever a function is traced."""

    observing = False


class WeightQuantiser(tfmot.quantization.keras.quantizers.Quantizer):  # type: ignore[misc]  # TFMOT has no types
    """Symmetric, narrow range, from the weights as they are at each step."""

    def __init__(self, axis: Any) -> None:
        self.axis = axis

    def build(self, tensor_shape: Any, name: str, layer: Any) -> Dict[str, Any]:
        """Make no variables: the range follows the weights."""
        del tensor_shape, name, layer
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **_: Any) -> Any:
        """Round to the steps that the file will have; gradients pass through."""
        del training, weights
        if self.axis is None:
            limit = tf.reduce_max(tf.abs(inputs))
            return tf.quantization.fake_quant_with_min_max_vars(inputs, -limit, limit, BITS, narrow_range=True)
        last = len(inputs.shape) - 1
        order = [axis for axis in range(last + 1) if axis != self.axis] + [self.axis]
        turned = tf.transpose(inputs, order)
        limits = tf.reduce_max(tf.abs(turned), axis=list(range(last)))
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            turned, -limits, limits, BITS, narrow_range=True
        )
        return tf.transpose(rounded, np.argsort(order))

    def get_config(self) -> Dict[str, Any]:
        """Serialise, as TFMOT asks for when it copies a network."""
        return {"axis": self.axis}


class RangeQuantiser(tfmot.quantization.keras.quantizers.Quantizer):  # type: ignore[misc]
    """Asymmetric, within a range that is observed once and then fixed."""

    def build(self, tensor_shape: Any, name: str, layer: Any) -> Dict[str, Any]:
        """Make the two ends of the range, and a place for what is observed."""
        del tensor_shape
        zeros = tf.keras.initializers.Zeros()
        low, high = (layer.add_weight(name + end, (), initializer=zeros, trainable=False) for end in ("_min", "_max"))
        return {"low": low, "high": high, "seen": Seen()}

    def __call__(self, inputs: Any, training: Any, weights: Dict[str, Any], **_: Any) -> Any:
        """Round to 8 bits; or, while observing, keep each image's extremes and pass on what came."""
        del training
        if Mode.observing:
            weights["seen"].add(inputs.numpy())
            return inputs
        return tf.quantization.fake_quant_with_min_max_vars(inputs, weights["low"], weights["high"], BITS)

    def get_config(self) -> Dict[str, Any]:
        """Serialise, as TFMOT asks for when it copies a network."""
        return {}


class Seen:
    """The lowest and highest value of each observed image."""

    def __init__(self) -> None:
        self._lows: List[NDArray[np.float32]] = []
        self._highs: List[NDArray[np.float32]] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Take a batch."""
        flat = values.reshape(len(values), -1)
        self._lows.append(flat.min(axis=1))
        self._highs.append(flat.max(axis=1))

    def extremes(self) -> Tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the extremes, [images] each, and forget them."""
        lows, highs = np.concatenate(self._lows), np.concatenate(self._highs)
        self._lows, self._highs = [], []
        return lows, highs


class Config(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """What of one layer is quantised: its kernel, its output, or both."""

    def __init__(self, kind: str, output: bool) -> None:
        self.kind, self.output = kind, output

    def get_weights_and_quantizers(self, layer: Any) -> List[Tuple[Any, Any]]:
        """Name the kernel; a bias has 32 bits and is as good as float."""
        if self.kind not in KERNEL:
            return []
        return [(getattr(layer, KERNEL[self.kind]), WeightQuantiser(CHANNEL_AXIS[self.kind]))]

    def set_quantize_weights(self, layer: Any, quantize_weights: List[Any]) -> None:
        """Put the rounded kernel where the layer reads it."""
        if self.kind in KERNEL:
            setattr(layer, KERNEL[self.kind], quantize_weights[0])

    def get_activations_and_quantizers(self, layer: Any) -> List[Tuple[Any, Any]]:
        """Nothing: what comes out of the layer is quantised, behind its activation."""
        del layer
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: List[Any]) -> None:
        """Nothing to set."""

    def get_output_quantizers(self, layer: Any) -> List[Any]:
        """One for the output, where it is a tensor of the TFLite file."""
        del layer
        return [RangeQuantiser()] if self.output else []

    def get_config(self) -> Dict[str, Any]:
        """Serialise, as TFMOT asks for when it copies a network."""
        return {"kind": self.kind, "output": self.output}
