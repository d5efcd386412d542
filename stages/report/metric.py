"""Which score a report names first: that of what its models learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict

from stages.models import load_models

if TYPE_CHECKING:
    from stages.report.gather import Gathered

USUAL = "balanced_accuracy"
TITLES: Dict[str, str] = {"iou": "IoU"}


def first_of(model: str) -> str:
    """Name the first score of a model as its records do."""
    known = load_models()
    return known[model].metrics[0] if model in known else USUAL


def title(metric: str) -> str:
    """Name a score for a heading."""
    return TITLES.get(metric, metric.replace("_", " "))


def first_title(gathered: Gathered) -> str:
    """Name the first score of all models, for a heading that they share."""
    return " or ".join(sorted({title(first_of(model)) for model in gathered.models})) or title(USUAL)
