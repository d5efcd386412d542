"""Photographs as a network sees them: JPEG files of any size, grey, in colours or in print colours (CMYK).

A file is a photograph by its name; inside may also be a PNG image, as in one file of ImageNet. What is used of it is
the central square, by the rule of EfficientNet's makers: of the shorter edge the share n / (n + 32), for an input of
n pixels (tensorflow/tpu, models/official/efficientnet/preprocessing.py). Nothing turns it: EXIF is not read.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDINGS = (".jpg", ".jpeg")
MAX_PIXELS = 2**25  # as in stages/images.py
MAX_SCANS = 500  # each is a pass over all pixels, and may take a few bytes only; photographs have about ten
START_OF_SCAN = b"\xff\xda"
COLOURS = ("L", "LA", "P", "RGB", "RGBA", "CMYK")  # Pillow's words
MARGIN = 32


def is_photograph(path: str) -> bool:
    """Whether a file is one, by its name."""
    return path.lower().endswith(ENDINGS)


def size_of(content: bytes) -> Tuple[int, int]:
    """Return height and width of a photograph that can be decoded as a whole.

    Raises:
        ValueError, OSError, ...: it cannot, with the reason (`stages.images.BROKEN`).
    """
    width, height = _decoded(content).size
    return height, width


def decode(content: bytes, size: int) -> NDArray[np.uint8]:
    """Decode the central square to `size` x `size` x 3 bytes; raises as `size_of` does."""
    image = _decoded(content)
    width, height = image.size
    edge = max(1, round(min(width, height) * size / (size + MARGIN)))
    left, top = (width - edge) // 2, (height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    if square.mode == "P":
        square = square.convert("RGBA")  # a palette may say which colours are transparent
    pixels: NDArray[np.uint8] = np.asarray(square.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    return pixels


def _decoded(content: bytes) -> Any:
    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG"))
    except UnidentifiedImageError:
        raise ValueError("it is neither a JPEG nor a PNG image") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ValueError("%d x %d pixels are more than the %d that are read" % (width, height, MAX_PIXELS))
    if image.mode not in COLOURS:
        raise ValueError("its colours (%s) are not those of a photograph" % image.mode)
    if content.count(START_OF_SCAN) > MAX_SCANS:
        raise ValueError("it has more than %d scans" % MAX_SCANS)
    image.load()
    return image
