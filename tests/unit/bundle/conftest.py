"""A store with one small finished run and its bundle: one's own, or made once for all that only read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bundles import Sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return Sample(tmp_path / "store").make()


@pytest.fixture
def bundle(sample: Sample, tmp_path: Path) -> Path:
    return sample.bundle(tmp_path / "it.zip")


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("store")).make()


@pytest.fixture(scope="session")
def good(lasting: Sample, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return lasting.bundle(tmp_path_factory.mktemp("bundle") / "it.zip").read_bytes()
