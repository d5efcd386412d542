"""What the synthesise stage needs and makes: VHDL of a network of lookup tables, proven and measured."""

from __future__ import annotations

from typing import Dict, Tuple

from stages.spec import Input, Output, Parameter, Spec, Variant

# The device families of nextpnr-ice40 0.4 and the packages that its tables hold for each.
PACKAGES: Dict[str, Tuple[str, ...]] = {
    "hx8k": ("ct256", "cm225", "cb132", "bg121"),
    "hx4k": ("tq144", "cb132", "bg121"),
    "hx1k": ("tq144", "vq100", "cb132"),
    "lp8k": ("cm225", "cm121", "cm81"),
    "up5k": ("sg48", "uwg30"),
}

SPEC = Spec(
    name="synthesise",
    summary="VHDL of a lookup-table network, proven equal, with area and delay",
    variants=(
        Variant(
            "synthesise",
            per=("model",),
            networks=("lookup-table",),
            inputs={"network": Input(stage="evolve"), "dataset": Input(stage="dataset")},
        ),
    ),
    outputs=(
        Output("core.vhd", "text"),
        Output("tb.vhd", "text"),
        Output("vectors.txt", "text"),
        Output("expected.txt", "text"),
        Output("core.v", "text"),
        Output("netlist.v", "text"),
        Output("area.json", "json"),
        Output("timing.json", "json"),
        Output("proof.json", "json"),
        Output("tools.log", "text"),
        Output("section.json", "json"),
    ),
    parameters=(
        Parameter("device", "choice", "hx8k", "iCE40 that is placed and timed", choices=tuple(PACKAGES)),
        Parameter(
            "package",
            "choice",
            "ct256",
            "its package: decides how many pins there are",
            choices=tuple(sorted({name for names in PACKAGES.values() for name in names})),
        ),
        Parameter("seeds", "int", 3, "placements that are timed; the worst counts", minimum=1, maximum=100),
        Parameter(
            "vectors",
            "int",
            100_000,
            "random vectors compared besides the test waveforms, where there are more than 16 inputs",
            minimum=1,
            maximum=10_000_000,
        ),
    ),
    cores="all",
    reported=True,
)
