"""Makes counts of pixels over thresholds from simulated neutrino events; half of them are cc_nue."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np
from PIL import Image

from stages.dataset import simulate
from stages.dataset.lartpc import CLASSES as KINDS
from stages.dataset.lartpc import generate
from stages.dataset.waveforms.written import write
from stages.waveforms import SPLITS, Scan, Split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.contract import Step

CLASSES = ("other", "cc_nue")
SCAN = Scan("neutrino energy", "GeV", 1000)
THRESHOLDS = 64
BITS = 10  # of a counter, which stays at its end
PIXELS = 224  # a pixel is a wire and a time of 1 cm, as a front end sees them
VALUES = 256  # of a pixel
ABOUT = (
    "A waveform is how many pixels of an event's collection view reach each of 64 thresholds. The events are neutrino "
    "events in liquid argon, simulated by Coralline's own generator, and no measurement."
)


def make(step: Step) -> None:
    """Simulate events, count, and leave no image behind."""
    folder = step.out / "events"
    counts = {split: _shared(int(step.parameters["%s_counts" % split])) for split in SPLITS}
    config = simulate.configured(step.parameters, PIXELS)
    generate(
        folder,
        step.parameters["seed"],
        counts,
        config,
        processes=step.threads,
        progress=lambda done, total: step.progress(done, total, "event"),
    )
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        events = list(csv.DictReader(file))
    splits = {split: _split(step, folder, [one for one in events if one["split"] == split]) for split in SPLITS}
    shutil.rmtree(folder)
    write(step, ABOUT, CLASSES, splits, bits=BITS, scan=SCAN, threshold_step=step.parameters["threshold_step"])


def over(pixels: NDArray[np.uint8], distance: int) -> NDArray[np.uint16]:
    """Count pixels at or above each threshold; the first threshold is `distance`, the next twice that."""
    occurring = np.bincount(pixels.ravel(), minlength=VALUES)
    reaching = np.append(occurring[::-1].cumsum()[::-1], 0)
    thresholds = np.minimum(distance * np.arange(1, THRESHOLDS + 1), VALUES)
    counts: NDArray[np.uint16] = np.minimum(reaching[thresholds], 2**BITS - 1).astype(np.uint16)
    return counts


def _shared(count: int) -> Dict[str, int]:
    """Half of the events of the kind that is sought, the others of the other kinds alike."""
    return dict(zip(KINDS, simulate.share_out(count, [2 if name == CLASSES[1] else 1 for name in KINDS])))


def _split(step: Step, folder: Path, events: List[Dict[str, Any]]) -> Split:
    """Read what was simulated, in an order in which the classes are mixed."""
    order = np.random.default_rng(step.parameters["seed"]).permutation(len(events))
    codes = np.empty((len(events), THRESHOLDS), np.uint16)
    for place, event in enumerate(order):
        one = events[event]
        with Image.open(folder / "images" / one["split"] / one["class"] / (one["id"] + ".png")) as image:
            codes[place] = over(np.asarray(image)[..., simulate.COLLECTION], step.parameters["threshold_step"])
    labels = np.array([events[event]["class"] == CLASSES[1] for event in order], np.uint8)
    energies = np.array([round(float(events[event]["e_nu"]) * SCAN.parts) for event in order], np.int32)
    return Split(codes, labels, energies)
