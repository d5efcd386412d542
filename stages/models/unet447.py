"""A U-Net of 447 parameters that finds pixels: one level, a skip connection, one sigmoid (not any paper's own layout).

84 + 140 + 219 + 4 parameters: encoder of 3 channels, bottleneck of 5, decoder of 3 on both, and the answer. What it
finds is what the data seeks: track pixels (`tracks`), transition lines (`stability`), or the masks of the user's own.
"""

from __future__ import annotations

from typing import Any

from stages.models import Model

MODEL = Model(
    name="unet447",
    title="U-Net of 447 parameters",
    input_size=64,
    smallest_input=2,
    task="segmentation",
    source="tracks",
    metrics=("iou", "pixel_accuracy"),
    tiny=True,
    recipes=("float32", "float16", "dynamic", "ptq-int8-stock", "ptq-int8", "qat-int8", "qat-int4", "int2"),
)
ENCODER, BOTTLENECK, DECODER = 3, 5, 3


def build(size: int, classes: int) -> Any:
    """Build it for images of an even edge; a network with one output tells two classes apart.

    Raises:
        ValueError: the edge is odd, or the classes are not two.
    """
    import tensorflow as tf

    if size % 2 or classes != 2:
        raise ValueError("it halves the image once and finds one kind of pixel: %d px, %d classes" % (size, classes))
    layers = tf.keras.layers
    image = layers.Input((size, size, 3))
    encoded = _convolution(image, ENCODER)
    deep = _convolution(layers.MaxPooling2D()(encoded), BOTTLENECK)
    joined = layers.Concatenate()([layers.UpSampling2D(interpolation="nearest")(deep), encoded])
    answer = layers.Conv2D(1, 1, activation="sigmoid")(_convolution(joined, DECODER))
    return tf.keras.Model(image, answer, name="unet447")


def _convolution(values: Any, channels: int) -> Any:
    import tensorflow as tf

    return tf.keras.layers.Conv2D(channels, 3, padding="same", activation="relu")(values)
