"""Compares the core with Python at three levels: the VHDL, the Verilog exported from it, and the mapped netlist.

GHDL 2.0's export has been wrong where its simulation was right, so no level stands for another.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

from stages.synthesise import vhdl
from stages.synthesise.vectors import binary

if TYPE_CHECKING:
    from stages.synthesise.tools import Tools
    from stages.synthesise.vectors import Vectors

GHDL = ("--std=08",)
AT_ZERO = "--ieee-asserts=disable-at-0"  # signals of the core have no value before the first vector


class DifferenceError(RuntimeError):
    """Hardware answers otherwise than Python: nothing of the step is kept."""


@dataclass(frozen=True)
class Compared:
    """A level and how many of the vectors it answered as Python did."""

    level: str
    by: str
    exact: int
    vectors: int

    def told(self) -> Dict[str, Any]:
        """Describe it for a document."""
        return {"level": self.level, "by": self.by, "exact": self.exact, "vectors": self.vectors}


def simulate_vhdl(tools: Tools, vectors: Vectors) -> Compared:
    """Simulate `core.vhd` with its test bench, which compares by itself as well."""
    for file in ("core.vhd", "tb.vhd"):
        tools.run("ghdl", "-a", *GHDL, file)
    _, code = tools.tried("ghdl", "-r", *GHDL, vhdl.BENCH, AT_ZERO)
    compared = _compare(tools.folder, "VHDL", "GHDL", vectors)
    if code:  # it says so too when no answer differs: the bench itself is a part of what is handed on
        raise DifferenceError("the VHDL test bench ended with code %d; see the step's log" % code)
    return compared


def export(tools: Tools) -> None:
    """Write the core as Verilog, `core.v`."""
    # GHDL writes to standard output what it makes, and to standard error what it notices.
    tools.run("sh", "-c", "exec ghdl --synth %s --out=verilog core.vhd -e %s >core.v" % (" ".join(GHDL), vhdl.CORE))


def simulate_verilog(tools: Tools, vectors: Vectors) -> Compared:
    """Simulate what was exported."""
    _icarus(tools, "core.v")
    return _compare(tools.folder, "exported Verilog", "Icarus Verilog", vectors)


def simulate_netlist(tools: Tools, vectors: Vectors) -> Compared:
    """Simulate the mapped netlist with Yosys' models of the device's cells."""
    # The models' default values of unconnected pins are SystemVerilog, which Icarus does not take.
    _icarus(tools, "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "netlist.v", str(cell_models()))
    return _compare(tools.folder, "mapped netlist", "Icarus Verilog", vectors)


def cell_models() -> Path:
    """Find Yosys' models of iCE40 cells: they lie beside the program."""
    program = shutil.which("yosys") or "yosys"
    return Path(program).resolve().parent.parent / "share" / "yosys" / "ice40" / "cells_sim.v"


def _icarus(tools: Tools, *words: str) -> None:
    tools.run("iverilog", "-g2005", "-s", vhdl.BENCH, "-o", "simulation", *words, "tb.v")
    tools.run("vvp", "-n", "simulation")


def _compare(folder: Path, level: str, by: str, vectors: Vectors) -> Compared:
    """Compare what a simulation wrote with what Python says, line by line; one that wrote nothing has nothing right."""
    written = folder / "answers.txt"
    answers = written.read_text("ascii", "replace").split() if written.is_file() else []
    written.unlink(missing_ok=True)  # so that the next simulation cannot be judged by this one's
    expected = binary(vectors.answers)
    exact = sum(one == other for one, other in zip(answers, expected))
    if len(answers) != len(expected) or exact != len(expected):
        place = next((n for n, (one, other) in enumerate(zip(answers, expected)) if one != other), len(answers))
        raise DifferenceError(
            "%s (%s): exact %d of %d vectors, %d answers; vector %d differs first"
            % (level, by, exact, len(expected), len(answers), place)
        )
    return Compared(level, by, exact, len(expected))
