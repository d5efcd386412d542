"""The train stage: float32 legacy-Keras weights of the best epoch, their scores on the test split, and the history."""

from __future__ import annotations

from stages.contract import Step, run
from stages.train.data import Data
from stages.train.settings import Settings


def main(step: Step) -> None:
    """Train, or take up a training that was ended, and test the best epoch."""
    settings = Settings.read(step.parameters)
    data = Data.read(step, settings)
    from stages.train.job import Job  # TensorFlow takes seconds to import: wrong data is told before

    Job(step, settings, data).run()


if __name__ == "__main__":
    run(main)
