"""What the tests of parity share: TensorFlow imported once, small int8 files and a data set."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from synthetic import make_dataset

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside TensorFlow as it is imported: its own to mend
    import tensorflow as tf

from nets import SIZE

from stages.convert.calibration import activations
from stages.convert.int8 import quantise
from stages.convert.network import float_flatbuffer
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

layers = tf.keras.layers


def pytest_configure(config: pytest.Config) -> None:
    # Keras 2.15 draws its seeds with `random.randint(1, 1e9)`.
    config.addinivalue_line("filterwarnings", "ignore:non-integer arguments to randrange:DeprecationWarning")


def int8(network: tf.keras.Model, width: float) -> bytes:
    """Quantise with one range for all activations."""
    flatbuffer = float_flatbuffer(network)
    return quantise(flatbuffer, dict.fromkeys(activations(read_model(flatbuffer)), (-width, width)))


@pytest.fixture(scope="session")
def forked() -> bytes:
    """Branches, a pool that XNNPACK leaves alone, and a head so steep that one step inside shows in the outputs."""
    tf.keras.utils.set_random_seed(3)
    entry = layers.Input((SIZE, SIZE, 3))
    stem = layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(entry)
    left = layers.Conv2D(16, 3, padding="same", activation="relu", name="left")(stem)
    pooled = layers.AveragePooling2D(3, 1, padding="same", name="pooled")(stem)
    right = layers.Conv2D(8, 1, activation="relu", name="right")(pooled)
    joined = layers.Concatenate(name="joined")([left, right])
    last = layers.Conv2D(16, 3, strides=2, name="last")(joined)
    steep = tf.keras.initializers.RandomNormal(stddev=3, seed=1)
    head = layers.Dense(3, activation="softmax", kernel_initializer=steep, name="head")
    return int8(tf.keras.Model(entry, head(layers.Flatten()(last))), 2.0)


@pytest.fixture(scope="session")
def calm() -> bytes:
    """A network whose outputs hardly depend on a step inside it: all kernels give the same bytes."""
    tf.keras.utils.set_random_seed(4)
    entry = layers.Input((SIZE, SIZE, 3))
    largest = layers.MaxPooling2D(7)(layers.Conv2D(8, 3, activation="relu")(entry))
    flat = tf.keras.initializers.RandomNormal(stddev=0.02, seed=1)
    head = layers.Dense(3, activation="softmax", kernel_initializer=flat)
    return int8(tf.keras.Model(entry, head(layers.Flatten()(largest))), 4.0)


@pytest.fixture(scope="session")
def pictures() -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 3 classes: 8 test images of each."""
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=SIZE, train=1)
