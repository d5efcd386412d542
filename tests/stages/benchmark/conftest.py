"""What the tests in the benchmark image share: a data set, and files that tell its classes apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import make_dataset

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "blobs"


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 3 classes, 32 px: 20 training and 8 test images of each."""
    return make_dataset(tmp_path_factory.mktemp("blobs"), size=32)


@pytest.fixture(params=["float32", "ptq-int8"])
def converted(request: pytest.FixtureRequest) -> Path:
    """The folder of a small TFLite file."""
    return FILES / str(request.param)
