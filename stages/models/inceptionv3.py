"""InceptionV3 (Szegedy et al., arXiv:1512.00567)."""

from __future__ import annotations

from typing import Any

from stages.models import CENTRED, Model

MODEL = Model(name="inceptionv3", title="InceptionV3", input_size=299, smallest_input=75, prepared=CENTRED)


def build(size: int, classes: int) -> Any:
    """Return the network of `tf.keras.applications`, untrained."""
    import tensorflow as tf

    return tf.keras.applications.InceptionV3(weights=None, input_shape=(size, size, 3), classes=classes)
