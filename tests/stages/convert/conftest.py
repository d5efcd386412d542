"""What the tests in the convert image share: TensorFlow imported once, a data set and networks that know it."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest
from synthetic import make_dataset

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations inside TensorFlow as it is imported: its own to mend
    import tensorflow as tf  # noqa: F401
    import tensorflow_model_optimization  # noqa: F401
    from untrained import make_trained

from stages.convert.__main__ import take_one_core

take_one_core()  # as the stage does before anything else: TensorFlow fixes its threads at its first computation

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    # Keras 2.15 draws its seeds with `random.randint(1, 1e9)`.
    config.addinivalue_line("filterwarnings", "ignore:non-integer arguments to randrange:DeprecationWarning")


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 3 classes, 32 px: 20 training and 8 test images of each."""
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=32)


@pytest.fixture(scope="session")
def inception(tmp_path_factory: pytest.TempPathFactory, blobs: Path) -> Path:
    """InceptionV3 at its smallest input; 6 of the 60 training images were kept for validation."""
    return make_trained(tmp_path_factory.mktemp("trained") / "inceptionv3", blobs, "inceptionv3", 75, kept=6)


@pytest.fixture(scope="session")
def efficientnet(tmp_path_factory: pytest.TempPathFactory, blobs: Path) -> Path:
    """EfficientNetV2B0 at 32 px: squeeze-excite blocks, swish and depthwise convolutions."""
    return make_trained(tmp_path_factory.mktemp("trained") / "efficientnetv2b0", blobs, "efficientnetv2b0", 32)


@pytest.fixture(scope="session")
def resnet(tmp_path_factory: pytest.TempPathFactory, blobs: Path) -> Path:
    """ResNet50V2 at 32 px: BatchNorm before the convolutions."""
    return make_trained(tmp_path_factory.mktemp("trained") / "resnet50v2", blobs, "resnet50v2", 32)
