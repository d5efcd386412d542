"""One Keras: tf_keras beside TensorFlow's own breaks the model optimisation toolkit, so no lock may bring it."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it compares versions with distutils
    import tensorflow_model_optimization as tfmot

DOCKER = Path(__file__).resolve().parents[3] / "docker"


@pytest.mark.parametrize("image", ["train", "train-gpu", "convert"])
def test_no_lock_brings_tf_keras(image: str) -> None:
    pinned = dict(re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", (DOCKER / image / "requirements.lock").read_text()))
    assert not {"tf-keras", "tf_keras"} & set(pinned)
    assert pinned["keras"] == "2.15.0"
    assert pinned["tensorflow-model-optimization"] == "0.7.5"


def test_tf_keras_cannot_be_imported_here() -> None:
    assert importlib.util.find_spec("tf_keras") is None


def test_the_toolkit_quantises_a_model_of_this_keras() -> None:
    inputs = tf.keras.layers.Input((8, 8, 3))
    hidden = tf.keras.layers.ReLU()(tf.keras.layers.Conv2D(4, 3)(inputs))
    outputs = tf.keras.layers.Dense(2, activation="softmax")(tf.keras.layers.Flatten()(hidden))
    quantised = tfmot.quantization.keras.quantize_model(tf.keras.Model(inputs, outputs))
    assert any("quant" in layer.name for layer in quantised.layers)
    assert np.isfinite(quantised(np.ones((1, 8, 8, 3), np.float32)).numpy()).all()
