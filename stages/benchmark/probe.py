"""Opens the stick and says what it found, under the step contract: what `./run doctor --edgetpu` runs in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.benchmark import guard, trouble
from stages.contract import run

if TYPE_CHECKING:
    from stages.contract import Step


def main(step: Step) -> None:
    """Record the stick, the runtime's version and its variant."""
    if not guard.is_child():
        guard.supervise(step, "stages.benchmark.probe")
        return
    from stages.benchmark import edgetpu  # loads the vendor's library: in the child alone

    with trouble.told(step):
        stick, delegate = edgetpu.open_stick()
        step.record(facts=edgetpu.facts(stick))
        del delegate


if __name__ == "__main__":
    run(main)
