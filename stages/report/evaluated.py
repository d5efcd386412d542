"""What answered for every test image: a file on a runtime, or a network that simulates a file (the qat stage's)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, List

from stages.report.gather import recipe_order
from stages.report.table import Cell, word

if TYPE_CHECKING:
    from stages.report.gather import Artifact, Gathered

SIMULATED = "simulated"


def evaluated(gathered: Gathered) -> List[Artifact]:
    """List all that have `predictions.csv`, a simulated network before the files that were made from it."""
    both = [*gathered.of("qat"), *gathered.of("benchmark")]
    return sorted(both, key=lambda one: (one.axis("model") or "", recipe_order(one.axis("recipe") or "")))


def is_simulated(artifact: Artifact) -> bool:
    """Whether it is of a network that is in no file."""
    return artifact.stage == "qat"


def metric(artifact: Artifact, name: str) -> str:
    """Name a score as its record does: what was simulated never looks like what was measured."""
    return "%s_%s" % (SIMULATED, name) if is_simulated(artifact) else name


def runtime_cell(artifact: Artifact) -> Cell:
    """Return a cell that names what computed, and says when it simulated."""
    if not is_simulated(artifact):
        return word(artifact.axis("runtime"))
    number = artifact.number(metric(artifact, "balanced_accuracy")) or {}
    return replace(word(number.get("runtime")), detail=SIMULATED)
