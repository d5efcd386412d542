"""Rewrite what TFLite's quantiser cannot represent well; the network computes the same function afterwards.

A BatchNorm that follows no convolution (the pre-activation of ResNetV2 and DenseNet) cannot be folded. The converter
makes MUL and ADD of it, whose constants have one scale for all channels in int8: channels with a small factor lose it.
As a 1x1 depthwise convolution it has a scale for each channel and an int32 bias, takes one operator with its ReLU
instead of two, and is known to every runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDED_INTO = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense")
# Of the largest number that enters the last layer: units in the last place of float32 through a few hundred layers.
# What the last layer and its softmax make of a difference depends on how large its weights are, and how near a tie is.
TOLERANCE = 1e-3


def rewrite(model: Any) -> Tuple[Any, List[str]]:
    """Replace every BatchNorm that cannot be folded; return the network and the names of the replaced layers.

    Raises:
        RuntimeError: the rewritten network computes something else.
    """
    import tensorflow as tf

    names = lone_batchnorms(model)
    if not names:
        return model, []
    rewritten = tf.keras.models.clone_model(model, clone_function=lambda layer: _clone(layer, names))
    for layer in rewritten.layers:
        original = model.get_layer(layer.name)
        layer.set_weights(_as_depthwise(original) if layer.name in names else original.get_weights())
    _prove(model, rewritten)
    return rewritten, names


def lone_batchnorms(model: Any) -> List[str]:
    """Name the BatchNorm layers that the converter cannot fold into the layer before them."""
    return [layer.name for layer in model.layers if _is_of_channels(layer) and not _folds(layer)]


def _is_of_channels(layer: Any) -> bool:
    """Whether a layer is a BatchNorm over the last axis of a map, as a depthwise convolution could be."""
    return type(layer).__name__ == "BatchNormalization" and len(layer.output_shape) == 4 and list(layer.axis) == [3]


def _folds(layer: Any) -> bool:
    """Whether the only thing between a linear convolution's sums and its one reader is this BatchNorm."""
    nodes = layer.inbound_nodes
    before = nodes[0].inbound_layers
    if len(nodes) != 1 or isinstance(before, list) or type(before).__name__ not in FOLDED_INTO:
        return False
    return bool(before.get_config()["activation"] == "linear" and len(before.outbound_nodes) == 1)


def _clone(layer: Any, names: List[str]) -> Any:
    import tensorflow as tf

    if layer.name in names:
        return tf.keras.layers.DepthwiseConv2D(1, name=layer.name)
    return type(layer).from_config(layer.get_config())


def _as_depthwise(batchnorm: Any) -> List[Any]:
    """Kernel [1, 1, channels, 1] and bias [channels] that do what the BatchNorm does when predicting."""
    mean, variance = batchnorm.moving_mean.numpy(), batchnorm.moving_variance.numpy()
    factor = 1 / np.sqrt(variance.astype(np.float64) + batchnorm.epsilon)
    if batchnorm.scale:
        factor *= batchnorm.gamma.numpy()
    bias = -mean * factor
    if batchnorm.center:
        bias += batchnorm.beta.numpy()
    return [factor.reshape(1, 1, -1, 1).astype(np.float32), bias.astype(np.float32)]


def _prove(model: Any, rewritten: Any) -> None:
    pixels = np.random.default_rng(0).random((2, *model.input_shape[1:]), np.float32)
    before, after = (_features(one, pixels) for one in (model, rewritten))
    difference = float(np.abs(before - after).max() / (np.abs(before).max() or 1))
    if not difference <= TOLERANCE:
        raise RuntimeError("the rewritten network differs by %g of its largest number" % difference)


def _features(model: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute what enters the last layer; [image, ...]."""
    import tensorflow as tf

    found: NDArray[np.float32] = tf.keras.Model(model.inputs, model.layers[-1].input)(pixels, training=False).numpy()
    return found
