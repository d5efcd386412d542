"""What the tests of sensitivity share: TensorFlow imported once, a data set and a network that knows it."""

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
    import tensorflow as tf  # noqa: F401
    from untrained import make_trained

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
def efficientnet(tmp_path_factory: pytest.TempPathFactory, blobs: Path) -> Path:
    """EfficientNetV2B0 at 32 px; all training images count as kept for validation."""
    return make_trained(tmp_path_factory.mktemp("trained") / "efficientnetv2b0", blobs, "efficientnetv2b0", 32, kept=60)
