"""Write 8-bit RGB images, and 8-bit masks of one channel, as PNG with nothing but pixels in the file.

No alpha, no ancillary chunks, so that no file can carry its class in anything but its pixels.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

#: zlib level: a good trade between size and time for sparse images.
LEVEL = 4


def encode(image: npt.NDArray[np.uint8]) -> bytes:
    """Return `image` (rows x columns x 3, or rows x columns for a mask) as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=LEVEL)
    return buffer.getvalue()


def write(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write `image` to `path`; on return the whole file is there, and never a part of it."""
    # The process number keeps two writers of one event apart; the name does not outlive the rename.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(encode(image))
    temporary.replace(path)


def read(path: Path) -> npt.NDArray[np.uint8]:
    """Return the pixels of a PNG file that `write` made."""
    with Image.open(path) as image:
        return np.asarray(image)
