"""Files of whole-number arrays (`.npz`): written as the same bytes for the same arrays, read without trusting them.

An `.npz` is a zip file with one `.npy` member for each array, see NumPy's `numpy.lib.format`. Nothing is unpickled, no
array is larger than its member, and no member larger than the reader allows.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from stages.contract import InputError
from stages.zipped import PACKED

if TYPE_CHECKING:
    from pathlib import Path

MOST_MEMBERS = 64
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can tell
BROKEN = (
    OSError, ValueError, EOFError, KeyError, TypeError, OverflowError, RuntimeError, NotImplementedError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

# By name: NumPy 1.26 has no types for it.
npy: Any = import_module("numpy.lib.format")

Arrays = Dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Expected:
    """What an array of a file must be: the name of its type (`uint16`) and its number of axes."""

    kind: str
    axes: int


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of whole numbers, in the order of their names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # how far a library compresses is its own affair
        for name in sorted(arrays):
            member = zipfile.ZipInfo("%s.npy" % name, EPOCH)
            content = io.BytesIO()
            npy.write_array(content, np.ascontiguousarray(arrays[name]), (1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())


def read_arrays(path: Path, expected: Mapping[str, Expected], most_bytes: int, remedy: str) -> Arrays:
    """Read the expected arrays of a file; others in it are left alone.

    Raises:
        InputError: it is no such file, an array is missing or of another kind, or one has more than `most_bytes`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MOST_MEMBERS:
                raise ValueError("it has more than %d arrays" % MOST_MEMBERS)
            return {name: _read(archive, name, wanted, most_bytes) for name, wanted in expected.items()}
    except BROKEN as error:
        reason = str(error).strip("'\"") or type(error).__name__
        raise InputError("%s cannot be read: %s" % (path.name, reason), remedy) from error


def _read(archive: zipfile.ZipFile, name: str, wanted: Expected, most_bytes: int) -> NDArray[Any]:
    info = archive.getinfo("%s.npy" % name)
    if info.compress_type not in PACKED:
        raise ValueError("array %s is neither stored nor deflated" % name)
    with archive.open(info) as member:
        content = member.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError("array %s has more than %d bytes" % (name, most_bytes))
    shape, is_fortran, kind = _header(name, content)
    if kind != np.dtype(wanted.kind) or len(shape) != wanted.axes or is_fortran:
        told = "%s with %d axes" % (kind, len(shape))
        raise ValueError("array %s is %s, expected %s with %d axes" % (name, told, wanted.kind, wanted.axes))
    size = math.prod(shape) * kind.itemsize
    return np.frombuffer(content, kind, offset=len(content) - size).reshape(shape)


def _header(name: str, content: bytes) -> Tuple[Tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("array %s has an unknown version" % name)
    shape, is_fortran, kind = npy.read_array_header_1_0(file)
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != len(content) - file.tell():
        raise ValueError("array %s has not the bytes that its shape says" % name)
    return shape, is_fortran, kind
