"""The one road from image files to networks: every stage that looks at an image takes it from here.

An image is an 8-bit RGB PNG, decoded and checked with Pillow and, where its size differs, resized (bilinear) as uint8,
or a photograph (stages/photographs.py), of which the central square is taken. Float networks get value/255, uint8
networks the bytes themselves. Nothing here needs TensorFlow, and nothing skips a bad image: whatever is wrong with one
is an `InputError` that names the file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages import photographs
from stages.contract import InputError, Step
from stages.photographs import is_photograph

HEADER = ["split", "class", "label", "path", "sha256"]
BYTE_SCALE = 1 / 255
SCALE_TOLERANCE = 1e-3  # relative; one part in 255 would move the brightest pixel by a step
MAX_BYTES = 2**27  # of a file; more than uncompressed pixels of the largest image take
MAX_PIXELS = 2**25  # 100 MB decoded; a larger "event" is a decompression bomb or a mistake
COLOUR_TYPES = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}  # PNG 11.2.1
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)

Pixels = NDArray[np.uint8]


class Row(NamedTuple):
    """One image: its path below the data set's root, with forward slashes, its class as an index, its digest."""

    path: str
    label: int
    sha256: str


@dataclass(frozen=True)
class ImageSet:
    """A data set as the dataset stage handed it on; read it with `ImageSet.read`."""

    root: Path
    classes: Tuple[str, ...]
    splits: Dict[str, Tuple[Row, ...]]

    @classmethod
    def read(cls, step: Step) -> ImageSet:
        """Read and validate the step's data set; the images themselves are only opened by `load`.

        Raises:
            InputError: `dataset.json` or `images.csv` is missing or not what the dataset stage writes.
        """
        folder = step.inputs["dataset"]
        description = _read_description(folder / "dataset.json")
        classes = tuple(description["classes"])
        home = folder / "images" if description["images"] == "artifact" else step.inputs.get("data")
        if home is None:
            raise InputError("the data set refers to a folder of images that is not there", "give it with --data")
        return cls(home.resolve(), classes, _read_rows(folder / "images.csv", classes))

    def rows(self, split: str) -> Tuple[Row, ...]:
        """All rows of a split in the order of `images.csv`; every class is among them.

        Raises:
            InputError: a class has no image in this split.
        """
        rows = self.splits.get(split, ())
        present = {row.label for row in rows}
        empty = [name for label, name in enumerate(self.classes) if label not in present]
        if empty:
            raise InputError(
                "the %s split has no image of %s" % (split, quoted(empty)),
                "add images of every class to the %s split, or leave the class out of the data set" % split,
            )
        return rows

    def load(self, row: Row, size: int) -> Pixels:
        """Decode one image to `size` x `size` x 3 bytes.

        Raises:
            InputError: the file is missing, truncated, neither an 8-bit RGB PNG nor a photograph, or larger than
            `MAX_PIXELS`.
        """
        place = (self.root / row.path).resolve()
        if self.root not in place.parents:
            raise _bad_image(row.path, "it lies outside the data set's folder")
        try:
            return _decode(place, row, size)
        except FileNotFoundError:
            raise _bad_image(row.path, "the file is missing") from None
        except BROKEN as error:
            raise _bad_image(row.path, str(error) or type(error).__name__) from error


def stratified(
    rows: Sequence[Row], purpose: str, seed: int, *, share: Optional[float] = None, count: Optional[int] = None
) -> List[Row]:
    """Draw a seeded sample in which every class has its share of `rows`, in random order.

    Give `share` (of each class, rounded, at least one image) or `count` (of all; everything when there are fewer).
    Draws for different purposes with one seed are independent. The draw depends on the paths alone, not on the order
    of `rows`, the NumPy version or the machine.
    """

    def rank(what: object) -> bytes:
        return hashlib.sha256(("%s:%d:%s" % (purpose, seed, what)).encode()).digest()

    wanted = _allot(rows, share, count, rank)
    ranked = sorted(rows, key=lambda row: rank(row.path))
    drawn = []
    for row in ranked:
        if wanted[row.label] > 0:
            wanted[row.label] -= 1
            drawn.append(row)
    return drawn


def as_floats(pixels: Pixels) -> NDArray[np.float32]:
    """Scale bytes to what float networks get: value/255 as float32, divided here so that all runtimes see the same."""
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def are_bytes_of_images(scale: float, zero_point: int) -> bool:
    """Whether a quantised input takes the bytes of an image as they are: value/255."""
    return not zero_point and abs(scale / BYTE_SCALE - 1) <= SCALE_TOLERANCE


def quoted(names: Sequence[str], most: int = 3) -> str:
    """Names for a message: quoted, and cut with a count when there are many."""
    shown = ", ".join("'%s'" % name for name in names[:most])
    return shown if len(names) <= most else "%s and %d more" % (shown, len(names) - most)


def _allot(
    rows: Sequence[Row], share: Optional[float], count: Optional[int], rank: Callable[[object], bytes]
) -> Dict[int, int]:
    """How many images each class gives."""
    sizes: Dict[int, int] = {}
    for row in rows:
        sizes[row.label] = sizes.get(row.label, 0) + 1
    if share is not None:
        return {label: max(1, round(size * share)) for label, size in sizes.items()}
    if count is None:
        raise TypeError("stratified needs share or count")
    return _largest_remainders(sizes, min(count, len(rows)), rank)


def _largest_remainders(sizes: Dict[int, int], count: int, rank: Callable[[object], bytes]) -> Dict[int, int]:
    """Divide `count` in proportion to `sizes`; what rounding leaves goes to the largest remainders.

    Of classes that are alike the first ones get it, but where not every class can have an image they are drawn: the
    first two hundred of ImageNet's are all animals.
    """
    is_drawn = count < len(sizes)
    total = max(1, sum(sizes.values()))
    given = {label: size * count // total for label, size in sizes.items()}
    by_remainder = sorted(
        sizes, key=lambda label: (-(sizes[label] * count % total), rank(label) if is_drawn else b"", label)
    )
    for label in by_remainder[: count - sum(given.values())]:
        given[label] += 1
    return given


def _decode(place: Path, row: Row, size: int) -> Pixels:
    with place.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    pixels = photographs.decode(content, size) if is_photograph(row.path) else _decode_png(content, size)
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise ValueError("it changed since the data set was looked at")
    return pixels


def _decode_png(content: bytes, size: int) -> Pixels:
    _check_header(content[:26])
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        image.load()
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR)  # noqa: PLW2901
        return np.asarray(image, dtype=np.uint8)


def _check_header(header: bytes) -> None:
    """Read signature and IHDR ourselves: Pillow would turn 16-bit RGB into 8-bit silently."""
    if len(header) < 26 or header[:8] != b"\x89PNG\r\n\x1a\n" or header[12:16] != b"IHDR":
        raise ValueError("it is not a PNG image")
    width, height, depth, colour = struct.unpack(">IIBB", header[16:26])
    if (depth, colour) != (8, 2):
        raise ValueError("expected 8-bit RGB, found %d-bit %s" % (depth, COLOUR_TYPES.get(colour, "unknown colours")))
    if width * height > MAX_PIXELS:
        raise ValueError("%d x %d pixels are more than the %d that are read" % (width, height, MAX_PIXELS))


def _bad_image(path: str, reason: str) -> InputError:
    return InputError(
        "image '%s' cannot be used: %s" % (path, reason),
        "replace or remove the file and run again: the data set is then looked at anew",
    )


def _malformed(path: Path, reason: str) -> InputError:
    return InputError("%s is not a data set that Coralline wrote: %s" % (path.name, reason), "make the data set again")


def _read_description(path: Path) -> Dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _malformed(path, str(error)) from error
    if not isinstance(told, dict) or (told.get("schema"), told.get("version")) != ("coralline.dataset", 1):
        raise _malformed(path, "schema coralline.dataset version 1 expected")
    _check_classes(path, told.get("classes"))
    if told.get("images") not in {"artifact", "data"}:
        raise _malformed(path, "images must be 'artifact' or 'data', found %r" % told.get("images"))
    return told


def _check_classes(path: Path, classes: Any) -> None:
    if not isinstance(classes, list) or not all(isinstance(name, str) and name for name in classes):
        raise _malformed(path, "classes must be a list of names")
    if not classes or len(set(classes)) != len(classes):
        raise _malformed(path, "classes with different names expected")


def _read_rows(path: Path, classes: Sequence[str]) -> Dict[str, Tuple[Row, ...]]:
    splits: Dict[str, List[Row]] = {}
    labels = {name: str(label) for label, name in enumerate(classes)}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            if next(lines, None) != HEADER:
                raise _malformed(path, "the header must be %s" % ",".join(HEADER))
            for line in lines:
                split, row = _parse(path, line, labels)
                splits.setdefault(split, []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, str(error)) from error
    return {split: tuple(rows) for split, rows in splits.items()}


def _parse(path: Path, line: Sequence[str], labels: Mapping[str, str]) -> Tuple[str, Row]:
    if len(line) != len(HEADER):
        raise _malformed(path, "%d columns expected in %r" % (len(HEADER), line))
    split, name, label, place, digest = line
    if label != labels.get(name):
        raise _malformed(path, "class '%s' with label '%s' is not in dataset.json" % (name, label))
    parts = PurePosixPath(place)
    if not place or parts.is_absolute() or ".." in parts.parts or "\0" in place or "\\" in place:
        raise _malformed(path, "path %r leaves the data set's folder" % place)
    return split, Row(place, int(label), digest)
