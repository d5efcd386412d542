"""What the check stage needs and makes: the gate's judgement of a file, and its predicted latency."""

from __future__ import annotations

from stages.spec import Input, Output, Parameter, Spec, Variant

SPEC = Spec(
    name="check",
    summary="say what the Edge TPU would make of a file",
    variants=(
        Variant("report", per=("model", "recipe"), recipes="edgetpu", inputs={"tflite": Input(stage="convert")}),
    ),
    outputs=(Output("check.json", "json"), Output("estimate.json", "json")),
    parameters=(
        Parameter("usb", "choice", "3", "USB generation of the predicted latency", choices=("2", "3")),
        Parameter("clock", "choice", "std", "libedgetpu's variant of the predicted latency", choices=("std", "max")),
    ),
)
