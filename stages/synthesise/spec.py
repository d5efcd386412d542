"""What the synthesise stage needs and makes: VHDL of a network of lookup tables, proven and measured."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

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
        Parameter(
            "device",
            "choice",
            "hx8k",
            "iCE40 that is placed and timed",
            choices=("hx8k", "hx4k", "hx1k", "lp8k", "up5k"),
        ),
        Parameter(
            "package",
            "choice",
            "ct256",
            "its package: decides how many pins there are",
            choices=(
                "bg121",
                "cb132",
                "cm121",
                "cm225",
                "cm81",
                "ct256",
                "sg48",
                "tq144",
                "uwg30",
                "vq100",
            ),  # fmt: skip
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
    reported=True,
)
