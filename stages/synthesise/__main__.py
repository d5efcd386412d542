"""The synthesise stage: a network becomes VHDL, three simulations agree with Python, and the device says what it costs.

A single vector on which they differ ends the step, and nothing of it is kept.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from stages.contract import Step, run
from stages.lut.file import read_network
from stages.synthesise import outputs, timing, vectors, vhdl
from stages.synthesise.tools import Tools, versions
from stages.synthesise.work import Work
from stages.waveforms import read_waveforms

KEPT = ("core.vhd", "tb.vhd", "tb.v", "vectors.txt", "expected.txt", "core.v", "netlist.v")


def main(step: Step) -> None:
    """Take the step's network to hardware."""
    device, package = str(step.parameters["device"]), str(step.parameters["package"])
    timing.check_package(device, package)
    network = read_network(step.inputs["network"])
    waveforms = read_waveforms(step.inputs["dataset"])
    outputs.check_fit(network, waveforms)
    given = vectors.draw(network, waveforms.test.codes, int(step.parameters["vectors"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "core.vhd").write_text(vhdl.core(network), "ascii")
        (folder / "tb.vhd").write_text(vhdl.bench(network), "ascii")
        (folder / "tb.v").write_text(vhdl.verilog_bench(network), "ascii")
        given.write(folder, network)
        tools = Tools(folder)
        asked = versions(tools)
        work = Work(step, tools, given)
        try:
            done = work.run(device, package, int(step.parameters["seeds"]))
        finally:
            sys.stderr.write(work.log())  # of a step that failed this is what is left
        for file in KEPT:
            shutil.copyfile(folder / file, step.out / file)
    (step.out / "tools.log").write_text(work.log(), "utf-8")
    outputs.write(step.out, network, given, done)
    step.record(outputs.numbers(done), {"tools": asked, "device": device, "package": package})


if __name__ == "__main__":
    run(main)
