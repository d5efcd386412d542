"""Makes a data set of simulated pulses, half of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stages.dataset.waveforms.pulses import simulate
from stages.dataset.waveforms.settings import Settings
from stages.dataset.waveforms.written import write
from stages.progress import Progress
from stages.waveforms import SPLITS, Scan, Split

if TYPE_CHECKING:
    from stages.contract import Step

CLASSES = ("single", "double")
SCAN = Scan("delay of the second pulse", "ns", 1000)
ABOUT = (
    "The waveforms are simulated pulses of a silicon photomultiplier behind a scintillator: light as photoelectrons"
    " that are independent of each other, cells that never saturate, white noise. An accuracy measured here is one on"
    " this simulation."
)
BATCH = 1024  # waveforms simulated at a time; a part of what the seed means


def make(step: Step) -> None:
    """Simulate the pulses that the parameters ask for."""
    settings = Settings.read(step.parameters)
    counts = {split: int(step.parameters["%s_pulses" % split]) for split in SPLITS}
    progress = Progress(step, sum(counts.values()), "waveform")
    splits = {}
    for number_of_split, split in enumerate(SPLITS):
        random = np.random.default_rng([int(step.parameters["seed"]), number_of_split])
        splits[split] = _split(settings, counts[split], random, progress)
    write(step, ABOUT, CLASSES, splits, bits=settings.bits, scan=SCAN, sample_ns=settings.sample_ns)


def _split(settings: Settings, count: int, random: np.random.Generator, progress: Progress) -> Split:
    labels = random.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    made = []
    for begin in range(0, count, BATCH):
        made.append(simulate(settings, labels[begin : begin + BATCH], random))
        progress.advance(len(made[-1].codes))
    codes, delays = (np.concatenate([getattr(pulses, name) for pulses in made]) for name in ("codes", "delay_ps"))
    return Split(codes, labels, delays)
