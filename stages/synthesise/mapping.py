"""What the core takes: cells of an iCE40 by kind, and LUTs of an UltraScale+ that is mapped to but not routed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, Mapping

from stages.synthesise import vhdl

if TYPE_CHECKING:
    from pathlib import Path

    from stages.synthesise.tools import Tools

# Kinds of cells by how their names begin in Yosys' libraries of both families.
ICE40 = {"lut4": "SB_LUT4", "ff": "SB_DFF", "dsp": "SB_MAC16", "bram": "SB_RAM40", "carry": "SB_CARRY"}
XILINX = {"lut": "LUT", "muxf": "MUXF", "ff": "FD", "dsp": "DSP", "bram": "RAMB", "carry": "CARRY"}


def map_ice40(tools: Tools) -> Dict[str, int]:
    """Map `core.v` to iCE40 cells: `netlist.v` and `netlist.json`; return how many of each kind."""
    tools.run(
        "yosys", "-q", "-p",
        "read_verilog core.v; synth_ice40 -top %s -json netlist.json; write_verilog -noattr netlist.v" % vhdl.CORE,
    )  # fmt: skip
    return count(tools.folder / "netlist.json", ICE40)


def map_xilinx(tools: Tools) -> Dict[str, int]:
    """Map `core.v` to UltraScale+ cells and return how many of each kind; there is no open way to its timing."""
    tools.run(
        "yosys", "-q", "-p",
        "read_verilog core.v; synth_xilinx -family xcup -noiopad -noclkbuf -top %s; write_json xilinx.json" % vhdl.CORE,
    )  # fmt: skip
    return count(tools.folder / "xilinx.json", XILINX)


def count(netlist: Path, kinds: Mapping[str, str]) -> Dict[str, int]:
    """Count the cells of a mapped netlist.

    Raises:
        RuntimeError: it holds a cell of no known kind: counting would leave it out.
    """
    document: Dict[str, Any] = json.loads(netlist.read_text(encoding="utf-8"))
    found = Counter(cell["type"] for cell in document["modules"][vhdl.CORE]["cells"].values())
    counts = {kind: sum(n for name, n in found.items() if name.startswith(start)) for kind, start in kinds.items()}
    if sum(counts.values()) != sum(found.values()):
        raise RuntimeError("cells of unknown kinds in %s: %s" % (netlist.name, dict(found)))
    return counts
