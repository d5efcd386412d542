"""ResNet50V2 (He et al., arXiv:1603.05027)."""

from __future__ import annotations

from typing import Any

from stages.models import CENTRED, Model

MODEL = Model(name="resnet50v2", title="ResNet50V2", input_size=224, prepared=CENTRED)


def build(size: int, classes: int) -> Any:
    """Build the untrained network of `tf.keras.applications`."""
    import tensorflow as tf

    return tf.keras.applications.ResNet50V2(weights=None, input_shape=(size, size, 3), classes=classes)
