"""The data files of this folder, read once: what is known of the compiler and of the chip, each with its source."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Dict

FOLDER = Path(__file__).parent


@cache
def read(name: str) -> Dict[str, Any]:
    """Read `NAME.json`."""
    told: Dict[str, Any] = json.loads((FOLDER / (name + ".json")).read_text(encoding="utf-8"))
    return told


def operators() -> Dict[str, Any]:
    """Read what the compiler does with each operator."""
    return read("operators")
