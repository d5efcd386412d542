"""How single lines of a compiler log are worded: numbers, sizes, rows of the table, and what people typed before it."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional

from stages.edgetpu.log.parts import Row

COMPILER = "edgetpu_compiler"
NUMBER = re.compile(r"(?<![0-9])[0-9]{1,9}(?![0-9])")
ROW = re.compile(r"(\S{1,200})\s+([0-9]{1,9})\s+(\S.*)")  # the status may hold blanks, commas and parentheses
HEADER = re.compile(r"Operator\s+Count\s+Status")
CUT_ROW = re.compile(r"[A-Z][A-Z0-9_]*(\s+[0-9]+)?")
SIZE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?\s?(B|KiB|MiB|GiB)")
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
PROMPTS = ("$ ", "# ")
MARKS = "$#%>!"
QUERIES = {"-h", "--help", "-v", "--version"}

# Lines of numbers, by how they begin: people cut and align them, and 1.0 tells what is available, not what remains.
FACTS = {
    "Input size": "input_size_bytes",
    "Output size": "output_size_bytes",
    "On-chip memory used": "cached_bytes",
    "On-chip memory remaining": "remaining_bytes",
    "On-chip memory available": "available_bytes",
    "Off-chip memory used": "streamed_bytes",
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "operations",
    "Number of operations that will run on Edge TPU": "tpu",
    "Number of operations that will run on CPU": "cpu",
}


class Command(NamedTuple):
    """What a command line asks for: models by their file names, or only version or help."""

    models: List[str]
    is_query: bool


def value(line: str) -> str:
    """Read what stands after the colon."""
    return line.partition(":")[2].strip()


def number(line: str) -> Optional[int]:
    """Read the first number of a line."""
    found = NUMBER.search(line)
    return int(found.group()) if found else None


def amount(text: str) -> Optional[int]:
    """Read a count, or a size in bytes, which the compiler rounds to hundredths of its unit."""
    found = SIZE.match(text)
    if found is None:
        return int(text) if NUMBER.fullmatch(text) else None
    fraction = found.group(2) or ""
    scale: int = 10 ** len(fraction)
    return (2 * int(found.group(1) + fraction) * UNITS[found.group(3)] + scale) // (2 * scale)


def row(line: str) -> Optional[Row]:
    """Read a row of the operator table."""
    found = ROW.fullmatch(line)
    return Row(found.group(1), int(found.group(2)), found.group(3)) if found else None


def command(line: str) -> Optional[Command]:
    """Read a line that a person typed; what it does not tell is empty."""
    words = line.split(None, 20) if COMPILER in line else []
    names = [word.lstrip(MARKS).rpartition("/")[2] for word in words]
    place = names.index(COMPILER) if COMPILER in names else -1
    if place == 0 or (place > 0 and (words[place - 1] == "sudo" or words[place - 1][-1] in MARKS)):
        given = names[place + 1 :]
        return Command([name for name in given if name.endswith(".tflite")], bool(QUERIES & set(given)))
    return Command([], is_query=False) if line.startswith(PROMPTS) else None
