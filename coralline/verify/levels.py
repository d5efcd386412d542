"""The promise of reproducibility by levels, as data: docs/explanation/reproducibility.md says what proves each."""

from __future__ import annotations

LEVELS = {
    "L0": "images rebuild to the same layers",
    "L1": "the same inputs give the same bytes: events from a seed, a file from weights, a report from its artifacts",
    "L2": "the same file compiles to the same bytes but for the compiler's token",
    "L3": "training gives the same bytes on the same kind of processor with as many threads",
    "L4": "scores fall within a stated interval anywhere, latencies on the same machine",
}
OF_STAGES = {"train": "L3", "qat": "L3", "compile": "L2", "benchmark": "L4"}
OTHERWISE = "L1"


def level_of(stage: str, *, statistical: bool = False) -> str:
    """Return the level that equal artifacts of a stage prove; equal scores of unequal bytes prove the last one only."""
    return "L4" if statistical else OF_STAGES.get(stage, OTHERWISE)
