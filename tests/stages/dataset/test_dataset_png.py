"""What counts as a whole 8-bit RGB PNG, and that no bytes whatever make the check crash or accept damage."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.dataset.png import BadImageError, size_of


def encoded(mode: str = "RGB", size: tuple[int, int] = (7, 5), form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_mandelbrot(size, (-2, -1, 1, 1), 60).convert(mode).save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def made_of(width: int, height: int, pixels: bytes, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


GOOD = encoded()


def test_height_and_width_of_a_good_image_are_returned() -> None:
    assert size_of(GOOD) == (5, 7)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello, this is text", "not a PNG image"),
        (encoded(form="JPEG"), "not a PNG image"),
        (GOOD[:4], "truncated: the header is incomplete"),
        (GOOD[:-1], "truncated: the file ends before the image does"),
        (encoded("L"), "expected 8-bit RGB, found 8-bit greyscale"),
        (encoded("P"), "expected 8-bit RGB, found 8-bit palette"),
        (encoded("RGBA"), "expected 8-bit RGB, found 8-bit RGB with alpha"),
        (made_of(2, 2, bytes(26), depth=16), "expected 8-bit RGB, found 16-bit RGB"),
        (made_of(2, 2, b"", colour=7), "expected 8-bit RGB, found 8-bit unknown colours"),
        (made_of(0, 2, b""), "0 x 2 pixels, expected 1 to 33554432 in all"),
        (made_of(1 << 20, 1 << 20, b""), "1048576 x 1048576 pixels, expected 1 to 33554432 in all"),
        (made_of(4, 4, bytes(13)), "damaged: the pixel data has fewer bytes"),
        (made_of(4, 4, bytes(53)), "damaged: the pixel data has more bytes"),
        (made_of(4, 4, bytes(10**8)), "damaged: the pixel data has more bytes"),
        (made_of(4, 4, bytes([9] * 52)), "damaged: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadImageError) as caught:
        size_of(data)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (8, 8), (9, 17), (1, 5), (5, 1)])
def test_an_interlaced_image_is_as_good_as_any(width: int, height: int) -> None:
    # Pillow cannot write interlaced images; all filter bytes and pixels are zero here.
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    pixels = b""
    for left, top, across, down in passes:
        columns, rows = len(range(left, width, across)), len(range(top, height, down))
        pixels += bytes(3 * columns + 1) * rows if columns else b""
    assert size_of(made_of(width, height, pixels, interlace=1)) == (height, width)
    with pytest.raises(BadImageError, match="fewer bytes"):
        size_of(made_of(width, height, pixels[:-1], interlace=1))


def test_a_bomb_of_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BadImageError, match="40000 x 40000 pixels"):
        size_of(made_of(40000, 40000, b""))


def test_an_animation_is_refused() -> None:
    second = Image.new("RGB", (7, 5), "red")
    with pytest.raises(BadImageError, match="an animation"):
        size_of(encoded(save_all=True, append_images=[second]))


@given(st.integers(0, len(GOOD) - 1))
def test_every_truncation_is_noticed(length: int) -> None:
    with pytest.raises(BadImageError):
        size_of(GOOD[:length])


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_every_flipped_bit_is_noticed(place: int) -> None:
    data = bytearray(GOOD)
    data[place // 8] ^= 1 << place % 8
    with pytest.raises(BadImageError):
        size_of(bytes(data))


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=200))
@example(4, 4, b"\0" * 13)
def test_no_pixel_data_makes_it_crash(width: int, height: int, pixels: bytes) -> None:
    try:
        size = size_of(made_of(width, height, pixels))
    except BadImageError:
        return
    assert size == (height, width)


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(max_size=60)), max_size=4))
def test_no_foreign_chunk_makes_it_crash(chunks: list[tuple[bytes, bytes]]) -> None:
    extra = b"".join(chunk(kind, content) for kind, content in chunks)
    try:
        size_of(GOOD[:33] + extra + GOOD[33:])
    except BadImageError:
        return
