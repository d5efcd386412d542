"""The tools of the synthesise image, which not every machine has."""

from __future__ import annotations

import shutil

import pytest

from stages.synthesise.spec import SPEC


@pytest.fixture(scope="session", autouse=False)
def tools() -> None:
    """Skip a test where a tool is missing: the system tests run the same in the image."""
    image = SPEC.variants[0].image
    lacking = [name for name in ("ghdl", "iverilog", "vvp", "yosys", "nextpnr-ice40") if shutil.which(name) is None]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} of the image {image} are not installed")
