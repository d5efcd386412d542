"""A network that prepares its images as the makers of its weights did, as one more layer: a 1x1 depthwise convolution.

The values that it gets stay those of all our networks, 0 to 1. As a layer (x - mean) / deviation is exact at the
borders too, where convolutions add zeros, and every recipe and runtime knows it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from stages.models import Preparation

NAME = "preparation"


def with_preparation(model: Any, preparation: Preparation) -> Any:
    """Return the network with the layer before it; weights are drawn anew.

    A training leaves the layer as it is, but two tune it: the fine-tune that ptq-int8 tries last, which knows a file's
    operators and not its layers, and that of qat-int8-paper, where TFMOT trains every kernel that it simulates.
    """
    import tensorflow as tf

    entry = tf.keras.Input(model.input_shape[1:])
    layer = tf.keras.layers.DepthwiseConv2D(1, name=NAME, trainable=False)
    # `call` lays every layer behind the new one by itself, where calling the model would put it there as one layer
    longer = tf.keras.Model(entry, model.call(layer(entry)), name=model.name)
    with warnings.catch_warnings():  # the head of keras.applications' EfficientNetV2 starts from an initialiser of TF's
        warnings.filterwarnings("ignore", ".*keras.initializers.serialize.*", UserWarning)
        made = tf.keras.models.clone_model(longer)
    mean, deviation = (np.array(one, np.float64) for one in preparation)
    kernel = (1 / deviation).reshape(1, 1, -1, 1)
    made.get_layer(NAME).set_weights([kernel.astype(np.float32), (-mean / deviation).astype(np.float32)])
    return made
