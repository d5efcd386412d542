"""A store with one run of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes import FakeEngine
from verifybench import Bench, Steps

from coralline import catalogue, session
from coralline.verify import examine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    engine = FakeEngine(behaviours=Steps(), blocked_images={"compile": "no vendor"})
    for room in (session, examine):
        monkeypatch.setattr(room, "choose", lambda _name, _notify: engine)
    monkeypatch.setenv(catalogue.ARTIFACTS_VARIABLE, str(tmp_path / "artifacts"))
    return Bench(tmp_path / "artifacts", engine, capsys)
