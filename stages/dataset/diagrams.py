"""Makes a data set of simulated charge-stability diagrams: the same bytes for the same parameters and seed.

The physics is in `stability/`; here the step's parameters become diagrams, masks and the table of what was drawn.
"""

from __future__ import annotations

import csv
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, List, Tuple

from stages.contract import Step, number
from stages.dataset import index, masks, occupancy
from stages.dataset.index import Place
from stages.dataset.lartpc import png
from stages.dataset.stability.diagram import ORIGINS, SPLITS, simulate

if TYPE_CHECKING:
    from stages.dataset.stability.device import Device

GROUP = "diagram"  # the one class of the images: their truth is in the masks
CHANNELS = ("signal", "along_first_gate", "along_second_gate")
REPORT_EVERY = 50
COLUMNS = (
    *("path", "charging_1_mev", "charging_2_mev", "mutual_mev", "electrons_1", "electrons_2"),
    *("lever_11", "lever_12", "lever_21", "lever_22", "temperature_k", "step_1", "step_2", "slope_1", "slope_2"),
    *("white_noise", "flicker_noise"),
)
ABOUT = (
    "The images are charge-stability diagrams of double quantum dots, simulated with the constant-interaction model, "
    "and no measurement: the signal of a charge sensor and its derivatives along both gates; a mask says of each pixel "
    "whether a transition line parts it from one beside it."
)


def make(step: Step) -> None:
    """Simulate the diagrams that the parameters ask for."""
    start = time.perf_counter()
    places = [
        (split, number_, "%s/%s/%s_%07d.png" % (split, GROUP, split, number_))
        for split in SPLITS
        for number_ in range(step.parameters["%s_events" % split])
    ]
    drawn = _simulate_all(step, places)
    seconds = time.perf_counter() - start
    _write_table(step, places, drawn)
    listed = [Place(split, GROUP, path) for split, _, path in places]
    entries = index.digest_all(step.out / "images", listed, step.threads)
    size = step.parameters["pixels"], step.parameters["pixels"]
    further = {"about": ABOUT, "masks": {"values": list(ORIGINS), "sought": ORIGINS[-1]}}
    splits = index.write(step.out, "stability", [GROUP], size, entries, images="artifact", further=further)
    masks.write(step.out, [entry.path for entry in sorted(entries)])
    pixels, facts = occupancy.measure(step.out / "images", entries, [GROUP], CHANNELS)
    speed = number("diagrams_per_second", len(places) / seconds, "diagrams/s", len(places))
    step.record([speed, *pixels], {"splits": splits, "pixels": facts})


def _simulate_all(step: Step, places: List[Tuple[str, int, str]]) -> List[Device]:
    """Write every diagram with its mask; NumPy releases the interpreter, so threads use all cores."""
    for split in SPLITS:
        for kind in ("images", masks.FOLDER):
            (step.out / kind / split / GROUP).mkdir(parents=True)

    def one(place: Tuple[str, int, str]) -> Device:
        split, number_, path = place
        seed, size, noise = (step.parameters[name] for name in ("seed", "pixels", "sensor_noise"))
        image, mask, device = simulate(seed, split, number_, size, noise)
        png.write(step.out / "images" / path, image)
        png.write(step.out / masks.FOLDER / path, mask)
        return device

    drawn = []
    with ThreadPoolExecutor(max(1, step.threads)) as pool:
        for device in pool.map(one, places):
            drawn.append(device)
            if len(drawn) % REPORT_EVERY == 0 or len(drawn) == len(places):
                step.progress(len(drawn), len(places), "diagram")
    return drawn


def _write_table(step: Step, places: List[Tuple[str, int, str]], drawn: List[Device]) -> None:
    """Write what was drawn for each diagram to `metadata.csv`."""
    with (step.out / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for (_, _, path), device in zip(places, drawn):
            table.writerow([path, *("%.9g" % value for value in _values(device))])


def _values(device: Device) -> List[float]:
    (first, mutual), (_, second) = device.energies.tolist()
    return [
        *(first, second, mutual, *device.corner.tolist(), *device.lever.ravel().tolist(), device.temperature_k),
        *(*device.steps.tolist(), *device.slope.tolist(), device.white_noise, device.flicker_noise),
    ]
