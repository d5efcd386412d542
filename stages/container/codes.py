"""Whole numbers of a few bits in bytes, low bits first, with nothing between them.

Of two bits the codes are -3, -1, 1 and 3 (stages/convert/rounding.py), stored as 0 to 3; all others are two's
complement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stages.tflite.flat import MalformedFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTHS = (2, 3, 4, 5, 6, 7, 8, 32)
ODD = 2  # bits whose codes are odd numbers
WHOLE = 32  # bits of a bias, written as a whole little-endian number


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that so many codes take."""
    return -(-count * bits // 8)


def pack(codes: NDArray[np.int32], bits: int) -> bytes:
    """Pack codes of any shape; bits that are left over in the last byte are zero.

    Raises:
        ValueError: a code is none of that width.
    """
    flat = np.asarray(codes).ravel().astype(np.int64)
    if bits == WHOLE:
        _check(flat, -(2**31), 2**31 - 1)
        return flat.astype("<i4").tobytes()
    stored = (flat + 3) // 2 if bits == ODD else flat + (flat < 0) * 2**bits
    if bits == ODD:
        _check(flat % 2, 1, 1)
    else:
        _check(flat, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    _check(stored, 0, 2**bits - 1)
    each = np.unpackbits(stored.astype(np.uint8)[:, None], axis=1, count=bits, bitorder="little")
    return np.packbits(each, bitorder="little").tobytes()


def unpack(data: bytes, count: int, bits: int) -> NDArray[np.int32]:
    """Unpack `count` codes.

    Raises:
        MalformedFile: the bytes are more or fewer than they take, or bits that are left over are not zero.
    """
    if len(data) != packed_bytes(count, bits):
        raise MalformedFile("%d bytes for %d codes of %d bits" % (len(data), count, bits))
    if bits == WHOLE:
        return np.frombuffer(data, "<i4").astype(np.int32)
    each = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    if each[count * bits :].any():
        raise MalformedFile("the bits behind the last of %d codes are not zero" % count)
    stored = np.packbits(each[: count * bits].reshape(count, bits), axis=1, bitorder="little")[:, 0].astype(np.int32)
    return 2 * stored - 3 if bits == ODD else np.where(stored >> (bits - 1), stored - 2**bits, stored).astype(np.int32)


def _check(values: NDArray[np.int64], lowest: int, highest: int) -> None:
    if values.size and not lowest <= values.min() <= values.max() <= highest:
        raise ValueError("%d to %d do not lie within %d to %d" % (values.min(), values.max(), lowest, highest))
