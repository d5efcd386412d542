"""What the tests in the train image share: TensorFlow imported once, a tiny network, and a data set for it."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest
from synthetic import make_dataset

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside these packages as they are imported: theirs to mend
    import matplotlib.figure  # noqa: F401
    import tensorflow as tf
    import tensorflow_model_optimization  # noqa: F401

    tf.keras.utils.set_random_seed(1)  # op determinism refuses unseeded randomness
    tf.config.experimental.enable_op_determinism()
    tf.keras.backend.experimental.enable_tf_random_generator()

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    """Let Keras 2.15 draw its seeds with `randint(1, 1e9)`, which Python deprecates."""
    config.addinivalue_line("filterwarnings", "ignore:non-integer arguments to randrange:DeprecationWarning")


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 3 classes, 16 px: 20 training and 8 test images of each."""
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=16)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 32 px, the smallest that real networks take."""
    return make_dataset(tmp_path_factory.mktemp("wide"), size=32)
