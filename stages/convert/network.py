"""Keras to TFLite by TensorFlow's converter, with a batch of exactly one image.

A dynamic batch makes the converter emit SHAPE, STRIDED_SLICE, PACK and RESHAPE around every squeeze-excite block and
is refused by the Edge TPU's compiler; a function of one fixed shape has none of that.
"""

from __future__ import annotations

import warnings
from typing import Any

import tensorflow as tf

from stages.images import are_bytes_of_images
from stages.tflite.model import inputs_and_outputs, read_model


def converter(model: Any) -> Any:
    """Make a `TFLiteConverter` for a Keras network, to be set up by the recipe."""
    image = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="image")
    function = tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(image)
    made = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    # By default the graph takes a detour over a SavedModel on disk: the same operators and weights, five times the
    # time (InceptionV3: 29 s instead of 6 s).
    made.experimental_lower_to_saved_model = False
    return made


def quantised_flatbuffer(made: Any) -> bytes:
    """Run a converter that was set up for int8; without the warning that it gives to whoever has no input statistics.

    Those were the way of an older quantiser; images and simulated ranges take their place.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        return bytes(made.convert())


def takes_images(content: bytes) -> bool:
    """Whether a file's input is float, or the bytes of an image as they are: the range that was seen decides."""
    (entry, *_), _ = inputs_and_outputs(read_model(content))
    return entry.dtype == "float32" or are_bytes_of_images(entry.scales[0], entry.zero_points[0])


def float_flatbuffer(model: Any) -> bytes:
    """Convert to float32: BatchNorm folded into convolutions, activations fused, nothing quantised."""
    return bytes(converter(model).convert())
