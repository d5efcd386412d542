"""Machines of files, on which nothing is installed, for the tests of the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline.doctor.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coralline.doctor.findings import Finding


GIB = 2**30


def here(tmp_path: Path, **changed: Any) -> Machine:
    """A machine of files, on which nothing is installed."""
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    values: dict[str, Any] = {"artifacts": tmp_path / "artifacts", "environ": {}, "root": root}
    return Machine(**(values | changed))


def severities(found: Iterable[Finding]) -> dict[str, str]:
    return {finding.id: str(finding.severity) for finding in found}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
