"""What all tests share: the project on the path and a fixed surrounding."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]

# How quick a machine is, and what else it does meanwhile, is no property of the code.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("anywhere")


@pytest.fixture(autouse=True)
def _fixed_surrounding(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CORALLINE_ARTIFACTS",
        "CORALLINE_OFFLINE",
        "NO_COLOR",
        "FORCE_COLOR",
        "CORALLINE_LEASH",
        "CORALLINE_STEP",
        "GITHUB_ACTIONS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    os.umask(0o022)
