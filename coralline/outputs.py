"""Outputs are checked before they are published: each declared one is there, not empty, and of its kind.

Looks at forms, not at meaning, and only at the beginning of binary files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from coralline.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from stages.spec import Output

# Where in a file which bytes must stand. Sources: HDF5 specification 3.0 section II.A; PNG specification section 5.2;
# the TFLite schema's file_identifier; PKWARE's APPNOTE 6.3.10 section 4.3.7; docs/explanation/below-8-bits.md.
_MAGIC = {
    "hdf5": (0, b"\x89HDF\r\n\x1a\n"),
    "png": (0, b"\x89PNG\r\n\x1a\n"),
    "tflite": (4, b"TFL3"),
    "npz": (0, b"PK\x03\x04"),
    "packed": (0, b"CORALPK1"),
}


def check_outputs(folder: Path, outputs: Iterable[Output]) -> dict[str, Any]:
    """Check all declared outputs and return the step's own record.

    Raises:
        ArtifactError: one is missing, empty or malformed.
    """
    for output in outputs:
        _CHECKS[output.kind](folder / output.path, output.kind)
    record = _read_json(folder / "record.json")
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("numbers"), list)
        or not isinstance(record.get("facts"), dict)
    ):
        raise _broken(folder / "record.json", "is not a step's record")
    for number in record["numbers"]:
        if not isinstance(number, dict) or not {"metric", "value", "unit"} <= number.keys():
            raise _broken(folder / "record.json", f"holds a number without metric, value or unit: {number!r}")
    return record


def _broken(path: Path, what: str) -> ArtifactError:
    return ArtifactError(f"output {path.name} {what}", hint="the step ended well but its output is not; see its log")


def _check_file(path: Path, _kind: str) -> None:
    if not path.is_file() or path.is_symlink():
        raise _broken(path, "is missing")
    if path.stat().st_size == 0:
        raise _broken(path, "is empty")


def _check_magic(path: Path, kind: str) -> None:
    _check_file(path, kind)
    offset, magic = _MAGIC[kind]
    with path.open("rb") as file:
        if file.read(offset + len(magic))[offset:] != magic:
            raise _broken(path, f"is not a {kind} file")


def _read_json(path: Path) -> Any:
    _check_file(path, "json")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"is not JSON: {error}") from error


def _check_json(path: Path, _kind: str) -> None:
    _read_json(path)


def _check_csv(path: Path, kind: str) -> None:
    _check_file(path, kind)
    with path.open("rb") as file:
        if b"," not in file.readline(65_536):
            raise _broken(path, "has no header of comma-separated names")


def _check_html(path: Path, kind: str) -> None:
    _check_file(path, kind)
    with path.open("rb") as file:
        if not file.read(64).lstrip().lower().startswith(b"<!doctype html"):
            raise _broken(path, "is not an HTML page")


_CHECKS: dict[str, Callable[[Path, str], object]] = {
    "json": _check_json,
    "csv": _check_csv,
    "html": _check_html,
    "text": _check_file,
    "hdf5": _check_magic,
    "npz": _check_magic,
    "packed": _check_magic,
    "png": _check_magic,
    "tflite": _check_magic,
}
