"""The tools' work: first what all of it needs, then simulations, mappings and placements beside each other."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable, Dict, List, Tuple, TypeVar

from stages.synthesise import mapping, proof, timing
from stages.synthesise.outputs import Done

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.synthesise.proof import Compared
    from stages.synthesise.tools import Tools
    from stages.synthesise.vectors import Vectors

BENCH = ("vectors.txt", "tb.v")

T = TypeVar("T")


class Work:
    """What one step does with its tools."""

    def __init__(self, step: Step, tools: Tools, given: Vectors) -> None:
        self._step, self._tools, self._given = step, tools, given
        self._done, self._total = 0, 6 + int(step.parameters["seeds"])
        self._beside: List[Tools] = []

    def run(self, device: str, package: str, seeds: int) -> Done:
        """Prove, map and time.

        Raises:
            DifferenceError: hardware answers otherwise than Python.
        """
        self._tell("VHDL in GHDL")
        vhdl = proof.simulate_vhdl(self._tools, self._given)
        self._tell("export to Verilog")
        proof.export(self._tools)
        self._tell("mapping")
        area = mapping.map_ice40(self._tools)
        with ThreadPoolExecutor(max(1, self._step.threads)) as pool:
            verilog = self._begin(pool, "verilog", (*BENCH, "core.v"), self._verilog)
            netlist = self._begin(pool, "netlist", (*BENCH, "netlist.v"), self._netlist)
            xilinx = self._begin(pool, "xilinx", ("core.v",), mapping.map_xilinx)
            placed: Dict[int, Future[float]] = {}
            for seed in range(1, seeds + 1):
                place = _placing(device, package, seed)
                placed[seed] = self._begin(pool, "seed-%d" % seed, ("netlist.json",), place)
            levels = [vhdl, self._end(verilog, "Verilog simulated"), self._end(netlist, "netlist simulated")]
            others = self._end(xilinx, "mapped for UltraScale+")
            delays = {seed: self._end(one, "placed with seed %d" % seed) for seed, one in placed.items()}
        self._step.progress(self._total, self._total, "tool")
        return Done(levels, area, others, delays, device, package)

    def log(self) -> str:
        """Return what all tools said so far, in the same order whatever ended first."""
        said = [line for tools in (self._tools, *self._beside) for line in tools.said]
        return "\n".join(said) + "\n"

    def _verilog(self, tools: Tools) -> Compared:
        return proof.simulate_verilog(tools, self._given)

    def _netlist(self, tools: Tools) -> Compared:
        return proof.simulate_netlist(tools, self._given)

    def _begin(
        self, pool: ThreadPoolExecutor, name: str, files: Tuple[str, ...], work: Callable[[Tools], T]
    ) -> Future[T]:
        tools = self._tools.apart(name, files)
        self._beside.append(tools)
        return pool.submit(work, tools)

    def _end(self, future: Future[T], what: str) -> T:
        found = future.result()
        self._tell(what)
        return found

    def _tell(self, what: str) -> None:
        self._step.progress(self._done, self._total, "tool", what)
        self._done += 1


def _placing(device: str, package: str, seed: int) -> Callable[[Tools], float]:
    return lambda tools: timing.place_and_route(tools, device, package, seed)
