"""DenseNet169 (Huang et al., arXiv:1608.06993)."""

from __future__ import annotations

from typing import Any

from stages.models import IMAGENET, Model

MODEL = Model(name="densenet169", title="DenseNet169", input_size=224, prepared=IMAGENET)


def build(size: int, classes: int) -> Any:
    """Build the untrained network of `tf.keras.applications`."""
    import tensorflow as tf

    return tf.keras.applications.DenseNet169(weights=None, input_shape=(size, size, 3), classes=classes)
