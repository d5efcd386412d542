"""Decides whether bytes are a whole 8-bit RGB PNG image, by decoding them; trusts nothing that the file says of itself.

Stricter than a viewer: a missing end, a wrong checksum or a second frame is an error, because it means that the file
is not what its owner meant.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Tuple

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}  # PNG, table 11.1
MAX_PIXELS = 2**25  # 100 MB decoded, as in stages/images.py: a larger "event" is a decompression bomb or a mistake
MAX_BYTES = 2**27
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class BadImageError(Exception):
    """The bytes are not an image that can be used; the message is the reason, without the file's name."""


def size_of(data: bytes) -> Tuple[int, int]:
    """Return height and width of the image.

    Raises:
        BadImageError: it is not an 8-bit RGB PNG, is damaged, or has more than `MAX_PIXELS`.
    """
    if len(data) > MAX_BYTES:
        raise BadImageError("larger than %d bytes" % MAX_BYTES)
    size = _header(data)
    _chunks(data)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.load()
    except BROKEN as error:
        raise BadImageError("damaged: %s" % (str(error) or type(error).__name__)) from error
    return size


def _header(data: bytes) -> Tuple[int, int]:
    """Read the signature and IHDR ourselves: Pillow would turn 16-bit RGB into 8-bit silently."""
    if not data:
        raise BadImageError("the file is empty")
    if not data.startswith(SIGNATURE[: len(data)]):
        raise BadImageError("not a PNG image")
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise BadImageError("truncated: the header is incomplete")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    if (depth, colour) != (8, 2):
        raise BadImageError("expected 8-bit RGB, found %d-bit %s" % (depth, COLOURS.get(colour, "unknown colours")))
    if not 0 < width * height <= MAX_PIXELS:
        raise BadImageError("%d x %d pixels, expected 1 to %d in all" % (width, height, MAX_PIXELS))
    return height, width


def _chunks(data: bytes) -> None:
    """Walk the chunks to the end: Pillow neither checks the sums of pixel data nor misses the end."""
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[place + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise BadImageError("damaged: the checksum of chunk %r is wrong" % kind.decode("latin-1"))
        if kind == b"acTL":
            raise BadImageError("an animation, expected one frame")
        if kind == b"IEND":
            return
        place = end
    raise BadImageError("truncated: the file ends before the image does")
