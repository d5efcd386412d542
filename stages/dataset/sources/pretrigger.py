"""What a detector's front end can tell of a neutrino event before it is read out: how many pixels reach each threshold.

The events are those of the simulation in liquid argon, in the collection view w. A waveform here is 64 counts, of the
pixels at or above 64 thresholds that are `threshold_step` apart: counters behind comparators make them while the charge
drifts, and they do not depend on where the event is. An electron's shower has more charge in a pixel than a track.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import SEED, Source
from stages.dataset.sources._lartpc import PHYSICS
from stages.spec import Output, Parameter

if TYPE_CHECKING:
    from stages.contract import Step

SOURCE = Source(
    name="pretrigger",
    summary="counts of pixels over thresholds in simulated neutrino events: other, cc_nue",
    tasks=("waveforms",),
    outputs=(Output("waveforms.npz", "npz"),),
    parameters=(
        Parameter("train_counts", "int", 8192, "events in the training split", minimum=256, maximum=1_000_000),
        Parameter("test_counts", "int", 4096, "events in the test split", minimum=64, maximum=1_000_000),
        SEED,
        Parameter(
            "threshold_step", "int", 4, "counts from a threshold to the next, of 255 of a pixel", minimum=1, maximum=64
        ),
        *PHYSICS,
    ),
)


def make(step: Step) -> None:
    """Simulate the events that the parameters ask for, and count."""
    from stages.dataset.pretrigger import make as pretrigger

    pretrigger(step)
