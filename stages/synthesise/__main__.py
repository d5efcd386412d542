"""The synthesise stage: a network becomes VHDL, three simulations agree with Python, and the device says what it costs.

A single vector on which they differ ends the step, and nothing of it is kept.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

from stages.contract import Step, run
from stages.lut.file import read_network
from stages.synthesise import mapping, outputs, proof, timing, vectors, vhdl
from stages.synthesise.tools import Tools
from stages.waveforms import read_waveforms

KEPT = ("core.vhd", "tb.vhd", "tb.v", "vectors.txt", "expected.txt", "core.v", "netlist.v")


def main(step: Step) -> None:
    """Take the step's network to hardware."""
    device, package = str(step.parameters["device"]), str(step.parameters["package"])
    timing.check_package(device, package)
    network = read_network(step.inputs["network"])
    waveforms = read_waveforms(step.inputs["dataset"])
    outputs.check_fit(network, waveforms)
    compared_with = vectors.draw(network, waveforms.test.codes, int(step.parameters["vectors"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = Tools(folder, step.out / "tools.log")
        (folder / "core.vhd").write_text(vhdl.core(network), "ascii")
        (folder / "tb.vhd").write_text(vhdl.bench(network), "ascii")
        (folder / "tb.v").write_text(vhdl.verilog_bench(network), "ascii")
        compared_with.write(folder, network)
        done = _Work(step, tools, compared_with).run(device, package, int(step.parameters["seeds"]))
        for file in KEPT:
            shutil.copyfile(folder / file, step.out / file)
        versions = tools.versions()
    outputs.write(step.out, network, compared_with, done)
    step.record(outputs.numbers(done), {"tools": versions, "device": device, "package": package})


class _Work:
    """The tools' work, one after the other, with the progress told before each."""

    def __init__(self, step: Step, tools: Tools, compared_with: vectors.Vectors) -> None:
        self._step, self._tools, self._vectors = step, tools, compared_with
        self._done = 0
        self._total = 6 + int(step.parameters["seeds"])

    def run(self, device: str, package: str, seeds: int) -> outputs.Done:
        """Prove, map and time; the order is that in which each needs what the one before made."""
        tools, given = self._tools, self._vectors
        levels: List[proof.Compared] = [self._tell("VHDL in GHDL", lambda: proof.simulate_vhdl(tools, given))]
        self._tell("export to Verilog", lambda: proof.export(tools))
        levels.append(self._tell("Verilog in Icarus", lambda: proof.simulate_verilog(tools, given)))
        area: Dict[str, int] = self._tell("mapping", lambda: mapping.map_ice40(tools))
        levels.append(self._tell("netlist in Icarus", lambda: proof.simulate_netlist(tools, given)))
        xilinx: Dict[str, int] = self._tell("mapping for UltraScale+", lambda: mapping.map_xilinx(tools))
        delays: Dict[int, float] = {
            seed: self._tell(
                "place and route, seed %d" % seed, lambda: timing.place_and_route(tools, device, package, seed)
            )
            for seed in range(1, seeds + 1)
        }
        self._step.progress(self._total, self._total, "tool")
        return outputs.Done(levels, area, xilinx, delays, device, package)

    def _tell(self, what: str, work: Callable[[], Any]) -> Any:
        self._step.progress(self._done, self._total, "tool", what)
        self._done += 1
        return work()


if __name__ == "__main__":
    run(main)
