"""EfficientNet-EdgeTPU-S (Gupta and Akin, arXiv:2003.02838): fused inverted bottlenecks, ReLU, no squeeze-excite.

Numbers of stages, widths and strides are those of tensorflow/tpu, models/official/efficientnet/edgetpu. A fused block
widens with a full convolution of stride 1; its stride is that of the 1x1 convolution behind. So there are 5.44 million
parameters with 1,000 classes, and 2.35 billion multiplications of convolutions and head at 224 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.models import Model

MODEL = Model(name="efficientnet-edgetpu-s", title="EfficientNet-EdgeTPU-S", input_size=224)

STEM, TOP = 32, 1280
DROPPED, DROPPED_BRANCHES = 0.2, 0.2  # share at the top, and at the last branch; it grows from nothing at the first


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind: the first has the stride; `base` times `wider` channels are within it."""

    blocks: int
    kernel: int
    stride: int
    wider: int
    base: int
    channels: int
    fused: bool
    shortcut: bool = True


STAGES = (
    Stage(1, 3, 1, 4, 24, 24, fused=True, shortcut=False),
    Stage(2, 3, 2, 8, 24, 32, fused=True),
    Stage(4, 3, 2, 8, 32, 48, fused=True),
    Stage(5, 5, 2, 8, 48, 96, fused=False),
    Stage(4, 5, 1, 8, 96, 144, fused=False),
    Stage(2, 5, 2, 8, 144, 192, fused=False),
)


def build(size: int, classes: int) -> Any:
    """Build the untrained network for `size` x `size` x 3 inputs in [0, 1]."""
    import tensorflow as tf

    layers = tf.keras.layers
    entry = layers.Input((size, size, 3))
    values = _normalised(layers.Conv2D(STEM, 3, strides=2, **_kernel())(entry))
    total, place = sum(stage.blocks for stage in STAGES), 0
    for stage in STAGES:
        for number in range(stage.blocks):
            values = _block(values, stage, first=number == 0, dropped=DROPPED_BRANCHES * place / total)
            place += 1
    values = _normalised(layers.Conv2D(TOP, 1, **_kernel())(values))
    values = layers.Dropout(DROPPED)(layers.GlobalAveragePooling2D()(values))
    return tf.keras.Model(entry, layers.Dense(classes, activation="softmax")(values), name=MODEL.name)


def _block(values: Any, stage: Stage, *, first: bool, dropped: float) -> Any:
    """Widen, convolve, narrow, and add what came in where it has the same shape."""
    from tensorflow.keras import layers

    stride = stage.stride if first else 1
    wide = stage.wider * (stage.base if first else stage.channels)
    if stage.fused:
        inner = _normalised(layers.Conv2D(wide, stage.kernel, **_kernel())(values))
        inner = layers.Conv2D(stage.channels, 1, strides=stride, **_kernel())(inner)
    else:
        inner = _normalised(layers.Conv2D(wide, 1, **_kernel())(values))
        inner = _normalised(_depthwise(stage.kernel, stride)(inner))
        inner = layers.Conv2D(stage.channels, 1, **_kernel())(inner)
    inner = layers.BatchNormalization()(inner)
    if not stage.shortcut or stride != 1 or values.shape[-1] != stage.channels:
        return inner
    if dropped:
        inner = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1))(inner)
    return layers.Add()([inner, values])


def _normalised(values: Any) -> Any:
    from tensorflow.keras import layers

    return layers.ReLU()(layers.BatchNormalization()(values))


def _depthwise(kernel: int, stride: int) -> Any:
    from tensorflow.keras import layers

    told = _kernel()
    return layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, depthwise_initializer=told["kernel_initializer"]
    )


def _kernel() -> dict[str, Any]:
    """Return what all convolutions have in common."""
    from tensorflow.keras import initializers

    return {
        "padding": "same",
        "use_bias": False,
        "kernel_initializer": initializers.VarianceScaling(2.0, "fan_out", "truncated_normal"),
    }
