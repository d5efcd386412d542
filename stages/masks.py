"""The truth of each pixel: masks beside the images of a data set, read with the same suspicion as the images.

A mask is an 8-bit PNG of one channel and of its image's size, whose values are those that `dataset.json` names. Where a
smaller size is wanted, a pixel is sought if any pixel in its box is: nothing that is sought is lost.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Tuple

import numpy as np
from PIL import Image

from stages.contract import InputError
from stages.images import BROKEN, MAX_BYTES, MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.contract import Step
    from stages.images import Row

HEADER = ["path", "mask", "sha256"]
LIST = "masks.csv"
REMEDY = "give data with masks: images/<split>/*.png and masks/<split>/*.png, or a simulated source that has them"
ALL_VALUES = 256  # of a byte


@dataclass(frozen=True)
class Masks:
    """The masks of a data set: `values` names 0, 1, ...; `sought` is the one that a network with one output finds.

    Where they are `merged`, every value from 1 on is sought.
    """

    root: Path
    values: Tuple[str, ...]
    sought: str
    merged: bool
    _places: Dict[str, Tuple[str, str]]

    @classmethod
    def read(cls, step: Step) -> Masks:
        """Read `masks.csv` and what `dataset.json` says of it; the masks themselves are only opened by `load`.

        Raises:
            InputError: the data set has no masks, or what it says of them is not what the dataset stage writes.
        """
        folder = step.inputs["dataset"]
        document = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        told = document.get("masks")
        if told is None:
            raise InputError("the data set has no masks, which a network of this kind learns from", REMEDY)
        if not _is_description(told):
            raise _malformed("what dataset.json says of them")
        root = folder / "masks" if document["images"] == "artifact" else step.inputs["data"]
        return cls(
            root.resolve(), tuple(told["values"]), told["sought"], bool(told.get("merged")), _read_list(folder / LIST)
        )

    def load(self, row: Row, size: int) -> NDArray[np.bool_]:
        """Decode the mask of an image and say which of `size` x `size` pixels are sought.

        Raises:
            InputError: it is missing, changed, damaged or has a value without a name.
        """
        place, digest = self._places.get(row.path, ("", ""))
        path = (self.root / place).resolve()
        if not place or self.root not in path.parents:
            raise _bad(row.path, "it is not listed, or lies outside the data set's folder")
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError("it changed since the data set was looked at")
            found = decode(content, ALL_VALUES if self.merged else len(self.values))
            return _resized(found > 0 if self.merged else found == self.values.index(self.sought), size)
        except BROKEN as error:
            raise _bad(row.path, str(error) or type(error).__name__) from error


def decode(content: bytes, values: int) -> NDArray[np.uint8]:
    """Decode a mask in its own size.

    Raises:
        ValueError, OSError: it is not an 8-bit greyscale PNG, damaged, or has a value of `values` or more.
    """
    if len(content) < 26 or content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        raise ValueError("it is not a PNG image")
    width, height, depth, colour = struct.unpack(">IIBB", content[16:26])
    if (depth, colour) != (8, 0):
        raise ValueError("expected 8-bit greyscale, found depth %d and colour type %d" % (depth, colour))
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError("%d x %d pixels, expected 1 to %d in all" % (width, height, MAX_PIXELS))
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        image.load()
        found = np.asarray(image, dtype=np.uint8)
    if found.max() >= values:
        raise ValueError("the value %d, where %d are named" % (found.max(), values))
    return found


def _resized(sought: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Shrink or enlarge along each axis.

    Of a line of one pixel in a larger mask the nearest pixels may be none or all, while its image, a mean, shows it.
    """
    for axis, length in enumerate(sought.shape):
        if length > size:  # a pixel is in the box that its centre lies in
            boxes = _nearest(length, size)
            sought = np.logical_or.reduceat(sought, np.searchsorted(boxes, np.arange(size)), axis=axis)
        elif length < size:
            sought = sought.take(_nearest(size, length), axis=axis)
    return sought


def _nearest(many: int, few: int) -> NDArray[np.int64]:
    """Say in which of a few equal parts the centre of each of many lies."""
    found: NDArray[np.int64] = (2 * np.arange(many) + 1) * few // (2 * many)
    return found


def _is_description(told: Any) -> bool:
    if not isinstance(told, dict) or not isinstance(told.get("values"), list):
        return False
    values = told["values"]
    named = all(isinstance(one, str) and one for one in values) and len({*values}) == len(values)
    return named and 2 <= len(values) <= 256 and told.get("sought") in values[1:]


def _read_list(path: Path) -> Dict[str, Tuple[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            if next(lines, None) != HEADER:
                raise _malformed("the header of %s" % LIST)
            return {image: (mask, digest) for image, mask, digest in lines}
    except (OSError, ValueError, csv.Error) as error:
        raise _malformed(str(error)) from error


def _malformed(reason: str) -> InputError:
    return InputError("the masks of the data set are not as Coralline writes them: %s" % reason, "make it again")


def _bad(path: str, reason: str) -> InputError:
    return InputError(
        "the mask of image '%s' cannot be used: %s" % (path, reason),
        "replace the mask or remove the image, and run again: the data set is then looked at anew",
    )
