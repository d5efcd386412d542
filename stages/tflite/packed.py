"""Whole numbers of a few bits in bytes, as TFLite packs int4: two in each byte, the first in the low half.

Source: tensorflow/lite/kernels/internal/portable_tensor_utils.h, `UnpackPackedIntToInt8`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

import numpy as np

from stages.tflite.flat import MalformedFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST, HIGHEST = -8, 7  # what four bits hold
BITS = {"int2": 2, "int4": 4, "bool": 8}  # of a type whose name does not end with its width, or is packed


def pack_int4(codes: NDArray[np.int8]) -> bytes:
    """Pack numbers from -8 to 7 of any shape; an odd one out leaves the last half byte zero."""
    flat = np.asarray(codes).ravel()
    if flat.size and not LOWEST <= flat.min() <= flat.max() <= HIGHEST:
        raise ValueError("%d to %d do not fit into four bits" % (flat.min(), flat.max()))
    halves = np.zeros(flat.size + flat.size % 2, np.uint8)
    halves[: flat.size] = flat.astype(np.int8).view(np.uint8) & 0xF
    return (halves[0::2] | halves[1::2] << 4).tobytes()


def unpack_int4(data: Union[bytes, memoryview], count: int) -> NDArray[np.int8]:
    """Unpack `count` numbers.

    Raises:
        MalformedFile: there are more or fewer bytes than they take.
    """
    if len(data) != packed_bytes(count, 4):
        raise MalformedFile("%d bytes for %d numbers of four bits" % (len(data), count))
    octets = np.frombuffer(data, np.uint8)
    halves = np.stack([octets & 0xF, octets >> 4], axis=1).ravel()[:count].astype(np.int8)
    return np.where(halves > HIGHEST, halves - 16, halves).astype(np.int8)


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that `count` numbers of so many bits take."""
    return -(-count * bits // 8)
