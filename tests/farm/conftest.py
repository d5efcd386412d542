"""A farm of two workers, and what is made on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from field import Field, cluster, placed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    with cluster() as found:
        yield found


@pytest.fixture
def field(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    return placed(Field(tmp_path, client), monkeypatch)
