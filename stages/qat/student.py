"""The network with quantisation simulated in its forward pass, made from a float one by TFMOT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Set, Tuple

import tensorflow as tf
import tensorflow_model_optimization as tfmot

from stages.qat.quantisers import KERNEL, Config, Mode, RangeQuantiser, WeightQuantiser

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Their output has the scale of their input: TFLite moves the values as they are.
UNCHANGED = {"InputLayer", "ZeroPadding2D", "Cropping2D", "MaxPooling2D", "Reshape", "Flatten", "Dropout"}
FUSES_RELU = {"Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization", "Add"}
SCOPE = {one.__name__: one for one in (Config, RangeQuantiser, WeightQuantiser)}


class _AsAnnotated:
    """A layout transform that changes nothing: every layer has been told what to do."""

    def apply(self, model: Any, layer_quantize_map: Any) -> Tuple[Any, Any]:
        return model, layer_quantize_map


class Scheme(tfmot.quantization.keras.QuantizeScheme):  # type: ignore[misc]  # TFMOT has no types
    """TFMOT without its own ideas of what belongs together."""

    def get_layout_transformer(self) -> Any:
        """Leave the layout alone."""
        return _AsAnnotated()

    def get_quantize_registry(self) -> Any:
        """Never asked, as every annotated layer brings its config."""
        return tfmot.quantization.keras.default_8bit.Default8BitQuantizeRegistry()


class Student:
    """`network` simulates the int8 file of `plain`, a float network that shares nothing with it but its structure."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        ends = quantised_outputs(plain)
        annotated = tf.keras.models.clone_model(plain, clone_function=lambda layer: _annotated(layer, ends))
        with tfmot.quantization.keras.quantize_scope(SCOPE):
            self.network = tfmot.quantization.keras.quantize_apply(annotated, Scheme())
        self.take()

    def take(self) -> None:
        """Copy the weights of the float network into the simulation."""
        for ours, theirs in self._pairs():
            ours.assign(theirs)

    def give(self) -> None:
        """Copy the trained weights back into the float network."""
        for ours, theirs in self._pairs():
            theirs.assign(ours)

    def observe(
        self, batches: Iterable[Any], rule: Callable[[NDArray[np.float32], NDArray[np.float32]], Tuple[float, float]]
    ) -> None:
        """Run float images, [batch, ...], without quantisation, and fix each range by what they did."""
        Mode.observing = True
        try:
            for batch in batches:
                self.network(batch, training=False)
        finally:
            Mode.observing = False
        for layer in self.network.layers:
            variables = getattr(layer, "_output_quantizer_vars", None)  # TFMOT's wrapper has no public way to them
            if variables:
                low, high = rule(*variables["seen"].extremes())
                variables["low"].assign(min(low, 0.0))
                variables["high"].assign(max(high, 0.0))

    def _pairs(self) -> Iterable[Tuple[Any, Any]]:
        inner: Dict[str, Any] = {}
        for layer in self.network.layers:
            wrapped = getattr(layer, "layer", layer)
            inner[wrapped.name] = layer
        for theirs in self.plain.layers:
            found = _by_name(inner[theirs.name])
            for variable in theirs.weights:
                yield found[_last(variable.name)], variable


def quantised_outputs(model: Any) -> Set[str]:
    """Name the layers whose output is a tensor of the TFLite file, so not those that are fused with another."""
    return {layer.name for layer in model.layers if _is_tensor(layer)}


def _is_tensor(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind in UNCHANGED:
        return False
    readers = [node.outbound_layer for node in layer.outbound_nodes]
    linear = getattr(layer, "activation", tf.keras.activations.linear) is tf.keras.activations.linear
    if len(readers) != 1 or not linear:
        return True
    folded = kind in KERNEL and type(readers[0]).__name__ == "BatchNormalization"
    return not (folded or (kind in FUSES_RELU and _is_relu(readers[0])))


def _is_relu(layer: Any) -> bool:
    kind = type(layer).__name__
    return kind == "ReLU" or (kind == "Activation" and layer.activation is tf.keras.activations.relu)


def _annotated(layer: Any, ends: Set[str]) -> Any:
    """Annotate every layer: TFMOT would quantise what one that is not annotated hands to one that is."""
    clone = type(layer).from_config(layer.get_config())
    config = Config(type(layer).__name__, output=layer.name in ends)
    return tfmot.quantization.keras.quantize_annotate_layer(clone, quantize_config=config)


def _by_name(layer: Any) -> Dict[str, Any]:
    return {_last(variable.name): variable for variable in layer.weights}


def _last(name: str) -> str:
    return name.rpartition("/")[2]
