"""Simulated charge-stability diagrams of a double quantum dot with the truth: transition lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import Source
from stages.dataset.sources._lartpc import COUNTS
from stages.dataset.sources._masked import OUTPUTS, PIXELS
from stages.spec import Parameter

if TYPE_CHECKING:
    from stages.contract import Step

SHARED = ("train_events", "test_events", "seed")

SOURCE = Source(
    name="stability",
    summary="simulated charge-stability diagrams of a double quantum dot with masks; transition lines are sought",
    tasks=("segmentation",),
    parameters=(
        *(one for one in COUNTS if one.name in SHARED),
        PIXELS,
        Parameter(
            "sensor_noise", "float", 1.0, "multiplies the white and the 1/f noise of the sensor", minimum=0, maximum=10
        ),
    ),
    outputs=OUTPUTS,
)


def make(step: Step) -> None:
    """Simulate the diagrams that the parameters ask for."""
    from stages.dataset import diagrams

    diagrams.make(step)
