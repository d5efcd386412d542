"""Makes a data set of simulated neutrino events: the same bytes for the same parameters and seed.

The physics is in `lartpc/`; here the step's parameters become its configuration and counts.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from stages.contract import InputError, Step, number
from stages.dataset import index, masks, occupancy
from stages.dataset.lartpc import CLASSES, Config, GeneratorError, generate
from stages.dataset.lartpc.origin import ORIGINS

SPLITS = ("train", "test")
VIEWS = ("u", "v", "w")
COLLECTION = VIEWS.index("w")  # the view whose charge is read best: masks are of it
ABOUT = (
    "The images are neutrino events in liquid argon, simulated by Coralline's own generator, and no measurement; a "
    "mask says of each pixel of the collection view w whether the particle that left most of its charge makes a track "
    "or a shower."
)


def make(step: Step) -> None:
    """Simulate the events that the parameters ask for."""
    _make(step, configured(step.parameters, step.parameters["size"]))


def make_tracks(step: Step) -> None:
    """Simulate the events with a mask each: what left the charge of every pixel of the collection view."""
    config = configured(step.parameters, step.parameters["pixels"])
    _make(step, config, COLLECTION, {"about": ABOUT, "masks": {"values": list(ORIGINS), "sought": "track"}})


def _make(step: Step, config: Config, masked: Optional[int] = None, further: Optional[Dict[str, Any]] = None) -> None:
    wanted = {split: _events(step.parameters, split) for split in SPLITS}
    speed = _generate(step, wanted, config, masked)
    images = step.out / "images"
    entries = index.digest_all(images, index.walk(images, CLASSES, SPLITS), step.threads)
    source, size = step.parameters["source"], (config.size, config.size)
    splits = index.write(step.out, source, CLASSES, size, entries, images="artifact", further=further)
    if masked is not None:
        masks.write(step.out, [entry.path for entry in sorted(entries)])
    if splits != wanted:
        raise RuntimeError("the generator was asked for %r and made %r" % (wanted, splits))
    pixels, facts = occupancy.measure(images, entries, CLASSES, VIEWS)
    step.record(
        [number("events_per_second", speed, "events/s", len(entries)), *pixels], {"splits": splits, "pixels": facts}
    )


def share_out(total: int, shares: Sequence[int]) -> List[int]:
    """Divide `total` by `shares` with the largest-remainder method; equal remainders go to the earlier share."""
    whole = sum(shares)
    given = [total * share // whole for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: -(total * shares[place] % whole))
    for place in by_remainder[: total - sum(given)]:
        given[place] += 1
    return given


def configured(parameters: Dict[str, Any], size: int) -> Config:
    """Hand the physics parameters to the generator, which knows their limits."""
    values = {field.name: parameters[field.name] for field in dataclasses.fields(Config) if field.name != "size"}
    try:
        return Config(**{**values, "fsi": int(values["fsi"]), "size": size})
    except GeneratorError as error:
        raise InputError("dataset: %s" % error, "correct the value; `./run stages` lists the parameters") from error


def _events(parameters: Dict[str, Any], split: str) -> Dict[str, int]:
    """How many events of each class a split gets: at least one."""
    name, shares = "dataset.%s_shares" % split, parameters["%s_shares" % split]
    if len(shares) != len(CLASSES) or min(shares) < 1:
        raise InputError(
            "%s = %s" % (name, ",".join(map(str, shares))),
            "give %d whole numbers from 1, the shares of %s" % (len(CLASSES), ", ".join(CLASSES)),
        )
    total = parameters["%s_events" % split]
    given = dict(zip(CLASSES, share_out(total, shares)))
    empty = [label for label, events in given.items() if not events]
    if empty:
        raise InputError(
            "%d %s events leave none for %s" % (total, split, ", ".join(empty)),
            "raise dataset.%s_events, or make %s more even" % (split, name),
        )
    return given


def _generate(step: Step, wanted: Dict[str, Dict[str, int]], config: Config, masked: Optional[int]) -> float:
    """Run the generator and return events per second, compilation of the kernel not counted."""
    marks: List[Tuple[int, float]] = []

    def progress(done: int, total: int) -> None:
        marks.append((done, time.perf_counter()))
        step.progress(done, total, "event")

    start = time.perf_counter()
    seed, processes = step.parameters["seed"], step.threads
    generate(step.out, seed, wanted, config, processes=processes, progress=progress, masked=masked)
    (first, began), (last, ended) = (marks[0], marks[-1]) if len(marks) > 1 else ((0, start), marks[-1])
    return (last - first) / (ended - began)
