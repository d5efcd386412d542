"""What the embed stage needs and makes: the integer files of a tiny network as C source, and what all files take."""

from __future__ import annotations

from stages.spec import Input, Output, Spec, Variant

SPEC = Spec(
    name="embed",
    summary="write tiny networks as C source for microcontrollers",
    variants=(Variant("report", per=("model",), models="tiny", inputs={"files": Input(stage="convert", gather=True)}),),
    outputs=(Output("memory.json", "json"), Output("section.json", "json")),
    reported=True,
)
