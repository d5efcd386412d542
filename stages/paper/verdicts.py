"""What may be said of one of our values beside the paper's, and by which rule: never more than was measured.

An accuracy is judged by our interval alone. A latency is judged only where processor and image size are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    from stages.paper.places import Spot
    from stages.paper.published import Value
    from stages.report.gather import Artifact

AGREES = "agrees"
BETTER = "better"
WORSE = "worse"
OTHER_HARDWARE = "other hardware"
OTHER_SIZE = "other image size"
NO_INTERVAL = "no interval"
NOT_MEASURABLE = "not measurable here"
NOT_RUN = "not run"
NOT_PUBLISHED = "not in the paper"
RULES = {
    "accuracy": (
        "The verdict: 'agrees' when the paper's value lies within our 95 % bootstrap interval over the test "
        "images, 'better' when it lies below, 'worse' when it lies above. The paper gives no interval, so its own "
        "spread is not counted: read 'better' and 'worse' as marked differences, not as proofs; of twenty cells "
        "that agree, one is marked by chance. The data sets differ, so what compares is what a step costs, more "
        "than where it starts."
    ),
    "latency": (
        "Latencies of different processors, or of images of different size, are given as a ratio and not judged. "
        "On the paper's own kind of processor with images of its size: 'agrees' when the means differ by no more "
        "than the two standard deviations added, else 'better' (faster) or 'worse'."
    ),
    "energy": (
        "Both sides are a proxy, TDP times mean latency: nobody measured these energies. They are judged as the "
        "latencies are."
    ),
}


@dataclass(frozen=True)
class Ours:
    """A value of ours in the paper's unit, with what is known of its spread, and the artifact whose record has it."""

    value: float
    artifact: Artifact
    n: Optional[int] = None
    low: Optional[float] = None
    high: Optional[float] = None
    std: Optional[float] = None

    def document(self) -> Dict[str, Any]:
        """Describe for `paper.json`."""
        return {
            "value": self.value,
            "n": self.n,
            "interval": None if self.low is None else [self.low, self.high],
            "std": self.std,
            "artifact": self.artifact.key,
        }


@dataclass(frozen=True)
class Comparison:
    """One cell of a table of the paper: its value, ours, the verdict; `reason` says why there is no value of ours."""

    spot: Spot
    published: Optional[Value]
    ours: Optional[Ours]
    verdict: str
    reason: str = ""

    @property
    def difference(self) -> Optional[float]:
        """Ours minus the paper's, in the unit of the table."""
        return None if self.ours is None or self.published is None else self.ours.value - self.published.value

    @property
    def ratio(self) -> Optional[float]:
        """Ours over the paper's."""
        return None if self.ours is None or self.published is None else self.ours.value / self.published.value

    def document(self) -> Dict[str, Any]:
        """Describe for `paper.json`."""
        return {
            "table": self.spot.table,
            "model": self.spot.model,
            "column": self.spot.column,
            "way": self.spot.way,
            "recipe": self.spot.place.recipe,
            "runtime": self.spot.place.runtime,
            "published": self.published and {"value": self.published.value, "std": self.published.std},
            "ours": self.ours and self.ours.document(),
            "difference": self.difference,
            "ratio": self.ratio,
            "verdict": self.verdict,
            "reason": self.reason,
        }


def of_accuracy(published: Optional[Value], ours: Ours) -> str:
    """Judge an accuracy by our own interval."""
    if published is None:
        return NOT_PUBLISHED
    if ours.low is None or ours.high is None:
        return NO_INTERVAL
    if published.value < ours.low:
        return BETTER
    return WORSE if published.value > ours.high else AGREES


def of_duration(published: Optional[Value], ours: Ours, *, same_processor: bool, same_size: bool) -> str:
    """Judge a latency, or an energy that follows from one; smaller is better."""
    if published is None:
        return NOT_PUBLISHED
    if not same_processor:
        return OTHER_HARDWARE
    if not same_size:
        return OTHER_SIZE
    allowed = (published.std or 0.0) + (ours.std or 0.0)
    if abs(ours.value - published.value) <= allowed:
        return AGREES
    return BETTER if ours.value < published.value else WORSE


def of_missing(published: Optional[Value], *, tried: bool) -> str:
    """Name what there is no number of ours for."""
    if published is None:
        return NOT_PUBLISHED
    return NOT_MEASURABLE if tried else NOT_RUN
