"""What the stage hands on: the proof, area and delay as documents, numbers and a section of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List

from stages.contract import InputError, number, write_json
from stages.section import Section, SectionTable

if TYPE_CHECKING:
    from pathlib import Path

    from stages.lut.network import Network
    from stages.section import Value
    from stages.synthesise.proof import Compared
    from stages.synthesise.vectors import Vectors
    from stages.waveforms import Waveforms

METHOD = (
    "Pin to pin: the longest way through the unregistered core after routing, from the cell of an input pin to that of"
    " an output pin; the pads' own buffers are not in nextpnr's model."
)


@dataclass(frozen=True)
class Done:
    """What the tools found: `area` and `xilinx` by kind of cell, `delays` in ns by seed."""

    levels: List[Compared]
    area: Dict[str, int]
    xilinx: Dict[str, int]
    delays: Dict[int, float]
    device: str
    package: str

    @property
    def delay_ns(self) -> float:
        """The worst delay from pin to pin."""
        return max(self.delays.values())


def check_fit(network: Network, waveforms: Waveforms) -> None:
    """Refuse a network that was made for other waveforms than these."""
    if (network.samples, network.bits) != (waveforms.samples, waveforms.bits):
        raise InputError(
            "the network is for %d samples of %d bits, the data set has %d of %d"
            % (network.samples, network.bits, waveforms.samples, waveforms.bits),
            "evolve the network on this data set",
        )


def write(out: Path, network: Network, vectors: Vectors, done: Done) -> None:
    """Write `proof.json`, `area.json`, `timing.json` and `section.json`."""
    write_json(out / "proof.json", _proof(vectors, done))
    write_json(out / "area.json", _area(network, done))
    write_json(out / "timing.json", _timing(done))
    _section(network, vectors, done).write(out)


def numbers(done: Done) -> List[Dict[str, Any]]:
    """Give the numbers of the record."""
    return [
        number("pin_to_pin_ns", done.delay_ns, "ns", n=len(done.delays)),
        *(number("cells_%s" % kind, count, "1") for kind, count in done.area.items()),
        number("cells_lut_xcup", done.xilinx["lut"], "1"),
        number("exact_vectors", min(level.exact for level in done.levels), "1", n=done.levels[0].vectors),
    ]


def _proof(vectors: Vectors, done: Done) -> Dict[str, Any]:
    return {
        "schema": "coralline.proof",
        "version": 1,
        "vectors": vectors.about,
        "levels": [level.told() for level in done.levels],
    }


def _area(network: Network, done: Done) -> Dict[str, Any]:
    return {
        "schema": "coralline.area",
        "version": 1,
        "inputs": network.inputs,
        "outputs": network.outputs,
        "device": done.device,
        "cells": done.area,
        "others": [{"family": "xcup", "state": "mapped, not routed", "cells": done.xilinx}],
    }


def _timing(done: Done) -> Dict[str, Any]:
    return {
        "schema": "coralline.timing",
        "version": 1,
        "device": done.device,
        "package": done.package,
        "method": METHOD,
        "pin_to_pin_ns": done.delay_ns,
        "by_seed": {str(seed): delay for seed, delay in done.delays.items()},
    }


def _section(network: Network, vectors: Vectors, done: Done) -> Section:
    where = "iCE40 %s, %s" % (done.device.upper(), done.package)
    levels: List[List[Value]] = [
        [level.level, level.by, "exact %d/%d" % (level.exact, level.vectors)] for level in done.levels
    ]
    ice40: List[Value] = [where, done.area["lut4"], *(done.area[kind] for kind in ("ff", "dsp", "bram", "carry"))]
    kinds = ("lut", "ff", "dsp", "bram", "carry")
    xcup: List[Value] = ["UltraScale+, mapped, not routed", *(done.xilinx[kind] for kind in kinds)]
    delays = sorted(done.delays.values())
    return Section(
        title="The network as hardware",
        text=[
            "A combinational core with %d inputs, each a comparator of one sample, and %d neurons in %d layers. The"
            " comparators themselves are not in the counts: they are discriminators or an ADC's own."
            % (network.inputs, sum(network.layers), len(network.layers)),
            "Every level was compared bit for bit with Python on %s." % vectors.about,
        ],
        tables=[
            SectionTable("Proof", ["level", "simulated by", "equal to Python"], levels),
            SectionTable(
                "Area and delay",
                ["device", "LUT", "FF", "DSP", "BRAM", "carry", "pin to pin, ns", "best seed, ns"],
                [[*ice40, delays[-1], delays[0]], [*xcup, None, None]],
                note="%s The worst of %d seeds." % (METHOD, len(delays)),
            ),
        ],
    )
