"""Files as the Edge TPU compiler writes them: published ones, and forged ones of any content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from compiledfacts import FILES
from flatfiles import flat, flex

from coralline.catalogue import PROJECT
from stages.edgetpu.compiled.executable import EXECUTION_ONLY, PARAMETER_CACHING, Executable
from stages.edgetpu.compiled.operator import CUSTOM_CODE, read_custom_operator
from stages.tflite.flat import Buffer
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from collections.abc import Iterable

FIXTURES = PROJECT / "tests" / "fixtures" / "edgetpu"
SHARED_MODELS = PROJECT.parent / "shared" / "edgetpu" / "models"
SOURCE = (FIXTURES / "gabor_64x64_p4.tflite").read_bytes()
COMPILED = (FIXTURES / "gabor_64x64_p4_edgetpu.tflite").read_bytes()


def rows(table: str) -> dict[str, dict[str, str]]:
    """Read a table of the facts: file -> column -> value."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    return {line[0]: dict(zip(head, line, strict=True)) for line in lines}


def model(file: str) -> bytes:
    """Read a published file; the small one is there on every machine."""
    if file == "gabor":
        return COMPILED
    if not SHARED_MODELS.is_dir():
        pytest.skip("the folder of real models (shared/edgetpu/models beside the project) is not here")
    return (SHARED_MODELS / f"{FILES[file]}_edgetpu.tflite").read_bytes()


def executables(content: bytes) -> list[Executable]:
    """Read the programs of the one operator for the Edge TPU."""
    operators = [each for each in read_model(content).main.operators if each.name == CUSTOM_CODE]
    return [program for each in operators for program in read_custom_operator(Buffer(each.payload)).package.executables]


def running(document: dict[str, Any]) -> dict[str, Any]:
    programs: list[dict[str, Any]] = document["operators"][0]["packages"][0]["executables"]
    return next(program for program in programs if program["type"] == "execution-only")


def checks(document: dict[str, Any]) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in document["checks"]}


def executable(kind: int = EXECUTION_ONLY, parameters: bytes = b"", batch: int = 1, **more: Any) -> bytes:
    """Write a program; `more` are fields by number, as `field_12`."""
    fields = {3: ("i", batch), 5: [{0: bytes(16)}], 6: parameters, 10: b"beagle", 13: ("h", kind), 14: ("Q", 7)}
    return flat({**fields, **{int(name[6:]): value for name, value in more.items()}})


def package(*programs: bytes, runtime: int = 14, chip: int = 0, mark: bytes = b"DWN1") -> bytes:
    inner = flat({0: list(programs)})
    return flat({0: ("i", runtime), 1: inner, 4: b"cl/1", 5: ("i", chip)}, mark)


def tflite(*payloads: bytes) -> bytes:
    """Write a file with an operator for the Edge TPU for each payload, and one for the CPU."""
    tensor = {0: b"", 1: ("b", 3), 2: ("I", 0), 3: b"x"}
    operators = [{0: ("I", 0), 1: b"", 2: b"", 5: payload} for payload in payloads]
    codes = [{0: ("b", 32), 1: CUSTOM_CODE.encode()}, {0: ("b", 0), 3: ("i", 0)}]
    graph = {0: [tensor], 3: [*operators, {0: ("I", 1), 1: b"", 2: b""}]}
    return flat({0: ("I", 3), 1: codes, 2: [graph], 4: [{}]}, b"TFL3")


def payload(*packages: bytes, chips: tuple[int, ...] | None = None) -> bytes:
    codes = tuple(18 for _ in packages) if chips is None else chips
    return flex({"1": 0, "4": packages[0], "5": -1, "6": codes, "7": packages[1:]})


CACHING = executable(PARAMETER_CACHING, bytes(100), field_12=("i", 0))
RUNNING = executable(EXECUTION_ONLY, bytes(10), field_12=("i", 64), field_16=("q", 2**40))
PAIR = package(RUNNING, CACHING)


def changed(content: bytes, edits: Iterable[tuple[int, bytes]]) -> bytes:
    copy = bytearray(content)
    for position, new in edits:
        copy[position : position + len(new)] = new
    return bytes(copy)
