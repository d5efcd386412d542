"""Reads and writes the packed container: every byte is checked, and no array is made that the bytes do not pay for.

The layout is told in docs/explanation/below-8-bits.md. A file that is cut, or of which a byte has changed, fails its
checksum; one that was made to deceive gives a `MalformedFile` or is well formed. What is unpacked takes at most sixteen
times the bytes of the file.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Sequence, Tuple

import numpy as np

from stages.container.codes import WIDTHS, pack, packed_bytes, unpack
from stages.tflite.flat import MalformedFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"CORALPK1"
HEAD, CHECKSUM = struct.Struct("<8sII"), struct.Struct("<I")
TENSOR = struct.Struct("<HBBBIII")  # bytes of the name, bits, axis, dimensions, scales, places of codes and scales
NOWHERE = 2**32 - 1  # the place of scales that another tensor has put into the graph
NO_AXIS = 255
MOST_TENSORS, MOST_DIMENSIONS = 65_536, 8


@dataclass(frozen=True)
class Tensor:
    """Codes in their shape, int32, and a scale for each entry of `axis`, or one for all: a value is code times scale.

    `codes_at` and `scales_at` say where both belong in the graph's file: codes as int8, those of 32 bits as int32.
    """

    name: str
    bits: int
    axis: Optional[int]
    codes: NDArray[np.int32]
    scales: NDArray[np.float32]
    codes_at: int
    scales_at: int = NOWHERE

    def values(self) -> NDArray[np.float32]:
        """Compute what it stands for, float32."""
        shape = [1] * self.codes.ndim
        if self.axis is not None:
            shape[self.axis] = -1
        found: NDArray[np.float32] = self.codes.astype(np.float32) * self.scales.reshape(shape)
        return found

    @property
    def packed_bytes(self) -> int:
        """Bytes that its codes take."""
        return packed_bytes(self.codes.size, self.bits)


@dataclass(frozen=True)
class Container:
    """All weights and biases of a network, and `graph`: its TFLite file without them."""

    tensors: Tuple[Tensor, ...]
    graph: bytes


def write(container: Container) -> bytes:
    """Write the file."""
    parts = [HEAD.pack(MAGIC, len(container.tensors), len(container.graph))]
    for one in container.tensors:
        name, shape = one.name.encode("utf-8"), one.codes.shape
        axis = NO_AXIS if one.axis is None else one.axis
        parts.append(TENSOR.pack(len(name), one.bits, axis, len(shape), len(one.scales), one.codes_at, one.scales_at))
        parts += [name, struct.pack("<%dI" % len(shape), *shape), one.scales.astype("<f4").tobytes()]
        parts.append(pack(one.codes, one.bits))
    content = b"".join([*parts, container.graph])
    return content + CHECKSUM.pack(zlib.crc32(content))


def read(content: bytes) -> Container:
    """Read a file.

    Raises:
        MalformedFile: it is not one, or is damaged.
    """
    if len(content) < HEAD.size + CHECKSUM.size or content[: len(MAGIC)] != MAGIC:
        raise MalformedFile("it does not have the mark of a packed container")
    end = len(content) - CHECKSUM.size
    if CHECKSUM.unpack_from(content, end)[0] != zlib.crc32(memoryview(content)[:end]):
        raise MalformedFile("its checksum is wrong: bytes are missing or have changed")
    _, count, length = HEAD.unpack_from(content)
    if count > MOST_TENSORS:
        raise MalformedFile("%d tensors" % count)
    cursor = _Cursor(content, HEAD.size, end)
    tensors = tuple(_tensor(cursor) for _ in range(count))
    graph = cursor.take(length)
    if cursor.place != end:
        raise MalformedFile("%d bytes behind its graph" % (end - cursor.place))
    return Container(tensors, graph)


class _Cursor:
    """A place in the bytes, which moves on and never beyond the end."""

    def __init__(self, content: bytes, place: int, end: int) -> None:
        self._content, self.place, self._end = content, place, end

    def take(self, length: int) -> bytes:
        """Give the next bytes."""
        if length > self._end - self.place:
            raise MalformedFile("%d bytes at %d, the file ends at %d" % (length, self.place, self._end))
        self.place += length
        return self._content[self.place - length : self.place]


def _tensor(cursor: _Cursor) -> Tensor:
    letters, bits, axis, rank, count, codes_at, scales_at = TENSOR.unpack(cursor.take(TENSOR.size))
    name = _text(cursor.take(letters))
    if bits not in WIDTHS or rank > MOST_DIMENSIONS:
        raise MalformedFile("'%s': %d bits, %d dimensions" % (name, bits, rank))
    shape = struct.unpack("<%dI" % rank, cursor.take(4 * rank))
    if 0 in shape or count != _scales(shape, axis):
        raise MalformedFile("'%s': %d scales along axis %d of %s" % (name, count, axis, list(shape)))
    scales = np.frombuffer(cursor.take(4 * count), "<f4").astype(np.float32)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise MalformedFile("'%s': a scale that is not above zero" % name)
    size = math.prod(shape)
    codes = unpack(cursor.take(packed_bytes(size, bits)), size, bits).reshape(shape)
    return Tensor(name, bits, None if axis == NO_AXIS else axis, codes, scales, codes_at, scales_at)


def _scales(shape: Sequence[int], axis: int) -> Optional[int]:
    """How many scales a tensor has."""
    if axis == NO_AXIS:
        return 1
    return shape[axis] if axis < len(shape) else None


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedFile("a name that is not UTF-8") from error
