"""A store with one small finished run, and its bundle: made once for all that only read them."""

from __future__ import annotations

import pytest
from bundles import Sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("store")).make()


@pytest.fixture(scope="session")
def good(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sample.bundle(tmp_path_factory.mktemp("bundle") / "it.zip").read_bytes()
