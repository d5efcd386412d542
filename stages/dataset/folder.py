"""Makes a data set of images that the user has: every image is decoded and checked, none is changed.

A folder `<split>/<class>/*.png` (or `.jpg`, `.jpeg`: photographs) is only indexed; zip files are unpacked into the
artifact. Class names are the sorted names of the class folders.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from stages import photographs
from stages.contract import InputError, Step, number
from stages.dataset import archive, duplicates, index, layout, occupancy, png
from stages.dataset.index import Entry, Place
from stages.images import quoted
from stages.photographs import is_photograph

if TYPE_CHECKING:
    from pathlib import Path

Bad = List[Dict[str, str]]

CHANNELS = ("red", "green", "blue")
NAMED = 20  # bad images named in the message; all are in dataset.json when they are skipped
REPORT_EVERY = 100
WAITING = 10_000  # images that wait for a thread at a time: each takes 1.7 kB, so all of ImageNet's would take 2 GB


class Look(NamedTuple):
    """What came of looking at one file: digest and size (height, width), or the reason why it cannot be used."""

    place: Place
    sha256: str = ""
    size: Tuple[int, int] = (0, 0)
    reason: Optional[str] = None


@dataclass(frozen=True)
class Source:
    """Where the images lie: in the user's folder (`data`) or unpacked (`artifact`), and what is known to be bad."""

    root: Path
    images: str
    bad: Bad
    ignored: List[str]


def make(step: Step) -> None:
    """Index and check the images in the step's input `data`."""
    start = time.perf_counter()
    source = _open(step)
    found = layout.scan(source.root)
    ignored = sorted(source.ignored + found.ignored)
    there = {(found.split_of(place.split), place.name) for place in _as_places(source.bad)}
    layout.check_filled(found, there | {place[:2] for place in found.places}, ignored)
    looks = look_at_all(source.root, found.places, step)
    size, entries, bad = judge(looks, source.bad + found.bad)
    refuse_or_skip(step, source, bad, len(looks) + len(source.bad) + len(found.bad))
    layout.check_filled(found, {entry[:2] for entry in entries}, ignored)
    if found.tested != layout.TEST:
        step.warning("there is no split '%s' with classes: networks are tested on '%s'" % (layout.TEST, found.tested))
    facts = _warn(step, entries, ignored, bad)
    facts["splits"] = index.write(step.out, "folder", found.classes, size, entries, images=source.images, skipped=bad)
    seconds = time.perf_counter() - start
    numbers, facts["pixels"] = occupancy.measure(source.root, entries, found.classes, CHANNELS)
    speed = number("images_per_second", len(looks) / seconds, "images/s", len(looks))
    step.record([speed, number("skipped_images", len(bad), "images"), *numbers], facts)


def _open(step: Step) -> Source:
    """Find the folder of the images, unpacking zip files first."""
    data = step.inputs["data"]
    if not os.access(data, os.R_OK):
        raise InputError("the data cannot be read", "check that it exists and is readable for this user")
    archives = archive.find(data)
    if not archives:
        return Source(data, "data", [], [])

    def progress(done: int, total: int) -> None:
        if done % REPORT_EVERY == 0 or done == total:
            step.progress(done, total, "image", "unpacking")

    target = step.out / "images"
    bad, ignored = archive.extract(archives, target, progress)
    return Source(target, "artifact", bad, ignored)


def _as_places(bad: Bad) -> List[Place]:
    """Members that were damaged in a zip file count as there: they are named as bad, not as missing."""
    places = []
    for item in bad:
        split, name, _ = item["path"].split("/")
        places.append(Place(split, name, item["path"]))
    return places


def look_at_all(root: Path, places: Sequence[Place], step: Step) -> List[Look]:
    """Check every file; Pillow and the digest release the interpreter, so threads use all cores."""
    looks: List[Look] = []
    with ThreadPoolExecutor(max(1, step.threads)) as pool:
        for first in range(0, len(places), WAITING):
            for look in pool.map(lambda place: _look_at(root, place), places[first : first + WAITING]):
                looks.append(look)
                if len(looks) % REPORT_EVERY == 0 or len(looks) == len(places):
                    step.progress(len(looks), len(places), "image", "checking")
    return looks


def _look_at(root: Path, place: Place) -> Look:
    """Read, digest and decode one file."""
    try:
        with (root / place.path).open("rb") as file:
            data = file.read(png.MAX_BYTES + 1)
        size = _size_of_photograph(data) if is_photograph(place.path) else png.size_of(data)
        return Look(place, hashlib.sha256(data).hexdigest(), size)
    except OSError as error:
        return Look(place, reason="cannot be read: %s" % error.strerror)
    except png.BadImageError as error:
        return Look(place, reason=str(error))


def _size_of_photograph(data: bytes) -> Tuple[int, int]:
    if len(data) > png.MAX_BYTES:
        raise png.BadImageError("larger than %d bytes" % png.MAX_BYTES)
    try:
        return photographs.size_of(data)
    except png.BROKEN as error:
        raise png.BadImageError("damaged: %s" % (str(error) or type(error).__name__)) from error


def judge(looks: Sequence[Look], bad: Bad) -> Tuple[Optional[Tuple[int, int]], List[Entry], Bad]:
    """Return the size that most images have (the larger one of equals), the images of that size, and all bad ones.

    Photographs may have any size; with one among the images there is none that they share.
    """
    usable = [look for look in looks if look.reason is None]
    sizes = Counter(look.size for look in usable if not is_photograph(look.place.path))
    if not usable:
        _, reason = min((look.place.path, look.reason) for look in looks) if looks else ("", "there are none")
        raise InputError("none of the %d images can be used: %s" % (len(looks), reason), layout.WANTED)
    size = max(sizes, key=lambda one: (sizes[one], one), default=(0, 0))
    fitting = [look for look in usable if look.size == size or is_photograph(look.place.path)]
    others = set(looks).difference(fitting)
    all_bad = [*bad, *({"path": one.place.path, "reason": one.reason or _wrong_size(one.size, size)} for one in others)]
    entries = [Entry(*look.place, look.sha256) for look in fitting]
    shared = None if any(is_photograph(look.place.path) for look in fitting) else size
    return shared, entries, sorted(all_bad, key=lambda item: item["path"])


def _wrong_size(found: Tuple[int, int], most: Tuple[int, int]) -> str:
    return "%d x %d pixels, most images have %d x %d" % (found[1], found[0], most[1], most[0])


def refuse_or_skip(step: Step, source: Source, bad: Bad, total: int) -> None:
    """Stop because of bad images, naming them, or take those that were unpacked out of the artifact."""
    if bad and step.parameters["on_bad_image"] == "fail":
        lines = ["  %s: %s" % (item["path"], item["reason"]) for item in bad[:NAMED]]
        if len(bad) > NAMED:
            lines.append("  and %d more" % (len(bad) - NAMED))
        raise InputError(
            "%d of %d images cannot be used\n%s" % (len(bad), total, "\n".join(lines)),
            "mend or remove them, or leave them out with `--on-bad-image skip`",
        )
    if source.images == "artifact":
        for item in bad:
            (source.root / item["path"]).unlink(missing_ok=True)


def _warn(step: Step, entries: Sequence[Entry], ignored: Sequence[str], bad: Bad) -> Dict[str, Any]:
    """Say what the user should know although the data can be used; return how often, as facts for the record."""
    findings = {
        "skipped": ("left out, because they cannot be used", [item["path"] for item in bad]),
        "ignored": ("ignored, because they are no images of a class", ignored),
        "leaks": ("in more than one split, byte for byte", duplicates.leaks(entries)),
        "contradictions": ("in more than one class, byte for byte", duplicates.contradictions(entries)),
    }
    for what, names in findings.values():
        if names:
            step.warning("%s (%d): %s" % (what, len(names), quoted(names)))
    return {key: len(names) for key, (_, names) in findings.items()}
