"""Makes a data set of simulated neutrino events: the same bytes for the same parameters and seed.

The physics is in `lartpc/`; here the step's parameters become its configuration and counts.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, List, Sequence, Tuple

from stages.contract import InputError, Step, number
from stages.dataset import index, occupancy
from stages.dataset.lartpc import CLASSES, Config, GeneratorError, generate

SPLITS = ("train", "test")
VIEWS = ("u", "v", "w")


def make(step: Step) -> None:
    """Simulate the events that the parameters ask for."""
    config = _config(step.parameters)
    wanted = {split: _events(step.parameters, split) for split in SPLITS}
    speed = _generate(step, wanted, config)
    images = step.out / "images"
    entries = index.digest_all(images, index.walk(images, CLASSES, SPLITS), step.threads)
    splits = index.write(step.out, "simulate", CLASSES, (config.size, config.size), entries, images="artifact")
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


def _config(parameters: Dict[str, Any]) -> Config:
    """Hand the physics parameters to the generator, which knows their limits."""
    values = {field.name: parameters[field.name] for field in dataclasses.fields(Config)}
    try:
        return Config(**{**values, "fsi": int(values["fsi"])})
    except GeneratorError as error:
        raise InputError("dataset: %s" % error, "correct the value; `./run stages` lists the parameters") from error


def _generate(step: Step, wanted: Dict[str, Dict[str, int]], config: Config) -> float:
    """Run the generator and return events per second, compilation of the kernel not counted."""
    marks: List[Tuple[int, float]] = []

    def progress(done: int, total: int) -> None:
        marks.append((done, time.perf_counter()))
        step.progress(done, total, "event")

    start = time.perf_counter()
    generate(step.out, step.parameters["seed"], wanted, config, processes=step.threads, progress=progress)
    (first, began), (last, ended) = (marks[0], marks[-1]) if len(marks) > 1 else ((0, start), marks[-1])
    return (last - first) / (ended - began)
