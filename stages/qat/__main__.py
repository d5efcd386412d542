"""The qat stage: quantisation-aware training from the float checkpoint, in the recipe's way (`ways/`).

What `qat-int8` leaves is a float network again, whose weights do well once they are rounded. They go through the same
conversion as any others, so its file has the operators of `ptq-int8`, every activation a range, and no float tensor.
"""

from __future__ import annotations

from stages.contract import Step, run
from stages.qat.data import read
from stages.qat.settings import Settings


def main(step: Step) -> None:
    """Train, or take up a training that was ended; test the simulated network."""
    settings = Settings.read(step.parameters)
    data = read(step, settings)
    from stages.qat.job import Job  # TensorFlow takes seconds to import: wrong data is told before

    Job(step, settings, data).run()


if __name__ == "__main__":
    run(main)
