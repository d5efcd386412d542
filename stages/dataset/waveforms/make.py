"""Makes a data set of simulated waveforms: `dataset.json` and `waveforms.npz`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from stages.arrays import write_arrays
from stages.contract import Step, number, write_json
from stages.dataset.waveforms.pulses import simulate
from stages.dataset.waveforms.settings import Settings
from stages.progress import Progress
from stages.waveforms import NAME, SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("single", "double")
ABOUT = (
    "The waveforms are simulated pulses of a silicon photomultiplier behind a scintillator: light as photoelectrons"
    " that are independent of each other, cells that never saturate, white noise. An accuracy measured here is one on"
    " this simulation."
)
BATCH = 1024  # waveforms simulated at a time; a part of what the seed means


def make(step: Step) -> None:
    """Simulate the pulses that the parameters ask for, half of each class."""
    settings = Settings.read(step.parameters)
    counts = {split: int(step.parameters["%s_pulses" % split]) for split in SPLITS}
    progress = Progress(step, sum(counts.values()), "waveform")
    arrays: Dict[str, NDArray[Any]] = {}
    for number_of_split, split in enumerate(SPLITS):
        random = np.random.default_rng([int(step.parameters["seed"]), number_of_split])
        arrays.update(_split(settings, split, counts[split], random, progress))
    write_arrays(step.out / NAME, arrays)
    labels = {split: arrays["%s_labels" % split] for split in SPLITS}
    write_json(step.out / "dataset.json", _document(settings, labels))
    step.record([number("waveforms", sum(counts.values()), "1")], {"splits": counts})


def _split(
    settings: Settings, split: str, count: int, random: np.random.Generator, progress: Progress
) -> Dict[str, NDArray[Any]]:
    labels = random.permutation(np.arange(count) % len(CLASSES)).astype(np.uint8)
    made = []
    for begin in range(0, count, BATCH):
        made.append(simulate(settings, labels[begin : begin + BATCH], random))
        progress.advance(len(made[-1].codes))
    return {
        "%s_codes" % split: np.concatenate([pulses.codes for pulses in made]),
        "%s_delay_ps" % split: np.concatenate([pulses.delay_ps for pulses in made]),
        "%s_labels" % split: labels,
    }


def _document(settings: Settings, labels: Dict[str, NDArray[Any]]) -> Dict[str, Any]:
    """Describe the data set as every source does; there are no images, so their size is null."""
    return {
        "schema": "coralline.dataset",
        "version": 1,
        "source": "waveforms",
        "about": ABOUT,
        "classes": list(CLASSES),
        "size": None,
        "splits": {
            split: {name: int((found == label).sum()) for label, name in enumerate(CLASSES)}
            for split, found in labels.items()
        },
        "skipped": [],
        "arrays": NAME,
        "samples": settings.samples,
        "bits": settings.bits,
        "sample_ns": settings.sample_ns,
    }
