"""Compiler logs for tests: recorded ones, and lines behind a banner."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from stages.edgetpu.log import document as log

FIXTURES = Path(__file__).parent / "fixtures" / "edgetpu"
SEEDS = [path.read_bytes() for path in sorted(FIXTURES.glob("[0-9]*.txt"))]

V1, V20, V20B, V20C = "1.0.249710469", "2.0.267685300", "2.0.291256449", "2.0.258810407"
V21, V14, V15, V16 = "2.1.302470888", "14.1.317412892", "15.0.340273435", "16.0.384591198"
PARTS = {"B": 1, "K": 2**10, "M": 2**20}


def size(text: str | None) -> int | None:
    """`4.21M` in bytes, by arithmetic of its own."""
    return None if text is None else round(Fraction(text[:-1]) * PARTS[text[-1]])


def said(*lines: str, version: str = V16) -> dict[str, Any]:
    return log.document("\n".join((f"Edge TPU Compiler version {version}", *lines)).encode())


def fixture(name: str) -> bytes:
    (path,) = FIXTURES.glob(f"{name}-*.txt")
    return path.read_bytes()
