"""Simulated neutrino events in liquid argon, three classes: the source when the user gives no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import Source
from stages.dataset.sources._lartpc import COUNTS, PHYSICS

if TYPE_CHECKING:
    from stages.contract import Step

SOURCE = Source(
    name="simulate",
    summary="simulated neutrino events in liquid argon: cc_numu, cc_nue, nc",
    tasks=("classification",),
    parameters=(*COUNTS, *PHYSICS),
)


def make(step: Step) -> None:
    """Simulate the events that the parameters ask for."""
    from stages.dataset import simulate

    simulate.make(step)
