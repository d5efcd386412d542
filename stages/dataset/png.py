"""Decides whether bytes are a whole 8-bit RGB PNG image, by decoding them; trusts nothing that the file says of itself.

Stricter than a viewer: a missing end, a wrong checksum or a second frame is an error, because it means that the file
is not what its owner meant.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import List, Tuple

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}  # PNG, table 11.1
MAX_PIXELS = 2**25  # 100 MB decoded, as in stages/images.py: a larger "event" is a decompression bomb or a mistake
MAX_BYTES = 2**27
BLOCK = 1 << 20
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # PNG, 8.2
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
    try:
        _check_pixels(_pixel_chunks(data), _filtered_bytes(size, interlaced=data[28] == 1))
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


def _pixel_chunks(data: bytes) -> bytes:
    """Walk the chunks to the end: Pillow neither checks the sums of pixel data nor misses the end."""
    pixels: List[bytes] = []
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
            return b"".join(pixels)
        if kind == b"IDAT":
            pixels.append(data[place + 8 : end - 4])
        place = end
    raise BadImageError("truncated: the file ends before the image does")


def _filtered_bytes(size: Tuple[int, int], *, interlaced: bool) -> int:
    """Return how many bytes the pixels have before compression: three each, and one more for each row of each pass."""
    height, width = size
    total = 0
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        total += rows * (3 * columns + 1) if columns > 0 and rows > 0 else 0
    return total


def _check_pixels(compressed: bytes, expected: int) -> None:
    """Demand pixel data of exactly the right length and checksum: Pillow leaves missing rows black."""
    inflate = zlib.decompressobj()
    found = 0
    while not inflate.eof:
        piece = inflate.decompress(compressed, BLOCK)
        compressed = inflate.unconsumed_tail
        found += len(piece)
        if found > expected or not (piece or compressed or inflate.eof):
            break
    if found != expected or not inflate.eof:
        more = "more" if found > expected else "fewer"
        raise BadImageError("damaged: the pixel data has %s bytes than the image needs" % more)
