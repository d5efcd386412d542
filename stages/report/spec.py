"""What the report stage needs and makes: the tables, figures and the page of a run."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

METER = Input(external="meter")
ENERGY = (
    *(
        Parameter(
            "%s_tdp_w" % kind, "float", 0.0, "TDP of %s, W; 0 is that of stages/report/tdp.json" % what, 0.0, 10_000.0
        )
        for kind, what in (("cpu", "the processor"), ("gpu", "the GPU"), ("edgetpu", "the Edge TPU"))
    ),
    Parameter(
        "meter_on",
        "choice",
        "machine",
        "what the power meter of --meter feeds: all of the machine, or the Edge TPU alone",
        choices=("machine", "edgetpu"),
    ),
)

SPEC = Spec(
    name="report",
    summary="write the report",
    variants=(
        Variant(
            "report",
            inputs={
                "dataset": Input(stage="dataset"),
                "data": Input(external="data", keyed=False),
                "meter": METER,
                "train": Input(stage="train", gather=True),
                "qat": Input(stage="qat", gather=True),
                "convert": Input(stage="convert", gather=True),
                "check": Input(stage="check", gather=True),
                "compile": Input(stage="compile", gather=True),
                "benchmark": Input(stage="benchmark", gather=True),
                "reported": Input(gather=True),
            },
        ),
    ),
    outputs=(
        Output("report.html", "html"),
        Output("report.md", "text"),
        Output("results.csv", "csv"),
        Output("results.json", "json"),
    ),
    parameters=(Parameter("samples", "int", 4, "sample events shown of each class", minimum=1, maximum=20), *ENERGY),
)
