"""Predictions survive a step that dies: blocks of rows in one file of `/partial`, each with its checksum.

The folder belongs to the step's key, so the rows are of this file, on this runtime, of this data. A block that is cut
short or damaged, and all after it, counts as not made.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, List, Optional

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from stages.benchmark.runtime import Probabilities

NAME = "predictions.blocks"
HEAD = struct.Struct("<4sIII")  # magic, rows, columns, CRC-32 of the values
MAGIC = b"CPB1"
VALUE_BYTES = 4


class Kept:
    """The rows of one step; without a folder nothing is kept. `rows` holds those of an earlier attempt, if any."""

    def __init__(self, folder: Optional[Path], most: int) -> None:
        self._path = None if folder is None else folder / NAME
        self.rows: Optional[Probabilities] = None if self._path is None else _recall(self._path, most)

    @property
    def count(self) -> int:
        """Count the rows that need not be made again."""
        return 0 if self.rows is None else len(self.rows)

    def add(self, rows: Probabilities) -> None:
        """Keep further rows."""
        if self._path is None:
            return
        values = np.ascontiguousarray(rows, "<f4").tobytes()
        with self._path.open("ab") as file:
            file.write(HEAD.pack(MAGIC, len(rows), rows.shape[1], zlib.crc32(values)) + values)


def _recall(path: Path, most: int) -> Optional[Probabilities]:
    """Read the intact blocks and cut the file off behind them."""
    data = path.read_bytes() if path.is_file() else b""
    found: List[Probabilities] = []
    end = 0
    while (block := _block(data, end)) is not None:
        found.append(block)
        end += HEAD.size + block.nbytes
    if sum(map(len, found)) > most or len({block.shape[1] for block in found}) > 1:
        found, end = [], 0
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
    return np.concatenate(found) if found else None


def _block(data: bytes, start: int) -> Optional[Probabilities]:
    if start + HEAD.size > len(data):
        return None
    magic, rows, columns, checksum = HEAD.unpack_from(data, start)
    values = data[start + HEAD.size : start + HEAD.size + rows * columns * VALUE_BYTES]
    if magic != MAGIC or not rows or len(values) != rows * columns * VALUE_BYTES or zlib.crc32(values) != checksum:
        return None
    return np.frombuffer(values, "<f4").reshape(rows, columns).astype(np.float32)
