"""Simulated neutrino events in liquid argon with the truth of each pixel: nothing, a track or a shower.

An image has 64 pixels along each edge unless `pixels` says otherwise: the field of view stays 224 cm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import Source
from stages.dataset.sources._lartpc import COUNTS, PHYSICS
from stages.dataset.sources._masked import OUTPUTS, PIXELS

if TYPE_CHECKING:
    from stages.contract import Step

SOURCE = Source(
    name="tracks",
    summary="simulated neutrino events with masks: none, track, shower; track pixels are sought",
    tasks=("segmentation",),
    parameters=(*(one for one in COUNTS if one.name != "size"), PIXELS, *PHYSICS),
    outputs=OUTPUTS,
)


def make(step: Step) -> None:
    """Simulate the events that the parameters ask for, and what left the charge of each pixel."""
    from stages.dataset import simulate

    simulate.make_tracks(step)
