"""Makes a data set of the user's images with masks: both are decoded and checked, none is changed or copied.

Every pixel of a mask that is not 0 is sought: masks of 0 and 1 and those of 0 and 255 mean the same.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence, Tuple

from stages.contract import InputError, Step, number
from stages.dataset import duplicates, index, layout, masks, occupancy, png
from stages.dataset.folder import CHANNELS, Source, judge, look_at_all, refuse_or_skip
from stages.dataset.layout import GROUP
from stages.images import quoted
from stages.masks import ALL_VALUES, decode

if TYPE_CHECKING:
    from pathlib import Path

    from stages.dataset.index import Entry

VALUES = ["other", "sought"]


class Mask(NamedTuple):
    """What came of looking at the mask of an image: digest and share of sought pixels, or why it cannot be used."""

    image: str
    sha256: str = ""
    share: float = 0.0
    reason: Optional[str] = None


def is_masked(data: Path) -> bool:
    """Whether a folder is of images with masks and not of classes."""
    return all((data / name).is_dir() for name in (layout.IMAGES, layout.MASKS))


def make(step: Step) -> None:
    """Index and check images and masks in the step's input `data`."""
    root = step.inputs["data"]
    found = layout.scan_masked(root)
    size, entries, bad = judge(look_at_all(root, found.places, step), found.bad)
    if size is None:
        raise RuntimeError("photographs were taken for images with masks")
    looked = _look_at_all(root, entries, size, step.threads)
    bad = sorted([*bad, *_bad(looked)], key=lambda item: item["path"])
    total = len(found.places) + len(found.bad)
    refuse_or_skip(step, Source(root, "data", bad, found.ignored), bad, total)
    usable = {one.image: one for one in looked if one.reason is None}
    entries = sorted(entry for entry in entries if entry.path in usable)
    layout.check_filled(found, {entry[:2] for entry in entries}, found.ignored)
    _check_sought(entries, usable)
    _warn(step, entries, found.ignored, bad)
    further = {"masks": {"values": VALUES, "sought": VALUES[1], "merged": True}}
    splits = index.write(step.out, "folder", (GROUP,), size, entries, images="data", skipped=bad, further=further)
    masks.write_list(step.out, [(one.path, layout.mask_of(one.path), usable[one.path].sha256) for one in entries])
    numbers, pixels = occupancy.measure(root, entries, (GROUP,), CHANNELS)
    step.record([number("skipped_images", len(bad), "images"), *numbers], {"splits": splits, "pixels": pixels})


def _look_at_all(root: Path, entries: Sequence[Entry], size: Tuple[int, int], threads: int) -> List[Mask]:
    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(lambda entry: _look_at(root, entry.path, size), entries))


def _look_at(root: Path, image: str, size: Tuple[int, int]) -> Mask:
    try:
        with (root / layout.mask_of(image)).open("rb") as file:
            data = file.read(png.MAX_BYTES + 1)
        if len(data) > png.MAX_BYTES:
            return Mask(image, reason="its mask is larger than %d bytes" % png.MAX_BYTES)
        found = decode(data, ALL_VALUES)
    except png.BROKEN as error:
        return Mask(image, reason="its mask cannot be used: %s" % (str(error) or type(error).__name__))
    if found.shape != size:
        return Mask(image, reason="its mask has %d x %d pixels, the image %d x %d" % (*found.shape[::-1], *size[::-1]))
    return Mask(image, hashlib.sha256(data).hexdigest(), float((found > 0).mean()))


def _bad(looked: Sequence[Mask]) -> List[Dict[str, str]]:
    return [{"path": one.image, "reason": one.reason} for one in looked if one.reason is not None]


def _check_sought(entries: Sequence[Entry], usable: Dict[str, Mask]) -> None:
    """Demand something to find in the training and in the test split."""
    for split in layout.NEEDED:
        if not any(usable[entry.path].share for entry in entries if entry.split == split):
            raise InputError(
                "no mask of the %s split has a pixel that is sought" % split, "write what is sought as 1 or 255"
            )


def _warn(step: Step, entries: Sequence[Entry], ignored: Sequence[str], bad: Sequence[Dict[str, str]]) -> None:
    findings = (
        ("left out, because they cannot be used", [item["path"] for item in bad]),
        ("ignored, because they are no images with a mask", sorted(ignored)),
        ("in more than one split, byte for byte", duplicates.leaks(entries)),
    )
    for what, names in findings:
        if names:
            step.warning("%s (%d): %s" % (what, len(names), quoted(names)))
