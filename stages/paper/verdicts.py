"""What may be said of one of our values beside the paper's, and by which rule: never more than was measured.

An accuracy is judged by the intervals of both sides. A latency is judged only where processor and image size are the
paper's and nothing that decides it is unknown, an energy only where the TDP is the paper's too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional

from stages.report.evaluated import runtime_cell
from stages.report.table import word

if TYPE_CHECKING:
    from stages.paper.places import Spot
    from stages.paper.published import Value
    from stages.report.energy import Energy
    from stages.report.gather import Artifact
    from stages.report.table import Cell

AGREES = "agrees"
BETTER = "better"
WORSE = "worse"
OTHER_HARDWARE = "other hardware"
OTHER_SIZE = "other image size"
OTHER_TDP = "other TDP"
NO_THREADS = "threads not published"
NO_INTERVAL = "no interval"
NOT_MEASURABLE = "not measurable here"
NOT_RUN = "not run"
NOT_PUBLISHED = "not in the paper"
RULES = {
    "accuracy": (
        "The verdict: 'agrees' when the 95 % interval of ours minus the paper's holds zero, else 'better' or "
        "'worse'. That interval adds the two half-widths in squares. Ours is a bootstrap over the test images. The "
        "paper gives none, nor its recalls: its own is the binomial one of its numbers of test events, as if every "
        "class had the balanced accuracy for its recall. Neither counts what another training would give, and no "
        "correction is made for the number of cells: read 'better' and 'worse' as marked differences, not as "
        "proofs. The data sets differ, so what compares is what a step costs, more than where it starts."
    ),
    "latency": (
        "Latencies of different processors, of a slice of one (MIG), or of images of different size are given as a "
        "ratio and not judged. Nor are those of a CPU, whichever it is: how many threads the paper's ran on is not "
        "known to us. On the paper's GPU or Edge TPU with images of its size: 'agrees' when the means differ by no "
        "more than the two standard deviations added, else 'better' (faster) or 'worse'."
    ),
    "energy": (
        "Both sides of the comparison are a proxy, TDP times mean latency. With the paper's TDP a cell has the "
        "verdict of its latency; with another it is given as a ratio and not judged. What a power meter measured, "
        "above idle, stands in a column of its own and is compared with nothing."
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
    """One cell of a table of the paper: its value, ours, the verdict; `reason` says why there is no value of ours.

    `energy` is what is known of it in the table of energies, also what a power meter measured.
    """

    spot: Spot
    published: Optional[Value]
    ours: Optional[Ours]
    verdict: str
    reason: str = ""
    energy: Optional[Energy] = None

    @property
    def runtime(self) -> Cell:
        """What computed our value, and whether it simulated; what was to, where there is none."""
        return word(self.spot.place.runtime) if self.ours is None else runtime_cell(self.ours.artifact)

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
            "runtime": self.runtime.text,
            "published": self.published and {"value": self.published.value, "std": self.published.std},
            "ours": self.ours and self.ours.document(),
            "measured": self.energy and self.energy.document(),
            "difference": self.difference,
            "ratio": self.ratio,
            "verdict": self.verdict,
            "reason": self.reason,
        }


def of_accuracy(published: Optional[Value], ours: Ours, half_width: float) -> str:
    """Judge an accuracy; `half_width` is that of the paper's own 95 % interval.

    The interval of the difference takes from either side the half-width that faces the other, and adds them in squares
    (Newcombe, Statistics in Medicine 17 (1998) 873).
    """
    if published is None:
        return NOT_PUBLISHED
    if ours.low is None or ours.high is None:
        return NO_INTERVAL
    facing = ours.value - ours.low if published.value < ours.value else ours.high - ours.value
    if abs(ours.value - published.value) <= math.hypot(facing, half_width):
        return AGREES
    return BETTER if published.value < ours.value else WORSE


def of_duration(published: Optional[Value], ours: Ours, bar: str = "") -> str:
    """Judge a latency, the smaller the better; `bar` is the verdict where something forbids that."""
    if published is None:
        return NOT_PUBLISHED
    if bar:
        return bar
    allowed = (published.std or 0.0) + (ours.std or 0.0)
    if abs(ours.value - published.value) <= allowed:
        return AGREES
    return BETTER if ours.value < published.value else WORSE


def of_missing(published: Optional[Value], *, tried: bool) -> str:
    """Name what there is no number of ours for."""
    if published is None:
        return NOT_PUBLISHED
    return NOT_MEASURABLE if tried else NOT_RUN
