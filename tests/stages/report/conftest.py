"""A report that many tests look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reports import made
from synthetic_run import Run

if TYPE_CHECKING:
    from stages.contract import Step


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run")).whole("inceptionv3", "resnet50v2")


@pytest.fixture(scope="module")
def report(run: Run) -> Step:
    return made(run, run.root / "report" / "out")
