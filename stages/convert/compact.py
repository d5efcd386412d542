"""Writes a file in object form with equal zero points in one place: each stands for as many tensors as have it.

TFLite asks for a zero point of eight bytes for each scale, though those of weights and biases are all zero: a sixth of
a file of four bits. A FlatBuffer may point to one vector from any number of tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import flatbuffers
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARK = b"TFL3"


def write(model: Any) -> bytes:
    """Write the file."""
    builder = _Sharing(1024)
    builder.Finish(model.Pack(builder), file_identifier=MARK)
    return bytes(builder.Output())


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers has no types
    """A builder that writes a vector of int64 once; in TFLite's schema zero points alone are such vectors here."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: Dict[bytes, int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - the name that `Pack` calls
        """Write a vector, or return where an equal one stands."""
        if x.dtype != np.int64:
            return int(super().CreateNumpyVector(x))
        octets = x.tobytes()
        if octets not in self._written:
            self._written[octets] = int(super().CreateNumpyVector(x))
        return self._written[octets]
