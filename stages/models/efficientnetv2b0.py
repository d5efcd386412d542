"""EfficientNetV2B0 (Tan and Le, arXiv:2104.00298)."""

from __future__ import annotations

from typing import Any

from stages.models import IMAGENET, Model

MODEL = Model(name="efficientnetv2b0", title="EfficientNetV2B0", input_size=224, prepared=IMAGENET)


def build(size: int, classes: int) -> Any:
    """Build the untrained network of `tf.keras.applications` without its rescaling of inputs: ours are in [0, 1]."""
    import tensorflow as tf

    return tf.keras.applications.EfficientNetV2B0(
        weights=None, input_shape=(size, size, 3), classes=classes, include_preprocessing=False
    )
