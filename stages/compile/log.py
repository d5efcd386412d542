"""What the compiler printed, read into plain values. Every line is optional: versions and failures leave lines out.

Samples of all kinds are listed with their sources beside the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

BANNER = re.compile(r"^Edge TPU Compiler version (\S+)", re.MULTILINE)
SUCCESS = re.compile(r"^Models? compiled successfully in \d+ ms[.!]", re.MULTILINE)
TABLE = re.compile(r"^Operator +Count +Status\s*$", re.MULTILINE)
ROW = re.compile(r"^(\S+)[ \t]+(\d{1,9})[ \t]+(\S.*?)\s*$")  # the status may hold blanks, commas and parentheses
SIZE = re.compile(r"^(\d{1,12}(?:\.\d{1,6})?)(B|KiB|MiB|GiB)$")
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

KEYS = {
    "Total number of operations": "operations",
    "Number of Edge TPU subgraphs": "subgraphs",
    "Number of operations that will run on Edge TPU": "tpu",
    "Number of operations that will run on CPU": "cpu",
    "On-chip memory used for caching model parameters": "cached_bytes",
    "On-chip memory remaining for caching model parameters": "remaining_bytes",
    "Off-chip memory used for streaming uncached model parameters": "streamed_bytes",
}
# Lines of every run, which are no reason for a failure.
ROUTINE = (
    "Edge TPU Compiler version ",
    "Started a compilation timeout timer",
    "Compilation child process completed",
    "Compilation failed!",
)


@dataclass(frozen=True)
class Row:
    """One row of the operator table: how many operators of a kind had which fate."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True)
class Report:
    """What the compiler said; `values` has the entries of `KEYS` that it printed, `reasons` its words on a failure."""

    version: Optional[str]
    succeeded: bool
    rows: Tuple[Row, ...]
    values: Dict[str, int]
    reasons: Tuple[str, ...]


def parse(text: str) -> Report:
    """Read what one run for one model printed."""
    banner = BANNER.search(text)
    succeeded = SUCCESS.search(text) is not None
    return Report(
        version=banner.group(1) if banner else None,
        succeeded=succeeded,
        rows=_rows(text),
        values=_values(text),
        reasons=() if succeeded else _reasons(text),
    )


def _rows(text: str) -> Tuple[Row, ...]:
    """Read the table, which ends where the rows end."""
    header = TABLE.search(text)
    found: List[Row] = []
    for line in text[header.end() :].splitlines() if header else ():
        row = ROW.match(line)
        if row:
            found.append(Row(row.group(1), int(row.group(2)), row.group(3)))
        elif line.strip():
            break
    return tuple(found)


def _values(text: str) -> Dict[str, int]:
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        number = _number(value.strip()) if key in KEYS else None
        if number is not None:
            found[KEYS[key]] = number
    return found


def _number(value: str) -> Optional[int]:
    """Read a count or a size; a size is rounded to two decimals by the compiler."""
    size = SIZE.match(value)
    if size:
        return round(float(size.group(1)) * UNITS[size.group(2)])
    return int(value) if value.isdecimal() and len(value) < 10 else None


def _reasons(text: str) -> Tuple[str, ...]:
    """Keep the compiler's own words on why it failed, in their order."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith(ROUTINE))
