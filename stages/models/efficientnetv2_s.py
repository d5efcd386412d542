"""EfficientNetV2-S (Tan and Le, arXiv:2104.00298): 21.6 million parameters with 1,000 classes."""

from __future__ import annotations

from typing import Any

from stages.models import Model, Preparation

MODEL = Model(
    name="efficientnetv2-s",
    title="EfficientNetV2-S",
    input_size=384,
    prepared=Preparation(mean=(128 / 255,) * 3, deviation=(128 / 255,) * 3),
)


def build(size: int, classes: int) -> Any:
    """Build the untrained network of `tf.keras.applications` without its rescaling of inputs: ours are in [0, 1]."""
    import tensorflow as tf

    return tf.keras.applications.EfficientNetV2S(
        weights=None, input_shape=(size, size, 3), classes=classes, include_preprocessing=False
    )
